import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.errors import AccessError, LocalProtocolError, NotFoundError
from copilot.events import (
    AudioMissed,
    AudioReceived,
    CardAcked,
    CardRendered,
    DtmfReceived,
    HungUp,
    Marked,
    MediaFormat,
    Paused,
    Resumed,
    RolesSwapped,
    StepTicked,
    StepWaived,
    SupervisorMessaged,
)
from copilot.ingress.commands import as_event
from copilot.ingress.native import NativeSession
from copilot.ingress.out import Begin, Close, Deliver, Rejoin, Reply
from copilot.wire.codec import CLOSE_CODES, ERROR_CODES
from copilot.wire.messages import AudioGap, CallStart, Error, Pong, Resume, SupervisorSend

from .helpers import FORMAT, MEDIA, audio, delivered, failure, samples_at, session, started, text

# --- opening ----------------------------------------------------------------------------------------------------


def test_a_call_begins():
    native = NativeSession()
    (begin,) = native.receive_text(text("call.start", v=1, media=MEDIA, language="zh"))
    assert isinstance(begin, Begin)
    assert begin.start.language == "zh"
    assert native.started(started(epoch=3, expect=0), FORMAT) == [Reply(started(epoch=3, expect=0))]
    assert (native.state, native.epoch, native.expect, native.media) == ("live", 3, 0, FORMAT)


def test_a_call_is_taken_up_again_without_naming_its_format():
    native = NativeSession()
    resume = {"call_id": "call_1", "resume_token": "token", "last_seq": 7}
    assert native.receive_text(text("call.start", v=1, resume=resume)) == [Rejoin(Resume(**resume))]
    native.started(started(epoch=2, expect=3200), FORMAT)
    assert (native.expect, native.position_ms) == (3200, 200)
    assert delivered(native.receive_binary(audio(3200, 2, epoch=2))) == [
        AudioReceived(offset=3200, payload=samples_at(3200, 2))
    ]


def test_a_call_taken_up_again_keeps_its_format():
    native = NativeSession()
    resume = {"call_id": "c", "resume_token": "t"}
    native.receive_text(text("call.start", v=1, media=MEDIA | {"sample_rate": 8000}, resume=resume))
    assert failure(native.started(started(), FORMAT)) == ("media.changed", 4406)


@pytest.mark.parametrize(
    "message",
    [
        text("call.end"),
        text("card.ack", card_id="c", action="used"),
        text("audio.gap", offset=0, samples=1),
        text("call.pause"),
        text("dtmf", digit="5"),
        text("supervisor.send", text="hi"),
    ],
)
def test_nothing_comes_before_the_start(message):
    assert failure(NativeSession().receive_text(message)) == ("protocol.expected_start", 4400)


def test_no_audio_comes_before_the_start():
    assert failure(NativeSession().receive_binary(audio(0, 1))) == ("protocol.expected_start", 4400)


def test_a_second_start_is_refused():
    assert failure(session().receive_text(text("call.start", v=1, media=MEDIA))) == ("protocol.already_started", 4400)


def test_a_new_call_needs_a_format():
    assert failure(NativeSession().receive_text(text("call.start", v=1))) == ("media.missing", 4400)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sample_rate": 12345},
        {"sample_rate": 0},
        {"sample_rate": -8000},
        {"channels": []},
        {"channels": ["rep", "customer", "rep"]},
        {"channels": ["rep", "rep"]},
        {"channels": ["rep", "dog"]},
        {"encoding": "mp3"},
        {"framing": "v9"},
    ],
)
@pytest.mark.parametrize("resume", [None, {"call_id": "c", "resume_token": "t"}])
def test_other_formats_are_refused(wrong, resume):
    outs = NativeSession().receive_text(text("call.start", v=1, media=MEDIA | wrong, resume=resume))
    assert failure(outs) == ("media.unsupported", 4406)


