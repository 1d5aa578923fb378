"""One OpenID provider behind one door: the order of the steps, and nothing else.

The order is part of the security: state, then issuer, then error, then code; the
signature before the claims, every claim before anything is asked with the tokens.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import httpx2

from imagin_gateway import settings
from imagin_gateway.errors import AnswerRefused, Code, FlowLost, RequestRefused, Unavailable
from imagin_gateway.exchange import Params, Request, Response
from imagin_gateway.keys import Secret, new_token
from imagin_gateway.providers.guard import guarded
from imagin_gateway.providers.oidc import (
    checkup,
    configuration,
    discovery,
    hint,
    initiation,
    keyset,
    logout,
    request,
    userinfo,
)
from imagin_gateway.providers.oidc.assertion import AssertionSigner
from imagin_gateway.providers.oidc.bounded import BoundedTransport
from imagin_gateway.providers.oidc.claims import Expected, IdToken, check_id_token
from imagin_gateway.providers.oidc.kept import Background, Kept, in_a_thread
from imagin_gateway.providers.oidc.person import arrival
from imagin_gateway.providers.oidc.signed import LOGOUT_TYPES, PLAIN_TYPES, Verifier
from imagin_gateway.providers.oidc.wire import Wire
from imagin_gateway.providers.portal import (
    SHOWN,
    Arrival,
    Departure,
    Initiation,
    LogoutOrder,
    LogoutWay,
    Memory,
    PortalSession,
    Recall,
)

MAX_STATE_CHARS: Final = 256

UNAVAILABLE: Final = frozenset({"server_error", "temporarily_unavailable"})
"""Errors that stand for 500 and 503, which no redirect can tell (RFC 6749 §4.1.2.1): an outage, and nobody refused."""


class OidcPortal:
    """A portal that speaks OpenID Connect. Safe to share between threads.

    Build it with `OidcPortal.open`.
    """

    def __init__(
        self,
        door: str,
        config: settings.OidcPortal,
        registration: request.Registration,
        wire: Wire,
        monotonic: Callable[[], float],
        background: Background,
        logout_uri: str,
    ) -> None:
        self.door = door
        self._logout_uri = logout_uri
        self.method = "oidc"
        self.answer_method = "POST" if config.response_mode == "form_post" else "GET"
        self.issuer = config.issuer
        self._document = discovery.address(config.issuer)
        self._config = config
        self._registration = registration
        self._wire = wire
        self._monotonic = monotonic
        patience = config.timeout_seconds
        self._discovery = Kept(
            lambda _: discovery.fetch(wire, config.issuer),
            life=discovery.LIFE,
            patience=patience,
            background=background,
        )
        keys = Kept(
            lambda address: keyset.fetch(wire, address), life=keyset.LIFE, patience=patience, background=background
        )
        self._verifier = Verifier(config.algorithms, keys)

    @classmethod
    def open(
        cls,
        door: str,
        config: settings.OidcPortal,
        *,
        redirect_uri: str,
        logout_uri: str = "",
        development: bool,
        transport: httpx2.BaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        background: Background = in_a_thread,
    ) -> OidcPortal:
        """Make a portal of its settings. Nothing is asked of the provider yet: it may be down.

        Args:
            door: id of the door.
            config: its section of the settings.
            redirect_uri: where the provider sends the person back; a constant.
            logout_uri: where it sends them back after a logout, another; without it nobody leaves to log out there.
            development: allow plain http towards this machine.
            transport: what sends requests; by default one that bounds every exchange
                by `timeout_seconds` and believes the system's authorities, or those of `ca_file`.
            monotonic: measures what an answer takes, in seconds.
            background: runs what nobody waits for.

        Raises:
            SettingsError: listing every problem of this section.
        """
        configuration.check(door, config, redirect_uri=redirect_uri, development=development)
        context = configuration.trust(door, config)
        signer = None
        if config.client_authentication == "private_key_jwt" and config.private_key is not None:
            signer = AssertionSigner.read(
                door, config.private_key, config.private_key_algorithm, config.other_private_keys
            )
        wire = Wire(
            configuration.hosts(config),
            plain_loopback=development,
            timeout=config.timeout_seconds,
            transport=transport or BoundedTransport(config.timeout_seconds, ssl_context=context),
        )
        registration = request.Registration(
            client_id=config.client_id,
            client_secret=config.client_secret or Secret(""),
            authentication=config.client_authentication,
            redirect_uri=redirect_uri,
            scopes=config.scopes,
            signer=signer,
            more=request.asked_for(config),
        )
        return cls(door, config, registration, wire, monotonic, background, logout_uri)

    def depart(self, now: datetime, *, anew: bool = False, login_hint: str = "") -> Departure:
        """Prepare a login; see `Portal.depart`.

        Args:
            now: the present moment.
            anew: the provider is to check the credentials again (Core §3.1.2.1 `prompt`, `max_age`).
            login_hint: as the provider gave it, when it began the login.

        Raises:
            Unavailable: the provider's discovery document cannot be had.
            AnswerRefused: that document is refused (`OIDC_DISCOVERY`).
        """
        provider = self._provider(now)
        ticket = request.Ticket.new()
        return Departure(
            url=request.authorization_url(
                provider.authorization_endpoint, self._registration, ticket, login_hint, anew=anew
            ),
            correlation=ticket.state,
            memory={
                "door": self.door,
                "issuer": self.issuer,
                "nonce": ticket.nonce,
                "verifier": ticket.verifier,
                **({"anew_since": now.isoformat()} if anew else {}),
            },
            cross_site_post=self.answer_method == "POST",
        )

    def arrive(self, answer: Request, recall: Recall, now: datetime) -> Arrival:
        """Verify an answer and read it; see `Portal.arrive`."""
        return guarded(self.door, lambda: self._arrive(answer, recall, now))

    def initiated(self, asked: Params) -> Initiation:
        """Read a login that the provider begins; see `InitiatedPortal.initiated` (Core §4)."""
        if not self._config.unsolicited:
            raise AnswerRefused(Code.UNSOLICITED, "this portal may not begin a login")
        return initiation.read(asked, self.issuer)

    def metadata(self, now: datetime) -> Response | None:
        """Return our key set when we sign our assertions, for the portal's administrator; else None."""
        signer = self._registration.signer
        if signer is None:
            return None
        return Response(200, json.dumps(signer.published()).encode(), "application/jwk-set+json")

    def depart_logout(self, session: PortalSession, now: datetime) -> Departure | None:
        """Prepare a logout at the provider; see `Portal.depart_logout` (RP-Initiated Logout 1.0 §2).

        Without the ID token the provider is told which client asks, and may ask the person to confirm.
        """
        if not (self._config.single_logout and self._logout_uri):
            return None
        token = "" if self._config.logout_id_token == "never" else session.logout_hint
        if self._config.logout_id_token == "required" and not token:
            return None
        endpoint = self._provider(now).end_session_endpoint
        if endpoint is None:
            return None
        state = new_token()
        url = logout.end_session_url(
            endpoint,
            client_id=self._config.client_id,
            hint=token,
            back=self._logout_uri,
            state=state,
        )
        memory = {"door": self.door, "id_token": SHOWN if token else ""}
        return Departure(url=url, correlation=state, memory=memory, cross_site_post=False)

    def logout_returned(self, answer: Request, recall: Recall, now: datetime) -> None:
        """Take the browser back after a logout at the provider; see `Portal.logout_returned`."""
        if answer.method != "GET":
            raise RequestRefused("an answer of this portal comes by GET", code=Code.METHOD_NOT_ALLOWED)
        query = answer.query
        recall(_state(query))
        logout.check_returned(query)

    def logout_asked(self, message: Request, way: LogoutWay, now: datetime) -> LogoutOrder | None:
        """Verify a logout that the provider asks for; see `Portal.logout_asked`."""
        if way is LogoutWay.BROWSER:
            return None
        if not self._config.single_logout:
            raise RequestRefused("this portal asks for no logout here", code=Code.NOT_FOUND)
        return guarded(self.door, lambda: self._ordered(message, way, now))

    def _ordered(self, message: Request, way: LogoutWay, now: datetime) -> LogoutOrder:
        if way is LogoutWay.FRAME:
            return logout.front_channel_order(self.issuer, message.query)
        early = self._config.logout_tokens == "early"
        types = LOGOUT_TYPES | PLAIN_TYPES if early else LOGOUT_TYPES
        token = logout.token_of(message)
        jwks_uri = self._provider(now).jwks_uri
        signed = self._verifier.verify(token, jwks_uri, now, Code.OIDC_LOGOUT_TOKEN, types)
        leeway = timedelta(seconds=self._config.leeway_seconds)
        expected = logout.ExpectedLogout(
            issuer=self.issuer, client_id=self._config.client_id, now=now, leeway=leeway, must_end=not early
        )
        return logout.back_channel_order(self.issuer, logout.check_logout_token(signed.claims, expected), leeway)

    def check_up(self, now: datetime) -> list[checkup.Finding]:
        """Ask the provider whether it can be used with these settings; for the operator, not for logins."""
        return checkup.examine(self._config, self._wire, now)

    def close(self) -> None:
        """Close the connections to the provider."""
        self._wire.close()

    def _arrive(self, answer: Request, recall: Recall, now: datetime) -> Arrival:
        began = self._monotonic()
        if answer.method != self.answer_method:
            raise RequestRefused("an answer of this portal comes otherwise", code=Code.METHOD_NOT_ALLOWED)
        query = answer.form if self.answer_method == "POST" else answer.query
        memory = self._recalled(query, recall)
        provider = self._answering(query, now)
        _check_no_error(query)
        code = request.check_code(query.get("code"))
        tokens = request.redeem(self._wire, provider.token_endpoint, self._registration, code, memory["verifier"], now)
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
            contexts=self._config.required_acr,
            methods=self._config.required_amr,
            recency=_recency(self._config.max_age_seconds, memory.get("anew_since", ""), moment),
        )
        id_token: IdToken = check_id_token(signed.claims, signed.alg, tokens.access_token.reveal(), expected)
        told = userinfo.ask(self._wire, self._verifier, provider, tokens.access_token, id_token.subject, expected)
        arrived = arrival(self._config, id_token, userinfo.about_the_person(signed.claims, told))
        return replace(arrived, logout_hint=hint.to_keep(self._config, tokens.id_token.reveal(), signed, arrived))

    def _recalled(self, query: Params, recall: Recall) -> Memory:
        """RFC 9700 §2.1, §4.7: the state first, once; and §4.4: of a login that went to this very provider."""
        memory = recall(_state(query))
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
        return self._discovery.get(self._document, now)


def _state(query: Params) -> str:
    state = query.get("state", "")
    if not state or len(state) > MAX_STATE_CHARS:
        raise AnswerRefused(Code.OIDC_STATE, "the answer holds no state")
    return state


def _recency(configured: int | None, anew_since: str, now: datetime) -> timedelta | None:
    """Return how long ago the credentials may have been checked: by the settings, and since we asked anew."""
    limits = [limit for limit in (_seconds(configured),) if limit is not None]
    if anew_since:
        limits.append(now - datetime.fromisoformat(anew_since))
    return min(limits, default=None)


def _seconds(number: int | None) -> timedelta | None:
    return None if number is None else timedelta(seconds=number)


def _check_no_error(query: Params) -> None:
    """Core 1.0 §3.1.2.6: the portal says no. Its description is text from outside: not kept."""
    if query.get("error") in UNAVAILABLE:
        raise Unavailable("the portal says that it is unavailable", code=Code.PORTAL_UNAVAILABLE)
    if "error" in query:
        raise AnswerRefused(
            Code.PORTAL_REFUSED, "the portal refused the login", statuses=request.told_error(query["error"])
        )
