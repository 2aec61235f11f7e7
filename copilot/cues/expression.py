"""Triggers compiled: feed a condition the facts of a call, and it says when its trigger happens.

A match is an edge, not a level: a condition that stays true matches once. ``leaves.py`` says when each leaf happens
and how long it holds, ``combinators.py`` how they combine. Scopes: ``speaker`` and ``language`` pass down to the
leaves inside, ``stage`` limits the very condition it is written on. Interim text is believed only where the trigger
says ``interim`` and no memory is involved: what seq, count, after, before and absence remember must be final.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from copilot.cues.combinators import Absent, After, AllOf, AnyOf, InOrder, Not, NotYet, Repeated, Staged
from copilot.cues.leaves import (
    STEP_STATES,
    ContextLeaf,
    Elapsed,
    MetricLeaf,
    MomentLeaf,
    Node,
    SignalLeaf,
    StageEntered,
    StepReached,
)
from copilot.cues.moments import Fact, Match
from copilot.cues.scene import REMEMBERED_UTTERANCES, Scene
from copilot.errors import LocalProtocolError
from copilot.events import Language, Metric, Signal, Speaker
from copilot.playbook.model import Absence, ContextTest, Count, EventTest, MetricTest, Ordered, Seq, Trigger
from copilot.playbook.walk import form, walk

Topic = tuple[str, str]
"""What a fact is about, as far as conditions can tell without asking."""
FINISHED: Topic = ("finished", "")
"""Every signal of an utterance has been observed."""


def topic_of(fact: Fact) -> Topic:
    """What ``fact`` is about: only conditions with this among their ``topics`` can happen by it."""
    if isinstance(fact, Signal):
        return "signal", fact.label
    if isinstance(fact, Metric):
        return "metric", fact.name
    return "event", ""


class Condition:
    """One trigger at work in one call. The scene must have noted a fact before the condition observes it.

    A trigger with a ``not`` over signals can only be judged on a whole utterance: its signals are put aside until
    ``utterance_finished``. A fact about none of the ``topics`` changes nothing, unless the next deadline has come.
    """

    def __init__(self, trigger: Trigger, scene: Scene) -> None:
        self._root = _compile(trigger, Scope(scene=scene))
        self._waits = _negates_signals(trigger)
        self._aside: dict[str, list[Signal]] = {}
        self.topics = frozenset(_topics(trigger)) | ({FINISHED} if self._waits else set())

    def observe(self, fact: Fact, pos_ms: int) -> Match | None:
        """A fact came true; the match if the trigger happens by it."""
        if not (self._waits and isinstance(fact, Signal)):
            return self._root.beat(fact, pos_ms)
        if fact.is_final:
            self._aside.setdefault(fact.evidence.utterance_id, []).append(fact)
            while len(self._aside) > REMEMBERED_UTTERANCES:
                del self._aside[next(iter(self._aside))]
        return self._root.beat(None, pos_ms)

    def utterance_finished(self, utterance_id: str, pos_ms: int) -> Match | None:
        """Every signal of the utterance has been observed."""
        matches = [self._root.beat(signal, pos_ms) for signal in self._aside.pop(utterance_id, ())]
        return next((match for match in matches if match), None)

    def tick(self, pos_ms: int) -> Match | None:
        """Time passed."""
        return self._root.beat(None, pos_ms)

    def next_deadline_ms(self) -> int | None:
        """When time alone can make the trigger happen, or change what it waits for."""
        return self._root.next_deadline_ms()


@dataclass(frozen=True)
class Scope:
    """What a part of a trigger inherits from the parts around it."""

    scene: Scene
    speaker: Speaker | None = None
    language: Language | None = None
    interim: bool = False
    remembers: bool = False


def _compile(trigger: Trigger, around: Scope) -> Node:
    """The node of a trigger. Raises LocalProtocolError (``trigger.uncompiled``) on text leaves."""
    scope = replace(
        around,
        speaker=trigger.speaker or around.speaker,
        language=trigger.language or around.language,
        interim=trigger.interim or around.interim,
    )
    kind = form(trigger)
    if kind not in BUILD:
        raise LocalProtocolError(
            "trigger.uncompiled", f"cues cannot listen to {kind or 'an empty trigger'}; compile the playbook first"
        )
    node = BUILD[kind](trigger.not_ if kind == "not" else getattr(trigger, kind), scope)
    return Staged(node, trigger.stage, scope.scene) if trigger.stage else node


def _signal(label: str, scope: Scope) -> Node:
    interim = scope.interim and not scope.remembers
    return SignalLeaf(label, scene=scope.scene, speaker=scope.speaker, language=scope.language, interim=interim)


def _metric(test: MetricTest, scope: Scope) -> Node:
    return MetricLeaf(test, speaker=scope.speaker)


def _event(test: EventTest, scope: Scope) -> Node:
    if test.is_ == "elapsed":
        return Elapsed(test.at_s or 0.0)
    if test.is_ == "stage_entered":
        return StageEntered(test, scene=scope.scene)
    if test.is_ in STEP_STATES:
        return StepReached(test, scene=scope.scene)
    return MomentLeaf(test.is_, scene=scope.scene, speaker=scope.speaker)


def _context(test: ContextTest, scope: Scope) -> Node:
    return ContextLeaf(test, scene=scope.scene)


def _all(parts: tuple[Trigger, ...], scope: Scope) -> Node:
    return AllOf([_compile(part, scope) for part in parts])


def _any(parts: tuple[Trigger, ...], scope: Scope) -> Node:
    return AnyOf([_compile(part, scope) for part in parts])


def _not(part: Trigger, scope: Scope) -> Node:
    return Not((_compile(part, scope),))


def _seq(seq: Seq, scope: Scope) -> Node:
    return InOrder([_remembered(part, scope) for part in seq.of], _ms(seq.within_s))


def _count(count: Count, scope: Scope) -> Node:
    return Repeated(_remembered(count.of, scope), count.n, _ms(count.within_s))


def _after(ordered: Ordered, scope: Scope) -> Node:
    within_ms = None if ordered.within_s is None else _ms(ordered.within_s)
    return After(_remembered(ordered.what, scope), _remembered(ordered.reference, scope), within_ms)


def _before(ordered: Ordered, scope: Scope) -> Node:
    """With a distance it is known only when the reference happens; without one, at once."""
    what, reference = _remembered(ordered.what, scope), _remembered(ordered.reference, scope)
    return NotYet(what, reference) if ordered.within_s is None else InOrder([what, reference], _ms(ordered.within_s))


def _absence(absence: Absence, scope: Scope) -> Node:
    since = _remembered(absence.since, scope) if absence.since else None
    return Absent(_remembered(absence.of, scope), since, _ms(absence.within_s))


BUILD: dict[str, Callable[[Any, Scope], Node]] = {
    "signal": _signal,
    "metric": _metric,
    "event": _event,
    "context": _context,
    "all": _all,
    "any": _any,
    "not": _not,
    "seq": _seq,
    "count": _count,
    "after": _after,
    "before": _before,
    "absence": _absence,
}


def _remembered(trigger: Trigger, scope: Scope) -> Node:
    return _compile(trigger, replace(scope, remembers=True))


def _negates_signals(trigger: Trigger) -> bool:
    negated = [part.not_ for _, part in walk(trigger) if part.not_]
    return any(inner.signal for part in negated for _, inner in walk(part))


def _topics(trigger: Trigger) -> Iterator[Topic]:
    for _, part in walk(trigger):
        if part.signal:
            yield "signal", part.signal
        elif part.metric:
            yield "metric", part.metric.name
        elif part.event:
            yield "event", ""


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
