"""One promise (``bus.model.Bus``), three arrangements: in one process, and on one or two nodes of a real Redis."""

import asyncio
from contextlib import aclosing

import pytest

from copilot.bus import FLOOR, Lagged, LocalBus, call_topic, open_bus
from copilot.bus.redis import RedisBus
from copilot.config import BusSettings
from copilot.errors import ConfigError
from tests.store.refusal import refused

TOPIC = call_topic("c1")
WAIT_S = 10.0


class Node:
    """A bus and what it says about itself."""

    def __init__(self, name, url, stream_length=1000):
        self.said = asyncio.Queue()
        settings = BusSettings(url=url, stream_length=stream_length, command_timeout_s=0.5)
        self.bus = RedisBus(settings, node=name, on_degraded=lambda degraded, reason: self.said.put_nowait(degraded))
        self.bus.start()

    async def says(self):
        return await asyncio.wait_for(self.said.get(), WAIT_S)


@pytest.fixture(
    params=["local", *(pytest.param(kind, marks=pytest.mark.servers) for kind in ("one node", "two nodes"))]
)
async def arrangement(request):
    """Where to publish and where to subscribe, as a function of the streams' length."""
    buses = []
    url = "" if request.param == "local" else request.getfixturevalue("redis_server").url

    def make(stream_length=1000):
        if request.param == "local":
            buses.append(LocalBus(BusSettings(stream_length=stream_length)))
            return buses[0], buses[0]
        names = ["a"] if request.param == "one node" else ["a", "b"]
        buses.extend(Node(name, url, stream_length).bus for name in names)
        return buses[0], buses[-1]

    yield make
    for bus in buses:
        await bus.close()


def body(seq):
    return b"%d" % seq


async def publish(bus, *seqs, topic=TOPIC):
    for seq in seqs:
        await bus.publish(topic, seq, body(seq))


async def take(subscription, count):
    async with asyncio.timeout(WAIT_S):
        return [await anext(subscription) for _ in range(count)]


def entries(*seqs):
    return [(seq, body(seq)) for seq in seqs]


async def test_entries_arrive_in_order_before_and_after_subscribing(arrangement):
    there, here = arrangement()
    await publish(there, 1, 2, 3)
    async with aclosing(here.subscribe(TOPIC)) as subscription:
        assert await take(subscription, 3) == entries(1, 2, 3)
        await publish(there, 4, 5)
        assert await take(subscription, 2) == entries(4, 5)


async def test_subscribing_before_the_first_entry(arrangement):
    there, here = arrangement()
    async with aclosing(here.subscribe(TOPIC)) as subscription:
        waiting = asyncio.create_task(take(subscription, 2))
        await publish(there, 1, 2)
        assert await waiting == entries(1, 2)


async def test_a_viewer_resumes_by_number(arrangement):
    there, here = arrangement()
    await publish(there, *range(1, 8))
    async with aclosing(here.subscribe(TOPIC, after_seq=5)) as subscription:
        assert await take(subscription, 2) == entries(6, 7)


async def test_entries_published_twice_are_delivered_once(arrangement):
    there, here = arrangement()
    async with aclosing(here.subscribe(TOPIC)) as subscription:
        await publish(there, 1, 2, 1, 2, 3, 3, 0)
        assert await take(subscription, 3) == entries(1, 2, 3)
        await publish(there, 4)
        assert await take(subscription, 1) == entries(4)


async def test_every_subscriber_gets_everything_and_leaves_alone(arrangement):
    there, here = arrangement()
    first, second = here.subscribe(TOPIC), here.subscribe(TOPIC)
    await publish(there, 1)
    assert await take(first, 1) == await take(second, 1) == entries(1)
    await first.aclose()
    await first.aclose()
    await publish(there, 2)
    assert await take(second, 1) == entries(2)
    with pytest.raises(StopAsyncIteration):
        await anext(first)
    await second.aclose()


async def test_a_topic_can_be_watched_again(arrangement):
    there, here = arrangement()
    await publish(there, 1, 2)
    for _ in range(2):
        async with aclosing(here.subscribe(TOPIC)) as subscription:
            assert await take(subscription, 2) == entries(1, 2)


