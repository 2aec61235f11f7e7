from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from copilot.access.policy import Actor
from copilot.bus import FLOOR, call_topic
from copilot.engines.suite import Suite
from copilot.events import Marked
from copilot.server.service import Service
from copilot.server.viewing import follow, follow_floor
from copilot.wire.messages import CallStart, MediaHeader
from tests.server.node import Blank, Ears, Parrot, client, concluded, phone, running, settings

START = CallStart(v=1, media=MediaHeader(encoding="pcm_s16le", sample_rate=8000), language="en")


@pytest.fixture
async def service(tmp_path):
    async with Service.open(settings(tmp_path), Suite(Ears(), Parrot(), Blank())) as opened:
        yield opened


async def test_a_supervisor_who_went_away_costs_nothing(service):
    frames = follow_floor(service)
    await anext(frames)
    assert service.bus.topic(FLOOR).readers
    await frames.aclose()
    assert not service.bus.topic(FLOOR).readers


async def test_a_viewer_that_saw_more_than_there_is_gets_what_comes(service):
    live = await service.calls.start(START, Actor("admin"))
    call_id = live.info.call_id
    async with aclosing(follow(service, call_id, 0)) as first:
        assert b"call.opened" in await anext(first)
    frames = follow(service, call_id, 10**30)
    waiting = asyncio.create_task(anext(frames))
    await live.deliver(Marked(label="here"))
    assert b"mark.set" in await waiting
    assert service.bus.topic(call_topic(call_id)).readers
    await frames.aclose()
    assert not service.bus.topic(call_topic(call_id)).readers


async def test_a_position_beyond_any_call_is_the_end_of_a_call_that_is_over(tmp_path):
    async with running(settings(tmp_path)) as address, client(address) as http:
        async with phone(address) as caller:
            await caller.start()
            await caller.send(type="call.end")
            await caller.until("call.ended")
        await concluded(http, caller.call_id)
        async with phone(address, f"/v1/calls/{caller.call_id}/events?after=1{'0' * 30}") as late:
            assert [frame async for frame in late.socket] == []
            assert late.socket.close_code == 1000
