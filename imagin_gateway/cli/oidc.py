"""`imagin-gateway oidc`: whether an OpenID provider can be used, and what to register there."""

from __future__ import annotations

from typing import Annotated

import typer

from imagin_gateway.cli.common import (
    DEFAULT_FILE,
    EXIT_REFUSED,
    EXIT_UNAVAILABLE,
    SettingsFile,
    err,
    explained,
    out,
)
from imagin_gateway.clock import SystemClock
from imagin_gateway.opening import open_policy, open_portals
from imagin_gateway.settings import OidcPortal, Settings
from imagin_gateway.settings.proconnect import PROCONNECT

app = typer.Typer(help="Portails OpenID Connect.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `oidc check` a subcommand, though it is the only one."""


@app.command("check")
def check(
    door: Annotated[str, typer.Argument(help="Porte ; toutes celles en OpenID Connect si rien n'est dit.")] = "",
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Dire si un fournisseur peut servir : adresses, clés, algorithmes, horloge ; et ce qu'il faut y inscrire.

    Finit par 0 si tout va, 1 s'il y a quelque chose à corriger, 4 si le portail ne répond pas.
    """
    with explained():
        loaded = Settings.load(settings)
        sections = _sections(loaded)
        doors = list(sections)
        if door and door not in doors:
            err.print(f"Aucune porte OpenID Connect de ce nom ; portes : {', '.join(doors) or 'aucune'}", markup=False)
            raise typer.Exit(EXIT_REFUSED)
        if not doors:
            err.print("Aucune porte n'est en OpenID Connect dans ces réglages.")
            raise typer.Exit(EXIT_REFUSED)
        only = {name: each for name, each in sections.items() if not door or name == door}
        table = {name: each for name, each in only.items() if name != PROCONNECT}
        worst = _examined(loaded.model_copy(update={"portals": table, "proconnect": only.get(PROCONNECT)}))
    if worst:
        raise typer.Exit(worst)


def _sections(settings: Settings) -> dict[str, OidcPortal]:
    found = {name: each for name, each in settings.portals.items() if isinstance(each, OidcPortal) and each.enabled}
    if settings.proconnect is not None and settings.proconnect.enabled:
        found[PROCONNECT] = settings.proconnect
    return found


def _examined(settings: Settings) -> int:
    """Print what is found at each door, and return the exit code."""
    from imagin_gateway.providers.oidc.checkup import Verdict
    from imagin_gateway.providers.oidc.portal import OidcPortal as Client

    worst = 0
    portals = open_portals(settings, open_policy(settings))
    try:
        for door, portal in portals.items():
            if not isinstance(portal, Client):
                continue
            with err.status(f"{door} : interrogation du portail…"):
                found = portal.check_up(SystemClock().now())
            out.print(f"{door} : {portal.issuer}", markup=False)
            for each in found:
                out.print(f"  {each.verdict.value:<12} {each.subject} : {each.text}", markup=False)
            verdicts = {each.verdict for each in found}
            if Verdict.WRONG in verdicts:
                worst = worst or EXIT_REFUSED
            elif Verdict.SILENT in verdicts:
                worst = worst or EXIT_UNAVAILABLE
            _registration(settings, door)
    finally:
        for portal in portals.values():
            getattr(portal, "close", lambda: None)()
    return worst


def _registration(settings: Settings, door: str) -> None:
    """Say what the administrator of the provider must enter."""
    section = _sections(settings)[door]
    base = settings.url(f"/portail/{door}")
    out.print("  à inscrire chez le fournisseur :")
    lines = [("redirect_uris", f"{base}/retour")]
    if section.single_logout:
        lines += [
            ("post_logout_redirect_uris", f"{base}/fin"),
            ("backchannel_logout_uri", f"{base}/fin/canal"),
            ("frontchannel_logout_uri", f"{base}/fin/cadre"),
        ]
    if section.unsolicited:
        lines.append(("initiate_login_uri", f"{base}/initier"))
    if section.client_authentication == "private_key_jwt":
        lines.append(("jwks_uri", f"{base}/metadata"))
    for name, value in lines:
        out.print(f"    {name:<26} {value}", markup=False)
