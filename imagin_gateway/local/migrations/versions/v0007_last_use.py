"""The last day an account was used, so that one that nobody uses is erased in time."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column. When the accounts that are there were last used is not known: they are given the whole time.

    It may be empty: a server of the former release, that still runs, adds accounts without it.
    """
    op.add_column("accounts", sa.Column("last_active_at", sa.BigInteger))
    table = sa.table("accounts", sa.column("last_active_at", sa.BigInteger))
    op.get_bind().execute(sa.update(table).values(last_active_at=time.time_ns() // 1000))
    op.create_index("ix_accounts_last_active_at", "accounts", ["last_active_at"])
