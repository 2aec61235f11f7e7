"""The server dies in the middle of a call, in every way it can, and nothing that was acknowledged is lost."""

from __future__ import annotations

import asyncio
import io
import json
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
from copilot_client import Backoff, CallStream, Media, Options, connect
from copilot_client import messages as heard

from copilot.config import StoreSettings
from copilot.events import AudioReceived
from copilot.store.database import Store
from copilot.store.journal import JOURNAL_FILE
from copilot.store.seal import entries
from tests.e2e.server import REVISING, Server
from tests.e2e.softphone import AHEAD_S, Softphone, demo_audio, is_gap_free, softphone
from tests.server.node import client, concluded

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(300)]

SPOKEN_S = 16
"""Enough of the shipped call for lines of both speakers."""


def spoken() -> np.ndarray:
    samples, rate = demo_audio()
    return samples[: SPOKEN_S * rate]


def journal_audio(data: Path) -> np.ndarray:
    """What the journal of the only call holds, as far as it is valid."""
    (journal,) = data.rglob(JOURNAL_FILE)
    payloads = [event.payload for _, event in entries(journal) if isinstance(event, AudioReceived)]
    return np.frombuffer(b"".join(payloads), "<i2").reshape(-1, 2)


def stored_events(data: Path, call_id: str) -> list[dict[str, Any]]:
    store = Store.open(StoreSettings(), data)
    try:
        return [msgspec.json.decode(body) for body in store.events(call_id)]
    finally:
        store.close()


async def log_of(http: Any, call_id: str) -> list[dict[str, Any]]:
    return (await http.get(f"/v1/calls/{call_id}/events-log?limit=5000")).json()


async def audio_of(http: Any, call_id: str) -> np.ndarray:
    body = (await http.get(f"/v1/calls/{call_id}/audio")).content
    return soundfile.read(io.BytesIO(body), dtype="int16", always_2d=True)[0]


async def talk_until_acked(phone: Softphone) -> tuple[int, list[dict[str, Any]]]:
    """Speak until a line was recognised and two more acks came; returns the offset and what the first ack covered.

    What came before the first of the two acks was on disk when the second came.
    """
    offset = await phone.speak(spoken(), until=lambda: len(phone.of("transcript.final")) >= 2)
    for _ in range(2):
        known, acks = phone.events, len(phone.of("audio.ack"))
        offset = await phone.speak(spoken(), offset, until=lambda acks=acks: len(phone.of("audio.ack")) > acks)
    return offset, known


async def test_after_kill_9_everything_acknowledged_is_on_disk_and_the_call_goes_on(tmp_path):
    with Server(tmp_path, **REVISING) as server:
        async with softphone(server.address) as phone:
            started = await phone.start()
            _, known = await talk_until_acked(phone)
            server.kill()
            persisted = phone.persisted
        audio, log = journal_audio(tmp_path), stored_events(tmp_path, started["call_id"])
        assert len(audio) >= persisted > 0
        assert np.array_equal(audio, spoken()[: len(audio)])
        assert is_gap_free(log)
        assert log[: len(known)] == known

        await asyncio.to_thread(server.start)
        async with softphone(server.address) as phone, client(server.address) as http:
            resume = {"call_id": started["call_id"], "resume_token": started["resume_token"], "last_seq": len(known)}
            resumed = await phone.start(resume=resume)
            assert persisted <= resumed["expect"] <= len(audio)
            await phone.speak(spoken(), resumed["expect"])
            await phone.send(type="call.end")
            await phone.until("call.ended")
            assert is_gap_free(phone.events, begin=len(known) + 1)
            await concluded(http, started["call_id"])
            assert await log_of(http, started["call_id"]) == known + phone.events
            assert np.array_equal(await audio_of(http, started["call_id"]), spoken())


async def test_a_call_nobody_comes_back_to_ends_interrupted_with_a_report(tmp_path):
    with Server(tmp_path, COPILOT_SERVER__RESUME_WINDOW_S="1") as server:
        async with softphone(server.address) as phone:
            call_id = (await phone.start())["call_id"]
            await talk_until_acked(phone)
            server.kill()
            persisted = phone.persisted
        await asyncio.to_thread(server.start)
        async with client(server.address) as http:
            row = await concluded(http, call_id)
            assert (row["state"], row["reason"]) == ("interrupted", "interrupted")
            report = (await http.get(f"/v1/calls/{call_id}/report")).json()
            assert report["call"]["end_reason"] == "interrupted"
            assert report["transcript"]
            audio = await audio_of(http, call_id)
            assert len(audio) >= persisted
            assert np.array_equal(audio, spoken()[: len(audio)])
            log = await log_of(http, call_id)
            assert is_gap_free(log)
            assert log[-1]["type"] == "call.ended"
        async with softphone(server.address) as phone:
            await phone.send(type="call.start", v=1, resume={"call_id": call_id, "resume_token": "x", "last_seq": 0})
            assert (await phone.until("error"))["code"] == "resume.expired"


class Caller:
    """The SDK with a call of ours: speaks as fast as what is said is stored, and keeps what it hears."""

    def __init__(self, stream: CallStream) -> None:
        self.stream = stream
        self.events: list[Any] = []
        self._came = asyncio.Event()

    async def listen(self) -> None:
        async for event in self.stream:
            self.events.append(event)
            self._came.set()

    async def until_a_line(self) -> None:
        while not any(isinstance(event, heard.TranscriptFinal) for event in self.events):
            await self._came.wait()
            self._came.clear()

    async def speak(self) -> None:
        step = demo_audio()[1] // 50
        for begin in range(0, len(spoken()), step):
            await self.stream.send_audio(spoken()[begin : begin + step].astype("<i2").tobytes())
        await self.stream.end()


def as_json(event: Any) -> dict[str, Any]:
    return json.loads(json.dumps({"type": event.type, **asdict(event)}))


@pytest.mark.parametrize("way", ["kill -9", "SIGTERM"])
async def test_the_sdk_takes_up_a_call_over_a_restart_of_the_server(tmp_path, way):
    options = Options(buffer_s=AHEAD_S, backoff=Backoff(first_s=0.1, cap_s=0.5))
    with Server(tmp_path) as server:
        media = Media("pcm_s16le", demo_audio()[1])
        async with asyncio.timeout(90), connect(server.url, media=media, options=options) as stream:
            caller = Caller(stream)
            listening, speaking = asyncio.create_task(caller.listen()), asyncio.create_task(caller.speak())
            await caller.until_a_line()
            if way == "SIGTERM":
                assert await asyncio.to_thread(server.stop) in (0, -signal.SIGTERM)
            else:
                server.kill()
            await asyncio.to_thread(server.start)
            await asyncio.gather(listening, speaking)
            assert stream.connections == 2
            assert stream.lost_samples == 0
        async with client(server.address) as http:
            row = await concluded(http, stream.call_id)
            assert (row["state"], row["reason"]) == ("ended", "completed")
            assert np.array_equal(await audio_of(http, stream.call_id), spoken())
            log = await log_of(http, stream.call_id)
            assert [event.seq for event in caller.events] == [event["seq"] for event in log]
            assert caller.events[-1].type == "call.ended"
            if way == "SIGTERM":  # kill -9 may take back what was told in the last 20 ms
                assert [as_json(event) for event in caller.events] == log
            assert {line["speaker"] for line in log if line["type"] == "transcript.final"} == {"rep", "customer"}
