"""A second factor: applications that make codes, passkeys, recovery codes, and accounts that must have one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables and one column; what is there stays."""
    op.create_table(
        "totp_factors",
        sa.Column("account_id", _ID, nullable=False, autoincrement=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("step", sa.BigInteger, nullable=False),
        sa.Column("added_at", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("account_id", name="pk_totp_factors"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], "fk_totp_factors_account_id", ondelete="CASCADE"),
    )
    op.create_table(
        "passkeys",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("credential_id", sa.Text, nullable=False),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("sign_count", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("added_at", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_passkeys"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], "fk_passkeys_account_id", ondelete="CASCADE"),
        sa.UniqueConstraint("credential_id", name="uq_passkeys_credential_id"),
    )
    op.create_index("ix_passkeys_account_id", "passkeys", ["account_id"])
    op.create_table(
        "recovery_codes",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("mac", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recovery_codes"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], "fk_recovery_codes_account_id", ondelete="CASCADE"),
        sa.UniqueConstraint("account_id", "mac", name="uq_recovery_codes_account_id"),
    )
    # The former release adds accounts without it: the default is the database's own.
    op.add_column(
        "accounts",
        sa.Column("second_factor_required", sa.Boolean, nullable=False, server_default=sa.false()),
    )
