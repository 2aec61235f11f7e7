"""Everything one node shares between its calls, opened once and closed in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import structlog

from copilot.access.policy import Actor, Resource
from copilot.bus.base import Bus
from copilot.bus.open import open_bus
from copilot.call.outbox import rfc3339
from copilot.clock import Clock, SystemClock
from copilot.config import Settings
from copilot.engines.pool import OnDone, Pool
from copilot.engines.suite import Suite
from copilot.errors import NotFoundError, StorageError
from copilot.events import CallInfo, DecodeJob
from copilot.server.aftermath import conclude_leftovers
from copilot.server.calls import LiveCalls
from copilot.server.floor import Floor
from copilot.server.header import HEADER_FILE, Header
from copilot.server.playbooks import Library
from copilot.server.recovery import recover
from copilot.store.base import Store
from copilot.store.database import CallRow, open_store
from copilot.store.journal import Journal, JournalHandle
from copilot.store.layout import Layout
from copilot.wire.messages import CallMessage

log = structlog.get_logger(__name__)


class PoolDoor:
    """The shared pool, as one call sees it."""

    def __init__(self, pool: Pool, call_id: str) -> None:
        self._pool = pool
        self._call_id = call_id

    def submit(self, job: DecodeJob, samples: Any, on_done: OnDone) -> None:
        """Queue a job under this call's name."""
        self._pool.submit(job, samples, on_done, owner=self._call_id)

    def cancel(self, job_id: int) -> None:
        """Forget a job of this call."""
        self._pool.cancel(job_id, owner=self._call_id)


class Service:
    """One node. Use ``Service.open`` as an async context."""

    def __init__(
        self, settings: Settings, suite: Suite, clock: Clock, store: Store, journal: Journal, bus: Bus
    ) -> None:
        self.settings = settings
        self.suite = suite
        self.clock = clock
        self.store = store
        self.bus = bus
        self.layout = Layout(settings.store)
        self.pool = Pool(suite.whisper, settings.recogniser)
        self.library = Library(settings, suite.encoder.encode)
        self.floor = Floor()
        self.floor_seq = 0
        self.calls = LiveCalls(self)
        self._journal = journal
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._floor_out: asyncio.Queue[bytes] = asyncio.Queue()

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, suite: Suite, clock: Clock | None = None) -> AsyncIterator[Service]:
        """Open the store, recover what a crash left behind, and be ready for calls; close everything at the end."""
        async with AsyncExitStack() as stack:
            layout = Layout(settings.store)
            await asyncio.to_thread(layout.open)
            stack.callback(layout.close)
            store = await asyncio.to_thread(open_store, settings.store)
            stack.push_async_callback(asyncio.to_thread, store.close)
            journal = Journal(settings.store)
            stack.push_async_callback(asyncio.to_thread, journal.close)
            bus = await open_bus(settings.bus)
            stack.push_async_callback(bus.close)
            service = cls(settings, suite, clock or SystemClock(), store, journal, bus)
            stack.push_async_callback(asyncio.to_thread, service.pool.close)
            await service.library.warm()
            await recover(service)
            tasks = [asyncio.create_task(work) for work in (service.calls.sweep(), service.tell_floor())]
            leftovers = asyncio.create_task(conclude_leftovers(service))
            stack.push_async_callback(_cancel, [*tasks, leftovers])
            stack.push_async_callback(service.calls.suspend)
            yield service

    def utc(self) -> str:
        """Date and time of day as on the wire."""
        return rfc3339(self.clock.utc())

    async def pause(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    def recogniser(self, call_id: str) -> PoolDoor:
        """The recogniser for one call."""
        return PoolDoor(self.pool, call_id)

    def watch(self, message: CallMessage) -> None:
        """Every message of every call on this node passes here, for the floor."""
        for update in self.floor.observe(message):
            self._floor_out.put_nowait(msgspec.json.encode(update))

    async def tell_floor(self) -> None:
        """Put floor updates on the bus, in order."""
        while True:
            body = await self._floor_out.get()
            self.floor_seq += 1
            await self.bus.publish("floor", self.floor_seq, body)

    def folder_of(self, info: CallInfo) -> Path:
        """Where the files of a call are."""
        return self.layout.folder(info.call_id, info.started_at)

    def open_journal(self, info: CallInfo) -> JournalHandle:
        """The journal of a new or recovered call; what is persisted wakes its connection."""
        return self._journal.open(info.call_id, self.folder_of(info))

    def write_header(self, folder: Path, header: Header) -> None:
        """Write down what the call was started with, before its first sample."""
        self.layout.write(folder / HEADER_FILE, msgspec.json.encode(header))

    def read_header(self, folder: Path) -> Header:
        """Raises StorageError ``storage.header``."""
        try:
            return msgspec.json.decode((folder / HEADER_FILE).read_bytes(), type=Header)
        except (OSError, msgspec.DecodeError) as error:
            raise StorageError("storage.header", f"cannot read {folder / HEADER_FILE}") from error

    async def resource(self, call_id: str) -> Resource:
        """Whose call this is, live or stored. Raises NotFoundError."""
        if live := self.calls.get(call_id):
            return live.resource
        row = await asyncio.to_thread(self.store.call, call_id)
        if row is None:
            raise NotFoundError("call.unknown", f"there is no call {call_id}")
        return Resource(rep_id=row.rep_id, started_by=row.started_by)

    def audit(self, actor: Actor, action: str, call_id: str) -> None:
        """Every act of monitoring leaves a trace."""
        self.store.audit(actor=f"{actor.role}:{actor.subject}", action=action, call_id=call_id)

    def delete(self, row: CallRow) -> None:
        """Remove a call's files, then its rows. Runs on a worker thread."""
        self.layout.remove(Path(row.folder))
        self.store.delete_call(row.call_id)

    def persisted(self, call_id: str, _offset: int) -> None:
        """The journal's writer thread has synced: tell the call's connection."""
        self._loop.call_soon_threadsafe(self._wake, call_id)

    def storage_failed(self, call_id: str, error: StorageError) -> None:
        """The journal cannot be written."""
        self._loop.call_soon_threadsafe(self._storage_failed, call_id, error)

    def _wake(self, call_id: str) -> None:
        if live := self.calls.get(call_id):
            live.persisted_moved.set()

    def _storage_failed(self, call_id: str, error: StorageError) -> None:
        if live := self.calls.get(call_id):
            live.storage_failed(error)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
