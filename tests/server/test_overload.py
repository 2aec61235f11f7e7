"""A recogniser that falls behind: what calls are told, who is refused, and that it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from copilot.access.policy import Actor
from copilot.call.recording import encode_effects, replay
from copilot.clock import FakeClock, SystemClock
from copilot.config import LoadSettings, RecogniserSettings, Settings
from copilot.engines import speed
from copilot.engines.pool import AsrRequest
from copilot.engines.suite import Suite
from copilot.errors import CapacityError, ModelError
from copilot.events import LOAD_STAGES, AudioReceived, DecodeJob, HungUp, Hypothesis, Publish
from copilot.server.node import bind, make_node
from copilot.server.overload import UNMEASURED_CALLS, Overload
from copilot.server.service import Service
from copilot.server.viewing import follow
from copilot.wire.messages import CallStart, MediaHeader
from tests.call.rig import talk
from tests.fakes import FakeAsr
from tests.server.node import Blank, Ears, Parrot, client, phone, running, settings

START = CallStart(v=1, media=MediaHeader(encoding="pcm_s16le", sample_rate=8000), language="en")
ADMIN = Actor("admin")


@asynccontextmanager
async def overseen(folder: Path, asr: object = None, **server) -> AsyncIterator[tuple[Service, FakeClock, Overload]]:
    """A node on a clock of its own, whose ladder is looked at by hand."""
    clock = FakeClock()
    async with Service.open(settings(folder, **server), Suite(Ears(), asr or FakeAsr(), Blank()), clock) as service:
        yield service, clock, service.overload


def look(clock: FakeClock, overload: Overload, seconds: float) -> list[int]:
    """Time passes; the stages on the way."""
    stages = []
    for _ in range(round(seconds / 0.25)):
        clock.advance(0.25)
        overload.look()
        stages.append(overload.stage)
    return stages


def press(service: Service, clock: FakeClock) -> None:
    """More finals than workers that hang can take: one of them waits longer and longer."""
    options = service.settings.recogniser
    for job_id in range(options.parallel * options.batch + 1):
        job = DecodeJob(
            job_id=job_id, channel=0, utterance_id=f"u{job_id}", kind="final", start_ms=0, end_ms=1_000, due=clock.now()
        )
        service.pool.submit(job, np.zeros(16_000, np.float32), lambda _: None, owner="test")


async def watch(service: Service, call_id: str, count: int) -> list[dict]:
    """The first ``count`` messages about the service that a viewer of this call reads."""
    said: list[dict] = []
    async with asyncio.timeout(20):
        async for frame in follow(service, call_id, 0):
            message = json.loads(frame)
            if message["type"].startswith("service."):
                said.append(message)
            if len(said) == count:
                return said
    return said


async def test_a_hanging_recogniser_is_told_stage_by_stage_and_taken_back(tmp_path):
    asr = FakeAsr()
    async with overseen(tmp_path, asr, max_calls=4) as (service, clock, overload):
        live = await service.calls.start(START, ADMIN)
        live.connect()
        asr.hold()
        press(service, clock)
        assert look(clock, overload, 1.0) == [0, 0, 0, 0]
        assert sorted(set(look(clock, overload, 30))) == [0, 1, 2, 3, 4, 5]
        asr.release()
        async with asyncio.timeout(20):
            while service.pool.stats().queued or service.pool.stats().running:  # noqa: ASYNC110  # other threads' work
                await asyncio.sleep(0)
        await asyncio.sleep(0)  # the last batch is told on the loop
        look(clock, overload, 70)
        assert overload.stage == 0
        said = await watch(service, live.info.call_id, 10)
        assert [m["stage"] for m in said] == [*LOAD_STAGES, *LOAD_STAGES[::-1]]
        assert {m["reason"] for m in said} == {"overload"}
        assert all(m["lag_ms"] >= 1_200 for m in said[:5])


async def test_a_watched_call_keeps_its_interims_longer_and_a_viewer_who_comes_brings_them_back(tmp_path):
    asr = FakeAsr()
    async with overseen(tmp_path, asr, max_calls=4) as (service, clock, overload):
        calls = [await service.calls.start(START, ADMIN) for _ in range(2)]
        watched, unwatched = calls
        asr.hold()
        press(service, clock)
        with service.watching(watched.info.call_id):
            while overload.stage < 2:
                look(clock, overload, 0.25)
            assert watched.without == LOAD_STAGES[:1]
            assert unwatched.without == LOAD_STAGES[:2]
            assert service.viewers == 1
        with service.watching(unwatched.info.call_id):
            overload.look()
            assert (watched.without, unwatched.without) == (LOAD_STAGES[:2], LOAD_STAGES[:1])
        asr.release()
        said = await watch(service, unwatched.info.call_id, 3)
        assert [(m["type"], m["stage"]) for m in said] == [
            ("service.degraded", "interims_slow"),
            ("service.degraded", "interims_off"),
            ("service.restored", "interims_off"),
        ]


async def test_late_finals_refuse_the_next_call_and_the_others_go_on(tmp_path):
    asr = FakeAsr()
    async with overseen(tmp_path, asr, max_calls=9) as (service, clock, overload):
        first = await service.calls.start(START, ADMIN)
        asr.hold()
        press(service, clock)
        look(clock, overload, 20)
        with pytest.raises(CapacityError) as refused:
            await service.calls.start(START, ADMIN)
        assert (refused.value.code, refused.value.retry_after_s) == ("server.capacity", 60)
        assert len(await asyncio.to_thread(service.store.live_calls)) == 1
        assert b'copilot_calls_refused_total{reason="late"} 1.0' in service.metrics.text()
        asr.release()
        await first.deliver(HungUp())
        await first.driver.finished.wait()


async def test_a_degraded_call_is_recorded_so_that_it_replays_exactly(tmp_path):
    async with overseen(tmp_path, max_calls=1) as (service, _, overload):
        live = await service.calls.start(START, ADMIN)
        recorded, published = [], []
        keep, tell = live.kept.record, live.kept.publish
        live.kept.record = lambda now, event: (recorded.append((now, event)), keep(now, event))
        live.kept.publish = lambda effect, pos_ms: (published.append(effect), tell(effect, pos_ms))
        for index, (_, event) in enumerate(talk([(0.5, None), (2, 1), (1, None), (2, 0), (1, None)], 100)):
            if isinstance(event, AudioReceived):
                await live.deliver(event)
            if index % 10 == 0:
                overload._ladder.stage = index // 10 % 6
                overload.look()
            await asyncio.sleep(0)
        await live.deliver(HungUp())
        async with asyncio.timeout(20):
            await live.driver.finished.wait()
        _, prepared = await service.library.setup("", "en")
        again = [
            effect
            for _, effects in replay(live.info, prepared, recorded)
            for effect in effects
            if isinstance(effect, Publish)
        ]
        assert {"service.degraded", "service.restored"} <= {effect.type for effect in published}
        assert encode_effects(again) == encode_effects(published)


# --- over real sockets --------------------------------------------------------------------------------------------


async def test_call_n_plus_1_is_refused_at_once_and_told_when_to_come_back(tmp_path):
    clock = SystemClock()
    async with running(settings(tmp_path, max_calls=2)) as address, phone(address) as one, phone(address) as two:
        async with phone(address) as late:
            await one.start()
            await two.start()
            asked = clock.now()
            with pytest.raises(InvalidStatus) as refused:
                async with phone(address):
                    pass
            assert clock.now() - asked < 2.0  # on a busy machine; the promise is 50 ms
            answer = refused.value.response
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
            assert json.loads(answer.body)["error"]["code"] == "server.capacity"
            error = await late.start()
            assert (error["code"], error["retryable"]) == ("server.capacity", True)
            with pytest.raises(ConnectionClosed) as closed:
                await late.socket.recv()
            assert closed.value.rcvd.code == 4503
        async with client(address) as http:
            ready = await http.get("/readyz")
            assert (ready.status_code, ready.json()["problems"]) == (503, ["full"])
            assert (await http.get("/v1/service")).json()["max_calls"] == 2
        await one.send(type="call.end")
        assert (await one.until("call.ended"))["reason"] == "completed"


async def test_clients_are_told_that_the_node_goes_down_before_they_are_cut_off(tmp_path):
    listener, ready = bind("127.0.0.1", 0), asyncio.Event()
    node = make_node(settings(tmp_path), Suite(Ears(), Parrot(), Blank()), on_ready=ready.set)
    serving = asyncio.create_task(node.serve(sockets=[listener]))
    await ready.wait()
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    async with phone(address) as caller:
        await caller.start()
        async with phone(address, f"/v1/calls/{caller.call_id}/events") as panel, phone(address, "/v1/floor") as floor:
            await panel.until("call.opened")
            await floor.until("floor.snapshot")
            node.should_exit = True
            for peer in (caller, panel, floor):
                assert (await peer.until("session.draining"))["reconnect_after_ms"] > 0
            with pytest.raises(ConnectionClosed) as closed:
                await caller.until("call.ended")
            assert closed.value.rcvd.code == 1012
    await serving


async def test_a_peer_that_sends_too_many_commands_is_told_to_wait_and_stays_connected(tmp_path):
    slow = settings(tmp_path, command_burst=3, commands_per_s=0.001)
    async with running(slow) as address, phone(address) as caller:
        await caller.start()
        async with phone(address, f"/v1/calls/{caller.call_id}/events") as panel:
            for peer in (caller, panel):
                for number in range(4):
                    await peer.send(type="mark", label=f"m{number}")
                error = await peer.until("error")
                assert (error["code"], error["retryable"]) == ("rate.exceeded", True)
                assert error["hint"].startswith("Wait ")
        await caller.send(type="call.end")
        await caller.until("call.ended")
        assert sum(message["type"] == "mark.set" for message in caller.events) == 6


# --- at start-up --------------------------------------------------------------------------------------------------


class Metronome:
    """A recogniser that takes its time, on a clock of its own."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds

    def transcribe(self, requests: list[AsrRequest]) -> list[Hypothesis]:
        self._clock.advance(self._seconds)
        return [Hypothesis(text="") for _ in requests]


