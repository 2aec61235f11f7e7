"""The bus across processes, through Redis Streams. Redis going away never disturbs the node that has the call.

Every node delivers to its own subscribers first, through a ``LocalBus``; Redis only connects the nodes:

outlets   what this node published and Redis has not confirmed, per topic. One task sends it. After any failure it
          asks Redis for the last entry of a call's stream and goes on behind it, out of the local backlog, so that
          entries lost by a restarted Redis are published again and none twice.
readers   one task for each topic that is watched here and published elsewhere, feeding the local topic.

A call's entry has the id ``<seq>-0``. Entries of a topic numbered by the bus get Redis's own ids and carry the name
of their node, which leaves out its own when reading.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import structlog

from copilot.bus.local import LocalBus, LocalSubscription
from copilot.bus.model import FLOOR, Degraded, Entry
from copilot.config import BusSettings
from copilot.errors import ConfigError

try:
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
except ImportError as missing:
    raise ConfigError(
        "config.bus", "`bus.url` is set but redis-py is missing", hint="Install `call-copilot[redis]`."
    ) from missing

PREFIX = "copilot:"
BATCH = 500
BLOCK_MS = 1_000
"""How long one read waits for news; only bounds how fast a reader notices that its connection is dead."""
LIVE_TTL_S = 86_400
OVER_TTL_S = 60
"""How long a finished call's stream stays for viewers on other nodes; afterwards there is the store."""
BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0)
AWAY = (RedisError, OSError)

_log = structlog.get_logger()


class _Outlet:
    """What has to go out for one topic, oldest first; when there is too much the oldest are given up."""

    def __init__(self, *, is_call: bool, length: int) -> None:
        self.is_call = is_call
        self.pending: deque[Entry] = deque(maxlen=length)
        self.unsure = True  # what does Redis have of this topic?
        self.over = False

    def confirm(self, seq: int) -> None:
        """Redis has everything up to ``seq``."""
        while self.pending and self.pending[0].seq <= seq:
            self.pending.popleft()


