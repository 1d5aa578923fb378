"""Every mail, in French then in English: text and HTML, no name, no identifier, never a password.

French typography: ’ and no-break spaces (U+00A0) before : ; ? ! and ».
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

PARIS: Final = ZoneInfo("Europe/Paris")


class MailKind(StrEnum):
    """Every mail this room sends."""

    RESET = "reset"
    PASSWORD_CHANGED = "password_changed"
    FIRST_CONNECTION = "first_connection"
    ADDRESS_CODE_NEW = "address_code_new"
    """A code to the address that is to be recorded."""
    ADDRESS_CODE_FORMER = "address_code_former"
    """A code to the address that is recorded."""
    ADDRESS_LEFT = "address_left"
    """To the former address: another one is recorded."""
    ADDRESS_TAKEN = "address_taken"
    """To the new address: it is recorded."""
    AFTER_FAILURES = "after_failures"
    """A sign-in succeeded after several failures."""
    NEW_CLIENT = "new_client"
    """A sign-in succeeded from a browser that never did."""
    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    FACTORS_CLEARED = "factors_cleared"
    """The help desk took every second factor away: their owner lost them."""
    RECOVERY_CODES = "recovery_codes"
    """New recovery codes were made."""
    RECOVERY_USED = "recovery_used"
    LETTER_ISSUED = "letter_issued"
    """The help desk issued a new provisional password."""
    ACCOUNT_UNLOCKED = "account_unlocked"
    ACCOUNT_DISABLED = "account_disabled"
    ACCOUNT_ENABLED = "account_enabled"
    CHANGE_REQUIRED = "change_required"


@dataclass(frozen=True, slots=True)
class MailText:
    """One mail, ready to be addressed.

    Attributes:
        subject: in French, then in English.
        body: French, then English.
        html: the same words, for readers that prefer it: no image, nothing fetched.
    """

    subject: str
    body: str = field(repr=False)
    html: str = field(repr=False, default="")


_NOT_YOU: Final = (
    "Ce n’était pas vous\u00a0? Écrivez tout de suite à {contact}.",
    "Not you? Write to {contact} at once.",
)

_CATALOGUE: Final[Mapping[MailKind, tuple[str, str, str]]] = MappingProxyType(
    {
        MailKind.RESET: (
            "Choisir un nouveau mot de passe – Choose a new password",
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
            "Votre mot de passe a été changé – Your password was changed",
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
            "Première connexion à Imagin SIEC – First sign-in to Imagin SIEC",
            """\
Votre accès direct a servi pour la première fois le {date} à {heure} (heure de Paris).
Un mot de passe a été choisi.

"""
            + _NOT_YOU[0],
            """\
Your direct access was used for the first time on {day} at {time} (Paris time) and a password was chosen.

"""
            + _NOT_YOU[1],
        ),
        MailKind.ADDRESS_CODE_NEW: (
            "Confirmer votre adresse électronique – Confirm your e-mail address",
            """\
Tapez ce code dans la page restée ouverte, pour la nouvelle adresse\u00a0:

{code}

Il est valable jusqu’à {heure} (heure de Paris).

Vous n’avez rien demandé\u00a0? Ignorez ce message.""",
            """\
Type the code above in the page left open, for the new address.

It is valid until {time} (Paris time).

You asked for nothing? Ignore this message.""",
        ),
        MailKind.ADDRESS_CODE_FORMER: (
            "Changer d’adresse électronique – Change your e-mail address",
            """\
Une autre adresse électronique a été demandée pour votre accès direct.
Pour la permettre, tapez ce code dans la page restée ouverte, pour l’adresse actuelle\u00a0:

{code}

Il est valable jusqu’à {heure} (heure de Paris).

Vous n’avez rien demandé\u00a0? Ne donnez ce code à personne, changez de mot de passe sur {host}, \
puis écrivez à {contact}.""",
            """\
Another e-mail address was requested for your direct access.
To allow it, type the code above in the page left open, for the present address.

It is valid until {time} (Paris time).

You asked for nothing? Give this code to nobody, change your password on {host}, then write to {contact}.""",
        ),
        MailKind.ADDRESS_LEFT: (
            "Votre adresse électronique a changé – Your e-mail address has changed",
            """\
Une nouvelle adresse est enregistrée pour votre accès direct depuis le {date} à {heure} (heure de Paris).

"""
            + _NOT_YOU[0],
            """\
A new address is recorded for your direct access since {day} at {time} (Paris time).

"""
            + _NOT_YOU[1],
        ),
        MailKind.ADDRESS_TAKEN: (
            "Votre adresse électronique a changé – Your e-mail address has changed",
            """\
Depuis le {date} à {heure} (heure de Paris), les messages de votre accès direct arrivent ici.

Ce changement ne dispense pas de prévenir le service gestionnaire.

"""
            + _NOT_YOU[0],
            """\
Since {day} at {time} (Paris time), messages for your direct access come here.

This does not replace telling the managing office.

"""
            + _NOT_YOU[1],
        ),
        MailKind.AFTER_FAILURES: (
            "Connexion après plusieurs essais – Sign-in after several tries",
            """\
