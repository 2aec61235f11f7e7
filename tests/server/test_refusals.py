"""What an integrator reads when something is wrong: from a real node, over REST and through the SDK."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from copilot_client import Backoff, Call, Media, Options, Refused, connect, viewer

from copilot.config import Settings
from tests.call.rig import PLAYBOOK
from tests.server.node import client, phone, running, settings

BROKEN = {
    "broken": (PLAYBOOK.replace("kind: sop", "kind: soup"), "playbook.invalid", "'soup' is not one of"),
    "misspelt": (PLAYBOOK.replace("kind: sop", "种类: sop"), "playbook.unknown_key", "unknown key '种类'"),
    "full-width": (PLAYBOOK.replace("title: ", "title：", 1), "playbook.syntax", ""),
}
PATIENT = Options(backoff=Backoff(first_s=0.001, cap_s=0.002, give_up_after_s=60.0), open_timeout_s=60.0)


def with_playbooks(tmp_path: Path, **books: str) -> Settings:
    folder = tmp_path / "books"
    folder.mkdir()
    for name, value in {name: text for name, (text, *_) in BROKEN.items()}.items():
        (folder / f"{name}.yaml").write_text(value, encoding="utf-8")
    options = settings(tmp_path / "data")
    return msgspec.structs.replace(
        options, playbooks=msgspec.structs.replace(options.playbooks, folder=str(folder), **books)
    )


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_playbook_ends_the_sdks_attempts_at_once(tmp_path, name):
    _, code, message = BROKEN[name]
    async with running(with_playbooks(tmp_path)) as address:
        call = connect(f"ws://{address}", call=Call(playbook=name), options=PATIENT)
        with pytest.raises(Refused) as caught:
            await call.__aenter__()
    refused = caught.value
    assert (refused.code, refused.close_code) == (code, 4422)
    assert message in refused.message
    assert str(tmp_path) not in str(refused)


async def test_a_default_playbook_that_is_gone_ends_the_sdks_attempts_at_once(tmp_path):
    options = with_playbooks(tmp_path, default_zh="不在了")
    async with running(options) as address, phone(address) as caller:
        with pytest.raises(Refused) as caught:
            await connect(f"ws://{address}", call=Call(language="zh"), options=PATIENT).__aenter__()
        assert (caught.value.code, caught.value.close_code) == ("playbook.unreadable", 4422)
        error = await caller.start(language="zh")
        assert (error["code"], error["retryable"]) == ("playbook.unreadable", False)
        async with phone(address) as other:
            assert (await other.start(language="en"))["type"] == "call.started"


async def test_a_wrong_message_is_refused_in_plain_words_through_the_sdk(tmp_path):
    async with running(settings(tmp_path)) as address:
        for media, call, code, said in (
            (Media(channels=("客户",)), Call(), "media.unsupported", "'客户' is not one of customer, rep at $.media"),
            (Media(), Call(direction="呼出"), "message.invalid", "'呼出' is not one of inbound, outbound at $.call"),
            (Media(), Call(context={"等级": 1}), "message.invalid", "an entry here is not text at $.call.context"),
            (Media(), Call(playbook="outbound-zz"), "playbook.unknown", "no playbook of that name"),
        ):
            with pytest.raises(Refused) as caught:
                await connect(f"ws://{address}", media=media, call=call, options=PATIENT).__aenter__()
            assert caught.value.code == code
            assert said in caught.value.message
        with pytest.raises(Refused) as caught:
            await anext(viewer(f"ws://{address}", "没有"))
        assert (caught.value.code, caught.value.close_code) == ("call.unknown", 404)


QUERIES = [
    ("GET", "/v1/calls?stat=live", "unknown key 'stat'", "Did you mean 'state'?"),
    ("GET", "/v1/calls?state=进行中", "'进行中' is not one of", ""),
    ("GET", "/v1/calls?limit=５０", "'５０' is not a whole number from 0 at $.limit", ""),
    ("GET", "/v1/calls?since=昨天", "'昨天' is not a time like 2026-01-31", ""),
    ("GET", "/v1/playbooks/versions?playbok=small", "unknown key 'playbok'", "Did you mean 'playbook'?"),
    ("POST", "/v1/playbooks?stat=draft", "unknown key 'stat'", "Did you mean 'state'?"),
    ("POST", "/v1/playbooks?state=retired", "'retired' is not one of draft, published, shadow", ""),
    ("POST", "/v1/playbooks/small/retire", "`version` is missing", "Add `version`"),
]


@pytest.mark.parametrize(("method", "path", "said", "hint"), QUERIES)
async def test_a_misspelt_query_is_refused_and_not_ignored(tmp_path, method, path, said, hint):
    async with running(settings(tmp_path)) as address, client(address) as http:
        answer = await http.request(method, path, content=PLAYBOOK if method == "POST" else None)
        assert_refused(answer, f"in the query: {said}", hint)
        assert (await http.get("/v1/playbooks/versions")).json() == {"versions": []}


BODIES = [
    ("score", '{"playbook": "outbound-en", "lines": [], "playbok": 1}', "unknown key 'playbok'", "'playbook'?"),
    ("score", '{"playbook": "outbound-en"}', "`lines` is missing", "Add `lines` with a list."),
    ("score", '{"lines": ["太贵了"]}', "'太贵了' is not a mapping of keys to values at $.lines[0]", ""),
    (
        "backtest",
        '{"playbook": "outbound-zh", "通话": []}',
        "unknown key '通话'",
        "Known here: playbook, calls, since.",
    ),
    ("backtest", '{"playbook": "outbound-zh", "calls": "call_1"}', "'call_1' is not a list at $.calls", "a list"),
    ("diff", '{"before": "outbound-zh", "calls": []}', "`after` is missing", ""),
    ("diff", '{"before": "a"，"after": "b"}', "not JSON: '，' cannot stand on line 1, column 15", "UTF-8"),
    ("diff", "[" * 100_000, "the body is nested too deeply", ""),
    ("lint", b"\xff\xfe", "the body is not UTF-8 text", "Save it as UTF-8."),
]


async def test_a_wrong_body_is_refused_in_plain_words(tmp_path):
    async with running(settings(tmp_path)) as address, client(address) as http:
        for task, body, said, hint in BODIES:
            answer = await http.post(f"/v1/playbooks/{task}", content=body)
            assert_refused(answer, said, hint)
        async with phone(address) as caller:
            await caller.start()
            answer = await http.patch(f"/v1/calls/{caller.call_id}", content='{"outcom": "won"}')
            assert_refused(answer, "in the body: unknown key 'outcom' at $.outcom", "Did you mean 'outcome'?")


def assert_refused(answer, said, hint):
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "request.invalid"), error
    assert said in error["message"]
    assert hint in error["hint"]
    assert "Expected" not in error["message"]
