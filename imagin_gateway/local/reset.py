"""« Mot de passe oublié ? »: a link, by mail, used once.

Asking does the same thing for every identifier: it counts, and notes the request.
What depends on the account (is there one, has it an address) happens afterwards,
in the sender, so neither the answer nor its time says anything (row RST-08).

The database never holds what opens an account. A request that leads to a mail
draws 256 random bits, kept with the mail; the token is their HMAC under the signing
key, made when the mail leaves; only its SHA-256 is kept to recognise it. A copy of
the database without the key makes no link (rows RST-01 and RST-02).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from imagin_gateway.clock import Clock
from imagin_gateway.errors import About, Code, Refused
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.keys import Keyring, Secret, digest, new_token
from imagin_gateway.local import outbox, store
from imagin_gateway.local.accounts import Account, identifier_key
from imagin_gateway.local.credentials import Credentials
from imagin_gateway.local.database import Database
from imagin_gateway.local.lifecycle import Act, allows, state_at
from imagin_gateway.local.mail_kinds import MailKind
from imagin_gateway.local.schema import reset_requests, reset_tokens
from imagin_gateway.local.throttle import Throttle

SEED_BITS: Final = 256

MAX_TOKEN: Final = 256
"""Longest text looked at, in characters: ours have 108."""

_LINK: Final = "reset link"

_TOKEN: Final = "reset token"


class LinkDead(Refused):
    """The link was used, is too old, was replaced, or is none of ours: one answer for all."""

    code = Code.LINK_DEAD

    def __init__(self) -> None:
        super().__init__("the reset link opens nothing")


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that was looked at.

    Attributes:
        account: whose it was, if anybody's.
        key: identifier that was typed, as accounts compare it.
        mailed: a mail with a link waits to leave.
    """

    account: Account | None
    mailed: bool
    key: str = field(repr=False)
    address: str = field(repr=False)
    correlation: str


