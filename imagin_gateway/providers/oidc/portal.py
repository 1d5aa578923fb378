"""One OpenID provider behind one door: the order of the steps, and nothing else.

The order is part of the security: state, then issuer, then error, then code; the
signature before the claims, every claim before anything is asked with the tokens.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import httpx2

from imagin_gateway import settings
from imagin_gateway.errors import AnswerRefused, Code, FlowLost, GatewayError, RequestRefused
from imagin_gateway.exchange import Params, Request, Response
from imagin_gateway.providers.oidc import configuration, discovery, keyset, request, userinfo
from imagin_gateway.providers.oidc.bounded import BoundedTransport
from imagin_gateway.providers.oidc.claims import Expected, IdToken, check_id_token
from imagin_gateway.providers.oidc.kept import Kept
from imagin_gateway.providers.oidc.person import arrival
from imagin_gateway.providers.oidc.signed import Verifier
from imagin_gateway.providers.oidc.wire import Wire
from imagin_gateway.providers.portal import Arrival, Departure, Memory, Recall, WithoutLogout

MAX_STATE_CHARS: Final = 256

_log = logging.getLogger(__name__)


class OidcPortal(WithoutLogout):
    """A portal that speaks OpenID Connect. Safe to share between threads.

    Build it with `OidcPortal.open`.
    """

    answer_method: str = "GET"

    def __init__(
        self,
        door: str,
        config: settings.OidcPortal,
        registration: request.Registration,
        wire: Wire,
        monotonic: Callable[[], float],
    ) -> None:
        self.door = door
        self.issuer = config.issuer
        self._config = config
        self._registration = registration
        self._wire = wire
        self._monotonic = monotonic
        patience = config.timeout_seconds
        self._discovery = Kept(lambda _: discovery.fetch(wire, config.issuer), life=discovery.LIFE, patience=patience)
        keys = Kept(lambda address: keyset.fetch(wire, address), life=keyset.LIFE, patience=patience)
        self._verifier = Verifier(config.algorithms, keys)

    @classmethod
    def open(
        cls,
        door: str,
        config: settings.OidcPortal,
        *,
        redirect_uri: str,
        development: bool,
        transport: httpx2.BaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> OidcPortal:
        """Make a portal of its settings. Nothing is asked of the provider yet: it may be down.

        Args:
            door: id of the door.
            config: its section of the settings.
            redirect_uri: where the provider sends the person back; a constant.
            development: allow plain http towards this machine.
            transport: what sends requests; by default one that bounds every exchange
                by `timeout_seconds` and believes the system's authorities, or those of `ca_file`.
            monotonic: measures what an answer takes, in seconds.

        Raises:
            SettingsError: listing every problem of this section.
        """
        configuration.check(door, config, redirect_uri=redirect_uri, development=development)
        context = configuration.trust(door, config)
        wire = Wire(
            configuration.hosts(config),
            plain_loopback=development,
            timeout=config.timeout_seconds,
            transport=transport or BoundedTransport(config.timeout_seconds, ssl_context=context),
        )
        registration = request.Registration(
            client_id=config.client_id,
            client_secret=config.client_secret,
            authentication=config.client_authentication,
            redirect_uri=redirect_uri,
            scopes=config.scopes,
        )
        return cls(door, config, registration, wire, monotonic)

    def depart(self, now: datetime) -> Departure:
        """Prepare a login; see `Portal.depart`.

        Raises:
            Unavailable: the provider's discovery document cannot be had.
            AnswerRefused: that document is refused (`OIDC_DISCOVERY`).
        """
        provider = self._provider(now)
        ticket = request.Ticket.new()
        return Departure(
            url=request.authorization_url(provider.authorization_endpoint, self._registration, ticket),
            correlation=ticket.state,
            memory={"door": self.door, "issuer": self.issuer, "nonce": ticket.nonce, "verifier": ticket.verifier},
            cross_site_post=False,
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

    def metadata(self, now: datetime) -> Response | None:
        """Return None: a client of OpenID Connect publishes nothing here."""
        return None

    def close(self) -> None:
        """Close the connections to the provider."""
        self._wire.close()

    def _arrive(self, answer: Request, recall: Recall, now: datetime) -> Arrival:
        began = self._monotonic()
        if answer.method != "GET":
            raise RequestRefused("an answer comes by GET", code=Code.METHOD_NOT_ALLOWED)
        query = answer.query
        memory = self._recalled(query, recall)
        provider = self._answering(query, now)
        _check_no_error(query)
        code = request.check_code(query.get("code"))
        tokens = request.redeem(self._wire, provider.token_endpoint, self._registration, code, memory["verifier"])
        # The tokens are younger than `now`, by what it took to have them.
        moment = now + timedelta(seconds=self._monotonic() - began)
        signed = self._verifier.verify(tokens.id_token.reveal(), provider.jwks_uri, moment, Code.OIDC_TOKEN_RESPONSE)
        expected = Expected(
            issuer=self.issuer,
            client_id=self._config.client_id,
            nonce=memory["nonce"],
            now=moment,
            leeway=timedelta(seconds=self._config.leeway_seconds),
            max_age=timedelta(seconds=self._config.token_age_seconds),
        )
        id_token: IdToken = check_id_token(signed.claims, signed.alg, tokens.access_token.reveal(), expected)
        told = userinfo.ask(self._wire, self._verifier, provider, tokens.access_token, id_token.subject, expected)
        return arrival(self._config, id_token, userinfo.about_the_person(signed.claims, told))

    def _recalled(self, query: Params, recall: Recall) -> Memory:
        """RFC 9700 §2.1, §4.7: the state first, once; and §4.4: of a login that went to this very provider."""
        state = query.get("state", "")
        if not state or len(state) > MAX_STATE_CHARS:
            raise AnswerRefused(Code.OIDC_STATE, "the answer holds no state")
        memory = recall(state)
        if not {"door", "issuer", "nonce", "verifier"} <= memory.keys():
            raise FlowLost("the journey is not one of this protocol")
        if memory["door"] != self.door or memory["issuer"] != self.issuer:
            raise AnswerRefused(Code.ROUTE_MISMATCH, "the login began towards another portal")
        return memory

    def _answering(self, query: Params, now: datetime) -> discovery.Provider:
        """RFC 9207 §2.4: who answers is who was asked, by plain comparison; and says so when it announces to."""
        told = query.get("iss")
        if told is not None and told != self.issuer:
            raise AnswerRefused(Code.OIDC_ISSUER, "the answer is of another issuer")
        provider = self._provider(now)
        if told is None and provider.says_issuer:
            raise AnswerRefused(Code.OIDC_ISSUER, "the answer does not say of which issuer it is")
        return provider

    def _provider(self, now: datetime) -> discovery.Provider:
        return self._discovery.get(discovery.address(self.issuer), now)


def _check_no_error(query: Params) -> None:
    """Core 1.0 §3.1.2.6: the portal says no. Its description is text from outside: not kept."""
    if "error" in query:
        raise AnswerRefused(
            Code.PORTAL_REFUSED, "the portal refused the login", statuses=request.told_error(query["error"])
        )
