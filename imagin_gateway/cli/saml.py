"""`imagin-gateway saml`: our metadata, a portal's, and why an answer was refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from imagin_gateway.cli import saml_message
from imagin_gateway.cli.common import DEFAULT_FILE, EXIT_REFUSED, SettingsFile, err, explained, out
from imagin_gateway.errors import GatewayError
from imagin_gateway.events.telling import words
from imagin_gateway.opening import saml_surroundings
from imagin_gateway.providers import arena
from imagin_gateway.settings import SamlPortal, Settings

if TYPE_CHECKING:
    from lxml import etree

    from imagin_gateway.providers.saml.configuration import Configuration
    from imagin_gateway.providers.saml.portal import Read, SamlPortalClient
    from imagin_gateway.providers.saml.steps import Step

app = typer.Typer(help="Portails SAML : métadonnées, et pourquoi une réponse est refusée.", no_args_is_help=True)

DoorName = Annotated[str, typer.Argument(help="Porte, par exemple arena-creteil.")]

_STEPS: Final = {
    "base64": "décodage (base64, taille)",
    "xml": "lecture du XML, sans DTD ni commentaire",
    "schema": "schémas de SAML 2.0",
    "shape": "forme : une assertion, des signatures à leur place, algorithmes permis",
    "speaker": "émetteur annoncé",
    "response_signature": "signature de la réponse, par une clé du portail",
    "decryption": "déchiffrement par une de nos clés",
    "assertion_signature": "signature de l’assertion, par une clé du portail",
    "version": "version 2.0",
    "issuer": "émetteur prouvé",
    "status": "statut : succès",
    "destination": "adresse de destination (Destination)",
    "issued": "date d’émission",
    "confirmation": "confirmation « bearer »",
    "recipient": "destinataire (Recipient)",
    "confirmation_time": "dates de la confirmation",
    "conditions": "conditions comprises",
    "audience": "public visé (Audience)",
    "conditions_time": "dates des conditions",
    "authentication": "authentification au portail",
    "context": "classe d’authentification",
    "in_response_to": "demande à laquelle elle répond (InResponseTo)",
    "person": "attributs de la personne",
}


@contextmanager
def _section(file: Path, door: str) -> Iterator[tuple[Settings, SamlPortal]]:
    with explained():
        settings = Settings.load(file)
        section = settings.portals.get(door)
        if not isinstance(section, SamlPortal):
            known = ", ".join(name for name, each in settings.portals.items() if isinstance(each, SamlPortal))
            err.print(f"Aucune porte SAML de ce nom ; portes SAML : {known or 'aucune'}", markup=False)
            raise typer.Exit(EXIT_REFUSED)
        yield settings, arena.settle(door, section)


def _configuration(settings: Settings, door: str, section: SamlPortal) -> Configuration:
    from imagin_gateway.providers.saml import configuration

    return configuration.read(door, section, **saml_surroundings(settings, door, section))


@app.command("metadata")
def metadata(door: DoorName, settings: SettingsFile = DEFAULT_FILE) -> None:
    """Écrire nos métadonnées pour un portail, à donner à son exploitant."""
    with _section(settings, door) as (loaded, section):
        from imagin_gateway.providers.saml import own_metadata

        sys.stdout.write(own_metadata.write(_configuration(loaded, door, section)).decode() + "\n")


@app.command("check")
def check(
    door: DoorName,
    file: Annotated[
        Path | None, typer.Argument(help="Métadonnées à examiner ; par défaut celles des réglages, fichier ou adresse.")
    ] = None,
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Examiner les métadonnées d’un portail : clés, tailles, dates, adresses, et ce qui ne va pas."""
    with _section(settings, door) as (loaded, section):
        from imagin_gateway.providers.saml import examination
        from imagin_gateway.providers.saml.documents import METADATA
        from imagin_gateway.providers.saml.fetch import fetch

        config = _configuration(loaded, door, section)
        path = file or section.metadata
        if path is not None:
            if path.stat().st_size > METADATA.size:
                raise OSError("trop gros pour des métadonnées")
            raw, origin = path.read_bytes(), str(path)
        else:
            raw, origin = fetch(section.metadata_url, METADATA.size), section.metadata_url
        found = examination.examine(
            raw,
            section.portal_entity_id,
            key=config.metadata_key,
            longest=timedelta(days=section.metadata_max_days),
            development=loaded.development,
            now=datetime.now(UTC),
        )
    out.print(f"Métadonnées : {_plain(origin)}", markup=False)
    for label, value in found.facts:
        out.print(f"  {label:<22} {_plain(value)}", markup=False)
    for warning in found.warnings:
        err.print(f"Attention : {_plain(warning)}", style="yellow", markup=False)
    for problem, remedy in found.problems:
        err.print(f"Refusé : {_plain(problem)} → {_plain(remedy)}", style="red", markup=False)
    if found.problems:
        raise typer.Exit(EXIT_REFUSED)
    out.print("Ces métadonnées peuvent servir.")


