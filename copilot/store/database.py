"""Sessions in SQLite or PostgreSQL.

All writing goes through one thread with group commit (``writer``); reading happens on the caller's thread. Events of
calls wait, in order and up to a bound, when the database is away; everything else is refused at once with
``storage.unavailable``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import msgspec
import structlog
from sqlalchemy import Connection, Engine, Row, Select, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError, SQLAlchemyError

from copilot.clock import Clock, SystemClock
from copilot.config import StoreSettings
from copilot.errors import CopilotError, NotFoundError, StorageError
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
from copilot.store.schema import connect, migrate
from copilot.store.tables import audit, calls, events, reports
from copilot.store.writer import Piece, Request, Writer

DATABASE_FILE = "copilot.db"
EVENT_BACKLOG = 50_000
"""Events that may wait for the database: some minutes of a node's calls."""
AWAY = (OperationalError, InterfaceError)

Failed = Callable[[str, CopilotError], None]
_log = structlog.get_logger()


class _Append:
    """One queued event."""

    def __init__(self, row: dict[str, Any], on_failed: Failed) -> None:
        self.row = row
        self._on_failed = on_failed

    def fail(self, error: Exception) -> None:
        self._on_failed(self.row["call_id"], as_storage_error(error))


class Store:
    """The ``Sessions`` of a node. ``on_failed(call_id, error)`` runs on the writer thread.

    It tells of events that could not be kept, and (with an empty call id) once per outage of the database.
    """

    def __init__(
        self, engine: Engine, root: Path, settings: StoreSettings, clock: Clock, on_failed: Failed | None = None
    ) -> None:
        self._engine = engine
        self._root = root
        self._clock = clock
        self._on_failed = on_failed
        self._last_seq: dict[str, int] = {}  # of calls being written; the writer thread's own
        self._is_away = False
        self._writer = Writer(self._commit, gather_s=settings.commit_interval_ms / 1000)

    @classmethod
    def open(
        cls, settings: StoreSettings, root: Path, *, clock: Clock | None = None, on_failed: Failed | None = None
    ) -> Store:
        """Connect, migrate, start the writer. Raises ConfigError or StorageError."""
        engine = connect(settings.database or f"sqlite:///{root / DATABASE_FILE}")
        migrate(engine)
        store = cls(engine, root, settings, clock or SystemClock(), on_failed)
        store._writer.start()
        return store

    def close(self) -> None:
        self._writer.stop()
        self._engine.dispose()

    def flush(self) -> None:
        self._write(lambda _connection: None)

    def free_mb(self) -> int:
        return shutil.disk_usage(self._root).free >> 20

    # --- calls ------------------------------------------------------------------------------------------------

    def create_call(self, call: CallRow) -> None:
        def work(connection: Connection) -> None:
            try:
                connection.execute(insert(calls), [msgspec.to_builtins(call)])
            except IntegrityError as error:
                raise StorageError("storage.call_exists", f"there already is a call {call.call_id}") from error

        self._write(work)

    def update_call(self, call_id: str, **changes: Any) -> CallRow:
        check_changes(changes)

        def work(connection: Connection) -> CallRow:
            row = _call(connection, call_id)
            values = msgspec.to_builtins(changes)
            if values:
                connection.execute(update(calls).where(calls.c.call_id == call_id).values(values))
            if "state" in changes:
                self._last_seq.pop(call_id, None)
            return msgspec.convert(msgspec.to_builtins(row) | values, CallRow)

        return self._write(work)  # type: ignore[no-any-return]

    def delete_call(self, call_id: str) -> None:
        def work(connection: Connection) -> None:
            _call(connection, call_id)
            connection.execute(delete(calls).where(calls.c.call_id == call_id))
            self._last_seq.pop(call_id, None)

        self._write(work)

    def call(self, call_id: str) -> CallRow:
        with self._reading() as connection:
            return _call(connection, call_id)

    def calls(self, where: CallFilter = CallFilter(), *, limit: int = 50, cursor: str = "") -> CallPage:  # noqa: B008  # frozen
        limit = max(1, min(limit, PAGE_LIMIT))
        newest = _filtered(where).order_by(calls.c.started_at.desc(), calls.c.call_id.desc()).limit(limit + 1)
        if cursor:
            newest = newest.where(tuple_(calls.c.started_at, calls.c.call_id) < tuple_(*cursor_key(cursor)))
        with self._reading() as connection:
            rows = tuple(map(_call_row, connection.execute(newest)))
        page = rows[:limit]
        return CallPage(calls=page, next_cursor=cursor_after(page[-1]) if len(rows) > limit else "")

    def live_calls(self) -> list[CallRow]:
        oldest = _filtered(CallFilter(state="live")).order_by(calls.c.started_at, calls.c.call_id)
        with self._reading() as connection:
            return list(map(_call_row, connection.execute(oldest)))

    # --- events -----------------------------------------------------------------------------------------------

    def append_event(self, call_id: str, seq: int, type_: str, pos_ms: int, body: bytes) -> None:
        if self._writer.backlog >= EVENT_BACKLOG:
            raise StorageError(
                "storage.backlog", "the database does not keep up", hint="Check its disk, and that it can be reached."
            )
        row = {"call_id": call_id, "seq": seq, "type": type_, "pos_ms": pos_ms, "body": body}
        self._writer.put(_Append(row, self._tell_failed))

    def events(self, call_id: str, after_seq: int = 0, limit: int | None = None) -> list[bytes]:
        mine = select(events.c.body).where(events.c.call_id == call_id, events.c.seq > after_seq)
        with self._reading() as connection:
            return list(connection.execute(mine.order_by(events.c.seq).limit(limit)).scalars())

    def last_seq(self, call_id: str) -> int:
        with self._reading() as connection:
            return _last_seq(connection, call_id)

    def trim_events(self, call_id: str, after_seq: int) -> int:
        def work(connection: Connection) -> int:
            self._last_seq.pop(call_id, None)
            beyond = delete(events).where(events.c.call_id == call_id, events.c.seq > after_seq)
            return connection.execute(beyond).rowcount

        return self._write(work)  # type: ignore[no-any-return]

    # --- reports and audit ------------------------------------------------------------------------------------

    def save_report(self, call_id: str, body: bytes) -> int:
        def work(connection: Connection) -> int:
            _call(connection, call_id)
            newest = select(func.max(reports.c.version)).where(reports.c.call_id == call_id)
            version = (connection.execute(newest).scalar() or 0) + 1
            row = {"call_id": call_id, "version": version, "created_at": self._now(), "body": body}
            connection.execute(insert(reports), [row])
            return version

        return self._write(work)  # type: ignore[no-any-return]

    def report(self, call_id: str, version: int | None = None) -> bytes | None:
        found = select(reports.c.body).where(reports.c.call_id == call_id).order_by(reports.c.version.desc()).limit(1)
        if version is not None:
            found = found.where(reports.c.version == version)
        with self._reading() as connection:
            return connection.execute(found).scalar()

    def audit(self, actor: str, action: str, *, call_id: str = "", detail: dict[str, Any] | None = None) -> None:
        row = {"at": self._now(), "actor": actor, "action": action, "call_id": call_id, "detail": detail or {}}
        self._write(lambda connection: connection.execute(insert(audit), [row]) and None)

    def audited(self, call_id: str = "", limit: int = 100) -> list[AuditRow]:
        newest = select(audit).order_by(audit.c.id.desc()).limit(limit)
        if call_id:
            newest = newest.where(audit.c.call_id == call_id)
        with self._reading() as connection:
            rows = connection.execute(newest).mappings().all()
        return [msgspec.convert({key: row[key] for key in AuditRow.__struct_fields__}, AuditRow) for row in rows]

    # --- on the writer thread ---------------------------------------------------------------------------------

    def _commit(self, pieces: list[Piece]) -> list[Piece]:
        """Everything in one transaction or, when that fails, one for each piece; returns what to try again."""
        error = self._transact(pieces)
        if isinstance(error, AWAY):
            return self._hold(pieces, error)
        return self._commit_singly(pieces) if error else []

    def _commit_singly(self, pieces: list[Piece]) -> list[Piece]:
        for done, piece in enumerate(pieces):
            error = self._transact([piece])
            if isinstance(error, AWAY):
                return self._hold(pieces[done:], error)
            if error:
                piece.fail(as_storage_error(error))
        return []

    def _hold(self, pieces: list[Piece], error: Exception) -> list[Piece]:
        """The database is away: events wait for it, nobody else does."""
        if not self._is_away:
            self._is_away = True
            self._tell_failed("", as_storage_error(error))
        for piece in pieces:
            if isinstance(piece, Request):
                piece.fail(as_storage_error(error))
        return [piece for piece in pieces if isinstance(piece, _Append)]

    def _transact(self, pieces: list[Piece]) -> Exception | None:
        """One transaction. Results and rejections are told after it is durable; an error undoes all of it."""
        results: list[tuple[Request, Any]] = []
        rejected: list[tuple[_Append, StorageError]] = []
        try:
            with self._engine.begin() as connection:
                for is_event, run in groupby(pieces, lambda piece: isinstance(piece, _Append)):
                    if is_event:
                        rejected += self._insert(connection, cast("list[_Append]", list(run)))
                    else:
                        results += [(request, request.work(connection)) for request in cast("Iterator[Request]", run)]
        except Exception as error:  # noqa: BLE001  # handed to whoever waits for it
            self._last_seq.clear()
            return error
        self._is_away = False
        for append, rejection in rejected:  # first: `flush` promises that failures have been told
            append.fail(rejection)
        for request, result in results:
            request.future.set_result(result)
        return None

    def _insert(self, connection: Connection, run: list[_Append]) -> list[tuple[_Append, StorageError]]:
        """Add the events that continue their calls; returns the others, with what is wrong with them."""
        rows: dict[tuple[str, int], dict[str, Any]] = {}
        rejected = []
        for append in run:
            call_id, seq = append.row["call_id"], append.row["seq"]
            if call_id not in self._last_seq:
                _call(connection, call_id)
                self._last_seq[call_id] = _last_seq(connection, call_id)
            if seq == self._last_seq[call_id] + 1:
                rows[call_id, seq] = append.row
                self._last_seq[call_id] = seq
            elif error := self._objection(connection, append.row, rows.get((call_id, seq))):
                rejected.append((append, error))
        if rows:
            connection.execute(insert(events), list(rows.values()))
        return rejected

    def _objection(
        self, connection: Connection, row: dict[str, Any], gathered: dict[str, Any] | None
    ) -> StorageError | None:
        """Why an event that does not continue its call cannot be kept; None when we already have it."""
        call_id, seq, last = row["call_id"], row["seq"], self._last_seq[row["call_id"]]
        if seq > last:
            return StorageError("storage.event_gap", f"event {seq} of call {call_id} does not follow {last}")
        same = select(events.c.body).where(events.c.call_id == call_id, events.c.seq == seq)
        known = gathered["body"] if gathered else connection.execute(same).scalar()
        if known == row["body"]:
            return None
        return StorageError("storage.event_conflict", f"event {seq} of call {call_id} is already there and differs")

    def _tell_failed(self, call_id: str, error: CopilotError) -> None:
        _log.error("store.failed", call_id=call_id, code=error.code)
        if self._on_failed:
            try:
                self._on_failed(call_id, error)
            except Exception:  # noqa: BLE001  # logged; the writer thread outlives it
                _log.exception("store.callback_failed", call_id=call_id)

    # --- on any thread ----------------------------------------------------------------------------------------

    def _write(self, work: Callable[[Connection], Any]) -> Any:
        request = Request(work)
        self._writer.put(request, hurry=True)
        return request.future.result()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise as_storage_error(error) from error

    def _now(self) -> str:
        return rfc3339(self._clock.utc())


