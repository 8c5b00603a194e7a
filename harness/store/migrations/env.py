"""Runs the migrations over the connection that :mod:`vosbench.harness.store.schema` hands in."""

from alembic import context

from vosbench.harness.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # SQLite alters a table by copying it.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
