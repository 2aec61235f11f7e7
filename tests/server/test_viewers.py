from __future__ import annotations

import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from copilot.events import SpeechScored
from copilot.store.journal import Journal
from copilot.store.recording import ENTRY, encode_entry
from tests.server.node import client, concluded, phone, running, settings

TALK = [(0.5, None), (1.5, 1), (1.0, None)]


def viewer(address: str, call_id: str, token: str = "", after: int = 0):
    return phone(address, f"/v1/calls/{call_id}/events?after={after}", token)


async def test_a_viewer_gets_every_event_from_the_beginning_or_from_where_it_was(tmp_path):
    async with running(settings(tmp_path)) as address, phone(address) as caller:
        await caller.start()
        await caller.say(TALK)
        await caller.until("card.raised")
        async with viewer(address, caller.call_id) as first:
            await first.until("card.raised")
            assert [m["seq"] for m in first.events] == list(range(1, len(first.events) + 1))
            seen = len(first.events)
        async with viewer(address, caller.call_id, after=seen) as second:
            await caller.send(type="call.end")
            ended = await second.until("call.ended")
            assert [m["seq"] for m in second.events] == list(range(seen + 1, ended["seq"] + 1))
            with pytest.raises(ConnectionClosed) as closed:
                await second.socket.recv()
            assert closed.value.rcvd.code == 1000
        async with viewer(address, caller.call_id) as late:
            assert (await late.until("call.ended"))["seq"] == ended["seq"]


async def test_a_rep_answers_cards_and_steps_from_the_panel(tmp_path):
    async with running(settings(tmp_path)) as address, phone(address) as caller:
        await caller.start()
        await caller.say(TALK)
        card = await caller.until("card.raised")
        async with viewer(address, caller.call_id) as panel:
            await panel.send(type="card.rendered", card_id=card["card"]["id"])
            rendered = await panel.until("card.updated")
            while rendered["ledger"]["rendered"] is None:
                rendered = await panel.until("card.updated")
            await panel.send(type="card.ack", card_id=card["card"]["id"], action="used")
            assert (await panel.until("card.closed"))["state"] == "acked"
            await panel.send(type="step.tick", step_id="opening.intro")
            assert (await panel.until("step.changed"))["state"].startswith("done")
            await panel.send(type="mark", label="here")
            assert (await panel.until("mark.set"))["label"] == "here"


async def test_nonsense_from_a_panel_is_answered_and_harms_nothing(tmp_path):
    async with running(settings(tmp_path)) as address, phone(address) as caller:
        await caller.start()
        async with viewer(address, caller.call_id) as panel:
            await panel.send(type="card.ack", card_id="none", action="used")
            await panel.send(type="call.start", v=1)
            assert (await panel.until("error"))["code"] == "protocol.not_here"
            await panel.socket.send(b"audio")
            assert (await panel.until("error"))["code"] == "protocol.not_here"
        await caller.send(type="ping", t=1)
        assert (await caller.until("pong"))["t"] == 1


async def test_a_rep_sees_own_calls_only(tmp_path):
    async with running(settings(tmp_path, tokens=True)) as address:
        with pytest.raises(InvalidStatus) as refused:
            async with phone(address):
                pass
        assert refused.value.response.status_code == 401
        async with phone(address, token="rep-secret") as caller:
            await caller.start()
            async with viewer(address, caller.call_id, "rep-secret") as own:
                await own.until("call.opened")
            for token, status in (("other-secret", 403), ("pbx-secret", 403), ("wrong", 401)):
                with pytest.raises(InvalidStatus) as refused:
                    async with viewer(address, caller.call_id, token):
                        pass
                assert refused.value.response.status_code == status
            async with client(address, "other-secret") as http:
                assert (await http.get(f"/v1/calls/{caller.call_id}")).status_code == 403
                assert (await http.get("/v1/calls")).json()["calls"] == []
            async with client(address, "nameless-secret") as http:
                assert (await http.get("/v1/calls")).status_code == 403
            async with client(address, "rep-secret") as http:
                [row] = (await http.get("/v1/calls")).json()["calls"]
                assert row["rep_id"] == "ann"
                assert (await http.delete(f"/v1/calls/{caller.call_id}")).status_code == 403
                assert (await http.get("/v1/me")).json()["role"] == "rep"


async def test_a_rep_may_not_start_a_call_for_somebody_else(tmp_path):
    async with running(settings(tmp_path, tokens=True)) as address, phone(address, token="rep-secret") as caller:
        assert (await caller.start(call={"rep_id": "eve"}))["code"] == "auth.forbidden"


