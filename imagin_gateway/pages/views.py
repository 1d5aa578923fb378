"""The values a page is made of. Flows build them from the policy; templates only lay them out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

_SCHEMES: Final = ("https://", "http://", "mailto:")


def checked_href(href: str) -> str:
    """Return `href` if it is a path of this site, or an http or mail address.

    Raises:
        ValueError: it is anything else (`javascript:`, `data:`, `//host`): it is never written in a page.
    """
    local = href.startswith(("/", "?", "#")) and not href.startswith(("//", "/\\"))
    if not (local or href.startswith(_SCHEMES)) or not href.isprintable() or " " in href:
        raise ValueError("not an address a page may link to")
    return href


def host_of(href: str) -> str:
    """Return the host of another site, or "" for a page of this one: people see where a link leads."""
    return urlsplit(href).netloc if href.startswith(("https://", "http://")) else ""


@dataclass(frozen=True, slots=True)
class Link:
    """A link, in the words shown."""

    label: str
    href: str

    def __post_init__(self) -> None:
        checked_href(self.href)


@dataclass(frozen=True, slots=True)
class Translation:
    """The same page in another language: its code, its own name, and where the page stands."""

    language: str
    name: str
    href: str

    def __post_init__(self) -> None:
        checked_href(self.href)


@dataclass(frozen=True, slots=True)
class DoorCard:
    """A door among others: name, one line, and where it leads."""

    name: str
    text: str
    href: str

    def __post_init__(self) -> None:
        checked_href(self.href)


@dataclass(frozen=True, slots=True)
class LastDoor:
    """The door taken last time: its name, where it leads, and where the choice is forgotten."""

    name: str
    href: str
    forget_href: str

    def __post_init__(self) -> None:
        checked_href(self.href)
        checked_href(self.forget_href)


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer of a question."""

    value: str
    label: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """One session of a person, for them to recognise it."""

    handle: str
    here: bool
    device: str
    address: str
    door_name: str
    since: datetime
    seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskMatch:
    """One account that a search of the help desk found."""

    name: str
    identifier: str
    office: str
    state: str
    href: str

    def __post_init__(self) -> None:
        checked_href(self.href)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskEvent:
    """One thing that happened to an account, in a sentence; `by_desk` tells that the help desk did it."""

    at: datetime
    text: str
    by_desk: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskAccount:
    """One account as the help desk sees it.

    Attributes:
        portal_only: the direct door is closed to people of that address.
        state: in words.
        provisional_ends_at: None when there is no provisional password.
        failures, last_failure, waits: tries that failed lately.
        mails: mails that wait.
        factors: second factors held, in words.
        events: the newest first.
    """

    identifier: str
    name: str
    email: str
    situation: str
    office: str
    state: str
    created_at: datetime
    provisional_ends_at: datetime | None
    sessions: int
    failures: int
    last_failure: datetime | None
    waits: bool
    mails: int
    factors: tuple[str, ...]
    events: tuple[DeskEvent, ...]
    portal_only: bool = False


def _nothing() -> Mapping[str, object]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with a field: its name, the key of the text, and its parameters."""

    field: str
    key: str
    params: Mapping[str, object] = dataclasses.field(default_factory=_nothing)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorView:
    """Everything an end page says of a door, in order.

    Attributes:
        title: heading of the page.
        why: the sentence of the rule that led here, or whose door it is for somebody who chose it alone.
        button: leaves for the door.
        host: address shown under the button, so that people recognise the site they land on.
        where: steps to follow once there; empty if the link is enough.
        credentials: which identifiers.
        not_these: which not.
        lost: what to do when they are lost; a link of `lost_links` whose label stands in a text is put there.
        lost_first: the page opens with that.
        offers: what is behind the door.
        not_offered: what is behind another one only.
        notes: what else this person should know.
        trouble: what to do if it does not work; the labels of `trouble_links` that stand there become links.
        second: the doors to try next.
    """

    title: str
    why: str
    button: Link
    host: str
    where: tuple[str, ...]
    credentials: tuple[str, ...]
    not_these: tuple[str, ...]
    lost: tuple[str, ...]
    lost_links: tuple[Link, ...]
    lost_first: bool
    offers: tuple[str, ...]
    not_offered: tuple[str, ...]
    notes: tuple[str, ...]
    trouble_title: str
    trouble: tuple[str, ...]
    trouble_links: tuple[Link, ...]
    second: tuple[Link, ...]
    back: Link
