"""The composition root: every route of the service, and what lives as long as it does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route, WebSocketRoute

from copilot.clock import Clock
from copilot.config import Settings
from copilot.engines.suite import Suite
from copilot.errors import CopilotError
from copilot.server import api, health
from copilot.server.doors import on_problem
from copilot.server.pages import SecurityHeaders, page, static_files
from copilot.server.service import Service
from copilot.server.stream import stream
from copilot.server.viewers import call_events, floor


def build(settings: Settings, suite: Suite, clock: Clock | None = None) -> Starlette:
    """The service as an ASGI application. Models are loaded before; everything else opens with its lifespan."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with Service.open(settings, suite, clock) as service:
            app.state.service = service
            yield

    routes = [
        WebSocketRoute("/v1/stream", stream),
        WebSocketRoute("/v1/calls/{call_id}/events", call_events),
        WebSocketRoute("/v1/floor", floor),
        *api.ROUTES,
        *health.ROUTES,
        Mount("/assets", static_files()),
        Route("/", page),
        Route("/{path:path}", page),
    ]
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(SecurityHeaders, framed_by=settings.access.allowed_origins)],
        exception_handlers={CopilotError: on_problem},
    )
