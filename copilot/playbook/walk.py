"""Triggers contain triggers: how to visit them all, and how to rewrite them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import msgspec

from copilot.playbook.model import (
    COMBINATORS,
    LEAVES,
    TEXT_LEAVES,
    Absence,
    ContextTest,
    Count,
    Ordered,
    Playbook,
    Seq,
    Trigger,
)

_T = TypeVar("_T", bound=msgspec.Struct)
_PARTS = (Seq, Count, Ordered, Absence)
_LISTS = ("all", "any", "of")


def form(trigger: Trigger) -> str:
    """The leaf or combinator that is set: ``phrase``, ``all``, ... (the first, if an author set several)."""
    return next(iter(forms(trigger)), "")


def forms(trigger: Trigger) -> tuple[str, ...]:
    """Every leaf and combinator that is set; a valid trigger has exactly one."""
    return tuple(name for name in (*LEAVES, *COMBINATORS) if getattr(trigger, _attribute(name)) is not None)


def children(part: msgspec.Struct, path: str = "") -> Iterator[tuple[str, Trigger]]:
    """The triggers directly inside a trigger, each with its path relative to it (``.seq.of[1]``)."""
    for name, key in zip(part.__struct_fields__, part.__struct_encode_fields__, strict=True):
        value, inner = getattr(part, name), f"{path}.{key}"
        if isinstance(value, Trigger):
            yield inner, value
        elif isinstance(value, _PARTS):
            yield from children(value, inner)
        elif name in _LISTS:
            for index, item in enumerate(value or ()):
                yield f"{inner}[{index}]", item


def walk(trigger: Trigger, path: str = "") -> Iterator[tuple[str, Trigger]]:
    """``trigger`` and everything inside it, outermost first, with paths."""
    yield path, trigger
    for inner, child in children(trigger):
        yield from walk(child, path + inner)


def roots(playbook: Playbook) -> Iterator[tuple[str, Trigger]]:
    """The outermost triggers of a playbook, in the order of the file, with paths (``$.cues[3].when``)."""
    for i, signal in enumerate(playbook.signals):
        yield f"$.signals[{i}].when", signal.when
    for i, stage in enumerate(playbook.stages):
        if stage.enter_when:
            yield f"$.stages[{i}].enter_when", stage.enter_when
    for i, step in enumerate(playbook.steps):
        yield f"$.steps[{i}].done_when", step.done_when
        if step.applies_when:
            yield f"$.steps[{i}].applies_when", step.applies_when
    for i, cue in enumerate(playbook.cues):
        yield f"$.cues[{i}].when", cue.when
        if cue.close_when:
            yield f"$.cues[{i}].close_when", cue.close_when
        if cue.expected:
            yield f"$.cues[{i}].expected.trigger", cue.expected.trigger
    yield from _others(playbook)


def _others(playbook: Playbook) -> Iterator[tuple[str, Trigger]]:
    if playbook.knowledge:
        yield "$.knowledge.when", playbook.knowledge.when
    if playbook.ending:
        yield "$.ending", playbook.ending


def rewrite(trigger: Trigger, leaf: Callable[[Trigger], Trigger]) -> Trigger:
    """The same trigger with every leaf replaced by ``leaf(it)``."""
    return leaf(trigger) if form(trigger) in LEAVES else _rewrite_inside(trigger, leaf)


def _rewrite_inside(part: _T, leaf: Callable[[Trigger], Trigger]) -> _T:
    changes: dict[str, object] = {}
    for name in part.__struct_fields__:
        value = getattr(part, name)
        if isinstance(value, Trigger):
            changes[name] = rewrite(value, leaf)
        elif isinstance(value, _PARTS):
            changes[name] = _rewrite_inside(value, leaf)
        elif name in _LISTS and value is not None:
            changes[name] = tuple(rewrite(item, leaf) for item in value)
    return msgspec.structs.replace(part, **changes)


def listens(trigger: Trigger) -> bool:
    """Whether any part of ``trigger`` listens to what is said."""
    return any(form(inner) in (*TEXT_LEAVES, "signal") for _, inner in walk(trigger))


def is_met(test: ContextTest, context: Mapping[str, str]) -> bool:
    """Whether the call's context passes: every part of the test that is written down; without any, the field is there.

    An empty field counts as absent.
    """
    value = context.get(test.field)
    present = bool(value)
    if test.equals is None and not test.one_of:
        return present == (test.present is not False)
    return (
        test.present in {None, present} and test.equals in {None, value} and (not test.one_of or value in test.one_of)
    )


def known_from(trigger: Trigger, context: Mapping[str, str]) -> bool:
    """Whether a trigger that looks at nothing but the context holds; one that listens does not, yet."""
    if trigger.context:
        return is_met(trigger.context, context)
    if trigger.all:
        return all(known_from(part, context) for part in trigger.all)
    if trigger.any:
        return any(known_from(part, context) for part in trigger.any)
    return trigger.not_ is not None and not listens(trigger.not_) and not known_from(trigger.not_, context)


def references(trigger: Trigger) -> tuple[str, ...]:
    """The signals that ``trigger`` refers to, in order."""
    return tuple(inner.signal for _, inner in walk(trigger) if inner.signal)


def _attribute(name: str) -> str:
    return "not_" if name == "not" else name
