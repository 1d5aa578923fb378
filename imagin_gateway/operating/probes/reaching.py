"""Whether a site answers over TLS that can be believed, for how long, and what time it says it is."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2
from cryptography import x509

from imagin_gateway.operating.findings import Finding, Severity, good, warning
from imagin_gateway.operating.ground import SOON_DAYS, Ground


@dataclass(frozen=True, slots=True)
class Answer:
    """What a site answered."""

    status: int
    theirs: datetime | None
    ends: datetime | None
    body: bytes


class NoAnswer(Exception):
    """A site cannot be reached, or must not be believed.

    Attributes:
        name: the stable name of why, without its prefix.
        text, remedy: in French.
    """

    def __init__(self, name: str, text: str, remedy: str) -> None:
        super().__init__(name)
        self.name, self.text, self.remedy = name, text, remedy


_SELF_SIGNED: Final = (18, 19)
_NOT_YET, _EXPIRED = 9, 10
_OTHER_NAME: Final = (62, 63, 64)


def why(error: OSError) -> NoAnswer:
    """Say in words why a connection failed; nothing of the peer's words goes on."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code == _EXPIRED:
            return NoAnswer("certificate_expired", "son certificat a expiré", "le faire renouveler par qui l’exploite")
        if error.verify_code == _NOT_YET:
            told = "son certificat n’est pas encore valable, ou notre horloge retarde"
            return NoAnswer(
                "certificate_early", told, "vérifier l’heure de cette machine (timedatectl), puis la sienne"
            )
        if error.verify_code in _OTHER_NAME:
            return NoAnswer("certificate_name", "son certificat porte un autre nom", "vérifier le nom d’hôte écrit ici")
        if error.verify_code in _SELF_SIGNED:
            told = "son certificat est signé par lui-même ou par une autorité privée"
            return NoAnswer("certificate_self_signed", told, "ca_file = le certificat de son autorité, en PEM")
        told = "son certificat vient d’une autorité inconnue de cette machine, ou la chaîne est incomplète"
        return NoAnswer(
            "certificate_unknown", told, "ca_file = le certificat de son autorité ; ou lui faire envoyer la chaîne"
        )
    if isinstance(error, ssl.SSLError):
        return NoAnswer("tls", "la liaison TLS échoue", "TLS 1.2 ou plus récent à ce port ; vérifier le port")
    if isinstance(error, socket.gaierror):
        return NoAnswer("name", "ce nom d’hôte est inconnu du DNS", "vérifier le nom, et le DNS de cette machine")
    if isinstance(error, ConnectionRefusedError):
        return NoAnswer("refused", "personne n’écoute à ce port", "vérifier le nom et le port ; lancer le service")
    if isinstance(error, TimeoutError):
        return NoAnswer("timeout", "pas de réponse à temps", "vérifier le pare-feu, la route et le mandataire sortant")
    return NoAnswer("unreachable", f"injoignable ({type(error).__name__})", "vérifier le réseau de cette machine")


def trusted(ca_file: Path | None) -> ssl.SSLContext:
    """Return the same trust that the portals' clients have."""
    if ca_file is not None:
        return ssl.create_default_context(cafile=str(ca_file))
    return httpx2.create_ssl_context(trust_env=False)


def ask(url: str, timeout: float, ca_file: Path | None = None, host: str = "") -> Answer:
    """Ask for one page, without following anything. Raises `NoAnswer`.

    Args:
        url: https, or http in development.
        timeout: seconds, of each step.
        ca_file: authorities to believe, when not the system's.
        host: to send as Host, when not that of `url`.
    """
    parts = urlsplit(url)
    name = parts.hostname or ""
    try:
        if parts.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                name, parts.port or 443, timeout=timeout, context=trusted(ca_file)
            )
        else:
            connection = http.client.HTTPConnection(name, parts.port or 80, timeout=timeout)
        try:
            connection.connect()
            ends = end_of(connection.sock)
            headers = {"User-Agent": "imagin-gateway", **({"Host": host} if host else {})}
            connection.request("GET", parts.path or "/", headers=headers)
            answer = connection.getresponse()
            return Answer(answer.status, _date(answer.headers.get("Date", "")), ends, answer.read(65536))
        finally:
            connection.close()
    except OSError as error:
        raise why(error) from None
    except http.client.HTTPException as error:
        text = f"il ne parle pas HTTP à ce port ({type(error).__name__})"
        raise NoAnswer("unreachable", text, "vérifier le port") from None


def end_of(connected: object) -> datetime | None:
    """Return when the certificate of a TLS peer ends; None without TLS."""
    if not isinstance(connected, ssl.SSLSocket):
        return None
    der = connected.getpeercert(binary_form=True)
    return x509.load_der_x509_certificate(der).not_valid_after_utc if der else None


def _date(told: str) -> datetime | None:
    try:
        return parsedate_to_datetime(told).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def certificate(prefix: str, subject: str, ends: datetime | None, now: datetime, key: str) -> Iterator[Finding]:
    """Say when a peer's certificate ends."""
    if ends is None:
        return
    days = (ends - now).days
    if days < SOON_DAYS:
        text = f"son certificat expire le {ends:%d/%m/%Y} ({days} jour{'s' if days > 1 else ''})"
        yield warning(f"{prefix}.certificate_ending", subject, text, "le faire renouveler avant cette date", key)
    else:
        yield good(f"{prefix}.certificate", subject, f"certificat valable jusqu’au {ends:%d/%m/%Y}", key)


def clock(
    subject: str, theirs: datetime | None, ground: Ground, *, allowed: float, key: str, name: str = "clock.portal"
) -> Iterator[Finding]:
    """Compare our clock with another's.

    Args:
        subject: whose clock, in French.
        theirs: what it says; None when it says nothing.
        ground: what is looked at.
        allowed: seconds by which a login may be off.
        key: of the settings that allows them.
        name: of the finding.
    """
    from imagin_gateway.clock import SystemClock

    if theirs is None:
        return
    seconds = (SystemClock().now() - theirs).total_seconds()
    # A Date has whole seconds, and took some time to come.
    off = max(0.0, abs(seconds) - 2)
    told = f"{abs(round(seconds))} s d’écart entre notre horloge et la sienne"
    remedy = "régler l’heure de cette machine (timedatectl set-ntp true) ; si elle est juste, le dire à qui l’exploite"
    if off > allowed:
        yield Finding(name, Severity.FATAL, subject, f"{told} ; {allowed:g} s admises", remedy, key)
    elif off > allowed / 2:
        yield Finding(name, Severity.WARNING, subject, f"{told} ; {allowed:g} s admises", remedy, key)
    else:
        yield good(name, subject, told, key)
