from __future__ import annotations

import asyncio

import pytest

from copilot.server.outlet import Outlet, SlowConsumer


class Peer:
    """A socket whose reader takes ``appetite`` frames and then no more."""

    def __init__(self, appetite: int) -> None:
        self.taken: list[str] = []
        self._appetite = appetite

    async def send_text(self, data: str) -> None:
        if len(self.taken) == self._appetite:
            await asyncio.get_running_loop().create_future()
        self.taken.append(data)


class Gone:
    """A socket that is closed."""

    async def send_text(self, data: str) -> None:
        raise RuntimeError("closed")


async def test_a_burst_larger_than_the_queue_reaches_a_reader_whole_and_in_order():
    peer = Peer(appetite=1_000)
    outlet = Outlet(peer, limit=3, timeout_s=5)
    writing = asyncio.create_task(outlet.run())
    for number in range(200):
        await outlet.send(str(number).encode())
    await outlet.drained()
    assert peer.taken == [str(number) for number in range(200)]
    writing.cancel()


async def test_a_peer_that_stops_reading_is_a_slow_consumer_and_the_follower_only_waits():
    peer = Peer(appetite=2)
    outlet = Outlet(peer, limit=3, timeout_s=0.01)

    async def follow() -> None:
        while True:
            await outlet.send(b"x")

    following = asyncio.create_task(follow())
    with pytest.raises(SlowConsumer):
        await outlet.run()
    assert len(peer.taken) == 2
    assert not following.done()
    following.cancel()
    await outlet.drained()


async def test_a_peer_that_asks_much_and_reads_nothing_is_a_slow_consumer():
    outlet = Outlet(Peer(appetite=0), limit=2, timeout_s=5)
    for _ in range(4):
        await outlet.put(b"pong")
    with pytest.raises(SlowConsumer):
        await outlet.put(b"pong")


async def test_a_closed_socket_ends_the_writer_quietly():
    outlet = Outlet(Gone(), limit=2, timeout_s=5)
    await outlet.put(b"x")
    await outlet.run()
    await outlet.drained()
