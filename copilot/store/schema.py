"""Connecting to the database, and bringing its tables up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from copilot.errors import ConfigError, StorageError

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x63616C6C
"""PostgreSQL advisory lock: nodes that start together migrate one after the other."""


def connect(url: str) -> Engine:
    """An engine for a SQLite or PostgreSQL URL; nothing is opened yet.

    SQLite gets WAL and ``synchronous=FULL``: with NORMAL, transactions that were reported as committed disappear in a
    power cut. Raises ConfigError ``config.database``.
    """
    try:
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), **_options(url))
    except (ArgumentError, ImportError) as error:
        raise ConfigError(
            "config.database",
            "`store.database` is not a URL of a database we can use",
            hint="Use `postgresql://user:password@host/name` (with the `postgres` extra installed) or leave it empty.",
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
    return engine


def _options(url: str) -> dict[str, Any]:
    json = {
        "json_serializer": lambda value: msgspec.json.encode(value).decode(),
        "json_deserializer": msgspec.json.decode,
    }
    if url.startswith("sqlite"):
        return json
    # A server that is gone without a word must not hold a call's events for minutes.
    return json | {"pool_pre_ping": True, "connect_args": {"connect_timeout": 5, "tcp_user_timeout": 10_000}}


def _set_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def migrate(engine: Engine) -> None:
    """Create the tables or bring them up to this version. Raises StorageError."""
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            _upgrade(connection)
    except SQLAlchemyError as error:
        raise StorageError(
            "storage.unavailable",
            f"the database cannot be opened: {type(error).__name__}",
            hint="Check `store.database` and that its server runs; for SQLite, that the disk is writable and not full.",
        ) from error


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    found = MigrationContext.configure(connection).get_current_revision()
    if found == scripts.get_current_head():
        return
    if found and found not in {script.revision for script in scripts.walk_revisions()}:
        raise StorageError(
            "storage.newer_schema",
            "the database was written by a newer version of this program",
            hint="Install that version again, or restore the backup made before the update.",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
