import asyncio
import random
import wave

import pytest
from copilot_client import (
    Backoff,
    Call,
    ConnectionLost,
    Media,
    Options,
    ProtocolError,
    Refused,
    WavFile,
    connect,
    viewer,
)
from copilot_client.messages import CallEnded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from miniature import Server, unknown_call

from copilot.errors import AccessError, StorageError
from copilot.events import HungUp
from copilot.wire.messages import AudioNack, Draining, Error, FloorSnapshot, MetricMessage

QUICK = Backoff(first_s=0.001, cap_s=0.002, give_up_after_s=5.0)


def options(**changes):
    return Options(**{"backoff": QUICK, "open_timeout_s": 5.0} | changes)


def samples(count, start=0):
    return b"".join(n.to_bytes(4, "big") for n in range(start, start + count))


async def collect(call):
    return [event async for event in call]


async def talk(call, total, rng):
    """Send ``total`` numbered samples in frames of any size, with a mark now and then."""
    sent = 0
    while sent < total:
        count = min(total - sent, rng.randint(1, 200))
        await call.send_audio(samples(count, sent))
        sent += count
        if rng.random() < 0.1:
            call.mark("here")
        await asyncio.sleep(0)
    await call.end()


async def run(server, total=3000, seed=0, **changes):
    async with connect(server.url, options=options(**changes)) as call, asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(collect(call))
        await talk(call, total, random.Random(seed))
    return call, listening.result()


def assert_complete(server, events, total):
    (stored,) = server.calls.values()
    assert bytes(stored.audio) == samples(total)
    assert [event.seq for event in events] == list(range(1, len(stored.log) + 1))
    assert [event.type for event in events] == [message.__struct_config__.tag for message in stored.log]
    assert isinstance(events[-1], CallEnded)


async def test_a_call_without_trouble():
    async with Server() as server:
        call, events = await run(server)
        assert_complete(server, events, 3000)
        assert (call.call_id, call.connections) == ("call_1", 1)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 60), max_size=6), st.integers(0, 2**32))
def test_connections_cut_anywhere_lose_and_double_nothing(cuts, seed):
    async def play():
        # A connection cut before the first call.started makes a second call, so the first one gets that far.
        async with Server(cuts=[cut + 2 * (index == 0) for index, cut in enumerate(cuts)]) as server:
            call, events = await run(server, seed=seed)
            assert_complete(server, events, 3000)
            assert call.connections >= 1

    asyncio.run(play())


async def test_every_frame_may_be_the_last_of_its_connection():
    async with Server(cuts=[2, *[4] * 60]) as server:
        call, events = await run(server, total=1500)
        assert_complete(server, events, 1500)
        assert call.connections > 20
        assert server.paths[0] == "/v1/stream"
        assert server.paths[1] == "/v1/stream?call_id=call_1"


async def test_messages_arrive_between_the_samples_where_they_were_given():
    async with Server(cuts=[5, 4, 6]) as server:
        async with connect(server.url, options=options()) as call:
            await call.send_audio(samples(700))
            call.pause("pci")
            await call.send_audio(samples(100, 10_000))
            call.resume()
            await call.send_audio(samples(300, 700))
            call.pause()
            call.pause()
            call.resume()
            call.resume()
        (stored,) = server.calls.values()
    assert bytes(stored.audio) == samples(1000)
    positions, heard = [], 0
    for event in stored.happened:
        heard += len(getattr(event, "payload", b"")) // 4
        if type(event).__name__ in ("Paused", "Resumed"):
            positions.append((type(event).__name__, heard))
    # A message whose confirmation was lost is sent again, and the session ignores the second.
    assert positions == [("Paused", 700), ("Resumed", 700), ("Paused", 1000), ("Resumed", 1000)]


async def test_what_people_do_reaches_the_call():
    async with Server() as server:
        async with connect(server.url, options=options()) as call:
            call.card_rendered("c1")
            call.ack_card("c1", "used")
            call.tick_step("s1")
            call.waive_step("s2", "asked before")
            call.dtmf("5")
            call.mark()
            call.swap_roles()
        (stored,) = server.calls.values()
        assert [type(event).__name__ for event in stored.happened] == [
            "CardRendered",
            "CardAcked",
            "StepTicked",
            "StepWaived",
            "DtmfReceived",
            "Marked",
            "RolesSwapped",
            "HungUp",
        ]


async def test_a_call_that_ended_while_we_were_away_is_read_to_its_end():
    async with Server(cuts=[4]) as server:  # start, started, audio, end; then the connection breaks
        async with connect(server.url, options=options()) as call:
            await call.send_audio(samples(10))
        events = await collect(call)
        assert_complete(server, events, 10)
        assert any(path.endswith("/v1/calls/call_1/events?after=0") for path in server.paths)


