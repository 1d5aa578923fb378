"""What two sections of the settings say together, and what they need that is not installed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from imagin_gateway.errors import Problem
from imagin_gateway.extras import absent, how_to_install
from imagin_gateway.settings.loopback import is_loopback
from imagin_gateway.settings.oidc import OidcPortal
from imagin_gateway.settings.paths import under
from imagin_gateway.settings.secrets import MAKE_A_KEY

if TYPE_CHECKING:
    from imagin_gateway.settings.whole import Settings


def problems_together(settings: Settings) -> list[Problem]:
    """Return what two sections that are each well say wrongly together."""
    problems: list[Problem] = []
    if settings.passwords.profile == "unsafe-tests" and not settings.development:
        problems.append(Problem("passwords.profile", "ce profil est réservé aux tests", '"rfc9106" ou "owasp"'))
    if settings.mail.security == "none" and not settings.development and not is_loopback(settings.mail.host):
        problems.append(Problem("mail.security", "le courrier partirait en clair", '"starttls" ou "tls"'))
    if settings.accounts.unverified and not settings.development:
        problems.append(
            Problem(
                "accounts.url",
                "le certificat de la base ne serait pas vérifié",
                "sslmode=verify-full&sslrootcert=/chemin/ac.pem",
            )
        )
    if settings.desk.enabled and settings.admission is None:
        problems.append(
            Problem(
                "desk.enabled",
                "personne n'est désigné pour aider",
                "des règles [[assistance]] dans le fichier admission",
            )
        )
    if settings.events.retention_months > 12 and not settings.events.reason.strip():
        problems.append(
            Problem(
                "events.reason", "plus de 12 mois de conservation, sans raison écrite", "écrire la raison, ou réduire"
            )
        )
    if excess := settings.sessions.unreasoned:
        problems.append(Problem("sessions.reason", f"{excess}, sans raison écrite", "écrire la raison, ou réduire"))
    problems += _factor_problems(settings)
    problems += _missing_extras(settings)
    for door, portal in settings.portals.items():
        if isinstance(portal, OidcPortal):
            parts = urlsplit(portal.issuer)
            local = settings.development and parts.scheme == "http" and is_loopback(parts.hostname)
            if parts.scheme != "https" and not local:
                problems.append(Problem(f"portals.{door}.issuer", "l'émetteur doit être en https", '"https://..."'))
    if not any(under(settings.landing, prefix) for prefix in settings.landings):
        problems.append(Problem("landing", "cette page n'est dans aucun préfixe de landings", "l'ajouter à landings"))
    return problems


def _missing_extras(settings: Settings) -> list[Problem]:
    """What is asked for must be installed: told at the start, not by the first person who needs it."""
    used = {
        "accounts.url": ("postgresql", settings.accounts.url.startswith("postgresql")),
        "second_factor.mode": ("second-factor", settings.factors.on),
    }
    return [
        Problem(key, f"le complément {extra} n'est pas installé", how_to_install(extra))
        for key, (extra, needed) in used.items()
        if needed and absent(extra)
    ]


def _factor_problems(settings: Settings) -> list[Problem]:
    """A second factor is asked for, or a reason is written why not (row PWD-14)."""
    asked = settings.second_factor
    if asked is None:
        if settings.development:
            return []
        remedy = 'mode = "optional" ou "required" ; ou mode = "off" et reason = "..."'
        return [Problem("second_factor", "rien n'est décidé sur le second facteur des comptes directs", remedy)]
    if not asked.on:
        problems = []
        if not asked.reason:
            problems.append(Problem("second_factor.reason", "aucun second facteur, sans raison écrite", "l'écrire"))
        if asked.passkey_alone or asked.trusted_days:
            what = "un réglage du second facteur, qui est fermé"
            problems.append(Problem("second_factor.mode", what, '"optional", ou enlever ce réglage'))
        return problems
    if not settings.keys.factors:
        return [Problem("keys.factors", "le second facteur demande sa propre clé", f'["..."] ; une clé : {MAKE_A_KEY}')]
    return []