Une connexion à votre accès direct a réussi le {date} à {heure} (heure de Paris), après {failures} essais manqués.

C’était vous\u00a0? Rien à faire.

Sinon, changez de mot de passe sur {host} et écrivez à {contact}.""",
            """\
A sign-in to your direct access succeeded on {day} at {time} (Paris time) after {failures} failed tries.

Was it you? Nothing to do.

If not, change your password on {host} and write to {contact}.""",
        ),
        MailKind.NEW_CLIENT: (
            "Connexion depuis un nouvel appareil – Sign-in from a new device",
            """\
Une connexion à votre accès direct a réussi le {date} à {heure} (heure de Paris), \
depuis un navigateur que vous n’aviez pas encore utilisé.

C’était vous\u00a0? Rien à faire.

Sinon, changez de mot de passe sur {host} et écrivez à {contact}.""",
            """\
A sign-in to your direct access succeeded on {day} at {time} (Paris time), from a browser you had not used before.

Was it you? Nothing to do.

If not, change your password on {host} and write to {contact}.""",
        ),
        MailKind.FACTOR_ADDED: (
            "Un second facteur a été ajouté",
            """\
Une application de codes ou une clé d’accès a été ajoutée à votre accès direct, \
le {date} à {heure} (heure de Paris).

C’était vous\u00a0? Rien à faire.

Sinon, changez de mot de passe sur {host}, puis écrivez tout de suite à {contact}.""",
            """\
A code application or a passkey was added to your direct access on {day} at {time} (Paris time).

Was it you? Nothing to do.

If not, change your password on {host}, then write to {contact} at once.""",
        ),
        MailKind.FACTOR_REMOVED: (
            "Un second facteur a été retiré",
            """\
Une application de codes ou une clé d’accès a été retirée de votre accès direct, \
le {date} à {heure} (heure de Paris).

C’était vous\u00a0? Rien à faire.

Sinon, changez de mot de passe sur {host}, puis écrivez tout de suite à {contact}.""",
            """\
A code application or a passkey was removed from your direct access on {day} at {time} (Paris time).

Was it you? Nothing to do.

If not, change your password on {host}, then write to {contact} at once.""",
        ),
        MailKind.FACTORS_CLEARED: (
            "Vos seconds facteurs ont été retirés",
            """\
L’assistance a retiré tous les seconds facteurs de votre accès direct, le {date} à {heure} (heure de Paris).

Vous l’aviez demandé\u00a0? Connectez-vous, puis ajoutez-en un nouveau.

"""
            + _NOT_YOU[0],
            """\
The help desk removed every second factor of your direct access on {day} at {time} (Paris time).

Did you ask for it? Sign in, then add a new one.

"""
            + _NOT_YOU[1],
        ),
        MailKind.RECOVERY_CODES: (
            "De nouveaux codes de secours",
            """\
De nouveaux codes de secours ont été faits pour votre accès direct, le {date} à {heure} (heure de Paris).
Les anciens ne servent plus.

C’était vous\u00a0? Rien à faire.

Sinon, changez de mot de passe sur {host}, puis écrivez tout de suite à {contact}.""",
            """\
New recovery codes were made for your direct access on {day} at {time} (Paris time). The former ones are dead.

Was it you? Nothing to do.

If not, change your password on {host}, then write to {contact} at once.""",
        ),
        MailKind.RECOVERY_USED: (
            "Un code de secours a servi",
            """\
Un code de secours a servi pour votre accès direct, le {date} à {heure} (heure de Paris).

C’était vous\u00a0? Rien à faire.

Sinon, changez de mot de passe sur {host}, puis écrivez tout de suite à {contact}.""",
            """\
A recovery code was used for your direct access on {day} at {time} (Paris time).

Was it you? Nothing to do.

If not, change your password on {host}, then write to {contact} at once.""",
        ),
        MailKind.LETTER_ISSUED: (
            "Un nouveau mot de passe provisoire – A new provisional password",
            """\
Un nouveau mot de passe provisoire a été émis pour votre accès direct le {date} à {heure} (heure de Paris), \
à la demande de l’assistance.
L’ancien ne fonctionne plus. Le nouveau vous est remis ou envoyé par l’assistance, jamais par courriel.

Vous l’avez demandé\u00a0? Rien d’autre à faire.

Sinon, écrivez tout de suite à {contact}.""",
            """\
A new provisional password was issued for your direct access on {day} at {time} (Paris time), by the help desk.
The former one no longer works. The help desk hands you the new one, or posts it; it is never sent by e-mail.

You asked for it? Nothing else to do.

If not, write to {contact} at once.""",
        ),
        MailKind.ACCOUNT_UNLOCKED: (
            "Votre accès direct est débloqué – Your direct access is unlocked",
            """\
L’assistance a débloqué votre accès direct le {date} à {heure} (heure de Paris).

Connectez-vous sur {host}. Un autre mot de passe pourra vous être demandé.

Vous n’avez rien demandé\u00a0? Écrivez tout de suite à {contact}.""",
            """\
The help desk unlocked your direct access on {day} at {time} (Paris time).

