"""Recognition servers on loopback that speak others' protocols, with the real Whisper behind them, well or badly."""

from __future__ import annotations

import email
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.policy import HTTP
from itertools import pairwise
from typing import Any

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from websockets.sync.server import ServerConnection, serve

from copilot.engines.pool import AsrModel, AsrRequest
from copilot.events import Hypothesis, Word

KEY = "sk-test-0123456789"
FULL_SCALE = 32_768
WAV_HEADER_BYTES = 44


def heard(model: AsrModel, pcm: bytes, language: str, prompt: str = "") -> Hypothesis:
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / FULL_SCALE
    return model.transcribe([AsrRequest(samples=samples, language=language or "auto", prompt=prompt)])[0]


# --- HTTP -----------------------------------------------------------------------------------------------------


class Transcriptions:
    """``POST /v1/audio/transcriptions``. It has these response ``formats``; ``fault`` is how it misbehaves."""

    def __init__(self, model: AsrModel, formats: tuple[str, ...] = ("verbose_json", "json")) -> None:
        self.fault: Callable[[], Response] | None = None
        self.prompts: list[str] = []
        self._model = model
        self._formats = formats
        self.app = Starlette(routes=[Route("/v1/audio/transcriptions", self._transcribe, methods=["POST"])])

    async def _transcribe(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return PlainTextResponse("who are you?", 401)
        fields = form(request.headers["content-type"], await request.body())
        if self.fault:
            return self.fault()
        self.prompts.append(field(fields, "prompt"))
        style = field(fields, "response_format")
        if style not in self._formats:
            return JSONResponse({"error": {"message": f"no {style}"}}, 400)
        said = heard(self._model, fields["file"][0][WAV_HEADER_BYTES:], field(fields, "language"), self.prompts[-1])
        return JSONResponse({"text": said.text} if style == "json" else verbose(said, fields))


def form(content_type: str, body: bytes) -> dict[str, list[bytes]]:
    """A multipart form, every value as bytes."""
    whole = email.message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body, policy=HTTP)
    fields: dict[str, list[bytes]] = {}
    for part in whole.iter_parts():
        fields.setdefault(part.get_param("name", header="content-disposition"), []).append(
            part.get_payload(decode=True)
        )
    return fields


def field(fields: dict[str, list[bytes]], name: str) -> str:
    return fields.get(name, [b""])[0].decode()


def verbose(said: Hypothesis, fields: dict[str, list[bytes]]) -> dict[str, Any]:
    """As OpenAI answers: languages by name, words without punctuation, times in seconds."""
    answer: dict[str, Any] = {
        "task": "transcribe",
        "language": {"en": "english", "zh": "chinese"}[said.language],
        "text": f" {said.text}",
        "segments": [
            {"start": 0.0, "end": 1.0, "avg_logprob": said.avg_logprob, "no_speech_prob": said.no_speech_prob}
        ],
    }
    if b"word" in fields.get("timestamp_granularities[]", []):
        answer["words"] = [
            {"word": re.sub(r"^\W+|\W+$", "", word.text), "start": word.start_ms / 1000, "end": word.end_ms / 1000}
            for word in said.words
        ]
    return answer


@contextmanager
def http_server(app: Starlette) -> Iterator[str]:
    """``app`` on a free port, as ``http://host:port/v1``."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            thread.join()


# --- WebSocket ------------------------------------------------------------------------------------------------


def pairs(word: Word) -> list[list[int]]:
    """FunASR times every Chinese character; Whisper sometimes two together."""
    count = max(1, len(re.findall("[\u4e00-\u9fff]", word.text)))
    edges = [word.start_ms + (word.end_ms - word.start_ms) * index // count for index in range(count + 1)]
    return [list(pair) for pair in pairwise(edges)]


class FunAsrServer:
    """One of FunASR's servers: ``cpp`` (offline), ``2pass``, ``python``, or ``silent`` (the Python server before it
    announced the end). They differ in how an answer ends.
    """

    def __init__(self, model: AsrModel, kind: str) -> None:
        self.fault: Callable[[ServerConnection], None] | None = None
        self.connections = 0
        self.openings: list[dict[str, Any]] = []
        self._model = model
        self._kind = kind

    def handle(self, line: ServerConnection) -> None:
        self.connections += 1
        opening: dict[str, Any] = {}
        pcm = b""
        for message in line:
            if isinstance(message, bytes):
                pcm += message
                continue
            told = json.loads(message)
            opening |= told
            if told["is_speaking"]:
                self.openings.append(told)
            elif self.fault:
                self.fault(line)
            else:
                self._answer(line, opening, heard(self._model, pcm, ""))
                pcm = b""

    def _answer(self, line: ServerConnection, opening: dict[str, Any], said: Hypothesis) -> None:
        times = json.dumps([pair for word in said.words for pair in pairs(word)])
        answer = {"wav_name": opening["wav_name"], "text": said.text, "timestamp": times}
        name = {"wav_name": opening["wav_name"]}
        for message in {
            "cpp": [answer | {"mode": "offline", "is_final": False}],
            "2pass": [
                answer | {"mode": "2pass-offline", "is_final": False},
                name | {"text": "", "timestamp": "", "is_final": True},
            ],
            "python": [
                answer | {"mode": "offline", "is_final": True, "timestamp": json.loads(times)},
                name | {"mode": "offline", "is_final": True, "is_end": True},
            ],
            "silent": [answer | {"mode": "offline", "is_final": True}],
        }[self._kind]:
            line.send(json.dumps(message))


@contextmanager
def websocket_server(handle: Callable[[ServerConnection], None], **options: Any) -> Iterator[str]:
    """A WebSocket server on a free port, as ``ws://host:port``."""
    with serve(handle, "127.0.0.1", 0, subprotocols=["binary"], close_timeout=0.1, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


# --- anything -------------------------------------------------------------------------------------------------


@contextmanager
def tcp_server(treat: Callable[[socket.socket], None]) -> Iterator[str]:
    """Something that accepts connections, treats each as told and closes it; yields ``host:port``."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                connection, _ = listener.accept()
                with connection:
                    if over.is_set():
                        return
                    treat(connection)

        over = threading.Event()
        thread = threading.Thread(target=accept)
        thread.start()
        host, port = listener.getsockname()
        try:
            yield f"{host}:{port}"
        finally:
            over.set()
            socket.create_connection((host, port)).close()
            thread.join()
