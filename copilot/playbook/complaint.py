"""What the types complain of, in the words of somebody who writes YAML, and on which line."""

from __future__ import annotations

import msgspec.inspect as inspecting

from copilot.complaint import explain as plain
from copilot.complaint.kinds import inner, words
from copilot.errors import PlaybookError
from copilot.playbook.model import Playbook
from copilot.playbook.source import Source
from copilot.playbook.syntax import LOOKALIKES, lookalike

_REFERENCE = "`docs/reference/playbook.md` lists every key and what it may hold."


def explain(complaint: str, source: Source) -> PlaybookError:
    """The error that a complaint of ``msgspec`` about the whole of ``source`` means."""
    found = plain.explain(complaint, source.value, Playbook)
    code = "playbook.unknown_key" if found.unknown else "playbook.invalid"
    line = source.line(found.path.replace("[...]", ""))
    hint = _how(found) or found.hint or _REFERENCE
    return PlaybookError(code, found.message, file=source.file, line=line, path=found.path, hint=hint)


def _how(found: plain.Complaint) -> str:  # noqa: PLR0911  # a table: one line per mistake
    """What to write instead, where YAML has its own way to go wrong or to be written."""
    kind, value = inner(found.kind), found.value
    key = found.path.rpartition(".")[2].partition("[")[0]
    if found.unknown:
        return _how_to_name(found)
    if found.missing:
        return f"Add `{found.missing}:` with {words(found.kind)}."
    if isinstance(value, str) and (sign := _sign(value[:1])):
        return lookalike(sign)[1]
    match kind:
        case inspecting.StructType(fields=fields) if key.isidentifier():
            return f"Write `{key}: {{{fields[0].encode_name}: ...}}`. {found.hint}"
        case inspecting.VarTupleType() if isinstance(value, str | int | float):
            return f"Write a list: `{key}: [first, second]`."
        case inspecting.VarTupleType() if isinstance(value, dict):
            return "Begin each item with `- `."
        case inspecting.StrType() if kind.pattern and isinstance(value, str) and not value.isascii():
            return "Names for people, in any script, go into `title`."
        case _:
            return ""


def _how_to_name(found: plain.Complaint) -> str:
    if sign := _sign(found.unknown):
        return lookalike(sign)[1]
    if not found.guess and found.value is None:
        known = ", ".join(found.known)
        return f"Within {{ }} a comma begins a new key: put text that holds one in quotes. Keys: {known}."
    return ""


def _sign(text: str) -> str:
    """The first sign in ``text`` that only looks like one of YAML's."""
    return next((character for character in text if character in LOOKALIKES), "")