async def test_a_slow_subscriber_is_told_where_it_was_and_resumes_there(arrangement):
    there, here = arrangement(stream_length=10)
    slow = here.subscribe(TOPIC)
    keen = here.subscribe(TOPIC)
    await publish(there, 1, 2)
    assert await take(slow, 2) == entries(1, 2)
    for seq in range(3, 300):
        await publish(there, seq)
        if seq % 5 == 0:
            await take(keen, 5)
    with pytest.raises(Lagged) as caught:
        await take(slow, 1)
    assert (caught.value.after_seq, caught.value.code) == (2, "bus.lagged")
    await slow.aclose()
    async with aclosing(here.subscribe(TOPIC, after_seq=298)) as resumed:  # 3 to 298 came from the store
        assert await take(resumed, 1) == entries(299)
    await keen.aclose()


async def test_a_recovered_call_goes_on_where_its_log_ends(arrangement):
    there, here = arrangement()
    behind, abreast = here.subscribe(TOPIC, after_seq=0), here.subscribe(TOPIC, after_seq=40)
    await publish(there, 41)
    assert await take(abreast, 1) == entries(41)
    with pytest.raises(Lagged):
        await take(behind, 1)
    await publish(there, 50)  # what lies between is lost to the bus
    with pytest.raises(Lagged):
        await take(abreast, 1)
    await behind.aclose()
    await abreast.aclose()


async def test_topics_do_not_mix(arrangement):
    there, here = arrangement()
    one, two = here.subscribe(call_topic("one")), here.subscribe(call_topic("two"))
    await publish(there, 1, topic=call_topic("one"))
    await publish(there, 1, 2, topic=call_topic("two"))
    assert (await take(one, 1), await take(two, 2)) == (entries(1), entries(1, 2))
    await one.aclose()
    await two.aclose()


async def test_the_floor_is_numbered_by_the_bus(arrangement):
    there, here = arrangement()
    async with aclosing(here.subscribe(FLOOR, after_seq=None)) as subscription:
        waiting = asyncio.create_task(take(subscription, 2))
        async with asyncio.timeout(WAIT_S):
            while not waiting.done():  # a reader on another node begins when it has found out where "now" is
                await there.publish(FLOOR, None, b"news")
                await asyncio.wait([waiting], timeout=0.02)
        got = await waiting
    assert [entry.body for entry in got] == [b"news", b"news"]
    assert got[1].seq == got[0].seq + 1


async def test_from_now_on_in_a_call_that_is_under_way(arrangement):
    there, here = arrangement()
    await publish(there, 1, 2)
    async with aclosing(here.subscribe(TOPIC)) as subscription:
        await take(subscription, 2)
        async with aclosing(here.subscribe(TOPIC, after_seq=None)) as late:
            await publish(there, 3)
            assert await take(late, 1) == entries(3)


async def test_a_forgotten_topic_ends_its_subscriptions_after_the_last_entry(arrangement):
    there, here = arrangement()
    subscription = here.subscribe(TOPIC)
    await publish(there, 1, 2)
    assert await take(subscription, 1) == entries(1)
    await publish(there, 3)
    assert await take(subscription, 2) == entries(2, 3)
    here.forget(TOPIC)
    here.forget("call:never-heard-of")
    with pytest.raises(StopAsyncIteration):
        await take(subscription, 1)


async def test_closing_ends_everything(arrangement):
    _, here = arrangement()
    subscription = here.subscribe(TOPIC)
    waiting = asyncio.create_task(anext(subscription, None))
    await asyncio.sleep(0)
    await here.close()
    assert await asyncio.wait_for(waiting, WAIT_S) is None


async def test_without_a_url_the_bus_is_local():
    assert isinstance(await open_bus(BusSettings(), node="a"), LocalBus)


async def test_a_url_that_is_none_is_a_mistake_in_the_configuration():
    with refused("config.bus", ConfigError):
        await open_bus(BusSettings(url="http://example.org"), node="a")


# --- Redis comes and goes -------------------------------------------------------------------------------------


