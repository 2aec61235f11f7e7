"""Everything one node shares between its calls, opened once and closed in order."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from copilot.access.policy import Actor, Resource
from copilot.bus import FLOOR, Bus, open_bus
from copilot.call.outbox import rfc3339
from copilot.clock import Clock, SystemClock
from copilot.config import Settings
from copilot.engines.ears import Ears
from copilot.engines.llm import Llm
from copilot.engines.pool import BatchDone, OnDone, Pool
from copilot.engines.suite import Suite
from copilot.errors import CopilotError
from copilot.events import DecodeJob
from copilot.server.calls import LiveCalls
from copilot.server.floor import Floor
from copilot.server.metrics import Metrics
from copilot.server.overload import Overload
from copilot.server.playbooks import Library
from copilot.server.recovery import conclude_all, recover
from copilot.server.tracks import Tracks
from copilot.store.database import Store
from copilot.store.journal import Journal, JournalHandle
from copilot.store.layout import DataFolder
from copilot.store.rows import CallRow, Sessions
from copilot.wire.messages import CallMessage, Draining

if TYPE_CHECKING:
    from copilot.server.connection import Connection

log = structlog.get_logger(__name__)

RECONNECT_AFTER_MS = 1_000
EARS_REST = 9.0
"""Voice detection may take a tenth of a core before windows have to wait for company."""
"""When clients of a node that goes down may come back: a restart takes about as long."""


class PoolDoor:
    """The shared pool, as one call sees it."""

    def __init__(self, pool: Pool, call_id: str) -> None:
        self._pool = pool
        self._call_id = call_id

    def submit(self, job: DecodeJob, samples: Any, on_done: OnDone, *, due: float) -> None:
        """Queue a job under this call's name."""
        self._pool.submit(job, samples, on_done, owner=self._call_id, due=due)

    def cancel(self, job_id: int) -> None:
        """Forget a job of this call."""
        self._pool.cancel(job_id, owner=self._call_id)