class Resets:
    """Requests, links and their use.

    Args:
        database: where accounts are.
        keys: sign the links.
        credentials: set the password.
        throttle: bounds what one account and one network may ask.
        clock: the time.
        life: how long a link works, from the moment its mail leaves.
        of_a_portal: tells of a mail address whether its owner must enter by a portal: no link is sent there.
    """

    def __init__(
        self,
        database: Database,
        keys: Keyring,
        credentials: Credentials,
        throttle: Throttle,
        clock: Clock,
        life: timedelta,
        of_a_portal: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._database = database
        self._keys = keys
        self._signer = keys.signer(_LINK)
        self._credentials = credentials
        self._throttle = throttle
        self._clock = clock
        self._life = life
        self._of_a_portal = of_a_portal

    def ask(self, identifier: str, *, address: str, correlation: str = "") -> bool:
        """Note a request; tell whether it is within the share of its account. For the event, never for the page.

        Raises:
            NetworkThrottled: too many requests from this network.
            Unavailable: a store does not answer.
        """
        now = self._clock.now()
        key = identifier_key(identifier)
        if not self._throttle.may_ask(key, address, now):
            return False
        self.note(key, address=address, correlation=correlation)
        return True

    def note(self, key: str, *, address: str = "", correlation: str = "") -> None:
        """Note a request, uncounted. Raises `Unavailable`."""
        with self._database.write() as connection:
            connection.execute(
                sa.insert(reset_requests).values(
                    identifier_key=key,
                    address=address[:64],
                    correlation=correlation[:64],
                    asked_at=self._clock.now(),
                )
            )

    def answer_one(self) -> Answered | None:
        """Look at the oldest request and write the mail it leads to, if any; None when there is no request.

        The request, the token and the mail change in one transaction. A new link
        kills the earlier ones of the account.
        """
        now = self._clock.now()
        with self._database.write() as connection:
            oldest = sa.select(reset_requests).order_by(reset_requests.c.id).limit(1).with_for_update(skip_locked=True)
            request = connection.execute(oldest).one_or_none()
            if request is None:
                return None
            connection.execute(sa.delete(reset_requests).where(reset_requests.c.id == request.id))
            account = store.find_locked(connection, request.identifier_key)
            mailed = account is not None and self._may_reset(account, now) and self._mail(connection, account, now)
        return Answered(account, mailed, request.identifier_key, request.address, request.correlation)

    def _may_reset(self, account: Account, now: datetime) -> bool:
        allowed = allows(state_at(account.state, account.provisional_ends_at, now), Act.RESET)
        return allowed and not self._of_a_portal(account.email)

    def _mail(self, connection: sa.Connection, account: Account, now: datetime) -> bool:
        store.kill_links(connection, account.id)
        payload = {"seed": new_token(SEED_BITS), "key": self._keys.newest}
        token = self._token(payload)
        if token is None or not outbox.add(connection, MailKind.RESET, account, payload, now):
            return False
        connection.execute(
            sa.insert(reset_tokens).values(account_id=account.id, sha256=digest(token), ends_at=now + self._life)
        )
        return True

    def _token(self, payload: Mapping[str, str]) -> str | None:
        return self._keys.mac(_TOKEN, payload["seed"], payload["key"])

    def link_token(self, payload: Mapping[str, str]) -> tuple[Secret, datetime] | None:
        """Return what goes into the link of a mail that leaves now, and its end; None if it was killed meanwhile.

        The hour of the link begins here: a relay that was down takes nothing from it.
        """
        token = self._token(payload)
        if token is None:
            return None
        ends_at = self._clock.now() + self._life
        with self._database.write() as connection:
            alive = connection.execute(
                sa.update(reset_tokens).where(reset_tokens.c.sha256 == digest(token)).values(ends_at=ends_at)
            )
        return (Secret(self._signer.sign(token)), ends_at) if alive.rowcount == 1 else None

    def is_alive(self, signed: str) -> bool:
        """Tell whether a link can still be used. Consumes nothing: mail scanners open links (row RST-07)."""
        token = self._unsigned(signed)
        with self._database.read() as connection:
            return token is not None and self._holder(connection, token) is not None

    def _unsigned(self, signed: str) -> str | None:
        return self._signer.unsign(signed) if len(signed) <= MAX_TOKEN and signed.isascii() else None

    def _holder(self, connection: sa.Connection, token: str, *, lock: bool = False) -> Account | None:
        """Return the account a live token opens."""
        # Looked up by the hash of 256 unpredictable bits: what timing tells of a hash leads nowhere.
        now = self._clock.now()
        alive = (reset_tokens.c.sha256 == digest(token)) & (reset_tokens.c.ends_at > now)
        account_id = connection.execute(sa.select(reset_tokens.c.account_id).where(alive)).scalar_one_or_none()
        account = None if account_id is None else store.find_id(connection, account_id, lock=lock)
        return account if account is not None and self._may_reset(account, now) else None

    def use(self, signed: str, new: Secret, again: Secret) -> Account:
        """Set a password by a link. The link, the other links and the provisional password die with it.

        Raises:
            LinkDead: whatever the reason.
            PasswordRefused: the password is refused; the link still works.
            Unavailable: a store does not answer, or too many passwords are being hashed; the link still works.
        """
        token = self._unsigned(signed)
        if token is None:
            raise LinkDead
        with self._database.read() as connection:
            account = self._holder(connection, token)
        if account is None:
            raise LinkDead
        try:
            chosen = self._credentials.choose(account, new, again)
        except Refused as refused:
            # The page cannot say whose link it is; the event must.
            refused.about = About(person=(DIRECT_ISSUER, account.identifier))
            raise
        now = self._clock.now()
        with self._database.write() as connection:
            # Of many uses at once, one finds the row: the others waited for it, and it is gone.
            holder = self._holder(connection, token, lock=True)
            used = connection.execute(sa.delete(reset_tokens).where(reset_tokens.c.sha256 == digest(token)))
            if holder is None or used.rowcount != 1:
                raise LinkDead
            written = store.write_password(connection, holder, chosen, Act.RESET, now)
            outbox.add(connection, MailKind.PASSWORD_CHANGED, written, {"at": now.isoformat()}, now)
        self._throttle.clear(identifier_key(written.identifier))
        return written
