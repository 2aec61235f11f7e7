"""Server to one connection. These have no sequence number."""

from __future__ import annotations

from copilot.wire.messages.base import Count, Message, PingToken, Value


class Limits(Value, frozen=True, kw_only=True):
    """What this server allows."""

    max_frame_bytes: Count
    max_call_s: Count
    resume_window_s: float


class CallStarted(Message, frozen=True, kw_only=True, tag="call.started"):
    """Answer to ``call.start``. ``expect``: the next sample offset (per channel, source rate) wanted."""

    v: int
    call_id: str
    resume_token: str
    epoch: Count
    expect: Count
    limits: Limits
    playbook: str
    server_time: str


class AudioAck(Message, frozen=True, kw_only=True, tag="audio.ack"):
    """Samples per channel at source rate: taken in, and safe on disk. The client may forget what is persisted."""

    received: Count
    persisted: Count


class AudioNack(Message, frozen=True, kw_only=True, tag="audio.nack"):
    """A hole: ``samples`` from ``offset`` never came. Go back to ``offset`` and send on from there, or declare an
    ``audio.gap`` and send on behind it: what was sent beyond the hole was dropped. Sent once per hole.
    """

    offset: Count
    samples: Count


class Error(Message, frozen=True, kw_only=True, tag="error"):
    """What went wrong and whose fault it is. When the socket closes for it, this message comes first."""

    code: str
    message: str
    retryable: bool = False
    hint: str = ""


class Pong(Message, frozen=True, kw_only=True, tag="pong"):
    """The answer to ``ping``."""

    t: PingToken = None


class Draining(Message, frozen=True, kw_only=True, tag="session.draining"):
    """The node is going down; reconnect elsewhere and resume."""

    reconnect_after_ms: Count = 0


Reply = CallStarted | AudioAck | AudioNack | Error | Pong | Draining
