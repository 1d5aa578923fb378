"""What every portal offers to the journeys, whatever its protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol, runtime_checkable

from imagin_gateway.errors import Code, RequestRefused
from imagin_gateway.exchange import Params, Request, Response

Memory = Mapping[str, str]
"""What a portal asked us to keep on our side while the person is away."""

Recall = Callable[[str], Memory]
"""Give back the memory kept under a correlation id, once, to the browser that left with it.

Raises `FlowLost` when it is unknown, too old, already used, or of another browser.
"""


ENTRY: Final = "ENTRY"
"""Stands for the method of an answer when a portal gives none: its agent tells who is there on the entry page."""


SHOWN: Final = "shown"
"""What the memory of a logout holds as `id_token` when the portal is shown one; "" when it is not."""


@dataclass(frozen=True, slots=True)
class Departure:
    """A person leaves for the portal.

    Attributes:
        url: where the browser goes; always at the configured portal.
        correlation: what the answer will name (ID of the AuthnRequest, state).
        memory: what `arrive` must find again, kept on our side only.
        cross_site_post: the answer comes as a cross-site POST, where a Lax cookie is not sent.
    """

    url: str = field(repr=False)
    correlation: str = field(repr=False)
    memory: Memory = field(repr=False)
    cross_site_post: bool


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Arrival:
    """What a portal proved about one person. Made of verified content only.

    Attributes:
        issuer: entityID or issuer, equal to the configured one.
        subject: value of the configured subject attribute, or `sub`.
        attributes: mapped attributes (`providers.attributes`), each a tuple of values.
        authenticated_at: when the portal checked the credentials, or else when it vouched for the person.
        proved_at: when it checked the credentials, if it tells.
        ends_at: when the portal wants the session over, if it says so.
        portal_session: sid or SessionIndex, for logout.
        name_id: NameID as received, for logout.
        logout_hint: what the portal wants back when the person logs out (the ID token); kept on our side only.
        message_id: id that must not be seen twice; "" when the protocol itself is one-use.
        message_ends_at: until when `message_id` must be remembered.
        solicited: the person left from our side; False for a link inside the portal.
    """

    issuer: str
    subject: str
    method: str
    authenticated_at: datetime
    proved_at: datetime | None = None
    family_name: str = ""
    given_name: str = ""
    email: str = ""
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    acr: str | None = None
    amr: tuple[str, ...] = ()
    ends_at: datetime | None = None
    portal_session: str = ""
    name_id: str = ""
    logout_hint: str = ""
    message_id: str = ""
    message_ends_at: datetime | None = None
    solicited: bool = True
    relay: str = ""
    """RelayState of an unsolicited answer: a landing page asked for, to be checked against the allow-list."""
    restart: bool = False
    """Opens nothing: the portal is asked again, from this browser, towards `relay`."""

    def __repr__(self) -> str:
        return f"Arrival(issuer={self.issuer!r}, method={self.method!r}, solicited={self.solicited})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PortalSession:
    """What a session of ours remembers of the portal that opened it: enough to log out there too.

    Attributes:
        issuer, subject: of the person.
        portal_session, name_id, logout_hint: as the `Arrival` told them.
    """

    issuer: str
    subject: str
    portal_session: str = ""
    name_id: str = ""
    logout_hint: str = ""

    def __repr__(self) -> str:
        return f"PortalSession(issuer={self.issuer!r})"


class LogoutWay(StrEnum):
    """By which of our addresses a portal speaks of a logout."""

    BROWSER = "browser"
    """``/portail/{door}/fin``: the browser comes along, with cookies or, inside a frame, without."""
    CHANNEL = "channel"
    """``/portail/{door}/fin/canal``: from server to server, no browser."""
    FRAME = "frame"
    """``/portail/{door}/fin/cadre``: a frame in the portal's own page; no cookie can be counted on."""


@dataclass(frozen=True, slots=True)
class PostedForm:
    """An answer that the browser carries to the portal by POST: a page with a button."""

    action: str
    fields: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LogoutOrder:
    """A logout that a portal asked for, verified. Names at least one of subject, name_ids and portal_sessions.

    Attributes:
        issuer: the portal's, equal to the configured one.
        subject: every session of this person at that issuer, unless `portal_sessions` names some.
        name_ids: the same, by NameID: the ways in which it may have been written at login.
        portal_sessions: sid, or SessionIndex values; with `name_ids`, both must fit, where the login told one.
        message_id: id that must not be seen twice; "" when the protocol has none.
        message_ends_at: until when `message_id` must be remembered.
        done: what to answer once the sessions have ended; the argument tells whether all of it could be done.
    """

    issuer: str
    subject: str = ""
    name_ids: tuple[str, ...] = ()
    portal_sessions: tuple[str, ...] = ()
    message_id: str = ""
    message_ends_at: datetime | None = None
    done: Callable[[bool], Response | PostedForm]

    def __repr__(self) -> str:
        return f"LogoutOrder(issuer={self.issuer!r})"


