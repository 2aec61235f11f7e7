"""A live call beside a language model on loopback: cards by its quotes, and no card later for its silence."""

from __future__ import annotations

import asyncio
import json

import pytest

from copilot.call.asking import LlmLimits
from copilot.call.call import Call
from copilot.call.recording import encode_effects, replay
from copilot.clock import SystemClock
from copilot.config import LlmSettings
from copilot.engines.llm import Llm
from copilot.events import Answered, HungUp, TextReceived
from copilot.server.drive import Driver
from tests.call.rig import info
from tests.call.test_answers import BASE, LLM, setup
from tests.engines.chat_server import KEY, Chat, yes
from tests.engines.servers import http_server
from tests.server.test_drive import Ledgers, Threaded

LINE = TextReceived(speaker="customer", text="that is too expensive and my wife decides", start_ms=0, end_ms=900)


async def live(chat: Chat | None, until: str, timeout_s: float = 5.0):
    """Run until the recording or the messages hold ``until``, then hang up; the ledgers and the setup."""
    call_setup = setup(BASE + LLM, LlmLimits(max_per_call=3), encoder=None)
    ledgers, clock = Ledgers(), SystemClock()
    with http_server(chat.app if chat else Chat(yes("")).app) as url:
        options = LlmSettings(enabled=True, url=url, model="m", api_key=KEY, timeout_s=timeout_s)
        llm = Llm.connect(options, lambda _: None) if chat else None
        machine = Driver(
            Call(info(kind="chat"), call_setup),
            clock=clock,
            origin=clock.now(),
            ears=[],
            recogniser=Threaded({}),
            encode=lambda _: b"",
            ledgers=ledgers,
            adviser=llm,
        )
        running = asyncio.create_task(machine.run())
        await machine.put(LINE)
        async with asyncio.timeout(10):
            while until not in seen(ledgers):
                await ledgers.moved.wait()
                ledgers.moved.clear()
        await machine.put(HungUp())
        await running
        if llm:
            await llm.close()
    return ledgers, call_setup


def seen(ledgers: Ledgers) -> list[str]:
    """Kinds of events recorded, and the cues of cards raised."""
    told = [json.loads(bytes(each.message)) for each in ledgers.published]
    return [type(event).__name__ for _, event in ledgers.entries] + [
        message["card"]["cue_id"] for message in told if message["type"] == "card.raised"
    ]


async def test_a_quote_over_http_raises_a_card_and_replays_exactly():
    ledgers, call_setup = await live(Chat(yes("my wife decides")), "Answered")
    assert seen(ledgers)[-2:] == ["objection.price", "authority"]
    again = [effects for _, effects in replay(info(kind="chat"), call_setup, ledgers.entries)]
    published = [each for effects in again for each in effects if type(each).__name__ == "Publish"]
    assert encode_effects(published) == encode_effects(ledgers.published)


async def test_a_model_that_never_answers_delays_nothing():
    chat = Chat(yes("my wife decides"))
    chat.hang = True
    ledgers, _ = await live(chat, "objection.price", timeout_s=30)
    assert "Answered" not in seen(ledgers)
    assert json.loads(bytes(ledgers.published[-1].message))["type"] == "call.ended"


@pytest.mark.parametrize("chat", [None, Chat(lambda _: "certainly!")])
async def test_no_model_and_nonsense_are_no_answer(chat):
    ledgers, _ = await live(chat, "Answered")
    (answer,) = [event for _, event in ledgers.entries if isinstance(event, Answered)]
    assert answer.error == ("llm.nonsense" if chat else "llm.off")
    assert "authority" not in seen(ledgers)