class Broken:
    def transcribe(self, requests: list[AsrRequest]) -> list[Hypothesis]:
        raise ModelError("model.gone", "x")


def options(folder: Path) -> Settings:
    base = settings(folder)
    return Settings(server=base.server, store=base.store, recogniser=RecogniserSettings(workers=2), load=LoadSettings())


async def test_how_many_calls_there_may_be_follows_from_the_recognisers_speed(tmp_path):
    clock = FakeClock()
    limits = []
    for index, seconds in enumerate((0.05, 0.2, 30.0)):
        suite = Suite(Ears(), Metronome(clock, seconds), Blank())
        async with Service.open(options(tmp_path / str(index)), suite, clock) as service:
            limits.append(service.overload.limit)
    cost = 0.05 * speed.REAL / speed.PROBE_S
    share = LoadSettings().busy_share
    assert limits[0] == int(2 * share / (cost * speed.SPEECH)) > 10
    assert limits[0] // 4 - 1 <= limits[1] <= limits[0] // 4 + 1
    assert limits[2] == 1


async def test_a_recogniser_that_cannot_be_measured_gets_a_careful_limit(tmp_path):
    async with Service.open(options(tmp_path), Suite(Ears(), Broken(), Blank())) as service:
        assert service.overload.limit == UNMEASURED_CALLS
