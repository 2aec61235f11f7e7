"""Calls, their events and reports, and the audit log"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


KEY = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
MOMENT = sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql")


def text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("call_id", KEY, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        text("external_id"),
        text("rep_id"),
        text("customer_ref"),
        text("campaign"),
        text("direction"),
        text("kind"),
        text("language"),
        text("playbook_id"),
        text("playbook_version"),
        sa.Column("ended_at", MOMENT, nullable=False, server_default=""),
        sa.Column("state", sa.String(16), nullable=False),
        text("reason"),
        sa.Column("duration_ms", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("media", sa.JSON, nullable=False),
        sa.Column("context", sa.JSON, nullable=False),
        text("folder"),
        text("outcome"),
        sa.Column("summary", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("call_id", name="pk_calls"),
    )
    op.create_index("ix_calls_newest", "calls", ["started_at", "call_id"])
    op.create_index("ix_calls_rep", "calls", ["rep_id", "started_at", "call_id"])
    op.create_index("ix_calls_state", "calls", ["state"])
    op.create_index("ix_calls_external", "calls", ["external_id"])
    op.create_table(
        "events",
        sa.Column("call_id", KEY, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("pos_ms", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("call_id", "seq", name="pk_events"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.call_id"], name="fk_events_call_id", ondelete="CASCADE"),
    )
    op.create_table(
        "reports",
        sa.Column("call_id", KEY, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("call_id", "version", name="pk_reports"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.call_id"], name="fk_reports_call_id", ondelete="CASCADE"),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        text("call_id"),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_call", "audit", ["call_id", "id"])


def downgrade() -> None:
    for table in ("audit", "reports", "events", "calls"):
        op.drop_table(table)
