"""A playbook as the rooms use it: what to listen for, apart from what to do about it.

Everything that listens to words becomes a *rule* with a *label*, so that ``signals/`` needs to know nothing about
steps and cues, and ``sop/`` and ``cues/`` nothing about words: they see labels only.

    signal          its id                 step, ``done_when``     the step's id
    stage           ``stage:<id>``         step, ``applies_when``  ``applies:<step id>``
    ``ending``      ``ending``             words inside a cue      ``cue:<cue id>#<n>``
"""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import TopologicalSorter

import msgspec

from copilot.events import Frozen, Speaker
from copilot.playbook.model import TEXT_LEAVES, Cue, Playbook, Stage, Step, Trigger
from copilot.playbook.walk import form, listens, references, rewrite, roots, walk

MAX_HOTWORDS = 40
"""Most words given to the recogniser: a long list makes it hear them everywhere."""


class Rule(Frozen, frozen=True, kw_only=True):
    """One thing to listen for: ``trigger`` uses text leaves, signals, context, all / any / not.

    ``speaker`` None listens to both.
    """

    label: str
    trigger: Trigger
    speaker: Speaker | None = None


class Plan(Frozen, frozen=True, kw_only=True):
    """``playbook`` without words (every text leaf is a signal), and the ``rules`` that hear them, dependencies first.

    ``prompt`` and ``hotwords`` are for the recogniser.
    """

    playbook: Playbook
    rules: tuple[Rule, ...]
    prompt: str = ""
    hotwords: tuple[str, ...] = ()


def compile_playbook(playbook: Playbook) -> Plan:
    """Separate what is heard from what follows from it. ``playbook`` has been checked by ``load``."""
    rules = [Rule(label=rule.id, trigger=rule.when, speaker=rule.speaker) for rule in playbook.signals]
    stages = tuple(_stage(stage, rules) for stage in playbook.stages)
    steps = tuple(_step(step, rules) for step in playbook.steps)
    cues = tuple(_cue(cue, rules) for cue in playbook.cues)
    ending = playbook.ending
    if ending:
        rules.append(Rule(label="ending", trigger=ending, speaker=ending.speaker))
        ending = Trigger(signal="ending")
    return Plan(
        playbook=msgspec.structs.replace(playbook, stages=stages, steps=steps, cues=cues, ending=ending),
        rules=_ordered(rules),
        prompt=playbook.prompt,
        hotwords=_hotwords(playbook),
    )


def _stage(stage: Stage, rules: list[Rule]) -> Stage:
    if not stage.enter_when:
        return stage
    label = f"stage:{stage.id}"
    rules.append(Rule(label=label, trigger=stage.enter_when, speaker=stage.enter_when.speaker))
    return msgspec.structs.replace(stage, enter_when=Trigger(signal=label))


def _step(step: Step, rules: list[Rule]) -> Step:
    heard = Trigger(signal=step.id, speaker=step.done_when.speaker)
    if step.done_when.signal != step.id:
        rules.append(Rule(label=step.id, trigger=step.done_when, speaker=step.done_when.speaker or "rep"))
    applies = step.applies_when
    if applies and listens(applies):
        label = f"applies:{step.id}"
        rules.append(Rule(label=label, trigger=applies, speaker=applies.speaker))
        applies = Trigger(signal=label)
    return msgspec.structs.replace(step, done_when=heard, applies_when=applies)


def _cue(cue: Cue, rules: list[Rule]) -> Cue:
    count = 0

    def name(leaf: Trigger) -> Trigger:
        nonlocal count
        if form(leaf) not in TEXT_LEAVES:
            return leaf
        count += 1
        label = f"cue:{cue.id}#{count}"
        rules.append(Rule(label=label, trigger=leaf, speaker=leaf.speaker))
        return Trigger(
            signal=label, speaker=leaf.speaker, stage=leaf.stage, language=leaf.language, interim=leaf.interim
        )

    expected = cue.expected
    return msgspec.structs.replace(
        cue,
        when=rewrite(cue.when, name),
        close_when=cue.close_when and rewrite(cue.close_when, name),
        expected=expected and msgspec.structs.replace(expected, trigger=rewrite(expected.trigger, name)),
    )


def _ordered(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules with every rule after those it refers to."""
    by_label = {rule.label: rule for rule in rules}
    graph = {label: references(rule.trigger) for label, rule in by_label.items()}
    return tuple(by_label[label] for label in TopologicalSorter(graph).static_order())


def _hotwords(playbook: Playbook) -> tuple[str, ...]:
    """The author's words first, then the short phrases of the playbook, the ones most often used first."""
    counts: dict[str, int] = {}
    for _, root in roots(playbook):
        for _, trigger in walk(root):
            for phrase in (*trigger.phrase.any, *trigger.phrase.all) if trigger.phrase else ():
                if "..." not in phrase and _is_short(phrase):
                    counts[phrase] = counts.get(phrase, 0) + 1
    drawn = sorted(counts, key=lambda phrase: -counts[phrase])
    return tuple(dict.fromkeys((*playbook.hotwords, *drawn)))[:MAX_HOTWORDS]


def _is_short(phrase: str) -> bool:
    """At most three words, or six characters where words are not spaced."""
    return len(phrase.split()) <= 3 if phrase.isascii() else len(phrase) <= 6
