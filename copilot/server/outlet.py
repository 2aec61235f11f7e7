"""What goes out on one socket: a bounded queue and one writer, so that a slow reader harms nobody but itself."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from starlette.websockets import WebSocketDisconnect


class SlowConsumer(Exception):  # noqa: N818
    """The reader at the other end has not kept up; it may come back and resume by ``seq``."""


class Sink(Protocol):
    """Where frames go: a WebSocket."""

    async def send_text(self, data: str) -> None: ...


class Outlet:
    """Sends frames in order; nothing is ever dropped.

    Events of a call are pulled: ``send`` waits for room, and whoever follows the call simply falls behind. Answers to
    the peer are pushed with ``put``. A peer that takes no frame for ``timeout_s`` is a SlowConsumer.
    """

    def __init__(self, sink: Sink, *, limit: int, timeout_s: float) -> None:
        self._sink = sink
        self._limit = limit
        self._timeout_s = timeout_s
        self._queue: deque[bytes] = deque()
        self._changed = asyncio.Condition()
        self._is_broken = False

    async def send(self, frame: bytes) -> None:
        """Queue a frame, waiting while the queue is full."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._queue) < self._limit)
            self._queue.append(frame)
            self._changed.notify_all()

    async def put(self, frame: bytes) -> None:
        """Queue a frame at once. Raises SlowConsumer when the peer asks much and reads nothing."""
        if len(self._queue) >= 2 * self._limit:
            raise SlowConsumer
        async with self._changed:
            self._queue.append(frame)
            self._changed.notify_all()

    async def run(self) -> None:
        """Write until cancelled or the peer goes. Raises SlowConsumer when it does not read in time."""
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: bool(self._queue))
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._sink.send_text(self._queue[0].decode())
            except TimeoutError as error:
                await self._break()
                raise SlowConsumer from error
            except (WebSocketDisconnect, RuntimeError):
                await self._break()  # the reader of the socket finds out as well, and finishes the connection
                return
            async with self._changed:
                self._queue.popleft()
                self._changed.notify_all()

    async def drained(self) -> None:
        """Wait until everything queued was written, or never will be."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._is_broken or not self._queue)

    async def _break(self) -> None:
        async with self._changed:
            self._is_broken = True
            self._changed.notify_all()
