"""Finding accounts by what somebody at a desk is told: an identifier, a name, a mail address, an office.

Each search reads the beginning of an index and stops: what it costs does not grow with
the number of accounts, and what it returns is bounded.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import sqlalchemy as sa

from imagin_gateway.local.accounts import identifier_key
from imagin_gateway.local.schema import accounts

SHORTEST: Final = 3
"""Fewest letters or digits of a search: fewer would list people rather than find one."""

MOST: Final = 200
"""Most accounts one search returns."""

_SIGNS: Final = re.compile(r"[\W_]+")
"""What is neither a letter nor a digit."""

_TURNS: Final = 6
"""Most words of a given name typed first, and one."""

_ELIDED: Final = re.compile(r"\A([dlmno])(\w\w)")
"""« ndiaye », « obrien »: recorded as « N’DIAYE », « O’BRIEN », that is « n diaye »."""

_ELISION: Final = re.compile(r"\A([dlmno]) (\w)")

_LAST: Final = "\U0010ffff"
"""After every sign that a key may go on with."""


def folded(text: str) -> str:
    """Return a text as it is searched: without accents, case and signs, words apart by one space."""
    plain = text.casefold()
    if not plain.isascii():
        # Twice: what a sign stands for may be a capital (« № »), and a small letter may come apart again.
        apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        plain = "".join([sign for sign in apart if not unicodedata.combining(sign)])
    return " ".join(_SIGNS.sub(" ", plain).split())


_often = lru_cache(maxsize=4096)(folded)
"""Offices are few and given names not many: they come again from line to line."""


def mail_key(address: str) -> str:
    """Return a mail address as it is searched."""
    return address.strip().casefold()


def keys_of(details: Mapping[str, object]) -> dict[str, str]:
    """Return what an account is found by, from the details that the list tells of it."""
    names = folded(str(details.get("family_name", ""))), _often(str(details.get("given_name", "")))
    return {
        "name_key": " ".join(names).strip(),
        "email_key": mail_key(str(details.get("email", ""))),
        "office_key": _often(str(details.get("office", ""))),
    }


@dataclass(frozen=True, slots=True)
class Hits:
    """What a search found.

    Attributes:
        ids: rows of the accounts, the closest first.
        more: there are others; say more to find them.
    """

    ids: tuple[int, ...]
    more: bool


def long_enough(typed: str) -> bool:
    """Tell whether a text says enough to search by it."""
    # The length first: folding a flood of accents takes the square of their number.
    return len(typed) <= 256 and len(folded(typed).replace(" ", "")) >= SHORTEST


def search(connection: sa.Connection, typed: str, *, offices: Collection[str] = (), limit: int = 20) -> Hits:
    """Find the accounts that a text may mean.

    Args:
        connection: a transaction.
        typed: the beginning of a name, family name first or last; or of an identifier, or of a mail address.
            Empty, every account of `offices`.
        offices: only accounts of these managing offices, whole names; of all when empty.
        limit: most accounts returned, `MOST` at most.
    """
    limit = max(1, min(limit, MOST))
    keys = sorted({folded(office) for office in offices})
    within = accounts.c.office_key.in_(keys) if keys else sa.true()
    found: dict[int, None] = {}
    for condition in _meanings(typed, scoped=bool(keys)):
        query = sa.select(accounts.c.id).where(condition, within).order_by(accounts.c.name_key, accounts.c.id)
        for row in connection.execute(query.limit(limit + 1)):
            found.setdefault(row.id)
    return Hits(tuple(found)[:limit], len(found) > limit)


def _meanings(typed: str, *, scoped: bool) -> Iterator[sa.ColumnElement[bool]]:
    """Yield what a text may mean, the closest first; each is answered from the beginning of one index."""
    if not typed.strip():
        if scoped:
            yield sa.true()
        return
    key, mail = identifier_key(typed), mail_key(typed)
    # No address holds what is not printable, and an engine does not take all of it: NUL, half a surrogate pair.
    is_mail = "@" in mail and mail.isprintable()
    if key:
        yield accounts.c.identifier_key == key
    if is_mail:
        yield accounts.c.email_key == mail
    if not long_enough(typed):
        return
    for name in _names(folded(typed)):
        yield _begins(accounts.c.name_key, name)
    if is_mail and not scoped:
        yield _begins(accounts.c.email_key, mail)


def _names(name: str) -> Sequence[str]:
    """Return a name as it may be recorded: family name first, as typed or when its words were typed last.

    Nobody hears whether a name has « œ » or « oe », nor whether an apostrophe is in it.
    """
    words = name.split()
    turned = [" ".join([*words[start:], *words[:start]]) for start in range(min(len(words), _TURNS))]
    written = [each for one in turned for each in (one, _ELIDED.sub(r"\1 \2", one), _ELISION.sub(r"\1\2", one))]
    spelled = [each for one in written for each in (one, _apart(one), _together(one))]
    return dict.fromkeys(spelled)  # type: ignore[return-value]  # keys in order


def _apart(name: str) -> str:
    return name.replace("œ", "oe").replace("æ", "ae")


def _together(name: str) -> str:
    return name.replace("oe", "œ").replace("ae", "æ")


def _begins(column: sa.ColumnElement[str], start: str) -> sa.ColumnElement[bool]:
    return (column >= start) & (column < start + _LAST)
