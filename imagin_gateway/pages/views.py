"""The values a page is made of. Flows build them; templates only lay them out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """A link, in the words shown."""

    label: str
    href: str


@dataclass(frozen=True, slots=True)
class DoorCard:
    """A door among others: name, one line, and where it leads."""

    name: str
    text: str
    href: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer of a question."""

    value: str
    label: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with a field: its name, the key of the text, and its parameters."""

    field: str
    key: str
    params: Mapping[str, object] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorView:
    """Everything an end page says of a door, in order."""

    title: str
    why: str
    button: Link
    host: str
    where: tuple[str, ...]
    credentials: tuple[str, ...]
    lost: tuple[str, ...]
    lost_links: tuple[Link, ...]
    lost_first: bool
    offers: tuple[str, ...]
    notes: tuple[str, ...]
    trouble_title: str
    trouble: tuple[str, ...]
    second: tuple[Link, ...]
    back: Link