async def test_the_server_may_end_the_call():
    async with Server() as server, connect(server.url, options=options()) as call:
        server.calls["call_1"].receive(HungUp(reason="limit"))
        (ended,) = await collect(call)
        assert ended.reason == "limit"
        await call.send_audio(samples(10))
        assert await collect(call) == []


# --- the buffer ---------------------------------------------------------------------------------------------------


async def test_a_full_buffer_waits_for_the_disk():
    async with Server() as server:
        _, events = await run(server, total=4000, buffer_s=0.1)
        assert_complete(server, events, 4000)


async def test_a_full_buffer_may_forget_the_oldest_and_says_so():
    async with Server() as server:
        server.acks = False
        async with connect(server.url, options=options(buffer_s=0.01, when_full="drop_oldest")) as call:
            await call.send_audio(samples(1000))
            await call.send_audio(samples(60, 1000))
        assert call.lost_samples == 900
        (stored,) = server.calls.values()
        assert bytes(stored.audio) == bytes(900 * 4) + samples(160, 900)


async def test_half_a_sample_is_our_callers_mistake():
    async with Server() as server, connect(server.url, options=options()) as call:
        with pytest.raises(ValueError, match="whole number"):
            await call.send_audio(b"123")


# --- trouble that does not pass -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refusal", "code", "close"),
    [(unknown_call(), "call.unknown", 4404), (AccessError("auth.invalid", "no", status=401), "auth.invalid", 4401)],
)
async def test_a_refusal_is_raised_with_its_code(refusal, code, close):
    async with Server(refusal=refusal) as server:
        with pytest.raises(Refused) as caught:
            async with connect(server.url, options=options()):
                pytest.fail("the call was refused")
        assert (caught.value.code, caught.value.close_code) == (code, close)


async def test_an_unsupported_format_is_raised_with_a_hint():
    async with Server() as server:
        with pytest.raises(Refused, match=r"8000, 16000") as caught:
            await connect(server.url, media=Media(sample_rate=12_345), options=options()).__aenter__()
        assert caught.value.code == "media.unsupported"


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b'{"error": {"code": "auth.invalid", "message": "not known", "hint": "ask"}}', "auth.invalid", "not known"),
        (b"<html>proxy says no", "http.401", "<html>proxy says no"),
        (b'{"error": 3}', "http.401", '{"error": 3}'),
        (b"", "http.401", "no"),
    ],
)
async def test_a_refusal_before_the_upgrade_is_raised(body, code, message):
    async with Server(status=[(401, {}, body)]) as server:
        with pytest.raises(Refused) as caught:
            await connect(server.url, options=options()).__aenter__()
        assert (caught.value.code, caught.value.message, caught.value.close_code) == (code, message, 401)


async def test_a_full_server_is_tried_again():
    async with Server(status=[(503, {"Retry-After": "0"}, b""), (429, {}, b"")]) as server:
        _, events = await run(server, total=100)
        assert_complete(server, events, 100)
        assert len(server.paths) == 3


async def test_retry_after_longer_than_our_patience_is_the_end():
    async with Server(status=[(503, {"Retry-After": "3600"}, b"")]) as server:
        with pytest.raises(ConnectionLost):
            await connect(server.url, options=options()).__aenter__()


async def test_nobody_there_is_the_end_after_a_while():
    async with Server() as server:
        url = server.url
    with pytest.raises(ConnectionLost):
        await connect(url, options=options(open_timeout_s=0.05)).__aenter__()


async def test_a_server_that_goes_away_for_good_is_raised_from_everything_awaited():
    brief = Backoff(first_s=0.001, cap_s=0.002, give_up_after_s=0.05)
    async with Server() as server:
        call = connect(server.url, options=options(backoff=brief))
        await call.__aenter__()
    with pytest.raises(ConnectionLost):
        await collect(call)
    with pytest.raises(ConnectionLost):
        await call.send_audio(samples(1))
    with pytest.raises(ConnectionLost):
        call.mark()
    with pytest.raises(ConnectionLost):
        await call.__aexit__(None, None, None)


async def test_when_patience_ends_what_the_server_said_last_is_told():
    async with Server(refusal=StorageError("storage.unavailable", "the database is away")) as server:
        with pytest.raises(ConnectionLost, match=r"the database is away \(storage\.unavailable\)"):
            await connect(server.url, options=options(open_timeout_s=0.05)).__aenter__()


async def test_one_missing_event_is_asked_for_again():
    async with Server() as server:
        server.replay_skips = 1
        _, events = await run(server, total=500)
        assert_complete(server, events, 500)
        assert len(server.paths) >= 2


