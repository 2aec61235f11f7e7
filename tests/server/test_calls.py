from __future__ import annotations

import asyncio

from copilot.access.policy import Actor
from copilot.engines.suite import Suite
from copilot.errors import CopilotError
from copilot.server.service import Service
from copilot.wire.messages import CallStart, MediaHeader
from tests.server.node import Blank, Ears, Parrot, settings

START = CallStart(v=1, media=MediaHeader(encoding="pcm_s16le", sample_rate=8000), language="en")


async def test_of_calls_that_start_at_once_those_refused_leave_nothing_behind(tmp_path):
    async with Service.open(settings(tmp_path, max_calls=1), Suite(Ears(), Parrot(), Blank())) as service:
        starts = [service.calls.start(START, Actor("admin")) for _ in range(3)]
        results = await asyncio.gather(*starts, return_exceptions=True)
        codes = [result.code for result in results if isinstance(result, CopilotError)]
        assert codes == ["server.capacity", "server.capacity"]
        assert len(await asyncio.to_thread(service.store.live_calls)) == 1
