"""One connection after another: opening them, and what to do when one ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from copilot_client.backoff import Backoff
from copilot_client.base import Decoder, Message
from copilot_client.errors import ConnectionLost, Refused
from copilot_client.messages import MESSAGES, Error
from copilot_client.protocol import RETRY_CLOSE_CODES, RETRY_STATUSES, SUBPROTOCOL, socket_url

TEMPORARY = (OSError, TimeoutError, InvalidHandshake, ConnectionClosed)
"""What ends a connection and may pass."""
HEARTBEAT_S = 15.0
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
ABNORMAL = 1006

_DECODER = Decoder(MESSAGES)
_LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass
class Link:
    """Where the server is, who we are, and how long we go on trying (``patience_s`` for the first connection)."""

    url: str
    token: str | None
    backoff: Backoff
    patience_s: float
    random: Random = field(default_factory=Random)
    """Only for jitter."""
    wanted_delay_s: float = 0.0
    _last_error: Error | None = None
    _attempt: int = 0
    _down_since: float | None = None

    async def open(self, path: str) -> ClientConnection:
        """A connection to one endpoint. Raises what is in TEMPORARY."""
        options: dict[str, Any] = {"proxy": None} if urlsplit(self.url).hostname in _LOCAL else {}
        return await connect(
            socket_url(self.url, path),
            additional_headers={"Authorization": f"Bearer {self.token}"} if self.token else None,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            ping_interval=HEARTBEAT_S,
            ping_timeout=HEARTBEAT_S,
            max_size=MAX_MESSAGE_BYTES,
            **options,
        )

    async def messages(self, socket: ClientConnection) -> AsyncIterator[Message]:
        """What the server says. Errors are kept, to explain the close. Raises ConnectionClosed at the end."""
        while True:
            message = _DECODER.decode(await socket.recv())
            if isinstance(message, Error):
                self._last_error = message
            elif message is not None:
                yield message

    def established(self) -> None:
        """The server has taken us in: patience begins anew."""
        self.patience_s = self.backoff.give_up_after_s
        self._attempt = 0
        self._down_since = None
        self._last_error = None

    async def pause_after(self, error: Exception) -> None:
        """Wait before trying again. Raises Refused when that would not help, ConnectionLost when it took too long."""
        wanted_s = max(self.wanted_delay_s, self._verdict(error))
        now = asyncio.get_running_loop().time()
        if self._down_since is None:
            self._down_since = now
        delay_s = max(wanted_s, self.backoff.delay_s(self._attempt, self.random))
        if now + delay_s > self._down_since + self.patience_s:
            said = self._last_error
            why = f"{said.message} ({said.code})" if said else error
            raise ConnectionLost(f"no connection to {self.url}: {why}") from error
        self._attempt += 1
        self.wanted_delay_s = 0.0
        await asyncio.sleep(delay_s)

    def _verdict(self, error: Exception) -> float:
        """The wait a server asks for, in seconds. Raises Refused for what will not pass."""
        if isinstance(error, InvalidStatus):
            return _http_verdict(error)
        code = error.rcvd.code if isinstance(error, ConnectionClosed) and error.rcvd else ABNORMAL
        if code in RETRY_CLOSE_CODES:
            return 0.0
        said = self._last_error
        if said is None:
            raise Refused("closed", "the server closed the connection", close_code=code) from error
        raise Refused(said.code, said.message, close_code=code, hint=said.hint) from error


def _http_verdict(error: InvalidStatus) -> float:
    response = error.response
    if response.status_code in RETRY_STATUSES:
        wait = response.headers.get("Retry-After", "")
        return float(wait) if wait.isdecimal() else 0.0
    raise _refused(bytes(response.body or b""), response.status_code, response.reason_phrase) from error


def _refused(body: bytes, status: int, phrase: str) -> Refused:
    """The server's own words when it spoke them, else those of whatever stands before it."""
    try:
        said = json.loads(body)["error"]
        return Refused(said["code"], said["message"], close_code=status, hint=said.get("hint", ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        return Refused(f"http.{status}", body[:200].decode(errors="replace").strip() or phrase, close_code=status)
