"""A call is a state machine: events in, effects out, time passed in. Only this file knows the order of the rooms."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec
import numpy as np

from copilot.audio.timeline import frame_bytes
from copilot.call.arrivals import Arrivals
from copilot.call.asking import NEARBY, Affirmed, Asking, LlmLimits, Suggested
from copilot.call.hearing import Finding, Hearing
from copilot.call.history import OTHER, History
from copilot.call.load import Load
from copilot.call.outbox import Outbox
from copilot.call.quality import Quality
from copilot.call.render import Renderer
from copilot.call.revising import Revising
from copilot.call.revisions import Revisions
from copilot.call.thinking import Thinking, Thought
from copilot.config import SpeechSettings
from copilot.cues.engine import CardChange
from copilot.cues.moments import CallMoment, Moment
from copilot.errors import LocalProtocolError
from copilot.events import (
    Answered,
    AudioMissed,
    AudioReceived,
    Began,
    CallEffect,
    CallEvent,
    CallInfo,
    CancelDecode,
    Card,
    CardAcked,
    CardRendered,
    Decode,
    Decoded,
    DtmfReceived,
    Embed,
    Embedded,
    Finish,
    Heard,
    HungUp,
    LoadStage,
    Marked,
    Metric,
    Paused,
    Recovered,
    Resumed,
    RolesSwapped,
    Score,
    ServiceDegraded,
    Signal,
    SpeechScored,
    SpeechStarted,
    StageChanged,
    StepChanged,
    StepTicked,
    StepWaived,
    SupervisorMessaged,
    TextReceived,
    Ticked,
    Utterance,
)
from copilot.knowledge.index import Index
from copilot.playbook.compile import Plan
from copilot.signals.listener import Prepared
from copilot.wire import messages as wire

DIMENSIONS = 512
"""Length of a sentence vector."""
NO_MEANING = np.zeros((0, DIMENSIONS), np.float32)
"""What stands for vectors nobody worked out: no meaning matches."""


class CallSetup(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a call needs besides its own events. Two calls with equal setups and events behave identically."""

    plan: Plan
    prepared: Prepared
    index: Index | None = None
    llm: LlmLimits = LlmLimits()
    speech: SpeechSettings = SpeechSettings()
    metrics_interval_ms: int = 2_000


