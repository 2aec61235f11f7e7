"""Everything in a playbook that the types refuse, not only the first; the rest of it stays readable for other checks.

What is refused is replaced by something harmless of the right type, so that ids and indices stay where they are.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec

from copilot.errors import PlaybookError
from copilot.playbook.model import Playbook

MAX_MISTAKES = 100
"""Nobody reads more at once."""
_NAMED = ("signals", "stages", "steps", "cues")
_STAND_IN = "unread"
_PLAIN: tuple[Any, ...] = (False, 1, 0.5, "1.0.0", (), {})


class Mended(NamedTuple):
    """What can be read of a playbook, what ``msgspec`` complains of, and the paths of what was mended."""

    playbook: Playbook
    complaints: list[str]
    places: list[str]

    def independent(self, errors: Iterable[PlaybookError]) -> Iterator[PlaybookError]:
        """Those of ``errors`` in the playbook that do not come from what was mended."""
        named = (each.id for group in _NAMED for each in getattr(self.playbook, group))
        is_lost = any(name.startswith(_STAND_IN) for name in named) or any(map(_hides_names, self.places))
        for error in errors:
            is_name = error.code in {"playbook.unknown_reference", "playbook.cycle"}
            about = any(_is_about(error.path, place, beside=not is_name) for place in self.places)
            if not (about or (is_name and is_lost)):
                yield error


def mend(value: Any) -> Mended:
    """The playbook that ``value`` comes closest to. With too many complaints, one without anything in it."""
    mender = _Mender()
    mended = mender.mended(value, Playbook, "$")
    if len(mender.complaints) >= MAX_MISTAKES:  # the rest was not looked at
        mended = mender.stand_in(Playbook)
    return Mended(msgspec.convert(mended, Playbook), mender.complaints, mender.places)


def together(errors: Iterable[PlaybookError]) -> PlaybookError:
    """One error for several: the first, with the others in it."""
    first, *others = errors
    first.others = tuple(others[: MAX_MISTAKES - 1])
    return first


def _hides_names(place: str) -> bool:
    """Whether names may have been written there: in a list of named things, or under a key that is misspelt."""
    key = place.removeprefix("$.")
    return key in _NAMED or key.startswith("lexicons") or (key.isidentifier() and key not in Playbook.__struct_fields__)


def _is_about(path: str, place: str, *, beside: bool) -> bool:
    """Whether one of them is a part of the other or, if ``beside``, both are keys of the same thing."""
    parts, others = (re.findall(r"[^.\[]+", each) for each in (path, place))
    shorter = min(len(parts), len(others))
    return parts[:shorter] == others[:shorter] or (beside and parts[1:-1] == others[1:-1] != [])


class _Mender:
    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.places: list[str] = []
        self._stand_ins = 0

    def mended(self, value: Any, kind: Any, path: str) -> Any:
        """``value`` where it is of the type ``kind``; complains of every part that is not."""
        if not _refused(value, kind) or len(self.complaints) >= MAX_MISTAKES:
            return value
        value = self._inside(value, _bare(kind), path)
        if not (complaint := _refused(value, kind)):
            return value
        self._complain(complaint, path)
        return self.stand_in(kind)

    def _inside(self, value: Any, kind: Any, path: str) -> Any:
        """``value`` with its parts mended. One that is not what holds such parts is returned as it is."""
        if _is_struct(kind) and isinstance(value, dict):
            return self._struct(value, msgspec.structs.fields(kind), path)
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is tuple and isinstance(value, list):
            return [self.mended(item, arguments[0], f"{path}[{index}]") for index, item in enumerate(value)]
        if origin is dict and isinstance(value, dict):
            for key in value:
                if complaint := _refused(key, arguments[0]):
                    self._complain(complaint, path, where="`key` in ")
            entries = {key: entry for key, entry in value.items() if not _refused(key, arguments[0])}
            return {key: self.mended(entry, arguments[1], f"{path}[...]") for key, entry in entries.items()}
        return value

    def _struct(self, value: dict[str, Any], fields: Sequence[msgspec.structs.FieldInfo], path: str) -> dict[str, Any]:
        known = {field.encode_name: field for field in fields}
        mended: dict[str, Any] = {}
        for key, part in value.items():
            if key in known:
                mended[key] = self.mended(part, known[key].type, f"{path}.{key}")
            else:
                self._complain(f"Object contains unknown field `{key}`", path, key)
        for key in (key for key, field in known.items() if field.required and key not in value):
            if value.keys() <= known.keys():  # else one that is unknown may be this one, misspelt
                self._complain(f"Object missing required field `{key}`", path, key)
            mended[key] = self.stand_in(known[key].type)
        return mended

    def _complain(self, complaint: str, path: str, key: str = "", where: str = "") -> None:
        if len(self.complaints) < MAX_MISTAKES:
            self.complaints.append(f"{complaint.rpartition(' - at ')[0] or complaint} - at {where}`{path}`")
            self.places.append(f"{path}.{key}" if key else path)

    def stand_in(self, kind: Any) -> Any:
        """Something harmless of the type ``kind``; an id is never the same twice. None if there is no such thing."""
        self._stand_ins += 1
        bare = _bare(kind)
        if _is_struct(bare):
            required = [field for field in msgspec.structs.fields(bare) if field.required]
            return {field.encode_name: self.stand_in(field.type) for field in required}
        candidates: list[Any] = [f"{_STAND_IN}{self._stand_ins}", *_PLAIN]
        if get_origin(bare) is Literal:
            candidates = [*get_args(bare)]
        elif get_origin(bare) is tuple:
            candidates = [[], [self.stand_in(get_args(bare)[0])]]
        return next((each for each in candidates if not _refused(each, kind)), None)


def _refused(value: Any, kind: Any) -> str:
    """Why ``value`` is not a ``kind``; empty when it is."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _bare(kind: Any) -> Any:
    """A type without what is said about it, where it may also be left out."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in {Union, types.UnionType}:
        return _bare(next(option for option in get_args(kind) if option is not types.NoneType))
    return kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
