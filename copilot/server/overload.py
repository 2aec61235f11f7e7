"""Watches how hard recognition is pressed, tells every call what it does without, and refuses one call too many."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from copilot.engines import speed
from copilot.engines.pool import AsrModel, BatchDone
from copilot.errors import CapacityError, CopilotError
from copilot.events import LOAD_STAGES, ServiceDegraded
from copilot.server.load import Admission, Ladder, Meter, Strain, stages_for

if TYPE_CHECKING:
    from copilot.server.live_call import LiveCall
    from copilot.server.service import Service

log = structlog.get_logger(__name__)

LOOK_S = 0.25
REASON = "overload"
UNMEASURED_CALLS = 8
"""The limit when the recogniser could not be measured."""
WHY = {
    "limit": "this node has as many calls as it takes",
    "late": "recognition is late for the calls that are on",
    "busy": "recognition would be late with one more call",
}


class Overload:
    """The ladder of one node. ``prepare`` once, then ``run``; ``took`` is told of every batch of the recogniser."""

    def __init__(self, service: Service, model: AsrModel) -> None:
        settings = service.settings
        self._service = service
        self._model = model
        self._ladder = Ladder(settings.load)
        self._meter = Meter(settings.recogniser.parallel)
        self._door = Admission(
            settings.load, workers=settings.recogniser.parallel, limit=settings.server.max_calls or UNMEASURED_CALLS
        )

    @property
    def stage(self) -> int:
        """How many of ``LOAD_STAGES`` are given up on this node."""
        return self._ladder.stage

    @property
    def limit(self) -> int:
        """The most calls this node takes."""
        return self._door.limit

    async def prepare(self) -> None:
        """Measure the recogniser, unless the operator has set how many calls there may be."""
        settings = self._service.settings
        if settings.server.max_calls:
            return
        try:
            cost = await asyncio.to_thread(speed.measure, self._model, self._service.clock)
        except (CopilotError, RuntimeError, ValueError) as error:
            log.warning("recogniser.unmeasured", error=type(error).__name__, max_calls=self.limit)
            return
        workers, share = settings.recogniser.parallel, settings.load.busy_share
        self._door.limit = speed.calls_for(cost, workers=workers, share=share)
        log.info("recogniser.measured", seconds_per_second=round(cost, 3), max_calls=self.limit)

    async def run(self) -> None:
        """Look four times a second."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Measure, decide, and tell each call what has changed for it."""
        service, now, before = self._service, self._service.clock.now(), self.stage
        self._meter.count(len(service.calls), now)
        strain = self._meter.strain(service.pool.stats().oldest_wait_ms, now)
        if self._ladder.observe(strain, now) != before:
            log.warning("overload.stage", stage=self.stage, lag_ms=strain.lag_ms, busy=round(strain.busy, 2))
        for live in service.calls:
            if not live.ending:
                self._tell(live, strain)

    def took(self, batch: BatchDone) -> None:
        """The recogniser did a batch."""
        self._meter.took(batch, self._service.clock.now())

    def ended(self, duration_s: float) -> None:
        """A call is over."""
        self._door.ended(duration_s)

    def refusal(self, calls: int) -> str:
        """Why a further call besides ``calls`` is not taken: ``limit``, ``late``, ``busy``, or nothing."""
        return self._door.refusal(calls, self.stage, self._meter.cost)

    def admit(self, calls: int, *, draining: bool = False) -> None:
        """Raise CapacityError when a further call would be one too many. Waits for nothing and touches no disk."""
        why = "draining" if draining else self.refusal(calls)
        if not why:
            return
        self._service.metrics.refused(why)
        if draining:
            raise CapacityError("server.draining", "this node is going down", hint="Try another node.")
        wait_s = self._door.retry_after_s(calls)
        raise CapacityError("server.capacity", WHY[why], hint=f"Try again in {wait_s} s.", retry_after_s=wait_s)

    def _tell(self, live: LiveCall, strain: Strain) -> None:
        told, wanted = live.without, stages_for(self.stage, watched=self._service.is_watched(live.info.call_id))
        for stage in LOAD_STAGES[::-1]:
            if stage in told and stage not in wanted:
                live.driver.inform(ServiceDegraded(stage=stage, reason=REASON, restored=True))
        for stage in LOAD_STAGES:
            if stage in wanted and stage not in told:
                live.driver.inform(ServiceDegraded(stage=stage, reason=REASON, lag_ms=strain.lag_ms))
        live.without = wanted
