"""Trusted headers: the portal's agent stands in front of the application and tells who somebody is.

Nothing signs a header, so everything hangs on who brings it. It is believed on one path
alone, from a proxy that is declared by its address *and* proves itself by a secret or a
certificate, and only when nobody else can have added to what the proxy wrote: a name
that stands twice, or with underscores, or a single value that holds a comma, ends it.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from imagin_gateway.errors import AnswerRefused, Code, FlowLost, Problem, RequestRefused, SettingsError
from imagin_gateway.exchange import Request, Response
from imagin_gateway.keys import new_token
from imagin_gateway.providers import scopes
from imagin_gateway.providers.attributes import MAX_VALUE_CHARS, MAX_VALUES, SPELLINGS, map_attributes
from imagin_gateway.providers.attributes import subject as subject_of
from imagin_gateway.providers.portal import ENTRY, Arrival, Departure, Recall, WithoutLogout
from imagin_gateway.settings.header import UNIX, HeaderPortal

SEVERAL: Final = frozenset({"FrEduRne", "FrEduRneResp", "FrEduResDel", "FrEduGestResp"})
"""Attributes of several values, joined by commas; in any other a comma is a second value, and nobody's."""

MAX_CORRELATION_CHARS: Final = 64


class HeaderPortalClient(WithoutLogout):
    """A portal that speaks by request headers. Safe to share between threads.

    Args:
        door: id of the door.
        config: its section of the settings.
        entry_url: absolute address of the one page behind the agent; a constant of the configuration.
        entry_path: its path as our own pages see it.
    """

    answer_method: str = ENTRY
    method: str = "header"

    def __init__(self, door: str, config: HeaderPortal, *, entry_url: str, entry_path: str) -> None:
        self.door = door
        self.issuer = config.issuer
        self._config = config
        self._entry_url = entry_url
        self._entry_path = entry_path
        self._networks = [ipaddress.ip_network(each) for each in config.proxies if each != UNIX]
        self._by_socket = UNIX in config.proxies
        self._names = _names(config)

    @classmethod
    def open(cls, door: str, config: HeaderPortal, *, entry_url: str, entry_path: str) -> HeaderPortalClient:
        """Make a portal of its settings. Raises `SettingsError` listing every problem of this section."""
        if problems := _problems(door, config):
            raise SettingsError(problems)
        return cls(door, config, entry_url=entry_url, entry_path=entry_path)

    def depart(self, now: datetime, *, anew: bool = False) -> Departure:
        """Send the person to the page behind the agent, which asks them to log in; see `Portal.depart`.

        The journey is named in the path: agents are known to lose a query on the way round. An agent cannot be asked
        to check anybody anew; what it tells is never a recent proof.
        """
        correlation = new_token()
        return Departure(
            url=f"{self._entry_url}/{correlation}",
            correlation=correlation,
            memory={"door": self.door, "issuer": self.issuer},
            cross_site_post=False,
        )

    def arrive(self, answer: Request, recall: Recall, now: datetime) -> Arrival:
        """Read who the agent says is there; see `Portal.arrive`. Nothing of it is read before the proxy is known."""
        if answer.method != "GET":
            raise RequestRefused("people enter by GET", code=Code.METHOD_NOT_ALLOWED)
        correlation = self._correlation(answer.path)
        check_peer(answer, self._networks, by_socket=self._by_socket)
        check_proof(answer, self._config)
        check_names(answer, self._names, self._config)
        raw = self._read(answer.headers)
        if correlation:
            memory = recall(correlation)
            if memory.get("door") != self.door or memory.get("issuer") != self.issuer:
                raise FlowLost("the journey is not one of this portal")
        elif not self._config.unsolicited:
            raise AnswerRefused(Code.UNSOLICITED, "the journey did not begin here")
        return self._arrival(raw, now, solicited=bool(correlation))

    def metadata(self, now: datetime) -> Response | None:
        """Return None: headers need no metadata."""
        return None

    def _correlation(self, path: str) -> str:
        """Return the journey named in the path, "" for a link inside the portal."""
        below = path.removeprefix(self._entry_path)
        if below == path or not (below == "" or below.startswith("/")) or len(below) > MAX_CORRELATION_CHARS:
            raise RequestRefused("headers are read on the entry path alone", code=Code.NOT_FOUND)
        return below.removeprefix("/")

    def _read(self, headers: Mapping[str, str]) -> dict[str, list[str]]:
        """Return the values of each attribute, decoded; a blank or an absent one is no value."""
        raw: dict[str, list[str]] = {}
        several = self._several()
        for name, header in self._names.items():
            value = headers.get(header, "")
            check_length(value)
            told = decoded(value, self._config.charset)
            values = [part.strip() for part in told.split(",")] if name.lower() in several else [told.strip()]
            if len(values) > MAX_VALUES:
                raise AnswerRefused(Code.HEADER_TOO_LONG, "an attribute has too many values")
            if name.lower() not in several and "," in told:
                raise AnswerRefused(Code.HEADER_AMBIGUOUS, "an attribute of one value has two")
            raw[name] = [value for value in values if value]
        return raw

    def _several(self) -> frozenset[str]:
        """Return the names of several values, in lower case: the settings may write one in any case."""
        told = {other for name in SEVERAL for other in (name, *self._config.attributes.get(name, ()))}
        return frozenset(map(str.lower, told))

    def _arrival(self, raw: Mapping[str, list[str]], now: datetime, *, solicited: bool) -> Arrival:
        config = self._config
        check_somebody(raw.get(config.subject_attribute, []))
        mapped = map_attributes(raw, names=config.attributes, return_hosts=config.return_hosts)
        subject = subject_of(raw, config.subject_attribute)
        if not subject:
            missing = (config.subject_attribute,)
            raise AnswerRefused(Code.ATTRIBUTE_MISSING, "nothing tells this person apart", missing=missing)
        if lacking := mapped.missing(config.required_attributes):
            raise AnswerRefused(Code.ATTRIBUTE_MISSING, "a required attribute is missing", missing=lacking)
        scopes.check(config, mapped, subject)
        return Arrival(
            issuer=self.issuer,
            subject=subject,
            method="header",
            authenticated_at=now,
            family_name=mapped.family_name,
            given_name=mapped.given_name,
            email=mapped.email,
            attributes=mapped.attributes,
            solicited=solicited,
        )


