"""Is the node alive, is it ready, and what are its numbers?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from copilot.access.policy import require
from copilot.server.doors import RETRY_AFTER_S, identify

if TYPE_CHECKING:
    from starlette.requests import Request

    from copilot.server.service import Service


async def alive(_: Request) -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    """A further call could be taken: capacity, and room on the disk."""
    service: Service = request.app.state.service
    free_mb = await asyncio.to_thread(service.data.free_mb)
    problems = []
    if service.calls.draining:
        problems.append("draining")
    if len(service.calls) >= service.settings.server.max_calls:
        problems.append("full")
    if free_mb < service.settings.store.min_free_mb:
        problems.append("disk")
    headers = {"Retry-After": str(RETRY_AFTER_S)} if problems else {}
    return JSONResponse({"ready": not problems, "problems": problems}, 503 if problems else 200, headers)


async def metrics(request: Request) -> Response:
    """Prometheus text format; with tokens configured it takes an admin's."""
    service: Service = request.app.state.service
    require(identify(request, service.settings.access), "system.manage")
    registry = CollectorRegistry()
    registry.register(_Collector(service))
    return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")


class _Collector:
    """Reads the node's numbers when they are asked for; nothing is counted twice."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterable[Metric]:
        """One family per number."""
        stats = self._service.pool.stats()
        yield GaugeMetricFamily("copilot_calls", "Live calls", len(self._service.calls))
        yield GaugeMetricFamily("copilot_decodes_queued", "Decode jobs waiting", stats.queued)
        yield GaugeMetricFamily("copilot_decodes_running", "Decode jobs running", stats.running)
        yield CounterMetricFamily("copilot_decodes", "Decode jobs done", stats.decoded)
        yield CounterMetricFamily("copilot_decodes_failed", "Decode jobs failed", stats.failed)
        yield CounterMetricFamily("copilot_decodes_shed", "Interim jobs shed", stats.shed)
        yield CounterMetricFamily("copilot_decode_audio_seconds", "Audio decoded", stats.audio_ms / 1000)
        yield CounterMetricFamily("copilot_decode_busy_seconds", "Time recognisers were busy", stats.busy_ms / 1000)


ROUTES = [Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)]