async def test_a_browser_sends_its_token_as_a_subprotocol_that_is_never_echoed(tmp_path):
    async with running(settings(tmp_path, tokens=True)) as address:
        async with connect(
            f"ws://{address}/v1/stream", subprotocols=["copilot.v1", "bearer.rep-secret"], origin=f"http://{address}"
        ) as socket:
            assert socket.subprotocol == "copilot.v1"
        with pytest.raises(InvalidStatus) as refused:
            async with connect(
                f"ws://{address}/v1/stream",
                subprotocols=["copilot.v1", "bearer.rep-secret"],
                origin="http://evil.example",
            ):
                pass
        assert refused.value.response.status_code == 403


async def test_the_floor_shows_live_calls_and_a_supervisor_can_write_to_the_rep(tmp_path):
    async with running(settings(tmp_path, tokens=True)) as address, phone(address, token="rep-secret") as caller:
        async with phone(address, "/v1/floor", token="boss-secret") as floor:
            assert (await floor.until("floor.snapshot"))["calls"] == []
            await caller.start()
            assert (await floor.until("floor.updated"))["call"]["rep_id"] == "ann"
            await caller.say(TALK)
            while not (update := (await floor.until("floor.updated"))["call"])["open_cards"]:
                pass
            assert "card:objection.price" in update["reasons"]
            async with viewer(address, caller.call_id, "boss-secret") as watching:
                await watching.send(type="supervisor.send", text="offer the small plan")
                assert (await caller.until("supervisor.message"))["sent_by"] == "bob"
                await watching.send(type="card.ack", card_id="c1", action="used")
                assert (await watching.until("error"))["code"] == "auth.forbidden"
            await caller.send(type="call.end")
            assert (await floor.until("floor.removed"))["call_id"] == caller.call_id
        with pytest.raises(InvalidStatus):
            async with phone(address, "/v1/floor", token="rep-secret"):
                pass


async def test_calls_can_be_listed_read_listened_to_and_deleted(tmp_path):
    async with running(settings(tmp_path)) as address, phone(address) as caller, client(address) as http:
        await caller.start(call={"rep_id": "ann", "external_id": "sip-9", "customer_ref": "c-7"})
        await caller.say(TALK)
        assert (await http.delete(f"/v1/calls/{caller.call_id}")).status_code == 400
        await caller.send(type="call.end")
        await caller.until("call.ended")
        row = await concluded(http, caller.call_id)
        assert (row["state"], row["external_id"], row["duration_ms"]) == ("ended", "sip-9", 3_000)
        base = f"/v1/calls/{caller.call_id}"
        [line] = (await http.get(f"{base}/transcript")).json()["utterances"]
        assert line["speaker"] == "customer"
        cards = (await http.get(f"{base}/cards")).json()["cards"]
        assert cards[0]["type"] == "card.raised"
        log = (await http.get(f"{base}/events-log?after=1&limit=2")).json()
        assert [message["seq"] for message in log] == [2, 3]
        audio = await http.get(f"{base}/audio", headers={"Range": "bytes=0-3"})
        assert (audio.status_code, audio.content) == (206, b"fLaC")
        assert "<html" in (await http.get(f"{base}/report.html?lang=zh")).text
        page = (await http.get("/v1/calls?limit=1&rep_id=ann&text=c-7")).json()
        assert [call["call_id"] for call in page["calls"]] == [caller.call_id]
        assert (await http.delete(base)).status_code == 204
        assert (await http.get(base)).json()["error"]["code"] == "call.unknown"


async def test_what_became_of_a_call_is_said_when_it_ends_or_later(tmp_path):
    async with (
        running(settings(tmp_path, tokens=True)) as address,
        phone(address, token="rep-secret") as caller,
        client(address, "rep-secret") as http,
    ):
        await caller.start()
        path = f"/v1/calls/{caller.call_id}"
        await caller.send(type="call.end", outcome="won")
        assert (await caller.until("call.ended"))["outcome"] == "won"
        assert (await concluded(http, caller.call_id))["outcome"] == "won"
        assert (await http.patch(path, json={"outcome": "lost"})).json()["outcome"] == "lost"
        row = (await http.get(path)).json()
        assert (row["outcome"], row["outcomes"]) == ("lost", ["won", "lost", "follow_up"])
        for body in ({"outcome": "perhaps"}, {"outcome": "won", "state": "live"}, {}, []):
            answer = await http.patch(path, json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "request.invalid")
        for token, status in (("other-secret", 403), ("pbx-secret", 403), ("boss-secret", 200)):
            async with client(address, token) as other:
                assert (await other.patch(path, json={"outcome": "follow_up"})).status_code == status
        assert (await http.get(path)).json()["outcome"] == "follow_up"


