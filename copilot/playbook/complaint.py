"""What the types complain of, in an author's words: what is there, what belongs there, where, and what to do."""

from __future__ import annotations

import difflib
import re
from typing import Any

import msgspec
import msgspec.inspect as inspecting

from copilot.errors import PlaybookError
from copilot.playbook.kinds import inner, kind_at, words
from copilot.playbook.model import Playbook
from copilot.playbook.source import Source
from copilot.playbook.syntax import LOOKALIKES, lookalike

_COMPLAINT = re.compile(r"(?P<what>.*?)(?: - at (?P<key>`key` in )?`(?P<path>\$.*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<key>.*)`")
_REFERENCE = "`docs/reference/playbook.md` lists every key and what it may hold."
SHOWN = 40
"""How much of a wrong text is repeated to its author."""


def explain(complaint: str, source: Source) -> PlaybookError:
    """The error that a complaint of ``msgspec`` about the whole of ``source`` means."""
    match = _COMPLAINT.fullmatch(complaint)
    what, path = (match["what"], match["path"] or "$") if match else (complaint, "$")
    if unknown := _UNKNOWN.fullmatch(what):
        return _unknown(unknown["key"], path, source)
    if missing := _MISSING.fullmatch(what):
        return _missing(missing["key"], path, source)
    kind = kind_at(Playbook, path)
    if match and match["key"]:
        return _invalid(f"a name here is not {words(kind.key_type)}", path, source)
    if "[...]" in path:  # which entry of the mapping it is, the types do not say
        return _invalid(f"an entry here is not {words(kind)}", path, source, _how(kind, None, path))
    value = _value_at(source.value, path)
    return _invalid(f"{_shown(value)} is not {words(kind)}", path, source, _how(kind, value, path))


def explain_briefly(complaint: str, value: Any, whole: type[msgspec.Struct]) -> str:
    """The same for a ``value`` that should be a ``whole`` and comes from no file: one line without a place."""
    match = _COMPLAINT.fullmatch(complaint)
    what, path = (match["what"], match["path"] or "$") if match else (complaint, "$")
    if missing := _MISSING.fullmatch(what):
        return f"`{missing['key']}` is missing"
    name = f"`{path[2:]}`: " if path != "$" else ""
    return f"{name}{_shown(_value_at(value, path))} is not {words(kind_at(whole, path))}"


def meant(word: str, known: tuple[str, ...]) -> str:
    """``Did you mean ...?``, or nothing."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"Did you mean {close[0]!r}?" if close else ""


def _invalid(message: str, path: str, source: Source, hint: str = _REFERENCE) -> PlaybookError:
    line = source.line(path.replace("[...]", ""))
    return PlaybookError("playbook.invalid", message, file=source.file, line=line, path=path, hint=hint)


def _unknown(key: str, path: str, source: Source) -> PlaybookError:
    known = tuple(field.encode_name for field in inner(kind_at(Playbook, path)).fields)
    where = f"{path}.{key}"
    if sign := _sign(key):
        hint = lookalike(sign)[1]
    elif hint := meant(key, known):
        pass
    elif _value_at(source.value, path).get(key) is None:
        hint = f"Within {{ }} a comma begins a new key: put text that holds one in quotes. Keys: {', '.join(known)}."
    else:
        hint = f"Known here: {', '.join(known)}."
    message = f"unknown key {key[:SHOWN]!r}"
    return PlaybookError(
        "playbook.unknown_key", message, file=source.file, line=source.line(where), path=where, hint=hint
    )


def _missing(key: str, path: str, source: Source) -> PlaybookError:
    kind = next(field.type for field in inner(kind_at(Playbook, path)).fields if field.encode_name == key)
    return _invalid(f"`{key}` is missing", path, source, f"Add `{key}:` with {words(kind)}.")


def _value_at(value: Any, path: str) -> Any:
    for key, index in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path):
        value = value[key] if key else value[int(index)]
    return value


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return repr(value if len(value) <= SHOWN else f"{value[:SHOWN]}...")
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else str(value)


def _how(kind: Any, value: Any, path: str) -> str:  # noqa: PLR0911  # a table: one line per mistake
    """What to write instead of ``value``."""
    kind = inner(kind)
    key = path.rpartition(".")[2].partition("[")[0]
    if isinstance(value, str) and (sign := _sign(value[:1])):
        return lookalike(sign)[1]
    match kind:
        case inspecting.StructType():
            keys = [field.encode_name for field in kind.fields]
            example = f"Write `{key}: {{{keys[0]}: ...}}`. " if key.isidentifier() else ""
            return f"{example}Its keys are {', '.join(keys)}."
        case inspecting.VarTupleType() if isinstance(value, str | int | float):
            return f"Write a list: `{key}: [first, second]`."
        case inspecting.VarTupleType() if isinstance(value, dict):
            return "Begin each item with `- `."
        case inspecting.LiteralType() if isinstance(value, str):
            return meant(value.lower(), tuple(map(str, kind.values))) or _REFERENCE
        case inspecting.IntType() | inspecting.FloatType() if isinstance(value, str):
            return "Write the number alone, without quotes or a unit."
        case inspecting.StrType() if isinstance(value, bool | int | float):
            return "Put it in quotes to make it text."
        case inspecting.StrType() if kind.pattern and isinstance(value, str) and not value.isascii():
            return "Names for people, in any script, go into `title`."
        case _:
            return _REFERENCE


def _sign(text: str) -> str:
    """The first sign in ``text`` that only looks like one of YAML's."""
    return next((character for character in text if character in LOOKALIKES), "")
