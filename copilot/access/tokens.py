"""Bearer tokens: who is calling, and whether the server may be reachable at all."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping, Sequence

from copilot.access.policy import Actor
from copilot.config import AccessSettings, Token
from copilot.errors import AccessError, ConfigError

DIGEST = "sha256:"
BEARER_SUBPROTOCOL = "bearer."
LOCAL_ADMIN = Actor("admin", "local")


def authenticate(token: str | None, settings: AccessSettings) -> Actor:
    """Who holds ``token``. Without configured tokens everybody is the local admin: ``check_bind`` sees to the rest.

    Raises AccessError: ``auth.missing``, ``auth.invalid`` (401).
    """
    if not settings.tokens:
        return LOCAL_ADMIN
    if not token:
        raise AccessError("auth.missing", "a token is needed", status=401, hint="Send `Authorization: Bearer <token>`.")
    digest = _digest(token)
    # Every entry is compared, so that the time taken says nothing about which one matched.
    matches = [entry for entry in settings.tokens if hmac.compare_digest(_expected(entry), digest)]
    if not matches:
        raise AccessError("auth.invalid", "the token is not known", status=401, hint="Ask the operator for a token.")
    return Actor(matches[0].role, matches[0].subject)


def token_from(headers: Mapping[str, str], subprotocols: Sequence[str] = ()) -> str | None:
    """The token a request carries: ``Authorization: Bearer``, else a ``bearer.<token>`` subprotocol (never echo it).

    Header names in ``headers`` are lower case.
    """
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    for offered in subprotocols:
        if offered.startswith(BEARER_SUBPROTOCOL) and len(offered) > len(BEARER_SUBPROTOCOL):
            return offered[len(BEARER_SUBPROTOCOL) :]
    return None


def check_bind(host: str, settings: AccessSettings) -> None:
    """Refuse to listen beyond this machine without tokens, or with empty ones.

    Raises ConfigError: ``config.exposed``, ``config.empty_token``.
    """
    if any(not entry.token.removeprefix(DIGEST) for entry in settings.tokens):
        raise ConfigError("config.empty_token", "a token in [[access.tokens]] is empty")
    if not settings.tokens and not is_loopback(host):
        raise ConfigError(
            "config.exposed",
            f"without tokens the server listens on this machine only, not on {host or 'every address'}",
            hint="Add [[access.tokens]] entries to the configuration, or use --host 127.0.0.1.",
        )


def is_loopback(host: str) -> bool:
    """Whether ``host`` names this machine and nothing else."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _expected(entry: Token) -> bytes:
    if entry.token.startswith(DIGEST):
        return entry.token.removeprefix(DIGEST).lower().encode()
    return _digest(entry.token)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest().encode()
