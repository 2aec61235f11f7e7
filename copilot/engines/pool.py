"""The recogniser's workers: one bounded priority queue for all calls, small batches, nothing waits for company."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from copilot.clock import Clock, SystemClock
from copilot.config import RecogniserSettings
from copilot.errors import CopilotError, LocalProtocolError
from copilot.events import SAMPLE_RATE_HZ, Decoded, DecodeJob, Hypothesis, Language, Word

log = structlog.get_logger(__name__)

Float32 = NDArray[np.float32]
Kind = Literal["interim", "speculative", "final", "revision"]
OnDone = Callable[[Decoded], None]
PRIORITY: Final[dict[Kind, int]] = {"final": 0, "speculative": 0, "interim": 1, "revision": 2}
CROWDED_S: Final = 1.0
"""When a live job has waited this long, revisions are shed: nobody waits for them."""
RECENT_S: Final = 10.0
REVISE_BELOW: Final = 0.35
"""Revisions are for idle workers: one call takes about a quarter of two cores."""
ALIKE_SAMPLES: Final = 4 * SAMPLE_RATE_HZ
"""Jobs whose audio differs by more do not share a batch: the longest sets the price for all."""


class AsrRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of 16 kHz mono speech to recognise; fields as in ``DecodeJob``.

    ``utterance`` names what is recognised, over all calls; the readings of one utterance help each other.
    """

    samples: Float32
    language: Language = "auto"
    prompt: str = ""
    hotwords: str = ""
    kind: Kind = "final"
    utterance: str = ""


class AsrModel(Protocol):
    """A recogniser. Called from several threads at once."""

    def transcribe(self, requests: Sequence[AsrRequest]) -> list[Hypothesis]:
        """One hypothesis per request, in order; times count from the start of the request's samples."""
        ...


class PoolStats(msgspec.Struct, frozen=True, kw_only=True):
    """What waits, what runs, and what was done since the start. ``busy_ms`` sums over workers.

    ``oldest_wait_ms`` is how long the oldest final or speculative job has been waiting.
    """

    queued: int = 0
    running: int = 0
    decoded: int = 0
    failed: int = 0
    shed: int = 0
    cancelled: int = 0
    audio_ms: int = 0
    busy_ms: int = 0
    oldest_wait_ms: int = 0


class BatchDone(msgspec.Struct, frozen=True, kw_only=True):
    """One batch came back: a ``kind`` and the time spent in the queue per job, and what all of it took together."""

    kinds: tuple[Kind, ...]
    waits_ms: tuple[int, ...]
    decode_ms: int
    audio_ms: int


Observe = Callable[[BatchDone], None]


class _Entry(msgspec.Struct, frozen=True, eq=False):
    owner: str
    job: DecodeJob
    samples: Float32
    on_done: OnDone
    queued_at: float
    due: float
    number: int

    @property
    def rank(self) -> tuple[int, float, int]:
        return PRIORITY[self.job.kind], self.due, self.number


