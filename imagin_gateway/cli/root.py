"""Command groups, put together."""

from __future__ import annotations

import typer

import imagin_gateway
from imagin_gateway.cli import (
    accounts,
    check,
    convocations,
    events,
    inventory,
    keys,
    mail,
    oidc,
    openapi,
    policy,
    report,
    saml,
    sessions,
    watching,
)
from imagin_gateway.cli.common import out

app = typer.Typer(
    help="La porte d'entrée des applications d'examen : réglages, comptes, sessions, règles, portails.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback with local variables would show secrets
    add_completion=False,
)
app.command("check")(check.check)
app.command("openapi")(openapi.describe)
app.add_typer(accounts.app, name="accounts")
app.add_typer(convocations.app, name="convocations")
app.add_typer(events.app, name="events")
app.command("inventory")(inventory.inventory)
app.add_typer(keys.app, name="keys")
app.command("report")(report.report)
app.add_typer(watching.app, name="metrics")
app.add_typer(mail.app, name="mail")
app.add_typer(sessions.app, name="sessions")
app.add_typer(policy.app, name="policy")
app.add_typer(saml.app, name="saml")
app.add_typer(oidc.app, name="oidc")


@app.command("version")
def version() -> None:
    """Dire la version."""
    out.print(imagin_gateway.__version__)
