"""A whole node on a free loopback port, with scripted models, for tests that talk to it through real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from copilot.config import AccessSettings, ServerSettings, Settings, StoreSettings, Token
from copilot.engines.pool import AsrRequest
from copilot.engines.suite import Suite
from copilot.events import Hypothesis
from copilot.server.node import bind, make_node
from copilot.wire.frames import pack_frame
from tests.call.rig import LoudIsSpeech, talk

LINE = "honestly that is far too expensive for me"
TOKENS = (
    Token(token="rep-secret", role="rep", subject="ann"),
    Token(token="other-secret", role="rep", subject="eve"),
    Token(token="nameless-secret", role="rep"),
    Token(token="boss-secret", role="supervisor", subject="bob"),
    Token(token="pbx-secret", role="ingest", subject="pbx"),
    Token(token="root-secret", role="admin", subject="root"),
)


class Ears:
    """Every stream of it takes loud audio for speech."""

    def stream(self) -> LoudIsSpeech:
        return LoudIsSpeech()

    def score_together(self, heard):  # type: ignore[no-untyped-def]
        return [stream.score(windows) for stream, windows in heard]


class Parrot:
    """A recogniser that hears the same line every time."""

    def transcribe(self, requests: Sequence[AsrRequest]) -> list[Hypothesis]:
        return [Hypothesis(text=LINE, language="en", avg_logprob=-0.2) for _ in requests]


class Blank:
    """An encoder for which nothing resembles anything."""

    intents = None

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return np.zeros((len(texts), 512), np.float32)

    def encode_bytes(self, texts: tuple[str, ...]) -> bytes:
        return self.encode(texts).astype("<f4").tobytes()


def settings(folder: Path, *, tokens: bool = False, keep_tracks: bool = False, **server: Any) -> Settings:
    return Settings(
        server=ServerSettings(port=0, **server),
        store=StoreSettings(data_dir=str(folder), min_free_mb=0, sync_interval_ms=50, keep_tracks=keep_tracks),
        access=AccessSettings(tokens=TOKENS if tokens else ()),
    )


@asynccontextmanager
async def running(options: Settings) -> AsyncIterator[str]:
    """A node for as long as the block lasts; yields ``host:port``."""
    ready = asyncio.Event()
    listener = bind("127.0.0.1", 0)
    node = make_node(options, Suite(Ears(), Parrot(), Blank()), on_ready=ready.set)
    task = asyncio.create_task(node.serve(sockets=[listener]))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        waiting.cancel()
        await task
    assert ready.is_set(), "the node did not start"
    try:
        yield "127.0.0.1:" + str(listener.getsockname()[1])
    finally:
        node.should_exit = True
        await task


class Phone:
    """A softphone of few words, on the third-party ``websockets`` client."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.events: list[dict] = []
        self.epoch = 0
        self.call_id = ""

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def until(self, *types: str) -> dict:
        """Read on until a message of one of these types comes."""
        async with asyncio.timeout(20):
            while True:
                message = json.loads(await self.socket.recv())
                self.events.append(message)
                if message["type"] in types:
                    return message

    async def start(self, **fields: Any) -> dict:
        media = {"encoding": "pcm_s16le", "sample_rate": 8000, "channels": ["rep", "customer"]}
        await self.send(**{"type": "call.start", "v": 1, "language": "en", "media": media, **fields})
        started = await self.until("call.started", "error")
        self.epoch = started.get("epoch", 0)
        self.call_id = started.get("call_id", "")
        return started

    async def say(self, plan: Iterable[tuple[float, int | None]], offset: int = 0) -> int:
        """Send audio as fast as it goes; returns the offset behind it."""
        for _, event in talk(plan, frame_ms=100):
            if payload := getattr(event, "payload", b""):
                await self.socket.send(pack_frame(self.epoch, offset, payload))
                offset += len(payload) // 4
        return offset


@asynccontextmanager
async def phone(address: str, path: str = "/v1/stream", token: str = "", **options: Any) -> AsyncIterator[Phone]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    options = {"max_queue": None, **options}  # else one who reads no more never sees the answer to its close
    async with connect(f"ws://{address}{path}", additional_headers=headers, **options) as socket:
        yield Phone(socket)


def client(address: str, token: str = "") -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.AsyncClient(base_url=f"http://{address}", headers=headers, timeout=20)


async def eventually(http: httpx.AsyncClient, path: str) -> httpx.Response:
    """What is written after hang-up comes a moment later."""
    async with asyncio.timeout(20):
        while (answer := await http.get(path)).status_code == 404:  # noqa: ASYNC110  # asked over HTTP  # asked over HTTP
            await asyncio.sleep(0)
        return answer


async def concluded(http: httpx.AsyncClient, call_id: str) -> dict:
    """The call's row once everything about it is final."""
    async with asyncio.timeout(20):
        while (row := (await http.get(f"/v1/calls/{call_id}")).json())["state"] == "live":  # noqa: ASYNC110  # asked over HTTP
            await asyncio.sleep(0)
        return row


def decoded(frames: Iterable[str | bytes]) -> list[dict]:
    return [msgspec.json.decode(frame) for frame in frames]