class Pool:
    """Shares one model among all calls.

    Finals and what may become one go before interims before revisions, each by when they are due. Interims leave one
    worker (of several) to finals, and are shed when more than ``queue_limit`` jobs wait; revisions (of which one runs
    at a time, alone) are shed when a live job has waited for a second or live work keeps the workers busy; the others
    never are. ``on_done`` is called exactly once for
    every job that was not cancelled: on a worker's thread or, when the job is shed, on the caller's. Ids of jobs and
    utterances are unique per ``owner`` (a call). ``observe`` is told of every batch, on a worker's thread.
    """

    def __init__(
        self,
        model: AsrModel,
        settings: RecogniserSettings,
        clock: Clock | None = None,
        observe: Observe | None = None,
    ) -> None:
        self._model = model
        self._observe = observe
        self._settings = settings
        self._clock = clock or SystemClock()
        self._changed = threading.Condition()
        self._queue: list[_Entry] = []
        self._submitted = 0
        self._closed = False
        self._reading: Counter[Kind] = Counter()
        self._live: deque[tuple[float, float]] = deque()  # when live batches began and the seconds they took
        self._stats = PoolStats()
        self._workers = [
            threading.Thread(target=self._work, name=f"asr-{index}", daemon=True) for index in range(settings.parallel)
        ]
        for worker in self._workers:
            worker.start()

    def submit(
        self, job: DecodeJob, samples: Float32, on_done: OnDone, owner: str = "", due: float | None = None
    ) -> None:
        """Queue a job. An interim takes the place of an older one of the same utterance.

        ``due`` on the pool's clock is by when it is wanted, now when nothing is said (``job.due`` counts from the
        start of a call, which the pool does not know).
        """
        with self._changed:
            if self._closed:
                raise LocalProtocolError("pool.closed", "the recogniser pool is closed")
            self._submitted += 1
            now = self._clock.now()
            entry = _Entry(owner, job, samples, on_done, now, now if due is None else due, self._submitted)
            shed = [waiting for waiting in self._queue if _replaces(entry, waiting) or self._gives_way(waiting)]
            self._queue = [waiting for waiting in self._queue if waiting not in shed]
            if self._gives_way(entry) or (job.kind == "interim" and len(self._queue) >= self._settings.queue_limit):
                shed.append(entry)
            else:
                self._queue.append(entry)
                self._queue.sort(key=lambda waiting: waiting.rank)
                self._changed.notify()
            self._add(shed=len(shed))
        for stale in shed:
            stale.on_done(Decoded(job_id=stale.job.job_id, error="shed"))

    def cancel(self, job_id: int, owner: str = "") -> bool:
        """Forget a waiting job. False when it is already running or done: its answer comes (or came) anyway."""
        with self._changed:
            kept = [entry for entry in self._queue if (entry.owner, entry.job.job_id) != (owner, job_id)]
            cancelled = len(self._queue) - len(kept)
            self._queue = kept
            self._add(cancelled=cancelled)
        return cancelled > 0

    def stats(self) -> PoolStats:
        """A snapshot."""
        with self._changed:
            waiting = [entry.queued_at for entry in self._queue if entry.job.kind in ("final", "speculative")]
            oldest_ms = round((self._clock.now() - min(waiting)) * 1000) if waiting else 0
            return msgspec.structs.replace(self._stats, queued=len(self._queue), oldest_wait_ms=oldest_ms)

    def close(self) -> None:
        """Finish what is running, answer what waits with ``error="closed"``, and stop the workers."""
        with self._changed:
            self._closed = True
            waiting, self._queue = self._queue, []
            self._changed.notify_all()
        for entry in waiting:
            entry.on_done(Decoded(job_id=entry.job.job_id, error="closed"))
        for worker in self._workers:
            worker.join()

    def _work(self) -> None:
        while batch := self._take():
            started = self._clock.now()
            hypotheses, error = self._transcribe(batch)
            busy_ms = round((self._clock.now() - started) * 1000)
            done = _done(batch, started, busy_ms)
            with self._changed:
                self._reading[batch[0].job.kind] -= 1
                if batch[0].job.kind != "revision":
                    self._live.append((started, busy_ms / 1000))
                self._add(
                    running=-len(batch),
                    decoded=0 if error else len(batch),
                    failed=len(batch) if error else 0,
                    audio_ms=done.audio_ms,
                    busy_ms=busy_ms,
                )
            if self._observe:
                self._observe(done)
            for entry, hypothesis in zip(batch, hypotheses, strict=True):
                entry.on_done(
                    Decoded(
                        job_id=entry.job.job_id,
                        hypothesis=hypothesis and at_media_time(hypothesis, entry.job.start_ms),
                        queue_ms=round((started - entry.queued_at) * 1000),
                        decode_ms=busy_ms,
                        error=error,
                    )
                )

    def _take(self) -> list[_Entry]:
        """Wait for work; the most urgent job and those waiting that are like it. Empty: the pool is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_ready() or self._closed)
            if not self._queue:
                return []
            first = self._queue[0]
            self._reading[first.job.kind] += 1
            alike = [entry for entry in self._queue if _alike(first, entry)]
            share = -(-len(alike) // self._settings.parallel)  # two jobs and two workers: one each is sooner done
            batch = alike[: min(share, self._settings.batch)]
            self._queue = [entry for entry in self._queue if entry not in batch]
            self._add(running=len(batch))
            return batch

    def _is_ready(self) -> bool:
        """Something waits that may run now. What is not urgent never holds all workers: a final may come any moment.

        The queue is sorted, so nothing more urgent waits behind its head.
        """
        if not self._queue:
            return False
        kind = self._queue[0].job.kind
        if kind == "interim":
            return self._reading[kind] < max(1, self._settings.parallel - 1)
        return kind != "revision" or not self._reading[kind]

    def _gives_way(self, entry: _Entry) -> bool:
        """A revision, while live work keeps the workers busy or has to wait: it would hold one of them for seconds."""
        if entry.job.kind != "revision":
            return False
        crowded = self._clock.now() - CROWDED_S
        return self._live_share() > REVISE_BELOW or any(
            other.job.kind != "revision" and other.queued_at < crowded for other in self._queue
        )

    def _live_share(self) -> float:
        """The part (0..1) of the workers' time that live jobs took lately."""
        since = self._clock.now() - RECENT_S
        while self._live and self._live[0][0] < since:
            self._live.popleft()
        return sum(busy_s for _, busy_s in self._live) / (RECENT_S * len(self._workers))

    def _transcribe(self, batch: Sequence[_Entry]) -> tuple[Sequence[Hypothesis | None], str]:
        requests = [
            AsrRequest(
                samples=entry.samples,
                language=entry.job.language,
                prompt=entry.job.prompt,
                hotwords=entry.job.hotwords,
                kind=entry.job.kind,
                utterance=f"{entry.owner}/{entry.job.utterance_id}",
            )
            for entry in batch
        ]
        try:
            return self._model.transcribe(requests), ""
        except Exception as error:  # noqa: BLE001  # a model may fail in any way; the workers live on
            code = error.code if isinstance(error, CopilotError) else "asr.failed"
            log.error("decode failed", code=code, kind=type(error).__name__, jobs=len(batch))  # no text
            return [None] * len(batch), code

    def _add(self, **changes: int) -> None:
        """Count; the lock is held."""
        counted = {name: getattr(self._stats, name) + change for name, change in changes.items()}
        self._stats = msgspec.structs.replace(self._stats, **counted)


