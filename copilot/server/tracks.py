"""What backtests need of sealed calls, made by one process that gives way to everything else.

The process is started for the first call that is sealed and ends when there was nothing to do for a minute, for it
holds the sentence encoder. Nobody waits for it: a track that is not made is made by the first backtest.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from copilot.backtest.keeping import PROGRAM
from copilot.config import Settings

log = structlog.get_logger(__name__)

IDLE_S = 60.0
LOOK_S = 1.0
LIMIT = 1_000
"""Recordings that may wait; what comes on top is left to the first backtest."""


class Tracks:
    """``want`` a track, and ``run`` makes it while nothing presses. A process without work lives for ``idle_s``."""

    def __init__(
        self, settings: Settings, is_pressed: Callable[[], bool], *, idle_s: float = IDLE_S, program: str = PROGRAM
    ) -> None:
        self._head = msgspec.json.encode(Settings(models=settings.models)) + b"\n"
        self._is_pressed = is_pressed
        self._idle_s = idle_s
        self._program = program
        self._is_on = settings.store.keep_tracks
        self._wanted: asyncio.Queue[Path] = asyncio.Queue(LIMIT)
        self._told: set[str] = set()
        self._worker: Process | None = None

    @property
    def pid(self) -> int | None:
        """The process that makes tracks, while there is one."""
        return self._worker.pid if self._worker else None

    def want(self, recording: Path) -> None:
        """A call was sealed. Waits for nothing."""
        if self._is_on and not self._wanted.full():
            self._wanted.put_nowait(recording)

    async def run(self) -> None:
        """Until cancelled; what waits then is dropped. A process that dies is not replaced: memory may be short."""
        try:
            while self._is_on:
                await self._work_off(await self._wanted.get())
        except OSError as error:
            self._is_on = False
            log.error("tracks.stopped", code="tracks.worker_lost", error=type(error).__name__)

    async def _work_off(self, recording: Path | None) -> None:
        """One life of the process."""
        await self._calm()
        # A process group of its own keeps Ctrl-C from it; a session of its own would also give it, where Linux shares
        # the processor by session (autogroup), as much of it as all of us.
        self._worker = worker = await asyncio.create_subprocess_exec(
            sys.executable, "-c", self._program, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, process_group=0
        )
        try:
            await self._ask(worker, self._head)
            while recording:
                await self._calm()
                await self._ask(worker, msgspec.json.encode(str(recording)) + b"\n")
                self._tell(await self._answer(worker))
                recording = await self._next()
        finally:
            if worker.returncode is None:
                worker.kill()
            await worker.communicate()
            self._worker = None

    async def _ask(self, worker: Process, line: bytes) -> None:
        if worker.stdin is None:
            raise BrokenPipeError
        worker.stdin.write(line)
        await worker.stdin.drain()

    async def _answer(self, worker: Process) -> str:
        line = await worker.stdout.readline() if worker.stdout else b""
        if not line.endswith(b"\n"):
            raise BrokenPipeError
        return msgspec.json.decode(line, type=str)

    async def _next(self) -> Path | None:
        try:
            async with asyncio.timeout(self._idle_s):
                return await self._wanted.get()
        except TimeoutError:
            return None

    async def _calm(self) -> None:
        """Calls that are on come first."""
        while self._is_pressed():  # noqa: ASYNC110  # the ladder is looked at, it does not call
            await asyncio.sleep(LOOK_S)

    def _tell(self, code: str) -> None:
        """Once for each code: of two hundred calls each would say the same."""
        if code and code not in self._told:
            self._told.add(code)
            log.warning("tracks.not_kept", code=code)
