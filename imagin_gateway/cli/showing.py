"""How one account is shown to an operator: words, dates, last events; never a secret."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from imagin_gateway.flows.telling import Telling
from imagin_gateway.local.door import Dossier, FactorsView
from imagin_gateway.local.lifecycle import AccountState
from imagin_gateway.pages.spoken import PARIS
from imagin_gateway.pages.texts import Catalogue

_SHOWN = 20
"""Last events shown; the others are in the JSON."""


def _telling() -> Telling:
    return Telling(Catalogue.load("fr"))


def state_of(state: AccountState) -> str:
    """Return a state in words."""
    return _telling().state(state)


def lines(dossier: Dossier, factors: FactorsView, live: int, pseudonym: str) -> Iterator[str]:
    """Yield what is shown of an account, a line each."""
    account, telling = dossier.account, _telling()
    rows = [
        ("identifiant", account.identifier),
        ("nom", f"{account.given_name} {account.family_name}".strip()),
        ("courriel", account.email or "aucun"),
        ("portail", "oui, par cette adresse : l'accès direct est fermé" if dossier.portal_only else ""),
        ("qualité", account.situation),
        ("académie", account.academie),
        ("service", account.office),
        ("état", telling.state(account.state)),
        ("créé le", _moment(dossier.created_at)),
        ("provisoire jusqu'au", _moment(dossier.provisional_ends_at) if dossier.provisional_ends_at else ""),
        ("essais manqués, 24 h", str(dossier.failures.count)),
        ("dernier essai manqué", _moment(dossier.failures.last) if dossier.failures.last else ""),
        ("attend", "oui, après ces essais" if dossier.failures.waits else ""),
        ("second facteur", ", ".join(telling.factors(factors)) or "aucun"),
        ("courriels en attente", str(dossier.waiting_mails) if dossier.waiting_mails else ""),
        ("sessions", str(live)),
        ("dans les événements", pseudonym),
    ]
    for label, value in rows:
        if value:
            yield f"{label:<22} {value}"
    yield "derniers événements" if dossier.history else "derniers événements    aucun"
    for happened in dossier.history[:_SHOWN]:
        who = f" ({happened.actor})" if happened.actor else ""
        yield f"  {_moment(happened.at)}  {telling.event(happened)}{who}"


def _moment(moment: datetime) -> str:
    return moment.astimezone(PARIS).strftime("%d/%m/%Y %H:%M")


def as_json(dossier: Dossier, factors: FactorsView, live: int, pseudonym: str) -> dict[str, object]:
    """Return the same for a program."""
    account = dossier.account
    return {
        "identifier": account.identifier,
        "family_name": account.family_name,
        "given_name": account.given_name,
        "email": account.email,
        "portal_only": dossier.portal_only,
        "situation": account.situation,
        "academie": account.academie,
        "office": account.office,
        "state": account.state.value,
        "created_at": dossier.created_at.isoformat(),
        "provisional_ends_at": dossier.provisional_ends_at.isoformat() if dossier.provisional_ends_at else None,
        "has_password": dossier.has_password,
        "failed_tries": {
            "count": dossier.failures.count,
            "last": dossier.failures.last.isoformat() if dossier.failures.last else None,
            "waits": dossier.failures.waits,
        },
        "factors": {
            "application": factors.totp is not None,
            "passkeys": len(factors.passkeys),
            "recovery_codes": factors.recovery_left,
            "required": factors.required,
        },
        "waiting_mails": dossier.waiting_mails,
        "sessions": live,
        "pseudonym": pseudonym,
        "events": [
            {
                "at": each.at.isoformat(),
                "event": each.event,
                "code": each.code,
                "actor": each.actor,
                "detail": dict(each.detail),
            }
            for each in dossier.history
        ],
    }