async def test_what_is_said_of_a_call_while_it_is_on_outlasts_its_end(tmp_path):
    async with running(settings(tmp_path)) as address, phone(address) as caller, client(address) as http:
        await caller.start()
        await http.patch(f"/v1/calls/{caller.call_id}", json={"outcome": "won"})
        await caller.send(type="call.end")
        await caller.until("call.ended")
        assert (await concluded(http, caller.call_id))["outcome"] == "won"


async def test_wrong_requests_get_clear_answers(tmp_path):
    async with running(settings(tmp_path)) as address, client(address) as http:
        for path, status, code in (
            ("/v1/calls/none", 404, "call.unknown"),
            ("/v1/calls/none/report", 404, "call.unknown"),
            ("/v1/calls?limit=many", 400, "request.invalid"),
            ("/v1/calls?state=asleep", 400, "request.invalid"),
            ("/v1/calls?cursor=xyz", 400, "calls.bad_cursor"),
        ):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), path
        assert "outbound-zh" in (await http.get("/v1/playbooks")).json()["playbooks"]
        assert (await http.get("/v1/service")).json()["calls"] == 0
        assert (await http.get("/readyz")).json()["ready"]
        assert "copilot_calls 0.0" in (await http.get("/metrics")).text
        policy = (await http.get("/")).headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


async def test_a_foreign_host_name_is_not_answered(tmp_path):
    async with running(settings(tmp_path)) as address, client(address) as http:
        answer = await http.get("/v1/calls", headers={"Host": "rebound.example"})
        assert answer.json()["error"]["code"] == "auth.host"


async def test_a_restart_goes_on_with_the_calls_that_were_on(tmp_path):
    options = settings(tmp_path)
    async with running(options) as address, phone(address) as caller:
        started = await caller.start()
        sent = await caller.say([(0.5, None), (1.5, 1), (1.0, None)])
        await caller.until("transcript.final")
        while max((each["persisted"] for each in caller.events if each["type"] == "audio.ack"), default=0) < sent:
            await caller.until("audio.ack")  # the last one may have come before the words
    resume = {"call_id": started["call_id"], "resume_token": started["resume_token"], "last_seq": 0}
    async with running(options) as address, client(address) as http:
        async with phone(address) as again:
            resumed = await again.start(resume=resume)
            assert resumed["expect"] == sent
            end = await again.say([(0.5, None), (1.5, 1), (1.0, None)], offset=sent)
            await again.send(type="call.end")
            ended = await again.until("call.ended")
            assert [m["seq"] for m in again.events if "seq" in m] == list(range(1, ended["seq"] + 1))
        row = await concluded(http, started["call_id"])
        assert row["duration_ms"] == end // 8
        assert json.loads((await http.get(f"/v1/calls/{started['call_id']}/report")).text)["call"]["is_complete"]


async def test_a_call_that_cannot_be_brought_back_does_not_keep_the_node_down(tmp_path):
    options = settings(tmp_path)
    async with running(options) as address, phone(address) as caller:
        await caller.start()
    [folder] = tmp_path.glob("calls/*/*/*/*")
    journal = Journal(options.store)
    handle = journal.open(caller.call_id, folder)
    nonsense = SpeechScored(channel=7, first_window=0, scores=(0.5,), levels_db=(-20.0,))
    handle.append(ENTRY, encode_entry(9.0, nonsense))
    journal.close()
    async with running(options) as address, client(address) as http:
        row = (await http.get(f"/v1/calls/{caller.call_id}")).json()
        assert (row["state"], row["reason"]) == ("interrupted", "call.not_recovered")


async def test_a_restart_writes_the_report_a_crash_prevented(tmp_path):
    options = settings(tmp_path, resume_window_s=0.01)
    async with running(options) as address, phone(address) as caller:
        started = await caller.start()
        await caller.say(TALK)
        await caller.until("transcript.final")
    async with running(options) as address, client(address) as http:
        row = await concluded(http, started["call_id"])
        assert (row["state"], row["reason"]) == ("interrupted", "interrupted")
