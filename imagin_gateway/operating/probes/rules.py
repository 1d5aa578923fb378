"""What the host wrote beside the settings (rules, texts, templates), and what must be installed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from importlib.util import find_spec
from typing import Final

from imagin_gateway.errors import GatewayError, SettingsError
from imagin_gateway.extras import how_to_install
from imagin_gateway.identity import Door
from imagin_gateway.keys import Secret
from imagin_gateway.opening import open_admission, open_policy
from imagin_gateway.operating.findings import Finding, fatal, good, unknown, warning
from imagin_gateway.operating.ground import Ground
from imagin_gateway.policy.needs import Need
from imagin_gateway.providers.attributes import SPELLINGS
from imagin_gateway.settings import LinkPortal

DOOR: Final = "door.is"
"""Name of the findings that say what each door is."""

_FACTORS: Final = ("pyotp", "segno", "webauthn")


def policy(ground: Ground) -> Iterator[Finding]:
    """The table is proved, and the host's own admission rules fit it."""
    settings = ground.settings
    try:
        table = open_policy(settings)
    except (GatewayError, OSError) as error:
        text = "la table est refusée : " + _first_lines(error)
        yield fatal(
            "policy.refused", "table des règles", text, f"imagin-gateway policy check {settings.policy}", "policy"
        )
        return
    doors = f"{len(table.doors)} porte{'s' if len(table.doors) > 1 else ''}"
    yield good("policy.proved", "table des règles", f"{doors}, prouvée", "policy")
    try:
        admission = open_admission(settings, table)
    except (GatewayError, OSError) as error:
        text = "les règles d’admission sont refusées : " + _first_lines(error)
        yield fatal("admission.refused", "règles d’admission", text, f"corriger {settings.admission}", "admission")
    else:
        for rule in admission.rules:
            yield from _never_met(f"admission {rule.id}", rule.needs, {*SPELLINGS, "email"})
        for helpers in admission.helpers:
            yield from _never_met(f"assistance {helpers.id}", helpers.needs, {*SPELLINGS, "email", "subject"})
    for door, portal in settings.portals.items():
        if door not in table.doors or door == Door.DIRECT:
            names = ", ".join(sorted(set(table.doors) - {Door.DIRECT}))
            text = "aucune porte de la table ne porte ce nom"
            yield fatal("portal.no_door", f"porte {door}", text, f"une de : {names}", f"portals.{door}")
        elif not portal.enabled:
            text = "fermée par enabled = false : ses sessions ne sont plus reconnues"
            yield good("portal.closed", f"porte {door}", text, f"portals.{door}.enabled")
    for known in table.doors.values():
        section = settings.portals.get(known.id)
        if {f"portals.{known.id}", "portals"} & ground.broken:
            text = "pas vérifiée : ses réglages sont à corriger d’abord"
            yield unknown("door.not_checked", f"porte {known.id}", text, "corriger, puis relancer")
            continue
        if section is None or isinstance(section, LinkPortal):
            how = "comptes de la passerelle" if known.id == Door.DIRECT else f"lien vers {known.link}"
        else:
            told = getattr(section, "portal_entity_id", "") or getattr(section, "issuer", "")
            how = f"{section.protocol}, {told}" if section.enabled else "fermée"
        yield good(DOOR, f"porte {known.id}", how)


def _never_met(rule: str, needs: Iterable[Need], known: Collection[str]) -> Iterator[Finding]:
    """What no portal tells, so that nobody meets the rule."""
    for need in needs:
        if need.attribute not in known:
            names = ", ".join(sorted(known))
            text = f"aucun portail ne dit « {need.attribute} » : personne ne remplit cette règle"
            yield fatal("admission.never_met", rule, text, f"un de : {names}", "admission")
        elif need.test in ("departement", "academie") and need.attribute != "rne":
            text = f"« {need.attribute} » n’est pas le code d’un établissement : personne ne remplit cette règle"
            yield fatal("admission.never_met", rule, text, f"rne = {{ {need.test} = [...] }}", "admission")


def _first_lines(error: Exception) -> str:
    return " ; ".join(line.strip() for line in str(error).splitlines()[:6])[:400]


def pages(ground: Ground) -> Iterator[Finding]:
    """The host's templates, texts, style and logo can be used."""
    from imagin_gateway.pages.render import Pages

    appearance = ground.settings.appearance
    if not any(getattr(appearance, name) for name in type(appearance).model_fields):
        return
    try:
        Pages(ground.settings)
    except SettingsError as error:
        for problem in error.problems:
            remedy = problem.remedy or "docs/pages.md"
            yield fatal(problem.id or "appearance.refused", "pages", problem.message, remedy, problem.key)
    else:
        yield good("appearance.usable", "pages", "gabarits, textes, style et logo sont utilisables", "appearance")


def second_factor(ground: Ground) -> Iterator[Finding]:
    """The libraries of the second factor are there when it is asked for."""
    if not ground.settings.factors.on:
        return
    lacking = [name for name in _FACTORS if find_spec(name) is None]
    if lacking:
        text = f"il manque : {', '.join(lacking)}"
        remedy = 'pip install "imagin-gateway[second-factor]"'
        yield fatal("second_factor.libraries", "second facteur", text, remedy, "second_factor.mode")
    else:
        yield good("second_factor.libraries", "second facteur", "bibliothèques présentes", "second_factor.mode")


def figures(ground: Ground) -> Iterator[Finding]:
    """The libraries of the figures and of the traces are there when they are asked for: without them nothing starts."""
    asked = ground.settings.metrics
    wanted = (("enabled", asked.enabled, "prometheus_client"), ("traces", asked.traces, "opentelemetry"))
    for name, on, module in wanted:
        key = f"metrics.{name}"
        if on and find_spec(module) is None:
            text, remedy = f"il manque : {module}", f"{how_to_install('metrics')}, ou {name} = false"
            yield fatal("metrics.libraries", "mesures", text, remedy, key)
        elif on:
            yield good("metrics.libraries", "mesures", f"{module} est là", key)


def passwords(ground: Ground) -> Iterator[Finding]:
    """The list of breached passwords can be searched."""
    from imagin_gateway.local.breached import BreachedList

    listed = ground.settings.passwords.breached_list
    if listed is None:
        return
    try:
        BreachedList(listed).holds(Secret("motdepasse"))
    except SettingsError as error:
        for problem in error.problems:
            yield fatal("passwords.breached_list", "mots de passe connus", problem.message, problem.remedy, problem.key)
    except OSError:
        text = f"{listed} ne peut pas être lu"
        yield fatal(
            "passwords.breached_list",
            "mots de passe connus",
            text,
            "vérifier le chemin et les droits",
            "passwords.breached_list",
        )
    else:
        yield good("passwords.breached_list", "mots de passe connus", f"{listed}", "passwords.breached_list")


def mode(ground: Ground) -> Iterator[Finding]:
    """What is allowed in development only, and what is decided on purpose."""
    settings = ground.settings
    if settings.development:
        text = "mode développement : cookies sans Secure, http accepté ; jamais devant de vrais comptes"
        yield warning("mode.development", "réglages", text, "development = false", "development")
    if not settings.factors.on and not settings.development:
        text = f"aucun second facteur, par choix écrit : {settings.factors.reason[:120]}"
        yield good("second_factor.off", "second facteur", text, "second_factor.reason")