@pytest.fixture
async def nodes(redis_server):
    both = Node("a", redis_server.url), Node("b", redis_server.url)
    yield both
    for node in both:
        await node.bus.close()


@pytest.mark.servers
async def test_the_call_goes_on_without_redis_and_remote_viewers_miss_nothing(redis_server, nodes):
    owner, other = nodes
    local, remote = owner.bus.subscribe(TOPIC), other.bus.subscribe(TOPIC)
    await publish(owner.bus, 1, 2, 3)
    assert await take(remote, 3) == await take(local, 3) == entries(1, 2, 3)
    redis_server.kill()
    await publish(owner.bus, 4, 5)
    assert await take(local, 2) == entries(4, 5)
    assert await owner.says() is True
    assert await other.says() is True
    await publish(owner.bus, 6)
    redis_server.start()  # with an empty memory
    assert await take(remote, 3) == entries(4, 5, 6)
    assert await owner.says() is False
    await publish(owner.bus, 7)
    assert (await take(remote, 1), await take(local, 2)) == (entries(7), entries(6, 7))
    late = other.bus.subscribe(TOPIC)
    assert await take(late, 7) == entries(1, 2, 3, 4, 5, 6, 7)
    for subscription in (local, remote, late):
        await subscription.aclose()


@pytest.mark.servers
async def test_a_new_node_reads_what_was_published_again_after_redis_lost_its_memory(redis_server, nodes):
    owner, _ = nodes
    await publish(owner.bus, *range(1, 1200 // 2))
    redis_server.kill()
    await publish(owner.bus, 600)
    assert await owner.says() is True
    redis_server.start()
    assert await owner.says() is False
    third = Node("c", redis_server.url)
    async with aclosing(third.bus.subscribe(TOPIC)) as subscription:
        assert await take(subscription, 600) == entries(*range(1, 601))
    await third.bus.close()


@pytest.mark.servers
async def test_a_node_starts_without_redis_and_says_so(redis_server):
    redis_server.kill()
    node = Node("a", redis_server.url)
    assert await node.says() is True
    assert node.bus.degraded
    await publish(node.bus, 1, 2)
    async with aclosing(node.bus.subscribe(TOPIC)) as subscription:
        assert await take(subscription, 2) == entries(1, 2)
    node.bus.forget(TOPIC)
    redis_server.start()
    assert await node.says() is False
    await node.bus.close()


@pytest.mark.servers
async def test_the_floor_reaches_other_nodes_again(redis_server, nodes):
    owner, other = nodes
    async with aclosing(other.bus.subscribe(FLOOR, after_seq=None)) as subscription:
        redis_server.kill()
        assert await other.says() is True
        await owner.bus.publish(FLOOR, None, b"while away")
        redis_server.start()
        assert [entry.body for entry in await take(subscription, 1)] == [b"while away"]


@pytest.mark.servers
async def test_a_finished_call_leaves_redis_by_itself(redis_server, nodes):
    owner, other = nodes
    await publish(owner.bus, 1, 2)
    owner.bus.forget(TOPIC)
    async with aclosing(other.bus.subscribe(TOPIC)) as subscription:
        assert await take(subscription, 2) == entries(1, 2)
    await owner.bus.close()  # at the latest by now
    third = Node("c", redis_server.url)
    assert 0 < await third.bus._client.ttl(f"copilot:{TOPIC}") <= 60
    await third.bus.close()


@pytest.mark.servers
async def test_what_is_unsent_at_closing_is_handed_over(redis_server):
    owner, other = Node("a", redis_server.url), Node("b", redis_server.url)
    await publish(owner.bus, *range(1, 11))
    await owner.bus.close()
    async with aclosing(other.bus.subscribe(TOPIC)) as subscription:
        assert await take(subscription, 10) == entries(*range(1, 11))
    await other.bus.close()


@pytest.mark.servers
async def test_publishing_never_waits_for_a_redis_that_hangs(redis_server, nodes):
    owner, _ = nodes
    redis_server.freeze()
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await publish(owner.bus, *range(1, 1001))
    assert loop.time() - begin < 0.4  # less than one command's timeout
    assert await owner.says() is True
    redis_server.thaw()
    assert await owner.says() is False
