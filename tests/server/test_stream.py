from __future__ import annotations

import asyncio
import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from copilot.wire.frames import pack_frame
from tests.server.node import LINE, client, concluded, eventually, phone, running, settings

TALK = [(0.5, None), (1.5, 1), (1.0, None)]


async def test_a_call_over_the_socket_from_start_to_report(tmp_path):
    async with running(settings(tmp_path)) as address, phone(address) as caller, client(address) as http:
        started = await caller.start(call={"external_id": "sip-1", "rep_id": "ann"})
        assert started["expect"] == 0
        await caller.say(TALK)
        await caller.send(type="call.end")
        ended = await caller.until("call.ended")
        sequenced = [message for message in caller.events if "seq" in message]
        assert [message["seq"] for message in sequenced] == list(range(1, ended["seq"] + 1))
        types = [message["type"] for message in sequenced]
        assert types[0] == "call.opened"
        assert {"transcript.final", "card.raised"} <= set(types)
        card = next(message for message in sequenced if message["type"] == "card.raised")
        assert card["card"]["cue_id"] == "objection.price"
        assert card["caused_by"]["quote"] in LINE
        report = (await eventually(http, f"/v1/calls/{caller.call_id}/report")).json()
        assert [line["text"] for line in report["transcript"]] == [LINE]
        with pytest.raises(ConnectionClosed) as closed:
            await caller.socket.recv()
        assert closed.value.rcvd.code == 1000


async def test_persisted_acks_arrive_and_reach_what_was_sent(tmp_path):
    async with running(settings(tmp_path)) as address, phone(address) as caller:
        await caller.start()
        sent = await caller.say(TALK)
        acked = 0
        while acked < sent:
            ack = await caller.until("audio.ack")
            assert ack["persisted"] >= acked
            assert ack["persisted"] <= ack["received"] <= sent
            acked = ack["persisted"]
        await caller.send(type="call.end")
        await caller.until("call.ended")


