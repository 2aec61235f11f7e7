"""What holds in a call right now, as far as triggers may ask: one scene for all cues of a call."""

from __future__ import annotations

from collections.abc import Mapping

from copilot.cues.moments import CallMoment, Fact
from copilot.events import Signal, StageChanged, StepChanged, StepState

REMEMBERED_UTTERANCES = 64


class Scene:
    """``note`` every fact before asking any condition about it."""

    def __init__(self, *, first_stage: str, context: Mapping[str, str]) -> None:
        self.stage = first_stage
        """Before a stage has been entered, the first one counts as current."""
        self.context = dict(context)
        self.steps: dict[str, StepState] = {}
        self.paused = False
        self.ending = False
        self._heard: dict[str, list[Signal]] = {}

    def note(self, fact: Fact) -> None:
        """Take in what happened."""
        if isinstance(fact, Signal):
            self._note_signal(fact)
        elif isinstance(fact, StageChanged):
            self.stage = fact.stage_id
        elif isinstance(fact, StepChanged):
            self.steps[fact.step_id] = fact.state
        elif isinstance(fact, CallMoment):
            self._note_moment(fact)

    def heard(self, utterance_id: str) -> tuple[Signal, ...]:
        """The signals of one utterance, as far as it is remembered."""
        return tuple(self._heard.get(utterance_id, ()))

    def conclude(self, utterance_id: str) -> None:
        """The utterance is final: what only its interim text said was never said."""
        if utterance_id in self._heard:
            self._heard[utterance_id] = [signal for signal in self._heard[utterance_id] if signal.is_final]

    def _note_signal(self, signal: Signal) -> None:
        self._heard.setdefault(signal.evidence.utterance_id, []).append(signal)
        while len(self._heard) > REMEMBERED_UTTERANCES:
            del self._heard[next(iter(self._heard))]

    def _note_moment(self, moment: CallMoment) -> None:
        self.ending = self.ending or moment.kind == "ending"
        if moment.kind in {"paused", "resumed"}:
            self.paused = moment.kind == "paused"
