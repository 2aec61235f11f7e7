"""What can go wrong for good. Dropped connections are not errors: they are taken up again."""

from __future__ import annotations


class CopilotClientError(Exception):
    """Base of all errors of this package."""


class Refused(CopilotClientError):  # noqa: N818  # what happened, not what class of thing it is
    """The server said no and reconnecting would not help. ``code`` is the server's error code, ``close_code`` the
    WebSocket close code or the HTTP status.
    """

    def __init__(self, code: str, message: str, *, close_code: int, hint: str = "") -> None:
        super().__init__(f"{message} ({code}, {close_code})" + (f" {hint}" if hint else ""))
        self.code = code
        self.message = message
        self.close_code = close_code
        self.hint = hint


class ConnectionLost(CopilotClientError):  # noqa: N818
    """The server could not be reached for longer than a call can wait."""


class ProtocolError(CopilotClientError):
    """The server said something that makes no sense."""
