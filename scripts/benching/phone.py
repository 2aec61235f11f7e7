"""One call over ``/v1/stream`` at the pace of speech, cheap enough that hundreds fit into one process.

Audio frames are encoded beforehand (see ``tape``) and written to the socket as they are; everything else on the
connection goes through websockets' own protocol machine. Messages are kept as they came, with the time they came, and
read when the run is over.
"""

from __future__ import annotations

import asyncio
from array import array
from typing import Any

import msgspec
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from copilot.wire.messages import SUBPROTOCOL

from .tape import EPOCH, Tape

FAREWELL_S = 120.0
"""How long a server may take from the last sample to ``call.ended``."""
MAX_MESSAGE_BYTES = 4 * 2**20


class Refusal(msgspec.Struct, frozen=True):
    """Why a call was not taken. ``after_s``: from the first SYN to the refusal."""

    after_s: float
    status: int
    code: str
    retry_after_s: float | None


class CallRun(msgspec.Struct):
    """One call as its caller saw it. Times are the event loop's; ``began`` is when the first sample was spoken."""

    tape: Tape
    line: int
    asked: float
    began: float = 0.0
    call_id: str = ""
    sent_samples: int = 0
    raw: list[tuple[float, bytes]] = []
    refusal: Refusal | None = None
    trouble: str = ""
    nacks: int = 0
    hung_up: float = 0.0
    ended: float = 0.0
    late_s: Any = msgspec.field(default_factory=lambda: array("f"))
    """How late each frame was sent: the trust one can put into the other figures."""
    unsent_bytes: int = 0

    @property
    def sent_s(self) -> float:
        return self.sent_samples / self.tape.sample_rate_hz

    @property
    def is_whole(self) -> bool:
        return self.sent_samples == self.tape.samples

    def messages(self) -> list[dict[str, Any]]:
        """The call's events, each with ``at``: seconds since the first sample was spoken."""
        decoded = [(at, msgspec.json.decode(raw)) for at, raw in self.raw]
        return [{**message, "at": at - self.began} for at, message in decoded if "seq" in message]


class _Reply(msgspec.Struct):
    """As much of a message as is needed while the clock runs."""

    type: str
    code: str = ""
    message: str = ""
    call_id: str = ""
    epoch: int = 0


_REPLY = msgspec.json.Decoder(_Reply)


class Phone(asyncio.Protocol):
    """Plays a tape into a call, for at most ``limit_s``.

    ``spoken`` is set when the caller has hung up, ``over`` (and ``spoken``) when nothing more will happen.
    """

    def __init__(self, run: CallRun, address: str, limit_s: float) -> None:
        self.run = run
        self.spoken, self.over = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._socket = ClientProtocol(
            parse_uri(f"ws://{address}/v1/stream"),
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            max_size=MAX_MESSAGE_BYTES,
        )
        self._limit = min(len(run.tape.frames), int(limit_s * 1000 / run.tape.frame_ms))
        self._next = 0
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    # --- the connection -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # for the type checker
        self._transport = transport
        self._socket.send_request(self._socket.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        now = self._loop.time()
        self._socket.receive_data(data)
        for event in self._socket.events_received():
            if isinstance(event, Frame):
                if event.opcode is Opcode.TEXT:
                    self._take(now, bytes(event.data))
            elif self._socket.handshake_exc is None:
                self._start()
            else:
                self._refused(now, self._socket.handshake_exc)
        self._flush()

    def eof_received(self) -> bool:
        self._socket.receive_eof()
        self._flush()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        if error:
            self.run.trouble = self.run.trouble or type(error).__name__
        self._finish()

    # --- the call -------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        tape = self.run.tape
        media = {"encoding": "pcm_s16le", "sample_rate": tape.sample_rate_hz, "channels": tape.channels}
        start = {"type": "call.start", "v": 1, "media": media, "language": tape.truth.lang}
        self._socket.send_text(msgspec.json.encode(start))

    def _take(self, now: float, raw: bytes) -> None:
        reply = _REPLY.decode(raw)
        run = self.run
        if reply.type == "call.started":
            run.call_id, run.began = reply.call_id, now
            if reply.epoch != EPOCH:
                self._fail(f"epoch {reply.epoch}")
                return
            self._send()
        elif reply.type == "error" and not run.call_id:
            run.refusal = Refusal(now - run.asked, 0, reply.code, None)
        elif reply.type == "error":
            run.trouble = reply.code
        elif reply.type == "audio.nack":
            run.nacks += 1
        elif reply.type != "audio.ack":  # what was lost is told by ``call.ended``
            run.raw.append((now, raw))
            run.ended = now

    def _send(self) -> None:
        """Send every frame that is spoken by now, and come again when the next one is."""
        run, frame_s = self.run, self.run.tape.frame_ms / 1000
        if self._transport is None or self._transport.is_closing():
            return
        now = self._loop.time()
        due = min(int((now - run.began) / frame_s + 1e-6), self._limit)
        if due > self._next:
            run.late_s.append(now - run.began - (self._next + 1) * frame_s)
            self._transport.write(b"".join(run.tape.frames[self._next : due]))
            run.unsent_bytes = max(run.unsent_bytes, self._transport.get_write_buffer_size())
            self._next = due
            per_frame = run.tape.sample_rate_hz * run.tape.frame_ms // 1000
            run.sent_samples = min(due * per_frame, run.tape.samples)
        if due < self._limit:
            self._timer = self._loop.call_at(run.began + (due + 1) * frame_s, self._send)
        else:
            self._socket.send_text(b'{"type":"call.end"}')
            self._flush()
            run.hung_up = now
            self.spoken.set()
            self._timer = self._loop.call_later(FAREWELL_S, self._fail, "call.ended never came")

    def _refused(self, now: float, error: Exception) -> None:
        if isinstance(error, InvalidStatus):
            response = error.response
            wait = response.headers.get("Retry-After", "")
            self.run.refusal = Refusal(
                now - self.run.asked,
                response.status_code,
                _code_in(bytes(response.body or b"")),
                float(wait) if wait.isdecimal() else None,
            )
        else:
            self.run.trouble = type(error).__name__

    def _fail(self, why: str) -> None:
        self.run.trouble = why
        if self._transport:
            self._transport.abort()

    def _flush(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        for data in self._socket.data_to_send():
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                self._transport.write_eof()

    def _finish(self) -> None:
        if self._timer:
            self._timer.cancel()
        self.spoken.set()
        self.over.set()


def _code_in(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["error"]["code"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return ""


async def ring(run: CallRun, address: str, limit_s: float) -> Phone | None:
    """Begin to play a call's tape. None when there is no connection: ``run`` says why."""
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    try:
        _, phone = await loop.create_connection(lambda: Phone(run, address, limit_s), host, int(port))
    except OSError as error:
        run.trouble = type(error).__name__
        return None
    return phone
