"""`imagin-gateway keys`: keys of the house and of its portals, made and replaced without anybody noticing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError

from imagin_gateway.cli.common import (
    DEFAULT_FILE,
    EXIT_REFUSED,
    EXIT_SETTINGS,
    EXIT_USAGE,
    Json,
    SettingsFile,
    counted,
    err,
    explained,
    out,
    print_json,
    shown,
)
from imagin_gateway.keys import Keyring
from imagin_gateway.local.database import Database
from imagin_gateway.opening import open_stores
from imagin_gateway.operating import dependents, key_pairs, key_store
from imagin_gateway.operating.dependents import Dependent
from imagin_gateway.operating.key_store import KeysRefused
from imagin_gateway.pages.spoken import PARIS
from imagin_gateway.settings import OidcPortal, SamlPortal, Settings
from imagin_gateway.settings.key_files import PURPOSES, HeldKey, KeyFileWrong, KeyState, path_of, read
from imagin_gateway.settings.partial import raw_values
from imagin_gateway.settings.proconnect import PROCONNECT, ProConnect

app = typer.Typer(
    help="Clés : les fabriquer, les remplacer sans déconnecter personne, retirer les anciennes.", no_args_is_help=True
)

ALWAYS: Final = ("signing", "provisional", "factors")
"""What `keys make` makes when nothing is said; a pepper, or a key for events, is a choice."""

_STATES: Final = {KeyState.NEXT: "attend", KeyState.CURRENT: "en service", KeyState.FORMER: "ancienne"}

Purpose = Annotated[str, typer.Argument(help=f"Usage : {', '.join(PURPOSES)}.")]


@contextlib.contextmanager
def _told() -> Iterator[None]:
    with explained():
        try:
            yield
        except KeyFileWrong as error:
            err.print(f"{error}. Rien n’a changé.\n  → {error.remedy}", style="red", markup=False)
            raise typer.Exit(EXIT_REFUSED) from None
        except KeysRefused as error:
            err.print(f"{error}. Rien n’a changé.", style="red", markup=False)
            raise typer.Exit(EXIT_REFUSED) from None


def _folder(file: Path) -> tuple[Path, dict[str, Any]]:
    """Return the folder of keys, and what the settings say of keys beside it; the rest of the file may be wrong."""
    told = raw_values(file)
    section = told.get("keys")
    section = section if isinstance(section, dict) else {}
    folder = section.get("folder")
    if not folder:
        err.print("Dire où sont les clés, dans les réglages :", style="red")
        err.print('  [keys]\n  folder = "cles"', markup=False)
        raise typer.Exit(EXIT_SETTINGS)
    return Path(folder), section


def _purpose(told: str, section: dict[str, Any]) -> str:
    if told not in PURPOSES:
        err.print(f"Usage inconnu ; un de : {', '.join(PURPOSES)}", markup=False)
        raise typer.Exit(EXIT_USAGE)
    if told in section:
        err.print(
            f"keys.{told} est écrite dans les réglages, qui l’emportent sur le dossier.\n"
            f"  imagin-gateway keys adopt {told}",
            style="red",
            markup=False,
        )
        raise typer.Exit(EXIT_REFUSED)
    return told


def _moment(moment: datetime | None) -> str:
    return moment.astimezone(PARIS).strftime("%d/%m/%Y %H:%M") if moment else ""


@app.command("list")
def list_keys(settings: SettingsFile = DEFAULT_FILE, json: Json = False) -> None:
    """Montrer les clés du dossier : usage, version, état, dates. Jamais leur valeur."""
    with _told():
        folder, section = _folder(settings)
        held = {purpose: read(folder, purpose) or () for purpose in PURPOSES}
    if json:
        print_json(
            {
                "schema": 1,
                "folder": str(folder),
                "keys": [
                    {
                        "purpose": purpose,
                        "version": each.version,
                        "state": each.state.value,
                        "made_at": each.made_at.isoformat(),
                        "signs_from": each.signs_from.isoformat() if each.signs_from else None,
                        "signed_until": each.signed_until.isoformat() if each.signed_until else None,
                    }
                    for purpose, keys in held.items()
                    for each in keys
                ],
            }
        )
        return
    for purpose, keys in held.items():
        where = "écrite dans les réglages" if purpose in section else "aucune"
        out.print(f"{purpose:<12} {path_of(folder, purpose) if keys else where}", markup=False)
        for each in keys:
            dates = f"faite le {_moment(each.made_at)}"
            dates += f", en service le {_moment(each.signs_from)}" if each.signs_from else ""
            dates += f", remplacée le {_moment(each.signed_until)}" if each.signed_until else ""
            out.print(f"  {each.version}  {_STATES[each.state]:<10}  {dates}", markup=False)


@app.command("make")
def make(
    what: Annotated[
        str, typer.Argument(help=f"Usage ({', '.join(PURPOSES)}), ou porte d’un portail ; ce qui manque, sinon.")
    ] = "",
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Fabriquer ce qui manque, ou la clé suivante d’un usage, ou une paire de clés pour un portail."""
    now = datetime.now(UTC)
    with _told():
        if what and what not in PURPOSES:
            _make_pair(what, settings, now)
            return
        folder, section = _folder(settings)
        if what:
            keys = key_store.make(folder, _purpose(what, section), now)
            _after_make(folder, what, keys)
            return
        done = [purpose for purpose in ALWAYS if purpose not in section and read(folder, purpose) is None]
        for purpose in done:
            _after_make(folder, purpose, key_store.make(folder, purpose, now))
    if not done:
        out.print("Rien ne manque. La clé suivante d’un usage : imagin-gateway keys make USAGE")


