"""``/v1/stream``: audio up, the call's events down."""

from __future__ import annotations

import asyncio

from starlette.websockets import WebSocket, WebSocketDisconnect

from copilot.access.policy import Actor, require
from copilot.errors import CopilotError, LocalProtocolError, RemoteProtocolError
from copilot.events import AudioMissed, AudioReceived
from copilot.ingress.native import NativeSession
from copilot.ingress.out import Begin, Close, Deliver, Out, Rejoin, Reply
from copilot.server.connection import Connection
from copilot.server.doors import identify, subprotocol, turn_away
from copilot.server.live_call import LiveCall
from copilot.server.service import Service
from copilot.server.viewing import follow
from copilot.wire.messages import VERSION, AudioAck, CallStarted, Limits

IDLE = RemoteProtocolError("call.idle", "no audio for too long", close_code=4408, hint="Pause the call, or end it.")
SUPERSEDED = RemoteProtocolError("call.superseded", "another connection has taken over this call", close_code=4409)


async def stream(socket: WebSocket) -> None:
    """One softphone's connection, from the handshake to the close frame."""
    service: Service = socket.app.state.service
    try:
        actor = identify(socket, service.settings.access)
        if not socket.query_params.get("call_id"):  # a client that resumes says which call: it has its place already
            service.calls.check_capacity()
    except CopilotError as error:
        await turn_away(socket, error)
        return
    await socket.accept(subprotocol(socket))
    await StreamConnection(service, socket, actor).run()


class StreamConnection(Connection):
    """Joins a socket, a protocol session and a call. The call outlives the connection."""

    def __init__(self, service: Service, socket: WebSocket, actor: Actor) -> None:
        super().__init__(service, socket)
        self._service = service
        self._actor = actor
        self._session = NativeSession(by=actor.subject)
        self._call: LiveCall | None = None
        self._epoch = 0
        self._audio_came = asyncio.Event()

    async def run(self) -> None:
        """Until either side is done."""
        self.spawn(self._read())
        try:
            await self.live()
        finally:
            self._session.disconnected()
            if self._call:
                self._call.disconnect(self._epoch, self._service.clock.now())

    async def _read(self) -> None:
        while True:
            message = await self.socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1006))
            if self._call:
                self._session.follow(paused=self._call.paused)  # perhaps by a panel
            if (data := message.get("bytes")) is not None:
                outs = self._session.receive_binary(data)
            else:
                outs = self._session.receive_text(message.get("text") or "")
            await self._perform(outs)

    async def _perform(self, outs: list[Out]) -> None:
        for out in outs:
            if isinstance(out, Reply):
                await self.send(out.message)
            elif isinstance(out, Deliver):
                await self._deliver(out)
            elif isinstance(out, Close):
                self.finish(out.code, out.reason)
            else:
                await self._begin(out)

    async def _begin(self, out: Begin | Rejoin) -> None:
        last_seq = 0
        try:
            if isinstance(out, Begin):
                call = await self._service.calls.start(out.start, self._actor)
            else:
                call = self._service.calls.resume(out.resume)
                require(self._actor, "call.stream", call.resource)
                last_seq = out.resume.last_seq
        except CopilotError as error:
            await self._perform(self._session.refuse(error))
            return
        self._call = call
        self._epoch = call.connect()
        await call.handed_over()
        await self._perform(self._session.started(self._greeting(call), call.info.media, paused=call.paused))
        self.spawn(self._follow(call, last_seq))
        self.spawn(self._ack(call))
        self.spawn(self._watch_idle(call))
        self.spawn(self._watch_superseded(call.superseded))

    def _greeting(self, call: LiveCall) -> CallStarted:
        settings = self._service.settings.server
        return CallStarted(
            v=VERSION,
            call_id=call.info.call_id,
            resume_token=call.header.resume_token,
            epoch=self._epoch,
            expect=call.expect,
            limits=Limits(
                max_frame_bytes=settings.max_frame_bytes,
                max_call_s=settings.max_call_s,
                resume_window_s=settings.resume_window_s,
            ),
            playbook=call.info.playbook_id,
            server_time=self._service.utc(),
        )

    async def _deliver(self, out: Deliver) -> None:
        if self._call is None:
            raise LocalProtocolError("stream.no_call", "an event before the call")
        if self._epoch != self._call.epoch:
            return  # a newer connection feeds the call; this one is being closed
        if isinstance(out.event, AudioReceived | AudioMissed):
            self._audio_came.set()
        if await self.has_room(out.event):
            await self._call.deliver(out.event)

    async def _follow(self, call: LiveCall, after: int) -> None:
        await self.follow(follow(self._service, call.info.call_id, after))
        if not call.driver.call.is_finished:
            raise CopilotError("server.error", "the call broke off by a fault of the server", hint="Resume it later.")
        self.finish(1000, "call.ended")

    async def _ack(self, call: LiveCall) -> None:
        """Tell what is received and what is safe: at once, and each time more of it is on disk.

        At once, because a client whose buffer is full waits for it, and the last ack may have gone down with the
        connection before.
        """
        while self._epoch == call.epoch:
            await self.send(AudioAck(received=call.expect, persisted=call.journal.persisted))
            await call.persisted_moved.wait()
            call.persisted_moved.clear()

    async def _watch_idle(self, call: LiveCall) -> None:
        while True:
            self._audio_came.clear()
            try:
                async with asyncio.timeout(self._service.settings.server.idle_timeout_s):
                    await self._audio_came.wait()
            except TimeoutError:
                if not call.paused and not call.ending:
                    await self._perform(self._session.refuse(IDLE))
                    return

    async def _watch_superseded(self, superseded: asyncio.Event) -> None:
        await superseded.wait()
        await self._perform(self._session.refuse(SUPERSEDED))
