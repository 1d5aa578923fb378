"""Run by Alembic, inside the transaction `imagin_gateway.local.migrate.upgrade` has opened."""

from __future__ import annotations

from alembic import context

from imagin_gateway.local.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite can roll its tables back as well: the transaction is ours, not the driver's.
    transactional_ddl=True,
)
context.run_migrations()
