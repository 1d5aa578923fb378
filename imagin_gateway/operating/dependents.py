"""What still depends on a key that signs no more: counted where a version is written down, else known by time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from imagin_gateway.keys import Keyring
from imagin_gateway.local.database import Database
from imagin_gateway.local.schema import (
    accounts,
    address_changes,
    outbox,
    recovery_codes,
    reset_tokens,
    totp_factors,
)
from imagin_gateway.opening import Stores
from imagin_gateway.settings.key_files import HeldKey

RESTART_MARGIN: Final = timedelta(hours=1)
"""For how long, after a key was told to sign no more, a process that was not restarted may go on."""


@dataclass(frozen=True, slots=True)
class Dependent:
    """What would be lost with a key.

    Attributes:
        text: in French.
        count: how many; None when nobody can count them.
        until: when it depends on it no more, if time alone brings that.
        only_told: a loss that is said, and forbids nothing.
    """

    text: str
    count: int | None
    until: datetime | None
    only_told: bool = False


def of_key(opened: Stores, database: Database, purpose: str, key: HeldKey, now: datetime) -> list[Dependent]:
    """Return what depends on a former key now.

    Args:
        opened: sessions and settings.
        database: the accounts.
        purpose: of the key.
        key: a former one.
        now: the present moment.
    """
    looks = {
        "signing": _signing,
        "provisional": _provisional,
        "pepper": _pepper,
        "factors": _factors,
        "events": _events,
    }
    found = [*looks[purpose](opened, database, key, now)]
    if key.signed_until is not None and purpose != "events":
        # With nothing to count yet, too: what such a process signs in a moment would be worth nothing.
        text = "processus pas encore redémarrés : ils signent peut-être encore avec elle"
        found.append(Dependent(text, None, key.signed_until + RESTART_MARGIN))
    return [each for each in found if each.count != 0 and (each.until is None or each.until > now)]


def _signing(opened: Stores, database: Database, key: HeldKey, now: datetime) -> Iterator[Dependent]:
    settings = opened.settings
    stopped = (key.signed_until or now) + RESTART_MARGIN
    old = [session for session in opened.sessions.list_all() if session.created_at <= stopped]
    last = max((session.absolute_end for session in old), default=now)
    yield Dependent("sessions ouvertes : ces personnes devraient se reconnecter", len(old), last if old else None)
    with database.read() as connection:
        # Its end tells when a link was made.
        made_before = stopped + timedelta(minutes=settings.passwords.reset_minutes)
        links = sa.select(sa.func.count(), sa.func.max(reset_tokens.c.ends_at)).where(
            reset_tokens.c.ends_at > now, reset_tokens.c.ends_at <= made_before
        )
        count, ends = connection.execute(links).one()
        yield Dependent("liens de mot de passe déjà envoyés", count, ends)
        waiting = sa.select(sa.func.count()).select_from(outbox).where(outbox.c.payload.contains(key.version))
        yield Dependent("courriels en attente", connection.execute(waiting).scalar_one(), None)
        changing = sa.select(sa.func.count(), sa.func.max(address_changes.c.ends_at)).where(
            address_changes.c.key == key.version, address_changes.c.ends_at > now
        )
        count, ends = connection.execute(changing).one()
        yield Dependent("changements d’adresse en cours", count, ends)
    if days := settings.factors.trusted_days:
        text = "ordinateurs de confiance : le second contrôle y serait redemandé"
        yield Dependent(text, None, stopped + timedelta(days=days))
    if not settings.keys.events:
        yield from _events(opened, database, key, now)
    text = "navigateurs déjà vus : reconnus de nouveau à leur prochaine connexion"
    yield Dependent(text, None, stopped + timedelta(days=180), only_told=True)


def _events(opened: Stores, database: Database, key: HeldKey, now: datetime) -> Iterator[Dependent]:
    text = "événements : leurs pseudonymes d’avant ne mèneront plus à une personne"
    stopped = (key.signed_until or now) + RESTART_MARGIN
    yield Dependent(text, None, stopped + opened.settings.events.retention, only_told=True)


def _provisional(opened: Stores, database: Database, key: HeldKey, now: datetime) -> Iterator[Dependent]:
    wanted = sa.select(sa.func.count(), sa.func.max(accounts.c.provisional_ends_at)).where(
        accounts.c.provisional_key == key.version,
        accounts.c.provisional_mac.is_not(None),
        accounts.c.provisional_ends_at > now,
    )
    with database.read() as connection:
        count, ends = connection.execute(wanted).one()
    yield Dependent("mots de passe provisoires qui valent encore : ces lettres ne serviraient plus", count, ends)


def _pepper(opened: Stores, database: Database, key: HeldKey, now: datetime) -> Iterator[Dependent]:
    wanted = sa.select(sa.func.count()).where(accounts.c.password_hash.startswith(f"{key.version}$", autoescape=True))
    with database.read() as connection:
        count = connection.execute(wanted).scalar_one()
    yield Dependent(
        "mots de passe de personnes qui ne sont pas revenues : elles devraient en choisir un autre", count, None
    )


def _factors(opened: Stores, database: Database, key: HeldKey, now: datetime) -> Iterator[Dependent]:
    sealed = sa.select(sa.func.count()).where(totp_factors.c.secret.startswith(f"{key.version}.", autoescape=True))
    codes = sa.select(sa.func.count(sa.distinct(recovery_codes.c.account_id)))
    with database.read() as connection:
        yield Dependent(
            "applications de codes : elles ne serviraient plus", connection.execute(sealed).scalar_one(), None
        )
        text = "comptes avec des codes de secours, dont la base ne dit pas sous quelle clé ils ont été faits"
        yield Dependent(text, connection.execute(codes).scalar_one(), None)


def seal_again(database: Database, keys: Keyring, version: str) -> int:
    """Seal under the newest key the secrets of second factors that an older one keeps; return how many.

    Each in its own transaction, if nobody changed it meanwhile: interrupted, the rest is still good under the old key.
    """
    from imagin_gateway.local.totp_rows import SEALED_AS

    wanted = sa.select(totp_factors.c.account_id, totp_factors.c.secret).where(
        totp_factors.c.secret.startswith(f"{version}.", autoescape=True)
    )
    with database.read() as connection:
        rows = connection.execute(wanted).all()
    done = 0
    for account_id, sealed in rows:
        secret = keys.unseal(SEALED_AS, sealed, str(account_id))
        if secret is None:
            continue
        with database.write() as connection:
            changed = connection.execute(
                sa.update(totp_factors)
                .where(totp_factors.c.account_id == account_id, totp_factors.c.secret == sealed)
                .values(secret=keys.seal(SEALED_AS, secret, str(account_id)))
            )
            done += changed.rowcount
    return done
