"""Who may help others on the pages of the help desk: named by the host's rules, and nobody else.

In the file of the admission rules::

    [[assistance]]
    id = "gestionnaires-dec2"
    doors = ["arena-paris"]                  # or a family; left out: every door
    needs = { subject = { among = ["jmartin", "zroux"] } }
    offices = ["DEC 2 - BTS"]                # whose people they help; left out: everybody's

The needs are those of an admission rule, and `subject` too: the key of the person at
the portal that vouches for them, behind one door only. A rule names somebody when *all* its needs are met; of
several that do, the offices add up. With no rule, nobody helps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from imagin_gateway.identity import Identity
from imagin_gateway.policy.findings import Flaw
from imagin_gateway.policy.needs import Need, read_needs
from imagin_gateway.policy.reader import Reader
from imagin_gateway.policy.table import Policy


@dataclass(frozen=True, slots=True)
class HelperRule:
    """Who helps, and the people of which managing offices; of all when there is none."""

    id: str
    doors: frozenset[str]
    needs: tuple[Need, ...]
    offices: frozenset[str]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom somebody may help.

    Attributes:
        rules: ids of the rules that name them.
        offices: managing offices, whole names; everybody's when empty.
    """

    rules: tuple[str, ...]
    offices: frozenset[str]


def scope_of(identity: Identity, rules: Sequence[HelperRule]) -> Scope | None:
    """Return whom a proved identity may help, or None."""
    attributes = {
        **identity.attributes,
        "email": (identity.email,) if identity.email else (),
        "subject": (identity.subject,),
    }
    naming = [
        rule for rule in rules if identity.door in rule.doors and all(need.met(attributes) for need in rule.needs)
    ]
    if not naming:
        return None
    everybody = any(not rule.offices for rule in naming)
    offices = frozenset() if everybody else frozenset().union(*(rule.offices for rule in naming))
    return Scope(tuple(rule.id for rule in naming), offices)


def read_helper(reader: Reader, raw: Any, policy: Policy) -> HelperRule:
    """Read one rule; what is wrong with it is noted."""
    where = f"assistance.{raw.get('id', '?') if isinstance(raw, dict) else '?'}"
    piece = reader.keys(raw, where, needs="id needs", may="doors offices")
    families = {door.family for door in policy.doors.values()}
    told = reader.names_or_all(piece, "doors", where, {*policy.doors, *families}) or tuple(policy.doors)
    offices = reader.strings(piece, "offices", where)
    if "offices" in piece and not [office for office in offices if any(sign.isalnum() for sign in office)]:
        # An empty list would mean everybody: whoever writes it means nobody.
        reader.note(Flaw.SHAPE, f"{where}.offices", "il faut au moins un service, ou pas cette clé")
    doors = frozenset(door.id for door in policy.doors.values() if {door.id, door.family} & set(told))
    needs = read_needs(reader, piece, where)
    if len(doors) != 1 and any(need.attribute == "subject" for need in needs):
        # The same identifier elsewhere is another person.
        reader.note(Flaw.SHAPE, f"{where}.doors", "« subject » ne désigne quelqu’un que derrière une seule porte")
    return HelperRule(
        id=reader.string(piece, "id", where),
        doors=doors,
        needs=needs,
        offices=frozenset(offices),
    )
