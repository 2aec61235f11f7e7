"""Rooms (4) to (7) of one call, whoever speaks on which channel: what is heard is thought about, and told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, ClassVar

import numpy as np

from copilot.call.arrivals import Arrivals
from copilot.call.asking import NEARBY, Affirmed, Asking, Suggested
from copilot.call.history import OTHER, History
from copilot.call.outbox import Outbox
from copilot.call.render import Renderer
from copilot.call.revisions import Revisions
from copilot.call.setup import CallSetup
from copilot.call.thinking import Thinking, Thought
from copilot.cues.engine import CardChange
from copilot.cues.moments import CallMoment, Moment
from copilot.events import (
    Answered,
    CallInfo,
    Card,
    CardAcked,
    CardRendered,
    Embed,
    Embedded,
    Heard,
    Metric,
    RolesSwapped,
    Signal,
    Speaker,
    StageChanged,
    StepChanged,
    StepState,
    StepTicked,
    StepWaived,
    Utterance,
)
from copilot.wire import messages as wire

DIMENSIONS = 512
"""Length of a sentence vector."""
NO_MEANING = np.zeros((0, DIMENSIONS), np.float32)
"""What stands for vectors nobody worked out: no meaning matches."""


class Mind:
    """Thinks with what ``another`` makes, and begins anew with another when the roles are swapped.

    What reached it is remembered, what it concludes goes into the outbox, what it wants to know is asked there.
    ``is_semantic`` False: it does without the meaning of what was said (overload).
    """

    def __init__(
        self, info: CallInfo, setup: CallSetup, outbox: Outbox, arrivals: Arrivals, another: Callable[[], Thinking]
    ) -> None:
        self._outbox = outbox
        self._arrivals = arrivals
        self._another = another
        self._channels = info.media.channels
        self._thinking = another()
        self._history = History()
        self._revisions = Revisions()
        self._requests = count(1)
        self._embedding: dict[int, str] = {}
        self._asking = Asking(setup.llm, lambda: next(self._requests))
        self._counts: Counter[str] = Counter()
        self.render = Renderer(outbox, setup.plan.playbook)
        self.is_semantic = True

    # --- what the call may ask ------------------------------------------------------------------------------

    @property
    def channels(self) -> tuple[Speaker, ...]:
        """Who speaks on each channel."""
        return self._channels

    @property
    def is_idle(self) -> bool:
        """The meaning of nothing that was said is outstanding. Language models are not waited for."""
        return not self._embedding

    @property
    def steps(self) -> Mapping[str, StepState]:
        """The state of every step, in the playbook's order."""
        return self._thinking.sop.states

    def next_deadline(self) -> float | None:
        """Wall moment at which a card wants attention."""
        return self._thinking.next_deadline()

    def next_deadline_ms(self) -> int | None:
        """Media time at which a step or a cue falls due."""
        return self._thinking.next_deadline_ms()

    def totals(self, duration_ms: int, gaps_ms: int) -> wire.Totals:
        """The call in numbers."""
        sop = self._thinking.sop
        return wire.Totals(
            duration_ms=duration_ms,
            utterances=self._counts["utterances"],
            cards_raised=self._counts["raised"],
            cards_suppressed=self._counts["suppressed"],
            steps_done=sop.steps_done,
            steps=len(sop.states),
            gaps_ms=gaps_ms,
        )

    # --- what is heard --------------------------------------------------------------------------------------

    def heard(self, heard: Heard, moment: Moment) -> None:
        """Words of one utterance."""
        if heard.is_final:
            self._counts["utterances"] += 1
            self._history.heard(heard, moment)
        thoughts, texts = self._thinking.heard(heard, self._channels[heard.channel], moment)
        self._tell(thoughts)
        if self._thinking.to_ask and (said := self._thinking.transcript.get(heard.utterance_id)):
            nearby = self._thinking.transcript.last(NEARBY)
            self._outbox.ask(self._asking.match(self._thinking.to_ask, said, nearby))
        if texts and not self.is_semantic:
            self._understood(heard.utterance_id, NO_MEANING, moment)
        elif texts:
            request = next(self._requests)
            self._embedding[request] = heard.utterance_id
            self._outbox.tell_first()
            self._outbox.ask([Embed(request_id=request, texts=texts)])

    def revised(self, heard: Heard) -> None:
        """Words of an utterance as they were read the second time."""
        live = self._thinking.transcript.get(heard.utterance_id)
        if revised := self._revisions.take(heard, live):
            self.render.revised(revised)

    def speech(self, channel: int, is_speaking: bool, at_ms: int, moment: Moment) -> None:
        """Somebody began or stopped speaking at media time ``at_ms``."""
        self._history.speech(channel, is_speaking, at_ms, moment)
        self._tell(self._thinking.speech(self._channels[channel], is_speaking, at_ms, moment))

    def unheard(self, span: tuple[int, int], moment: Moment) -> None:
        """Nothing that was said in this stretch (media ms) was recognised: it counts for no deadline."""
        self._history.unheard(span, moment)
        self._tell(self._thinking.unheard(span, moment))

    def tick(self, moment: Moment) -> None:
        """Time passed."""
        self._tell(self._thinking.tick(moment))

    def measure(self, moment: Moment) -> None:
        """The metrics as they stand."""
        self._tell(self._thinking.measure(moment))

    def happened(self, event: CallMoment, moment: Moment) -> None:
        """Something happened to the call itself."""
        self._tell(self._thinking.happened(event, moment))

    def finish(self, moment: Moment) -> None:
        """The call is over: what is open closes."""
        self._tell(self._thinking.finish(moment))

    # --- answers, and what people do ------------------------------------------------------------------------

    def receive(self, event: Any, moment: Moment) -> None:
        """Take one of the events of ``TAKES``. Raises NotFoundError for a card or step this call does not have."""
        self.TAKES[type(event)](self, event, moment)

    def _embedded(self, event: Embedded, moment: Moment) -> None:
        utterance_id = self._embedding.pop(event.request_id, None)
        if utterance_id is not None:
            vectors = np.frombuffer(event.vectors, dtype="<f4").reshape(-1, DIMENSIONS)
            self._understood(utterance_id, vectors, moment)

    def _understood(self, utterance_id: str, vectors: np.ndarray[Any, np.dtype[np.float32]], moment: Moment) -> None:
        self._history.embedded(utterance_id, vectors, moment)
        self._tell(self._thinking.embedded(utterance_id, vectors, moment))

    def _answered(self, event: Answered, moment: Moment) -> None:
        answer = self._asking.answered(event)
        if isinstance(answer, Affirmed):
            span = (answer.start, answer.end)
            self._history.affirmed(answer.utterance_id, answer.question, span, moment)
            self._tell(self._thinking.affirmed(answer.utterance_id, answer.question, span, moment))
        elif isinstance(answer, Suggested):
            self._tell(list(self._thinking.cues.suggested(answer.card_id, answer.text, moment)))

    def _rendered(self, event: CardRendered, moment: Moment) -> None:
        self._tell(list(self._thinking.cues.rendered(event.card_id, moment)))

    def _acked(self, event: CardAcked, moment: Moment) -> None:
        self._tell(list(self._thinking.cues.acked(event.card_id, event.action, moment)))

    def _step_ticked(self, event: StepTicked, moment: Moment) -> None:
        self._tell(self._thinking.tick_step(event.step_id, event.by, moment))

    def _step_waived(self, event: StepWaived, moment: Moment) -> None:
        self._tell(self._thinking.waive_step(event.step_id, event.by, event.reason, moment))

    def _swap(self, _: RolesSwapped, moment: Moment) -> None:
        """Rep and customer change places from the beginning: everything heard so far is thought through again."""
        before = self._thinking
        self._tell(list(before.cues.withdraw_all("roles_swapped", moment)))
        self._channels = tuple(OTHER[speaker] for speaker in self._channels)
        self._outbox.put(wire.RolesSwappedMessage, channels=self._channels)
        self._thinking = self._another()
        thoughts = self._history.relive(self._thinking, self._channels) + self._thinking.tick(moment)
        self._thinking.cues.withdraw_all("roles_swapped", moment)
        for thought in thoughts:
            self._revisions.cited(thought)
        self.render.rethought(before, self._thinking, thoughts, self._revisions.standing)

    # --- telling --------------------------------------------------------------------------------------------

    def _tell(self, thoughts: list[Thought]) -> None:
        for thought in thoughts:
            self._revisions.cited(thought)
            if isinstance(thought, Utterance):
                self.render.utterance(thought, self._arrivals.lag_ms(thought.end_ms, self._outbox.now))
            elif isinstance(thought, CardChange):
                self._counts[thought.what] += 1
                self.render.card(thought, self._thinking.transcript)
                if thought.what == "raised":
                    self._suggest(thought.card)
            else:
                TELL[type(thought)](self.render, thought)

    def _suggest(self, card: Card) -> None:
        """Words for a card come later, or not at all."""
        transcript = self._thinking.transcript
        said = transcript.get(card.trigger.utterance_id) if card.trigger else None
        self._outbox.ask(self._asking.phrase(card, said, transcript.last(NEARBY)))

    TAKES: ClassVar[Mapping[type, Callable[[Mind, Any, Moment], None]]] = {
        Embedded: _embedded,
        Answered: _answered,
        CardRendered: _rendered,
        CardAcked: _acked,
        StepTicked: _step_ticked,
        StepWaived: _step_waived,
        RolesSwapped: _swap,
    }


TELL: dict[type, Callable[[Renderer, Any], None]] = {
    Signal: Renderer.signal,
    StepChanged: Renderer.step,
    StageChanged: Renderer.stage,
    Metric: Renderer.metric,
}
