import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.errors import RemoteProtocolError
from copilot.events import AudioMissed, AudioReceived
from copilot.ingress.out import Reply
from copilot.ingress.placement import HOLE_PATIENCE_S, Counters, Placement
from copilot.wire.messages import AudioNack

from .helpers import BLOCK, audio, delivered, samples_at, session, text

RATE = 8000


def placement(expect=0):
    return Placement(BLOCK, RATE, expect, Counters())


def test_duplicates_are_dropped_and_overlaps_trimmed():
    counters = Counters()
    place = Placement(BLOCK, RATE, 0, counters).place
    assert place(0, samples_at(0, 10)) == AudioReceived(offset=0, payload=samples_at(0, 10))
    assert place(0, samples_at(0, 10)) is None
    assert place(3, samples_at(3, 4)) is None
    assert place(5, samples_at(5, 10)) == AudioReceived(offset=10, payload=samples_at(10, 5))
    assert place(15, b"") is None
    assert counters.duplicate_samples == 10 + 4 + 5


def test_a_hole_is_asked_for_once_and_what_is_beyond_it_is_dropped():
    placed = placement()
    assert placed.place(0, samples_at(0, 5)) is not None
    assert placed.place(8, samples_at(8, 2)) == AudioNack(offset=5, samples=3)
    assert placed.place(10, samples_at(10, 2)) is None
    assert placed.place(3, samples_at(3, 2)) is None
    assert placed.place(12, samples_at(12, 2)) is None
    assert placed.place(5, samples_at(5, 9)) == AudioReceived(offset=5, payload=samples_at(5, 9))
    assert placed.place(20, samples_at(20, 2)) == AudioNack(offset=14, samples=6)


def test_a_hole_is_closed_by_declaring_a_gap():
    placed = placement()
    assert placed.place(8, samples_at(8, 2)) == AudioNack(offset=0, samples=8)
    assert placed.gap(0, 8) == AudioMissed(offset=0, samples=8)
    assert placed.place(8, samples_at(8, 2)) == AudioReceived(offset=8, payload=samples_at(8, 2))
    assert placed.gap(4, 3) is None
    assert placed.gap(4, 10) == AudioMissed(offset=10, samples=4)
    assert placed.gap(20, 1) == AudioNack(offset=14, samples=6)


def test_a_peer_that_never_goes_back_is_told_that_it_is_broken():
    placed = placement()
    second = bytes(RATE * BLOCK)
    answers = [placed.place(1 + n * RATE, second) for n in range(HOLE_PATIENCE_S)]
    assert answers == [AudioNack(offset=0, samples=1)] + [None] * (HOLE_PATIENCE_S - 1)
    with pytest.raises(RemoteProtocolError) as caught:
        placed.place(10**6, bytes(BLOCK))
    assert caught.value.code == "audio.hole_ignored"


def test_patience_begins_anew_after_every_hole():
    placed = placement()
    for _ in range(3):
        beyond = placed.expect + 1
        for _ in range(HOLE_PATIENCE_S):
            placed.place(beyond, bytes(RATE * BLOCK))
        assert placed.place(placed.expect, bytes(BLOCK)) is not None


def test_half_a_sample_is_refused():
    with pytest.raises(RemoteProtocolError) as caught:
        placement().place(0, bytes(BLOCK + 1))
    assert caught.value.code == "audio.odd_bytes"


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 70), st.integers(0, 25)), max_size=40), st.integers(0, 20))
def test_any_frames_in_any_order_are_delivered_in_order_and_once(frames, start):
    native = session(expect=start)
    heard = b""
    for offset, samples in frames:
        for event in delivered(native.receive_binary(audio(offset, samples))):
            assert event.offset == start + len(heard) // BLOCK
            heard += event.payload
    assert heard == samples_at(start, native.expect - start)


@settings(deadline=None)
@given(st.data(), st.integers(1, 200))
def test_a_lossy_peer_that_goes_back_when_asked_loses_nothing(data, total):
    """Frames of any size, repeated or lost at will; after a nack the peer sends on from where it is told."""
    native = session()
    heard, cursor, losses = b"", 0, 0
    while native.expect < total:
        if cursor >= total:
            cursor = native.expect  # a peer at its end that was not acknowledged: as after a resume
        samples = data.draw(st.integers(1, min(30, total - cursor)))
        frame = audio(cursor, samples)
        cursor += samples
        fate = data.draw(st.sampled_from(["sent", "sent", "twice", "lost"])) if losses < 20 else "sent"
        losses += fate == "lost"
        for _ in range({"sent": 1, "twice": 2, "lost": 0}[fate]):
            for out in native.receive_binary(frame):
                if isinstance(out, Reply):
                    cursor = out.message.offset
                else:
                    heard += out.event.payload
    assert heard == samples_at(0, total)


@settings(deadline=None)
@given(st.data(), st.integers(1, 200))
def test_every_sample_is_heard_or_declared_missing(data, total):
    native = session()
    covered = 0
    while covered < total:
        samples = data.draw(st.integers(1, min(50, total - covered)))
        back = data.draw(st.integers(0, min(10, covered)))
        if data.draw(st.booleans()):
            outs = native.receive_text(text("audio.gap", offset=covered - back, samples=samples + back))
            assert delivered(outs) == [AudioMissed(offset=covered, samples=samples)]
        else:
            outs = native.receive_binary(audio(covered - back, samples + back))
            assert delivered(outs) == [AudioReceived(offset=covered, payload=samples_at(covered, samples))]
        covered += samples
    assert native.expect == total
