"""Labelled moments: what signals and cards say was heard, each locked to the final text."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from copilot.events import Evidence, Speaker
from copilot.playbook.model import CardKind, Playbook, Trigger
from copilot.review.evidence import Quotes
from copilot.review.story import Story


class Heard(msgspec.Struct, frozen=True):
    """``label`` was heard, and these are the words."""

    label: str
    evidence: Evidence


def heard(
    story: Story, playbook: Playbook, quotes: Quotes, *, kind: CardKind, prefix: str, speaker: Speaker
) -> list[Heard]:
    """Every moment of one kind said by ``speaker``, in order of time, each once.

    A label is of the kind when it starts with ``prefix`` or when a cue of that kind listens to it. Cards count as much
    as signals, held back ones too, if their cue listens to words and nothing else: a reminder that something is
    missing points at words that are innocent. What a speaker is
    said to have said counts only if the line is theirs in the end (roles may have been swapped).
    """
    heeding = {cue.id: _leaves(cue.when) for cue in playbook.cues if cue.kind == kind}
    verbal = {cue_id for cue_id, leaves in heeding.items() if leaves and all(_is_verbal(leaf) for leaf in leaves)}
    named = {leaf.signal for cue_id in verbal for leaf in heeding[cue_id] if leaf.signal}
    told = [
        (signal.label, signal.utterance_id, signal.quote)
        for signal in story.signals
        if signal.label in named or signal.label.startswith(prefix)
    ]
    told += [
        (card.view.cue_id, card.cause.utterance_id, card.cause.quote)
        for card in story.cards
        if card.cause and (card.view.cue_id in verbal or card.view.cue_id.startswith(prefix))
    ]
    found: list[Heard] = []
    for label, utterance_id, quote in told:
        evidence = quotes.lock(utterance_id, quote)
        line = quotes.line(utterance_id)
        if evidence and line and line.speaker == speaker and not _is_known(found, utterance_id, evidence):
            found.append(Heard(label, evidence))
    return sorted(found, key=lambda item: (item.evidence.start_ms, item.evidence.end_ms, item.label))


def _leaves(trigger: Trigger) -> list[Trigger]:
    """What a trigger listens to; combinators other than ``any`` count as leaves that are not words alone."""
    if trigger.any is None:
        return [trigger]
    return [leaf for part in trigger.any for leaf in _leaves(part)]


def _is_verbal(leaf: Trigger) -> bool:
    return any((leaf.phrase, leaf.regex, leaf.examples, leaf.signal))


def _is_known(found: Sequence[Heard], utterance_id: str, evidence: Evidence) -> bool:
    """The same words were told before: by another detector, or as a card after the signal."""
    return any(
        item.evidence.utterance_id == utterance_id
        and (evidence.quote in item.evidence.quote or item.evidence.quote in evidence.quote)
        for item in found
    )
