"""One SAML identity provider behind one door: the order of the steps, and nothing else."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from imagin_gateway import settings
from imagin_gateway.errors import AnswerRefused, Code, FlowLost, GatewayError, RequestRefused, Unavailable
from imagin_gateway.exchange import Request, Response
from imagin_gateway.providers.portal import Arrival, Departure, Recall, WithoutLogout
from imagin_gateway.providers.saml import configuration, person, profile, reader, request, schema
from imagin_gateway.providers.saml.configuration import Configuration

MAX_RELAY_CHARS: Final = 2000

METADATA_TYPE: Final = "application/samlmetadata+xml"

_log = logging.getLogger(__name__)


class SamlPortalClient(WithoutLogout):
    """A portal that speaks SAML 2.0. Safe to share between threads: nothing in it changes.

    Build it with `SamlPortalClient.open`.
    """

    answer_method: str = "POST"

    def __init__(self, config: Configuration) -> None:
        self.door = config.door
        self.issuer = config.partner.entity_id
        self._config = config

    @classmethod
    def open(
        cls, door: str, config: settings.SamlPortal, *, acs_url: str, metadata_url: str, development: bool = False
    ) -> SamlPortalClient:
        """Make a portal of its settings. Reads its files; asks nothing of the network, now or later.

        Args:
            door: id of the door.
            config: its section of the settings.
            acs_url: where answers are posted; a constant.
            metadata_url: where our metadata is served; our entityID unless the settings name another.
            development: allow plain http.

        Raises:
            SettingsError: listing every problem of this section.
        """
        checked = configuration.read(door, config, acs_url=acs_url, metadata_url=metadata_url, development=development)
        schema.load()
        return cls(checked)

    def depart(self, now: datetime) -> Departure:
        """Prepare a login; see `Portal.depart`."""
        self._check_metadata_lives(now)
        config = self._config
        identifier = request.new_id()
        message = request.authn_request(config, identifier, now)
        key = config.private_key if config.section.sign_requests else None
        return Departure(
            url=request.redirect_url(config.partner.sso_url, message, key),
            correlation=identifier,
            memory={"door": self.door, "request": identifier, "acs": config.acs_url},
            cross_site_post=True,
        )

    def arrive(self, answer: Request, recall: Recall, now: datetime) -> Arrival:
        """Verify an answer and read it; see `Portal.arrive`."""
        unexpected = ""
        try:
            return self._arrive(answer, recall, now)
        except GatewayError:
            raise
        except Exception as error:
            unexpected = type(error).__name__
        # A check that breaks is a check that fails. Raised here, so that nothing of the answer hangs from it.
        _log.error("an answer of %s broke a check: %s", self.door, unexpected)
        raise AnswerRefused(Code.MALFORMED, "the answer could not be checked")

    def metadata(self, now: datetime) -> Response:
        """Return our own metadata for this portal."""
        return Response(200, request.metadata(self._config), METADATA_TYPE)

    def _arrive(self, answer: Request, recall: Recall, now: datetime) -> Arrival:
        if answer.method != "POST":
            raise RequestRefused("an answer comes by POST", code=Code.METHOD_NOT_ALLOWED)
        self._check_metadata_lives(now)
        form = answer.form
        encoded = form.get("SAMLResponse", "")
        if not encoded:
            raise RequestRefused("the form carries no answer", code=Code.MALFORMED)
        config = self._config
        verified = reader.read(
            encoded,
            issuer=self.issuer,
            keys=config.partner.keys,
            require_signed=config.section.require_signed,
        )
        expected = profile.Expected(
            issuer=self.issuer,
            audience=config.entity_id,
            acs_url=config.acs_url,
            now=now,
            skew=timedelta(seconds=config.section.clock_skew_seconds),
        )
        accepted = profile.check(verified.envelope, verified.assertion, expected)
        self._check_journey(accepted.in_response_to, recall)
        relay = form.get("RelayState", "")
        return person.arrival(
            config.section,
            verified.assertion,
            accepted,
            relay=relay if len(relay) <= MAX_RELAY_CHARS else "",
            return_hosts=(urlsplit(config.partner.sso_url).hostname or "", *config.section.return_hosts),
        )

    def _check_journey(self, in_response_to: str | None, recall: Recall) -> None:
        """Profiles §4.1.4.3, §4.1.5: it answers our request to this very portal, or nobody asked and that is allowed.

        Raises:
            AnswerRefused: `UNSOLICITED`, `ROUTE_MISMATCH`, `SAML_IN_RESPONSE_TO`.
            FlowLost: no such request, or it left from another browser.
        """
        if in_response_to is None:
            if not self._config.section.unsolicited:
                raise AnswerRefused(Code.UNSOLICITED, "nobody asked for this answer")
            return
        memory = recall(in_response_to)
        if not {"door", "request", "acs"} <= memory.keys():
            raise FlowLost("the journey is not one of this protocol")
        if memory["door"] != self.door:
            raise AnswerRefused(Code.ROUTE_MISMATCH, "the login began towards another portal")
        if memory["request"] != in_response_to or memory["acs"] != self._config.acs_url:
            raise AnswerRefused(Code.SAML_IN_RESPONSE_TO, "the answer is not to the request that was kept")

    def _check_metadata_lives(self, now: datetime) -> None:
        """Metadata §2.3.2: past `validUntil`, its keys and addresses are not to be used."""
        valid_until = self._config.partner.valid_until
        if valid_until is not None and now >= valid_until:
            raise Unavailable("the metadata of the portal has expired", code=Code.PORTAL_UNAVAILABLE, retry_after=3600)
