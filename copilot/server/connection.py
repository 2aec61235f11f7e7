"""What all sockets have in common: tasks that live as long as the socket, one outlet, one goodbye."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from copilot.errors import CopilotError, RemoteProtocolError
from copilot.events import (
    CallEvent,
    CardAcked,
    CardRendered,
    DtmfReceived,
    Marked,
    RolesSwapped,
    StepTicked,
    StepWaived,
    SupervisorMessaged,
)
from copilot.ingress.rate import Bucket
from copilot.server.outlet import Outlet, SlowConsumer
from copilot.wire.codec import close_code_for, encode, error_message
from copilot.wire.messages import Error, Message

if TYPE_CHECKING:
    from copilot.server.service import Service

SLOW = RemoteProtocolError("viewer.slow", "events were not read in time", close_code=4413, hint="Resume by `seq`.")
GOODBYE_S = 2.0
ANNOUNCE_S = 0.5
COMMANDS = (
    CardAcked,
    CardRendered,
    DtmfReceived,
    Marked,
    RolesSwapped,
    StepTicked,
    StepWaived,
    SupervisorMessaged,
)
"""What a peer may send so many of: not its audio, and nothing that starts, pauses or ends a call."""


class Connection:
    """One accepted socket. Subclasses spawn their tasks; whoever calls ``finish`` first decides how it closes."""

    def __init__(self, service: Service, socket: WebSocket) -> None:
        settings = service.settings.server
        self.service = service
        self.socket = socket
        self._commands = Bucket(settings.commands_per_s, settings.command_burst)
        self.outlet = Outlet(socket, limit=settings.viewer_queue, timeout_s=settings.viewer_send_timeout_s)
        self._goodbye: Message | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._done: asyncio.Future[tuple[int, str] | None] = asyncio.get_running_loop().create_future()

    async def live(self) -> None:
        """Until somebody finishes it; then say goodbye. Raises what a task raised unexpectedly."""
        self.spawn(self.outlet.run())
        self.service.connections.add(self)
        try:
            close = await self._done
            if close:
                await self._say_goodbye(*close)
        finally:
            self.service.connections.discard(self)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` as long as the socket lives."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def finish(self, code: int | None = None, reason: str = "") -> None:
        """Close with ``code``; None when the peer is gone already."""
        if not self._done.done():
            self._done.set_result(None if code is None else (code, reason))

    async def send(self, message: Message) -> None:
        """Queue an answer to this peer."""
        await self.outlet.put(encode(message))

    async def announce(self, message: Message) -> None:
        """Send something before the socket is cut off, if the peer reads it soon."""
        try:
            async with asyncio.timeout(ANNOUNCE_S):
                await self.send(message)
                await self.outlet.drained()
        except (TimeoutError, SlowConsumer):
            return  # it finds out by the close frame

    async def has_room(self, event: CallEvent) -> bool:
        """Whether one more event may come; a peer that sends too many commands is told to wait, and loses this one."""
        if not isinstance(event, COMMANDS):
            return True
        wait_s = self._commands.take(self.service.clock.now())
        if wait_s:
            hint = f"Wait {max(1, round(wait_s * 1000))} ms."
            await self.send(Error(code="rate.exceeded", message="too many commands", retryable=True, hint=hint))
        return not wait_s

    async def follow(self, frames: AsyncGenerator[bytes]) -> None:
        """Send frames as fast as the peer reads them."""
        async with aclosing(frames):
            async for frame in frames:
                await self.outlet.send(frame)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None or self._done.done():
            return
        if isinstance(error, SlowConsumer):
            self.finish(close_code_for(SLOW), SLOW.code)
        elif isinstance(error, WebSocketDisconnect):
            self.finish()
        elif isinstance(error, CopilotError):
            self._goodbye = error_message(error)
            self.finish(close_code_for(error), error.code)
        else:
            self._done.set_exception(error)

    async def _say_goodbye(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(GOODBYE_S):
                if self._goodbye:
                    await self.outlet.put(encode(self._goodbye))
                await self.outlet.drained()
                if self.socket.application_state is WebSocketState.CONNECTED:
                    await self.socket.close(code, reason)
        except (TimeoutError, RuntimeError, WebSocketDisconnect, SlowConsumer):
            return  # the peer does not read any more: there is nobody to say goodbye to
