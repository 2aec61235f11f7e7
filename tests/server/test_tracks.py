"""Tracks of sealed calls are made beside the server, one at a time, and nobody waits for them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import pytest
import structlog

from copilot.backtest.runs import Bench
from copilot.backtest.track import TRACK_FILE, kept_track
from copilot.config import Settings, StoreSettings, load_settings
from copilot.playbook.load import parse_playbook
from copilot.server import tracks as room
from copilot.server.tracks import Tracks
from copilot.store.recording import RecordingHeader, write_recording
from tests.backtest.test_rethink import LINES, TALK
from tests.call.rig import PLAYBOOK, info, run, talk
from tests.server.node import client, concluded, phone, running, settings

ECHO = "import sys; sys.stdin.readline(); [print('\"%s\"', flush=True) for line in sys.stdin]"
SILENT = "import sys; sys.stdin.read()"
GONE = "pass"


def echo(code: str = "") -> str:
    """A process that answers everything with ``code``."""
    return ECHO % code


async def until(is_so: Callable[[], bool]) -> None:
    """Another process has its own pace."""
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110  # a file or a process, not an event
            await asyncio.sleep(0.01)


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "call_1" / "recording.bin.gz"
    path.parent.mkdir()
    _, machine = run(talk(TALK), LINES)
    write_recording(path, RecordingHeader(call=info(), playbook=PLAYBOOK), machine.entries)
    return path


def tracks(program: str, *, idle_s: float = 60.0, keep_tracks: bool = True) -> Tracks:
    options = Settings(store=StoreSettings(keep_tracks=keep_tracks))
    return Tracks(options, lambda: False, idle_s=idle_s, program=program)


@pytest.mark.models
async def test_a_sealed_call_has_its_track_before_any_backtest(tmp_path):
    async with running(settings(tmp_path, keep_tracks=True)) as address, client(address) as http:
        assert (await http.post("/v1/playbooks", content=PLAYBOOK)).status_code == 201
        async with phone(address) as caller:
            await caller.start(playbook="small")
            await caller.say([(1.0, None), (2.0, 1), (2.0, None)])
            await caller.send(type="call.end", v=1)
            await caller.until("call.ended")
            await concluded(http, caller.call_id)
        (recording,) = tmp_path.rglob(f"{caller.call_id}/recording.bin.gz")
        file = recording.with_name(TRACK_FILE)
        await until(file.exists)
        made = file.stat().st_ino
        (backtest,) = await asyncio.to_thread(Bench(None).run, recording, [parse_playbook(PLAYBOOK)])
        assert [card.cue_id for card in backtest.shown] == ["objection.price"]
        assert (kept_track(recording) is not None, file.stat().st_ino) == (True, made)
        assert (await http.delete(f"/v1/calls/{caller.call_id}")).status_code == 204
        assert not recording.parent.exists()


@pytest.mark.models
async def test_the_process_gives_way_and_a_kept_track_is_left_alone(recording):
    made = Tracks(load_settings(None), lambda: False)
    task = asyncio.create_task(made.run())
    file = recording.with_name(TRACK_FILE)
    made.want(recording)
    await until(file.exists)
    pid, node = made.pid, file.stat().st_ino
    assert pid
    assert os.getpriority(os.PRIO_PROCESS, pid) == 19
    made.want(recording)
    other = recording.parent.with_name("call_2") / recording.name
    other.parent.mkdir()
    other.write_bytes(recording.read_bytes())
    made.want(other)
    await until(other.with_name(TRACK_FILE).exists)
    assert (made.pid, file.stat().st_ino) == (pid, node)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_there_is_no_process_before_the_first_call_and_none_when_idle(recording):
    made = tracks(echo(), idle_s=0.05)
    task = asyncio.create_task(made.run())
    for _ in range(2):
        await asyncio.sleep(0)
        assert made.pid is None
        made.want(recording)
        await until(lambda: made.pid is not None)
        await until(lambda: made.pid is None)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_off_means_off(recording):
    made = tracks(echo(), keep_tracks=False)
    made.want(recording)
    await asyncio.wait_for(made.run(), 1)
    assert made.pid is None


async def test_going_down_waits_for_no_track(recording):
    made = tracks(SILENT)
    task = asyncio.create_task(made.run())
    made.want(recording)
    made.want(recording)
    await until(lambda: made.pid is not None)
    pid = made.pid
    assert pid
    task.cancel()
    await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 5)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_nothing_is_made_while_calls_press(recording, monkeypatch):
    monkeypatch.setattr(room, "LOOK_S", 0)
    seen: list[int | None] = []

    def is_pressed() -> bool:
        seen.append(made.pid)
        return len(seen) < 4

    made = Tracks(Settings(), is_pressed, program=echo())
    task = asyncio.create_task(made.run())
    made.want(recording)
    await until(lambda: made.pid is not None)
    assert seen[:4] == [None] * 4
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_process_that_dies_is_told_of_and_not_replaced(recording):
    made = tracks(GONE)
    made.want(recording)
    made.want(recording)
    with structlog.testing.capture_logs() as logs:
        await asyncio.wait_for(made.run(), 60)
        made.want(recording)
        await asyncio.wait_for(made.run(), 1)
    assert [(each["event"], each["code"]) for each in logs] == [("tracks.stopped", "tracks.worker_lost")]


async def test_what_goes_wrong_is_told_once(recording):
    made = tracks(echo("storage.full"), idle_s=0.05)
    with structlog.testing.capture_logs() as logs:
        task = asyncio.create_task(made.run())
        for _ in range(3):
            made.want(recording)
        await until(lambda: made.pid is not None)
        await until(lambda: made.pid is None)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [(each["event"], each["code"]) for each in logs] == [("tracks.not_kept", "storage.full")]
