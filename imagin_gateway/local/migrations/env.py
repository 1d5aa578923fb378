"""Run by Alembic, inside the transaction `imagin_gateway.local.migrate.upgrade` has opened."""

from __future__ import annotations

from alembic import context

from imagin_gateway.local.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
