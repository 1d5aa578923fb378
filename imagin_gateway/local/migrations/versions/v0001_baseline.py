"""The first tables: accounts, reset links, mail to send.

Written out in full, not taken from `schema`: a migration never changes once it has run.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables in an empty database."""
    op.create_table(
        "accounts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("identifier", sa.Text, nullable=False),
        sa.Column("identifier_key", sa.Text, nullable=False),
        sa.Column("family_name", sa.Text, nullable=False),
        sa.Column("given_name", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("email_verified", sa.Boolean, nullable=False),
        sa.Column("situation", sa.Text, nullable=False),
        sa.Column("academie", sa.Text, nullable=False),
        sa.Column("office", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("provisional_mac", sa.Text),
        sa.Column("provisional_key", sa.Text),
        sa.Column("provisional_ends_at", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("identifier_key", name="uq_accounts_identifier_key"),
        sa.CheckConstraint(
            "state IN ('provisional', 'active', 'change_required', 'locked', 'disabled', 'expired')",
            name=op.f("ck_accounts_state"),
        ),
        sa.CheckConstraint("password_hash IS NULL OR provisional_mac IS NULL", name=op.f("ck_accounts_one_secret")),
    )
    op.create_table(
        "reset_requests",
        sa.Column("id", _ID, nullable=False),
        sa.Column("identifier_key", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("correlation", sa.Text, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reset_requests"),
    )
    op.create_table(
        "reset_tokens",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reset_tokens"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], "fk_reset_tokens_account_id", ondelete="CASCADE"),
        sa.UniqueConstraint("sha256", name="uq_reset_tokens_sha256"),
    )
    op.create_index("ix_reset_tokens_account_id", "reset_tokens", ["account_id"])
    op.create_table(
        "outbox",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("claim", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], "fk_outbox_account_id", ondelete="CASCADE"),
        sa.UniqueConstraint("message_id", name="uq_outbox_message_id"),
    )
    op.create_index("ix_outbox_account_id", "outbox", ["account_id"])
    op.create_index("ix_outbox_due_at", "outbox", ["due_at"])