def _after_make(folder: Path, purpose: str, keys: tuple[HeldKey, ...]) -> None:
    made = max(keys, key=lambda each: each.made_at)
    out.print(
        f"Clé {purpose} {made.version} faite : {path_of(folder, purpose)} (lisible de son seul propriétaire).",
        markup=False,
    )
    if made.state is KeyState.NEXT:
        _published(purpose)


def _published(purpose: str) -> None:
    out.print("Elle vérifie, et ne signe pas encore. Redémarrer tous les processus, puis :")
    out.print(f"  imagin-gateway keys rotate {purpose}", markup=False)


def _make_pair(door: str, settings: Path, now: datetime) -> None:
    folder = settings.resolve().parent
    section = _portal(door, settings, key_pairs.new_names(door, folder, now))
    private, public = key_pairs.make(door, section, folder, now)
    out.print(f"Clé RSA de {key_pairs.RSA_BITS} bits et certificat de trois ans faits :", markup=False)
    out.print(f"  {private}\n  {public}", markup=False)
    for number, step in enumerate(key_pairs.steps(door, section, private, public), 1):
        out.print(f"{number}. {step.text}", markup=False)
        for line in step.lines:
            out.print(f"     {line}", markup=False)


def _portal(door: str, file: Path, pair: tuple[Path, Path]) -> SamlPortal | OidcPortal:
    """Return the section of a portal, of which the keys may be yet to be made; the rest of the file may be wrong.

    Args:
        door: its id.
        file: the settings.
        pair: of a SAML portal that names no keys: those it will have.
    """
    values = raw_values(file)
    portals = values.get("portals")
    found = {name: each for name, each in (portals if isinstance(portals, dict) else {}).items() if _has_keys(each)}
    if isinstance(service := values.get(PROCONNECT), dict):
        found[PROCONNECT] = service
    if door not in found:
        known = ", ".join(found) or "aucune"
        purposes = ", ".join(PURPOSES)
        raise KeysRefused(f"{shown(door)} n’est ni un usage ({purposes}), ni une porte à clés ({known})")
    section = found[door]
    try:
        if door == PROCONNECT:
            return ProConnect(**section)
        if section["protocol"] == "oidc":
            return OidcPortal(**section)
        if not section.keys() & {"private_key", "certificate"}:
            section = {**section, "private_key": pair[0], "certificate": pair[1]}
        return SamlPortal(**section)
    except ValidationError:
        Settings.load(file)  # says in words what is wrong
        raise


def _has_keys(section: object) -> bool:
    return isinstance(section, dict) and section.get("protocol") in ("saml", "oidc")


