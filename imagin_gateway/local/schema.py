"""The tables of the accounts, for SQLite and PostgreSQL.

The migrations make them; a test holds the two equal. No column keeps a hint, a
secret question, the age of a password, or anything that opens an account by
itself: what is kept verifies, with a key that is not in the database.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa

from imagin_gateway.local.lifecycle import AccountState

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_MICROSECOND: Final = timedelta(microseconds=1)


class Moment(sa.types.TypeDecorator[datetime]):
    """A moment, UTC, as whole microseconds since the epoch: one meaning in both engines."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        """Refuse a naive datetime: it has no meaning here."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime has no place here: use UTC")
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else _EPOCH + value * _MICROSECOND


metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_STATES: Final = ", ".join(f"'{state.value}'" for state in AccountState)

_Id: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite numbers rows by itself only under the name INTEGER."""

Sought: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""A text whose beginning is searched: ordered by its bytes, in both engines, so that an index serves."""

accounts: Final = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("identifier", sa.Text, nullable=False),
    sa.Column("identifier_key", sa.Text, nullable=False, unique=True),
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
    sa.Column("provisional_ends_at", Moment),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("provisional_run", sa.Text),
    sa.Column("second_factor_required", sa.Boolean, nullable=False, server_default=sa.false()),
    # What people at a desk search by (`search`): folded, compared sign by sign.
    sa.Column("name_key", Sought, nullable=False, server_default=""),
    sa.Column("email_key", Sought, nullable=False, server_default=""),
    sa.Column("office_key", Sought, nullable=False, server_default=""),
    # The day of the last use, or empty where a former release added the account (`inactivity`).
    sa.Column("last_active_at", Moment),
    sa.Index(None, "name_key"),
    sa.Index(None, "email_key"),
    sa.Index(None, "office_key", "name_key"),
    sa.Index(None, "last_active_at"),
    sa.CheckConstraint(f"state IN ({_STATES})", name="state"),
    # One thing opens an account, never two.
    sa.CheckConstraint("password_hash IS NULL OR provisional_mac IS NULL", name="one_secret"),
)

runs: Final = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("report", sa.Text, nullable=False),
    sa.Column("finished", sa.Boolean, nullable=False),
)
"""Imports and re-issues that were kept: written in the transaction of what they did."""

address_changes: Final = sa.Table(
    "address_changes",
    metadata,
    sa.Column("account_id", sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("former", sa.Text, nullable=False),
    sa.Column("seed", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("ends_at", Moment, nullable=False),
)
"""Addresses that wait to be confirmed: the codes are made from the seed by a key that is not in the database."""

reset_requests: Final = sa.Table(
    "reset_requests",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("identifier_key", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("correlation", sa.Text, nullable=False),
    sa.Column("asked_at", Moment, nullable=False),
)

reset_tokens: Final = sa.Table(
    "reset_tokens",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("sha256", sa.Text, nullable=False, unique=True),
    sa.Column("ends_at", Moment, nullable=False),
)

outbox: Final = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("recipient", sa.Text, nullable=False),
    sa.Column("message_id", sa.Text, nullable=False, unique=True),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("due_at", Moment, nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("claim", sa.Text),
)

account_links: Final = sa.Table(
    "account_links",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    sa.Column("issuer", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("linked_at", Moment, nullable=False),
    # One person of a service opens one account, and one account is opened by one of them.
    sa.UniqueConstraint("issuer", "subject"),
    sa.UniqueConstraint("account_id", "issuer"),
)

totp_factors: Final = sa.Table(
    "totp_factors",
    metadata,
    sa.Column("account_id", sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    # Encrypted under a key that is not in the database.
    sa.Column("secret", sa.Text, nullable=False),
    sa.Column("step", sa.BigInteger, nullable=False),
    sa.Column("added_at", Moment, nullable=False),
    sa.Column("used_at", Moment),
)
"""Applications that make codes, one an account. `step` is that of the last code taken: it only grows."""

passkeys: Final = sa.Table(
    "passkeys",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("credential_id", sa.Text, nullable=False, unique=True),
    sa.Column("public_key", sa.Text, nullable=False),
    sa.Column("sign_count", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("added_at", Moment, nullable=False),
    sa.Column("used_at", Moment),
)
"""Passkeys: what is kept is public, and signs nothing."""

recovery_codes: Final = sa.Table(
    "recovery_codes",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    sa.Column("mac", sa.Text, nullable=False),
    sa.UniqueConstraint("account_id", "mac"),
)
"""HMAC of each recovery code, under a key that is not in the database."""
account_events: Final = sa.Table(
    "account_events",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    sa.Column("at", Moment, nullable=False, index=True),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Index(None, "account_id", "id"),
)
"""The last events of each account, for those who help its owner: few, and forgotten with time (`history`)."""
