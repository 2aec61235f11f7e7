"""A client's side of the native protocol, by hand."""

import json

from copilot.events import MediaFormat
from copilot.ingress.native import NativeSession
from copilot.ingress.out import Close, Deliver, Reply
from copilot.wire.frames import pack_frame
from copilot.wire.messages import CallStarted, Error, Limits

MEDIA = {"encoding": "pcm_s16le", "sample_rate": 16_000, "channels": ["rep", "customer"]}
FORMAT = MediaFormat()
BLOCK = 4
LIMITS = Limits(max_frame_bytes=4096, max_call_s=60, resume_window_s=60)


def text(kind, **fields):
    return json.dumps({"type": kind, **fields})


def started(epoch=1, expect=0):
    return CallStarted(
        v=1,
        call_id="call_1",
        resume_token="token",
        epoch=epoch,
        expect=expect,
        limits=LIMITS,
        playbook="outbound-en",
        server_time="2026-01-01T00:00:00.000Z",
    )


def session(framing="v1", *, by="1001", paused=False, **reply):
    """A session whose call is live."""
    live = NativeSession(by=by)
    live.receive_text(text("call.start", v=1, media=MEDIA | {"framing": framing}))
    live.started(started(**reply), FORMAT, paused=paused)
    return live


def audio(offset, samples, epoch=1):
    """A frame whose every sample tells its own offset."""
    return pack_frame(epoch, offset, samples_at(offset, samples))


def samples_at(offset, samples):
    return b"".join(n.to_bytes(BLOCK, "big") for n in range(offset, offset + samples))


def delivered(outs):
    return [out.event for out in outs if isinstance(out, Deliver)]


def failure(outs):
    """The code and close code of a refusal, which is an error message and then a close."""
    reply, close = outs
    assert isinstance(reply, Reply)
    assert isinstance(reply.message, Error)
    assert isinstance(close, Close)
    assert close.reason == reply.message.code
    return reply.message.code, close.code
