from __future__ import annotations

import asyncio
import json
import threading

import numpy as np

from copilot.call.call import Call, CallSetup
from copilot.call.recording import encode_effects, replay
from copilot.clock import SystemClock
from copilot.errors import StorageError
from copilot.events import AudioReceived, CardAcked, Decoded, HungUp, Publish, TextReceived
from copilot.playbook.compile import compile_playbook
from copilot.playbook.load import parse_playbook
from copilot.server.drive import Driver
from copilot.signals.listener import prepare
from tests.call.rig import LoudIsSpeech, Reader, info, setup, talk


class Ledgers:
    """Keeps everything in lists; refuses to record when the disk is ``full``."""

    def __init__(self) -> None:
        self.entries: list = []
        self.published: list[Publish] = []
        self.full = False
        self.moved = asyncio.Event()

    def record(self, now: float, event: object) -> None:
        if self.full:
            raise StorageError("storage.full", "no room")
        self.entries.append((now, event))
        self.moved.set()

    def publish(self, effect: Publish, pos_ms: int) -> None:
        self.published.append(effect)


class Promptly:
    """An ear that answers before it is left."""

    def __init__(self, scorer: LoudIsSpeech) -> None:
        self._scorer = scorer

    def submit(self, windows, on_scores) -> None:
        on_scores(*self._scorer.score(windows))


class Threaded:
    """A recogniser that answers from another thread."""

    def __init__(self, lines: dict[int, list[str]]) -> None:
        self._read = Reader(lines)
        self.cancelled: list[int] = []

    def submit(self, job, samples, on_done, *, due) -> None:
        answer = Decoded(job_id=job.job_id, hypothesis=self._read(job, samples))
        threading.Thread(target=on_done, args=(answer,)).start()

    def cancel(self, job_id: int) -> None:
        self.cancelled.append(job_id)


def driver(lines: dict[int, list[str]], ledgers: Ledgers, gather_s: float = 0.0) -> Driver:
    clock = SystemClock()
    return Driver(
        Call(info(), setup()),
        clock=clock,
        origin=clock.now(),
        ears=[Promptly(LoudIsSpeech()), Promptly(LoudIsSpeech())],
        recogniser=Threaded(lines),
        encode=lambda texts: b"",
        ledgers=ledgers,
        gather_s=lambda: gather_s,
    )


async def feed(machine: Driver, script: list) -> None:
    running = asyncio.create_task(machine.run())
    for _, event in script:
        await machine.put(event)
    await running


async def test_a_driven_call_is_recorded_so_that_it_replays_exactly():
    ledgers = Ledgers()
    machine = driver({1: ["that is too expensive"]}, ledgers)
    await feed(machine, list(talk([(0.5, None), (2, 1), (1, None)])))
    assert machine.finish_reason == "completed"
    replayed = [effect for _, effects in replay(info(), setup(), ledgers.entries) for effect in effects]
    again = [effect for effect in replayed if isinstance(effect, Publish)]
    assert encode_effects(again) == encode_effects(ledgers.published)
    assert any(effect.type == "card.raised" for effect in again)


async def test_what_the_call_refuses_is_not_recorded_and_harms_nothing():
    ledgers = Ledgers()
    machine = driver({}, ledgers)
    await feed(machine, [(0, CardAcked(card_id="nonsense", action="used")), (0, HungUp())])
    assert ledgers.published[-1].type == "call.ended"
    assert not any(isinstance(event, CardAcked) for _, event in ledgers.entries)


async def test_a_full_disk_is_said_once_and_the_call_goes_on():
    ledgers = Ledgers()
    ledgers.full = True
    machine = driver({}, ledgers)
    await feed(machine, [(0, AudioReceived(offset=0, payload=bytes(320))) for _ in range(3)] + [(0, HungUp())])
    types = [effect.type for effect in ledgers.published]
    assert types.count("service.degraded") == 1
    assert types[-1] == "call.ended"


async def test_what_comes_after_a_hole_in_the_recording_is_not_recorded():
    class Hiccup(Ledgers):
        def record(self, now: float, event: object) -> None:
            self.full = event == AudioReceived(offset=80, payload=bytes(320))
            super().record(now, event)

    ledgers = Hiccup()
    frames = [(0, AudioReceived(offset=offset, payload=bytes(320))) for offset in (0, 80, 160)]
    await feed(driver({}, ledgers), [*frames, (0, HungUp())])
    assert [event.offset for _, event in ledgers.entries if isinstance(event, AudioReceived)] == [0]


