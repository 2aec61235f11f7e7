"""More that is legal but hardly meant: triggers that contradict themselves, steps nobody can do, cues that clash."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Literal

from rapidfuzz.fuzz import ratio

from copilot.events import Speaker
from copilot.playbook.model import Cue, Playbook, SignalRule, Step, Trigger
from copilot.playbook.walk import children, form, roots

ALIKE_PERCENT = 90.0
"""Headlines this similar say the same to a rep: of two such cards the arbiter shows one."""
_JOINTS = ("all", "any", "not")

Said = tuple[str, Literal["warning", "info"], str, str]


def doubts(playbook: Playbook) -> Iterator[Said]:
    """Findings as ``lint`` words them: code, severity, path, message."""
    yield from _contradictions(playbook)
    yield from _steps(playbook)
    yield from _alike(playbook)
    yield from _cooldowns(playbook)


def _contradictions(playbook: Playbook) -> Iterator[Said]:
    """A part is only heard where everything around it is, too."""
    for path, root in roots(playbook):
        yield from _inside(root, path, None, frozenset())


def _inside(trigger: Trigger, path: str, speaker: Speaker | None, stages: frozenset[str]) -> Iterator[Said]:
    if speaker and trigger.speaker and trigger.speaker != speaker:
        yield "trigger.dead", "warning", path, f"what is around it is only heard from the {speaker}"
    here = frozenset(trigger.stage)
    if stages and here and not stages & here:
        yield "trigger.dead", "warning", path, f"what is around it is only heard in {', '.join(sorted(stages))}"
    if form(trigger) not in _JOINTS:
        return
    for inner, child in children(trigger):
        yield from _inside(child, path + inner, trigger.speaker or speaker, here or stages)


def _steps(playbook: Playbook) -> Iterator[Said]:
    heard: dict[str, Speaker | None] = {rule.id: rule.speaker or rule.when.speaker for rule in playbook.signals}
    for i, step in enumerate(playbook.steps):
        listens_to = step.done_when.speaker or "rep"
        says = heard.get(step.done_when.signal or "")
        if says and says != listens_to and step.done_when.signal != step.id:
            message = f"{step.done_when.signal!r} is only heard from the {says}, the step from the {listens_to}"
            yield "step.unreachable", "warning", f"$.steps[{i}].done_when", message


def _alike(playbook: Playbook) -> Iterator[Said]:
    for (_, one), (j, other) in combinations(enumerate(playbook.cues), 2):
        in_group = one.group and one.group == other.group
        if not in_group and ratio(one.card.headline, other.card.headline) >= ALIKE_PERCENT:
            message = f"it says the same as {one.id!r}: while one is visible, the other is held back as a duplicate"
            yield "cue.alike", "warning", f"$.cues[{j}].card.headline", message
    names = [(f"$.{group}[{i}].id", each.id) for group, i, each in _named(playbook)]
    for (_, one_id), (path, other_id) in combinations(names, 2):
        if one_id != other_id and _bare(one_id) == _bare(other_id):
            yield "id.alike", "warning", path, f"{other_id!r} is easily taken for {one_id!r}"


def _named(playbook: Playbook) -> Iterator[tuple[str, int, SignalRule | Step | Cue]]:
    for group in ("signals", "steps", "cues"):
        for i, each in enumerate(getattr(playbook, group)):
            yield group, i, each


def _bare(name: str) -> str:
    return name.replace(".", "").replace("_", "")


def _cooldowns(playbook: Playbook) -> Iterator[Said]:
    for i, cue in enumerate(playbook.cues):
        if not cue.once and not cue.critical and cue.cooldown_s < cue.ttl_s:
            message = f"the card may stay {cue.ttl_s:g} s, and is held back as a duplicate of itself for as long"
            yield "cue.cooldown_short", "info", f"$.cues[{i}].cooldown_s", message
    groups: dict[str, dict[float, str]] = {}
    for i, cue in enumerate(playbook.cues):
        if not cue.group:
            continue
        others = groups.setdefault(cue.group, {})
        if others and cue.cooldown_s not in others:
            message = f"{cue.cooldown_s:g} s, where {next(iter(others.values()))!r} of the same group has another"
            yield "cue.cooldown_clash", "info", f"$.cues[{i}].cooldown_s", message
        others.setdefault(cue.cooldown_s, cue.id)
