"""Sessions without a disk: for tests, and for trying things out. Keeps the promise of ``rows.Sessions``."""

from __future__ import annotations

import threading
from typing import Any

import msgspec

from copilot.clock import Clock, SystemClock
from copilot.errors import CopilotError, NotFoundError, StorageError
from copilot.store.database import Failed
from copilot.store.rows import (
    PAGE_LIMIT,
    SEARCHED,
    AuditRow,
    CallFilter,
    CallPage,
    CallRow,
    check_changes,
    cursor_after,
    cursor_key,
    rfc3339,
)


class MemoryStore:
    """Everything in dictionaries; events are there at once."""

    def __init__(self, *, clock: Clock | None = None, on_failed: Failed | None = None) -> None:
        self._clock = clock or SystemClock()
        self._on_failed = on_failed
        self._calls: dict[str, CallRow] = {}
        self._events: dict[str, list[bytes]] = {}
        self._reports: dict[str, list[bytes]] = {}
        self._audit: list[AuditRow] = []
        self._lock = threading.RLock()

    def create_call(self, call: CallRow) -> None:
        with self._lock:
            if call.call_id in self._calls:
                raise StorageError("storage.call_exists", f"there already is a call {call.call_id}")
            self._calls[call.call_id] = call
            self._events[call.call_id] = []
            self._reports[call.call_id] = []

    def update_call(self, call_id: str, **changes: Any) -> CallRow:
        check_changes(changes)
        with self._lock:
            self._calls[call_id] = msgspec.structs.replace(self.call(call_id), **changes)
            return self._calls[call_id]

    def call(self, call_id: str) -> CallRow:
        try:
            return self._calls[call_id]
        except KeyError:
            raise NotFoundError("call.unknown", f"there is no call {call_id}") from None

    def calls(self, where: CallFilter = CallFilter(), *, limit: int = 50, cursor: str = "") -> CallPage:  # noqa: B008  # frozen
        limit = max(1, min(limit, PAGE_LIMIT))
        with self._lock:
            rows = sorted(filter(where_matches(where), self._calls.values()), key=_age, reverse=True)
        if cursor:
            rows = [row for row in rows if _age(row) < cursor_key(cursor)]
        page = tuple(rows[:limit])
        return CallPage(calls=page, next_cursor=cursor_after(page[-1]) if len(rows) > limit else "")

    def live_calls(self) -> list[CallRow]:
        with self._lock:
            return sorted((row for row in self._calls.values() if row.state == "live"), key=_age)

    def append_event(self, call_id: str, seq: int, type_: str, pos_ms: int, body: bytes) -> None:  # noqa: ARG002
        with self._lock:
            error = self._append(call_id, seq, body)
        if error and self._on_failed:
            self._on_failed(call_id, error)

    def _append(self, call_id: str, seq: int, body: bytes) -> CopilotError | None:
        if call_id not in self._events:
            return NotFoundError("call.unknown", f"there is no call {call_id}")
        bodies = self._events[call_id]
        if seq > len(bodies) + 1:
            return StorageError("storage.event_gap", f"event {seq} of call {call_id} does not follow {len(bodies)}")
        if seq == len(bodies) + 1:
            bodies.append(body)
        elif bodies[seq - 1] != body:
            return StorageError("storage.event_conflict", f"event {seq} of call {call_id} is already there and differs")
        return None

    def events(self, call_id: str, after_seq: int = 0, limit: int | None = None) -> list[bytes]:
        with self._lock:
            return self._events.get(call_id, [])[after_seq:][:limit]

    def last_seq(self, call_id: str) -> int:
        return len(self._events.get(call_id, ()))

    def trim_events(self, call_id: str, after_seq: int) -> int:
        with self._lock:
            bodies = self._events.get(call_id, [])
            trimmed = len(bodies[after_seq:])
            del bodies[after_seq:]
            return trimmed

    def save_report(self, call_id: str, body: bytes) -> int:
        with self._lock:
            self.call(call_id)
            self._reports[call_id].append(body)
            return len(self._reports[call_id])

    def report(self, call_id: str, version: int | None = None) -> bytes | None:
        with self._lock:
            bodies = self._reports.get(call_id, [])
            number = len(bodies) if version is None else version
            return bodies[number - 1] if 1 <= number <= len(bodies) else None

    def audit(self, actor: str, action: str, *, call_id: str = "", detail: dict[str, Any] | None = None) -> None:
        at = rfc3339(self._clock.utc())
        with self._lock:
            self._audit.append(AuditRow(at=at, actor=actor, action=action, call_id=call_id, detail=detail or {}))

    def audited(self, call_id: str = "", limit: int = 100) -> list[AuditRow]:
        with self._lock:
            return [row for row in reversed(self._audit) if call_id in ("", row.call_id)][:limit]

    def delete_call(self, call_id: str) -> None:
        with self._lock:
            self.call(call_id)
            del self._calls[call_id], self._events[call_id], self._reports[call_id]

    def flush(self) -> None:
        """Nothing is ever queued."""

    def free_mb(self) -> int:
        """Memory has no disk to run out of."""
        return 1 << 20

    def close(self) -> None:
        """There is nothing to let go of."""


def where_matches(where: CallFilter) -> Any:
    """The filter as a predicate on rows."""

    def matches(row: CallRow) -> bool:
        return (
            where.rep_id in ("", row.rep_id)
            and where.state in ("", row.state)
            and (not where.since or row.started_at >= where.since)
            and (not where.until or row.started_at < where.until)
            and any(where.text.lower() in getattr(row, name).lower() for name in SEARCHED)
        )

    return matches


def _age(row: CallRow) -> tuple[str, str]:
    return row.started_at, row.call_id
