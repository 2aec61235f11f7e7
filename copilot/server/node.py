"""The HTTP server around the service: binding, starting, and going down without losing a call."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import uvicorn

from copilot.config import Settings
from copilot.engines.suite import Suite
from copilot.errors import ConfigError
from copilot.server.app import build

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

FRAME_HEADROOM = 4_096
"""Frames a little over the limit still get a proper ``error``; far larger ones are cut off by the socket (1009)."""
BACKLOG = 256
SWITCH_S = 0.001
"""A recogniser's thread needs the interpreter between any two steps of a model: waiting five milliseconds for it each
time, as is Python's default, doubles the time of a reading on a busy node."""


def bind(host: str, port: int) -> socket.socket:
    """Take the address before models are loaded. Raises ConfigError: ``server.port_in_use``, ``server.address``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise ConfigError(
                "server.port_in_use",
                f"port {port} on {host} is taken by another program",
                hint="Stop it, or choose another port with --port.",
            ) from error
        raise ConfigError("server.address", f"cannot listen on {host}:{port}: {error}") from error
    return listener


class Opening:
    """The application, remembering why it could not open: uvicorn only says that it could not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.failure: Exception | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, except the traceback that would be logged instead of raised."""

        async def send_briefly(message: Message) -> None:
            await send({"type": message["type"]})

        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send_briefly)
        except Exception as error:
            self.failure = error
            raise


class Node(uvicorn.Server):
    """uvicorn, telling when it is ready, or why it will never be."""

    def __init__(
        self,
        config: uvicorn.Config,
        opening: Opening,
        on_ready: Callable[[], None] | None,
        drain: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(config)
        self._drain = drain
        self._opening = opening
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so. Raises what kept the service from opening."""
        try:
            await super().startup(sockets)
        except SystemExit as stop:
            raise self._opening.failure or stop from None
        if self.started and self._on_ready:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that the node goes down, then cut the sockets and close the service."""
        await self._drain()
        await super().shutdown(sockets)


def make_node(settings: Settings, suite: Suite, on_ready: Callable[[], None] | None = None) -> Node:
    """A server that is not running yet."""
    app = build(settings, suite)
    opening = Opening(app)

    async def drain() -> None:
        await app.state.service.drain()

    config = uvicorn.Config(
        opening,
        log_config=None,
        access_log=False,
        lifespan="on",
        ws="websockets-sansio",
        ws_max_size=settings.server.max_frame_bytes + FRAME_HEADROOM,
        ws_ping_interval=20.0,
        ws_ping_timeout=40.0,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    return Node(config, opening, on_ready, drain)


async def run_node(
    settings: Settings, suite: Suite, listener: socket.socket, on_ready: Callable[[], None] | None = None
) -> None:
    """Serve on ``listener`` until told to stop."""
    sys.setswitchinterval(SWITCH_S)
    await make_node(settings, suite, on_ready).serve(sockets=[listener])
