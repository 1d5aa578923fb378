"""What a *proved* identity may do: the activities of its door, less what the host's own rules ask for and do not find.

Admission comes after authentication and reads verified attributes only. What a person
declared (`Facts`) never gets here. A rule can only take away: nothing written by a host
opens more than the door does, and an attribute that is missing satisfies no rule.

The host's rules are data::

    [[admission]]
    id = "departement"
    doors = ["arena-creteil"]                # or a family: "arena"; left out: every door
    activities = ["missions"]                # left out: every activity
    needs = { uai = { departement = ["93", "94"] }, function = { among = ["ENS", "DIR"] } }
    sentence = { fr = "…", en = "…" }        # said to the person when it refuses

A need is satisfied when *one* of the verified values of the attribute passes; a rule,
when all its needs are. Tests: `among` (exact values), `departement` and `academie` (of a
school's code, its check letter verified), `domain` (whole domain of an address).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagin_gateway.identity import Activity, Identity
from imagin_gateway.policy.academies import register
from imagin_gateway.policy.findings import Finding, Flaw, TableRefused
from imagin_gateway.policy.hints import read_uai
from imagin_gateway.policy.reader import Raw, Reader
from imagin_gateway.policy.table import Policy
from imagin_gateway.policy.values import Text


def _departement(value: str) -> str:
    uai = read_uai(value)
    return uai.departement if uai is not None else ""


def _academie(value: str) -> str:
    uai = read_uai(value)
    return str(uai.posting) if uai is not None else ""


def _domain(value: str) -> str:
    local, _, domain = value.rpartition("@")
    return domain.lower() if local and domain.isascii() else ""


_TESTS: Mapping[str, Callable[[str], str]] = {
    "among": str,
    "departement": _departement,
    "academie": _academie,
    "domain": _domain,
}


@dataclass(frozen=True, slots=True)
class Need:
    """One verified value of `attribute` must, once seen through `test`, be among `values`."""

    attribute: str
    test: str
    values: frozenset[str]

    def met(self, attributes: Mapping[str, tuple[str, ...]]) -> bool:
        """Tell whether these verified attributes satisfy it."""
        seen = {_TESTS[self.test](value) for value in attributes.get(self.attribute, ())}
        return not self.values.isdisjoint(seen - {""})


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

    def __init__(self, policy: Policy, rules: tuple[AdmissionRule, ...] = ()) -> None:
        self._policy = policy
        self.rules = rules

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
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise TableRefused([Finding(Flaw.SHAPE, "fichier", "il ne peut être lu")], Path(path).name) from None
    return parse_admission(text, policy, Path(path).name)


def parse_admission(text: str, policy: Policy, source: str = "") -> Admission:
    """Read the host's admission rules from TOML. Raises `TableRefused` with every finding."""
    reader = Reader()
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TableRefused([Finding(Flaw.SHAPE, "fichier", f"ce n’est pas du TOML ({error})")], source) from None
    reader.keys(raw, "table", needs="admission")
    rules = tuple(_rule(reader, item, policy) for item in reader.listed(raw, "admission"))
    if reader.findings:
        raise TableRefused(reader.findings, source)
    return Admission(policy, rules)


def _rule(reader: Reader, raw: Any, policy: Policy) -> AdmissionRule:
    where = f"admission.{raw.get('id', '?') if isinstance(raw, dict) else '?'}"
    piece = reader.keys(raw, where, needs="id needs sentence", may="doors activities")
    families = {door.family for door in policy.doors.values()}
    told = reader.names(piece, "doors", where, {*policy.doors, *families}) or tuple(policy.doors)
    doors = frozenset(door.id for door in policy.doors.values() if {door.id, door.family} & set(told))
    names = reader.names(piece, "activities", where, {str(activity) for activity in Activity})
    activities = frozenset(activity for activity in Activity if not names or str(activity) in names)
    if not any(policy.activities(door) & activities for door in doors):
        reader.note(Flaw.NEVER_FIRES, where, "aucun de ces accès n’ouvre l’une de ces activités")
    return AdmissionRule(
        id=reader.string(piece, "id", where),
        doors=doors,
        activities=activities,
        needs=_needs(reader, piece, where),
        sentence=reader.text_at(piece, "sentence", where),
    )


def _needs(reader: Reader, piece: Raw, where: str) -> tuple[Need, ...]:
    told = piece.get("needs", {})
    if not isinstance(told, dict) or not told:
        reader.note(Flaw.SHAPE, f"{where}.needs", "il faut au moins un attribut")
        return ()
    needs = []
    for attribute, tests in told.items():
        place = f"{where}.needs.{attribute}"
        if not reader.keys(tests, place, may=" ".join(_TESTS)):
            reader.note(Flaw.SHAPE, place, f"il faut un test : {', '.join(_TESTS)}")
            continue
        for test in _TESTS:
            if test not in tests:
                continue
            values = reader.strings(tests, test, place)
            known = {"departement": register().by_departement, "academie": _names()}.get(test)
            for value in values:
                if not value or (known is not None and value not in known):
                    reader.note(Flaw.UNKNOWN_NAME, f"{place}.{test}", f"« {value} » n’existe pas")
            if not values:
                reader.note(Flaw.SHAPE, f"{place}.{test}", "il faut au moins une valeur")
            lowered = (value.lower() for value in values) if test == "domain" else values
            needs.append(Need(attribute, test, frozenset(lowered)))
    return tuple(needs)


def _names() -> Mapping[str, object]:
    return {str(academie.posting): academie for academie in register().academies}
