"""One of everything the protocol can say, drawn at random from the message definitions themselves."""

from functools import cache
from typing import get_args

import msgspec
from hypothesis import strategies as st
from msgspec import inspect as mi

from copilot.wire import messages

UNIONS = (messages.ClientMessage, messages.Reply, messages.AnyCallMessage, messages.FloorMessage)
MESSAGES = [member for union in UNIONS for member in get_args(union)]

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def values(kind: mi.Type) -> st.SearchStrategy:  # noqa: C901, PLR0911  # one line per type of the vocabulary
    match kind:
        case mi.StrType(pattern=str() as pattern):
            return st.from_regex(pattern.rstrip("$") + r"\Z")
        case mi.StrType(min_length=low):
            return st.text(st.characters(exclude_categories=["Cs"]), min_size=low or 0, max_size=12)
        case mi.IntType(ge=low):
            return st.integers(low if low is not None else -(2**53), 2**53)
        case mi.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case mi.BoolType():
            return st.booleans()
        case mi.NoneType():
            return st.none()
        case mi.LiteralType(values=choices):
            return st.sampled_from(choices)
        case mi.VarTupleType(item_type=item):
            return st.lists(values(item), max_size=3).map(tuple)
        case mi.DictType():
            return st.dictionaries(_TEXT, _TEXT, max_size=3)
        case mi.UnionType(types=types):
            return st.one_of([values(member) for member in types])
        case mi.StructType(cls=cls):
            return structs(cls)
    raise NotImplementedError(kind)


@cache
def structs(cls: type[msgspec.Struct]) -> st.SearchStrategy:
    fields = {field.name: values(field.type) for field in mi.type_info(cls).fields}
    if "v" in fields:
        fields["v"] = st.just(messages.VERSION)
    return st.builds(cls, **fields)


anything = st.sampled_from(MESSAGES).flatmap(structs)
