"""Whether a provider can be used with our settings, told in French to the operator who sets it up.

It asks what a login would ask, through the same bounded wire and the same checks, and goes on where
a login would stop, so that everything wrong is told at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final

from joserfc.jwk import RSAKey

from imagin_gateway.errors import AnswerRefused, Code, GatewayError, Unavailable
from imagin_gateway.providers.oidc import bounded, discovery, keyset
from imagin_gateway.providers.oidc.wire import MAX_URL_CHARS, Reply, Wire
from imagin_gateway.settings import OidcPortal


class Verdict(StrEnum):
    """How a finding ends: what must be mended closes the door to everybody."""

    GOOD = "bon"
    DOUBT = "à voir"
    WRONG = "à corriger"
    SILENT = "sans réponse"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at, and what was found.

    Attributes:
        bits: size of the smallest RSA key that would be used; 0 for anything else.
    """

    verdict: Verdict
    subject: str
    text: str
    bits: int = 0


MAX_WORD_CHARS: Final = 128

GOOD, DOUBT, WRONG = Verdict.GOOD, Verdict.DOUBT, Verdict.WRONG

_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_OPTIONAL: Final = (
    ("userinfo_endpoint", "les attributs doivent être dans le jeton"),
    ("end_session_endpoint", "la session du portail restera ouverte"),
)


def examine(config: OidcPortal, wire: Wire, now: datetime) -> list[Finding]:
    """Look at everything a login depends on.

    Args:
        config: section of the portal.
        wire: calls to it.
        now: the present moment.
    """
    reply = _asked(wire, discovery.address(config.issuer), Code.OIDC_DISCOVERY)
    if isinstance(reply, Finding):
        return [reply]
    found = [*_clock(reply, config, now)]
    try:
        document = reply.json(Code.OIDC_DISCOVERY)
    except AnswerRefused:
        return [*found, Finding(WRONG, "découverte", "le document n'est pas un objet JSON")]
    found += [*_issuer(document, config), *_endpoints(document, wire), *_flow(document, config)]
    found += [*_algorithms(document, config), *_keys(document, config, wire), *_extras(document, config)]
    return found


def _asked(wire: Wire, address: str, code: Code) -> Reply | Finding:
    subject = "découverte" if code is Code.OIDC_DISCOVERY else "clés"
    try:
        reply = wire.get(address, code, {"Accept": "application/json"})
    except Unavailable as error:
        told = (french for english, french in _SILENCE.items() if english in str(error))
        return Finding(Verdict.SILENT, subject, next(told, "le portail ne répond pas"))
    except GatewayError as error:
        return Finding(WRONG, subject, f"la réponse est refusée : {_FRENCH.get(str(error), str(error))}")
    if reply.status != 200:
        return Finding(WRONG, subject, f"aucun document à cette adresse ({reply.status}) : {address}")
    return reply


_SILENCE: Final = {
    bounded.TOO_LONG: "le portail ne répond pas à temps (timeout_seconds)",
    bounded.NO_ADDRESS: "le nom du portail n'a aucune adresse vue d'ici : issuer, ou le DNS",
    bounded.NOBODY: "rien n'écoute à l'adresse du portail",
    bounded.EXPIRED: "le certificat du portail n'est pas valable à ce jour",
    bounded.OTHER_HOST: "le certificat du portail est à un autre nom",
    bounded.UNKNOWN_AUTHORITY: "le certificat du portail est d'une autorité inconnue (ca_file si elle est privée)",
    bounded.CERTIFICATE: "le certificat du portail n'est pas reconnu",
    bounded.NO_TLS: "ce qui écoute à l'adresse du portail ne parle pas TLS comme nous",
    bounded.BROKEN: "la connexion au portail n'aboutit pas, ou se rompt",
    "says that it is unavailable": "le portail répond qu'il est indisponible",
}

_FRENCH: Final = {
    "the address is not one of this portal": "l'adresse n'est pas une de ce portail (other_hosts)",
    "a redirect is not followed": "une redirection n'est pas suivie",
    "the answer is encoded": "elle est compressée",
    "the answer is too large": "elle est trop grande",
}


def _clock(reply: Reply, config: OidcPortal, now: datetime) -> list[Finding]:
    try:
        theirs = parsedate_to_datetime(reply.date).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return [Finding(DOUBT, "horloge", "le portail ne dit pas l'heure qu'il est")]
    seconds = round(abs((now - theirs).total_seconds()))
    if seconds > config.leeway_seconds:
        text = f"{seconds} s d'écart avec le portail, {config.leeway_seconds} s admises : régler les horloges"
        return [Finding(WRONG, "horloge", text)]
    return [Finding(GOOD, "horloge", f"{seconds} s d'écart au plus")]


