"""One SAML identity provider behind one door: the order of the steps, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from imagin_gateway import settings
from imagin_gateway.errors import (
    AnswerRefused,
    Code,
    FlowLost,
    Problem,
    RequestRefused,
    SettingsError,
    Unavailable,
)
from imagin_gateway.exchange import Request, Response, see_other
from imagin_gateway.providers.guard import guarded
from imagin_gateway.providers.portal import (
    Arrival,
    Departure,
    LogoutOrder,
    LogoutWay,
    Memory,
    PortalSession,
    PostedForm,
    Recall,
)
from imagin_gateway.providers.saml import bindings, configuration, logout, own_metadata, person, profile, reader, schema
from imagin_gateway.providers.saml import request as requests
from imagin_gateway.providers.saml.configuration import About, Addresses, Configuration
from imagin_gateway.providers.saml.fetch import fetch
from imagin_gateway.providers.saml.name_id import NameId
from imagin_gateway.providers.saml.partner import Logout, Partner
from imagin_gateway.providers.saml.reading import Assertion
from imagin_gateway.providers.saml.source import Fetch, Report, Source, file_problems
from imagin_gateway.providers.saml.steps import Begin, silently

MAX_RELAY_CHARS: Final = 2000

METADATA_TYPE: Final = "application/samlmetadata+xml"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Read:
    """An answer that passed every rule, and the portal as it was then."""

    partner: Partner
    assertion: Assertion
    accepted: profile.Accepted


class SamlPortalClient:
    """A portal that speaks SAML 2.0. Safe to share between threads: only its metadata is ever replaced, at once.

    Build it with `SamlPortalClient.open`.
    """

    answer_method: str = "POST"
    method: str = "saml"

    def __init__(self, config: Configuration, source: Source) -> None:
        self.door = config.door
        self.issuer = config.section.portal_entity_id
        self.source = source
        self._config = config

    @classmethod
    def open(
        cls,
        door: str,
        config: settings.SamlPortal,
        *,
        addresses: Addresses,
        about: About,
        development: bool = False,
        fetch: Fetch = fetch,
        now: datetime | None = None,
    ) -> SamlPortalClient:
        """Make a portal of its settings. Reads its files, and its metadata from where that is.

        Args:
            door: id of the door.
            config: its section of the settings.
            addresses: ours, constants; that of our metadata is our entityID unless the settings name another.
            about: what our metadata tells people.
            development: allow plain http.
            fetch: reads an address; for metadata alone.
            now: the present moment.

        Raises:
            SettingsError: listing every problem of this section.
        """
        try:
            checked = configuration.read(door, config, addresses=addresses, about=about, development=development)
        except SettingsError as error:
            more = file_problems(door, config, development=development)
            raise SettingsError([*error.problems, *more]) from None
        schema.load()
        if config.allow_cbc:
            _log.warning("%s: AES-CBC is allowed; it hides, and protects nothing of what it hides", door)
        source = Source(checked, fetch)
        source.open(now or datetime.now(UTC))
        if source.current is not None and source.current.wants_signed_requests and not config.sign_requests:
            problem = "ce portail exige des demandes signées"
            raise SettingsError([Problem(f"portals.{door}.sign_requests", problem, "sign_requests = true")])
        return cls(checked, source)

    def start(self, now: Callable[[], datetime], report: Report) -> None:
        """Renew the metadata in the background, in this process."""
        self.source.start(now, report)

    def close(self) -> None:
        """Stop what `start` started."""
        self.source.close()

    def metadata(self, now: datetime) -> Response:
        """Return our own metadata for this portal."""
        return Response(200, own_metadata.write(self._config), METADATA_TYPE)

    # -- login ---------------------------------------------------------------

    def depart(self, now: datetime, *, anew: bool = False) -> Departure:
        """Prepare a login; see `Portal.depart`."""
        config, partner = self._config, self._partner(now)
        identifier = requests.new_id()
        message = requests.authn_request(config, partner, identifier, now, anew=anew)
        signs = config.section.sign_requests or partner.wants_signed_requests
        return Departure(
            url=requests.redirect_url(partner.sso_url, message, config.private_key if signs else None),
            correlation=identifier,
            memory={
                "door": self.door,
                "request": identifier,
                "acs": config.addresses.acs,
                **({"anew_since": now.isoformat()} if anew else {}),
            },
            cross_site_post=True,
        )

    def arrive(self, answer: Request, recall: Recall, now: datetime) -> Arrival:
        """Verify an answer and read it; see `Portal.arrive`."""
        return guarded(self.door, lambda: self._arrive(answer, recall, now))

    def _arrive(self, answer: Request, recall: Recall, now: datetime) -> Arrival:
        if answer.method != "POST":
            raise RequestRefused("an answer comes by POST", code=Code.METHOD_NOT_ALLOWED)
        form = answer.form
        encoded = form.get("SAMLResponse", "")
        if not encoded:
            raise RequestRefused("the form carries no answer", code=Code.MALFORMED)
        read = self.read(encoded, now)
        memory = self._check_journey(read.accepted.in_response_to, recall)
        profile.check_asked_anew(read.accepted.authentication.at, memory.get("anew_since", ""), self._config.skew)
        relay = form.get("RelayState", "")
        return self.person(read, relay=relay if len(relay) <= MAX_RELAY_CHARS else "")

    def read(self, encoded: str, now: datetime, begin: Begin = silently) -> Read:
        """Verify an answer and hold it to every rule, whoever it is an answer to.

        Args:
            encoded: the field `SAMLResponse`.
            now: the present moment.
            begin: told as each step begins.

        Raises:
            AnswerRefused: with the code of the first step that refuses.
            Unavailable: the portal has no metadata to verify with.
        """
        config, partner = self._config, self._partner(now)
        verified = reader.read(
            encoded,
            issuer=self.issuer,
            keys=partner.keys,
            require_signed=config.section.require_signed,
            decryption_keys=config.decryption_keys,
            forbidden=config.section.forbidden_algorithms,
            begin=begin,
        )
        expected = profile.Expected(
            issuer=self.issuer,
            audience=config.entity_id,
            acs_url=config.addresses.acs,
            now=now,
            skew=config.skew,
            contexts=config.section.authn_contexts,
        )
        accepted = profile.check(verified.envelope, verified.assertion, expected, begin)
        return Read(partner, verified.assertion, accepted)

    def person(self, read: Read, *, relay: str = "") -> Arrival:
        """Return what an answer that passed every rule proves of somebody.

        Raises:
            AnswerRefused: `ATTRIBUTE_MISSING`, `SCOPE_VIOLATION`.
        """
        section = self._config.section
        return person.arrival(
            section,
            read.assertion,
            read.accepted,
            relay=relay,
            return_hosts=(urlsplit(read.partner.sso_url).hostname or "", *section.return_hosts),
            help_url=read.partner.error_url,
        )

    def _check_journey(self, in_response_to: str | None, recall: Recall) -> Memory:
        """Profiles §4.1.4.3, §4.1.5: it answers our request to this very portal, or nobody asked and that is allowed.

        Raises:
            AnswerRefused: `UNSOLICITED`, `ROUTE_MISMATCH`, `SAML_IN_RESPONSE_TO`.
            FlowLost: no such request, or it left from another browser.
        """
        if in_response_to is None:
            if not self._config.section.unsolicited:
                raise AnswerRefused(Code.UNSOLICITED, "nobody asked for this answer")
            return {}
        memory = self._recalled(recall, in_response_to, {"door", "request", "acs"})
        if memory["request"] != in_response_to or memory["acs"] != self._config.addresses.acs:
            raise AnswerRefused(Code.SAML_IN_RESPONSE_TO, "the answer is not to the request that was kept")
        return memory

    # -- logout --------------------------------------------------------------

    def depart_logout(self, session: PortalSession, now: datetime) -> Departure | None:
        """Prepare a logout at the portal; see `Portal.depart_logout`."""
        config, name = self._config, NameId.read(session.name_id)
        if not config.section.single_logout or name is None:
            return None
        partner = self._partner(now)
        if partner.logout is None or not partner.logout.url:
            return None
        identifier = requests.new_id()
        message = requests.logout_request(config, partner.logout.url, name, session.portal_session, identifier, now)
        return Departure(
            url=requests.redirect_url(partner.logout.url, message, config.private_key),
            correlation=identifier,
            memory={"door": self.door, "logout": identifier},
            cross_site_post=True,
        )

    def logout_asked(self, message: Request, way: LogoutWay, now: datetime) -> LogoutOrder | None:
        """Verify a logout the portal asks for, by redirect or by POST; see `Portal.logout_asked`."""
        if way is not LogoutWay.BROWSER or not self._config.section.single_logout:
            raise RequestRefused("this portal asks for no logout here", code=Code.NOT_FOUND)
        return guarded(self.door, lambda: self._asked(message, now))

    def _asked(self, message: Request, now: datetime) -> LogoutOrder | None:
        if bindings.carries(message) == "SAMLResponse":
            return None
        config, partner = self._config, self._partner(now)
        destination = partner.logout
        if destination is None:
            raise AnswerRefused(Code.ROUTE_MISMATCH, "the portal's metadata knows of no logout")
        proved = bindings.proved(message, "LogoutRequest", partner.keys, config.section.forbidden_algorithms)
        order = logout.order(proved.root, config.decryption_keys, self._expected(now))
        return LogoutOrder(
            issuer=self.issuer,
            name_ids=order.name.spellings(self.issuer, config.entity_id),
            portal_sessions=order.sessions,
            message_id=order.id,
            message_ends_at=order.ends_at,
            done=lambda whole: self._answer(destination, order.id, proved.relay, whole, now),
        )

    def _answer(self, to: Logout, request_id: str, relay: str, whole: bool, now: datetime) -> Response | PostedForm:
        config = self._config
        message = requests.logout_response(config, request_id, to.answer_url, whole, now)
        if not to.answer_by_post:
            return see_other(
                requests.redirect_url(to.answer_url, message, config.private_key, name="SAMLResponse", relay=relay)
            )
        fields = {"SAMLResponse": requests.signed_form(message, config)}
        return PostedForm(to.answer_url, {**fields, "RelayState": relay} if relay else fields)

    def logout_returned(self, answer: Request, recall: Recall, now: datetime) -> None:
        """Verify that the portal has ended its session; see `Portal.logout_returned`."""
        guarded(self.door, lambda: self._returned(answer, recall, now))

    def _returned(self, answer: Request, recall: Recall, now: datetime) -> None:
        forbidden = self._config.section.forbidden_algorithms
        root = bindings.proved(answer, "LogoutResponse", self._partner(now).keys, forbidden).root
        memory = self._recalled(recall, root.get("InResponseTo", ""), {"door", "logout"})
        logout.answer(root, memory["logout"], self._expected(now))

    def _expected(self, now: datetime) -> logout.Expected:
        config = self._config
        return logout.Expected(issuer=self.issuer, address=config.addresses.logout, now=now, skew=config.skew)

    # -- both ----------------------------------------------------------------

    def _recalled(self, recall: Recall, correlation: str, fields: set[str]) -> dict[str, str]:
        memory = dict(recall(correlation))
        if not fields <= memory.keys():
            raise FlowLost("the journey is not one of this protocol")
        if memory["door"] != self.door:
            raise AnswerRefused(Code.ROUTE_MISMATCH, "the journey began towards another portal")
        return memory

    def _partner(self, now: datetime) -> Partner:
        """Metadata §2.3.2: past `validUntil`, its keys and addresses are not to be used."""
        partner = self.source.current
        if partner is None:
            raise Unavailable("the portal has no metadata yet", code=Code.PORTAL_UNAVAILABLE, retry_after=60)
        if partner.valid_until is not None and now >= partner.valid_until:
            raise Unavailable("the metadata of the portal has expired", code=Code.PORTAL_UNAVAILABLE, retry_after=3600)
        return partner
