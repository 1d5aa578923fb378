"""Each portal: its metadata or discovery, its keys and their ends, its site and its clock; and our own keys for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from imagin_gateway.errors import SettingsError
from imagin_gateway.opening import open_portal, saml_surroundings
from imagin_gateway.operating.findings import Finding, fatal, good, warning
from imagin_gateway.operating.ground import SOON_DAYS, Ground, Probe
from imagin_gateway.operating.probes.reaching import NoAnswer, ask, certificate, clock
from imagin_gateway.providers import arena
from imagin_gateway.settings import HeaderPortal, OidcPortal, SamlPortal
from imagin_gateway.settings.proconnect import PROCONNECT

if TYPE_CHECKING:
    from imagin_gateway.providers.saml.configuration import Configuration
    from imagin_gateway.providers.saml.partner import Partner

RSA_2048_UNTIL: Final = datetime(2030, 12, 31, tzinfo=UTC)
"""Last day of RSA keys of less than 3072 bits (ANSSI, Guide des mécanismes cryptographiques, on factoring)."""

_SLUGS: Final = {
    "découverte": "discovery",
    "horloge": "clock",
    "émetteur": "issuer",
    "connexion": "flow",
    "PKCE": "pkce",
    "authentification du client": "client_authentication",
    "paramètre iss": "iss",
    "signature": "algorithms",
    "clés": "keys",
    "portées": "scopes",
    "acr": "acr",
    "fin de session": "logout",
}


def probes(ground: Ground) -> Iterator[Probe]:
    """Return the looks at each portal that is open."""
    settings = ground.settings
    named: list[tuple[str, str, Any]] = [(f"portals.{door}", door, each) for door, each in settings.portals.items()]
    if settings.proconnect is not None:
        named.append((PROCONNECT, PROCONNECT, settings.proconnect))
    for key, door, section in named:
        if not section.enabled:
            continue
        subject = f"porte {door}"
        reads = frozenset({key, "base_url"})
        if isinstance(section, SamlPortal):
            yield Probe("saml", subject, partial(_saml, door=door, key=key), reads)
            yield Probe(
                "saml", f"{subject}, sur le réseau", partial(_saml_live, door=door, key=key), reads, remote=True
            )
        elif isinstance(section, OidcPortal):
            yield Probe("oidc", subject, partial(_settings, door=door, key=key), reads)
            yield Probe(
                "oidc", f"{subject}, sur le réseau", partial(_oidc_live, door=door, key=key), reads, remote=True
            )
        elif isinstance(section, HeaderPortal):
            yield Probe("header", subject, partial(_settings, door=door, key=key), reads)


def _section(ground: Ground, door: str) -> Any:
    section = ground.settings.proconnect if door == PROCONNECT else ground.settings.portals[door]
    if section is None:
        raise LookupError(door)
    return arena.settle(door, section)  # type: ignore[type-var]  # never a link: see `probes`


def _told(error: SettingsError, subject: str, key: str, prefix: str) -> Iterator[Finding]:
    for problem in error.problems:
        told = (
            key + problem.key.removeprefix(f"portals.{key.removeprefix('portals.')}")
            if problem.key.startswith("portals.")
            else problem.key
        )
        yield fatal(problem.id or f"{prefix}.settings", subject, problem.message, problem.remedy or "docs", told)


def _settings(ground: Ground, *, door: str, key: str) -> Iterator[Finding]:
    """The section can be opened as the gateway does."""
    section = _section(ground, door)
    protocol = "header" if isinstance(section, HeaderPortal) else "oidc"
    subject = f"porte {door}"
    try:
        portal = open_portal(ground.settings, door, section)
    except SettingsError as error:
        yield from _told(error, subject, key, protocol)
        return
    getattr(portal, "close", lambda: None)()
    yield good(f"{protocol}.settings", subject, f"{protocol}, {portal.issuer}", key)
    if isinstance(section, OidcPortal) and section.private_key is not None:
        yield from _own_private(section.private_key, subject, f"{key}.private_key")
        for other in section.other_private_keys:
            yield from _own_private(other, subject, f"{key}.other_private_keys")


def _own_private(path: Path, subject: str, key: str) -> Iterator[Finding]:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    loaded = load_pem_private_key(path.read_bytes(), password=None)
    if isinstance(loaded, RSAPrivateKey) and loaded.key_size < 3072:
        yield _ageing("oidc.own_key_2048", subject, f"notre clé RSA compte {loaded.key_size} bits", key, ours=True)


def _ageing(name: str, subject: str, what: str, key: str, *, ours: bool) -> Finding:
    until = f"{RSA_2048_UNTIL:%d/%m/%Y}"
    remedy = (
        f"imagin-gateway keys make {subject.removeprefix('porte ')} avant le {until}"
        if ours
        else f"demander au portail une clé de 3072 bits avant le {until}"
    )
    return warning(name, subject, f"{what} : suffisant jusqu’au {until}, plus après", remedy, key)


# -- SAML ----------------------------------------------------------------------


def _configuration(ground: Ground, door: str) -> Configuration:
    from imagin_gateway.providers.saml import configuration

    section = _section(ground, door)
    return configuration.read(door, section, **saml_surroundings(ground.settings, door, section))


def _saml(ground: Ground, *, door: str, key: str) -> Iterator[Finding]:
    """Our keys for this portal, and its metadata as it stands on this machine."""
    subject = f"porte {door}"
    try:
        config = _configuration(ground, door)
    except SettingsError as error:
        yield from _told(error, subject, key, "saml")
        section = _section(ground, door)
        if section.metadata is not None:
            yield from _file(ground, section.metadata, section, None, subject, f"{key}.metadata")
        return
    section = config.section
    for position, (private, ours) in enumerate(zip(config.private_keys, config.certificates, strict=True)):
        at = f"{key}.private_key" if position == 0 else f"{key}.other_private_keys"
        if private.key_size < 3072:
            yield _ageing("saml.own_key_2048", subject, f"notre clé RSA compte {private.key_size} bits", at, ours=True)
        yield from _own_end(
            ours.not_valid_after_utc, ground.now, subject, at.replace("private_key", "certificate"), door
        )
    kept = section.metadata or section.metadata_copy
    if kept is not None and (section.metadata is not None or kept.is_file()):
        where = f"{key}.metadata" if section.metadata is not None else f"{key}.metadata_copy"
        yield from _file(ground, kept, section, config, subject, where)
    elif kept is not None:
        text = "aucune copie des métadonnées encore : la porte reste fermée jusqu’à leur premier téléchargement"
        yield warning(
            "saml.metadata_no_copy", subject, text, f"imagin-gateway saml check {door}", f"{key}.metadata_copy"
        )


def _own_end(ends: datetime, now: datetime, subject: str, key: str, door: str) -> Iterator[Finding]:
    """A portal may refuse a certificate of ours that is over, though it only carries a key."""
    remedy = f"imagin-gateway keys make {door}, puis donner nos nouvelles métadonnées au portail"
    if ends <= now:
        yield warning(
            "saml.own_certificate_expired", subject, f"notre certificat a expiré le {ends:%d/%m/%Y}", remedy, key
        )
    elif ends <= now + timedelta(days=SOON_DAYS):
        yield warning(
            "saml.own_certificate_ending", subject, f"notre certificat expire le {ends:%d/%m/%Y}", remedy, key
        )
    else:
        yield good("saml.own_certificate", subject, f"notre certificat vaut jusqu’au {ends:%d/%m/%Y}", key)


def _file(
    ground: Ground, path: Path, section: SamlPortal, config: Configuration | None, subject: str, key: str
) -> Iterator[Finding]:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        yield fatal(
            "saml.metadata_missing", subject, f"{path} n’existe pas", "le fichier XML des métadonnées du portail", key
        )
        return
    except OSError:
        yield fatal("saml.metadata_unreadable", subject, f"{path} ne peut pas être lu", "vérifier les droits", key)
        return
    yield from _metadata(ground, raw, section, config, subject, key)


def _metadata(
    ground: Ground, raw: bytes, section: SamlPortal, config: Configuration | None, subject: str, key: str
) -> Iterator[Finding]:
    """What a metadata document says, its keys first: a refused key has a name of its own."""
    from imagin_gateway.errors import AnswerRefused
    from imagin_gateway.providers.saml import documents, examination

    door = subject.removeprefix("porte ")
    found = examination.examine(
        raw,
        section.portal_entity_id,
        key=config.metadata_key if config is not None else None,
        longest=timedelta(days=section.metadata_max_days),
        development=ground.settings.development,
        now=ground.now,
    )
    weak = False
    try:
        root = documents.parse(raw, documents.METADATA)
    except AnswerRefused:
        root = None
    if root is not None:
        for finding in _keys(examination.keys_in(root, section.portal_entity_id), ground.now, subject, key):
            weak = weak or finding.id == "saml.portal_key_weak"
            yield finding
    for message, remedy in found.problems:
        if weak and "trop faible" in message:
            continue
        yield fatal(_METADATA.get(message, "saml.metadata_refused"), subject, message, _named(remedy, door), key)
    for message in found.warnings:
        if "certificat" not in message:
            name = "saml.metadata_ending" if "expirent" in message else "saml.metadata_odd"
            yield warning(name, subject, message, f"imagin-gateway saml check {door}", key)
    if not found.problems:
        yield good("saml.metadata", subject, f"saml, {section.portal_entity_id}", key)


_METADATA: Final = {
    "les métadonnées ont expiré": "saml.metadata_expired",
    "les métadonnées ne sont pas signées": "saml.metadata_not_signed",
    "l’entité portal_entity_id n’y figure pas": "saml.metadata_entity",
}


def _named(remedy: str, door: str) -> str:
    return f"portals.{door}.{remedy}" if remedy in ("metadata_certificate", "metadata_max_days") else remedy


def _keys(found: Sequence[Any], now: datetime, subject: str, key: str) -> Iterator[Finding]:
    for each in found:
        if each.use == "encryption":
            continue
        if each.family == "RSA" and each.bits < 2048:
            text = f"une clé de signature du portail ne compte que {each.bits} bits : elle est refusée"
            yield fatal("saml.portal_key_weak", subject, text, "demander au portail une clé RSA de 3072 bits", key)
        elif each.family == "RSA" and each.bits < 3072:
            what = f"la clé de signature du portail compte {each.bits} bits"
            yield _ageing("saml.portal_key_2048", subject, what, key, ours=False)
        if each.ends is not None and each.ends <= now:
            text = f"un certificat du portail a expiré le {each.ends:%d/%m/%Y} ; sa clé sert encore"
            yield warning(
                "saml.portal_certificate_expired", subject, text, "demander au portail ses métadonnées du jour", key
            )
        elif each.ends is not None and each.ends <= now + timedelta(days=SOON_DAYS):
            text = f"un certificat du portail expire le {each.ends:%d/%m/%Y} : il va sans doute changer de clé"
            yield warning(
                "saml.portal_certificate_ending", subject, text, "demander au portail la date du changement", key
            )


def _saml_live(ground: Ground, *, door: str, key: str) -> Iterator[Finding]:
    """The metadata at its address, the site people are sent to, and its clock."""
    from imagin_gateway.providers.saml import documents, partner
    from imagin_gateway.providers.saml.fetch import fetch

    subject = f"porte {door}"
    try:
        config = _configuration(ground, door)
    except SettingsError:
        return  # told by the look at the files
    section = config.section
    raw = b""
    if section.metadata_url:
        try:
            raw = fetch(section.metadata_url, documents.METADATA.size, seconds=ground.timeout * 2)
        except OSError:
            yield from _unreached("saml.metadata_", section.metadata_url, subject, f"{key}.metadata_url", ground, None)
        else:
            yield from _metadata(ground, raw, section, config, subject, f"{key}.metadata_url")
    elif section.metadata is not None and section.metadata.is_file():
        raw = section.metadata.read_bytes()
    portal: Partner | None = None
    try:
        portal = partner.read(raw, section.portal_entity_id, development=ground.settings.development) if raw else None
    except partner.MetadataRefused:
        return
    if portal is None:
        return
    try:
        answer = ask(portal.sso_url, ground.timeout)
    except NoAnswer as error:
        told = f"{portal.sso_url.partition('?')[0]} : {error.text}"
        remedy = "le dire au portail ; si seuls les navigateurs l’atteignent, c’est sans conséquence"
        yield warning(f"saml.{error.name}", subject, told, remedy, key)
        return
    yield from certificate("saml", subject, answer.ends, ground.now, key)
    skew = float(section.clock_skew_seconds)
    yield from clock(
        f"horloge de la porte {door}", answer.theirs, ground, allowed=skew, key=f"{key}.clock_skew_seconds"
    )


def _unreached(prefix: str, url: str, subject: str, key: str, ground: Ground, ca: Path | None) -> Iterator[Finding]:
    """Say why an address of a portal gave nothing."""
    try:
        answer = ask(url, ground.timeout, ca)
    except NoAnswer as error:
        yield fatal(f"{prefix}{error.name}", subject, f"{url} : {error.text}", error.remedy, key)
    else:
        text = f"{url} répond {answer.status}, ou trop, ou compressé"
        yield fatal(f"{prefix}unreadable", subject, text, "vérifier l’adresse avec le portail", key)


# -- OpenID Connect ------------------------------------------------------------


def _oidc_live(ground: Ground, *, door: str, key: str) -> Iterator[Finding]:
    """Ask what a login would ask."""
    from imagin_gateway.clock import SystemClock
    from imagin_gateway.providers.oidc import discovery
    from imagin_gateway.providers.oidc.checkup import Verdict

    section: OidcPortal = _section(ground, door)
    subject = f"porte {door}"
    try:
        portal = open_portal(ground.settings, door, section)
    except SettingsError:
        return  # told by the look at the settings
    try:
        found = portal.check_up(SystemClock().now())  # type: ignore[attr-defined]  # an OIDC client: see `probes`
    finally:
        portal.close()  # type: ignore[attr-defined]  # as above
    for each in found:
        name = "oidc." + _SLUGS.get(each.subject, each.subject.lower())
        at = {"horloge": f"{key}.leeway_seconds", "signature": f"{key}.algorithms"}.get(each.subject, f"{key}.issuer")
        told = f"{each.subject} : {each.text}"
        if each.verdict is Verdict.SILENT:
            yield from _unreached("oidc.", discovery.address(section.issuer), subject, at, ground, section.ca_file)
        elif each.verdict is Verdict.WRONG:
            if name == "oidc.clock":
                name = "clock.portal"
            yield fatal(name, subject, told, _REMEDIES.get(name, f"imagin-gateway oidc check {door}"), at)
        elif each.verdict is Verdict.DOUBT:
            # What a provider merely does not announce keeps nobody out.
            yield good(name, subject, told, at)
        else:
            yield good(name, subject, told, at)
        bits = getattr(each, "bits", 0)
        if bits and bits < 3072:
            yield _ageing("oidc.portal_key_2048", subject, f"une clé du portail compte {bits} bits", at, ours=False)
    if any(each.verdict is Verdict.SILENT for each in found):
        return
    try:
        answer = ask(discovery.address(section.issuer), ground.timeout, section.ca_file)
    except NoAnswer:
        return
    yield from certificate("oidc", subject, answer.ends, ground.now, key)


_REMEDIES: Final = {
    "clock.portal": "timedatectl set-ntp true sur cette machine ; si elle est à l’heure, le dire au portail",
    "oidc.issuer": "issuer, tel que le portail l’écrit dans sa découverte, au signe près",
    "oidc.keys": "demander au portail une clé RSA de 2048 bits ou plus, ou changer algorithms",
    "oidc.discovery": "vérifier issuer : la découverte est à issuer + /.well-known/openid-configuration",
    "oidc.algorithms": "algorithms = ceux que le portail propose",
    "oidc.client_authentication": "client_authentication = une façon que le portail propose",
    "oidc.acr": "acr_values et required_acr : des valeurs que le portail annonce",
}
