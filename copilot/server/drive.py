"""The loop around one call: waits for events and deadlines, performs effects. All waiting happens here."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from copilot.call.call import Call
from copilot.clock import Clock
from copilot.errors import CopilotError, StorageError
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
    Publish,
    Recovered,
    Score,
    ServiceDegraded,
    SpeechScored,
    Ticked,
)

log = structlog.get_logger(__name__)

MAILBOX = 2_000
"""Events waiting for one call: forty seconds of 20 ms frames. A full mailbox makes the socket wait, nothing is lost."""
JOINED_MS = 200
"""The longest stretch of audio that is handled at once."""


class Ear(Protocol):
    """Speech scores and levels of consecutive windows of one channel; answers in order, later, from any thread."""

    def submit(self, windows: Any, on_scores: Callable[[tuple[float, ...], tuple[float, ...]], None]) -> None: ...


class Recogniser(Protocol):
    """Takes decode jobs, answers later from any thread."""

    def submit(self, job: DecodeJob, samples: Any, on_done: Callable[[Decoded], None], *, due: float) -> None: ...
    def cancel(self, job_id: int) -> object: ...


class Adviser(Protocol):
    """Asks a language model; every question gets an answer in limited time, if only an error."""

    async def ask(self, question: Ask) -> Answered: ...


class Ledgers(Protocol):
    """Where what happens to a call is kept."""

    def record(self, now: float, event: CallEvent) -> None: ...
    def publish(self, effect: Publish, pos_ms: int) -> None: ...


class Driver:
    """Runs one call until it is finished.

    ``put`` may be called from any coroutine and waits when the mailbox is full; ``answer`` from any thread.
    """

    def __init__(  # noqa: PLR0913  # the doors of a call, each of another kind
        self,
        call: Call,
        *,
        clock: Clock,
        origin: float,
        ears: list[Ear],
        recogniser: Recogniser,
        encode: Callable[[tuple[str, ...]], bytes],
        ledgers: Ledgers,
        adviser: Adviser | None = None,
        gather_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """``gather_s``: for how long audio may wait for the audio that follows it, see ``put``."""
        self.call = call
        self._clock = clock
        self._origin = origin
        self._ears = ears
        self._recogniser = recogniser
        self._encode = encode
        self._adviser = adviser
        self._ledgers = ledgers
        self._gather_s = gather_s
        self._ripe_at: float | None = None
        self._mailbox: asyncio.Queue[CallEvent] = asyncio.Queue(MAILBOX)
        self._held: CallEvent | None = None
        self._arrived: deque[CallEvent] = deque()
        self._is_waking = False
        self._answers: deque[CallEvent] = deque()
        self._woken = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._jobs: set[asyncio.Task[None]] = set()
        self._is_recording = True
        self._storage_told = False
        self.finished = asyncio.Event()
        self.finish_reason = ""

    @property
    def now(self) -> float:
        """Seconds since the call began."""
        return self._clock.now() - self._origin

    async def put(self, event: CallEvent) -> None:
        """Queue an event; waits while the mailbox is full, so that a fast sender is slowed rather than dropped.

        Where many calls are live, audio waits a moment for more: five frames at once cost little more than one.
        """
        if self.finished.is_set():
            return
        await self._mailbox.put(event)
        if not isinstance(event, AudioReceived):
            self._ripe_at = self.now
        elif self._ripe_at is None:
            self._ripe_at = self.now + self._gather_s()
        else:
            return
        self._woken.set()

    def answer(self, event: CallEvent) -> None:
        """Take a model's answer, from any thread. However many come, the loop is woken once."""
        self._arrived.append(event)
        if not self._is_waking:
            self._is_waking = True
            self._loop.call_soon_threadsafe(self._wake)

    def inform(self, event: ServiceDegraded) -> None:
        """Tell the call what the service cannot do for now, or can do again."""
        self._take(event)

    def storage_failed(self, error: CopilotError) -> None:
        """The disk or the database refuses; said once, for saying it needs storing too. The call goes on."""
        if not self._storage_told:
            self._storage_told = True
            log.error("storage.failed", call_id=self.call.info.call_id, code=error.code)
            self._take(ServiceDegraded(stage="storage", reason=error.code))

    async def run(self, pending: list[CallEffect] | None = None) -> None:
        """Live through the call. ``pending``: effects of a recovered call that were never answered."""
        if pending is None:
            self._handle(Began())
        else:
            self._perform(deque([*self._receive(Recovered()), *pending]))
        while not self.call.is_finished:
            await self._wait()
            self._step()
            await asyncio.sleep(0)
        self.finished.set()
        for job in self._jobs:
            job.cancel()

    def _wake(self) -> None:
        self._is_waking = False  # before taking: what arrives from now on wakes again
        while self._arrived:
            self._take(self._arrived.popleft())

    def _take(self, event: CallEvent) -> None:
        if not self.call.is_finished:
            self._answers.append(event)
            self._woken.set()

    async def _wait(self) -> None:
        if self._answers or self._is_ripe():
            return
        self._woken.clear()
        wanted = [at for at in (self.call.next_deadline(), self._ripe_at) if at is not None]
        delay = max(0.0, min(wanted) - self.now) if wanted else None
        try:
            async with asyncio.timeout(delay):
                await self._woken.wait()
        except TimeoutError:
            return

    def _step(self) -> None:
        """What fell due first, then answers, then the next few events: a busy inbox must not starve deadlines."""
        due = self.call.next_deadline()
        if due is not None and due <= self.now:
            self._handle(Ticked())
        while self._answers and not self.call.is_finished:
            self._handle(self._answers.popleft())
        if self._is_ripe() and not self.call.is_finished:
            self._handle(self._next())
            if self._held is None and self._mailbox.empty():
                self._ripe_at = None

    def _is_ripe(self) -> bool:
        return self._ripe_at is not None and self._ripe_at <= self.now

    def _next(self) -> CallEvent:
        """The next event; audio that waits behind audio goes along, so that a backlog costs less than it did live."""
        event, self._held = self._held or self._mailbox.get_nowait(), None
        while isinstance(event, AudioReceived) and not self._mailbox.empty():
            self._held = self._mailbox.get_nowait()
            joined = self._joined(event, self._held)
            if joined is None:
                break
            event, self._held = joined, None
        return event

    def _joined(self, audio: AudioReceived, following: CallEvent) -> AudioReceived | None:
        """Both as one, when the second continues the first and they are not too long."""
        media = self.call.info.media
        end = audio.offset + len(audio.payload) // self.call.block_bytes
        if not isinstance(following, AudioReceived) or following.offset != end:
            return None
        payload = audio.payload + following.payload
        is_long = len(payload) // self.call.block_bytes * 1000 > JOINED_MS * media.sample_rate_hz
        return None if is_long else AudioReceived(offset=audio.offset, payload=payload)

    def _handle(self, event: CallEvent) -> None:
        self._perform(deque(self._receive(event)))

    def _receive(self, event: CallEvent) -> list[CallEffect]:
        """Only what the call accepted is recorded, and before its effects are performed."""
        now = self.now
        try:
            effects = self.call.receive(event, now)
        except CopilotError as error:
            log.warning("event.refused", call_id=self.call.info.call_id, code=error.code, kind=type(event).__name__)
            return []
        self._record(now, event)
        return effects

    def _record(self, now: float, event: CallEvent) -> None:
        """A recording with a hole is another call, and what is persisted behind one is lost: it ends at the first."""
        if not self._is_recording:
            return
        try:
            self._ledgers.record(now, event)
        except StorageError as error:
            self._is_recording = False
            self.storage_failed(error)

    def _publish(self, effect: Publish) -> None:
        try:
            self._ledgers.publish(effect, self.call.position_ms)
        except StorageError as error:
            self.storage_failed(error)

    def _perform(self, effects: deque[CallEffect]) -> None:
        """Perform in order."""
        while effects:
            effect = effects.popleft()
            if isinstance(effect, Publish):
                self._publish(effect)
            elif isinstance(effect, Score):
                self._score(effect)
            elif isinstance(effect, Decode):
                due = self._origin + effect.job.due
                self._recogniser.submit(effect.job, self.call.samples(effect), self.answer, due=due)
            elif isinstance(effect, CancelDecode):
                self._recogniser.cancel(effect.job_id)
            elif isinstance(effect, Embed):
                self._spawn(self._embed(effect))
            elif isinstance(effect, Ask):
                self._spawn(self._ask(effect))
            else:
                self._finish(effect)

    def _score(self, effect: Score) -> None:
        def answer(scores: tuple[float, ...], levels: tuple[float, ...]) -> None:
            first, channel = effect.first_window, effect.channel
            self.answer(SpeechScored(channel=channel, first_window=first, scores=scores, levels_db=levels))

        self._ears[effect.channel].submit(self.call.windows(effect), answer)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        job = self._loop.create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _embed(self, effect: Embed) -> None:
        try:
            vectors = await asyncio.to_thread(self._encode, effect.texts)
        except (CopilotError, RuntimeError, ValueError) as error:
            log.error("encoder.failed", call_id=self.call.info.call_id, error=type(error).__name__)
            vectors = b""
        self._take(Embedded(request_id=effect.request_id, vectors=vectors))

    async def _ask(self, effect: Ask) -> None:
        """Beside everything else. A call recovered by a node without a language model goes on without."""
        off = Answered(request_id=effect.request_id, error="llm.off")
        self._take(await self._adviser.ask(effect) if self._adviser else off)

    def _finish(self, effect: Finish) -> None:
        self.finish_reason = effect.reason
