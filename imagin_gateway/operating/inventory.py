"""What is here: functions, keys, algorithms, parameters, libraries and what remains to be feared (rows KEY-07, DPO-07).

Read from the live configuration and from the constants that the code itself uses, so
that the paper given to who approves the system tells what runs. No secret is in it.
"""

from __future__ import annotations

import math
import platform
import re
import sqlite3
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any, Final

from pydantic import BaseModel

import imagin_gateway
from imagin_gateway.cookies import cookies
from imagin_gateway.keys import MASK, Secret
from imagin_gateway.local import passwords, provisional
from imagin_gateway.operating import inventory_keys, risks
from imagin_gateway.providers.saml import vocabulary
from imagin_gateway.settings import HeaderPortal, OidcPortal, SamlPortal, Settings

# Up to the last « @ »: engines take a password that holds some, and slashes.
_CREDENTIALS: Final = re.compile(r"(?<=://).*@", re.DOTALL)
_QUERY: Final = re.compile(r"\?.*\Z", re.DOTALL)
_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?[^;]*(?:;(.*))?")

_PROTOCOLS: Final = {
    "saml": "SAML 2.0",
    "oidc": "OpenID Connect",
    "header": "en-têtes d’un mandataire déclaré",
    "link": "lien, sans fédération",
}
_MODES: Final = {"off": "fermé", "optional": "au choix de la personne", "required": "exigé de tous"}


@dataclass(frozen=True, slots=True)
class Table:
    """One part of the inventory.

    Attributes:
        id: stable, for programs.
        title: French.
        columns: French.
        rows: one text a column.
    """

    id: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def inventory(settings: Settings, now: datetime) -> tuple[Table, ...]:
    """Return every table.

    Args:
        settings: as they run.
        now: for the age and the end of keys.
    """
    return (
        Table("functions", "Fonctions", ("fonction", "état", "précision"), tuple(_functions(settings))),
        Table(
            "keys",
            "Clés et certificats",
            ("usage", "version ou empreinte", "algorithme", "taille", "depuis ou jusqu’au", "état"),
            tuple(inventory_keys.rows(settings, now)),
        ),
        Table("algorithms", "Algorithmes", ("pour", "algorithme", "source"), tuple(_algorithms(settings))),
        Table("cookies", "Cookies", ("nom", "usage", "durée", "SameSite"), tuple(_cookies(settings))),
        Table("parameters", "Paramètres", ("clé", "valeur", "origine"), tuple(_parameters(settings))),
        Table("libraries", "Bibliothèques", ("nom", "version", "pour"), tuple(_libraries())),
        Table("risks", "Risques résiduels", ("risque", "ce qui le limite"), tuple(risks.rows(settings))),
    )


def _functions(settings: Settings) -> Iterator[tuple[str, str, str]]:
    yield "adresse", settings.base_url + settings.mount_path, "développement" if settings.development else "production"
    unused = f"effacés après {settings.accounts.inactive_months} mois sans usage"
    yield "porte directe", "ouverte", f"comptes : {_engine(settings.accounts.url)}, {unused}"
    factors = settings.factors
    yield "second facteur de la porte directe", _MODES[factors.mode], factors.reason
    for door, portal in sorted(settings.portals.items()):
        state = "ouverte" if getattr(portal, "enabled", True) else "fermée"
        yield f"porte {door}", state, f"{_PROTOCOLS[portal.protocol]}{_peer(portal)}"
    service = settings.proconnect
    yield "ProConnect", "ouvert" if service is not None and service.enabled else "fermé", ""
    yield "bureau d’assistance", "ouvert" if settings.desk.enabled else "fermé", ""
    yield "sessions et compteurs", _engine(settings.state.url), f"révocation sue en {settings.sessions.lag_seconds:g} s"
    yield "courrier", settings.mail.host, settings.mail.security
    where = (settings.events.path, "sortie standard" if settings.events.stdout else "", settings.events.syslog)
    kept = f"{settings.events.retention_months} mois" + (
        f" : {settings.events.reason}" if settings.events.reason else ""
    )
    yield "événements", ", ".join(each for each in where if each), kept
    yield "mesures", "ouvertes" if settings.metrics.enabled else "fermées", ""


def _peer(portal: object) -> str:
    if isinstance(portal, SamlPortal):
        return f", {portal.portal_entity_id}"
    return f", {portal.issuer}" if isinstance(portal, OidcPortal | HeaderPortal) else ""


def _engine(url: str) -> str:
    return {"sqlite": "SQLite", "postgresql+psycopg": "PostgreSQL"}.get(scheme := url.partition("://")[0], scheme)