async def test_an_event_missing_for_good_is_raised():
    async with Server() as server:
        call = await connect(server.url, options=options()).__aenter__()
        stored = server.calls["call_1"]
        stored.say(MetricMessage, name="x", value=1)
        assert (await anext(aiter(call))).seq == 1
        stored.log.append(stored.log[0])  # number 1 again: ignored
        stored.say(MetricMessage, name="y", value=1)  # number 3: number 2 is never sent
        with pytest.raises(ProtocolError, match="event 2 is missing"):
            await collect(call)
        with pytest.raises(ProtocolError):
            await call.__aexit__(None, None, None)


async def test_what_a_server_says_aside_is_heeded():
    async with Server() as server:
        server.asides = [AudioNack(offset=0, samples=1), Draining(reconnect_after_ms=1), Error(code="a.b", message="c")]
        _, events = await run(server, total=300)
        assert_complete(server, events, 300)


async def test_a_message_that_belongs_elsewhere_is_raised():
    async with Server() as server:
        server.asides = [FloorSnapshot(calls=())]
        call = await connect(server.url, options=options()).__aenter__()
        with pytest.raises(ProtocolError, match=r"floor\.snapshot"):
            await collect(call)


async def test_a_server_may_go_down_and_come_back():
    async with Server() as server:
        call = await connect(server.url, options=options()).__aenter__()
        await call.send_audio(samples(10))
        for socket in list(server.sockets):
            await socket.close(1001)
        await call.send_audio(samples(10, 10))
        await call.__aexit__(None, None, None)
        assert_complete(server, await collect(call), 20)
        assert call.connections == 2


async def test_a_close_without_a_word_is_raised():
    async with Server() as server:
        call = await connect(server.url, options=options()).__aenter__()
        for socket in list(server.sockets):
            await socket.close(4409)
        with pytest.raises(Refused) as caught:
            await collect(call)
        assert (caught.value.code, caught.value.close_code) == ("closed", 4409)


async def test_leaving_by_an_exception_drops_the_connection_and_nothing_else():
    async with Server() as server:
        call = connect(server.url, options=options())
        with pytest.raises(RuntimeError, match="softphone crashed"):
            async with call:
                raise RuntimeError("softphone crashed")
        assert not server.calls["call_1"].is_over
        with pytest.raises(ConnectionLost, match="left"):
            await collect(call)


async def test_events_nobody_iterates_are_dropped_oldest_first():
    async with Server() as server:
        async with connect(server.url, options=options(max_events=2)) as call:
            for _ in range(5):
                call.mark()
        events = await collect(call)
        assert [event.seq for event in events] == [5, 6]
        assert call.events_dropped == 4


# --- the rest -----------------------------------------------------------------------------------------------------


async def test_the_header_names_the_call_and_the_token():
    async with Server() as server:
        header = Call(rep_id="1001", external_id="sip-7", language="zh", playbook="outbound-zh", context={"价格": "低"})
        async with connect(server.url, token="secret", call=header, options=options()):
            assert server.headers[0]["Authorization"] == "Bearer secret"
            assert server.headers[0]["Sec-WebSocket-Protocol"] == "copilot.v1"


async def test_a_wav_file_is_spoken_at_its_speed(tmp_path):
    path = tmp_path / "call.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples(4000))
    with WavFile(path) as wav:
        media = wav.media()
    assert media == Media("pcm_s16le", 8000, ("rep", "customer"))
    loop = asyncio.get_running_loop()
    async with Server() as server:
        async with connect(server.url, media=media, options=options()) as call:
            begin = loop.time()
            await call.play(path, speed=4.0)
            assert loop.time() - begin >= 0.5 / 4.0
        (stored,) = server.calls.values()
        assert bytes(stored.audio) == samples(4000)
        async with connect(server.url, options=options()) as other:
            with pytest.raises(ValueError, match="8000 Hz"):
                await other.play(path)


async def test_frames_come_from_any_iterator():
    async def microphone():
        for start in range(0, 100, 20):
            yield samples(20, start)

    async with Server() as server:
        async with connect(server.url, options=options()) as call:
            await call.stream_frames(microphone())
            await call.stream_frames([samples(10, 100), samples(10, 110)])
        (stored,) = server.calls.values()
        assert bytes(stored.audio) == samples(120)


async def test_a_viewer_sees_everything_once_over_broken_connections():
    async with Server() as server:
        call, events = await run(server, total=1000)
        server.cuts = [0, 3, 1, 5]
        seen = [event async for event in viewer(server.url, call.call_id, backoff=QUICK)]
        assert seen == events
        rest = [event async for event in viewer(server.url, call.call_id, after=events[-3].seq, backoff=QUICK)]
        assert rest == events[-2:]


@pytest.mark.parametrize("url", ["127.0.0.1:8750", "ftp://host", "ws://"])
async def test_an_address_that_is_none_is_said_so(url):
    with pytest.raises(ValueError, match="address of a server"):
        await connect(url).__aenter__()
