"""What a *proved* identity may do: the activities of its door, less what the host's own rules ask for and do not find.

Admission comes after authentication and reads verified attributes only. What a person
declared (`Facts`) never gets here. A rule can only take away: nothing written by a host
opens more than the door does, and an attribute that is missing satisfies no rule.

The host's rules are data::

    [[admission]]
    id = "departement"
    doors = ["arena-creteil"]                # or a family: "arena"; left out: every door
    activities = ["missions"]                # left out: every activity
    needs = { rne = { departement = ["93", "94"] }, title = { among = ["ENS", "DIR"] } }
    sentence = { fr = "…", en = "…" }        # said to the person when it refuses

A need is satisfied when *one* of the verified values of the attribute passes; a rule,
when all its needs are. Tests: `among` (exact values), `departement` and `academie` (of a
school's code, its check letter verified), `domain` (whole domain of an address).

The same file names who may help others, on our own pages: see `helpers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagin_gateway.identity import Activity, Identity
from imagin_gateway.policy.findings import Flaw, TableRefused
from imagin_gateway.policy.helpers import HelperRule, Scope, read_helper, scope_of
from imagin_gateway.policy.needs import Need, read_needs
from imagin_gateway.policy.reader import Reader, read_file, read_toml
from imagin_gateway.policy.table import Policy
from imagin_gateway.policy.values import Text


@dataclass(frozen=True, slots=True)
class AdmissionRule:
    """What the host asks before some activities, behind some doors."""

    id: str
    doors: frozenset[str]
    activities: frozenset[Activity]
    needs: tuple[Need, ...]
    sentence: Text


@dataclass(frozen=True, slots=True)
class Admitted:
    """What a proved identity may do, and the rules that took something away."""

    activities: frozenset[Activity]
    refusals: tuple[AdmissionRule, ...]


class Admission:
    """The admission of one host: a proved table, and the host's own rules."""

    def __init__(
        self, policy: Policy, rules: tuple[AdmissionRule, ...] = (), helpers: tuple[HelperRule, ...] = ()
    ) -> None:
        self._policy = policy
        self.rules = rules
        self.helpers = helpers

    def helps(self, identity: Identity) -> Scope | None:
        """Return whom this person may help, or None: nobody. See `helpers`.

        Raises:
            TypeError: anything but an `Identity`, such as declared facts.
        """
        if not isinstance(identity, Identity):
            raise TypeError("only a proved identity is admitted")
        return scope_of(identity, self.helpers)

    def admit(self, identity: Identity) -> Admitted:
        """Return what this person may do, from the door used and the attributes a portal proved.

        Raises:
            TypeError: anything but an `Identity`, such as declared facts.
        """
        if not isinstance(identity, Identity):
            raise TypeError("only a proved identity is admitted")
        attributes = {**identity.attributes, "email": (identity.email,) if identity.email else ()}
        activities = self._policy.activities(identity.door)
        refusals = tuple(
            rule
            for rule in self.rules
            if identity.door in rule.doors
            and rule.activities & activities
            and not all(need.met(attributes) for need in rule.needs)
        )
        return Admitted(activities.difference(*(rule.activities for rule in refusals)), refusals)


def load_admission(path: str | Path, policy: Policy) -> Admission:
    """Read the host's admission rules from a file. Raises `TableRefused` with every finding."""
    text, name = read_file(path)
    return parse_admission(text, policy, name)


def parse_admission(text: str, policy: Policy, source: str = "") -> Admission:
    """Read the host's admission rules from TOML. Raises `TableRefused` with every finding."""
    reader = Reader()
    raw = read_toml(text, source)
    reader.keys(raw, "table", needs="" if "assistance" in raw else "admission", may="admission assistance")
    rules = tuple(_rule(reader, item, policy) for item in reader.listed(raw, "admission"))
    helpers = tuple(read_helper(reader, item, policy) for item in reader.listed(raw, "assistance"))
    if reader.findings:
        raise TableRefused(reader.findings, source)
    return Admission(policy, rules, helpers)


def _rule(reader: Reader, raw: Any, policy: Policy) -> AdmissionRule:
    where = f"admission.{raw.get('id', '?') if isinstance(raw, dict) else '?'}"
    piece = reader.keys(raw, where, needs="id needs sentence", may="doors activities")
    families = {door.family for door in policy.doors.values()}
    told = reader.names_or_all(piece, "doors", where, {*policy.doors, *families}) or tuple(policy.doors)
    doors = frozenset(door.id for door in policy.doors.values() if {door.id, door.family} & set(told))
    names = reader.names_or_all(piece, "activities", where, {str(activity) for activity in Activity})
    activities = frozenset(activity for activity in Activity if not names or str(activity) in names)
    if not any(policy.activities(door) & activities for door in doors):
        reader.note(Flaw.NEVER_FIRES, where, "aucun de ces accès n’ouvre l’une de ces activités")
    return AdmissionRule(
        id=reader.string(piece, "id", where),
        doors=doors,
        activities=activities,
        needs=read_needs(reader, piece, where),
        sentence=reader.text_at(piece, "sentence", where),
    )
