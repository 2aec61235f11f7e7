"""The tables. Everything but ``calls`` and ``audit`` is a log: rows are added, never changed.

A schema change is a new file in ``migrations/versions``; a test compares what the migrations build with this.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


KEY = String(64).with_variant(String(64, collation="C"), "postgresql")
MOMENT = String(32).with_variant(String(32, collation="C"), "postgresql")
"""Compared byte by byte everywhere, whatever the language of the database server."""


def _call_id(*, key: bool) -> Column[str]:
    return Column("call_id", KEY, ForeignKey("calls.call_id", ondelete="CASCADE"), primary_key=key, nullable=False)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


calls = Table(
    "calls",
    metadata,
    Column("call_id", KEY, primary_key=True),
    Column("started_at", MOMENT, nullable=False),
    _text("external_id"),
    _text("rep_id"),
    _text("customer_ref"),
    _text("campaign"),
    _text("direction"),
    _text("kind"),
    _text("language"),
    _text("playbook_id"),
    _text("playbook_version"),
    Column("ended_at", MOMENT, nullable=False, server_default=""),
    Column("state", String(16), nullable=False),
    _text("reason"),
    Column("duration_ms", BigInteger, nullable=False, server_default="0"),
    Column("media", JSON, nullable=False),
    Column("context", JSON, nullable=False),
    _text("folder"),
    _text("outcome"),
    Column("summary", JSON, nullable=False),
    Index("ix_calls_newest", "started_at", "call_id"),
    Index("ix_calls_rep", "rep_id", "started_at", "call_id"),
    Index("ix_calls_state", "state"),
    Index("ix_calls_external", "external_id"),
)

events = Table(
    "events",
    metadata,
    _call_id(key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("type", String(64), nullable=False),
    Column("pos_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

reports = Table(
    "reports",
    metadata,
    _call_id(key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("created_at", MOMENT, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", MOMENT, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(64), nullable=False),
    _text("call_id"),
    Column("detail", JSON, nullable=False),
    Index("ix_audit_call", "call_id", "id"),
)