def _algorithms(settings: Settings) -> Iterator[tuple[str, str, str]]:
    cost = passwords.PROFILES[settings.passwords.profile]
    costs = f"{cost['memory_cost'] // 1024} Mio, t={cost['time_cost']}, p={cost['parallelism']}"
    sizes = f"sel de {passwords.SALT_BYTES * 8} bits, empreinte de {passwords.TAG_BYTES * 8} bits"
    yield "mots de passe choisis", f"Argon2id, {costs}, {sizes}", "RFC 9106"
    yield (
        "mots de passe provisoires",
        f"HMAC-SHA-256 ; {_bits(provisional.ALPHABET, provisional.SIGNS)} bits tirés au hasard",
        "RFC 2104",
    )
    yield "cookies, formulaires, liens", "HMAC-SHA-256, une clé dérivée par usage (itsdangerous)", "RFC 2104"
    yield "identifiants de session, jetons", "256 bits tirés au hasard ; SHA-256 dans la base", "ASVS 7.2.3"
    yield "secrets des seconds facteurs", "AES-256-GCM, liés au compte", "NIST SP 800-38D"
    yield "codes à usage unique", "HMAC-SHA-1, 6 chiffres, 30 s (applications du marché)", "RFC 6238"
    yield "pseudonymes des événements", "HMAC-SHA-256, 80 bits gardés", "RFC 2104"
    saml = [portal for portal in settings.portals.values() if isinstance(portal, SamlPortal)]
    if saml:
        forbidden = {method for portal in saml for method in portal.forbidden_algorithms}
        signing = {**vocabulary.RSA_METHODS, **vocabulary.ECDSA_METHODS}
        yield "signatures SAML acceptées", _short(set(signing) - forbidden), "XML Signature 1.1"
        yield "empreintes SAML acceptées", _short(set(vocabulary.DIGESTS) - forbidden), "XML Signature 1.1"
        ciphers = set(vocabulary.GCM_CIPHERS)
        if any(portal.allow_cbc for portal in saml):
            ciphers |= set(vocabulary.CBC_CIPHERS)
        yield "chiffrement SAML accepté", _short(ciphers - forbidden) + " ; clé par RSA-OAEP", "XML Encryption 1.1"
        yield "signature de nos messages SAML", "rsa-sha256", "XML Signature 1.1"
    for door, portal in sorted(settings.portals.items()):
        if isinstance(portal, OidcPortal):
            yield f"jetons acceptés de {door}", ", ".join(portal.algorithms), "RFC 7518"
    yield "TLS vers les autres", f"{_tls()} ou plus, certificats vérifiés", ssl.OPENSSL_VERSION


def _cookies(settings: Settings) -> Iterator[tuple[str, str, str, str]]:
    for cookie in cookies(settings):
        life = "le temps que le navigateur reste ouvert" if cookie.life is None else _span(cookie.life)
        yield cookie.name, cookie.purpose["fr"], life, " ou ".join(cookie.same_site)


def _span(life: timedelta) -> str:
    minutes = int(life.total_seconds()) // 60
    if minutes % (24 * 60):
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    return f"{life.days} jour{'s' if life.days > 1 else ''}"


def _bits(alphabet: str, signs: int) -> int:
    return int(signs * math.log2(len(alphabet)))


def _tls() -> str:
    return ssl.create_default_context().minimum_version.name.replace("TLSv1_", "TLS 1.")


def _short(methods: Iterable[str]) -> str:
    return ", ".join(sorted(method.rpartition("#")[2] for method in methods))


def _parameters(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Return every setting that is in force, section by section, in the order of the file's reference."""
    for key, value, default in _flat(settings, ""):
        yield key, value, "par défaut" if default else "écrit"


def _flat(section: BaseModel, before: str) -> Iterator[tuple[str, str, bool]]:
    for name in type(section).model_fields:
        value, key = getattr(section, name), before + name
        if isinstance(value, BaseModel):
            yield from _flat(value, key + ".")
        elif isinstance(value, Mapping) and any(isinstance(each, BaseModel) for each in value.values()):
            for each, inside in sorted(value.items()):
                yield from _flat(inside, f"{key}.{each}.")
        else:
            yield key, _shown(value), name not in section.model_fields_set


def _shown(value: Any) -> str:
    """Return a value as text; a secret, or what an address carries of one, is only said to be there."""
    if value is None or value == () or value == "":
        return "–"
    if isinstance(value, Secret):
        return MASK if value else "–"
    if isinstance(value, bool):
        return "oui" if value else "non"
    if isinstance(value, BaseModel):
        return ", ".join(f"{name} = {_shown(getattr(value, name))}" for name in type(value).model_fields)
    if isinstance(value, tuple | list | frozenset):
        return " ; ".join(_shown(each) for each in value)
    if isinstance(value, Mapping):
        return " ; ".join(f"{name} = {_shown(each)}" for name, each in value.items()) or "–"
    text = _CREDENTIALS.sub(f"{MASK}@", str(value))
    # Redis and PostgreSQL take a password among the options of their address, too.
    return _QUERY.sub(f"?{MASK}", text) if "://" in text and "password" in text.lower() else text


def _libraries() -> Iterator[tuple[str, str, str]]:
    yield "imagin-gateway", imagin_gateway.__version__, "la passerelle"
    yield "Python", platform.python_version(), platform.python_implementation()
    yield "OpenSSL", ssl.OPENSSL_VERSION.removeprefix("OpenSSL "), "TLS"
    yield "SQLite", sqlite3.sqlite_version, "comptes et état embarqués"
    from cryptography.hazmat.backends.openssl import backend
    from lxml import etree

    yield "OpenSSL de cryptography", backend.openssl_version_text().removeprefix("OpenSSL "), "signatures, chiffrement"
    yield "libxml2", ".".join(map(str, etree.LIBXML_VERSION)), "lecture du XML"
    for requirement in sorted(requires("imagin-gateway") or (), key=str.lower):
        found = _REQUIREMENT.match(requirement)
        if found is None:
            continue
        name, condition = found[1], found[2] or ""
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", condition)
        if (extra and extra[1] == "demo") or name == "imagin-gateway":
            continue
        try:
            yield name, version(name), f"complément {extra[1]}" if extra else "toujours"
        except PackageNotFoundError:
            continue  # an extra that is not installed does nothing here
