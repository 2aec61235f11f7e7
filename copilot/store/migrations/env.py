"""Run by Alembic: the connection comes from ``copilot.store.schema``, never from an ini file."""

from alembic import context

from copilot.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
