"""The exception tree. Every error has a stable ``code`` and says whose fault it is.

    CopilotError
    ├── UsageError            the person at the keyboard: wrong argument, missing file
    │   ├── ConfigError       the operator's configuration
    │   ├── PlaybookError     the playbook's author; carries file, line and path
    │   └── MediaFileError    an unreadable or unsupported recording
    ├── ModelError            a model file is missing, corrupt or cannot be loaded
    │   └── RecogniserError   a recogniser on another machine does not answer as it should
    ├── StorageError          the disk or the database
    ├── AccessError           who is calling may not do this (HTTP 401 or 403)
    ├── CapacityError         this node takes no further call for now (HTTP 503)
    ├── NotFoundError         the thing named does not exist (HTTP 404)
    ├── RemoteProtocolError   the peer on the socket; carries the close code
    └── LocalProtocolError    our own code used a state machine wrongly: a bug

A message says what happened and what to do about it. It never holds transcript text.
"""

from __future__ import annotations


class CopilotError(Exception):
    """Base of all errors raised on purpose.

    ``code`` is stable and documented (``noun.reason``); ``hint`` says what to do next.
    """

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.code})" + (f"\n  {self.hint}" if self.hint else "")


class UsageError(CopilotError):
    """The person at the keyboard asked for something that cannot be done."""


class ConfigError(UsageError):
    """The configuration file or a ``COPILOT_*`` variable is wrong."""


class PlaybookError(UsageError):
    """A playbook is wrong. ``file``, ``line`` (1-based, 0 = unknown) and ``path`` (``$.cues[3].when``) say where.

    It is the first thing that was found; ``others`` is what else is wrong.
    """

    def __init__(
        self, code: str, message: str, *, file: str = "", line: int = 0, path: str = "", hint: str = ""
    ) -> None:
        super().__init__(code, message, hint=hint)
        self.file = file
        self.line = line
        self.path = path
        self.others: tuple[PlaybookError, ...] = ()

    @property
    def all(self) -> tuple[PlaybookError, ...]:
        """Itself and the others, line by line."""
        return tuple(sorted((self, *self.others), key=lambda error: error.line))

    def __str__(self) -> str:
        where = self.file + (f":{self.line}" if self.line else "")
        at = f" at {self.path}" if self.path else ""
        return (
            (f"{where}: " if where else "")
            + f"{self.message}{at} ({self.code})"
            + (f"\n  {self.hint}" if self.hint else "")
        )


class MediaFileError(UsageError):
    """A recording cannot be read as audio."""


class ModelError(CopilotError):
    """A model file is missing, corrupt, or cannot be loaded."""


class RecogniserError(ModelError):
    """A recogniser that runs elsewhere cannot be reached, refuses, or answers what nobody can read."""


class StorageError(CopilotError):
    """The disk or the database refused."""


class AccessError(CopilotError):
    """The caller is unknown (``status`` 401) or may not do this (403)."""

    def __init__(self, code: str, message: str, *, status: int = 403, hint: str = "") -> None:
        super().__init__(code, message, hint=hint)
        self.status = status


class CapacityError(CopilotError):
    """The node takes no further call for now; ask again in ``retry_after_s``."""

    def __init__(self, code: str, message: str, *, hint: str = "", retry_after_s: int = 5) -> None:
        super().__init__(code, message, hint=hint)
        self.retry_after_s = retry_after_s


class NotFoundError(CopilotError):
    """The call, playbook or page named does not exist."""


class RemoteProtocolError(CopilotError):
    """The peer broke the protocol; the socket is closed with ``close_code`` after an ``error`` message."""

    def __init__(self, code: str, message: str, *, close_code: int = 4400, hint: str = "") -> None:
        super().__init__(code, message, hint=hint)
        self.close_code = close_code


class LocalProtocolError(CopilotError):
    """Our own code broke a state machine's rules. Always a bug."""