def as_storage_error(error: Exception) -> CopilotError:
    """What the database said, in our words: its messages may hold what was said in a call."""
    if isinstance(error, CopilotError):
        return error
    name = type(error).__name__
    if "disk is full" in str(error) or "DiskFull" in name:
        return StorageError("storage.full", "the database's disk is full", hint="Free some space; events then go on.")
    if isinstance(error, AWAY):
        return StorageError(
            "storage.unavailable",
            f"the database cannot be reached: {name}",
            hint="Check that it runs and that its disk has room. Events of live calls wait for it.",
        )
    return StorageError("storage.refused", f"the database refused: {name}")


def _call(connection: Connection, call_id: str) -> CallRow:
    found = connection.execute(select(calls).where(calls.c.call_id == call_id)).first()
    if found is None:
        raise NotFoundError("call.unknown", f"there is no call {call_id}")
    return _call_row(found)


def _call_row(row: Row[Any]) -> CallRow:
    return msgspec.convert(row._mapping, CallRow)  # noqa: SLF001  # SQLAlchemy's public name for it


def _last_seq(connection: Connection, call_id: str) -> int:
    return connection.execute(select(func.max(events.c.seq)).where(events.c.call_id == call_id)).scalar() or 0


def _filtered(where: CallFilter) -> Select[Any]:
    found = select(calls)
    if where.rep_id:
        found = found.where(calls.c.rep_id == where.rep_id)
    if where.state:
        found = found.where(calls.c.state == where.state)
    if where.since:
        found = found.where(calls.c.started_at >= where.since)
    if where.until:
        found = found.where(calls.c.started_at < where.until)
    if where.text:
        found = found.where(or_(*(calls.c[name].icontains(where.text, autoescape=True) for name in SEARCHED)))
    return found
