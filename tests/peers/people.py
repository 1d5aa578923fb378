"""The people of the peer portal, with the attributes ARENA hands over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

_CHECK_LETTERS: Final = "ABCDEFGHJKLMNPRSTUVWXYZ"


def uai(digits: str) -> str:
    """Return the code of a school: seven digits and their check letter."""
    return digits + _CHECK_LETTERS[int(digits) % 23]


@dataclass(frozen=True)
class Person:
    """One account of the portal.

    Attributes:
        login: what is typed.
        password: what is typed, too.
        attributes: by the name under which they are released; several values make a list.
    """

    login: str
    password: str = field(repr=False)
    attributes: dict[str, str | list[str]] = field(repr=False)


def agent(login: str, family: str, given: str, domain: str, codaca: str, schools: Iterable[str]) -> Person:
    """Return an agent of an académie."""
    codes = [uai(digits) for digits in schools]
    mail = f"{login}@{domain}"
    return Person(
        login,
        f"{login}-pw-0123456789",
        {
            "ct-remote-user": login,
            "ctln": family,
            "ctfn": given,
            "cn": f"{given} {family}",
            "ctemail": mail,
            "codaca": codaca,
            "rne": codes[0],
            "title": "ENS",
            "FrEduRne": [f"{code}$UAJ$PU$ENS${code}$T3$LYC$300" for code in codes],
            "FrEduUrlRetour": f"https://id.{domain}/arena",
            # The textbook example of a NUMEN: released by real portals, and nothing we may keep.
            "employeeNumber": "01E9501234ABC",
            "family_name": family,
            "given_name": given,
            "email": mail,
        },
    )


ELOISE: Final = agent("elefevre1", "LEFÈVRE", "Éloïse", "ac-versailles.fr", "25", ("0780001", "0920002"))
JULIE: Final = agent("jroux", "ROUX", "Julie", "ac-versailles.fr", "025", ("0910004",))
PAUL: Final = agent("pmartin", "MARTIN", "Paul", "ac-paris.fr", "001", ("0750001",))
CHLOE: Final = agent("cdupont", "DUPONT", "Chloé", "ac-creteil.fr", "024", ("0940003",))

PEOPLE: Final = (ELOISE, JULIE, PAUL, CHLOE)
