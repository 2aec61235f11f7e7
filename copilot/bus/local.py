"""The bus inside one process. Other buses deliver through it, so order and gaps are decided here only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

from copilot.bus.model import Entry, Lagged
from copilot.config import BusSettings


class Topic:
    """A log of consecutive entries of which the newest ``length`` are kept."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._bodies: dict[int, bytes] = {}
        self.first = 1  # number of the oldest entry kept (of the next one when none is)
        self.last = 0
        self.over = False
        self.readers: set[LocalSubscription] = set()

    def append(self, seq: int | None, body: bytes) -> Entry | None:
        """Take an entry; None for one we have had."""
        seq = self.last + 1 if seq is None else seq
        if seq <= self.last:
            return None
        if seq > self.last + 1:  # entries are missing: whoever wants them has to ask the store
            self._bodies.clear()
        if not self._bodies:
            self.first = seq
        self._bodies[seq] = body
        self.last = seq
        if len(self._bodies) > self._length:
            del self._bodies[self.first]
            self.first += 1
        self.wake()
        return Entry(seq, body)

    def entry(self, seq: int) -> Entry:
        return Entry(seq, self._bodies[seq])

    def entries(self, after_seq: int) -> list[Entry]:
        """What is kept of the entries above ``after_seq``."""
        return [self.entry(seq) for seq in range(max(self.first, after_seq + 1), self.last + 1)]

    def wake(self) -> None:
        for reader in self.readers:
            reader.wake()


class LocalSubscription:
    """A position in a topic. One task reads it."""

    def __init__(self, name: str, topic: Topic, after_seq: int | None, on_closed: Callable[[], None]) -> None:
        self._name = name
        self._topic = topic
        # "From now on" in a topic of which nothing is known yet: from whatever comes first.
        self._after = topic.last or None if after_seq is None else after_seq
        self._news = asyncio.Event()
        self._on_closed = on_closed
        self._closed = False
        topic.readers.add(self)

    def wake(self) -> None:
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Entry:
        while not self._closed:
            if self._after is None and self._topic.last:
                self._after = self._topic.first - 1
            if self._after is not None and self._after < self._topic.last:
                if self._after + 1 < self._topic.first:
                    raise Lagged(self._name, self._after)
                self._after += 1
                return self._topic.entry(self._after)
            if self._topic.over:
                break
            self._news.clear()
            await self._news.wait()
        await self.aclose()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._topic.readers.discard(self)
            self.wake()
            self._on_closed()


class LocalBus:
    """Topics in memory. ``stream_length`` bounds each; ``forget`` frees it."""

    def __init__(self, settings: BusSettings) -> None:
        self._length = settings.stream_length
        self._topics: dict[str, Topic] = {}
        self._closed = False

    async def publish(self, topic: str, seq: int | None, body: bytes) -> None:
        self.topic(topic).append(seq, body)

    def subscribe(self, topic: str, after_seq: int | None = 0) -> LocalSubscription:
        return self.read(topic, after_seq, _nothing)

    def read(self, name: str, after_seq: int | None, on_closed: Callable[[], None]) -> LocalSubscription:
        """``subscribe``, with a word when the subscription ends."""
        topic = self.topic(name)
        if self._closed:
            topic.over = True
        return LocalSubscription(name, topic, after_seq, on_closed)

    def topic(self, name: str) -> Topic:
        """The log of that name; it begins with its first entry."""
        if name not in self._topics:
            self._topics[name] = Topic(self._length)
        return self._topics[name]

    def forget(self, topic: str) -> None:
        if over := self._topics.pop(topic, None):
            over.over = True
            over.wake()

    async def close(self) -> None:
        self._closed = True
        for name in list(self._topics):
            self.forget(name)


def _nothing() -> None:
    """Nobody asked to be told."""
