"""A call is a state machine: events in, effects out, time passed in. Only this file knows the order of the rooms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from copilot.audio.timeline import Timeline, frame_bytes
from copilot.call.arrivals import Arrivals
from copilot.call.ending import Ending
from copilot.call.hearing import Finding, Hearing
from copilot.call.load import Load
from copilot.call.mind import Mind
from copilot.call.outbox import Outbox
from copilot.call.quality import Quality
from copilot.call.revising import Revising
from copilot.call.setup import CallSetup, Minds, Rehearsal
from copilot.call.thinking import Thinking
from copilot.cues.moments import CallMoment, Moment
from copilot.errors import LocalProtocolError
from copilot.events import (
    AudioMissed,
    AudioReceived,
    Began,
    CallEffect,
    CallEvent,
    CallInfo,
    CancelDecode,
    Decode,
    Decoded,
    DtmfReceived,
    Finish,
    Heard,
    HungUp,
    LoadStage,
    Marked,
    Paused,
    Recovered,
    Resumed,
    Score,
    ServiceDegraded,
    SpeechScored,
    SpeechStarted,
    SupervisorMessaged,
    TextReceived,
    Ticked,
)
from copilot.wire import messages as wire

__all__ = ["Call", "CallSetup", "Rehearsal"]


class Call:
    """One call from its first sample to its last effect.

    ``receive`` takes an event and the wall time in seconds since the call began and returns what the shell must do.
    ``tick`` must be called when ``next_deadline`` has passed. Raises LocalProtocolError after ``Finish``.
    """

    def __init__(self, info: CallInfo, setup: CallSetup, rehearsal: Rehearsal | None = None) -> None:
        self.info = info
        self._setup = setup
        self._outbox = Outbox(info.call_id, info.started_at)
        self._arrivals = Arrivals()
        self.block_bytes = frame_bytes(info.media)
        self._quality = Quality(len(info.media.channels))
        self._load = Load()
        self._hearing, self._revising = self._ears(rehearsal)
        self._mind = Mind(info, setup, self._outbox, self._arrivals, self._minds(rehearsal))
        self._render = self._mind.render
        self._ending = Ending(self._hearing, self._revising, self._mind, setup.speech)
        self._now = 0.0
        self._measured_ms = 0
        self._paused_at: float | None = None
        self._finished = False
        self._handlers = self._table()

    def _ears(self, rehearsal: Rehearsal | None) -> tuple[Hearing, Revising]:
        media, speech, plan = self.info.media, self._setup.speech, self._setup.plan
        timeline = rehearsal.timeline if rehearsal else Timeline(media)
        channels, hotwords = len(media.channels), ", ".join(plan.hotwords)
        hearing = Hearing(
            timeline, channels, speech, language=self.info.language, prompt=plan.prompt, hotwords=hotwords
        )
        hearing.unscored = rehearsal.scored if rehearsal else 0
        return hearing, Revising(timeline, channels, speech, next_job_id=hearing.next_job_id, hotwords=hotwords)

    def _minds(self, rehearsal: Rehearsal | None) -> Callable[[], Thinking]:
        minds = Minds(self.info, self._setup, lambda at_ms: self._arrivals.wall(at_ms, self._now))
        if rehearsal is None:
            return minds.another
        overhear = rehearsal.overhear
        return lambda: overhear(minds.another())

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
        self._outbox.ask(self._revising.ask(self._now))
        for findings in self._ending.wind_down(self._now):
            self._found(findings)
        if self._ending.hung_up and self._ending.is_over:
            self._finish(self._ending.hung_up)
        return self._outbox.drain()

    def tick(self, now: float) -> list[CallEffect]:
        """Time passed. The same as receiving ``Ticked``."""
        return self.receive(Ticked(), now)

    def next_deadline(self) -> float | None:
        """Wall time (seconds since the call began) by which ``tick`` wants to be called, if nothing else happens."""
        dues = [
            self._hearing.next_deadline(),
            self._mind.next_deadline(),
            self._revising.next_deadline(),
            self._ending.next_deadline(),
        ]
        if self.info.kind == "chat":  # no audio moves its media time: metrics and deadlines need a tick of their own
            due_ms = self._mind.next_deadline_ms()
            measure_ms = self._measured_ms + self._setup.metrics_interval_ms
            dues.append((measure_ms if due_ms is None else min(due_ms, measure_ms)) / 1000)
        return min((due for due in dues if due is not None), default=None)

    # --- what the shell may ask -----------------------------------------------------------------------------

    @property
    def position_ms(self) -> int:
        """Media time. A chat has no samples: its media clock is the wall clock."""
        return round(self._now * 1000) if self.info.kind == "chat" else self._hearing.timeline.position_ms

    @property
    def settled_ms(self) -> int:
        """Media time up to which every word is known: what the procedure goes by."""
        return self.position_ms if self.info.kind == "chat" else self._load.heard_ms(self._hearing.settled_ms)

    @property
    def now(self) -> float:
        """Seconds since the call began, as last told; never less than before."""
        return self._now

    @property
    def card_due(self) -> float | None:
        """Wall moment (seconds since the call began) at which a card wants attention."""
        return self._mind.next_deadline()

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
        return self._ending.hung_up is not None

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
        self._render.opened(self.info, self._mind.steps)

    def _audio(self, event: AudioReceived | AudioMissed) -> None:
        if self.is_hung_up:
            return
        if self._paused_at is not None and isinstance(event, AudioReceived):
            # Ingress lets no sound through while paused; should it, it is not heard, but time goes on.
            event = AudioMissed(offset=event.offset, samples=len(event.payload) // self.block_bytes)
        self._score(self._hearing.audio(event))

    def _score(self, scores: list[Score]) -> None:
        """Media time went on."""
        self._outbox.ask(scores)
        self._outbox.pos_ms = self.position_ms
        self._arrivals.add(self.position_ms, self._now)

    def _scored(self, event: SpeechScored) -> None:
        for warning in self._quality.scored(event):
            self._render.service(ServiceDegraded(stage="channels", reason=warning))
        self._found(self._hearing.scored(event, self._now))

    def _decoded(self, event: Decoded) -> None:
        if not self._revising.is_mine(event.job_id):
            self._found(self._hearing.decoded(event, self._now))
            return
        for reading in self._revising.decoded(event):
            self._mind.revised(reading.heard)

    def _found(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            if isinstance(finding, Decode | CancelDecode):
                self._outbox.ask([finding])
            elif isinstance(finding, Heard):
                self._heard(finding)
                self._revising.told(finding)
            else:
                self._mind.speech(finding.channel, isinstance(finding, SpeechStarted), finding.at_ms, self._moment())

    def _text(self, event: TextReceived) -> None:
        if not event.text.strip():
            return
        speakers = self._mind.channels
        channel = speakers.index(event.speaker) if event.speaker in speakers else 0
        self._mind.speech(channel, True, event.start_ms, self._moment())
        self._mind.speech(channel, False, event.end_ms, self._moment())
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
            change = self._quality.lagged(self._arrivals.lag_ms(heard.end_ms, self._now))
            if change:
                self._render.service(change)
        self._mind.heard(heard, self._moment())

    def _think(self, event: CallEvent) -> None:
        """What concerns neither sound nor time."""
        self._mind.receive(event, self._moment())

    def _impaired(self, event: ServiceDegraded) -> None:
        if self._load.told(event, self.settled_ms, self.position_ms):
            if self._load.unheard:
                self._mind.unheard(self._load.unheard, self._moment())
            self._hearing.make(self._load.effort)
            self._revising.is_on = self._load.effort.speculate
            self._mind.is_semantic = self._load.is_semantic
        self._render.service(event)

    # --- time -----------------------------------------------------------------------------------------------

    def _ticked(self, _: Ticked) -> None:
        self._found(self._hearing.tick(self._now))
        self._found(self._revising.tick(self._now))
        self._mind.tick(self._moment())

    def _recovered(self, _: Recovered) -> None:
        """Wall time went on without us: deadlines that passed meanwhile were nobody's fault."""
        self._hearing.wait_anew(self._now)
        self._revising.wait_anew(self._now)
        self._ending.wait_anew(self._now)

    def _follow_media(self) -> None:
        """Media time moved: steps and cues that wait for it, and the metrics, get their turn."""
        pos_ms = self._outbox.pos_ms
        due_ms = self._mind.next_deadline_ms()
        if due_ms is not None and self.settled_ms >= due_ms:
            self._mind.tick(self._moment())
        if pos_ms - self._measured_ms >= self._setup.metrics_interval_ms:
            self._measured_ms = pos_ms
            self._mind.measure(self._moment())

    def _moment(self) -> Moment:
        return Moment(now=self._now, pos_ms=self.settled_ms)

    # --- what happens to the call itself --------------------------------------------------------------------

    def _dtmf(self, event: DtmfReceived) -> None:
        self._outbox.put(wire.DtmfHeard, digit=event.digit, speaker=event.speaker)
        self._mind.happened(CallMoment(kind="dtmf", value=event.digit), self._moment())

    def _pause(self, event: Paused) -> None:
        if self._paused_at is not None:
            return
        self._found(self._hearing.flush(self._now))
        self._paused_at = self._now
        self._outbox.put(wire.CallPaused, reason=event.reason)
        self._mind.happened(CallMoment(kind="paused", value=event.reason), self._moment())

    def _resume(self, _: Resumed) -> None:
        if self._paused_at is None:
            return
        paused_ms = round((self._now - self._paused_at) * 1000)
        self._paused_at = None
        self._outbox.put(wire.CallResumed, paused_ms=paused_ms)
        self._mind.happened(CallMoment(kind="resumed"), self._moment())

    def _hang_up(self, event: HungUp) -> None:
        if not self.is_hung_up:
            self._ending.begin(event, self._now)
            self._score(self._hearing.finish())

    def _finish(self, hung_up: HungUp) -> None:
        self._mind.finish(self._moment())
        totals = self._mind.totals(self.position_ms, self._hearing.timeline.gaps_ms)
        self._render.ended(self.info.call_id, hung_up, totals)
        self._outbox.tell_first()
        self._outbox.ask([Finish(reason=hung_up.reason)])
        self._finished = True

    def _table(self) -> dict[type, Callable[[Any], None]]:
        return {
            Began: self._began,
            AudioReceived: self._audio,
            AudioMissed: self._audio,
            SpeechScored: self._scored,
            Decoded: self._decoded,
            TextReceived: self._text,
            **dict.fromkeys(Mind.TAKES, self._think),
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
