"""Who is at the door: authentication and refusals, the same for sockets and requests."""

from __future__ import annotations

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from copilot.access.origins import host_allowed, origin_allowed
from copilot.access.policy import Actor
from copilot.access.tokens import authenticate, token_from
from copilot.config import AccessSettings
from copilot.errors import (
    AccessError,
    CapacityError,
    CopilotError,
    NotFoundError,
    RemoteProtocolError,
    StorageError,
    UsageError,
)
from copilot.wire.messages import SUBPROTOCOL

RETRY_AFTER_S = 5


def offered(socket: WebSocket) -> list[str]:
    """The subprotocols a client offers."""
    header = ",".join(socket.headers.getlist("sec-websocket-protocol"))
    return [each.strip() for each in header.split(",") if each.strip()]


def subprotocol(socket: WebSocket) -> str | None:
    """The one we speak, if it was offered; a token among them is never echoed."""
    return SUBPROTOCOL if SUBPROTOCOL in offered(socket) else None


def identify(connection: HTTPConnection, settings: AccessSettings) -> Actor:
    """Who is calling. Raises AccessError: unknown token (401), foreign web page or host name (403)."""
    if not host_allowed(connection.headers.get("host", ""), settings):
        raise AccessError("auth.host", "this name is not served", hint="Use localhost, or configure access tokens.")
    protocols = offered(connection) if isinstance(connection, WebSocket) else []
    bearer = connection.headers.get("authorization")
    origin = connection.headers.get("origin")
    if bearer is None and not origin_allowed(origin, connection.headers.get("host", ""), settings):
        raise AccessError("auth.origin", "pages from this origin may not connect")
    return authenticate(token_from(connection.headers, protocols), settings)


def status_of(error: CopilotError) -> int:
    """The HTTP status that goes with an error."""
    if isinstance(error, AccessError):
        return error.status
    if isinstance(error, NotFoundError):
        return 404
    if isinstance(error, CapacityError) or error.code == "storage.full":
        return 503
    if isinstance(error, StorageError):
        return 507
    return 400 if isinstance(error, UsageError | RemoteProtocolError) else 500


def problem(error: CopilotError) -> Response:
    """An error as an HTTP response."""
    status = status_of(error)
    retry_after_s = error.retry_after_s if isinstance(error, CapacityError) else RETRY_AFTER_S
    headers = {"Retry-After": str(retry_after_s)} if status == 503 else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
    return JSONResponse(body, status, headers)


async def on_problem(_: Request, error: Exception) -> Response:
    """Starlette's handler for our own errors."""
    if not isinstance(error, CopilotError):
        raise error
    return problem(error)


async def turn_away(socket: WebSocket, error: CopilotError) -> None:
    """Refuse a socket before the upgrade, with an HTTP status the client can read."""
    await socket.send_denial_response(problem(error))
