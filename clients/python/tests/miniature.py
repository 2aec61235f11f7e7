"""A copilot server in miniature: the real protocol session, calls in memory, and connections that break on purpose."""

import asyncio
import json
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response

from copilot.errors import NotFoundError, RemoteProtocolError
from copilot.events import AudioMissed, AudioReceived, HungUp
from copilot.ingress.media import media_format
from copilot.ingress.native import NativeSession
from copilot.ingress.out import Begin, Close, Deliver, Rejoin, Reply
from copilot.wire.codec import encode
from copilot.wire.messages import (
    AudioAck,
    CallEnded,
    CallMessage,
    CallStarted,
    Limits,
    MarkSet,
    MetricMessage,
    Totals,
)

NOTHING = Totals(duration_ms=0, utterances=0, cards_raised=0, cards_suppressed=0, steps_done=0, steps=0, gaps_ms=0)
LIMITS = Limits(max_frame_bytes=65_536, max_call_s=3600, resume_window_s=60)


@dataclass
class MemoryCall:
    """What one call has heard and said. Persisted lags behind received, as on a real disk."""

    media: object
    epoch: int = 0
    audio: bytearray = field(default_factory=bytearray)
    expect: int = 0
    persisted: int = 0
    is_paused: bool = False
    is_over: bool = False
    happened: list = field(default_factory=list)
    log: list = field(default_factory=list)
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    def receive(self, event) -> None:
        self.happened.append(event)
        if isinstance(event, AudioReceived):
            assert event.offset == self.expect
            self.audio += event.payload
            self.expect += len(event.payload) // 4
            self.say(MetricMessage, name="samples", value=self.expect)
        elif isinstance(event, AudioMissed):
            assert event.offset == self.expect
            self.audio += bytes(event.samples * 4)
            self.expect += event.samples
        elif isinstance(event, HungUp) and not self.is_over:
            self.is_over = True
            self.say(CallEnded, reason=event.reason, totals=NOTHING, report_url="")
        else:
            self.say(MarkSet, label=type(event).__name__, set_by="")

    def say(self, kind: type[CallMessage], **fields) -> None:
        stamp = {"call_id": "call_1", "pos_ms": 0, "emitted_at": "2026-01-01T00:00:00.000Z"}
        self.log.append(kind(seq=len(self.log) + 1, **stamp, **fields))
        self.grown.set()
        self.grown = asyncio.Event()


class Server:
    """``cuts``: how many frames each connection may carry, both ways together, before it is torn down."""

    def __init__(self, cuts=(), refusal=None, status=()):
        self.calls: dict[str, MemoryCall] = {}
        self.cuts = list(cuts)
        self.refusal = refusal
        self.statuses = list(status)
        self.paths = []
        self.headers = []
        self.acks = True
        self.asides = []
        """Messages said once, right after ``call.started``."""
        self.replay_skips = 0
        self.persist_every = 3

    async def __aenter__(self):
        self._server = await serve(self._handle, "127.0.0.1", 0, process_request=self._admit, ping_interval=None)
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    @property
    def sockets(self):
        return self._server.connections

    async def __aexit__(self, *_):
        self._server.close(close_connections=True)
        await self._server.wait_closed()

    def _admit(self, _connection, request):
        self.paths.append(request.path)
        self.headers.append(dict(request.headers.raw_items()))
        if self.statuses:
            status, headers, body = self.statuses.pop(0)
            return Response(status, "no", Headers(headers), body)
        return None

    async def _handle(self, socket: ServerConnection):
        connection = Connection(self, socket, self.cuts.pop(0) if self.cuts else None)
        parts = urlsplit(socket.request.path)
        try:
            if parts.path == "/v1/stream":
                await connection.stream()
            else:
                call = self.calls[parts.path.split("/")[3]]
                await connection.tell(call, int(parse_qs(parts.query)["after"][0]))
        except (ConnectionClosed, ConnectionResetError):
            return


class Connection:
    def __init__(self, server: Server, socket: ServerConnection, budget: int | None):
        self.server = server
        self.socket = socket
        self.budget = budget

    def spend(self) -> None:
        if self.budget is not None:
            self.budget -= 1
            if self.budget < 0:
                self.socket.transport.abort()
                raise ConnectionResetError

    async def send(self, message) -> None:
        self.spend()
        await self.socket.send(encode(message).decode())

    async def stream(self) -> None:
        session = NativeSession()
        async with asyncio.TaskGroup() as tasks:
            self.teller = None
            try:
                while True:
                    data = await self.socket.recv()
                    self.spend()
                    outs = session.receive_binary(data) if isinstance(data, bytes) else session.receive_text(data)
                    await self.act(session, outs, tasks)
            except (ConnectionClosed, ConnectionResetError):
                session.disconnected()
                if self.teller:
                    self.teller.cancel()

    async def act(self, session, outs, tasks) -> None:
        for out in outs:
            match out:
                case Reply(message):
                    await self.send(message)
                case Close(code, reason):
                    await self.socket.close(code, reason)
                case Begin(start):
                    call = self.server.calls["call_1"] = MemoryCall(media_format(start.media))
                    await self.take_up(session, call, 0, tasks)
                case Rejoin(resume):
                    call = self.server.calls[resume.call_id]
                    await self.take_up(session, call, resume.last_seq, tasks)
                case Deliver(event):
                    await self.deliver(event)

    async def take_up(self, session, call, last_seq, tasks) -> None:
        error = self.server.refusal
        if error is None and call.is_over:
            error = RemoteProtocolError("resume.expired", "the call is over", close_code=4410)
        if error:
            await self.act(session, session.refuse(error), tasks)
            return
        self.call = call
        call.epoch += 1
        reply = CallStarted(
            v=1,
            call_id="call_1",
            resume_token=f"token {call.epoch}",
            epoch=call.epoch,
            expect=call.expect,
            limits=LIMITS,
            playbook="",
            server_time="",
        )
        await self.act(session, session.started(reply, call.media, paused=call.is_paused), tasks)
        while self.server.asides:
            await self.send(self.server.asides.pop(0))
        self.teller = tasks.create_task(self.tell_quietly(call, last_seq))

    async def deliver(self, event) -> None:
        call = self.call
        if call.is_over:
            return
        call.receive(event)
        name = type(event).__name__
        call.is_paused = name == "Paused" or (call.is_paused and name != "Resumed")
        if name == "AudioReceived" and self.server.acks and len(call.log) % self.server.persist_every == 0:
            await self.send(AudioAck(received=call.expect, persisted=call.persisted))
            call.persisted = call.expect

    async def tell_quietly(self, call, after) -> None:
        try:
            await self.tell(call, after)
        except (ConnectionClosed, ConnectionResetError):
            return

    async def tell(self, call, after) -> None:
        """Every event after number ``after``, as it comes."""
        sent = after
        while True:
            while sent < len(call.log):
                sent += 1
                if self.server.replay_skips:
                    self.server.replay_skips -= 1
                    continue
                await self.send(call.log[sent - 1])
                if isinstance(call.log[sent - 1], CallEnded):
                    await self.socket.close(1000)
                    return
            await call.grown.wait()


def events_of(log) -> list[dict]:
    return [json.loads(encode(message)) for message in log]


def unknown_call():
    return NotFoundError("call.unknown", "no such call")
