"""What the database holds, and the promise every store keeps."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec

from copilot.errors import UsageError
from copilot.events import CallOutcome, MediaFormat

CallState = Literal["live", "ended", "interrupted"]
PAGE_LIMIT = 500
"""The most calls one page holds."""


class CallRow(msgspec.Struct, frozen=True, kw_only=True):
    """One call. Times are RFC 3339 UTC with milliseconds (they sort as text); ``folder`` is relative to the data."""

    call_id: str
    started_at: str
    external_id: str = ""
    rep_id: str = ""
    customer_ref: str = ""
    campaign: str = ""
    direction: str = "outbound"
    kind: str = "phone"
    language: str = "auto"
    playbook_id: str = ""
    playbook_version: str = ""
    ended_at: str = ""
    state: CallState = "live"
    reason: str = ""
    duration_ms: int = 0
    media: MediaFormat = MediaFormat()
    context: dict[str, str] = {}
    folder: str = ""
    outcome: CallOutcome | Literal[""] = ""
    summary: dict[str, Any] = {}


class CallFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls to list; empty fields do not restrict. ``since`` <= started_at < ``until``.

    ``text`` is looked for in the call's own fields (ids, rep, customer, campaign), not in what was said.
    """

    rep_id: str = ""
    state: CallState | Literal[""] = ""
    since: str = ""
    until: str = ""
    text: str = ""


SEARCHED = ("call_id", "external_id", "rep_id", "customer_ref", "campaign")


class CallPage(msgspec.Struct, frozen=True, kw_only=True):
    """Calls, newest first. ``next_cursor`` continues behind the last one; empty on the last page."""

    calls: tuple[CallRow, ...]
    next_cursor: str = ""


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what to which call."""

    at: str
    actor: str
    action: str
    call_id: str = ""
    detail: dict[str, Any] = {}


class Sessions(Protocol):
    """Calls, their events and reports. Every method may be called from any thread.

    Only ``append_event`` may be called on an event loop; the others wait for the disk. A method that returns has
    made its change durable. Errors: StorageError; NotFoundError ``call.unknown`` for a call that does not exist.
    """

    def create_call(self, call: CallRow) -> None:
        """Add a call. StorageError ``storage.call_exists`` when its id is taken."""
        ...

    def update_call(self, call_id: str, **changes: Any) -> CallRow:
        """Set some fields of a call; returns all of them."""
        ...

    def call(self, call_id: str) -> CallRow:
        """One call by its id."""
        ...

    def calls(self, where: CallFilter = ..., *, limit: int = 50, cursor: str = "") -> CallPage:
        """One page of calls, newest first. UsageError ``calls.bad_cursor`` for a cursor that is not ours."""
        ...

    def live_calls(self) -> list[CallRow]:
        """The calls in state ``live``, oldest first; after a start these are the ones to recover."""
        ...

    def append_event(self, call_id: str, seq: int, type_: str, pos_ms: int, body: bytes) -> None:
        """Queue one event and return at once; ``flush`` waits until it is durable.

        Numbers run from 1 without gaps. The same number with the same body again is ignored (recovery does that);
        with another body, or leaving a gap, it is dropped and reported through ``on_failed``. Raises StorageError
        ``storage.backlog`` when too much waits for the disk.
        """
        ...

    def events(self, call_id: str, after_seq: int = 0, limit: int | None = None) -> list[bytes]:
        """Bodies in order. Events still queued are not among them; ``flush`` first to read one's own."""
        ...

    def last_seq(self, call_id: str) -> int:
        """The number of the last durable event, 0 when there is none."""
        ...

    def trim_events(self, call_id: str, after_seq: int) -> int:
        """Remove the events behind ``after_seq``; returns how many there were.

        For recovery only: what the database knew of a call beyond the end of its journal.
        """
        ...

    def save_report(self, call_id: str, body: bytes) -> int:
        """Keep a report; returns its version, from 1. Earlier versions stay."""
        ...

    def report(self, call_id: str, version: int | None = None) -> bytes | None:
        """The newest report (or that version) as it was saved, or None."""
        ...

    def audit(self, actor: str, action: str, *, call_id: str = "", detail: dict[str, Any] | None = None) -> None:
        """Note who did what. Entries outlive the call they are about."""
        ...

    def audited(self, call_id: str = "", limit: int = 100) -> list[AuditRow]:
        """Newest entries first, of one call or of all."""
        ...

    def delete_call(self, call_id: str) -> None:
        """Remove a call with its events and reports (its folder is the caller's business)."""
        ...

    def flush(self) -> None:
        """Return when everything queued before is durable or reported as failed."""
        ...

    def free_mb(self) -> int:
        """Room left where sessions are kept."""
        ...

    def close(self) -> None:
        """Flush, then let go of the database."""
        ...


def cursor_after(call: CallRow) -> str:
    """Where the page that ends with ``call`` goes on."""
    return base64.urlsafe_b64encode(f"{call.started_at} {call.call_id}".encode()).decode()


def cursor_key(cursor: str) -> tuple[str, str]:
    """(started_at, call_id) of the last call already seen."""
    try:
        started_at, call_id = base64.b64decode(cursor, altchars=b"-_", validate=True).decode().split(" ")
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise UsageError(
            "calls.bad_cursor",
            "this cursor is not one of ours",
            hint="Use `next_cursor` of the page before, unchanged.",
        ) from error
    return started_at, call_id


def rfc3339(moment: datetime) -> str:
    """UTC with milliseconds, as everywhere on the wire."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def check_changes(changes: dict[str, Any]) -> None:
    """Fields of a call that cannot change, or do not exist, are a programmer's mistake."""
    unknown = changes.keys() - set(CallRow.__struct_fields__) | changes.keys() & {"call_id", "started_at"}
    if unknown:
        raise TypeError(f"update_call() cannot set {', '.join(sorted(unknown))}")
