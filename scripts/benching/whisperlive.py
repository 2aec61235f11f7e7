"""The peer: WhisperLive from PyPI, on the same weights and the same audio, one call at a time.

It hears one channel per connection, so a call is two clients. Only what its faster-whisper backend imports is
installed, into an environment of its own; CTranslate2, which does the work on both sides, in the version we use.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import soxr
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from copilot.config import load_settings
from copilot.engines.manifest import locate

from .lags import Message, final_lags, first_text_lags, transcript, unheard
from .report import people
from .scores import word_errors
from .server import ROOT, cpu_s, resident_mb
from .stats import quantile, ratio
from .tape import Tape
from .words import Counts, add_all, rate

HOME = ROOT / ".tools" / "peers" / "whisperlive"
PYTHON = HOME / "bin" / "python"
PEER = "whisper-live==0.10.0"
TORCH = ("torch==2.13.0+cpu", "torch")
"""Asked by this backend only whether there is a GPU; the build without CUDA where the package index has it."""
NEEDS = (
    "faster-whisper==1.2.0", f"ctranslate2=={version('ctranslate2')}", f"websockets=={version('websockets')}",
    "fastapi", "python-multipart", "prometheus-client", "requests", "scipy", "tqdm", "uvicorn", "setuptools<81",
)  # fmt: skip
RATE_HZ = 16_000
CHUNK_S = 0.1
START_S, QUIET_S, TAIL_S = 90.0, 5.0, 20.0
"""Until it listens; without news after the last sample until we hang up; and at most."""


def install() -> None:
    """Does nothing the second time. Ends the program with pip's own words when it cannot be done."""
    stamp = HOME / ".installed"
    wanted = "\n".join((PEER, *NEEDS))
    if stamp.exists() and stamp.read_text() == wanted:
        return
    people.print(f"installing {PEER} into {HOME.relative_to(ROOT)}")
    _run([sys.executable, "-m", "venv", "--clear", str(HOME)])
    if _pip(TORCH[0], check=False):
        _pip(TORCH[1])
    _pip(*NEEDS)
    _pip("--no-deps", PEER)
    stamp.write_text(wanted)


def _pip(*what: str, check: bool = True) -> int:
    return _run([str(PYTHON), "-m", "pip", "install", "--quiet", "--no-compile", *what], check=check)