def test_a_refused_format_says_what_is_supported():
    reply, _ = NativeSession().receive_text(text("call.start", v=1, media=MEDIA | {"sample_rate": 12345}))
    for name in ("pcm_s16le", "mulaw", "alaw", "8000", "16000", "24000", "48000", "one or two"):
        assert name in reply.message.hint


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
@pytest.mark.parametrize(("encoding", "sample_bytes"), [("pcm_s16le", 2), ("mulaw", 1), ("alaw", 1)])
@pytest.mark.parametrize("channels", [("rep",), ("customer",), ("customer", "rep")])
def test_every_supported_format_counts_samples_per_channel(rate, encoding, sample_bytes, channels):
    native = NativeSession()
    header = {"encoding": encoding, "sample_rate": rate, "channels": channels, "framing": "raw"}
    native.receive_text(text("call.start", v=1, media=header))
    native.started(started(), MediaFormat(encoding=encoding, sample_rate_hz=rate, channels=channels))
    native.receive_binary(bytes(rate // 50 * sample_bytes * len(channels)))
    assert (native.expect, native.position_ms) == (rate // 50, 20)


def test_another_version_is_refused():
    assert failure(NativeSession().receive_text(text("call.start", v=2, media=MEDIA))) == ("protocol.version", 4406)


@pytest.mark.parametrize("message", ["{", "[]", "{}", '{"type":"mark","label":5}', "x" * 10_000_000])
@pytest.mark.parametrize("make", [NativeSession, session])
def test_bad_text_closes(make, message):
    native = make()
    code, close = failure(native.receive_text(message))
    assert (code.split(".")[0], close, native.state) == ("message", 4400, "closed")


@pytest.mark.parametrize("make", [NativeSession, session])
def test_unknown_types_are_ignored_and_pings_answered(make):
    native = make()
    assert native.receive_text(text("call.teleport", to="mars")) == []
    assert native.receive_text(text("ping", t=5)) == [Reply(Pong(t=5))]


# --- commands ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "event"),
    [
        (text("dtmf", digit="#", speaker="customer"), DtmfReceived(digit="#", speaker="customer")),
        (text("mark", label="价格"), Marked(label="价格", by="1001")),
        (text("card.rendered", card_id="c1"), CardRendered(card_id="c1")),
        (text("card.ack", card_id="c1", action="wrong"), CardAcked(card_id="c1", action="wrong")),
        (text("step.tick", step_id="s"), StepTicked(step_id="s", by="1001")),
        (text("step.waive", step_id="s", reason="asked"), StepWaived(step_id="s", by="1001", reason="asked")),
        (text("roles.swap"), RolesSwapped()),
        (text("call.pause", reason="pci"), Paused(reason="pci")),
        (text("call.end"), HungUp(reason="completed")),
        (text("call.end", outcome="won"), HungUp(reason="completed", outcome="won")),
    ],
)
def test_commands_become_events(message, event):
    assert session().receive_text(message) == [Deliver(event)]


def test_a_supervisors_line_belongs_on_another_socket():
    native = session()
    (reply,) = native.receive_text(text("supervisor.send", text="slow down"))
    assert isinstance(reply.message, Error)
    assert (reply.message.code, native.state) == ("protocol.not_here", "live")
    assert as_event(SupervisorSend(text="slow down"), "wang") == SupervisorMessaged(text="slow down", by="wang")


def test_messages_about_the_connection_are_no_events():
    assert as_event(AudioGap(offset=0, samples=1), "x") is None
    assert as_event(CallStart(v=1), "x") is None


def test_a_pause_throws_audio_and_keys_away_and_the_timeline_goes_on():
    native = session()
    native.receive_binary(audio(0, 10))
    assert delivered(native.receive_text(text("call.pause", reason="pci"))) == [Paused(reason="pci")]
    assert native.receive_text(text("call.pause")) == []
    assert delivered(native.receive_binary(audio(8, 12))) == [AudioMissed(offset=10, samples=10)]
    assert native.receive_text(text("dtmf", digit="4")) == []
    assert delivered(native.receive_text(text("audio.gap", offset=20, samples=5))) == [
        AudioMissed(offset=20, samples=5)
    ]
    assert delivered(native.receive_text(text("mark"))) == [Marked(label="", by="1001")]
    assert delivered(native.receive_text(text("call.resume"))) == [Resumed()]
    assert native.receive_text(text("call.resume")) == []
    assert delivered(native.receive_binary(audio(25, 1))) == [AudioReceived(offset=25, payload=samples_at(25, 1))]
    assert native.counters.paused_samples == 10


def test_a_call_can_be_taken_up_again_while_paused():
    native = session(paused=True)
    assert delivered(native.receive_binary(audio(0, 3))) == [AudioMissed(offset=0, samples=3)]


def test_after_the_end_only_pings_are_answered():
    native = session()
    assert delivered(native.receive_text(text("call.end"))) == [HungUp(reason="completed")]
    assert native.receive_text(text("call.end")) == native.receive_text(text("call.start", v=1, media=MEDIA)) == []
    assert native.receive_binary(audio(0, 1)) == native.receive_binary(b"") == []
    assert native.receive_text(text("ping")) == [Reply(Pong())]


def test_a_paused_call_can_end():
    assert delivered(session(paused=True).receive_text(text("call.end"))) == [HungUp(reason="completed")]


# --- audio ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", ["v1", "raw"])
@pytest.mark.parametrize("extra", [1, 2, 3])
def test_half_a_sample_is_refused(framing, extra):
    header = b"" if framing == "raw" else audio(0, 0)
    native = session(framing)
    assert failure(native.receive_binary(header + bytes(8 + extra))) == ("audio.odd_bytes", 4400)


@pytest.mark.parametrize("framing", ["v1", "raw"])
def test_a_frame_above_the_limit_is_refused(framing):
    assert failure(session(framing).receive_binary(bytes(4097))) == ("frame.too_large", 4400)


def test_raw_audio_is_counted():
    native = session("raw", expect=100)
    assert native.receive_binary(b"") == []
    outs = native.receive_binary(bytes(8)) + native.receive_binary(bytes(4))
    assert delivered(outs) == [
        AudioReceived(offset=100, payload=bytes(8)),
        AudioReceived(offset=102, payload=bytes(4)),
    ]


def test_a_frame_of_an_earlier_connection_is_dropped():
    native = session(epoch=2)
    assert native.receive_binary(audio(0, 5, epoch=1)) == []
    assert (native.expect, native.counters.stale_frames) == (0, 1)


def test_an_epoch_never_given_out_is_refused():
    assert failure(session(epoch=2).receive_binary(audio(0, 5, epoch=3))) == ("frame.epoch", 4400)


@pytest.mark.parametrize("data", [b"", b"\x01", bytes(16), audio(0, 1)[:10]])
def test_a_bad_frame_closes(data):
    code, close = failure(session().receive_binary(data))
    assert (code.split(".")[0], close) == ("frame", 4400)


def test_a_gap_beyond_the_longest_call_is_refused():
    native = session()
    assert delivered(native.receive_text(text("audio.gap", offset=0, samples=16_000 * 60))) != []
    assert failure(native.receive_text(text("audio.gap", offset=1, samples=16_000 * 60))) == (
        "audio.gap_too_long",
        4400,
    )


# --- the shell's side -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["opening", "live", "closed"])
def test_an_answer_nobody_waits_for_is_our_bug(state):
    native = session() if state == "live" else NativeSession()
    if state == "closed":
        native.disconnected()
    with pytest.raises(LocalProtocolError):
        native.started(started(), FORMAT)


@pytest.mark.parametrize("feed", [lambda s: s.receive_text(text("call.end")), lambda s: s.receive_binary(b"x")])
def test_handing_in_more_before_answering_is_our_bug(feed):
    native = NativeSession()
    native.receive_text(text("call.start", v=1, media=MEDIA))
    assert native.receive_text(text("ping")) == [Reply(Pong())]
    with pytest.raises(LocalProtocolError):
        feed(native)


@pytest.mark.parametrize(
    ("error", "close"),
    [(NotFoundError("call.unknown", "no such call"), 4404), (AccessError("auth.forbidden", "not yours"), 4403)],
)
def test_the_shell_can_refuse(error, close):
    native = NativeSession()
    native.receive_text(text("call.start", v=1, media=MEDIA))
    assert failure(native.refuse(error)) == (error.code, close)
    assert native.refuse(error) == []


def test_a_closed_session_says_nothing():
    native = session()
    native.disconnected()
    assert native.receive_text(text("ping")) == native.receive_text("{") == native.receive_binary(b"x") == []


def test_position_is_zero_before_the_start():
    assert NativeSession().position_ms == 0


@settings(deadline=None)
@given(st.lists(st.one_of(st.text(max_size=20), st.binary(max_size=40), st.sampled_from(
    [text("call.pause"), text("call.resume"), text("call.end"), text("audio.gap", offset=0, samples=9), audio(0, 3),
     audio(2, 9), audio(50, 1), audio(0, 1, epoch=9), text("call.start", v=1, media=MEDIA), text("dtmf", digit="1")]
)), max_size=12), st.sampled_from(["v1", "raw"]))  # fmt: skip
def test_whatever_a_peer_does_the_session_answers_in_order(inputs, framing):
    """Never an exception; audio contiguous; at most one close, right after its error, and nothing after it."""
    native = session(framing)
    outs = []
    for data in inputs:
        outs += native.receive_binary(data) if isinstance(data, bytes) else native.receive_text(data)
    position = 0
    for event in delivered(outs):
        if isinstance(event, AudioReceived | AudioMissed):
            assert event.offset == position
            position += len(event.payload) // 4 if isinstance(event, AudioReceived) else event.samples
    assert position == native.expect
    closes = [index for index, out in enumerate(outs) if isinstance(out, Close)]
    assert closes in ([], [len(outs) - 1])
    for index in closes:
        assert outs[index - 1].message.code in ERROR_CODES
        assert outs[index].code in CLOSE_CODES


def test_a_pause_made_elsewhere_is_followed_and_so_is_going_on():
    native = session()
    native.follow(paused=True)
    assert delivered(native.receive_binary(audio(0, 2))) == [AudioMissed(offset=0, samples=2)]
    assert delivered(native.receive_text(text("call.resume"))) == [Resumed()]
    native.follow(paused=False)
    assert delivered(native.receive_binary(audio(2, 2))) == [AudioReceived(offset=2, payload=samples_at(2, 2))]
    native.refuse(NotFoundError("call.unknown", "gone"))
    native.follow(paused=True)
    assert native.state == "closed"
