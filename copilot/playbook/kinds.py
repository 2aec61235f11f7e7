"""What may be written at a place of a playbook, in words: the types of the model as an author reads them."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import msgspec.inspect as inspecting


def inner(kind: Any) -> Any:
    """The type itself, where it may also be left out, without what is said about it."""
    if isinstance(kind, inspecting.UnionType):
        kind = next(option for option in kind.types if not isinstance(option, inspecting.NoneType))
    return inner(kind.type) if isinstance(kind, inspecting.Metadata) else kind


def kind_at(whole: type[msgspec.Struct], path: str) -> Any:
    """The type at ``path`` (``$.cues[3].when``; ``[...]`` is any entry of a mapping) of ``whole``."""
    kind: Any = inspecting.type_info(whole)
    for token in re.findall(r"\.([^.\[\]]+)|(\[)", path):
        kind = inner(kind)
        if token[0]:
            kind = next(field.type for field in kind.fields if field.encode_name == token[0])
        else:
            kind = kind.value_type if isinstance(kind, inspecting.DictType) else kind.item_type
    return kind


def words(kind: Any) -> str:  # noqa: PLR0911  # a table: one line per type
    """What belongs there: ``a whole number from 0 to 100``."""
    if said := description(kind):
        return said
    kind = inner(kind)
    match kind:
        case inspecting.LiteralType():
            return f"{'one of ' if len(kind.values) > 1 else ''}{', '.join(str(value) for value in kind.values)}"
        case inspecting.IntType() | inspecting.FloatType():
            return f"a {'whole ' if isinstance(kind, inspecting.IntType) else ''}number{bounds(kind)}"
        case inspecting.VarTupleType():
            least = f" of {kind.min_length} or more" if kind.min_length else ""
            most = f" of at most {kind.max_length:,}" if kind.max_length else ""
            return f"a list{least}{most}"
        case inspecting.StrType():
            return f"text of 1 to {kind.max_length} characters" if kind.max_length else "text"
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
    least = f" from {kind.ge:,g}" if kind.ge is not None else f" above {kind.gt:,g}" if kind.gt is not None else ""
    return least + (f" to {kind.le:,g}" if kind.le is not None else "")
