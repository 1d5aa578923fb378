"""Every mail, in French then in English: plain text, no name, no identifier, never a password.

French typography: ’ and no-break spaces (U+00A0) before : ; ? ! and ».
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

PARIS: Final = ZoneInfo("Europe/Paris")


class MailKind(StrEnum):
    """Every mail this room sends."""

    RESET = "reset"
    PASSWORD_CHANGED = "password_changed"
    FIRST_CONNECTION = "first_connection"


@dataclass(frozen=True, slots=True)
class MailText:
    """One mail, ready to be addressed."""

    subject: str
    body: str = field(repr=False)


_FRAME: Final = """\
Bonjour,

{french}

Personne du SIEC ne vous demandera votre mot de passe.
Imagin SIEC, {contact}

--- English ---

{english}

Nobody at SIEC will ask for your password.
Imagin SIEC, {contact}
"""

_CATALOGUE: Final[Mapping[MailKind, tuple[str, str, str]]] = MappingProxyType(
    {
        MailKind.RESET: (
            "Choisir un nouveau mot de passe",
            """\
Une demande de nouveau mot de passe a été faite pour votre accès direct.

Ouvrez ce lien avant {heure} (heure de Paris)\u00a0:

{link}

Il fonctionne une seule fois.

Vous n’avez rien demandé\u00a0? Ne faites rien\u00a0: votre mot de passe reste le même.""",
            """\
A new password was requested for your direct access.
Open the link above before {time} (Paris time). It works once.
You asked for nothing? Do nothing: your password stays the same.""",
        ),
        MailKind.PASSWORD_CHANGED: (
            "Votre mot de passe a été changé",
            """\
Le mot de passe de votre accès direct a été changé le {date} à {heure} (heure de Paris).

C’était vous\u00a0? Rien à faire.
Ce n’était pas vous\u00a0? Demandez tout de suite un nouveau mot de passe sur {host}, puis écrivez à {contact}.""",
            """\
Your direct access password was changed on {day} at {time} (Paris time).
Was it you? Nothing to do.
Not you? Ask for a new password at once on {host}, then write to {contact}.""",
        ),
        MailKind.FIRST_CONNECTION: (
            "Première connexion à Imagin SIEC",
            """\
Votre accès direct a servi pour la première fois le {date} à {heure} (heure de Paris).
Un mot de passe a été choisi.

Ce n’était pas vous\u00a0? Écrivez tout de suite à {contact}.""",
            """\
Your direct access was used for the first time on {day} at {time} (Paris time) and a password was chosen.
Not you? Write to {contact} at once.""",
        ),
    }
)

_MOIS: Final = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)

_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def compose(kind: MailKind, *, moment: datetime, contact: str, host: str, link: str = "") -> MailText:
    """Return the words of a mail.

    Args:
        kind: which one.
        moment: what it speaks of: the end of the link, or when the thing happened.
        contact: address to write to.
        host: name of our site, without scheme.
        link: for `RESET` alone.
    """
    subject, french, english = _CATALOGUE[kind]
    local = moment.astimezone(PARIS)
    words = {
        "contact": contact,
        "host": host,
        "link": link,
        "heure": f"{local.hour}\u00a0h\u00a0{local.minute:02}",
        "time": f"{local.hour % 12 or 12}:{local.minute:02} {'am' if local.hour < 12 else 'pm'}",
        "date": f"{_first(local.day)}\u00a0{_MOIS[local.month - 1]}\u00a0{local.year}",
        "day": f"{local.day} {_MONTHS[local.month - 1]} {local.year}",
    }
    frame = {"contact": contact, "french": french.format(**words), "english": english.format(**words)}
    return MailText(subject, _FRAME.format(**frame))


def _first(day: int) -> str:
    return "1er" if day == 1 else str(day)
