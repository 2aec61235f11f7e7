"""The web app: built files, history fallback, and a strict Content-Security-Policy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles

from copilot.review.page import STYLE_SOURCE

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = Path(__file__).parent / "static"
NOT_BUILT = (
    "The web pages are not part of this checkout yet. Run scripts/web, then reload.\n"
    "The API and the socket work without them.\n"
)
PERMISSIONS = b"microphone=(self), display-capture=(self), camera=(), geolocation=()"


def security_headers(framed_by: Sequence[str]) -> dict[bytes, bytes]:
    """Only our own files run or style anything, and the printed report its own style; ``framed_by`` may embed us."""
    policy = [
        "default-src 'self'",
        "script-src 'self'",
        f"style-src 'self' {STYLE_SOURCE}",
        "img-src 'self' data:",
        "media-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        " ".join(["frame-ancestors 'self'", *framed_by]),
    ]
    return {
        b"content-security-policy": "; ".join(policy).encode(),
        b"x-content-type-options": b"nosniff",
        b"referrer-policy": b"no-referrer",
        b"permissions-policy": PERMISSIONS,
    }


def static_files() -> StaticFiles:
    """The app's assets; an unbuilt checkout has none."""
    return StaticFiles(directory=STATIC / "assets", check_dir=False)


async def page(request: Request) -> Response:
    """Any page of the app, or a file beside its index."""
    name = request.path_params.get("path", "")
    file = STATIC / name
    if name and "/" not in name and file.is_file():
        return FileResponse(file)
    index = STATIC / "index.html"
    if not index.is_file():
        return PlainTextResponse(NOT_BUILT, 503)
    return FileResponse(index, headers={"Cache-Control": "no-cache"})


class SecurityHeaders:
    """Adds the headers above to every response that does not bring its own."""

    def __init__(self, app: ASGIApp, framed_by: Sequence[str] = ()) -> None:
        self._app = app
        self._headers = security_headers(framed_by)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                missing = [(name, value) for name, value in self._headers.items() if name not in present]
                message["headers"] = [*message["headers"], *missing]
            await send(message)

        await self._app(scope, receive, send_with_headers)
