from __future__ import annotations

import asyncio

import pytest

from copilot.bus.local import LocalBus
from copilot.config import BusSettings, StoreSettings
from copilot.events import AudioMissed, AudioReceived, CallEvent, HungUp, Paused, Resumed
from copilot.server.drive import MAILBOX
from copilot.server.header import Header
from copilot.server.live_call import Kept, LiveCall
from copilot.store.journal import Journal
from copilot.store.memory import MemoryStore
from tests.call.rig import MEDIA, RATE_HZ, info, setup
from tests.server.test_drive import Ledgers, driver

FRAME = AudioReceived(offset=0, payload=bytes(4 * 160))


@pytest.fixture
def ledgers():
    return Ledgers()


@pytest.fixture
async def live(tmp_path, ledgers):
    """A call that takes events, and handles them once ``live.driver.run`` does."""
    journal = Journal(StoreSettings())
    handle = journal.open("call_1", tmp_path)
    kept = Kept(
        info(),
        journal=handle,
        store=MemoryStore(),
        bus=LocalBus(BusSettings()),
        block_bytes=4,
        watch=print,
    )
    header = Header.of(info(), setup().plan.playbook, setup(), started_by="", resume_token="t")
    yield LiveCall(header=header, driver=driver({}, ledgers), kept=kept, journal=handle)
    journal.close()


def heard(ledgers: Ledgers) -> list[CallEvent]:
    return [event for _, event in ledgers.entries if isinstance(event, AudioReceived | AudioMissed | Paused | Resumed)]


async def test_a_connection_learns_what_to_send_after_the_one_before_handed_in_its_last_frame(live, ledgers):
    live.connect()
    for _ in range(MAILBOX):
        await live.driver.put(Resumed())  # nothing to a call that is not paused
    last = asyncio.create_task(live.deliver(FRAME))
    await asyncio.sleep(0)
    live.connect()
    takes_over = asyncio.create_task(live.handed_over())
    await asyncio.sleep(0)
    assert not takes_over.done()
    running = asyncio.create_task(live.driver.run())
    await takes_over
    assert (last.done(), live.expect) == (True, 160)
    await live.hang_up("completed")
    await running


async def test_sound_that_comes_while_somebody_else_has_paused_is_not_kept(live, ledgers):
    await live.deliver(Paused(reason="pci"))
    await live.deliver(FRAME)
    await live.deliver(Resumed())
    await live.deliver(AudioReceived(offset=160, payload=FRAME.payload))
    assert live.expect == 320
    await live.deliver(HungUp())
    await live.driver.run()
    assert heard(ledgers) == [
        Paused(reason="pci"),
        AudioMissed(offset=0, samples=160),
        Resumed(),
        AudioReceived(offset=160, payload=FRAME.payload),
    ]


async def test_a_long_hole_is_handed_in_by_the_second(live, ledgers):
    await live.deliver(AudioMissed(offset=0, samples=2 * RATE_HZ + 1))
    await live.deliver(HungUp())
    await live.driver.run()
    assert MEDIA.sample_rate_hz == RATE_HZ
    assert heard(ledgers) == [
        AudioMissed(offset=0, samples=RATE_HZ),
        AudioMissed(offset=RATE_HZ, samples=RATE_HZ),
        AudioMissed(offset=2 * RATE_HZ, samples=1),
    ]
    assert live.expect == 2 * RATE_HZ + 1
