"""Many calls at once from one process, against one server, and what the server cost meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import msgspec

from .phone import CallRun, Phone, ring
from .scrape import Scrape, scrape
from .server import Running, cpu_s, resident_mb
from .tape import Tape

SAMPLE_S = 1.0
SCRAPE_EVERY = 5
"""Samples of the process for each reading of its metrics."""
SHORTEST_S = 1.0
"""A call cut shorter than this is not made."""
RETRY_S = 5.0
"""When a refusal does not say when to come again."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """``lines`` telephones; each begins its first call ``spread_s / lines`` after the one before.

    With ``seconds`` each of them makes one call after another for so long, the next as soon as one has hung up, and
    cuts the last one; a refused one tries again when it was told to. Without, the tapes are played once each (but no
    line stays idle), whole, and a line waits until the server is done with a call.
    """

    lines: int
    seconds: float | None = None
    spread_s: float = 10.0

    def start_s(self, line: int) -> float:
        return self.spread_s * line / self.lines

    def tape(self, line: int, turn: int, tapes: Sequence[Tape]) -> Tape | None:
        number = line + turn * self.lines
        if self.seconds is None:
            return tapes[number % len(tapes)] if number < max(self.lines, len(tapes)) else None
        return tapes[(line + turn) % len(tapes)]


class Usage(msgspec.Struct):
    """Of the server's process: (time, CPU-s, MiB) once a second, and its metrics now and then."""

    samples: list[tuple[float, float, float]] = []
    readings: list[Scrape] = []


class FleetRun(msgspec.Struct):
    """Everything that happened. Times are the event loop's."""

    plan: Plan
    calls: list[CallRun] = []
    usage: Usage = msgspec.field(default_factory=Usage)
    client_cpu_s: float = 0.0
    began: float = 0.0
    ended: float = 0.0
    first_idle: float = float("inf")
    """When the first line had no more calls to make: before, and after the last one's start, all were busy."""

    @property
    def all_started(self) -> float:
        return self.began + self.plan.start_s(self.plan.lines - 1)


async def run_fleet(server: Running, tapes: Sequence[Tape], plan: Plan) -> FleetRun:
    """Play. Raises what the client's own code raises; what the server does wrong is in the result."""
    loop = asyncio.get_running_loop()
    run = FleetRun(plan=plan)
    cpu_before, run.began = time.process_time(), loop.time()
    watcher = asyncio.create_task(_watch(server, run.usage))
    async with asyncio.TaskGroup() as lines:
        for line in range(plan.lines):
            lines.create_task(_line(server.address, tapes, run, line))
    run.ended, run.client_cpu_s = loop.time(), time.process_time() - cpu_before
    watcher.cancel()
    await asyncio.gather(watcher, return_exceptions=True)
    await _sample(server, run.usage, with_metrics=True)
    return run


async def _line(address: str, tapes: Sequence[Tape], run: FleetRun, line: int) -> None:
    loop, plan = asyncio.get_running_loop(), run.plan
    start = run.began + plan.start_s(line)
    until = start + plan.seconds if plan.seconds is not None else float("inf")
    await asyncio.sleep(start - loop.time())
    turn, phones = 0, list[Phone]()
    while loop.time() < until - SHORTEST_S and (tape := plan.tape(line, turn, tapes)):
        call = CallRun(tape=tape, line=line, asked=loop.time())
        run.calls.append(call)
        phone = await ring(call, address, min(until - loop.time(), tape.duration_s + 1))
        if phone is None:
            break
        phones.append(phone)
        await (phone.over if plan.seconds is None else phone.spoken).wait()
        if call.refusal and plan.seconds is not None:
            await asyncio.sleep(call.refusal.retry_after_s or RETRY_S)
        else:
            turn += 1
    run.first_idle = min(run.first_idle, loop.time())
    for phone in phones:
        await phone.over.wait()


async def _watch(server: Running, usage: Usage) -> None:
    turn = 0
    while server.is_alive:
        await _sample(server, usage, with_metrics=turn % SCRAPE_EVERY == 0)
        turn += 1
        await asyncio.sleep(SAMPLE_S)


async def _sample(server: Running, usage: Usage, *, with_metrics: bool) -> None:
    if not server.is_alive:
        return
    usage.samples.append((asyncio.get_running_loop().time(), cpu_s(server.pid), resident_mb(server.pid)))
    if with_metrics:
        try:
            usage.readings.append(await asyncio.to_thread(scrape, server.address))
        except OSError:  # too busy to answer: the other figures say so
            return
