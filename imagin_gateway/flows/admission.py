"""What a person who proved who they are may do: the door's activities, less what the host's rules take away."""

from __future__ import annotations

from dataclasses import dataclass, replace

from imagin_gateway.errors import AdmissionRefused
from imagin_gateway.flows.house import House
from imagin_gateway.identity import Identity


@dataclass(frozen=True, slots=True)
class Admission:
    """A person admitted, and the ids of the rules that withheld something."""

    identity: Identity
    withheld: str


def admit(house: House, identity: Identity) -> Admission:
    """Return the person with the activities open to them.

    Raises:
        AdmissionRefused: nothing is left, or the host's hook refuses them; no session is opened.
    """
    house.hooks.admit(identity, house.events, tuple(house.pages.languages))
    admitted = house.admission.admit(identity)
    rules = [rule.id for rule in admitted.refusals]
    if not admitted.activities:
        told = [rule.sentence for rule in admitted.refusals]
        sentences = {code: " ".join(text.get(code) for text in told) for code in house.pages.languages}
        raise AdmissionRefused(rules, sentences)
    return Admission(replace(identity, activities=admitted.activities), ",".join(rules))