class WithoutLogout:
    """What a portal answers that speaks of no logout: to be inherited by those."""

    def depart_logout(self, session: PortalSession, now: datetime) -> Departure | None:
        """Return None: nothing to leave for."""
        return None

    def logout_asked(self, message: Request, way: LogoutWay, now: datetime) -> LogoutOrder | None:
        """Refuse: there is nothing at this address."""
        raise RequestRefused("this portal asks for no logout here", code=Code.NOT_FOUND)

    def logout_returned(self, answer: Request, recall: Recall, now: datetime) -> None:
        """Refuse: we never leave for a logout there."""
        raise RequestRefused("no logout began towards this portal", code=Code.NOT_FOUND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiation:
    """A login that the portal itself begins (OpenID Connect Core 1.0 §4). It proves nothing: it is a wish.

    Attributes:
        target: page wished for, an absolute address, to be checked against the allow-list; "" for none.
        login_hint: to be given back to the portal, and to nobody else.
    """

    target: str = field(default="", repr=False)
    login_hint: str = field(default="", repr=False)


class Portal(Protocol):
    """One configured portal, behind one door. Safe to share between threads."""

    door: str
    issuer: str
    method: str
    """Protocol, as identities and events tell it: ``saml``, ``oidc`` or ``header``."""
    answer_method: str
    """Method with which the answer comes, ``POST`` or ``GET``; `ENTRY` when there is none but a page to enter by."""

    def depart(self, now: datetime, *, anew: bool = False) -> Departure:
        """Prepare a login.

        Args:
            now: the present moment.
            anew: the portal is to ask for the credentials even of somebody it knows; the answer is then refused
                unless it tells that it did, where the protocol has words for that.

        Raises:
            Unavailable: the portal cannot be reached in bounded time.
        """
        ...

    def arrive(self, answer: Request, recall: Recall, now: datetime) -> Arrival:
        """Verify an answer and read it; nothing is read before it is verified.

        Raises:
            AnswerRefused: a check failed; `code` says which.
            FlowLost: the journey it answers is unknown, too old, used, or of another browser.
            Unavailable: the portal cannot be asked (token endpoint, keys).
        """
        ...

    def metadata(self, now: datetime) -> Response | None:
        """Return our own metadata for this portal, or None if the protocol has none."""
        ...

    def depart_logout(self, session: PortalSession, now: datetime) -> Departure | None:
        """Prepare a logout at the portal, for a session of ours that has ended already. Changes nothing anywhere.

        Returns:
            None when the portal offers none, the settings do not want it, or `session` does not tell enough.

        Raises:
            Unavailable: the portal cannot be reached in bounded time.
        """
        ...

    def logout_asked(self, message: Request, way: LogoutWay, now: datetime) -> LogoutOrder | None:
        """Verify a logout the portal asks for; nothing is read before it is verified.

        Returns:
            None when the message asks for nothing: it is the answer to a logout that began here (`BROWSER` only).

        Raises:
            AnswerRefused: a check failed; `code` says which.
            RequestRefused: the request itself is wrong, or this portal asks for no logout this way.
            Unavailable: the portal's keys cannot be had.
        """
        ...

    def logout_returned(self, answer: Request, recall: Recall, now: datetime) -> None:
        """Verify that the portal has ended its session, as it was asked to.

        Raises:
            AnswerRefused, FlowLost, RequestRefused, Unavailable: that is not proved.
        """
        ...


@runtime_checkable
class InitiatedPortal(Protocol):
    """A portal whose own pages may begin a login here."""

    def initiated(self, asked: Params) -> Initiation:
        """Read a login that the portal begins.

        Raises:
            AnswerRefused: it is of another issuer, cannot be read, or this portal may not begin one.
        """
        ...

    def depart(self, now: datetime, *, anew: bool = False, login_hint: str = "") -> Departure:
        """Prepare a login; see `Portal.depart`."""
        ...
