"""Two nodes, one database, one Redis: whoever watches a call need not be on its node, and Redis may die."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.contract.conftest import RedisServer, redis_server, socket_dir  # noqa: F401  # fixtures
from tests.e2e.server import Server
from tests.e2e.softphone import Softphone, demo_audio, is_gap_free, softphone
from tests.server.node import client, concluded

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.servers, pytest.mark.timeout(300)]

SPOKEN_S = 20


@pytest.fixture
def nodes(tmp_path, redis_server: RedisServer) -> Iterator[tuple[Server, Server]]:  # noqa: F811
    shared = {
        "COPILOT_BUS__URL": redis_server.url,
        "COPILOT_STORE__DATABASE": f"sqlite:///{tmp_path}/shared.db",
    }
    with Server(tmp_path / "a", **shared) as a, Server(tmp_path / "b", **shared) as b:
        yield a, b


async def speak_until_lines(phone: Softphone, offset: int, count: int) -> int:
    """Speak on until ``count`` lines of the call were recognised; returns the offset behind what was sent."""
    samples, rate = demo_audio()
    spoken = samples[: SPOKEN_S * rate]
    offset = await phone.speak(spoken, offset, until=lambda: len(phone.of("transcript.final")) >= count)
    await phone.until("transcript.final", count)
    return offset


async def test_a_viewer_on_another_node_sees_the_whole_call_even_if_redis_restarts(nodes, redis_server):  # noqa: F811
    a, b = nodes
    async with softphone(a.address) as phone, softphone(b.address, "/v1/floor") as floor:
        call_id = (await phone.start(call={"rep_id": "ann"}))["call_id"]
        offset = await speak_until_lines(phone, 0, 2)
        async with softphone(b.address, f"/v1/calls/{call_id}/events") as viewer:
            await viewer.until("transcript.final", 2)
            assert (await floor.until("floor.updated"))["call"]["rep_id"] == "ann"

            redis_server.kill()
            offset = await speak_until_lines(phone, offset, 3)
            await asyncio.to_thread(redis_server.start)
            await viewer.until("transcript.final", 3)

            await phone.send(type="call.end")
            await phone.until("call.ended")
            await viewer.until("call.ended")
            assert is_gap_free(phone.events)
            assert viewer.events == phone.events
        await floor.until("floor.removed")


async def test_a_call_is_undisturbed_by_the_death_of_redis(nodes, redis_server):  # noqa: F811
    a, _ = nodes
    async with softphone(a.address) as phone, client(a.address) as http:
        call_id = (await phone.start())["call_id"]
        offset = await speak_until_lines(phone, 0, 1)
        redis_server.kill()
        samples, rate = demo_audio()
        await phone.speak(samples[: SPOKEN_S * rate], offset)
        await phone.send(type="call.end")
        await phone.until("call.ended")
        assert is_gap_free(phone.events)
        assert {line["speaker"] for line in phone.of("transcript.final")} == {"rep", "customer"}
        assert (await concluded(http, call_id))["state"] == "ended"
