"""Links from an account to somebody whom another service vouches for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0001"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "account_links",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("linked_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account_links"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], "fk_account_links_account_id", ondelete="CASCADE"),
        sa.UniqueConstraint("issuer", "subject", name="uq_account_links_issuer"),
        sa.UniqueConstraint("account_id", "issuer", name="uq_account_links_account_id"),
    )