Sign in on {host}. You may be asked for another password.

You asked for nothing? Write to {contact} at once.""",
        ),
        MailKind.ACCOUNT_DISABLED: (
            "Votre accès direct est fermé – Your direct access is closed",
            """\
Votre accès direct a été fermé le {date} à {heure} (heure de Paris). Vos sessions sont terminées.

Ce n’était pas prévu\u00a0? Écrivez à {contact} ou au service qui gère votre convocation.""",
            """\
Your direct access was closed on {day} at {time} (Paris time). Your sessions have ended.

You did not expect this? Write to {contact} or to the office that manages your convocation.""",
        ),
        MailKind.ACCOUNT_ENABLED: (
            "Votre accès direct est rouvert – Your direct access is open again",
            """\
Votre accès direct a été rouvert le {date} à {heure} (heure de Paris).

Pour entrer, demandez un nouveau mot de passe sur {host}.

Vous n’avez rien demandé\u00a0? Écrivez à {contact}.""",
            """\
Your direct access was opened again on {day} at {time} (Paris time).

To enter, ask for a new password on {host}.

You asked for nothing? Write to {contact}.""",
        ),
        MailKind.CHANGE_REQUIRED: (
            "Un autre mot de passe vous sera demandé – Another password will be asked of you",
            """\
Depuis le {date} à {heure} (heure de Paris), votre accès direct demande un autre mot de passe.
C’est une précaution. Vos sessions sont terminées.

Connectez-vous sur {host} comme d’habitude\u00a0: la page vous guidera.

Une question\u00a0? Écrivez à {contact}.""",
            """\
Since {day} at {time} (Paris time), your direct access asks for another password.
This is a precaution. Your sessions have ended.

Sign in on {host} as usual: the page will guide you.

A question? Write to {contact}.""",
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


def compose(
    kind: MailKind,
    *,
    moment: datetime,
    contact: str,
    host: str,
    link: str = "",
    code: str = "",
    failures: str = "",
) -> MailText:
    """Return the words of a mail.

    Args:
        kind: which one.
        moment: what it speaks of: the end of the link or of the code, or when the thing happened.
        contact: address to write to.
        host: name of our site, without scheme.
        link: for `RESET` alone.
        code: for the two `ADDRESS_CODE`.
        failures: how many, for `AFTER_FAILURES`.
    """
    subject, french, english = _CATALOGUE[kind]
    local = moment.astimezone(PARIS)
    words = {
        "contact": contact,
        "host": host,
        "link": link,
        "code": code,
        "failures": failures,
        "heure": f"{local.hour}\u00a0h\u00a0{local.minute:02}",
        "time": f"{local.hour % 12 or 12}:{local.minute:02} {'am' if local.hour < 12 else 'pm'}",
        "date": day_in_french(local.date()),
        "day": f"{local.day} {_MONTHS[local.month - 1]} {local.year}",
    }
    in_french = _paragraphs("Bonjour,\n\n" + french + _END[0], words)
    in_english = _paragraphs(english + _END[1], words)
    body = "\n\n".join([*in_french, "--- English ---", *in_english]) + "\n"
    html = _HTML.format(
        subject=subject,
        french=Markup("").join(_html(text, link, code) for text in in_french),
        english=Markup("").join(_html(text, link, code) for text in in_english),
    )
    return MailText(subject, body, str(html))


_END: Final = (
    "\n\nPersonne du SIEC ne vous demandera votre mot de passe.\nImagin SIEC, {contact}",
    "\n\nNobody at SIEC will ask for your password.\nImagin SIEC, {contact}",
)


def _paragraphs(text: str, words: Mapping[str, str]) -> list[str]:
    return [paragraph.format(**words) for paragraph in text.split("\n\n")]


_HTML: Final = Markup(
    """\
<!doctype html>
<html lang="fr"><head><meta charset="utf-8"><title>{subject}</title></head>
<body style="margin:0;padding:16px;background:#ffffff;color:#182226;font-family:Arial,sans-serif;font-size:16px;\
line-height:1.5"><div style="max-width:36em;margin:0 auto">
<div lang="fr">
{french}</div>
<hr style="border:0;border-top:1px solid #66747a">
<div lang="en">
{english}</div>
</div></body></html>
"""
)


def _html(paragraph: str, link: str, code: str) -> Markup:
    if link and paragraph == link:
        style = "color:#0f5563;overflow-wrap:anywhere"
        return Markup('<p><a style="{}" href="{}">{}</a></p>\n').format(style, link, link)
    if code and paragraph == code:
        style = "font-family:monospace;font-size:24px;letter-spacing:2px"
        return Markup('<p style="{}">{}</p>\n').format(style, code)
    lines = Markup("<br>\n").join(paragraph.split("\n"))
    return Markup("<p>{}</p>\n").format(lines)


def day_in_french(day: date) -> str:
    """Return a day as it is written on letters: « 1er janvier 2027 »."""
    return f"{_first(day.day)}\u00a0{_MOIS[day.month - 1]}\u00a0{day.year}"


def _first(day: int) -> str:
    return "1er" if day == 1 else str(day)
