"""Is the node alive, is it ready, and what are its numbers?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

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
    if why := service.overload.refusal(len(service.calls)):
        problems.append("full" if why == "limit" else "overloaded")
    if free_mb < service.settings.store.min_free_mb:
        problems.append("disk")
    headers = {"Retry-After": str(RETRY_AFTER_S)} if problems else {}
    return JSONResponse({"ready": not problems, "problems": problems}, 503 if problems else 200, headers)


async def metrics(request: Request) -> Response:
    """Prometheus text format; with tokens configured it takes an admin's."""
    service: Service = request.app.state.service
    require(identify(request, service.settings.access), "system.manage")
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")


ROUTES = [Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)]
