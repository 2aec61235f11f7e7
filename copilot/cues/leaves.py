# ruff: noqa: ARG002  # every node is asked the same questions; not every answer needs all of it
"""Trigger leaves: one thing to wait for, and whether it holds.

A leaf *happens* at a moment (``beat`` answers with a ``Match``) and *holds* for a while (``holds``), so that
combinators can ask for several things at once:

    leaf      happens                                        holds
    signal    the first time an utterance carries it         together with other signals of its utterance
    metric    the test has been true for ``sustained_s``     from then until the test is false
    event     each time; ``elapsed`` once                    while in that stage, while the step is in that state,
                                                             from ``elapsed`` or ``ending`` on, during the pause
    context   once, when the call starts                     always, if it is true
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque

from copilot.cues.moments import CallMoment, Fact, Match
from copilot.cues.scene import REMEMBERED_UTTERANCES, Scene
from copilot.events import Language, Metric, Signal, Speaker, StageChanged, StepChanged, StepState
from copilot.playbook.model import ContextTest, EventTest, MetricTest
from copilot.playbook.walk import is_met

STEP_STATES: dict[str, tuple[StepState, ...]] = {
    "step_warned": ("warned",),
    "step_overdue": ("overdue",),
    "step_done": ("done", "done_late"),
}


class Node(ABC):
    """Part of a compiled trigger. Every node of a trigger gets every beat, in the order of the call."""

    @abstractmethod
    def beat(self, fact: Fact | None, pos_ms: int) -> Match | None:
        """``fact`` came true, or (None) only time passed; the match if the trigger happens by that."""
        ...

    @abstractmethod
    def holds(self, fact: Fact | None) -> bool:
        """Whether it holds at the moment of ``fact``, the one last given to ``beat``."""
        ...

    def next_deadline_ms(self) -> int | None:
        """When time alone can make it happen."""
        return None


class SignalLeaf(Node):
    """``label`` was heard from ``speaker`` (None: anybody) in ``language``; interim text counts if ``interim``."""

    def __init__(
        self, label: str, *, scene: Scene, speaker: Speaker | None, language: Language | None, interim: bool
    ) -> None:
        self._label = label
        self._scene = scene
        self._speaker = speaker
        self._language = language
        self._interim = interim
        self._utterances: deque[str] = deque(maxlen=REMEMBERED_UTTERANCES)

    def beat(self, fact: Fact | None, pos_ms: int) -> Match | None:
        if not isinstance(fact, Signal) or not self._fits(fact) or fact.evidence.utterance_id in self._utterances:
            return None
        self._utterances.append(fact.evidence.utterance_id)
        return Match(at_ms=fact.evidence.end_ms, why=fact.why or fact.label, signal=fact, evidence=fact.evidence)

    def holds(self, fact: Fact | None) -> bool:
        if not isinstance(fact, Signal):
            return False
        return any(self._fits(signal) for signal in self._scene.heard(fact.evidence.utterance_id))

    def _fits(self, signal: Signal) -> bool:
        return (
            signal.label == self._label
            and self._speaker in {None, signal.speaker}
            and self._language in {None, "auto", language_of(signal.evidence.quote)}
            and (signal.is_final or self._interim)
        )


class MetricLeaf(Node):
    """A number beyond its bound for long enough, for any one speaker unless the trigger names one."""

    def __init__(self, test: MetricTest, *, speaker: Speaker | None) -> None:
        self._test = test
        self._speaker = speaker
        self._sustained_ms = round(test.sustained_s * 1000)
        self._since_ms: dict[Speaker | None, int] = {}
        self._reached: set[Speaker | None] = set()

    def beat(self, fact: Fact | None, pos_ms: int) -> Match | None:
        if isinstance(fact, Metric) and fact.name == self._test.name and self._speaker in {None, fact.speaker}:
            self._measure(fact, pos_ms)
        due = [speaker for speaker, due_ms in self._due().items() if due_ms <= pos_ms]
        if not due:
            return None
        began = not self._reached
        at_ms = self._due()[due[0]]
        self._reached.update(due)
        return Match(at_ms=at_ms, why=self._why()) if began else None

    def holds(self, fact: Fact | None) -> bool:
        return bool(self._reached)

    def next_deadline_ms(self) -> int | None:
        return min(self._due().values(), default=None)

    def _measure(self, metric: Metric, pos_ms: int) -> None:
        if self._passes(metric.value):
            self._since_ms.setdefault(metric.speaker, pos_ms)
        else:
            self._since_ms.pop(metric.speaker, None)
            self._reached.discard(metric.speaker)

    def _due(self) -> dict[Speaker | None, int]:
        since = self._since_ms.items()
        return {speaker: at_ms + self._sustained_ms for speaker, at_ms in since if speaker not in self._reached}

    def _passes(self, value: float) -> bool:
        above, below = self._test.above, self._test.below
        return (above is None or value > above) and (below is None or value < below)

    def _why(self) -> str:
        bounds = (("above", self._test.above), ("below", self._test.below))
        return " ".join([self._test.name, *(f"{word} {bound:g}" for word, bound in bounds if bound is not None)])


class StageEntered(Node):
    """The call enters ``stage`` (empty: any)."""

    def __init__(self, test: EventTest, *, scene: Scene) -> None:
        self._stage = test.stage
        self._scene = scene

    def beat(self, fact: Fact | None, pos_ms: int) -> Match | None:
        if not isinstance(fact, StageChanged) or self._stage not in {"", fact.stage_id}:
            return None
        return Match(at_ms=fact.at_ms, why=f"stage_entered {fact.stage_id}", evidence=fact.evidence)

    def holds(self, fact: Fact | None) -> bool:
        return self._stage in {"", self._scene.stage}


class StepReached(Node):
    """``step`` (empty: any) becomes warned, overdue or done."""

    def __init__(self, test: EventTest, *, scene: Scene) -> None:
        self._kind = test.is_
        self._step = test.step
        self._states = STEP_STATES[test.is_]
        self._scene = scene

    def beat(self, fact: Fact | None, pos_ms: int) -> Match | None:
        if not isinstance(fact, StepChanged) or self._step not in {"", fact.step_id} or fact.state not in self._states:
            return None
        why = f"{self._kind} {fact.step_id}"
        return Match(at_ms=fact.at_ms, why=why, evidence=fact.evidence, step_id=fact.step_id)

    def holds(self, fact: Fact | None) -> bool:
        steps = self._scene.steps
        asked = (self._step,) if self._step else tuple(steps)
        return any(steps.get(step) in self._states for step in asked)


class Elapsed(Node):
    """``at_s`` seconds of the call have passed."""

    def __init__(self, at_s: float) -> None:
        self._at_ms = round(at_s * 1000)
        self._passed = False

    def beat(self, fact: Fact | None, pos_ms: int) -> Match | None:
        if self._passed or pos_ms < self._at_ms:
            return None
        self._passed = True
        return Match(at_ms=self._at_ms, why=f"elapsed {self._at_ms / 1000:g} s")

    def holds(self, fact: Fact | None) -> bool:
        return self._passed

    def next_deadline_ms(self) -> int | None:
        return None if self._passed else self._at_ms


class MomentLeaf(Node):
    """The call was paused or resumed, a key was pressed, somebody says goodbye."""

    def __init__(self, kind: str, *, scene: Scene, speaker: Speaker | None) -> None:
        self._kind = kind
        self._speaker = speaker
        self._scene = scene

    def beat(self, fact: Fact | None, pos_ms: int) -> Match | None:
        if not isinstance(fact, CallMoment) or not self._fits(fact):
            return None
        return Match(at_ms=pos_ms, why=self._kind, evidence=fact.evidence)

    def holds(self, fact: Fact | None) -> bool:
        if self._kind == "paused":
            return self._scene.paused
        if self._kind == "ending":
            return self._scene.ending
        return isinstance(fact, CallMoment) and self._fits(fact)

    def _fits(self, moment: CallMoment) -> bool:
        return moment.kind == self._kind and self._speaker in {None, moment.speaker}


class ContextLeaf(Node):
    """A field the call came with."""

    def __init__(self, test: ContextTest, *, scene: Scene) -> None:
        self._name = test.field
        self._true = is_met(test, scene.context)
        self._told = False

    def beat(self, fact: Fact | None, pos_ms: int) -> Match | None:
        if self._told or not self._true:
            return None
        self._told = True
        return Match(at_ms=0, why=f"context {self._name}")

    def holds(self, fact: Fact | None) -> bool:
        return self._true

    def next_deadline_ms(self) -> int | None:
        return 0 if self._true and not self._told else None


def language_of(text: str) -> Language:
    """Which of the two languages a quote is written in: one Chinese character makes it Chinese."""
    return "zh" if any("\u4e00" <= character <= "\u9fff" for character in text) else "en"