def _names(config: HeaderPortal) -> dict[str, str]:
    """Return the header of each attribute that is read: ARENA's own names, and those the configuration adds."""
    more = [name for group in config.attributes.values() for name in group]
    names = (*SPELLINGS, *more, config.subject_attribute, *config.required_attributes)
    return {name: config.prefix + name.lower() for name in names}


def _problems(door: str, config: HeaderPortal) -> list[Problem]:
    found = scopes.problems(f"portals.{door}", config)
    usual = {name.lower() for name in SPELLINGS}
    if not config.prefix and not {name.lower() for name in _names(config)} <= usual:
        # Only the names of ARENA, and those that begin with X-Imagin-, never reach the host application.
        message = "un en-tête d'un autre nom que ceux d'ARENA n'est pas retiré devant l'application"
        found.append(Problem(f"portals.{door}.prefix", message, '"X-Imagin-Agent-"'))
    return found


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def check_peer(answer: Request, networks: list[_Network], *, by_socket: bool) -> None:
    """Believe the declared machines alone: the one connected to us, not the one a header speaks of."""
    if not answer.peer:
        known = by_socket
    else:
        address = ipaddress.ip_address(answer.peer)
        mapped = getattr(address, "ipv4_mapped", None)
        known = any((mapped or address) in network for network in networks)
    if not known:
        raise AnswerRefused(Code.HEADER_PEER, "the machine that connects is not a declared proxy")


def check_proof(answer: Request, config: HeaderPortal) -> None:
    """Believe a proxy that proves itself: an address alone can be shared, or taken. What is configured is required."""
    if config.secrets:
        shown = answer.headers.get(config.secret_header, "").encode("latin-1", "replace")
        # Every one is compared, so that the time does not tell which.
        fits = [hmac.compare_digest(shown, secret.reveal().encode()) for secret in config.secrets]
        if not any(fits):
            raise AnswerRefused(Code.HEADER_SECRET, "the proxy does not show the secret")
    if config.certificates:
        fits = [hmac.compare_digest(answer.certificate, known) for known in config.certificates]
        if not any(fits):
            raise AnswerRefused(Code.HEADER_SECRET, "the proxy does not show the certificate")
    if not config.secrets and not config.certificates:
        raise AnswerRefused(Code.HEADER_SECRET, "nothing would prove the proxy")


def check_names(answer: Request, names: Mapping[str, str], config: HeaderPortal) -> None:
    """Believe names that came once, written as they are: what stands twice was written by two.

    A server that folds underscores into hyphens hides who wrote what; WSGI has no way to
    tell, so there the operator must have made sure that the server drops such names.
    """
    if answer.doubtful is None:
        if not config.wsgi_server_drops_underscores:
            raise AnswerRefused(Code.HEADER_AMBIGUOUS, "the server does not tell how names were written")
        return
    if answer.doubtful & {*names.values(), config.secret_header}:
        raise AnswerRefused(Code.HEADER_AMBIGUOUS, "a header stands twice, or with underscores")


def check_length(value: str) -> None:
    """Refuse what is longer than any honest value, before it is read."""
    if len(value) > MAX_VALUE_CHARS:
        raise AnswerRefused(Code.HEADER_TOO_LONG, "a header is too long")


def decoded(value: str, charset: str) -> str:
    """Return a header's text: HTTP carries bytes, read as latin-1 until somebody knows better (RFC 9110 §5.5)."""
    text: str | None
    try:
        text = value.encode("latin-1").decode(charset)
    except UnicodeError:
        text = None
    # Raised here, so that the value does not hang from the error.
    if text is None:
        raise AnswerRefused(Code.HEADER_CHARSET, "a header is not in the charset of the configuration")
    return text


def check_somebody(values: list[str]) -> None:
    """An empty subject means that the agent authenticated nobody; so does the `X` that stands for no value."""
    if not values or values == ["X"]:
        raise AnswerRefused(Code.HEADER_EMPTY, "the agent authenticated nobody")
