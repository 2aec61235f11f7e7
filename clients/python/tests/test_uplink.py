import json

import pytest
from copilot_client import Media, ProtocolError
from copilot_client.protocol import Call, start_message
from copilot_client.uplink import Uplink
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.events import AudioMissed, AudioReceived, Marked, MediaFormat
from copilot.ingress.native import NativeSession
from copilot.ingress.out import Deliver, Reply
from copilot.wire.messages import AudioNack, CallStarted, Limits, Pong

MEDIA = Media(sample_rate=8000)
LIMITS = Limits(max_frame_bytes=16 + 4 * 50, max_call_s=3600, resume_window_s=60)


def samples(count, start=0):
    return b"".join(n.to_bytes(4, "big") for n in range(start, start + count))


class Peer:
    """The server's end: one real session per connection, and what the call has heard over all of them."""

    def __init__(self, uplink):
        self.uplink = uplink
        self.heard = bytearray()
        self.marks = []
        self.epoch = 0
        self.connect()

    def connect(self):
        self.epoch += 1
        self.session = NativeSession()
        self.session.receive_text(json.dumps(start_message(MEDIA, Call(), None)))
        expect = len(self.heard) // 4
        reply = CallStarted(
            v=1,
            call_id="c",
            resume_token="t",
            epoch=self.epoch,
            expect=expect,
            limits=LIMITS,
            playbook="",
            server_time="",
        )
        self.session.started(reply, MediaFormat(sample_rate_hz=8000))
        self.uplink.connected(self.epoch, expect, LIMITS.max_frame_bytes)

    def take(self, frame):
        outs = self.session.receive_text(frame) if isinstance(frame, str) else self.session.receive_binary(frame)
        for out in outs:
            match out:
                case Deliver(AudioReceived(payload=payload)):
                    self.heard += payload
                case Deliver(AudioMissed(samples=count)):
                    self.heard += bytes(4 * count)
                case Deliver(Marked(label=label)):
                    self.marks.append((label, len(self.heard) // 4))
                case Reply(AudioNack(offset=offset)):
                    self.uplink.nacked(offset)
                case Reply(Pong(t=number)):
                    self.uplink.ponged(number)


def drain(uplink, peer):
    while (frame := uplink.next_frame()) is not None:
        peer.take(frame)


@settings(deadline=None)
@given(st.data())
def test_whatever_the_line_does_every_sample_arrives_once_and_every_message_in_its_place(data):
    """Audio frames vanish, connections break between any two frames, the disk lags behind; losses are bounded."""
    uplink = Uplink(MEDIA, buffer_s=60)
    peer = Peer(uplink)
    given_marks, losses = [], 0
    for step in range(data.draw(st.integers(1, 30))):
        match data.draw(st.sampled_from(["audio", "audio", "mark", "send", "send", "break", "disk"])):
            case "audio":
                uplink.append(samples(data.draw(st.integers(1, 120)), uplink.end))
            case "mark":
                uplink.control({"type": "mark", "label": str(step)})
                given_marks.append((str(step), uplink.end))
            case "send":
                frame = uplink.next_frame()
                lost = losses < 8 and isinstance(frame, bytes) and data.draw(st.booleans())
                losses += lost
                if frame is not None and not lost:
                    peer.take(frame)
            case "break":
                uplink.disconnected()
                assert uplink.next_frame() is None
                peer.connect()
            case "disk":
                uplink.acked(data.draw(st.integers(0, len(peer.heard) // 4)))
    drain(uplink, peer)
    peer.connect()  # the tail may have been lost without a hole to show for it
    drain(uplink, peer)
    assert bytes(peer.heard) == samples(uplink.end)
    assert list(dict.fromkeys(label for label, _ in peer.marks)) == [label for label, _ in given_marks]
    if losses == 0:
        assert list(dict.fromkeys(peer.marks)) == given_marks


def test_a_nack_sends_again_from_where_it_says():
    uplink = Uplink(MEDIA, buffer_s=60)
    peer = Peer(uplink)
    uplink.append(samples(150))
    uplink.next_frame()  # lost
    peer.take(uplink.next_frame())
    drain(uplink, peer)
    assert bytes(peer.heard) == samples(150)


def test_a_nack_never_skips_audio():
    uplink = Uplink(MEDIA, buffer_s=60)
    peer = Peer(uplink)
    uplink.append(samples(60))
    uplink.nacked(50)
    drain(uplink, peer)
    assert bytes(peer.heard) == samples(60)


def test_a_confirmed_message_is_not_sent_again():
    uplink = Uplink(MEDIA, buffer_s=1)
    peer = Peer(uplink)
    uplink.control({"type": "mark", "label": "a"})
    drain(uplink, peer)
    uplink.control({"type": "mark", "label": "b"})
    peer.take(uplink.next_frame())  # the connection breaks before its ping
    peer.connect()
    drain(uplink, peer)
    peer.connect()
    assert uplink.next_frame() is None
    assert peer.marks == [("a", 0), ("b", 0), ("b", 0)]


def test_frames_hold_at_most_200_ms_and_what_the_server_allows():
    uplink = Uplink(MEDIA, buffer_s=60)
    uplink.append(samples(4000))
    uplink.connected(1, 0, 1_000_000)
    assert len(uplink.next_frame()) == 16 + 4 * 1600
    uplink.connected(2, 0, 100)
    assert len(uplink.next_frame()) == 16 + 4 * 21


def test_what_was_forgotten_is_declared_as_a_gap_again_after_a_reconnect():
    uplink = Uplink(MEDIA, buffer_s=0.01)
    uplink.append(samples(100))
    assert uplink.lost_samples == 20
    for epoch in (1, 2):
        uplink.connected(epoch, 0, 1000)
        assert json.loads(uplink.next_frame()) == {"type": "audio.gap", "offset": 0, "samples": 20}
    assert uplink.next_frame().endswith(samples(80, 20))


def test_a_buffer_has_room_for_anything_when_empty():
    uplink = Uplink(MEDIA, buffer_s=0.01)
    assert uplink.has_room(samples(1000))
    uplink.append(samples(50))
    assert uplink.has_room(samples(30))
    assert not uplink.has_room(samples(31))
    uplink.acked(50)
    assert uplink.has_room(samples(1000))


def test_a_server_that_expects_the_future_is_wrong():
    with pytest.raises(ProtocolError, match="expects sample 1"):
        Uplink(MEDIA, buffer_s=1).connected(1, 1, 1000)


@pytest.mark.parametrize("number", ["x", None, 0, 99])
def test_a_pong_that_is_none_of_ours_confirms_nothing_it_should_not(number):
    uplink = Uplink(MEDIA, buffer_s=1)
    uplink.connected(1, 0, 1000)
    uplink.control({"type": "mark"})
    assert json.loads(uplink.next_frame()) == {"type": "mark"}
    uplink.ponged(number)
    uplink.connected(2, 0, 1000)
    assert (uplink.next_frame() is None) == (number == 99)