def _run(command: list[str], *, check: bool = True) -> int:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode:
        sys.exit(f"bench: {' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return done.returncode


@contextmanager
def serving(model: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Its process and port. It gets all cores, which is more than it takes by default."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [PYTHON, Path(__file__).with_name("whisperlive_server.py"), str(port), model],
        env={**os.environ, "OMP_NUM_THREADS": str(os.cpu_count())},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process, port
    finally:
        process.kill()
        process.wait()


class Ear(msgspec.Struct):
    """What one channel's client got: every message with the time it came."""

    speaker: str
    socket: Any
    got: list[tuple[float, dict[str, Any]]] = []


async def _connect(port: int, language: str, speaker: str) -> Ear:
    """A client as theirs greets the server, with the options theirs has by default."""
    uri = f"ws://127.0.0.1:{port}"
    give_up = asyncio.get_running_loop().time() + START_S
    while True:
        try:
            socket_: ClientConnection = await connect(uri, max_size=None, compression=None, proxy=None)
            break
        except OSError:
            if asyncio.get_running_loop().time() > give_up:
                sys.exit("bench: the peer does not listen")
            await asyncio.sleep(0.25)
    options = {"uid": speaker, "language": language, "task": "transcribe", "model": "base", "use_vad": True,
               "audio_format": "int16", "send_last_n_segments": 10, "no_speech_thresh": 0.45, "clip_audio": False,
               "same_output_threshold": 10}  # fmt: skip
    await socket_.send(msgspec.json.encode(options).decode())
    while msgspec.json.decode(await socket_.recv()).get("message") != "SERVER_READY":
        pass
    return Ear(speaker, socket_)


async def _listen(ear: Ear) -> None:
    loop = asyncio.get_running_loop()
    try:
        async for raw in ear.socket:
            ear.got.append((loop.time(), msgspec.json.decode(raw)))
    except ConnectionClosed:
        return


async def _speak(ears: Sequence[Ear], waves: Sequence[np.ndarray[Any, Any]], began: float) -> None:
    loop, chunk = asyncio.get_running_loop(), int(RATE_HZ * CHUNK_S)
    for start in range(0, len(waves[0]), chunk):
        due = began + (start + chunk) / RATE_HZ
        await asyncio.sleep(due - loop.time())
        for ear, wave in zip(ears, waves, strict=True):
            await ear.socket.send(wave[start : start + chunk].tobytes())


async def play(tape: Tape, process: subprocess.Popen[bytes], port: int) -> tuple[list[Message], float]:
    """One call: its messages in our terms, and the CPU-s the peer used until the last sample was sent."""
    ears = [await _connect(port, tape.truth.lang, speaker) for speaker in tape.channels]
    waves = [soxr.resample(wave, tape.sample_rate_hz, RATE_HZ).astype("<i2") for wave in tape.waves()]
    listeners = [asyncio.create_task(_listen(ear)) for ear in ears]
    loop = asyncio.get_running_loop()
    began, before = loop.time(), cpu_s(process.pid)
    await _speak(ears, waves, began)
    used, spoken = cpu_s(process.pid) - before, loop.time()
    while loop.time() < spoken + TAIL_S:
        last = max((ear.got[-1][0] for ear in ears if ear.got), default=spoken)
        if loop.time() > max(last, spoken) + QUIET_S:
            break
        await asyncio.sleep(0.1)
    for ear in ears:
        await ear.socket.send(b"END_OF_AUDIO")
        await ear.socket.close()
    await asyncio.gather(*listeners)
    return [message for ear in ears for message in as_messages(ear.speaker, ear.got, began)], used


def as_messages(speaker: str, got: Sequence[tuple[float, dict[str, Any]]], began: float) -> list[Message]:
    """Its segments as our events: a completed one is a final, told once; any other is an interim.

    The last one may never be completed. Its words count (``unfinished``), but it has no latency as a final.
    """
    messages: list[Message] = []
    done_until, tail = 0.0, None
    for at, message in got:
        for segment in message.get("segments", ()):
            start, end = float(segment["start"]), float(segment["end"])
            if start < done_until or not segment["text"].strip():
                continue
            entry = {
                "type": "transcript.final" if segment.get("completed") else "transcript.interim",
                "utterance_id": f"{speaker}-{start}",
                "speaker": speaker,
                "start_ms": round(start * 1000),
                "end_ms": round(end * 1000),
                "text": segment["text"],
                "at": at - began,
            }
            messages.append(entry)
            if segment.get("completed"):
                done_until, tail = end, None
            else:
                tail = entry
    if tail:
        messages.append({**tail, "type": "transcript.final", "unfinished": True})
    return messages


def compare(tapes: Sequence[Tape], ours: dict[str, Any]) -> dict[str, Any]:
    """Play the tapes one by one through the peer; its figures beside ours from the same run, and how they compare."""
    install()
    finals: list[float] = []
    texts: list[float] = []
    errors: dict[str, dict[str, Counts]] = {}
    used = audio = resident = 0.0
    missed = 0
    with serving(_weights()) as (process, port):
        for tape in tapes:
            messages, cpu = asyncio.run(play(tape, process, port))
            finals += [lag for _, lag in final_lags(tape.truth, messages)]
            texts += [lag for _, lag in first_text_lags(tape.truth, messages)]
            missed += len(unheard(tape.truth, messages))
            add_all(errors.setdefault(tape.truth.lang, {}), word_errors(tape.truth, transcript(messages)))
            used, audio = used + cpu, audio + tape.duration_s
            resident = max(resident, resident_mb(process.pid))
    theirs = {
        "final_p50_s": quantile(finals, 0.5),
        "final_p95_s": quantile(finals, 0.95),
        "finals": len(finals),
        "first_text_p50_s": quantile(texts, 0.5),
        "first_text_p95_s": quantile(texts, 0.95),
        "unheard": missed,
        "cpu_s_per_audio_s": round(used / audio, 4),
        "resident_mb": round(resident, 1),
        **{f"error_rate_{lang}": round(rate(counts["errors"]), 4) for lang, counts in errors.items()},
    }
    return {"peer": PEER, "table": _beside(theirs, ours)}


def _weights() -> Path:
    """The folder our own server would read."""
    settings = load_settings(None)
    return locate(settings.recogniser.model, settings.models)


def _beside(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, dict[str, Any]]:
    own = {**ours["load"], "unheard": len(ours["load"]["unheard"])}
    for language, figures in ours["summary"].items():
        own[f"error_rate_{language}"] = figures["error_rate"]
    own = {name: own.get(name) for name in theirs}
    counts = ("finals", "unheard")
    times = {name: None if name in counts else ratio(own[name], value) for name, value in theirs.items()}
    return {"ours": own, "whisperlive": theirs, "times": times}