async def test_a_database_that_takes_no_messages_does_not_end_the_call():
    class Refusing(Ledgers):
        def publish(self, effect: Publish, pos_ms: int) -> None:
            super().publish(effect, pos_ms)
            raise StorageError("storage.backlog", "the database does not keep up")

    ledgers = Refusing()
    machine = driver({}, ledgers)
    running = asyncio.create_task(machine.run())
    await asyncio.sleep(0)
    machine.storage_failed(StorageError("storage.event_gap", "and the writer says so again"))
    await machine.put(HungUp())
    await running
    types = [effect.type for effect in ledgers.published]
    assert (types.count("service.degraded"), types[-1]) == (1, "call.ended")


async def test_events_after_the_end_are_ignored():
    machine = driver({}, Ledgers())
    await feed(machine, [(0, HungUp())])
    await machine.put(HungUp())
    machine.answer(Decoded(job_id=1))
    await asyncio.sleep(0)
    assert machine.finished.is_set()


async def test_a_failing_encoder_only_costs_the_meaning():
    text = """
schema: 1
id: small
version: 1.0.0
title: Small
language: en
stages: [{id: opening, title: Opening}]
signals: [{id: hi, when: {examples: {like: [hello there]}}}]
"""
    plan = compile_playbook(parse_playbook(text))
    prepared = prepare(plan, lambda texts: np.eye(len(texts), 512, dtype=np.float32))
    ledgers = Ledgers()
    clock = SystemClock()

    def broken(texts: tuple[str, ...]) -> bytes:
        raise RuntimeError("no encoder today")

    machine = Driver(
        Call(info(kind="chat"), CallSetup(plan=plan, prepared=prepared)),
        clock=clock,
        origin=clock.now(),
        ears=[],
        recogniser=Threaded({}),
        encode=broken,
        ledgers=ledgers,
    )
    line = TextReceived(speaker="rep", text="hello there", start_ms=0, end_ms=500)
    await feed(machine, [(0, line), (0, HungUp())])
    assert [effect.type for effect in ledgers.published][-1] == "call.ended"
    assert "transcript.final" in [effect.type for effect in ledgers.published]


async def test_audio_that_waits_is_handled_together_and_says_the_same():
    def audio(ledgers: Ledgers) -> list[AudioReceived]:
        return [event for _, event in ledgers.entries if isinstance(event, AudioReceived)]

    script = list(talk([(0.5, None), (2, 1), (1, None)]))
    alone, together = Ledgers(), Ledgers()
    slow, quick = driver({1: ["that is too expensive"]}, alone), driver({1: ["that is too expensive"]}, together)
    running = asyncio.create_task(slow.run())
    for number, (_, event) in enumerate(script, start=1):
        await slow.put(event)
        async with asyncio.timeout(5):
            while len(audio(alone)) < min(number, len(script) - 1):
                await alone.moved.wait()
                alone.moved.clear()
    await running
    for _, event in script:
        await quick.put(event)
    await quick.run()

    assert len(audio(together)) < len(audio(alone)) / 4
    assert b"".join(event.payload for event in audio(together)) == b"".join(event.payload for event in audio(alone))
    assert max(len(event.payload) for event in audio(together)) <= 200 * 16 * 2 * 2
    said = [
        [json.loads(bytes(p.message))["text"] for p in of.published if p.type == "transcript.final"]
        for of in (alone, together)
    ]
    assert said[0] == said[1] != []


async def test_where_many_calls_are_live_audio_waits_for_company_and_anything_else_does_not():
    ledgers = Ledgers()
    machine = driver({}, ledgers, gather_s=3_600)
    running = asyncio.create_task(machine.run())
    for number in range(5):
        await machine.put(AudioReceived(offset=320 * number, payload=bytes(320 * 4)))
    for _ in range(50):
        await asyncio.sleep(0)
    assert [type(event).__name__ for _, event in ledgers.entries] == ["Began"]
    await machine.put(HungUp())
    await running
    heard = [event for _, event in ledgers.entries if isinstance(event, AudioReceived)]
    assert [len(event.payload) for event in heard] == [5 * 320 * 4]


async def test_audio_that_has_waited_long_enough_is_handled_alone():
    ledgers = Ledgers()
    machine = driver({}, ledgers, gather_s=0.02)
    running = asyncio.create_task(machine.run())
    await machine.put(AudioReceived(offset=0, payload=bytes(320 * 4)))
    async with asyncio.timeout(5):
        while not any(isinstance(event, AudioReceived) for _, event in ledgers.entries):
            await ledgers.moved.wait()
            ledgers.moved.clear()
    await machine.put(HungUp())
    await running
