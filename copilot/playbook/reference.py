"""The playbook format as a page of documentation, from the structs themselves."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec
import msgspec.inspect as inspecting

from copilot.complaint.kinds import description, words
from copilot.playbook import model

PARTS: tuple[type[msgspec.Struct], ...] = (
    model.Playbook, model.SignalRule, model.Stage, model.Step, model.Due, model.Cue, model.CardContent, model.Expected,
    model.Knowledge, model.Passage,
    model.Attention, model.Trigger, model.Phrase, model.Examples, model.Intent, model.Entity,
    model.Llm, model.MetricTest, model.EventTest, model.ContextTest,
    model.Seq, model.Count, model.Ordered, model.Absence, model.Scenario, model.Turn, model.Expect,
)  # fmt: skip

ERRORS = {
    "playbook.syntax": "not YAML as playbooks use it: one document, no tags or anchors, no key twice",
    "playbook.unknown_key": "a key that does not exist here",
    "playbook.invalid": "a value of the wrong kind, or a missing one",
    "playbook.duplicate_id": "an id used twice, or a signal and a step that share one and differ",
    "playbook.unknown_reference": "a stage, step, signal or cue that does not exist",
    "playbook.impossible_deadline": "a deadline that never comes, or comes before its clock starts",
    "playbook.trigger": "not exactly one leaf or combinator, or one that cannot be used in this place",
    "playbook.regex": "a pattern that does not run in linear time (RE2: no look-around, no back-references)",
    "playbook.too_large": "more text, nesting or values than a playbook may have",
    "playbook.knowledge": "documents that are missing, too large, not UTF-8 or outside the playbook's folder",
    "playbook.unreadable": "the file is missing, not readable or not UTF-8",
    "playbook.cycle": "signals or steps that wait for each other",
}
"""Every code a playbook can be refused with."""


def reference() -> str:
    """The page, in Markdown."""
    lines = [
        "# Playbook format",
        "",
        "Generated from the code by `python -m copilot.playbook.reference`. All durations are seconds and end in `_s`.",
        "An id is lower-case letters, digits, `_` and `.`, a letter first (`objection.price`); that of the playbook",
        "itself has `-` instead (`outbound-en`). Names for people, in any script, are `title`s.",
    ]
    for part in PARTS:
        lines += ["", f"## {part.__name__}", "", inspect.cleandoc(part.__doc__ or "").replace("``", "`"), ""]
        lines += ["| key | type | default |", "|---|---|---|"]
        lines += [_row(field) for field in inspecting.type_info(part).fields]  # type: ignore[attr-defined]
    lines += ["", "## Errors", "", "| code | meaning |", "|---|---|"]
    lines += [f"| `{code}` | {meaning} |" for code, meaning in ERRORS.items()]
    return "\n".join(lines) + "\n"


def _row(field: inspecting.Field) -> str:
    if field.required:
        default = "required"
    elif field.default_factory is not msgspec.NODEFAULT:
        default = "empty"
    else:
        default = f"`{_plain(field.default)}`"
    return f"| `{field.encode_name}` | {_type(field.type)} | {default} |"


def _plain(value: Any) -> str:
    """A default as one would write it; a part with defaults of its own is written ``{}``."""
    return "{}" if isinstance(value, msgspec.Struct) else msgspec.json.encode(value).decode()


def _type(kind: Any) -> str:  # noqa: PLR0911  # a table: one line per type
    match kind:
        case inspecting.StructType():
            return f"[{kind.cls.__name__}](#{kind.cls.__name__.lower()})"
        case inspecting.VarTupleType():
            return f"list of {_type(kind.item_type)}"
        case inspecting.UnionType():
            return " or ".join(_type(option) for option in kind.types if not isinstance(option, inspecting.NoneType))
        case inspecting.LiteralType():
            return ", ".join(f"`{value}`" for value in kind.values)
        case inspecting.DictType():
            return f"mapping of text to {_type(kind.value_type)}"
        case inspecting.Metadata():
            return description(kind).partition(":")[0].removeprefix("an ")
        case inspecting.StrType():
            return "text"
        case _:
            return words(kind).removeprefix("a ")


if __name__ == "__main__":
    print(reference(), end="")
