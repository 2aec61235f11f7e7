"""A recording through a call on a virtual clock: as fast as the machine can, timed as if it were live.

Audio arrives at real-time pace in virtual time. Each decode is really done, and its measured duration is charged on
the virtual clock to one of ``workers`` recognisers, in the same order of urgency as the live pool.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any, Protocol

from copilot.call.call import Call
from copilot.clock import Clock
from copilot.errors import CopilotError, MediaFileError
from copilot.events import (
    Answered,
    Ask,
    AudioReceived,
    Began,
    CallEffect,
    CallEvent,
    CancelDecode,
    Decode,
    Decoded,
    DecodeJob,
    Embed,
    Embedded,
    Finish,
    HungUp,
    Hypothesis,
    Publish,
    Score,
    SpeechScored,
    Ticked,
)

URGENCY = {"final": 0, "speculative": 1, "interim": 2, "revision": 3}


class Scorer(Protocol):
    """Speech scores of consecutive windows of one channel."""

    def score(self, windows: Any) -> tuple[tuple[float, ...], tuple[float, ...]]: ...


Transcribe = Callable[[DecodeJob, Any], Hypothesis]
Encode = Callable[[tuple[str, ...]], bytes]
Answer = Callable[[Ask], Answered]


class VirtualRun:
    """Plays events into a call in virtual time and performs its effects.

    ``play`` yields every published message in order. ``entries`` afterwards holds the ``(now, event)`` log, ``refused``
    the errors of events the call did not take.
    """

    def __init__(
        self,
        call: Call,
        *,
        scorers: list[Scorer],
        transcribe: Transcribe,
        encode: Encode | None,
        clock: Clock,
        workers: int = 2,
        answer: Answer | None = None,
    ) -> None:
        self.call = call
        self.entries: list[tuple[float, CallEvent]] = []
        self.refused: list[CopilotError] = []
        self._scorers = scorers
        self._transcribe = transcribe
        self._encode = encode
        self._clock = clock
        self._answer = answer
        self._free = workers
        self._waiting: list[tuple[int, float, int, Decode]] = []
        self._revision: int | None = None  # the job being read again: one at a time, as in the live pool
        self._agenda: list[tuple[float, int, CallEvent]] = []
        self._order = count()
        self._now = 0.0
        self._messages: list[Publish] = []
        self._finished = False

    def play(self, script: Iterable[tuple[float, CallEvent]]) -> Iterator[Publish]:
        """Play a script of timed events (seconds, ascending), then run on until the call is finished."""
        yield from self._take(Began())
        for at, event in script:
            yield from self._run_until(at)
            self._now = max(self._now, at)
            yield from self._take(event)
        while not self._finished:
            upcoming = self._upcoming()
            if upcoming is None:
                return
            yield from self._run_until(upcoming)

    def _upcoming(self) -> float | None:
        dues = [self.call.next_deadline()] + ([self._agenda[0][0]] if self._agenda else [])
        return min((due for due in dues if due is not None), default=None)

    def _run_until(self, until: float) -> Iterator[Publish]:
        """Everything that falls due up to ``until``: deadlines first, then answers."""
        while not self._finished:
            upcoming = self._upcoming()
            if upcoming is None or upcoming > until:
                return
            self._now = max(self._now, upcoming)
            due = self.call.next_deadline()
            if due is not None and due <= self._now:
                yield from self._take(Ticked())
            elif self._agenda:
                _, _, event = heapq.heappop(self._agenda)
                if isinstance(event, Decoded):
                    self._free += 1
                    if event.job_id == self._revision:
                        self._revision = None
                yield from self._take(event)
                self._start()

    def _take(self, event: CallEvent) -> Iterator[Publish]:
        if self._finished:
            return
        try:
            effects = self.call.receive(event, self._now)
        except CopilotError as error:
            self.refused.append(error)  # as in the live driver: what the call refuses is no part of its recording
            return
        self.entries.append((self._now, event))
        self._perform(effects)
        messages, self._messages = self._messages, []
        yield from messages

    def _perform(self, effects: list[CallEffect]) -> None:
        """Perform in order. Speech scores are answers: they go in when everything has been performed."""
        scores: list[SpeechScored] = []
        for effect in effects:
            if isinstance(effect, Publish):
                self._messages.append(effect)
            elif isinstance(effect, Score):
                scores.append(self._score(effect))
            elif isinstance(effect, Decode):
                job = effect.job
                heapq.heappush(self._waiting, (URGENCY[job.kind], job.due, next(self._order), effect))
            elif isinstance(effect, CancelDecode):
                self._waiting = [item for item in self._waiting if item[3].job.job_id != effect.job_id]
                heapq.heapify(self._waiting)
            elif isinstance(effect, Embed):
                self._embed(effect)
            elif isinstance(effect, Ask):
                self._ask(effect)
            elif isinstance(effect, Finish):
                self._finished = True
        for scored in scores:
            self.entries.append((self._now, scored))
            self._perform(self.call.receive(scored, self._now))
        self._start()

    def _score(self, effect: Score) -> SpeechScored:
        scores, levels = self._scorers[effect.channel].score(self.call.windows(effect))
        return SpeechScored(channel=effect.channel, first_window=effect.first_window, scores=scores, levels_db=levels)

    def _start(self) -> None:
        """Free recognisers take the most urgent jobs; the answer comes after the measured duration."""
        while self._free and self._waiting:
            if self._waiting[0][3].job.kind == "revision":
                if self._revision is not None:
                    return
                self._revision = self._waiting[0][3].job.job_id
            effect = heapq.heappop(self._waiting)[3]
            self._free -= 1
            samples = self.call.samples(effect)
            began = self._clock.now()
            hypothesis = self._transcribe(effect.job, samples)
            took = self._clock.now() - began
            answer = Decoded(job_id=effect.job.job_id, hypothesis=hypothesis, decode_ms=round(took * 1000))
            self._later(took, answer)

    def _embed(self, effect: Embed) -> None:
        began = self._clock.now()
        vectors = self._encode(effect.texts) if self._encode else b""
        self._later(self._clock.now() - began, Embedded(request_id=effect.request_id, vectors=vectors))

    def _ask(self, effect: Ask) -> None:
        """A language model's answer comes when it comes; without one there is none."""
        began = self._clock.now()
        off = Answered(request_id=effect.request_id, error="llm.off")
        answered = self._answer(effect) if self._answer else off
        self._later(self._clock.now() - began, answered)

    def _later(self, seconds: float, event: CallEvent) -> None:
        heapq.heappush(self._agenda, (self._now + seconds, next(self._order), event))


class AudioScript:
    """The frames of a recording as a softphone sends them, then hang-up. ``frame_bytes``: one sample of all channels.

    A recording that breaks off is played to where it breaks; ``problem`` then says so.
    """

    def __init__(self, frames: Iterable[bytes], frame_bytes: int, sample_rate_hz: int) -> None:
        self._frames = frames
        self._frame_bytes = frame_bytes
        self._rate_hz = sample_rate_hz
        self.problem: MediaFileError | None = None

    def __iter__(self) -> Iterator[tuple[float, CallEvent]]:
        offset = 0
        try:
            for payload in self._frames:
                samples = len(payload) // self._frame_bytes
                yield (offset + samples) / self._rate_hz, AudioReceived(offset=offset, payload=payload)
                offset += samples
        except MediaFileError as error:
            self.problem = error
        yield offset / self._rate_hz, HungUp()
