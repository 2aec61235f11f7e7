"""What goes out on one socket: a bounded queue and one writer, so that a slow reader harms nobody but itself."""

from __future__ import annotations

import asyncio
from collections import deque

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

INTERIM = b'{"type":"transcript.interim"'
METRIC = b'{"type":"metric"'


class SlowConsumer(Exception):  # noqa: N818
    """The reader at the other end has not kept up; it may come back and resume by ``seq``."""


class Outlet:
    """Sends frames in order. When the queue is full, waiting interims and metrics are dropped; nothing else ever is."""

    def __init__(self, socket: WebSocket, *, limit: int, timeout_s: float) -> None:
        self._socket = socket
        self._limit = limit
        self._timeout_s = timeout_s
        self._queue: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()
        self.dropped = 0

    def put(self, frame: bytes) -> None:
        """Queue one JSON frame. Raises SlowConsumer when the queue is full of frames that must not be lost."""
        if len(self._queue) >= self._limit:
            kept = deque(each for each in self._queue if not each.startswith((INTERIM, METRIC)))
            self.dropped += len(self._queue) - len(kept)
            self._queue = kept
            if len(self._queue) >= self._limit:
                raise SlowConsumer
        self._queue.append(frame)
        self._emptied.clear()
        self._filled.set()

    async def run(self) -> None:
        """Write until cancelled, the peer goes, or a frame cannot be sent in time (SlowConsumer)."""
        while True:
            await self._filled.wait()
            while self._queue:
                frame = self._queue.popleft()
                try:
                    async with asyncio.timeout(self._timeout_s):
                        await self._socket.send_text(frame.decode())
                except TimeoutError as error:
                    raise SlowConsumer from error
                except (WebSocketDisconnect, RuntimeError):
                    self._queue.clear()
                    self._emptied.set()
                    return
            self._filled.clear()
            self._emptied.set()

    async def drained(self) -> None:
        """Wait until everything queued was written."""
        if self._socket.application_state is WebSocketState.CONNECTED:
            await self._emptied.wait()
