import json
from random import Random

import pytest
from copilot_client import Backoff, ProtocolError, UnknownEvent, messages
from copilot_client.base import Decoder
from copilot_client.inbox import Inbox, MissedEvents
from copilot_client.protocol import RETRY_CLOSE_CODES, audio_frame, socket_url
from copilot_client.ring import Ring
from hypothesis import given, settings
from hypothesis import strategies as st
from miniature import NOTHING

from copilot.wire import messages as wire
from copilot.wire.codec import CLOSE_CODES, encode, message_types
from copilot.wire.frames import pack_frame

DECODER = Decoder(messages.MESSAGES)
STAMP = {"seq": 3, "call_id": "c", "pos_ms": 5, "emitted_at": "2026-01-01T00:00:00.000Z"}


def test_a_nested_event_is_decoded_into_its_classes():
    view = wire.CardView(
        id="1", cue_id="q", kind="objection", state="raised", priority=1, critical=False, headline="太贵了",
        lines=("一", "二"), material="", why="", ttl_ms=1000,
    )  # fmt: skip
    ledger = wire.Ledger(phrase_end=1, recognised=2, matched=3, decided=4, sent=5)
    cause = wire.CausedBy(utterance_id="u", phrase_end_ms=1, quote="太贵", speaker="customer")
    event = DECODER.decode(encode(wire.CardRaised(card=view, caused_by=cause, ledger=ledger, **STAMP)))
    assert isinstance(event, messages.CardRaised)
    assert event.card.lines == ("一", "二")
    assert event.caused_by == messages.CausedBy(utterance_id="u", phrase_end_ms=1, quote="太贵", speaker="customer")
    assert (event.ledger.sent, event.ledger.rendered) == (5, None)
    silent = DECODER.decode(encode(wire.CardRaised(card=view, caused_by=None, ledger=ledger, **STAMP)))
    assert silent.caused_by is None


def test_an_inbox_keeps_each_event_once_and_in_order():
    def event(seq):
        return messages.MarkSet(seq=seq, call_id="c", pos_ms=0, emitted_at="", label="", set_by="")

    inbox = Inbox(10, after=4)
    for seq in (3, 5, 5, 6, 4):
        inbox.put(event(seq))
    with pytest.raises(MissedEvents):
        inbox.put(event(8))
    inbox.put(event(7))
    with pytest.raises(MissedEvents):
        inbox.put(event(9))
    with pytest.raises(ProtocolError, match="event 8 is missing"):
        inbox.put(event(9))
    assert [inbox.take().seq for _ in range(3)] == [5, 6, 7]
    assert inbox.take() is None


def test_every_message_a_server_sends_has_its_class():
    known = {cls.type for cls in messages.MESSAGES}
    unions = (wire.Reply, wire.AnyCallMessage, wire.FloorMessage)
    assert known == {name for union in unions for name in message_types(union)}


def test_unknown_things_of_a_newer_server_are_tolerated():
    ended = json.loads(encode(wire.CallEnded(reason="completed", totals=NOTHING, report_url="", **STAMP)))
    ended["mood"] = "happy"
    ended["totals"]["smiles"] = 4
    assert DECODER.decode(json.dumps(ended)).totals == messages.Totals(
        **dict.fromkeys(ended["totals"].keys() - {"smiles"}, 0)
    )
    assert DECODER.decode('{"type": "weather.changed"}') is None
    later = STAMP | {"type": "mood.changed", "mood": "happy"}
    assert DECODER.decode(json.dumps(later)) == UnknownEvent(**STAMP, data=later)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "3", '{"type": "error"}', '{"type": "x", "seq": 1}', '{"type": {}}', b"\xff",
             '{"type": "call.ended", "seq": 1, "call_id": "", "pos_ms": 0, "emitted_at": "", "totals": 3}']
)  # fmt: skip
def test_what_is_no_message_is_said_so(text):
    with pytest.raises(ProtocolError):
        DECODER.decode(text)


def test_numbers_agree_with_the_server():
    published = {code for code, row in CLOSE_CODES.items() if row.retry}
    assert published <= RETRY_CLOSE_CODES
    assert not {code for code, row in CLOSE_CODES.items() if not row.retry} & RETRY_CLOSE_CODES
    assert audio_frame(7, 2**40, b"abc") == pack_frame(7, 2**40, b"abc")


@settings(deadline=None)
@given(st.integers(0, 2000), st.integers())
def test_waits_grow_and_are_bounded(attempt, seed):
    delay = Backoff(first_s=0.5, cap_s=8).delay_s(attempt, Random(seed))
    ceiling = min(8, 0.5 * 2 ** min(attempt, 10))
    assert ceiling / 2 <= delay <= ceiling


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=40))
def test_a_ring_holds_what_was_appended_and_not_released(actions):
    ring, everything, released = Ring(2), b"", 0
    for is_append, count in actions:
        if is_append:
            fresh = bytes(n % 256 for n in range(len(everything), len(everything) + 2 * count))
            ring.append(fresh)
            everything += fresh
        else:
            ring.release(count)
            released = min(max(released, count), len(everything) // 2)
    assert (ring.start, ring.end) == (released, len(everything) // 2)
    assert ring.read(released, 10**6) == everything[2 * released :]
    assert ring.read(ring.end, 5) == b""


@pytest.mark.parametrize("offset", [1, 9])
def test_a_ring_does_not_invent_samples(offset):
    ring = Ring(2)
    ring.append(bytes(16))
    ring.release(2)
    with pytest.raises(ValueError, match="not held"):
        ring.read(offset, 1)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ws://127.0.0.1:8750", "ws://127.0.0.1:8750/v1/stream?a=1"),
        ("https://copilot.example.com/base/", "wss://copilot.example.com/base/v1/stream?a=1"),
    ],
)
def test_addresses(url, address):
    assert socket_url(url, "/v1/stream?a=1") == address
