"""`imagin-gateway accounts`: the accounts of the direct door, and helping their owners.

Commands that look at or change one account stand here; the others in `bulk` and `personal`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.table import Table

from imagin_gateway.cli import bulk, convocations, inactive, personal
from imagin_gateway.cli.common import (
    DEFAULT_FILE,
    EXIT_REFUSED,
    EXIT_USAGE,
    Actor,
    Json,
    SettingsFile,
    acting,
    err,
    explained,
    out,
    print_json,
    stores,
)
from imagin_gateway.cli.showing import as_json, lines, state_of
from imagin_gateway.errors import Code
from imagin_gateway.events import EventName
from imagin_gateway.flows.helping import By, Helping
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.local import search
from imagin_gateway.local.lifecycle import AccountState, TransitionRefused
from imagin_gateway.local.migrate import upgrade_accounts
from imagin_gateway.opening import Stores
from imagin_gateway.settings import Settings

app = typer.Typer(help="Comptes de l'accès direct : trouver, aider, fermer, exporter, effacer.", no_args_is_help=True)

app.command("import", hidden=True, help="Autre nom de « convocations import ».")(convocations.import_)
app.command("require-change")(bulk.require_change)
app.command("leak")(bulk.leak)
app.command("export")(personal.export)
app.command("erase")(personal.erase)
app.command("inactive")(inactive.inactive)

Identifier = Annotated[str, typer.Argument(help="Identifiant Imagin.")]


_INSTEAD: Final = {
    AccountState.PROVISIONAL: "La personne entre par sa lettre ; une autre lettre : accounts reissue.",
    AccountState.ACTIVE: "Mot de passe perdu : accounts send-link, ou accounts reissue --replace-password.",
    AccountState.CHANGE_REQUIRED: "Mot de passe perdu : accounts send-link, ou accounts reissue --replace-password.",
    AccountState.LOCKED: "Le débloquer : accounts unlock.",
    AccountState.DISABLED: "Le rouvrir : accounts enable.",
    AccountState.EXPIRED: "Rien ne l'ouvre : accounts reissue, ou accounts send-link.",
}
"""What can be done of an account in each state, when something else was asked."""


@contextmanager
def _helping(settings: Path, told: str | None, identifier: str = "") -> Iterator[tuple[Stores, Helping]]:
    """Open the stores for somebody who helps, and who says who they are; say why one account is left as it is."""
    by = By(actor=acting(told))
    with stores(settings) as opened:
        try:
            yield opened, Helping(opened.direct, opened.sessions, opened.events, by)
        except TransitionRefused as refused:
            account = opened.direct.find(identifier)
            if refused.code is not Code.ACCOUNT_STATE or account is None:
                raise
            told = f"Impossible dans l'état de ce compte ({state_of(account.state)}). Rien n'a changé."
            err.print(told, style="red", markup=False)
            err.print(_INSTEAD[account.state], markup=False)
            raise typer.Exit(EXIT_REFUSED) from None


def _nobody() -> typer.Exit:
    err.print("Aucun compte ne porte cet identifiant.")
    return typer.Exit(EXIT_REFUSED)


@app.command("upgrade")
def upgrade(settings: SettingsFile = DEFAULT_FILE) -> None:
    """Mettre la base des comptes à jour, après une nouvelle version (PostgreSQL ; SQLite l'est au démarrage)."""
    with explained():
        upgrade_accounts(Settings.load(settings).accounts.url)
    out.print("La base des comptes est à jour.")


@app.command("find")
def find(
    text: Annotated[str, typer.Argument(help="Début d'un nom, identifiant ou adresse électronique.")] = "",
    office: Annotated[str, typer.Option(help="Service gestionnaire, en entier.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=search.MOST, help="Comptes montrés, au plus.")] = 20,
    as_json: Json = False,
    actor: Actor = None,
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Chercher des comptes par identifiant, nom, adresse électronique ou service gestionnaire."""
    if not office and not search.long_enough(text):
        err.print(f"Dire au moins {search.SHORTEST} lettres ou chiffres, ou --office SERVICE.")
        raise typer.Exit(EXIT_USAGE)
    with _helping(settings, actor) as (opened, helping):
        matches = opened.direct.desk.search(text, offices=[office] if office else (), limit=limit)
        helping.tell(EventName.ACCOUNTS_SEARCHED, found=len(matches.found), more=matches.more)
    found = [match.account for match in matches.found]
    if as_json:
        told = [
            {
                "identifier": each.identifier,
                "family_name": each.family_name,
                "given_name": each.given_name,
                "email": each.email,
                "office": each.office,
                "state": each.state.value,
            }
            for each in found
        ]
        print_json({"accounts": told, "more": matches.more})
    elif not found:
        out.print("Aucun compte.")
    else:
        table = Table(box=None, pad_edge=False)
        for title in ("identifiant", "nom", "courriel", "service", "état"):
            table.add_column(title, overflow="fold")
        for each in found:
            name = f"{each.family_name} {each.given_name}".strip()
            table.add_row(
                *(escape(cell) for cell in (each.identifier, name, each.email, each.office, state_of(each.state)))
            )
        out.print(table)
        if matches.more:
            err.print("Il y en a d'autres : préciser la recherche.", style="yellow")
    if not found:
        raise typer.Exit(EXIT_REFUSED)


@app.command("show")
def show(
    identifier: Identifier, as_json_: Json = False, actor: Actor = None, settings: SettingsFile = DEFAULT_FILE
) -> None:
    """Montrer l'état d'un compte, ses dates et ses derniers événements. Aucun secret n'est affiché."""
    with _helping(settings, actor) as (opened, helping):
        dossier = opened.direct.desk.dossier_of(identifier)
        subject = dossier.account.identifier if dossier else identifier
        helping.tell(EventName.ACCOUNT_SHOWN, subject, found=int(dossier is not None))
        factors = opened.direct.factors.of(subject)
        live = len(opened.sessions.list_person(DIRECT_ISSUER, subject))
        pseudonym = opened.events.pseudonym((DIRECT_ISSUER, subject))
    if dossier is None:
        raise _nobody()
    if as_json_:
        print_json(as_json(dossier, factors, live, pseudonym))
        return
    for line in lines(dossier, factors, live, pseudonym):
        out.print(line, markup=False)


@app.command("reissue")
def reissue(
    identifier: Identifier,
    letters: convocations.LettersFile = None,
    sheets: convocations.SheetsFile = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace-password",
            help="Remplacer aussi un mot de passe choisi (perdu, sans courriel) ; retirer le lien avec ProConnect.",
        ),
    ] = False,
    actor: Actor = None,
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Émettre un nouveau mot de passe provisoire : l'ancien ne marche plus. Votre nom est noté.

    Sans --letters ni --sheets, il s'affiche ici, cette seule fois.
    """
    if replace and (letters is not None or sheets is not None):
        err.print("Avec --replace-password, le mot de passe provisoire s'affiche : ni --letters ni --sheets.")
        raise typer.Exit(EXIT_USAGE)
    convocations.two_files(letters, sheets)
    if letters is not None or sheets is not None:
        by = acting(actor)
        with stores(settings) as opened:
            opened.sessions.store.ping()
            with convocations.naming([identifier]):
                report = opened.direct.lists.reissue([identifier], letters_to=letters, sheets_to=sheets, actor=by)
        convocations.told(report, letters, sheets)
        return
    with _helping(settings, actor, identifier) as (_, helping):
        letter = helping.reissue(identifier, replace=replace)
    if letter is None or letter.provisional is None or letter.last_day is None:
        raise _nobody()
    err.print("À remettre à la personne elle-même. Il ne sera plus affiché.")
    out.print(f"identifiant               {letter.identifier}", markup=False)
    out.print(f"mot de passe provisoire   {letter.provisional.reveal()}", markup=False)
    out.print(f"valable jusqu'au          {letter.last_day:%d/%m/%Y}", markup=False)


@app.command("unlock")
def unlock(identifier: Identifier, actor: Actor = None, settings: SettingsFile = DEFAULT_FILE) -> None:
    """Débloquer un compte, et oublier les essais manqués qui le font attendre."""
    with _helping(settings, actor, identifier) as (_, helping):
        helped = helping.unlock(identifier)
    if helped is None:
        raise _nobody()
    out.print(f"Compte {helped.account.identifier} débloqué : {state_of(helped.account.state)}.", markup=False)


@app.command("disable")
def disable(identifier: Identifier, actor: Actor = None, settings: SettingsFile = DEFAULT_FILE) -> None:
    """Fermer un compte : plus de connexion, et ses sessions se terminent."""
    with _helping(settings, actor, identifier) as (_, helping):
        helped = helping.disable(identifier)
    if helped is None:
        raise _nobody()
    out.print(f"Compte {helped.account.identifier} fermé ; sessions terminées : {helped.ended}.", markup=False)


@app.command("enable")
def enable(identifier: Identifier, actor: Actor = None, settings: SettingsFile = DEFAULT_FILE) -> None:
    """Rouvrir un compte fermé. Il faut ensuite une nouvelle lettre ou un lien par courriel pour y entrer."""
    with _helping(settings, actor, identifier) as (_, helping):
        helped = helping.enable(identifier)
    if helped is None:
        raise _nobody()
    out.print(f"Compte {helped.account.identifier} rouvert.", markup=False)


@app.command("remove-factors")
def remove_factors(identifier: Identifier, actor: Actor = None, settings: SettingsFile = DEFAULT_FILE) -> None:
    """Retirer tous les seconds facteurs de quelqu'un qui les a perdus, codes de secours compris."""
    with _helping(settings, actor, identifier) as (opened, helping):
        held = opened.direct.factors.of(identifier)
        if opened.direct.find(identifier) is not None and not (held.any or held.recovery_left):
            err.print("Ce compte n'a aucun second facteur. Rien n'a changé.")
            raise typer.Exit(EXIT_REFUSED)
        helped = helping.remove_factors(identifier)
    if helped is None:
        raise _nobody()
    told = f"Seconds facteurs de {helped.account.identifier} retirés ; sessions terminées : {helped.ended}."
    out.print(told, markup=False)


@app.command("require-factor")
def require_factor(
    identifier: Identifier,
    no_more: Annotated[bool, typer.Option("--no-more", help="Ne plus l'exiger de ce compte.")] = False,
    actor: Actor = None,
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Exiger un second facteur d'un compte : à la prochaine connexion, la personne l'ajoute avant d'aller plus loin."""
    with _helping(settings, actor, identifier) as (opened, helping):
        if not no_more and opened.settings.factors.mode == "off":
            err.print('Les seconds facteurs sont coupés (second_factor.mode = "off"). Rien n\'a changé.', markup=False)
            raise typer.Exit(EXIT_REFUSED)
        account = helping.require_factor(identifier, not no_more)
    if account is None:
        raise _nobody()
    told = "n'est plus exigé" if no_more else "est exigé"
    out.print(f"Compte {account.identifier} : un second facteur {told}.", markup=False)


@app.command("send-link")
def send_link(identifier: Identifier, actor: Actor = None, settings: SettingsFile = DEFAULT_FILE) -> None:
    """Envoyer à la personne, par courriel, le lien pour choisir un mot de passe."""
    with _helping(settings, actor, identifier) as (opened, helping):
        if opened.direct.find(identifier) is None:
            raise _nobody()
        sent = helping.send_link(identifier)
    if not sent:
        err.print(
            "Aucun lien : le compte n'a pas d'adresse électronique sûre, a celle d'un portail, ou est désactivé.",
            style="red",
        )
        raise typer.Exit(EXIT_REFUSED)
    out.print("Demande notée : le courriel part.")
