"""A playbook as the rooms use it: what to listen for, apart from what to do about it.

Everything that listens to words becomes a *rule* with a *label*, so that ``signals/`` needs to know nothing about
steps and cues, and ``sop/`` and ``cues/`` nothing about words: they see labels only.

    signal          its id                 step, ``done_when``     the step's id
    stage           ``stage:<id>``         step, ``applies_when``  ``applies:<step id>``
    ``ending``      ``ending``             words inside a cue      ``cue:<cue id>#<n>``
    ``knowledge``   ``knowledge:asked``
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import TopologicalSorter

import msgspec

from copilot.events import Frozen, Speaker
from copilot.playbook.model import TEXT_LEAVES, CardContent, Cue, Knowledge, Playbook, Stage, Step, Trigger
from copilot.playbook.walk import form, listens, references, rewrite

KNOWLEDGE = "knowledge"
"""The id of the cue that answers questions from the documents."""
ASKED, ANSWER = "knowledge:asked", "knowledge:answer"
"""Labels of a question that may be answered, and of the answer that was found."""
MAX_HOTWORDS = 12
"""Most words given to the recogniser. A long list makes it hear them everywhere and takes time with every reading:
forty phrases of the shipped packs cost 16 % more and took Chinese from 11.5 to 12.8 % wrong characters."""


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
    lexicons = playbook.lexicons
    rules = [Rule(label=rule.id, trigger=rule.when, speaker=rule.speaker) for rule in playbook.signals]
    stages = tuple(_stage(stage, rules) for stage in playbook.stages)
    steps = tuple(_step(step, rules) for step in playbook.steps)
    cues = tuple(_cue(cue, rules) for cue in playbook.cues)
    if playbook.knowledge and playbook.knowledge.passages:
        rules.append(_asked(playbook.knowledge))
        cues = (*cues, knowledge_cue(playbook.knowledge))
    ending = playbook.ending
    if ending:
        rules.append(Rule(label="ending", trigger=ending, speaker=ending.speaker))
        ending = Trigger(signal="ending")
    return Plan(
        playbook=msgspec.structs.replace(playbook, stages=stages, steps=steps, cues=cues, ending=ending),
        rules=tuple(_with_lexicon(rule, lexicons) for rule in _ordered(rules)),
        prompt=playbook.prompt,
        hotwords=_hotwords(playbook),
    )


def knowledge_cue(knowledge: Knowledge) -> Cue:
    """The cue whose cards show what was found in the documents."""
    return Cue(
        id=KNOWLEDGE,
        kind="knowledge",
        when=Trigger(signal=ANSWER),
        card=CardContent(headline=KNOWLEDGE),
        group=KNOWLEDGE,
        priority=knowledge.priority,
        ttl_s=knowledge.ttl_s,
        cooldown_s=knowledge.cooldown_s,
    )


def _asked(knowledge: Knowledge) -> Rule:
    return Rule(label=ASKED, trigger=knowledge.when, speaker=knowledge.when.speaker or "customer")


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


def _with_lexicon(rule: Rule, lexicons: Mapping[str, Sequence[str]]) -> Rule:
    """The rule with the words of its lexicons in it: a leaf that names a lexicon and no words means all of them."""

    def filled(leaf: Trigger) -> Trigger:
        entity = leaf.entity
        if entity is None or entity.any or entity.kind not in lexicons:
            return leaf
        words = tuple(lexicons[entity.kind])
        return msgspec.structs.replace(leaf, entity=msgspec.structs.replace(entity, any=words))

    if not lexicons:
        return rule
    return msgspec.structs.replace(rule, trigger=rewrite(rule.trigger, filled))


def _hotwords(playbook: Playbook) -> tuple[str, ...]:
    """The author's words and the names in the lexicons: what the recogniser has never seen written."""
    named = (word for words in playbook.lexicons.values() for word in words)
    return tuple(dict.fromkeys((*playbook.hotwords, *named)))[:MAX_HOTWORDS]
