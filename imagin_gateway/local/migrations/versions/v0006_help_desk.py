"""What a help desk searches by, and the last events of each account."""

from __future__ import annotations

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SOUGHT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_BATCH = 1000

_ACCOUNTS = sa.table(
    "accounts",
    *(
        sa.column(name)
        for name in ("id", "family_name", "given_name", "email", "office", "name_key", "email_key", "office_key")
    ),
)


def upgrade() -> None:
    """Add the table and three columns, and fill these for the accounts that are there."""
    for name in ("name_key", "email_key", "office_key"):
        op.add_column("accounts", sa.Column(name, _SOUGHT, nullable=False, server_default=""))
    _fill(op.get_bind())
    op.create_index("ix_accounts_name_key", "accounts", ["name_key"])
    op.create_index("ix_accounts_email_key", "accounts", ["email_key"])
    op.create_index("ix_accounts_office_key", "accounts", ["office_key", "name_key"])
    op.create_table(
        "account_events",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account_events"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], "fk_account_events_account_id", ondelete="CASCADE"),
    )
    op.create_index("ix_account_events_at", "account_events", ["at"])
    op.create_index("ix_account_events_account_id", "account_events", ["account_id", "id"])


def _fill(connection: sa.Connection) -> None:
    last = 0
    columns = [_ACCOUNTS.c[name] for name in ("id", "family_name", "given_name", "email", "office")]
    while rows := connection.execute(
        sa.select(*columns).where(_ACCOUNTS.c.id > last).order_by(_ACCOUNTS.c.id).limit(_BATCH)
    ).all():
        connection.execute(
            sa.update(_ACCOUNTS)
            .where(_ACCOUNTS.c.id == sa.bindparam("row"))
            .values({name: sa.bindparam(f"new_{name}") for name in ("name_key", "email_key", "office_key")}),
            [
                {
                    "row": row.id,
                    "new_name_key": _folded(f"{row.family_name} {row.given_name}"),
                    "new_email_key": row.email.strip().casefold(),
                    "new_office_key": _folded(row.office),
                }
                for row in rows
            ],
        )
        last = rows[-1].id


def _folded(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(
        "".join(sign if sign.isalnum() else " " for sign in apart if not unicodedata.combining(sign)).split()
    )
