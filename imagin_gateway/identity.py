"""Who came in: the frozen values that every room and every host shares."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType


class Door(StrEnum):
    """The four doors of Imagin SIEC (table of the connection page, row « Lien »).

    A policy table of another service may name other doors, so the rest of the
    library types a door as `str`; these members are strings.
    """

    CRETEIL = "arena-creteil"
    PARIS = "arena-paris"
    VERSAILLES = "arena-versailles"
    DIRECT = "direct"


class Activity(StrEnum):
    """What may be done behind a door (row « Activités proposées »)."""

    MISSIONS = "missions"
    """« Consultation des missions », duplicates of convocations included: ARENA doors only."""
    EXPENSES = "expenses"
    """« Saisie/consultation des états de frais » (ARENA), « Saisie des états de frais mission » (direct)."""
    MARKING = "marking"
    """« Portail correcteur », Santorin: every door."""
    PERSONAL_DATA = "personal-data"
    """« Informations personnelles »: the direct door only."""


DIRECT_ISSUER = "urn:imagin-gateway:direct"
"""Issuer of the people of our own account store; their subject is the identifier of the convocation."""


def _no_attributes() -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Identity:
    """One authenticated person, as a host reads it. Immutable.

    The person is `(issuer, subject)` and nothing else: the same mail or login
    under another issuer is another person.

    Attributes:
        issuer: entityID or issuer URL of the portal; `DIRECT_ISSUER` for direct accounts.
        subject: stable key of the person at that issuer.
        door: id of the door used, e.g. ``"arena-paris"``.
        activities: what this door opens to this person.
        authenticated_at: when the portal or we authenticated this person, UTC.
        proved_at: when the credentials were checked, as far as it is told; None is older than anything. A portal that
            only says "it is still them" proves nothing recent.
        method: ``"saml"``, ``"oidc"``, ``"header"`` or ``"password"``.
        acr: authentication context class told by the portal, if any.
        amr: authentication methods told by the portal, if any.
        attributes: mapped attributes only, each a tuple of values.
    """

    issuer: str
    subject: str
    door: str
    activities: frozenset[Activity]
    authenticated_at: datetime
    proved_at: datetime | None = None
    method: str
    acr: str | None = None
    amr: tuple[str, ...] = ()
    family_name: str = ""
    given_name: str = ""
    email: str = ""
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=_no_attributes)

    def __post_init__(self) -> None:
        if not self.issuer or not self.subject:
            raise ValueError("an identity needs an issuer and a subject")
        frozen = {name: tuple(values) for name, values in self.attributes.items()}
        object.__setattr__(self, "attributes", MappingProxyType(frozen))
        object.__setattr__(self, "activities", frozenset(self.activities))
        object.__setattr__(self, "amr", tuple(self.amr))

    @property
    def key(self) -> tuple[str, str]:
        """`(issuer, subject)`: what a host stores to recognise this person."""
        return (self.issuer, self.subject)

    @property
    def display_name(self) -> str:
        """Given name then family name, or the subject when the portal tells no name."""
        return " ".join(part for part in (self.given_name, self.family_name) if part) or self.subject

    def can(self, *activities: Activity | str) -> bool:
        """Tell whether every one of `activities` is open to this person."""
        return self.activities.issuperset(_activities(activities))

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        # Names and mail stay out of logs and tracebacks.
        return f"Identity(issuer={self.issuer!r}, subject={self.subject!r}, door={self.door!r})"


def _activities(names: Iterable[Activity | str]) -> frozenset[Activity]:
    return frozenset(Activity(name) for name in names)


def lacks(
    who: Identity, now: datetime, within: timedelta | None = None, strength: Collection[frozenset[str]] = ()
) -> bool:
    """Tell whether somebody's login is too old, or too weak.

    Args:
        who: the person.
        now: the present moment.
        within: longest time since the credentials were checked; a check that nobody told of is too old.
        strength: each a set of `acr` or `amr` values, one of which must have been reached.
    """
    if within is not None and (who.proved_at is None or now - who.proved_at > within):
        return True
    reached = {who.acr, *who.amr}
    return any(reached.isdisjoint(values) for values in strength)