def at_media_time(hypothesis: Hypothesis, start_ms: int) -> Hypothesis:
    """The same words, their times counted from the start of the call instead of the segment."""
    words = tuple(
        Word(
            text=word.text,
            start_ms=word.start_ms + start_ms,
            end_ms=word.end_ms + start_ms,
            probability=word.probability,
        )
        for word in hypothesis.words
    )
    return msgspec.structs.replace(hypothesis, words=words)


def _done(batch: Sequence[_Entry], started: float, busy_ms: int) -> BatchDone:
    return BatchDone(
        kinds=tuple(entry.job.kind for entry in batch),
        waits_ms=tuple(round((started - entry.queued_at) * 1000) for entry in batch),
        decode_ms=busy_ms,
        audio_ms=sum(len(entry.samples) for entry in batch) * 1000 // SAMPLE_RATE_HZ,
    )


def _replaces(fresh: _Entry, waiting: _Entry) -> bool:
    return (
        waiting.job.kind == fresh.job.kind == "interim"
        and waiting.owner == fresh.owner
        and waiting.job.utterance_id == fresh.job.utterance_id
    )


def _alike(first: _Entry, other: _Entry) -> bool:
    """Interims are not mixed with the rest: they are decoded with less care. A revision is read alone, with more."""
    if "revision" in (first.job.kind, other.job.kind):
        return first is other
    return (first.job.kind == "interim") == (other.job.kind == "interim") and abs(
        len(first.samples) - len(other.samples)
    ) <= ALIKE_SAMPLES
