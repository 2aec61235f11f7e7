"""What the types complain of, in plain words: what is there, what belongs there, where, and what to do.

For everything people write by hand: playbooks, settings, bodies and queries of requests, messages on a socket.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import msgspec.inspect as inspecting

from copilot.complaint.kinds import inner, kind_at, words

_COMPLAINT = re.compile(r"(?P<what>.*?)(?: - at (?P<key>`key` in )?`(?P<path>\$.*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<key>.*)`")
_MISPLACED = re.compile(r"JSON is malformed: .*\(byte (?P<byte>\d+)\)")
SHOWN = 40
"""How much of a wrong text is repeated to its author."""


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong. ``path`` (``$.cues[3].when``) is where it stands, or what it is missing from.

    ``value`` is what is there and ``kind`` (of ``msgspec.inspect``) what belongs there, None where the types do not
    say. ``unknown`` and ``missing`` are keys; ``guess`` is the key that was perhaps meant, ``known`` are all of them.
    """

    message: str
    path: str = "$"
    hint: str = ""
    value: Any = None
    kind: Any = None
    unknown: str = ""
    missing: str = ""
    guess: str = ""
    known: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.message if self.path == "$" else f"{self.message} at {self.path}"

    @property
    def brief(self) -> str:
        """One line without a hint, for a value that stands alone: its place, and what is wrong there."""
        if self.missing or self.unknown or self.path == "$":
            return self.message
        return f"`{self.path[2:]}`: {self.message}"


def explain(complaint: str, value: Any, whole: type[msgspec.Struct], *, secret: Collection[str] = ()) -> Complaint:
    """What a complaint of ``msgspec`` says about ``value``, which should be a ``whole``.

    Values of ``secret`` keys are not repeated.
    """
    match = _COMPLAINT.fullmatch(complaint)
    what, path = (match["what"], match["path"] or "$") if match else (complaint, "$")
    kind = kind_at(whole, path)
    if unknown := _UNKNOWN.fullmatch(what):
        return _unknown(unknown["key"], path, _value_at(value, path), kind)
    if missing := _MISSING.fullmatch(what):
        return _missing(missing["key"], path, kind)
    if match and match["key"]:
        return Complaint(message=f"a name here is not {words(kind.key_type)}", path=path)
    if "[...]" in path:  # which entry of the mapping it is, the types do not say
        return Complaint(message=f"an entry here is not {words(kind)}", path=path, kind=kind, hint=_how(kind, None))
    there = _value_at(value, path)
    if kind is None:
        return Complaint(message=f"{shown(there)} cannot stand here", path=path, value=there)
    name = _sort_of(there) if path.rpartition(".")[2] in secret else _shown_for(kind, there)
    return Complaint(message=f"{name} is not {words(kind)}", path=path, kind=kind, value=there, hint=_how(kind, there))


def not_json(error: msgspec.DecodeError | UnicodeDecodeError, data: bytes) -> str:
    """Why ``data`` is not JSON, with the line and the character where reading it stopped."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    match = _MISPLACED.fullmatch(str(error))
    if not match:
        return "it breaks off" if "truncated" in str(error) else str(error).partition(" - at ")[0].lower()
    before = data[: int(match["byte"])].decode(errors="replace")
    sign = data[int(match["byte"]) :].decode(errors="replace")[:1]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return f"{sign!r} cannot stand on line {line}, column {column}" if sign else "it breaks off"


def meant(word: str, known: Sequence[str]) -> str:
    """``Did you mean ...?``, or nothing."""
    close = _nearest(word, known)
    return f"Did you mean {close!r}?" if close else ""


def shown(value: Any) -> str:
    """A value as it is repeated to its author, cut short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return repr(value if len(value) <= SHOWN else f"{value[:SHOWN]}...")
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else str(value)


def _unknown(key: str, path: str, there: Any, kind: Any) -> Complaint:
    known = tuple(field.encode_name for field in inner(kind).fields)
    guess = _nearest(key, known)
    return Complaint(
        message=f"unknown key {key[:SHOWN]!r}",
        path=f"{path}.{key}",
        hint=f"Did you mean {guess!r}?" if guess else f"Known here: {', '.join(known)}.",
        value=there.get(key),
        unknown=key,
        guess=guess,
        known=known,
    )


def _missing(key: str, path: str, whole: Any) -> Complaint:
    kind = next(field.type for field in inner(whole).fields if field.encode_name == key)
    hint = f"Add `{key}` with {words(kind)}."
    return Complaint(message=f"`{key}` is missing", path=path, hint=hint, kind=kind, missing=key)


def _nearest(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6) or difflib.get_close_matches(
        word.lower(), known, n=1, cutoff=0.6
    )
    return close[0] if close else ""


def _value_at(value: Any, path: str) -> Any:
    for key, index in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path):
        value = value[key] if key else value[int(index)]
    return value


def _shown_for(kind: Any, value: Any) -> str:
    """A text that is only too long is told by its length: repeating it says nothing."""
    too_long = getattr(inner(kind), "max_length", None) or len(str(value))
    if isinstance(value, str) and isinstance(inner(kind), inspecting.StrType) and len(value) > too_long:
        return f"a text of {len(value):,} characters"
    return shown(value)


def _sort_of(value: Any) -> str:
    """What a value is, without the value."""
    if isinstance(value, bool):
        return "true or false"
    return "a text" if isinstance(value, str) else "a number" if isinstance(value, int | float) else shown(value)


def _how(kind: Any, value: Any) -> str:
    """What to write instead of ``value``, whatever it is written in."""
    match inner(kind):
        case inspecting.StructType(fields=fields):
            return f"Its keys are {', '.join(field.encode_name for field in fields)}."
        case inspecting.VarTupleType() if isinstance(value, str | int | float):
            return "Write a list, for a single one too."
        case inspecting.LiteralType(values=values) if isinstance(value, str):
            return meant(value, tuple(map(str, values)))
        case inspecting.IntType() | inspecting.FloatType() if isinstance(value, str):
            return "Write the number alone, without quotes or a unit."
        case inspecting.StrType() if isinstance(value, bool | int | float):
            return "Put it in quotes to make it text."
        case _:
            return ""