@app.command("rotate")
def rotate(
    purpose: Purpose,
    settings: SettingsFile = DEFAULT_FILE,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Les deux pas d’un coup : service arrêté, ou un seul processus.")
    ] = False,
) -> None:
    """Faire le pas suivant d’un remplacement : publier une clé nouvelle, puis, la fois d’après, s’en servir.

    Entre les deux pas, redémarrer tous les processus : aucun ne rencontre une signature qu’il ne sait pas vérifier.
    """
    with _told():
        folder, section = _folder(settings)
        turned, keys = key_store.rotate(folder, _purpose(purpose, section), datetime.now(UTC), at_once=at_once)
    if not turned:
        made = max(keys, key=lambda each: each.made_at)
        out.print(f"Premier pas : clé {purpose} {made.version} publiée.", markup=False)
        _published(purpose)
        return
    out.print(f"Clé {purpose} en service : {keys[-1].version}. Redémarrer tous les processus.", markup=False)
    former = [each.version for each in keys if each.state is KeyState.FORMER]
    out.print(f"Anciennes, qui vérifient encore : {', '.join(former)}. Les retirer, plus tard :", markup=False)
    out.print(f"  imagin-gateway keys retire {purpose}", markup=False)


@app.command("retire")
def retire(
    purpose: Purpose,
    version: Annotated[str, typer.Argument(help="Version ; toutes les anciennes, sinon.")] = "",
    settings: SettingsFile = DEFAULT_FILE,
    lose: Annotated[bool, typer.Option("--lose", help="Retirer même ce dont quelque chose dépend encore.")] = False,
) -> None:
    """Retirer les anciennes clés, si plus rien n’en dépend ; sinon, dire quoi, et jusqu’à quand."""
    now = datetime.now(UTC)
    with _told():
        folder, section = _folder(settings)
        keys = read(folder, _purpose(purpose, section)) or ()
        former = [each for each in keys if each.state is KeyState.FORMER and version in ("", each.version)]
        if not former:
            raise KeysRefused("aucune ancienne clé de ce nom : imagin-gateway keys list")
        held = _dependents(Settings.load(settings), purpose, former, now)
        kept = [each for each in former if not lose and any(not one.only_told for one in held[each.version])]
        for each in former:
            _show(purpose, each, held[each.version])
        gone = frozenset(each.version for each in former if each not in kept)
        if gone:
            key_store.retire(folder, purpose, gone)
            out.print(f"Retirées : {', '.join(sorted(gone))}. Redémarrer tous les processus.", markup=False)
    if kept:
        err.print(
            f"Gardées : {', '.join(each.version for each in kept)}. Pour les retirer quand même : --lose", markup=False
        )
        raise typer.Exit(EXIT_REFUSED)


def _dependents(settings: Settings, purpose: str, former: list[HeldKey], now: datetime) -> dict[str, list[Dependent]]:
    opened = open_stores(settings)
    database = Database(settings.accounts.url)
    try:
        if purpose == "factors":
            for each in former:
                again = dependents.seal_again(database, Keyring(settings.keys.factors), each.version)
                if again:
                    out.print(f"Secrets de second facteur repris sous la clé en service : {again}.", markup=False)
        return {each.version: dependents.of_key(opened, database, purpose, each, now) for each in former}
    finally:
        database.close()
        opened.close()


def _show(purpose: str, key: HeldKey, held: list[Dependent]) -> None:
    out.print(f"{purpose} {key.version}, remplacée le {_moment(key.signed_until)}", markup=False)
    for each in held:
        count = "" if each.count is None else f"{each.count} "
        until = f" (jusqu’au {_moment(each.until)})" if each.until else ""
        word = "à savoir " if each.only_told else "en dépend"
        out.print(f"  {word} : {count}{each.text}{until}", markup=False)
    if not held:
        out.print("  plus rien n’en dépend")


@app.command("adopt")
def adopt(purpose: Purpose, settings: SettingsFile = DEFAULT_FILE) -> None:
    """Prendre dans le dossier les clés écrites dans les réglages, sans en changer aucune."""
    with _told():
        folder, section = _folder(settings)
        if purpose not in PURPOSES or purpose not in section:
            raise KeysRefused(f"keys.{purpose} n’est pas écrite dans les réglages")
        held = getattr(Settings.load(settings).keys, purpose)
        keys = key_store.adopt(folder, purpose, held, datetime.now(UTC))
    out.print(
        f"{counted(len(keys), 'clé')} dans {path_of(folder, purpose)}. Enlever maintenant keys.{purpose} des réglages",
        markup=False,
    )
    names = [name for name in os.environ if name.upper() == f"IMAGIN_GATEWAY_KEYS__{purpose.upper()}"]
    out.print(
        f"et la variable {names[0]}, puis redémarrer." if names else "puis redémarrer : rien ne change pour personne.",
        markup=False,
    )
