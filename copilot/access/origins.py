"""Which web pages may open a socket."""

from __future__ import annotations

from urllib.parse import urlsplit

from copilot.access.tokens import is_loopback
from copilot.config import AccessSettings

_DEFAULT_PORTS = {"http": 80, "https": 443}


def origin_allowed(origin: str | None, host: str, settings: AccessSettings) -> bool:
    """Whether a page from ``origin`` may use this server, whose ``Host`` header is ``host``.

    A request without an origin does not come from a page. The server's own pages are always allowed; others are
    listed in ``access.allowed_origins`` (``*`` allows all). Ask this for sockets opened by browsers: with a token in
    a subprotocol, or without any token. A machine that sends ``Authorization`` may send any origin it likes.
    """
    if origin is None or "*" in settings.allowed_origins:
        return True
    wanted = _normal(origin)
    if wanted is None:
        return False
    scheme = wanted[0]
    if wanted == _normal(f"{scheme}://{host}"):
        return True
    return any(wanted == _normal(allowed) for allowed in settings.allowed_origins)


def host_allowed(host: str, settings: AccessSettings) -> bool:
    """Whether a request's ``Host`` header may be answered.

    Without tokens only names of this machine are: else a page could point its own name at 127.0.0.1 and come in as
    the local admin (DNS rebinding).
    """
    parts = _normal(f"http://{host}")
    return bool(settings.tokens) or (parts is not None and is_loopback(parts[1]))


def _normal(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port, or None for what is not an origin (``null``, garbage)."""
    try:
        parts = urlsplit(origin.strip())
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or port is None:
        return None
    return parts.scheme, parts.hostname.lower(), port
