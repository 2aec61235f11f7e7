"""What is particular to SQL: durability settings, migrations, and a database that goes away."""

import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from queue import SimpleQueue

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import OperationalError

from copilot.config import StoreSettings
from copilot.errors import ConfigError, StorageError
from copilot.store import database
from copilot.store.database import Store
from copilot.store.rows import CallRow
from copilot.store.schema import connect, migrate
from copilot.store.tables import metadata
from copilot.store.writer import Request
from tests.store.refusal import refused

CALL = CallRow(call_id="c1", started_at="2026-01-01T00:00:00.000Z")


class Outage:
    """Makes every statement of a store fail, until it ends."""

    def __init__(self, store, words="unable to open database file"):
        self._engine = store._engine
        self._words = words
        self.refusals = SimpleQueue()

    def refuse(self, *_):
        self.refusals.put(1)
        raise OperationalError("statement", {}, sqlite3.OperationalError(self._words))

    def __enter__(self):
        sqlalchemy.event.listen(self._engine, "before_cursor_execute", self.refuse)
        return self

    def __exit__(self, *_):
        sqlalchemy.event.remove(self._engine, "before_cursor_execute", self.refuse)


@pytest.fixture
def failures():
    return SimpleQueue()


@pytest.fixture
def store(tmp_path, failures):
    opened = Store.open(
        StoreSettings(commit_interval_ms=1),
        tmp_path,
        on_failed=lambda call_id, error: failures.put((call_id, error.code)),
    )
    opened._writer._retry_s = 0.02
    opened.create_call(CALL)
    yield opened
    opened.close()


def append(store, *seqs):
    for seq in seqs:
        store.append_event("c1", seq, "metric", 0, b"%d" % seq)


def test_a_commit_survives_a_power_cut(store):
    with store._engine.connect() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
        assert found == ["wal", 2]
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_the_migrations_build_the_tables_of_the_code(store):
    with store._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_opening_again_keeps_everything(store, tmp_path):
    append(store, 1, 2)
    store.close()
    again = Store.open(StoreSettings(), tmp_path)
    assert (again.call("c1"), again.events("c1")) == (CALL, [b"1", b"2"])
    again.close()


def test_a_database_of_a_newer_version_is_left_alone(tmp_path):
    engine = connect(f"sqlite:///{tmp_path / 'copilot.db'}")
    migrate(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with refused("storage.newer_schema"):
        Store.open(StoreSettings(), tmp_path)


@pytest.mark.parametrize("url", ["nonsense", "oracle://x/y", "mysql+nothing://x"])
def test_a_url_we_cannot_use(tmp_path, url):
    with refused("config.database", ConfigError):
        Store.open(StoreSettings(database=url), tmp_path)


def test_a_database_that_cannot_be_opened(tmp_path):
    with refused("storage.unavailable"):
        Store.open(StoreSettings(), tmp_path / "missing")


def test_events_wait_for_the_database_and_nobody_else_does(store, failures):
    append(store, 1)
    store.flush()
    with Outage(store) as outage:
        append(store, 2, 3)
        assert failures.get(timeout=10) == ("", "storage.unavailable")
        with refused("storage.unavailable"):
            store.update_call("c1", reason="x")
        with refused("storage.unavailable"):
            store.events("c1")
        append(store, 4)
        for _ in range(3):  # it keeps trying
            outage.refusals.get(timeout=10)
    append(store, 5)
    store.flush()
    assert store.events("c1") == [b"1", b"2", b"3", b"4", b"5"]
    assert failures.empty()


def test_a_full_disk_has_its_own_code(store, failures):
    with Outage(store, "database or disk is full"):
        append(store, 1)
        assert failures.get(timeout=10) == ("", "storage.full")


def test_events_still_waiting_at_the_end_are_reported(store, failures):
    with Outage(store):
        append(store, 1)
        assert failures.get(timeout=10) == ("", "storage.unavailable")
        store.close()
    assert failures.get(timeout=10) == ("c1", "storage.unavailable")


@pytest.fixture
def gate(store):
    """The writer is busy until this is set: what is queued meanwhile becomes one batch."""
    entered, opened = threading.Event(), threading.Event()
    store._writer.put(Request(lambda _: (entered.set(), opened.wait(10))), hurry=True)
    assert entered.wait(10)
    yield opened
    opened.set()


def refuser(*errors):
    """Work that fails in these ways, one after the other."""
    left = list(errors)

    def work(_connection):
        raise left.pop(0)

    return Request(work)


def test_a_bad_piece_spoils_only_itself(store, gate, failures):
    bad = refuser(StorageError("x", "x"), StorageError("x", "x"))
    append(store, 1)
    store._writer.put(bad)
    append(store, 2)
    gate.set()
    store.flush()
    assert bad.future.exception().code == "x"
    assert (store.events("c1"), failures.empty()) == ([b"1", b"2"], True)


def test_the_database_goes_away_while_a_batch_is_taken_apart(store, gate, failures):
    away = OperationalError("statement", {}, sqlite3.OperationalError("gone"))
    bad = refuser(StorageError("x", "x"), away)
    append(store, 1)
    store._writer.put(bad)
    append(store, 2)
    gate.set()
    assert failures.get(timeout=10) == ("", "storage.unavailable")
    assert bad.future.exception(10).code == "storage.unavailable"
    store.flush()
    assert (store.events("c1"), failures.empty()) == ([b"1", b"2"], True)


def test_the_backlog_is_bounded(store):
    with Outage(store) as outage:
        append(store, 1)
        outage.refusals.get(timeout=10)
        with refused("storage.backlog"):
            for seq in range(2, 3 * database.EVENT_BACKLOG):
                append(store, seq)


def test_a_bug_in_the_callback_does_not_stop_the_writer(tmp_path):
    def bug(*what):
        raise RuntimeError(what)

    store = Store.open(StoreSettings(), tmp_path, on_failed=bug)
    store.create_call(CALL)
    append(store, 5)
    append(store, 1)
    store.flush()
    assert store.events("c1") == [b"1"]
    store.close()


def test_what_sql_refuses_is_refused_alone(store):
    with refused("storage.refused"):
        store.audit("admin", "x", detail={"never": object()})
    store.audit("admin", "y")
    assert [row.action for row in store.audited()] == ["y"]


PROCESS = textwrap.dedent("""
    import os, sys
    from pathlib import Path
    from copilot.config import StoreSettings
    from copilot.store.database import Store
    from copilot.store.rows import CallRow

    store = Store.open(StoreSettings(), Path(sys.argv[1]))
    store.create_call(CallRow(call_id="c1", started_at="2026-01-01T00:00:00.000Z"))
    for seq in range(1, 100_000):
        store.append_event("c1", seq, "metric", 0, b"%d" % seq)
        if seq % 50 == 0:
            store.flush()
            os.write(1, b"%d\\n" % seq)
""")


def test_after_kill_9_everything_flushed_is_there(tmp_path):
    with subprocess.Popen([sys.executable, "-c", PROCESS, str(tmp_path)], stdout=subprocess.PIPE) as process:
        lines = [process.stdout.readline() for _ in range(5)]
        process.send_signal(signal.SIGKILL)
        flushed = int([*lines, *process.stdout.readlines()][-1])
    store = Store.open(StoreSettings(), tmp_path)
    kept = store.events("c1")
    assert len(kept) >= flushed >= 250
    assert kept == [b"%d" % seq for seq in range(1, len(kept) + 1)]
    store.close()
