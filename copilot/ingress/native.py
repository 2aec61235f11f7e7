"""The native protocol on ``/v1/stream``, without the socket: what arrives goes in, what to do comes out.

    state     call.start    call.pause   call.resume  call.end    audio, gap   dtmf     other commands
    opening   -> starting   error        error        error       error        error    error
    starting  (the shell answers with ``started`` or ``refuse`` before it hands in anything else)
    live      error         -> paused    -            -> ended    taken        taken    taken
    paused    error         -            -> live      -> ended    missed       -        taken
    ended     -             -            -            -           -            -        -
    closed    -             -            -            -           -            -        -

``-`` is ignored. In every state but ``closed`` a ping is answered and an unknown type is ignored. Audio that arrives
while paused moves the timeline and its content is thrown away. Audio may come faster than real time: imports do, and
nothing is dropped for it; ``position_ms`` against the time elapsed tells how far ahead a peer is, and a shell slows it
down by not reading.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from copilot.errors import CopilotError, LocalProtocolError, RemoteProtocolError
from copilot.events import AudioMissed, AudioReceived, MediaFormat
from copilot.ingress.commands import as_event
from copilot.ingress.media import block_bytes, media_format
from copilot.ingress.out import Begin, Close, Deliver, Out, Rejoin, Reply
from copilot.ingress.placement import Counters, Placement
from copilot.wire.codec import close_code_for, decode_client, error_message
from copilot.wire.frames import unpack_frame
from copilot.wire.messages import (
    AudioGap,
    AudioNack,
    CallEnd,
    CallPause,
    CallResume,
    CallStart,
    CallStarted,
    CardAck,
    CardRenderedMessage,
    ClientMessage,
    Dtmf,
    Error,
    Mark,
    Ping,
    Pong,
    RolesSwap,
    StepTick,
    StepWaive,
    SupervisorSend,
)

State = Literal["opening", "starting", "live", "paused", "ended", "closed"]
Handler = Callable[["NativeSession", Any], list[Out]]


class NativeSession:
    """One connection. ``by`` names who is at the other end, for what is done by hand.

    Nothing here raises for what the peer did: a broken rule comes out as an ``error`` reply and a ``Close``.
    LocalProtocolError (``ingress.state``) means that the shell used the session wrongly.
    """

    def __init__(self, by: str = "") -> None:
        self.state: State = "opening"
        self.counters = Counters()
        self.epoch = 0
        self.media: MediaFormat | None = None
        self._by = by
        self._start: CallStart | None = None
        self._placement = Placement(1, 1, 0, self.counters)
        self._max_frame_bytes = 0
        self._max_samples = 0

    @property
    def expect(self) -> int:
        """The next sample offset wanted: everything before it was delivered."""
        return self._placement.expect

    @property
    def position_ms(self) -> int:
        """Media time of ``expect``."""
        return self.expect * 1000 // self.media.sample_rate_hz if self.media else 0

    def receive_text(self, text: str | bytes) -> list[Out]:
        """Take one text frame."""
        if self.state == "closed":
            return []
        try:
            message = decode_client(text)
            return [] if message is None else self._receive(message)
        except RemoteProtocolError as error:
            return self.refuse(error)

    def receive_binary(self, data: bytes) -> list[Out]:
        """Take one binary frame."""
        if self.state in ("ended", "closed"):
            return []
        self._not_starting()
        try:
            return self._receive_audio(data)
        except RemoteProtocolError as error:
            return self.refuse(error)

    def started(self, reply: CallStarted, media: MediaFormat, *, paused: bool = False) -> list[Out]:
        """The shell's answer to ``Begin`` or ``Rejoin``: the call is there, of this format, and ``paused`` or not."""
        start = self._start
        if self.state != "starting" or start is None:
            raise LocalProtocolError("ingress.state", f"started() while {self.state}")
        if start.media is not None and media_format(start.media) != media:
            return self.refuse(
                RemoteProtocolError(
                    "media.changed",
                    "the call was started with another audio format",
                    close_code=4406,
                    hint="Leave `media` out when resuming, or send what the call was started with.",
                )
            )
        self.state = "paused" if paused else "live"
        self.epoch = reply.epoch
        self.media = media
        self._placement = Placement(block_bytes(media), media.sample_rate_hz, reply.expect, self.counters)
        self._max_frame_bytes = reply.limits.max_frame_bytes
        self._max_samples = reply.limits.max_call_s * media.sample_rate_hz
        return [Reply(reply)]

    def refuse(self, error: CopilotError) -> list[Out]:
        """Say what is wrong and close: the peer's fault, or one the shell found (unknown call, no capacity, idle)."""
        if self.state == "closed":
            return []
        self.state = "closed"
        return [Reply(error_message(error)), Close(close_code_for(error), error.code)]

    def follow(self, *, paused: bool) -> None:
        """Whether the call is paused now: somebody else may have paused it, or gone on."""
        if self.state in ("live", "paused"):
            self.state = "paused" if paused else "live"

    def disconnected(self) -> None:
        """The socket is gone; nothing more comes out. Whether the call goes on is the shell's to decide."""
        self.state = "closed"

    # --- text -------------------------------------------------------------------------------------------------

    def _receive(self, message: ClientMessage) -> list[Out]:
        if isinstance(message, Ping):
            return [Reply(Pong(t=message.t))]
        self._not_starting()
        handler = self._HANDLERS[self.state].get(type(message))
        return handler(self, message) if handler else []

    def _begin(self, start: CallStart) -> list[Out]:
        if start.media is None and start.resume is None:
            raise RemoteProtocolError("media.missing", "a new call needs `media`: encoding, sample_rate, channels")
        if start.media is not None:
            media_format(start.media)
        self._start = start
        self.state = "starting"
        return [Begin(start) if start.resume is None else Rejoin(start.resume)]

    def _expect_start(self, _message: ClientMessage) -> list[Out]:
        raise RemoteProtocolError("protocol.expected_start", "the first message must be `call.start`")

    def _refuse_start(self, _message: CallStart) -> list[Out]:
        raise RemoteProtocolError("protocol.already_started", "this connection has its call already")

    def _deliver(self, message: ClientMessage) -> list[Out]:
        event = as_event(message, self._by)
        return [] if event is None else [Deliver(event)]

    def _pause(self, message: CallPause) -> list[Out]:
        self.state = "paused"
        return self._deliver(message)

    def _resume(self, message: CallResume) -> list[Out]:
        self.state = "live"
        return self._deliver(message)

    def _end(self, message: CallEnd) -> list[Out]:
        self.state = "ended"
        return self._deliver(message)

    def _gap(self, gap: AudioGap) -> list[Out]:
        if gap.offset + gap.samples > self._max_samples:
            raise RemoteProtocolError("audio.gap_too_long", "the gap ends after the longest call allowed")
        return self._placed(self._placement.gap(gap.offset, gap.samples))

    def _not_here(self, _message: SupervisorSend) -> list[Out]:
        code = "protocol.not_here"
        return [Reply(Error(code=code, message="send this on the call's events endpoint as a supervisor"))]

    # --- audio ------------------------------------------------------------------------------------------------

    def _receive_audio(self, data: bytes) -> list[Out]:
        start = self._start
        if start is None:
            raise RemoteProtocolError("protocol.expected_start", "audio came before `call.start`")
        if len(data) > self._max_frame_bytes:
            raise RemoteProtocolError(
                "frame.too_large", f"a frame holds at most {self._max_frame_bytes} bytes, got {len(data)}"
            )
        if start.media is not None and start.media.framing == "raw":
            return self._placed(self._placement.place(self.expect, data))
        frame = unpack_frame(data)
        if frame.epoch < self.epoch:
            self.counters.stale_frames += 1
            return []
        if frame.epoch > self.epoch:
            raise RemoteProtocolError("frame.epoch", f"epoch {frame.epoch}, this connection has {self.epoch}")
        return self._placed(self._placement.place(frame.offset, frame.payload))

    def _placed(self, placed: AudioReceived | AudioMissed | AudioNack | None) -> list[Out]:
        if placed is None:
            return []
        if isinstance(placed, AudioNack):
            return [Reply(placed)]
        if self.state == "paused" and isinstance(placed, AudioReceived):
            samples = self.expect - placed.offset
            self.counters.paused_samples += samples
            return [Deliver(AudioMissed(offset=placed.offset, samples=samples))]
        return [Deliver(placed)]

    def _not_starting(self) -> None:
        if self.state == "starting":
            raise LocalProtocolError("ingress.state", "answer with started() or refuse() before handing in more")

    # --- which message does what in which state; whatever a state does not name, it ignores -----------------------

    _COMMANDS: ClassVar[dict[type, Handler]] = dict.fromkeys(
        (Mark, CardRenderedMessage, CardAck, StepTick, StepWaive, RolesSwap), _deliver
    ) | {CallStart: _refuse_start, CallEnd: _end, AudioGap: _gap, SupervisorSend: _not_here}
    _HANDLERS: ClassVar[Mapping[State, Mapping[type, Handler]]] = {
        "opening": dict.fromkeys((*_COMMANDS, CallPause, CallResume, Dtmf), _expect_start) | {CallStart: _begin},
        "live": _COMMANDS | {CallPause: _pause, Dtmf: _deliver},
        "paused": _COMMANDS | {CallResume: _resume},
        "ended": {},
    }
