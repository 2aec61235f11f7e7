"""What is particular to one process; the promise itself is tested in ``tests/contract/test_bus.py``."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.bus import FLOOR, Lagged, LocalBus
from copilot.config import BusSettings


def run(coroutine):
    return asyncio.run(coroutine)


async def test_from_now_on_leaves_out_what_was():
    bus = LocalBus(BusSettings())
    await bus.publish(FLOOR, None, b"before")
    subscription = bus.subscribe(FLOOR, after_seq=None)
    await bus.publish(FLOOR, None, b"after")
    assert await anext(subscription) == (2, b"after")


async def test_from_now_on_in_a_topic_nobody_knows_starts_with_its_first_entry():
    bus = LocalBus(BusSettings())
    subscription = bus.subscribe("call:c1", after_seq=None)
    await bus.publish("call:c1", 500, b"recovered elsewhere")
    assert await anext(subscription) == (500, b"recovered elsewhere")


async def test_a_closed_bus_has_no_news():
    bus = LocalBus(BusSettings())
    await bus.close()
    with pytest.raises(StopAsyncIteration):
        await anext(bus.subscribe(FLOOR))


async def test_leaving_while_waiting_ends_the_wait():
    bus = LocalBus(BusSettings())
    subscription = bus.subscribe(FLOOR)
    waiting = asyncio.create_task(anext(subscription, None))
    await asyncio.sleep(0)
    await subscription.aclose()
    assert await asyncio.wait_for(waiting, 10) is None


@given(
    published=st.lists(st.integers(1, 30), max_size=60),
    length=st.integers(1, 12),
    after=st.integers(0, 10),
    reads=st.lists(st.integers(0, 60), max_size=20),
)
def test_whatever_is_published_a_subscriber_sees_consecutive_numbers_or_is_told(published, length, after, reads):
    async def scenario():
        bus = LocalBus(BusSettings(stream_length=length))
        subscription = bus.subscribe("call:c1", after_seq=after)
        seen = []
        for turn, seq in enumerate(published):
            await bus.publish("call:c1", seq, b"%d" % seq)
            if turn in reads:
                await drain(subscription, seen)
        bus.forget("call:c1")
        await drain(subscription, seen)
        return seen

    async def drain(subscription, seen):
        news = asyncio.create_task(anext(subscription, None))
        while True:
            await asyncio.sleep(0)
            if not news.done():
                news.cancel()
                return
            if news.exception() is not None:
                assert isinstance(news.exception(), Lagged)
                assert news.exception().after_seq == (seen[-1].seq if seen else after)
                return
            if news.result() is None:
                return
            seen.append(news.result())
            news = asyncio.create_task(anext(subscription, None))

    seen = run(scenario())
    assert [entry.seq for entry in seen] == list(range(after + 1, after + 1 + len(seen)))
    assert all(entry.body == b"%d" % entry.seq for entry in seen)
