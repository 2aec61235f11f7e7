"""What the types complain of, in plain words, whatever is wrong and wherever."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta

from copilot.complaint.explain import Complaint, explain, meant, not_json


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    kind: Literal["info", "objection"]
    note: Annotated[str, Meta(max_length=5)] = ""


class Whole(msgspec.Struct, forbid_unknown_fields=True):
    count: Annotated[int, Meta(ge=0, le=2_000_000)] = 0
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    inner: Inner | None = None
    names: tuple[str, ...] = ()
    code: Annotated[str, Meta(pattern="^[a-z]+$")] = "a"
    facts: dict[Annotated[str, Meta(pattern="^[a-z]+$", description="a word")], int] = {}
    either: str | int | None = None
    flag: bool = False
    outcome: Literal["", "won"] = ""
    password: str = ""


def complaint(value: Any) -> Complaint:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(value, Whole)
    return explain(str(caught.value), value, Whole, secret=("password",))


SAID = [
    ({"count": "3"}, "'3' is not a whole number from 0 to 2,000,000 at $.count", "without quotes"),
    ({"share": 1}, "1 is not a number above 0 below 1 at $.share", ""),
    ({"inner": []}, "a list is not a mapping of keys to values at $.inner", "Its keys are kind, note."),
    ({"inner": {"kind": "Info"}}, "'Info' is not one of info, objection at $.inner.kind", "Did you mean 'info'?"),
    ({"inner": {}}, "`kind` is missing at $.inner", "Add `kind` with one of info, objection."),
    ({"inner": {"kind": "info", "ntoe": ""}}, "unknown key 'ntoe' at $.inner.ntoe", "Did you mean 'note'?"),
    ({"备注": 1}, "unknown key '备注' at $.备注", "Known here: count, share, inner"),
    ({"names": "客户"}, "'客户' is not a list at $.names", "Write a list"),
    ({"names": ["a", None]}, "nothing is not text at $.names[1]", ""),
    ({"code": "王"}, "'王' is not text like ^[a-z]+$ at $.code", ""),
    ({"inner": {"kind": "info", "note": "太贵了太贵了"}}, "a text of 6 characters is not text of at most 5", ""),
    ({"facts": {"a": "b"}}, "an entry here is not a whole number at $.facts[...]", ""),
    ({"facts": {"A": 1}}, "a name here is not a word at $.facts", ""),
    ({"either": []}, "a list is not text or a whole number at $.either", ""),
    ({"flag": "yes"}, "'yes' is not true or false at $.flag", ""),
    ({"outcome": "赢"}, "'赢' is not one of \"\", won at $.outcome", ""),
    ({"password": 12345}, "a number is not text at $.password", "quotes"),
    ({"count": True}, "true is not a whole number", ""),
    ([], "a list is not a mapping of keys to values", "Its keys are count"),
]


@pytest.mark.parametrize(("value", "said", "hint"), SAID)
def test_a_complaint_says_what_is_there_what_belongs_there_and_where(value: Any, said: str, hint: str) -> None:
    found = complaint(value)
    assert str(found).startswith(said)
    assert hint in found.hint


def test_one_line_for_a_value_that_stands_alone() -> None:
    assert complaint({"inner": {"kind": 1}}).brief == "`inner.kind`: 1 is not one of info, objection"
    assert complaint({"inner": {}}).brief == "`kind` is missing"


def test_a_place_that_the_types_do_not_have() -> None:
    assert str(explain("Invalid value 'x' - at `$.type`", {"type": "x"}, Whole)) == "'x' cannot stand here at $.type"


def test_meant() -> None:
    assert meant("OBJECTION", ("info", "objection")) == "Did you mean 'objection'?"
    assert meant("zzz", ("info",)) == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{\n“a": 1}', "'“' cannot stand on line 2, column 1"),
        ('{"太贵": 1，"b": 2}', "'，' cannot stand on line 1, column 9"),
        ('{"a": 1', "it breaks off"),
        ("", "it breaks off"),
        ('{"a": 1e999}', "number out of range"),
    ],
)
def test_what_is_not_json_says_where(text: str, why: str) -> None:
    with pytest.raises(msgspec.DecodeError) as caught:
        msgspec.json.decode(text)
    assert not_json(caught.value, text.encode()) == why


KEYS = st.sampled_from([*Whole.__struct_fields__, *Inner.__struct_fields__, "冒号："]) | st.text(max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=9,
)


@settings(deadline=None)
@given(VALUES)
def test_whatever_is_wrong_has_a_message_and_a_place(value: Any) -> None:
    try:
        msgspec.convert(value, Whole)
    except msgspec.ValidationError as error:
        found = explain(str(error), value, Whole)
        assert found.message
        assert found.path.startswith("$")