class Service:
    """One node. Use ``Service.open`` as an async context."""

    store: Sessions
    bus: Bus

    def __init__(self, settings: Settings, suite: Suite, clock: Clock, data: DataFolder) -> None:
        self.settings = settings
        self.suite = suite
        self.clock = clock
        self.data = data
        self.pool = Pool(suite.asr, settings.recogniser, clock, self._on_batch)
        self.ears = Ears(suite.silero, rest=EARS_REST)
        self.library = Library(settings, suite.encoder.encode, suite.encoder.intents)
        self.floor = Floor()
        self.calls = LiveCalls(self)
        self.overload = Overload(self, suite.asr)
        self.metrics = Metrics(self)
        self.tracks = Tracks(settings, lambda: self.overload.stage > 0)
        self.llm = Llm.connect(settings.llm, self.metrics.asked) if settings.llm.enabled else None
        self.connections: set[Connection] = set()
        self._watchers: Counter[str] = Counter()
        self.bus_trouble = ""
        self._journal = Journal(settings.store, on_persisted=self._on_persisted, on_failed=self._on_failed)
        self._loop = asyncio.get_running_loop()
        self._floor_out: asyncio.Queue[bytes] = asyncio.Queue()
        self._work: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, suite: Suite, clock: Clock | None = None) -> AsyncIterator[Service]:
        """Open the store, recover what a crash left behind, and be ready for calls; close everything at the end."""
        clock = clock or SystemClock()
        async with AsyncExitStack() as stack:
            data = await asyncio.to_thread(DataFolder.open, settings.store)
            stack.callback(data.close)
            service = cls(settings, suite, clock, data)
            stack.push_async_callback(asyncio.to_thread, service.pool.close)
            stack.push_async_callback(asyncio.to_thread, service.ears.close)
            if service.llm:
                stack.push_async_callback(service.llm.close)
            service.store = await asyncio.to_thread(
                Store.open, settings.store, data.root, clock=clock, on_failed=service._on_failed
            )
            stack.push_async_callback(asyncio.to_thread, service.store.close)
            stack.push_async_callback(asyncio.to_thread, service._journal.close)
            service.bus = await open_bus(
                settings.bus, node=f"{socket.gethostname()}-{os.getpid()}", on_degraded=service._on_bus
            )
            stack.push_async_callback(service.bus.close)
            await service.overload.prepare()
            finished = await recover(service)
            stack.push_async_callback(service._stop_work)
            works = (
                service.library.warm(),
                service.calls.sweep(),
                service.overload.run(),
                service.metrics.watch_loop(),
                service._tell_floor(),
                service.tracks.run(),
                conclude_all(service, finished),
            )
            for work in works:
                service._spawn(work)
            stack.push_async_callback(service.calls.suspend)
            yield service

    def utc(self) -> str:
        """Date and time of day as on the wire."""
        return rfc3339(self.clock.utc())

    def recogniser(self, call_id: str) -> PoolDoor:
        """The recogniser for one call."""
        return PoolDoor(self.pool, call_id)

    def open_journal(self, call_id: str, folder: str, *, persisted: int) -> JournalHandle:
        """The journal of a new or recovered call; what is persisted wakes its connection."""
        return self._journal.open(call_id, self.data.folder(folder), persisted=persisted)

    def watch(self, message: CallMessage) -> None:
        """Every message of every call on this node passes here, for the floor and the operator."""
        self.metrics.saw(message)
        for update in self.floor.observe(message):
            self._floor_out.put_nowait(msgspec.json.encode(update))

    @contextmanager
    def watching(self, call_id: str) -> Iterator[None]:
        """Somebody watches this call on this node, as long as the block lasts."""
        self._watchers[call_id] += 1
        try:
            yield
        finally:
            self._watchers[call_id] -= 1
            self._watchers += Counter()  # forget those at zero

    def is_watched(self, call_id: str) -> bool:
        """Whether somebody may be reading along; who is connected to other nodes is not known here."""
        return self._watchers[call_id] > 0 or self.settings.bus.url != ""

    @property
    def viewers(self) -> int:
        """Sockets that watch a call here."""
        return self._watchers.total()

    async def drain(self) -> None:
        """The node is about to go down: take no more calls, and tell everybody connected before they are cut off."""
        self.calls.draining = True
        goodbyes = (each.announce(Draining(reconnect_after_ms=RECONNECT_AFTER_MS)) for each in self.connections)
        await asyncio.gather(*goodbyes)

    async def resource(self, call_id: str) -> Resource:
        """Whose call this is, live or stored. Raises NotFoundError."""
        if live := self.calls.get(call_id):
            return live.resource
        row = await asyncio.to_thread(self.store.call, call_id)
        return Resource(rep_id=row.rep_id)

    def audit(self, actor: Actor, action: str, call_id: str) -> None:
        """Every act of monitoring leaves a trace."""
        self._spawn(asyncio.to_thread(self.store.audit, f"{actor.role}:{actor.subject}", action, call_id=call_id))

    def delete(self, row: CallRow) -> None:
        """Remove a call's files, then its rows. Runs on a worker thread."""
        self.data.delete_folder(row.folder)
        self.store.delete_call(row.call_id)

    async def _tell_floor(self) -> None:
        """Put floor updates on the bus, in order."""
        while True:
            await self.bus.publish(FLOOR, None, await self._floor_out.get())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run beside everything else until the node closes; what goes wrong is logged."""
        task = self._loop.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("work.failed", error=type(error).__name__)

    async def _stop_work(self) -> None:
        tasks = list(self._work)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- from worker threads -----------------------------------------------------------------------------------

    def _on_batch(self, batch: BatchDone) -> None:
        self._loop.call_soon_threadsafe(self._measure, batch)

    def _measure(self, batch: BatchDone) -> None:
        self.overload.took(batch)
        self.metrics.took(batch)

    def _on_persisted(self, call_id: str, _offset: int) -> None:
        self._loop.call_soon_threadsafe(self._wake, call_id)

    def _on_failed(self, call_id: str, error: CopilotError) -> None:
        self._loop.call_soon_threadsafe(self._warn, call_id, error)

    def _on_bus(self, is_degraded: bool, reason: str) -> None:
        """Viewers on other nodes fall behind while Redis is away; the calls themselves do not notice."""
        self.bus_trouble = reason if is_degraded else ""
        log.warning("bus.degraded" if is_degraded else "bus.restored", reason=reason)

    def _wake(self, call_id: str) -> None:
        if live := self.calls.get(call_id):
            live.persisted_moved.set()

    def _warn(self, call_id: str, error: CopilotError) -> None:
        if live := self.calls.get(call_id):
            live.driver.storage_failed(error)
