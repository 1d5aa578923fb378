"""`imagin-gateway accounts`: the accounts of the direct door."""

from __future__ import annotations

from typing import Annotated

import typer

from imagin_gateway.cli import convocations
from imagin_gateway.cli.common import DEFAULT_FILE, EXIT_REFUSED, SettingsFile, actor, err, out, stores
from imagin_gateway.events import Event, EventName
from imagin_gateway.identity import DIRECT_ISSUER, Door

app = typer.Typer(help="Comptes de l'accès direct.", no_args_is_help=True)

STATES = {
    "provisional": "mot de passe provisoire, jamais personnalisé",
    "active": "mot de passe personnalisé",
    "change_required": "mot de passe à changer",
    "locked": "bloqué",
    "disabled": "désactivé",
    "expired": "expiré",
}


app.command("import", hidden=True, help="Autre nom de « convocations import ».")(convocations.import_)


@app.command("show")
def show(
    identifier: Annotated[str, typer.Argument(help="Identifiant Imagin.")],
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Montrer l'état d'un compte. Aucun secret n'est affiché."""
    with stores(settings) as opened:
        account = opened.direct.find(identifier)
        person = (DIRECT_ISSUER, account.identifier if account else identifier)
        opened.events.emit(
            Event(
                name=EventName.ACCOUNT_SHOWN,
                door=Door.DIRECT,
                person=person,
                actor=actor(),
                detail={"found": account is not None},
            )
        )
        live = opened.sessions.list_person(*person)
        pseudonym = opened.events.pseudonym(person)
    if account is None:
        err.print("Aucun compte ne porte cet identifiant.")
        raise typer.Exit(EXIT_REFUSED)
    for label, value in (
        ("identifiant", account.identifier),
        ("nom", f"{account.given_name} {account.family_name}".strip()),
        ("courriel", account.email or "aucun"),
        ("qualité", account.situation),
        ("académie", account.academie),
        ("service", account.office),
        ("état", STATES.get(account.state, account.state)),
        ("sessions", str(len(live))),
        ("dans les événements", pseudonym),
    ):
        out.print(f"{label:<20} {value}", markup=False)
