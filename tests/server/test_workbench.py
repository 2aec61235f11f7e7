"""The workbench over HTTP, and what a published playbook changes for calls."""

from __future__ import annotations

import asyncio

from copilot.backtest.runs import Bench
from copilot.config import Settings
from copilot.playbook.load import parse_playbook
from tests.call.rig import PLAYBOOK
from tests.server.node import client, concluded, phone, running, settings

SECOND = PLAYBOOK.replace("version: 1.0.0", "version: 1.1.0").replace("too expensive,", "never heard,")
BROKEN = PLAYBOOK.replace("kind: sop", "kind: soup").replace("version: 1.0.0", "version: 1.2.0")


async def test_new_calls_use_what_is_published_and_live_calls_keep_theirs(tmp_path):
    async with running(settings(tmp_path)) as address, client(address) as http:
        assert (await http.post("/v1/playbooks", content=PLAYBOOK)).status_code == 201
        async with phone(address) as one:
            await one.start(playbook="small")
            assert (await http.post("/v1/playbooks", content=SECOND)).status_code == 201
            refused = await http.post("/v1/playbooks", content=BROKEN)
            assert refused.status_code == 422
            assert refused.json()["error"]["path"] == "$.cues[2].kind"
            assert refused.json()["error"]["line"] > 0
            assert refused.json()["errors"] == [refused.json()["error"]]
            await one.say([(1.0, None), (2.0, 1), (2.0, None)])
            await one.send(type="call.end", v=1)
            await one.until("call.ended")
            first = await concluded(http, one.call_id)
        async with phone(address) as other:
            await other.start(playbook="small")
            await other.send(type="call.end", v=1)
            await other.until("call.ended")
            second = await concluded(http, other.call_id)
        assert (first["playbook_version"], second["playbook_version"]) == ("1.0.0", "1.1.0")
        log = (await http.get(f"/v1/calls/{one.call_id}/events-log")).json()
        raised = [m["card"]["cue_id"] for m in log if m["type"] in ("card.raised", "card.suppressed")]
        assert "objection.price" in raised
        await _same_cards(tmp_path, one.call_id, raised)
        states = {v["version"]: v["state"] for v in (await http.get("/v1/playbooks/versions")).json()["versions"]}
        assert states == {"1.0.0": "retired", "1.1.0": "published"}


async def _same_cards(root, call_id, raised):
    """A backtest of the sealed call with its own playbook tells the cards it had."""
    (recording,) = root.rglob(f"{call_id}/recording.bin.gz")
    (run,) = await asyncio.to_thread(Bench(None).run, recording, [parse_playbook(PLAYBOOK)])
    assert [card.cue_id for card in run.cards] == raised


async def test_the_workbench_over_http(tmp_path):
    options: Settings = settings(tmp_path)
    async with running(options) as address, client(address) as http:
        body = {"playbooks": [PLAYBOOK], "lines": [{"text": "too expensive", "lang": "en", "speaker": "customer"}]}
        scored = await http.post("/v1/playbooks/score", json=body)
        assert scored.json()["lines"][0]["signals"][0]["label"] == "objection.price"
        missing = await http.post("/v1/playbooks/backtest", json={"playbook": PLAYBOOK, "calls": ["call_x"]})
        assert (missing.status_code, missing.json()["error"]["code"]) == (422, "calls.unknown")
        version = (await http.post("/v1/playbooks?state=draft", content=PLAYBOOK)).json()
        text = await http.get(f"/v1/playbooks/small/versions/{version['digest']}")
        assert text.text == PLAYBOOK
        assert (await http.post("/v1/playbooks/small/retire?version=1.0.0")).json()["state"] == "retired"


async def test_a_rep_may_not_publish(tmp_path):
    async with running(settings(tmp_path, tokens=True)) as address:
        async with client(address, "rep-secret") as http:
            assert (await http.post("/v1/playbooks", content=PLAYBOOK)).status_code == 403
            assert (await http.post("/v1/playbooks/lint", content=PLAYBOOK)).status_code == 403
            assert (await http.get("/v1/playbooks/versions")).status_code == 200
        async with client(address, "boss-secret") as http:
            assert (await http.post("/v1/playbooks", content=PLAYBOOK)).status_code == 201