BAD = {
    "text before the start": (["hello"], 4400, "message.not_json"),
    "a command before the start": ([json.dumps({"type": "call.end"})], 4400, "protocol.expected_start"),
    "audio before the start": ([bytes(64)], 4400, "protocol.expected_start"),
    "a list": (["[1]"], 4400, "message.invalid"),
    "another version": ([json.dumps({"type": "call.start", "v": 9})], 4406, "protocol.version"),
    "sample rate 12345": (
        [json.dumps({"type": "call.start", "v": 1, "media": {"encoding": "mulaw", "sample_rate": 12345}})],
        4406,
        "media.unsupported",
    ),
    "no channels": (
        [
            json.dumps(
                {"type": "call.start", "v": 1, "media": {"encoding": "mulaw", "sample_rate": 8000, "channels": []}}
            )
        ],
        4406,
        "media.unsupported",
    ),
    "an unknown playbook": (
        [
            json.dumps(
                {"type": "call.start", "v": 1, "playbook": "nope", "media": {"encoding": "mulaw", "sample_rate": 8000}}
            )
        ],
        4400,
        "playbook.unknown",
    ),
    "a playbook by its path": (
        [
            json.dumps(
                {
                    "type": "call.start",
                    "v": 1,
                    "playbook": "../x.yaml",
                    "media": {"encoding": "mulaw", "sample_rate": 8000},
                }
            )
        ],
        4400,
        "playbook.unknown",
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_input_gets_an_error_with_a_code_then_a_close(tmp_path, name):
    frames, close_code, code = BAD[name]
    async with running(settings(tmp_path)) as address, phone(address) as caller:
        for frame in frames:
            await caller.socket.send(frame)
        error = await caller.until("error")
        assert error["code"] == code
        assert error["message"]
        with pytest.raises(ConnectionClosed) as closed:
            await caller.socket.recv()
        assert closed.value.rcvd.code == close_code
        async with phone(address) as next_caller:
            assert (await next_caller.start())["type"] == "call.started"


async def test_an_odd_frame_ends_the_connection_but_not_the_call(tmp_path):
    async with running(settings(tmp_path)) as address:
        async with phone(address) as caller:
            started = await caller.start()
            await caller.socket.send(pack_frame(caller.epoch, 0, bytes(3)))
            assert (await caller.until("error"))["code"] == "audio.odd_bytes"
        async with phone(address) as again:
            resumed = await again.start(
                resume={"call_id": started["call_id"], "resume_token": started["resume_token"], "last_seq": 0}
            )
            assert resumed["call_id"] == started["call_id"]


async def test_a_ten_megabyte_frame_is_cut_off_and_the_server_lives(tmp_path):
    async with running(settings(tmp_path)) as address:
        async with phone(address) as caller:
            await caller.start()
            with pytest.raises(ConnectionClosed):
                await asyncio.gather(caller.socket.send(bytes(10_000_000)), caller.until("call.ended"))
        async with client(address) as http:
            assert (await http.get("/healthz")).status_code == 200


async def test_unknown_types_and_fields_are_ignored(tmp_path):
    async with running(settings(tmp_path)) as address, phone(address) as caller:
        await caller.start(shoe_size=44)
        await caller.send(type="telepathy", strength=9)
        await caller.send(type="ping", t="x")
        assert (await caller.until("pong", "error")) == {"type": "pong", "t": "x"}


async def test_a_dropped_connection_resumes_without_losing_or_doubling_anything(tmp_path):
    async with running(settings(tmp_path)) as address, client(address) as http:
        async with phone(address) as caller:
            started = await caller.start()
            await caller.say([(0.5, None), (1.5, 1)])
            opened = await caller.until("call.opened") if "call.opened" not in map(str, caller.events) else None
            last_seq = max((m["seq"] for m in caller.events if "seq" in m), default=0)
            assert opened is None or last_seq >= 1
        async with phone(address) as again:
            resumed = await again.start(
                resume={"call_id": started["call_id"], "resume_token": started["resume_token"], "last_seq": last_seq}
            )
            assert resumed["epoch"] == started["epoch"] + 1
            assert resumed["expect"] <= 16_000
            await again.say([(0.5, None), (1.5, 1), (1, None)][-1:], offset=resumed["expect"])
            await again.send(type="call.end")
            ended = await again.until("call.ended")
            seqs = [m["seq"] for m in again.events if "seq" in m]
            assert seqs == list(range(last_seq + 1, ended["seq"] + 1))
        rows = (await eventually(http, f"/v1/calls/{started['call_id']}/report")).json()
        assert rows["call"]["is_complete"]


async def test_a_resumed_connection_learns_at_once_what_is_persisted(tmp_path):
    async with running(settings(tmp_path)) as address:
        async with phone(address) as caller:
            started = await caller.start()
            sent = await caller.say(TALK)
            while (await caller.until("audio.ack"))["persisted"] < sent:
                pass
        async with phone(address) as again:
            await again.start(
                resume={"call_id": started["call_id"], "resume_token": started["resume_token"], "last_seq": 0}
            )
            assert (await again.until("audio.ack"))["persisted"] == sent


async def test_the_newest_connection_wins(tmp_path):
    async with running(settings(tmp_path)) as address, phone(address) as first:
        started = await first.start()
        async with phone(address) as second:
            await second.start(
                resume={"call_id": started["call_id"], "resume_token": started["resume_token"], "last_seq": 0}
            )
            assert (await first.until("error"))["code"] == "call.superseded"
            with pytest.raises(ConnectionClosed) as closed:
                await first.socket.recv()
            assert closed.value.rcvd.code == 4409


async def test_a_wrong_resume_token_is_refused(tmp_path):
    async with running(settings(tmp_path)) as address, phone(address) as first:
        started = await first.start()
        async with phone(address) as second:
            refused = await second.start(resume={"call_id": started["call_id"], "resume_token": "guess", "last_seq": 0})
            assert refused["code"] == "auth.resume"
        async with phone(address) as second:
            refused = await second.start(resume={"call_id": started["call_id"], "resume_token": "错", "last_seq": 0})
            assert refused["code"] == "auth.resume"
        async with phone(address) as third:
            refused = await third.start(resume={"call_id": "call_none", "resume_token": "x", "last_seq": 0})
            assert refused["code"] == "resume.expired"


async def test_a_client_that_vanishes_leaves_a_call_that_ends_interrupted(tmp_path):
    async with running(settings(tmp_path, resume_window_s=0.1)) as address, client(address) as http:
        async with phone(address) as caller:
            await caller.start()
            await caller.say(TALK)
            await caller.until("transcript.final")
        report = (await eventually(http, f"/v1/calls/{caller.call_id}/report")).json()
        assert report["call"]["end_reason"] == "interrupted"
        assert (await concluded(http, caller.call_id))["state"] == "interrupted"


async def test_silence_on_the_line_is_idle_and_closes_4408(tmp_path):
    async with running(settings(tmp_path, idle_timeout_s=0.1)) as address, phone(address) as caller:
        await caller.start()
        assert (await caller.until("error"))["code"] == "call.idle"
        with pytest.raises(ConnectionClosed) as closed:
            await caller.socket.recv()
        assert closed.value.rcvd.code == 4408


async def test_a_paused_call_is_never_idle(tmp_path):
    async with running(settings(tmp_path, idle_timeout_s=0.1)) as address, phone(address) as caller:
        await caller.start()
        await caller.send(type="call.pause", reason="hold")
        await caller.until("call.paused")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await caller.until("error")


async def test_the_call_after_the_last_is_refused_before_the_upgrade(tmp_path):
    async with running(settings(tmp_path, max_calls=1)) as address, phone(address) as caller:
        await caller.start()
        with pytest.raises(InvalidStatus) as refused:
            async with phone(address):
                pass
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["Retry-After"]
        async with phone(address, f"/v1/stream?call_id={caller.call_id}"):
            pass


async def test_a_call_of_no_seconds(tmp_path):
    async with running(settings(tmp_path)) as address, phone(address) as caller, client(address) as http:
        await caller.start()
        await caller.send(type="call.end")
        ended = await caller.until("call.ended")
        assert ended["totals"]["duration_ms"] == 0
        assert (await eventually(http, f"/v1/calls/{caller.call_id}/report.html")).status_code == 200


async def test_a_call_that_is_too_long_is_ended(tmp_path):
    async with running(settings(tmp_path, max_call_s=1)) as address, phone(address) as caller:
        await caller.start()
        assert (await caller.until("call.ended"))["reason"] == "limit"