class Call:
    """One call from its first sample to its last effect.

    ``receive`` takes an event and the wall time in seconds since the call began and returns what the shell must do.
    ``tick`` must be called when ``next_deadline`` has passed. Raises LocalProtocolError after ``Finish``.
    """

    def __init__(self, info: CallInfo, setup: CallSetup) -> None:
        self.info = info
        self._setup = setup
        self._channels = info.media.channels
        self._outbox = Outbox(info.call_id, info.started_at)
        self._render = Renderer(self._outbox, setup.plan.playbook)
        self._arrivals = Arrivals()
        self.block_bytes = frame_bytes(info.media)
        self._quality = Quality(len(self._channels))
        self._load = Load()
        self._hearing = Hearing(
            info.media,
            setup.speech,
            language=info.language,
            prompt=setup.plan.prompt,
            hotwords=", ".join(setup.plan.hotwords),
        )
        self._revising = Revising(
            self._hearing.timeline,
            len(self._channels),
            setup.speech,
            next_job_id=self._hearing.next_job_id,
            hotwords=", ".join(setup.plan.hotwords),
        )
        self._revisions = Revisions()
        self._now = 0.0
        self._card_numbers = count(1)
        self._thinking = self._new_thinking()
        self._history = History()
        self._requests = count(1)
        self._embedding: dict[int, str] = {}
        self._asking = Asking(setup.llm, lambda: next(self._requests))
        self._unscored = 0
        self._measured_ms = 0
        self._paused_at: float | None = None
        self._hung_up: HungUp | None = None
        self._hang_up_due = 0.0
        self._flushed = False
        self._settled = False
        self._finished = False
        self._effects: list[CallEffect] = []
        self._counts = {"utterances": 0, "raised": 0, "suppressed": 0}
        self._handlers = self._table()

    # --- the three verbs ------------------------------------------------------------------------------------

    def receive(self, event: CallEvent, now: float) -> list[CallEffect]:
        """Take one event; return effects in the order they must be performed."""
        if self._finished:
            raise LocalProtocolError("call.finished", f"{type(event).__name__} after the call was finished")
        self._now = max(self._now, now)
        self._outbox.now = self._now
        self._outbox.pos_ms = self.position_ms
        self._handlers[type(event)](event)
        self._follow_media()
        self._effects += self._revising.ask(self._now)
        if self._hung_up:
            self._wind_down(self._hung_up)
        return self._drain()

    def tick(self, now: float) -> list[CallEffect]:
        """Time passed. The same as receiving ``Ticked``."""
        return self.receive(Ticked(), now)

    def next_deadline(self) -> float | None:
        """Wall time (seconds since the call began) by which ``tick`` wants to be called, if nothing else happens."""
        dues = [self._hearing.next_deadline(), self._thinking.next_deadline(), self._revising.next_deadline()]
        if self.info.kind == "chat":  # no audio moves its media time: metrics and deadlines need a tick of their own
            due_ms = self._thinking.next_deadline_ms()
            measure_ms = self._measured_ms + self._setup.metrics_interval_ms
            dues.append((measure_ms if due_ms is None else min(due_ms, measure_ms)) / 1000)
        if self._hung_up:
            dues.append(self._hang_up_due)
        return min((due for due in dues if due is not None), default=None)

    # --- what the shell may ask -----------------------------------------------------------------------------

    @property
    def position_ms(self) -> int:
        """Media time. A chat has no samples: its media clock is the wall clock."""
        return round(self._now * 1000) if self.info.kind == "chat" else self._hearing.timeline.position_ms

    @property
    def _settled_ms(self) -> int:
        """Media time up to which every word is known: what the procedure goes by."""
        return self.position_ms if self.info.kind == "chat" else self._load.heard_ms(self._hearing.settled_ms)

    @property
    def seq(self) -> int:
        """The number of the newest message."""
        return self._outbox.seq

    @property
    def is_finished(self) -> bool:
        """``Finish`` has been returned."""
        return self._finished

    @property
    def without(self) -> tuple[LoadStage, ...]:
        """What this call does without because of overload."""
        return self._load.stages

    @property
    def is_paused(self) -> bool:
        """Between ``Paused`` and ``Resumed``."""
        return self._paused_at is not None

    @property
    def is_hung_up(self) -> bool:
        """No more audio is taken."""
        return self._hung_up is not None

    @property
    def received_samples(self) -> int:
        """Samples per channel at source rate on the timeline so far, holes included."""
        return self._hearing.timeline.source_samples

    @property
    def audio_bytes(self) -> int:
        """Memory that holds sound: what was heard lately, and what is to be read again."""
        return self._hearing.timeline.size_bytes + self._revising.size_bytes

    def windows(self, effect: Score) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Samples [count, 512] a ``Score`` effect asks about."""
        return self._hearing.timeline.window_samples(effect.channel, effect.first_window, effect.count)

    def samples(self, effect: Decode) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Samples a ``Decode`` effect asks about."""
        if effect.job.kind == "revision":
            return self._revising.samples(effect.job)
        return self._hearing.timeline.samples(effect.job.channel, effect.job.start_ms, effect.job.end_ms)

    # --- audio and words ------------------------------------------------------------------------------------

    def _began(self, _: Began) -> None:
        self._render.opened(self.info, self._thinking.sop.states)

    def _audio(self, event: AudioReceived | AudioMissed) -> None:
        if self._hung_up:
            return
        if self._paused_at is not None and isinstance(event, AudioReceived):
            # Ingress lets no sound through while paused; should it, it is not heard, but time goes on.
            event = AudioMissed(offset=event.offset, samples=len(event.payload) // self.block_bytes)
        self._score(self._hearing.audio(event))
        self._outbox.pos_ms = self.position_ms
        self._arrivals.add(self.position_ms, self._now)

    def _score(self, scores: list[Score]) -> None:
        self._unscored += len(scores)
        self._effects += scores

    def _scored(self, event: SpeechScored) -> None:
        self._unscored -= 1
        for warning in self._quality.scored(event):
            self._render.service(ServiceDegraded(stage="channels", reason=warning))
        self._found(self._hearing.scored(event, self._now))

    def _decoded(self, event: Decoded) -> None:
        if not self._revising.is_mine(event.job_id):
            self._found(self._hearing.decoded(event, self._now))
            return
        for reading in self._revising.decoded(event):
            live = self._thinking.transcript.get(reading.heard.utterance_id)
            if revised := self._revisions.take(reading.heard, live):
                self._render.revised(revised)

    def _found(self, findings: list[Finding]) -> None:
        for finding in findings:
            if isinstance(finding, Decode | CancelDecode):
                self._effects.append(finding)
            elif isinstance(finding, Heard):
                self._heard(finding)
                self._revising.told(finding)
            else:
                self._speech(finding.channel, isinstance(finding, SpeechStarted), finding.at_ms)

    def _text(self, event: TextReceived) -> None:
        if not event.text.strip():
            return
        channel = self._channels.index(event.speaker) if event.speaker in self._channels else 0
        self._speech(channel, True, event.start_ms)
        self._speech(channel, False, event.end_ms)
        self._heard(
            Heard(
                utterance_id=self._hearing.next_utterance_id(),
                channel=channel,
                start_ms=event.start_ms,
                end_ms=event.end_ms,
                text=event.text,
                is_final=True,
                language="" if self.info.language == "auto" else self.info.language,
                committed=len(event.text),
            )
        )

    def _heard(self, heard: Heard) -> None:
        if heard.is_final:
            self._counts["utterances"] += 1
            lag_ms = self._lag_ms(heard.end_ms)
            self._degrade(self._quality.lagged(lag_ms))
            self._history.heard(heard, self._moment())
        thoughts, texts = self._thinking.heard(heard, self._channels[heard.channel], self._moment())
        self._tell(thoughts)
        if self._thinking.to_ask and (said := self._thinking.transcript.get(heard.utterance_id)):
            self._effects += self._asking.match(self._thinking.to_ask, said, self._thinking.transcript.last(NEARBY))
        if texts and not self._load.is_semantic:
            self._understood(heard.utterance_id, NO_MEANING)
        elif texts:
            request = next(self._requests)
            self._embedding[request] = heard.utterance_id
            self._effects += self._outbox.drain()
            self._effects.append(Embed(request_id=request, texts=texts))

    def _embedded(self, event: Embedded) -> None:
        utterance_id = self._embedding.pop(event.request_id, None)
        if utterance_id is None:
            return
        self._understood(utterance_id, np.frombuffer(event.vectors, dtype="<f4").reshape(-1, DIMENSIONS))

    def _understood(self, utterance_id: str, vectors: np.ndarray[Any, np.dtype[np.float32]]) -> None:
        self._history.embedded(utterance_id, vectors, self._moment())
        self._tell(self._thinking.embedded(utterance_id, vectors, self._moment()))

    def _answered(self, event: Answered) -> None:
        answer = self._asking.answered(event)
        if isinstance(answer, Affirmed):
            span = (answer.start, answer.end)
            self._history.affirmed(answer.utterance_id, answer.question, span, self._moment())
            self._tell(self._thinking.affirmed(answer.utterance_id, answer.question, span, self._moment()))
        elif isinstance(answer, Suggested):
            self._tell(list(self._thinking.cues.suggested(answer.card_id, answer.text, self._moment())))

    def _speech(self, channel: int, is_speaking: bool, at_ms: int) -> None:
        self._history.speech(channel, is_speaking, at_ms, self._moment())
        self._tell(self._thinking.speech(self._channels[channel], is_speaking, at_ms, self._moment()))

    def _impaired(self, event: ServiceDegraded) -> None:
        if self._load.told(event, self._settled_ms):
            self._hearing.make(self._load.effort)
            self._revising.is_on = self._load.effort.speculate
        self._render.service(event)

    # --- time -----------------------------------------------------------------------------------------------

    def _ticked(self, _: Ticked) -> None:
        self._found(self._hearing.tick(self._now))
        self._effects += self._revising.tick(self._now)
        self._tell(self._thinking.tick(self._moment()))

    def _recovered(self, _: Recovered) -> None:
        """Wall time went on without us: deadlines that passed meanwhile were nobody's fault."""
        self._hearing.wait_anew(self._now)
        self._revising.wait_anew(self._now)
        self._hang_up_due = self._now + self._setup.speech.final_timeout_s

    def _follow_media(self) -> None:
        """Media time moved: steps and cues that wait for it, and the metrics, get their turn."""
        pos_ms = self._outbox.pos_ms
        due_ms = self._thinking.next_deadline_ms()
        if due_ms is not None and self._settled_ms >= due_ms:
            self._tell(self._thinking.tick(self._moment()))
        if pos_ms - self._measured_ms >= self._setup.metrics_interval_ms:
            self._measured_ms = pos_ms
            self._tell(self._thinking.measure(self._moment()))

    # --- people ---------------------------------------------------------------------------------------------

    def _rendered(self, event: CardRendered) -> None:
        self._tell(list(self._thinking.cues.rendered(event.card_id, self._moment())))

    def _acked(self, event: CardAcked) -> None:
        self._tell(list(self._thinking.cues.acked(event.card_id, event.action, self._moment())))

    def _step_ticked(self, event: StepTicked) -> None:
        self._tell(self._thinking.tick_step(event.step_id, event.by, self._moment()))

    def _step_waived(self, event: StepWaived) -> None:
        self._tell(self._thinking.waive_step(event.step_id, event.by, event.reason, self._moment()))

    def _dtmf(self, event: DtmfReceived) -> None:
        self._outbox.put(wire.DtmfHeard, digit=event.digit, speaker=event.speaker)
        self._tell(self._thinking.happened(CallMoment(kind="dtmf", value=event.digit), self._moment()))

    def _pause(self, event: Paused) -> None:
        if self._paused_at is not None:
            return
        self._found(self._hearing.flush(self._now))
        self._paused_at = self._now
        self._outbox.put(wire.CallPaused, reason=event.reason)
        self._tell(self._thinking.happened(CallMoment(kind="paused", value=event.reason), self._moment()))

    def _resume(self, _: Resumed) -> None:
        if self._paused_at is None:
            return
        paused_ms = round((self._now - self._paused_at) * 1000)
        self._paused_at = None
        self._outbox.put(wire.CallResumed, paused_ms=paused_ms)
        self._tell(self._thinking.happened(CallMoment(kind="resumed"), self._moment()))

    def _swap(self, _: RolesSwapped) -> None:
        """Rep and customer change places from the beginning: everything heard so far is thought through again."""
        before = self._thinking
        self._tell(list(before.cues.withdraw_all("roles_swapped", self._moment())))
        self._channels = tuple(OTHER[speaker] for speaker in self._channels)
        self._outbox.put(wire.RolesSwappedMessage, channels=self._channels)
        self._thinking = self._new_thinking()
        thoughts = self._history.relive(self._thinking, self._channels) + self._thinking.tick(self._moment())
        self._thinking.cues.withdraw_all("roles_swapped", self._moment())
        for thought in thoughts:
            self._revisions.cited(thought)
        self._render.rethought(before, self._thinking, thoughts, self._revisions.standing)

    # --- the end --------------------------------------------------------------------------------------------

    def _hang_up(self, event: HungUp) -> None:
        if self._hung_up:
            return
        self._hung_up = event
        self._hang_up_due = self._now + self._setup.speech.final_timeout_s
        self._score(self._hearing.finish())
        self._outbox.pos_ms = self.position_ms
        self._arrivals.add(self.position_ms, self._now)

    def _wind_down(self, hung_up: HungUp) -> None:
        """After hang-up: the last windows are scored, what is open becomes final, every final is waited for.

        Not for ever: when time is up, what was shown last of an utterance is its final. Then what has not been read
        twice is, as far as there is time.
        """
        is_due = self._now >= self._hang_up_due
        if not self._flushed and (is_due or self._unscored == 0):
            self._flushed = True
            self._found(self._hearing.flush(self._now))
        if is_due:
            self._found(self._hearing.give_up())
        if not self._settled and (is_due or (self._flushed and self._hearing.is_idle and not self._embedding)):
            self._settled, is_due = True, False
            self._hang_up_due = self._now + self._setup.speech.revision_wait_s
            self._revising.finish()
            self._effects += self._revising.ask(self._now)
        if self._settled and (is_due or self._revising.is_idle):
            self._effects += self._revising.give_up()
            self._finish(hung_up)

    def _finish(self, hung_up: HungUp) -> None:
        self._tell(self._thinking.finish(self._moment()))
        sop = self._thinking.sop
        totals = wire.Totals(
            duration_ms=self.position_ms,
            utterances=self._counts["utterances"],
            cards_raised=self._counts["raised"],
            cards_suppressed=self._counts["suppressed"],
            steps_done=sop.steps_done,
            steps=len(sop.states),
            gaps_ms=self._hearing.timeline.gaps_ms,
        )
        self._render.ended(self.info.call_id, hung_up.reason, totals)
        self._effects += self._outbox.drain()
        self._effects.append(Finish(reason=hung_up.reason))
        self._finished = True

    # --- telling --------------------------------------------------------------------------------------------

    def _tell(self, thoughts: list[Thought]) -> None:
        for thought in thoughts:
            self._revisions.cited(thought)
            if isinstance(thought, Utterance):
                self._render.utterance(thought, self._lag_ms(thought.end_ms))
            elif isinstance(thought, CardChange):
                self._counts[thought.what] = self._counts.get(thought.what, 0) + 1
                self._render.card(thought, self._thinking.transcript)
                if thought.what == "raised":
                    self._suggest(thought.card)
            else:
                TELL[type(thought)](self._render, thought)

    def _suggest(self, card: Card) -> None:
        """Words for a card come later, or not at all."""
        transcript = self._thinking.transcript
        said = transcript.get(card.trigger.utterance_id) if card.trigger else None
        self._effects += self._asking.phrase(card, said, transcript.last(NEARBY))

    def _degrade(self, change: ServiceDegraded | None) -> None:
        if change:
            self._render.service(change)

    def _drain(self) -> list[CallEffect]:
        effects = [*self._effects, *self._outbox.drain()]
        self._effects = []
        return effects

    def _moment(self) -> Moment:
        return Moment(now=self._now, pos_ms=self._settled_ms)

    def _lag_ms(self, end_ms: int) -> int:
        return max(0, round((self._now - self._arrivals.wall(end_ms, self._now)) * 1000))

    def _table(self) -> dict[type, Callable[[Any], None]]:
        return {
            Began: self._began,
            AudioReceived: self._audio,
            AudioMissed: self._audio,
            SpeechScored: self._scored,
            Decoded: self._decoded,
            Embedded: self._embedded,
            Answered: self._answered,
            TextReceived: self._text,
            CardRendered: self._rendered,
            CardAcked: self._acked,
            StepTicked: self._step_ticked,
            StepWaived: self._step_waived,
            RolesSwapped: self._swap,
            Paused: self._pause,
            Resumed: self._resume,
            DtmfReceived: self._dtmf,
            Marked: self._render.mark,
            SupervisorMessaged: self._render.supervisor,
            ServiceDegraded: self._impaired,
            Recovered: self._recovered,
            HungUp: self._hang_up,
            Ticked: self._ticked,
        }

    def _new_thinking(self) -> Thinking:
        return Thinking(
            self._setup.plan,
            self._setup.prepared,
            index=self._setup.index,
            call_id=self.info.call_id,
            context=self.info.context,
            wall=lambda at_ms: self._arrivals.wall(at_ms, self._now),
            next_card_id=lambda: f"c{next(self._card_numbers)}",
        )


TELL: dict[type, Callable[[Renderer, Any], None]] = {
    Signal: Renderer.signal,
    StepChanged: Renderer.step,
    StageChanged: Renderer.stage,
    Metric: Renderer.metric,
}
