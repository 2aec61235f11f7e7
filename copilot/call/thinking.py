"""Rooms (4) to (7): from words to cards. Knows nothing of audio, sockets or sequence numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from copilot.call.answering import Answering
from copilot.call.minutes import Minutes
from copilot.cues.engine import CardChange, Cues
from copilot.cues.moments import CallMoment, Moment, Timing
from copilot.events import Heard, Metric, Signal, Speaker, StageChanged, StepChanged, Utterance
from copilot.knowledge.index import Index
from copilot.playbook.compile import Plan
from copilot.signals.listener import Listener, Prepared
from copilot.signals.pace import Pace
from copilot.sop.machine import Sop
from copilot.transcript.turns import Transcript

NO_VECTORS = np.zeros((0, 0), np.float32)
Thought = Utterance | Signal | StepChanged | StageChanged | Metric | CardChange


class Thinking:
    """The mind of a call: what was said, what it means, where we are, what the rep should see.

    ``moment.pos_ms`` is settled media time: everything said before it has been recognised. A step said just before its
    deadline is never overdue because its words are still being decoded.
    """

    def __init__(
        self,
        plan: Plan,
        prepared: Prepared,
        *,
        index: Index | None = None,
        call_id: str,
        context: Mapping[str, str],
        wall: Callable[[int], float],
        next_card_id: Callable[[], str],
    ) -> None:
        self._wall = wall
        self.transcript = Transcript()
        self.listener = Listener(plan, prepared, context=context)
        self.to_ask: tuple[str, ...] = ()
        """What a language model should be asked about the utterance heard last."""
        self._answering = Answering(plan.playbook, index)
        self.pace = Pace()
        self.sop = Sop(plan.playbook, context)
        self.cues = Cues(plan.playbook, call_id=call_id, context=context, next_card_id=next_card_id)
        self._first_stage = plan.playbook.stages[0].id
        self._minutes = Minutes()
        self._has_begun = False

    def heard(self, heard: Heard, speaker: Speaker, moment: Moment) -> tuple[list[Thought], tuple[str, ...]]:
        """Words of one utterance: what follows from them, and the texts whose meaning is wanted."""
        utterance = self.transcript.add(heard, speaker)
        self._begin(utterance)
        thoughts: list[Thought] = [utterance]
        if utterance.is_final:
            self.pace.heard(utterance)
            self._minutes.open(utterance.id, moment.now)
        hearing = self.listener.hear(utterance, stage=self.sop.stage or self._first_stage)
        self.to_ask = hearing.ask
        thoughts += self._signals(hearing.signals, moment)
        if utterance.is_final and not hearing.embed:
            thoughts += self._answer(utterance.id, NO_VECTORS, moment)
            thoughts += self._conclude(utterance.id, moment)
        return thoughts, hearing.embed

    def embedded(self, utterance_id: str, vectors: NDArray[np.float32], moment: Moment) -> list[Thought]:
        """The meaning of an utterance's texts arrived (an empty matrix when the encoder failed)."""
        thoughts = self._signals(self.listener.embedded(utterance_id, vectors), moment)
        thoughts += self._answer(utterance_id, vectors, moment)
        return thoughts + self._conclude(utterance_id, moment)

    def affirmed(self, utterance_id: str, question: str, span: tuple[int, int], moment: Moment) -> list[Thought]:
        """A language model says yes to a question about an utterance, because of these characters of it."""
        thoughts = self._signals(self.listener.answered(utterance_id, question, *span), moment)
        if self.listener.is_settled(utterance_id):  # else its end is still to come
            thoughts += self._conclude(utterance_id, moment)
        return thoughts

    def speech(self, speaker: Speaker, is_speaking: bool, at_ms: int, moment: Moment) -> list[Thought]:
        """Somebody began or stopped speaking at media time ``at_ms``."""
        if is_speaking:
            self.pace.speech_started(speaker, at_ms)
        else:
            self.pace.speech_ended(speaker, at_ms)
        return list(self.cues.speaking(speaker, is_speaking, moment))

    def unheard(self, span: tuple[int, int], _: Moment) -> list[Thought]:
        """Nothing that was said in this stretch (media ms) was recognised; deadlines move, nothing follows at once."""
        self.sop.unheard(*span)
        return []

    def tick(self, moment: Moment) -> list[Thought]:
        """Deadlines of the procedure and of the cards."""
        if not self._has_begun:  # a card somebody's hand brought up still has its time
            return list(self.cues.tick(Moment(now=moment.now, pos_ms=0)))
        thoughts = self._progress(self.sop.tick(moment.pos_ms), moment)
        return [*thoughts, *self.cues.tick(moment)]

    def measure(self, moment: Moment) -> list[Thought]:
        """The metrics as they stand; cues may listen to them."""
        if not self._has_begun:
            return []
        thoughts: list[Thought] = []
        timing = self._present(moment)
        for metric in self.pace.tick(moment.pos_ms):
            thoughts += [metric, *self.cues.observe(metric, moment, timing)]
        return thoughts

    def happened(self, event: CallMoment, moment: Moment) -> list[Thought]:
        """Something happened to the call itself."""
        return list(self.cues.observe(event, moment, self._present(moment)))

    def tick_step(self, step_id: str, by: str, moment: Moment) -> list[Thought]:
        """Somebody ticked a step by hand."""
        return self._progress(self.sop.tick_by_hand(step_id, by, moment.pos_ms), moment)

    def waive_step(self, step_id: str, by: str, reason: str, moment: Moment) -> list[Thought]:
        """Somebody waived a step."""
        return self._progress(self.sop.waive(step_id, by, reason, moment.pos_ms), moment)

    def finish(self, moment: Moment) -> list[Thought]:
        """The call is over: what is open closes."""
        thoughts = self._progress(self.sop.finish(moment.pos_ms), moment)
        return [*thoughts, *self.measure(moment), *self.cues.finish(moment)]

    def next_deadline(self) -> float | None:
        """Wall moment at which a card wants attention."""
        return self.cues.next_deadline()

    def next_deadline_ms(self) -> int | None:
        """Media time at which a step or a cue falls due; ringing and hold music are not the rep's to answer for."""
        if not self._has_begun:
            return None
        dues = (self.sop.next_deadline_ms(), self.cues.next_deadline_ms())
        return min((due for due in dues if due is not None), default=None)

    def _begin(self, utterance: Utterance) -> None:
        """A conversation begins with its first words: before them nothing can be missing, late or too quiet."""
        if not self._has_begun and utterance.text:
            self._has_begun = True
            self.sop.begin(utterance.start_ms)

    def _signals(self, signals: list[Signal], moment: Moment) -> list[Thought]:
        thoughts: list[Thought] = []
        for signal in sorted(signals, key=lambda signal: signal.evidence.end_ms):
            thoughts.append(signal)
            self._answering.note(signal)
            if signal.is_final:
                self._minutes.add(signal)
                thoughts += self._progress(self.sop.observe(signal, moment.pos_ms), moment, signal)
            thoughts += self.cues.observe(signal, moment, self._timing(signal, moment))
            if signal.label == "ending" and signal.is_final:
                thoughts += self.happened(CallMoment(kind="ending"), moment)
        return thoughts

    def _answer(self, utterance_id: str, vectors: NDArray[np.float32], moment: Moment) -> list[Thought]:
        """What the documents say, once the meaning of the question is known."""
        utterance = self.transcript.get(utterance_id)
        return self._signals(self._answering.answer(utterance, vectors), moment) if utterance else []

    def _progress(
        self, changes: list[StepChanged | StageChanged], moment: Moment, cause: Signal | None = None
    ) -> list[Thought]:
        """Steps and stages are facts for the cues too."""
        timing = self._timing(cause, moment) if cause else self._present(moment)
        thoughts: list[Thought] = []
        for change in changes:
            thoughts += [change, *self.cues.observe(change, moment, timing)]
        return thoughts

    def _conclude(self, utterance_id: str, moment: Moment) -> list[Thought]:
        """All detectors have spoken about a final utterance: cards raised on its interim text are confirmed or go."""
        labels = self._minutes.close(utterance_id)
        return list(self.cues.utterance_finished(utterance_id, labels, moment))

    def _timing(self, signal: Signal, moment: Moment) -> Timing:
        phrase_end = self._wall(signal.evidence.end_ms)
        recognised = self._minutes.recognised(signal.evidence.utterance_id, moment.now)
        return Timing(phrase_end=_ms(phrase_end), recognised=_ms(recognised))

    def _present(self, moment: Moment) -> Timing:
        """For what follows from time or silence the phrase ends now."""
        return Timing(phrase_end=_ms(moment.now), recognised=_ms(moment.now))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