def _issuer(document: dict[str, Any], config: OidcPortal) -> list[Finding]:
    told = document.get("issuer")
    if told != config.issuer:
        text = "le portail s'appelle autrement que dans les réglages, au signe près"
        if isinstance(told, str) and told.isprintable() and len(told) <= MAX_URL_CHARS:
            text = f"{text} : {told}"
        return [Finding(WRONG, "émetteur", text)]
    return [Finding(GOOD, "émetteur", config.issuer)]


def _endpoints(document: dict[str, Any], wire: Wire) -> list[Finding]:
    found = []
    for name in _ENDPOINTS:
        if name not in document:
            found.append(Finding(WRONG, name, "le portail ne le dit pas"))
        elif not wire.allows(document[name]):
            found.append(Finding(WRONG, name, "ce n'est pas une adresse https d'un hôte permis (other_hosts)"))
        else:
            found.append(Finding(GOOD, name, str(document[name])))
    for name, consequence in _OPTIONAL:
        if name not in document:
            found.append(Finding(DOUBT, name, f"le portail n'en a pas : {consequence}"))
        elif not wire.allows(document[name]):
            found.append(Finding(WRONG, name, "ce n'est pas une adresse https d'un hôte permis (other_hosts)"))
        else:
            found.append(Finding(GOOD, name, str(document[name])))
    return found


def _listed(document: dict[str, Any], name: str, default: list[str] | None = None) -> list[str] | None:
    """Return what the portal lists, the default of the standard if it is silent, or None."""
    told = document.get(name, default)
    if not isinstance(told, list):
        return None
    # It goes to a terminal.
    return [each for each in told if isinstance(each, str) and each.isprintable() and len(each) <= MAX_WORD_CHARS]


_DEMANDS: Final = (
    # RFC 9126 §5, RFC 9101 §10.5: of every client.
    ("require_pushed_authorization_requests", "le portail ne prend que des demandes déposées d'avance (PAR)"),
    ("require_signed_request_object", "le portail ne prend que des demandes signées (JAR)"),
)
"""What we never do; a provider that demands it lets nobody in."""

_UNSAID_MODE: Final = "le portail ne dit pas qu'il répond par form_post"


def _flow(document: dict[str, Any], config: OidcPortal) -> list[Finding]:
    found = []
    if "code" not in (_listed(document, "response_types_supported", ["code"]) or []):
        found.append(Finding(WRONG, "connexion", "le portail n'offre pas le code d'autorisation"))
    methods = _listed(document, "code_challenge_methods_supported")
    if methods is None:
        found.append(Finding(DOUBT, "PKCE", "le portail n'en dit rien ; nous envoyons S256 dans tous les cas"))
    elif "S256" not in methods:
        found.append(Finding(WRONG, "PKCE", "le portail n'accepte pas S256"))
    else:
        found.append(Finding(GOOD, "PKCE", "S256"))
    found += [
        Finding(WRONG, "demande", f"{text} ; nous n'en faisons pas")
        for name, text in _DEMANDS
        if document.get(name) is True
    ]
    # Discovery 1.0 §3: silence means query and fragment.
    modes = _listed(document, "response_modes_supported", ["query", "fragment"]) or []
    if config.response_mode not in modes:
        said = "response_modes_supported" in document
        text = f"{config.response_mode} n'est pas annoncé ; le portail dit : {', '.join(modes)}"
        found.append(Finding(WRONG if said else DOUBT, "réponse", text if said else _UNSAID_MODE))
    # The same: silence means client_secret_basic.
    ways = _listed(document, "token_endpoint_auth_methods_supported", ["client_secret_basic"]) or []
    if config.client_authentication in ways:
        found.append(Finding(GOOD, "authentification du client", config.client_authentication))
    else:
        offered = ", ".join(ways) or "aucune"
        text = f"{config.client_authentication} n'est pas proposé ; le portail propose : {offered}"
        found.append(Finding(WRONG, "authentification du client", text))
    if config.client_authentication == "private_key_jwt":
        signs = _listed(document, "token_endpoint_auth_signing_alg_values_supported")
        if signs is not None and config.private_key_algorithm not in signs:
            text = f"{config.private_key_algorithm} n'est pas accepté (private_key_algorithm) ; le portail propose : "
            found.append(Finding(WRONG, "signature du client", text + ", ".join(signs)))
    if document.get("authorization_response_iss_parameter_supported") is True:
        found.append(Finding(GOOD, "paramètre iss", "annoncé, donc exigé à chaque réponse"))
    else:
        text = "le portail ne l'annonce pas ; une adresse de retour propre à la porte en tient lieu"
        found.append(Finding(DOUBT, "paramètre iss", text))
    return found