class _Reader:
    """One remote topic being followed for ``subscribers`` here."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self.task = task
        self.subscribers = 0


class RedisBus:
    """``node`` must differ between processes. ``on_degraded`` runs on the event loop."""

    def __init__(self, settings: BusSettings, *, node: str, on_degraded: Degraded | None = None) -> None:
        self._settings = settings
        self._node = node.encode()
        self._on_degraded = on_degraded
        self._local = LocalBus(settings)
        self._outlets: dict[str, _Outlet] = {}
        self._readers: dict[str, _Reader] = {}
        self._work = asyncio.Event()
        self._degraded = False
        # redis-py may turn a cancellation into an error of its own, so the tasks look for themselves whether to go on.
        self._closing = False
        self._sender: asyncio.Task[None] | None = None
        self._client = _client(settings, settings.command_timeout_s)
        self._reading = _client(settings, settings.command_timeout_s + BLOCK_MS / 1000)

    def start(self) -> None:
        """Begin sending; Redis need not be there yet."""
        self._sender = asyncio.create_task(self._send_forever(), name="bus-sender")
        self._work.set()  # say early whether Redis is there

    @property
    def degraded(self) -> bool:
        """Are other nodes out of reach at the moment?"""
        return self._degraded

    async def publish(self, topic: str, seq: int | None, body: bytes) -> None:
        entry = self._local.topic(topic).append(seq, body)
        if entry is None:
            return
        outlet = self._outlets.get(topic)
        if outlet is None:
            outlet = _Outlet(is_call=seq is not None, length=self._settings.stream_length)
            self._outlets[topic] = outlet
            if outlet.is_call:  # nobody else publishes it
                self._stop_reader(topic)
        outlet.pending.append(entry)
        self._work.set()

    def subscribe(self, topic: str, after_seq: int | None = 0) -> LocalSubscription:
        if topic in self._outlets and topic != FLOOR:
            return self._local.subscribe(topic, after_seq)
        if topic not in self._readers:
            self._start_reader(topic, after_seq)
        reader = self._readers[topic]
        reader.subscribers += 1
        return self._local.read(topic, after_seq, lambda: self._unsubscribed(topic, reader))

    def forget(self, topic: str) -> None:
        self._local.forget(topic)
        self._stop_reader(topic)
        if outlet := self._outlets.get(topic):
            outlet.over = True
            self._work.set()
            if self._degraded:  # nobody waits for it: viewers of a finished call ask the store
                del self._outlets[topic]

    async def close(self) -> None:
        self._closing = True
        for topic in list(self._readers):
            self._stop_reader(topic)
        if self._sender:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
            await self._last_words()
        await self._local.close()
        await self._client.aclose()
        await self._reading.aclose()

    async def _last_words(self) -> None:
        """What is still to be sent, if Redis takes it at once."""
        unsent = [outlet for outlet in self._outlets.values() if outlet.pending or outlet.over]
        if self._degraded or not unsent:
            return
        for outlet in unsent:
            outlet.unsure = True  # the sender may have been interrupted
        try:
            async with asyncio.timeout(self._settings.command_timeout_s):
                await self._send_pending()
        except (*AWAY, TimeoutError) as error:
            _log.warning("bus.unsent", reason=type(error).__name__)

    # --- sending ----------------------------------------------------------------------------------------------

    async def _send_forever(self) -> None:
        failures = 0
        while not self._closing:
            if not self._degraded:
                await self._work.wait()
            self._work.clear()
            try:
                await self._send_pending()
            except AWAY as error:
                if self._closing:
                    return
                self._lost(error)
                await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
                failures += 1
            else:
                failures = 0
                self._found()

    async def _send_pending(self) -> None:
        if not self._outlets:
            await self._client.ping()
        for topic, outlet in list(self._outlets.items()):
            if outlet.unsure:
                await self._make_sure(topic, outlet)
            while outlet.pending:
                await self._send_batch(topic, outlet)
            if outlet.over:
                await self._client.expire(PREFIX + topic, OVER_TTL_S)
                self._outlets.pop(topic, None)

    async def _make_sure(self, topic: str, outlet: _Outlet) -> None:
        """Find out what Redis has of a call, and prepare to send everything behind it that is still here."""
        newest: Any = await self._client.xrevrange(PREFIX + topic, count=1)
        if outlet.is_call and not outlet.over:
            last = _seq(newest[0][0]) if newest else 0
            outlet.pending = deque(self._local.topic(topic).entries(last), maxlen=outlet.pending.maxlen)
        await self._client.expire(PREFIX + topic, LIVE_TTL_S)
        outlet.unsure = False

    async def _send_batch(self, topic: str, outlet: _Outlet) -> None:
        batch = [outlet.pending[n] for n in range(min(BATCH, len(outlet.pending)))]
        pipeline = self._client.pipeline(transaction=False)
        for entry in batch:
            pipeline.xadd(
                PREFIX + topic,
                {b"body": entry.body, b"node": self._node},
                id=f"{entry.seq}-0" if outlet.is_call else "*",
                maxlen=self._settings.stream_length,
            )
        await pipeline.execute()
        outlet.confirm(batch[-1].seq)

    def _lost(self, error: Exception) -> None:
        self._work.set()  # the sender is the one to find out when Redis is back
        for topic, outlet in list(self._outlets.items()):
            outlet.unsure = True
            if outlet.over:
                del self._outlets[topic]
        if not self._degraded:
            self._degraded = True
            _log.warning("bus.degraded", reason=type(error).__name__)
            self._tell(type(error).__name__)

    def _found(self) -> None:
        if self._degraded:
            self._degraded = False
            _log.info("bus.restored")
            self._tell("")

    def _tell(self, reason: str) -> None:
        if self._on_degraded:
            try:
                self._on_degraded(self._degraded, reason)
            except Exception:  # noqa: BLE001  # logged; the tasks of the bus outlive it
                _log.exception("bus.callback_failed")

    # --- reading ----------------------------------------------------------------------------------------------

    def _start_reader(self, topic: str, after_seq: int | None) -> None:
        known = self._local.topic(topic).last
        begin = None if topic == FLOOR or (after_seq is None and not known) else f"{max(after_seq or 0, known)}-0"
        task = asyncio.create_task(self._read_forever(topic, begin), name=f"bus-reader {topic}")
        self._readers[topic] = _Reader(task)

    def _unsubscribed(self, topic: str, reader: _Reader) -> None:
        reader.subscribers -= 1
        if not reader.subscribers and self._readers.get(topic) is reader:
            self._stop_reader(topic)
            if topic not in self._outlets:
                self._local.forget(topic)

    def _stop_reader(self, topic: str) -> None:
        if reader := self._readers.pop(topic, None):
            reader.task.cancel()

    async def _read_forever(self, topic: str, begin: str | None) -> None:
        """Feed the local topic from ``begin`` (None: from now on), however often Redis comes and goes."""
        failures = 0
        position = begin
        me = asyncio.current_task()
        while (reader := self._readers.get(topic)) and reader.task is me:
            try:
                if position is None:
                    newest: Any = await self._reading.xrevrange(PREFIX + topic, count=1)
                    position = newest[0][0].decode() if newest else "0-0"
                found: Any = await self._reading.xread({PREFIX + topic: position}, count=BATCH, block=BLOCK_MS)
            except AWAY as error:
                if not self._closing:
                    self._lost(error)
                    await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
                    failures += 1
                continue
            failures = 0
            for entry_id, fields in found[0][1] if found else ():
                position = entry_id.decode()
                self._take(topic, entry_id, fields)

    def _take(self, topic: str, entry_id: bytes, fields: dict[bytes, bytes]) -> None:
        if topic != FLOOR:
            self._local.topic(topic).append(_seq(entry_id), fields[b"body"])
        elif fields[b"node"] != self._node:
            self._local.topic(topic).append(None, fields[b"body"])


def _client(settings: BusSettings, timeout_s: float) -> Redis:
    """No retries inside the client: its defaults hold a command for seconds, and we retry with a plan."""
    try:
        return Redis.from_url(
            settings.url,
            socket_timeout=timeout_s,
            socket_connect_timeout=settings.command_timeout_s,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
    except ValueError as error:
        raise ConfigError(
            "config.bus", "`bus.url` is not the URL of a Redis", hint="Use `redis://host:6379/0`, or leave it empty."
        ) from error


def _seq(entry_id: bytes) -> int:
    return int(entry_id.split(b"-")[0])