@app.command("inspect")
def inspect(
    file: Annotated[
        Path,
        typer.Argument(
            help="Réponse SAML : XML, base64, le formulaire posté, ou la page qui le poste ; « - » : l’entrée."
        ),
    ],
    door: Annotated[str, typer.Option(help="Porte où elle est arrivée.")],
    at: Annotated[
        str,
        typer.Option(help="Moment de l’arrivée, par exemple 2026-11-24T21:03:00Z ; par défaut celui de l’émission."),
    ] = "",
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Refaire toutes les vérifications d’une réponse, étape par étape. Rien de la personne n’est affiché."""
    with _section(settings, door) as (loaded, section):
        from imagin_gateway.providers.saml.portal import SamlPortalClient

        encoded = saml_message.encoded(file)
        if not encoded:
            err.print("Rien à vérifier : aucune réponse n’est là.", style="red", markup=False)
            raise typer.Exit(EXIT_REFUSED)
        moment = _moment(at) or _issued(encoded) or datetime.now(UTC)
        portal = SamlPortalClient.open(door, section, **saml_surroundings(loaded, door, section), now=moment)
        out.print(
            f"Porte {door}, {portal.issuer}, vérifiée comme reçue le {moment:%d/%m/%Y à %H:%M:%S} UTC", markup=False
        )
        _told(encoded)
        fine = _steps(portal, encoded, moment, section)
        if fine and not at:
            out.print("Sans --at, c’est à l’heure de son émission : une horloge décalée ne se voit pas.", markup=False)
    if not fine:
        raise typer.Exit(EXIT_REFUSED)


def _where(encoded: str) -> str:
    """Return where an answer leaves the schemas."""
    from imagin_gateway.providers.saml import documents, schema

    return schema.fault(documents.parse(documents.decoded(encoded)))


def _steps(portal: SamlPortalClient, encoded: str, moment: datetime, section: SamlPortal) -> bool:
    """Take every step of a login, and show each; return whether all passed."""
    from imagin_gateway.providers.saml.steps import Step

    begun: list[Step] = []
    read: Read | None = None

    def begin(step: Step) -> None:
        if begun:
            _show("passé", begun[-1])
        begun.append(step)

    try:
        read = portal.read(encoded, moment, begin)
        begin(Step.PERSON)
        arrival = portal.person(read)
    except GatewayError as error:
        if begun:
            _show("REFUSÉ", begun[-1])
        err.print(f"Refusée : {error.code} ({error})", style="red", markup=False)
        err.print(f"  {words().code(error.code)}", style="red", markup=False)
        if begun[-1:] == [Step.SCHEMA]:
            err.print(f"  à commencer par : {_plain(_where(encoded))}", style="red", markup=False)
        missing: tuple[str, ...] = getattr(error, "missing", ())
        for name in missing:
            err.print(f"  attribut manquant : {_plain(name)}", style="red", markup=False)
        if missing and read is not None:
            _names(read)
        for status in getattr(error, "statuses", ()):
            err.print(f"  statut du portail : {_plain(status)}", style="red", markup=False)
        return False
    _show("passé", begun[-1])
    _found(read, sorted(arrival.attributes))
    if read.accepted.in_response_to is None and not section.unsolicited:
        err.print(
            "Refusée : flow.unsolicited (personne ne l’a demandée, et unsolicited = false)", style="red", markup=False
        )
        return False
    out.print("La réponse elle-même est bonne. Restent hors de cette vérification : le navigateur, et l’usage unique.")
    return True


def _names(read: Read) -> None:
    """Tell under which names the attributes came, which nobody else can see of an encrypted answer; no value."""
    told = read.assertion
    names = {"attributs reçus": told.attributes, "laissés de côté, NameFormat inconnu": told.set_aside}
    for label, found in names.items():
        if found:
            err.print(f"  {label} : {', '.join(sorted(map(_plain, found)))}", markup=False)


def _show(outcome: str, step: Step) -> None:
    style = "green" if outcome == "passé" else "red"
    out.print(f"  {outcome:<7} {step.value:<20} {_STEPS[step.value]}", style=style, markup=False)


def _found(read: Read, kept: list[str]) -> None:
    asked = read.accepted.in_response_to
    how = f"à la demande {_plain(asked)}" if asked else "à personne : non sollicitée"
    out.print(f"Elle répond {how}.", markup=False)
    out.print(f"Attributs gardés (valeurs cachées) : {', '.join(kept)}", markup=False)
    context = read.accepted.authentication.context or "aucune"
    out.print(f"Classe d’authentification : {_plain(context)}", markup=False)
    if read.assertion.name_id is None or not read.assertion.name_id.value:
        out.print("Sans NameID que nous puissions lire : aucune déconnexion, d’ici ou du portail, ne la nommera.")


def _told(encoded: str) -> None:
    """Show what the message says of itself, before anything of it is proved; nothing of the person."""
    from imagin_gateway.errors import AnswerRefused
    from imagin_gateway.providers.saml import documents

    try:
        root = documents.parse(documents.decoded(encoded))
    except AnswerRefused:
        return
    out.print("Ce que le message dit de lui-même (rien n’est encore prouvé) :")
    for label, value in _claims(root):
        out.print(f"  {label:<22} {_plain(value)}", markup=False)


def _claims(root: etree._Element) -> Iterator[tuple[str, str]]:
    from lxml import etree

    from imagin_gateway.providers.saml.vocabulary import saml

    yield "élément", etree.QName(root).localname
    for name in ("ID", "IssueInstant", "Destination", "InResponseTo"):
        yield name, root.get(name, "absent")
    for name in ("Issuer", "Audience"):
        yield name, ", ".join(dict.fromkeys((each.text or "").strip() for each in root.iter(saml(name)))) or "absent"
    for element, attributes in (
        ("SubjectConfirmationData", ("Recipient", "NotOnOrAfter")),
        ("Conditions", ("NotBefore", "NotOnOrAfter")),
    ):
        for found in root.iter(saml(element)):
            for attribute in attributes:
                yield f"{element[:11]} {attribute}", found.get(attribute, "absent")
    methods = dict.fromkeys(
        f"{etree.QName(each).localname} {each.get('Algorithm', '').rpartition('#')[2]}"
        for each in root.iter(etree.Element)
        if etree.QName(each).localname in ("SignatureMethod", "DigestMethod", "EncryptionMethod")
    )
    yield "algorithmes", ", ".join(methods) or "aucun"


def _moment(at: str) -> datetime | None:
    if not at:
        return None
    try:
        told = datetime.fromisoformat(at)
    except ValueError:
        err.print("--at : une date comme 2026-11-24T21:03:00Z", markup=False)
        raise typer.Exit(2) from None
    return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)


def _issued(encoded: str) -> datetime | None:
    """Return when the message says that it was issued."""
    from imagin_gateway.errors import AnswerRefused
    from imagin_gateway.providers.saml import documents, reading

    try:
        return reading.instant(documents.parse(documents.decoded(encoded)).get("IssueInstant"))
    except AnswerRefused:
        return None


def _plain(value: str) -> str:
    """Return a value from outside on one line, without anything that a terminal would obey."""
    return "".join(sign if sign.isprintable() else "?" for sign in value)[:500]