def _algorithms(document: dict[str, Any], config: OidcPortal) -> list[Finding]:
    theirs = _listed(document, "id_token_signing_alg_values_supported")
    ours = ", ".join(config.algorithms)
    if theirs is None:
        return [Finding(DOUBT, "signature", f"le portail n'en dit rien ; nous acceptons {ours}")]
    common = [each for each in config.algorithms if each in theirs]
    if not common:
        return [Finding(WRONG, "signature", f"nous acceptons {ours} ; le portail propose {', '.join(theirs)}")]
    return [Finding(GOOD, "signature", ", ".join(common))]


def _keys(document: dict[str, Any], config: OidcPortal, wire: Wire) -> list[Finding]:
    address = document.get("jwks_uri")
    if not wire.allows(address):
        return []
    reply = _asked(wire, str(address), Code.OIDC_KEYS)
    if isinstance(reply, Finding):
        return [reply]
    try:
        keys = keyset.read(reply.json(Code.OIDC_KEYS)).keys
    except AnswerRefused:
        return [Finding(WRONG, "clés", "ce n'est pas un jeu de clés")]
    fitting = [key for key in keys if any(key.fits(alg) for alg in config.algorithms)]
    if not fitting:
        text = f"aucune clé publique utilisable pour {', '.join(config.algorithms)} (RSA : 2048 bits au moins)"
        return [Finding(WRONG, "clés", text)]
    if any(_ambiguous([key for key in fitting if key.fits(alg)]) for alg in config.algorithms):
        return [Finding(WRONG, "clés", "plusieurs clés conviennent et l'une n'a pas de nom (kid)")]
    sizes = [each.key.public_key.key_size for each in fitting if isinstance(each.key, RSAKey)]
    told = f"{len(fitting)} utilisable{'s' if len(fitting) > 1 else ''}"
    return [Finding(GOOD, "clés", told, min(sizes, default=0))]


def _ambiguous(fitting: list[keyset.PublicKey]) -> bool:
    """Tell whether a token of one algorithm may name no key while several could have signed it."""
    return len(fitting) > 1 and any(key.kid is None for key in fitting)


def _extras(document: dict[str, Any], config: OidcPortal) -> list[Finding]:
    found = []
    scopes = _listed(document, "scopes_supported")
    unknown = [scope for scope in config.scopes if scopes is not None and scope not in scopes]
    if unknown:
        found.append(Finding(DOUBT, "portées", f"le portail ne les annonce pas : {', '.join(unknown)}"))
    contexts = _listed(document, "acr_values_supported")
    wanted = {*config.acr_values, *config.required_acr}
    if wanted and contexts is not None and not wanted & set(contexts):
        text = f"aucune valeur voulue n'est annoncée ; le portail dit : {', '.join(contexts)}"
        found.append(Finding(WRONG, "acr", text))
    if config.acr_values and not config.required_acr:
        text = "acr_values demande, sans rien exiger : le portail peut répondre plus faible (required_acr)"
        found.append(Finding(DOUBT, "acr", text))
    # Discovery 1.0 §3: silence means that it is not taken.
    if config.acr_values and config.acr_request == "claims" and document.get("claims_parameter_supported") is not True:
        text = "le portail n'annonce pas qu'il lit le paramètre claims : acr_values peut rester sans effet"
        found.append(Finding(DOUBT, "acr", text))
    if document.get("backchannel_logout_supported") is True:
        found.append(Finding(GOOD, "fin de session", "le portail prévient de serveur à serveur"))
    elif document.get("frontchannel_logout_supported") is True:
        text = "le portail prévient par le navigateur seul : une session finie sans lui reste ouverte ici"
        found.append(Finding(DOUBT, "fin de session", text))
    else:
        text = "le portail n'annonce pas qu'il prévient quand il termine une session"
        found.append(Finding(DOUBT, "fin de session", text))
    return found
