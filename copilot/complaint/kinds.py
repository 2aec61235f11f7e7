"""What may be written at a place, in words: types as the people who write by hand read them."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import msgspec.inspect as inspecting


def inner(kind: Any) -> Any:
    """The type itself, where it may also be left out, without what is said about it."""
    if isinstance(kind, inspecting.UnionType):
        kind = _options(kind)[0]
    return inner(kind.type) if isinstance(kind, inspecting.Metadata) else kind


def kind_at(whole: type[msgspec.Struct], path: str) -> Any:
    """The type at ``path`` (``$.cues[3].when``; ``[...]`` is any entry of a mapping) of ``whole``.

    None where ``whole`` has no such place.
    """
    kind: Any = inspecting.type_info(whole)
    for key, _ in re.findall(r"\.([^.\[\]]+)|(\[)", path):
        kind = inner(kind)
        if key:
            fields = getattr(kind, "fields", ())
            kind = next((field.type for field in fields if field.encode_name == key), None)
        else:
            kind = getattr(kind, "value_type" if isinstance(kind, inspecting.DictType) else "item_type", None)
    return kind


def words(kind: Any) -> str:  # noqa: PLR0911  # a table: one line per type
    """What belongs there: ``a whole number from 0 to 100``."""
    if said := description(kind):
        return said
    if isinstance(kind, inspecting.UnionType) and len(_options(kind)) > 1:
        return " or ".join(words(option) for option in _options(kind))
    kind = inner(kind)
    match kind:
        case inspecting.LiteralType():
            values = [str(value) or '""' for value in kind.values]
            return f"{'one of ' if len(values) > 1 else ''}{', '.join(values)}"
        case inspecting.IntType() | inspecting.FloatType():
            return f"a {'whole ' if isinstance(kind, inspecting.IntType) else ''}number{bounds(kind)}"
        case inspecting.VarTupleType():
            least = f" of {kind.min_length} or more" if kind.min_length else ""
            most = f" of at most {kind.max_length:,}" if kind.max_length else ""
            return f"a list{least}{most}"
        case inspecting.StrType():
            return _text(kind)
        case inspecting.BoolType():
            return "true or false"
        case _:
            return "a mapping of keys to values"


def description(kind: Any) -> str:
    """What the model itself says of a type, such as the form of an id."""
    if isinstance(kind, inspecting.Metadata):
        return str((kind.extra_json_schema or {}).get("description", "")) or description(kind.type)
    if isinstance(kind, inspecting.UnionType):
        return next(filter(None, map(description, kind.types)), "")
    return ""


def bounds(kind: Any) -> str:
    """`` from 0 to 100``; nothing for a number without bounds."""
    said = ((" from ", kind.ge), (" above ", kind.gt), (" to ", kind.le), (" below ", kind.lt))
    return "".join(f"{word}{_number(bound)}" for word, bound in said if bound is not None)


def _number(bound: float) -> str:
    return f"{int(bound):,}" if bound == int(bound) else f"{bound:,g}"


def _options(kind: inspecting.UnionType) -> list[Any]:
    return [option for option in kind.types if not isinstance(option, inspecting.NoneType)]


def _text(kind: inspecting.StrType) -> str:
    if kind.pattern:
        return f"text like {kind.pattern}"
    if kind.max_length:
        return f"text of {f'{kind.min_length} to' if kind.min_length else 'at most'} {kind.max_length:,} characters"
    return "text"
