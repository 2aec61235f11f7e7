"""A softphone on the third-party ``websockets`` client that believes nothing: all it receives is held to the schema."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from jsonschema import Draft202012Validator
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from copilot.wire.frames import pack_frame

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "tests" / "data" / "en_dev_03_solar.flac"
TRUTH = DEMO.with_suffix(".json")
SCHEMAS = ROOT / "clients" / "schema" / "messages"
FRAME_MS = 20
AHEAD_S = 2.0
"""Audio sent beyond what is on disk. The server syncs twice a second, so this is about four times real time."""
PATIENCE_S = 60
Answer = Callable[[dict[str, Any]], dict[str, Any] | None]


@cache
def validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((SCHEMAS / f"{kind}.json").read_text()))


@cache
def demo_audio() -> tuple[np.ndarray, int]:
    """Samples [frames, 2] of the shipped call, rep left, and their rate."""
    return soundfile.read(DEMO, dtype="int16", always_2d=True)


def sha256_of(samples: np.ndarray) -> list[str]:
    """Per channel."""
    return [hashlib.sha256(channel.astype("<i2").tobytes()).hexdigest() for channel in samples.T]


class Softphone:
    """One connection. ``messages`` grows on its own; ``until`` waits for something to be among them.

    ``answer`` says what to send back at once, if anything.
    """

    def __init__(self, socket: ClientConnection, answer: Answer) -> None:
        self.socket = socket
        self._answer = answer
        self.messages: list[dict[str, Any]] = []
        self.closed: ConnectionClosed | None = None
        self._came = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for frame in self.socket:
                message = json.loads(frame)
                validator(message["type"]).validate(message)
                self.messages.append(message)
                self._came.set()
                if answer := self._answer(message):
                    with suppress(ConnectionClosed):  # what was still on its way is read all the same
                        await self.send(**answer)
            self.closed = self.socket.protocol.close_exc
        except ConnectionClosed as error:
            self.closed = error
        self._came.set()

    async def hang_up(self) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def holds(self, is_true: Callable[[], bool]) -> None:
        """Wait until something received makes it true."""
        async with asyncio.timeout(PATIENCE_S):
            while not is_true():
                if self._reader.done():
                    await self._reader  # a frame that does not fit its schema
                    raise AssertionError(f"the connection closed first: {self.closed}")
                await self._came.wait()
                self._came.clear()

    async def until(self, kind: str, nth: int = 1) -> dict[str, Any]:
        """The ``nth`` message of this type."""
        await self.holds(lambda: len(self.of(kind)) >= nth)
        return self.of(kind)[nth - 1]

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] in kinds]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [message for message in self.messages if "seq" in message]

    @property
    def persisted(self) -> int:
        acks = self.of("audio.ack")
        return acks[-1]["persisted"] if acks else 0

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def start(self, **fields: Any) -> dict[str, Any]:
        """Begin a call in the format of the shipped one, or resume it."""
        rate = demo_audio()[1]
        media = {"encoding": "pcm_s16le", "sample_rate": rate, "channels": ["rep", "customer"]}
        await self.send(**{"type": "call.start", "v": 1, "language": "en", "media": media, **fields})
        return await self.until("call.started")

    async def speak(
        self,
        samples: np.ndarray,
        begin: int = 0,
        *,
        until: Callable[[], bool] = lambda: False,
        as_spoken: bool = False,
    ) -> int:
        """Send audio from sample ``begin`` at the pace it reaches the disk, to its end or until something happened.

        ``as_spoken``: never faster than people speak either, also after a delay. Returns the offset behind the last
        sample sent.
        """
        rate, epoch = demo_audio()[1], self.of("call.started")[-1]["epoch"]
        step, ahead, offset = rate * FRAME_MS // 1000, int(rate * AHEAD_S), begin
        clock = asyncio.get_running_loop().time
        due = clock()
        while offset < len(samples) and not until():
            if as_spoken:
                due = max(due + FRAME_MS / 1000, clock())
                await asyncio.sleep(due - clock())
            block = samples[offset : offset + step]
            await self.socket.send(pack_frame(epoch, offset, block.astype("<i2").tobytes()))
            offset += len(block)
            if offset - max(begin, self.persisted) >= ahead:
                seen = self.persisted
                await self.holds(lambda seen=seen: self.persisted > seen)
        return offset


@asynccontextmanager
async def softphone(
    address: str, path: str = "/v1/stream", answer: Answer = lambda _: None
) -> AsyncIterator[Softphone]:
    async with connect(f"ws://{address}{path}", max_size=None) as socket:
        phone = Softphone(socket, answer)
        try:
            yield phone
        finally:
            await phone.hang_up()


def is_gap_free(events: list[dict[str, Any]], begin: int = 1) -> bool:
    return [event["seq"] for event in events] == list(range(begin, begin + len(events)))
