"""A language model over the real protocol, on loopback: believed when it quotes, harmless when it does not."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import structlog
from starlette.responses import JSONResponse, PlainTextResponse, Response

from copilot.call.asking import LlmLimits
from copilot.config import LlmSettings
from copilot.engines.llm import RESULTS, Llm, llm_limits
from copilot.errors import ConfigError
from copilot.events import Answered, Ask
from tests.engines.chat_server import KEY, Chat, yes
from tests.engines.servers import http_server

SAID = "Well, I would have to talk to my wife about that first."
MATCH = Ask(request_id=7, kind="match", question="Does somebody else decide?", speaker="customer", said=SAID)
PHRASE = Ask(request_id=8, kind="phrase", question="Offer a call with both", speaker="customer", said=SAID)


async def asked(chat: Chat, question: Ask = MATCH, **settings) -> tuple[Answered, Counter[str], list]:
    ended: Counter[str] = Counter()
    with http_server(chat.app) as url, structlog.testing.capture_logs() as logs:
        changed = {"enabled": True, "url": url, "model": "small", "api_key": KEY, **settings}
        llm = Llm.connect(LlmSettings(**changed), lambda result: ended.update([result]))
        try:
            return await llm.ask(question), ended, logs
        finally:
            await llm.close()


async def test_a_yes_with_a_quote_counts():
    chat = Chat(yes("talk to my wife"))
    answered, ended, _ = await asked(chat)
    assert answered == Answered(request_id=7, text="talk to my wife")
    assert ended == {"yes": 1}
    sent = chat.asked[0]
    assert sent["model"] == "small"
    assert sent["temperature"] == 0
    assert json.loads(sent["messages"][1]["content"])["said"] == SAID


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ('{"match": false, "quote": ""}', "no"),
        ('```json\n{"match": true, "quote": "to my WIFE"}\n```', "yes"),
        ('{"match": true, "quote": "ask my husband"}', "quote"),
        ('{"match": true, "quote": ""}', "quote"),
        ('{"match": true}', "quote"),
        ('{"match": "perhaps"}', "nonsense"),
        ("Yes, the customer clearly says so!", "nonsense"),
        ("", "nonsense"),
        ("[]", "nonsense"),
    ],
)
async def test_what_a_model_may_write(text, result):
    answered, ended, logs = await asked(Chat(lambda _: text))
    assert ended == {result: 1}
    assert bool(answered.text) == (result == "yes")
    assert answered.error == ("" if result in ("yes", "no") else f"llm.{result}")
    assert all("wife" not in str(line) and "husband" not in str(line) for line in logs)
    assert bool(logs) == bool(answered.error)


async def test_chinese_quotes_count_too():
    said = "这个我得回去跟我老婆商量一下"
    question = Ask(request_id=1, kind="match", question="是不是别人做主？", speaker="customer", said=said)
    answered, _, _ = await asked(Chat(yes("跟我老婆商量")), question)
    assert answered.text == "跟我老婆商量"


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        (lambda: PlainTextResponse("boom", 500), "refused"),
        (lambda: JSONResponse({"error": {"message": "slow down"}}, 429), "refused"),
        (lambda: PlainTextResponse("<html>", 200), "nonsense"),
        (lambda: JSONResponse({"choices": []}), "nonsense"),
        (lambda: JSONResponse({"choices": [{"message": {"content": None}}]}), "nonsense"),
        (lambda: Response(b"x" * (1 << 17)), "nonsense"),
        (lambda: Response(b"\xff\xfe"), "nonsense"),
        (lambda: Response(b"{}", headers={"content-encoding": "gzip"}), "unreachable"),
    ],
)
async def test_a_server_that_fails_is_no_answer(fault, result):
    chat = Chat(yes("wife"))
    chat.fault = fault
    answered, ended, _ = await asked(chat)
    assert answered == Answered(request_id=7, error=f"llm.{result}")
    assert ended == {result: 1}


async def test_a_wrong_key_is_refused_and_stays_secret():
    answered, _, logs = await asked(Chat(yes("wife")), api_key="sk-other-secret")
    assert answered.error == "llm.refused"
    assert "sk-other-secret" not in str(logs)


async def test_a_silent_server_times_out():
    chat = Chat(yes("wife"))
    chat.hang = True
    answered, ended, _ = await asked(chat, timeout_s=0.2)
    assert answered == Answered(request_id=7, error="llm.timeout")
    assert ended == {"timeout": 1}


async def test_a_server_that_is_not_there_is_no_answer():
    ended: Counter[str] = Counter()
    with http_server(Chat(yes("wife")).app) as url:
        settings = LlmSettings(enabled=True, url=url, model="small")
    llm = Llm.connect(settings, lambda result: ended.update([result]))
    assert (await llm.ask(MATCH)).error == "llm.unreachable"
    await llm.close()
    assert set(ended) <= set(RESULTS)


async def test_words_for_a_card():
    say = json.dumps({"say": "Shall we three talk on Thursday?", "quote": "talk to my wife"})
    answered, ended, _ = await asked(Chat(lambda told: say if "card" in told else "?"), PHRASE)
    assert answered.text == "Shall we three talk on Thursday?"
    assert ended == {"suggestion": 1}
    unfounded = json.dumps({"say": "It is free!", "quote": "is it free"})
    answered, _, _ = await asked(Chat(lambda _: unfounded), PHRASE)
    assert answered == Answered(request_id=8, error="llm.quote")


@pytest.mark.parametrize("wrong", [{"url": ""}, {"url": "ftp://x/v1"}, {"url": "http://x/v1", "model": ""}])
async def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ConfigError) as refused:
        Llm.connect(LlmSettings(**{"enabled": True, "model": "m", **wrong}), lambda _: None)
    assert refused.value.code == "config.llm"


def test_calls_ask_only_when_enabled():
    assert llm_limits(LlmSettings(url="http://x/v1", model="m")) == LlmLimits()
    assert llm_limits(LlmSettings(enabled=True, suggestions=True)) == LlmLimits(max_per_call=20, suggestions=True)
