"""One live call on this node: its driver, what is kept of it, and the connection it is fed from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec
import structlog

from copilot.access.policy import Resource
from copilot.bus import Bus, call_topic
from copilot.errors import StorageError
from copilot.events import AudioMissed, AudioReceived, CallEvent, CallInfo, HungUp, LoadStage, Paused, Publish, Resumed
from copilot.server.drive import Driver
from copilot.server.header import Header
from copilot.store.journal import JournalHandle
from copilot.store.recording import ENTRY, encode_entry
from copilot.store.rows import Sessions
from copilot.wire.messages import AnyCallMessage, CallMessage

log = structlog.get_logger(__name__)

_DECODER = msgspec.json.Decoder(AnyCallMessage)


class Kept:
    """Everything that happens to a call, kept in order: events in the journal, messages in the store and on the bus."""

    def __init__(
        self,
        info: CallInfo,
        *,
        journal: JournalHandle,
        store: Sessions,
        bus: Bus,
        block_bytes: int,
        watch: Callable[[CallMessage], None],
    ) -> None:
        self._call_id = info.call_id
        self._journal = journal
        self._store = store
        self._bus = bus
        self._block_bytes = block_bytes
        self._watch = watch
        self._outgoing: asyncio.Queue[Publish | None] = asyncio.Queue()

    def record(self, now: float, event: CallEvent) -> None:
        """Append to the journal; audio advances what is persisted once it is on disk."""
        offset_after = None
        if isinstance(event, AudioReceived):
            offset_after = event.offset + len(event.payload) // self._block_bytes
        elif isinstance(event, AudioMissed):
            offset_after = event.offset + event.samples
        self._journal.append(ENTRY, encode_entry(now, event), offset_after=offset_after)

    def publish(self, effect: Publish, pos_ms: int) -> None:
        """Hand a message to the bus, show it to the floor, and store it. Raises StorageError after the first two."""
        body = bytes(effect.message)
        self._outgoing.put_nowait(effect)
        self._watch(_DECODER.decode(body))
        self._store.append_event(self._call_id, effect.seq, effect.type, pos_ms, body)

    async def forward(self) -> None:
        """Put messages on the bus in order, until ``close``."""
        topic = call_topic(self._call_id)
        while (effect := await self._outgoing.get()) is not None:
            await self._bus.publish(topic, effect.seq, bytes(effect.message))

    def close(self) -> None:
        """No more messages will come."""
        self._outgoing.put_nowait(None)


@dataclass
class LiveCall:
    """A call that has not ended. ``epoch`` counts connections: the newest feeds the call, older ones are closed.

    ``expect``, ``paused`` and ``without`` (the overload stages it was told of) speak of what was handed in, of which
    the driver may still have to handle the last bit.
    """

    header: Header
    driver: Driver
    kept: Kept
    journal: JournalHandle
    expect: int = 0
    paused: bool = False
    without: tuple[LoadStage, ...] = ()
    epoch: int = 0
    superseded: asyncio.Event = field(default_factory=asyncio.Event)
    persisted_moved: asyncio.Event = field(default_factory=asyncio.Event)
    lost_at: float | None = None
    _handing_in: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def info(self) -> CallInfo:
        """What the call is."""
        return self.header.info

    @property
    def resource(self) -> Resource:
        """Whose call this is."""
        return Resource(rep_id=self.info.rep_id, started_by=self.header.started_by)

    def connect(self) -> int:
        """A connection takes over; returns its epoch. The one before learns that it was superseded."""
        self.superseded.set()
        self.superseded = asyncio.Event()
        self.epoch += 1
        self.lost_at = None
        return self.epoch

    def disconnect(self, epoch: int, now: float) -> None:
        """The connection of ``epoch`` is gone; if it was the newest, the resume window opens."""
        if epoch == self.epoch:
            self.lost_at = now

    async def handed_over(self) -> None:
        """Wait until what an older connection was handing in is in: only then ``expect`` is true."""
        async with self._handing_in:
            return

    async def deliver(self, event: CallEvent) -> None:
        """Hand in an event, after those that came before it, and keep count of its audio."""
        async with self._handing_in:
            for part in self._parts(event):
                await self.driver.put(part)
                self._count(part)

    def _parts(self, event: CallEvent) -> Iterator[CallEvent]:
        """Sound that comes while the call is paused is none; a long hole comes in pieces, for other calls' sake."""
        if isinstance(event, AudioReceived) and self.paused:
            event = AudioMissed(offset=event.offset, samples=len(event.payload) // self.block_bytes)
        if not isinstance(event, AudioMissed):
            yield event
            return
        end = event.offset + event.samples
        for offset in range(event.offset, end, self.info.media.sample_rate_hz):
            yield AudioMissed(offset=offset, samples=min(self.info.media.sample_rate_hz, end - offset))

    def _count(self, event: CallEvent) -> None:
        if isinstance(event, AudioReceived):
            self.expect = event.offset + len(event.payload) // self.block_bytes
        elif isinstance(event, AudioMissed):
            self.expect = event.offset + event.samples
        elif isinstance(event, Paused | Resumed):
            self.paused = isinstance(event, Paused)

    @property
    def ending(self) -> bool:
        """Hung up: no more audio is wanted."""
        return self.driver.call.is_hung_up

    @property
    def block_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return self.driver.call.block_bytes

    async def hang_up(self, reason: str) -> None:
        """End the call from this side."""
        await self.driver.put(HungUp(reason=reason))

    def close_journal(self) -> None:
        """Write out what is queued. Waits for the disk; safe to do twice."""
        try:
            self.journal.close()
        except StorageError as error:
            log.error("journal.incomplete", call_id=self.info.call_id, code=error.code)
