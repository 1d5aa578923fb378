"""Tables of the policy, and rules of admission: a table that loads answers every situation, and hangs on none.

An input is one byte, then TOML: a table, or admission rules upon the table of SIEC.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from random import Random
from typing import Final

from fuzz.frame import Target, any_change, demand
from imagin_gateway.identity import Activity, Identity
from imagin_gateway.policy import Facts, TableRefused, siec
from imagin_gateway.policy.admission import parse_admission
from imagin_gateway.policy.loading import SIEC, parse
from imagin_gateway.policy.vocabulary import WORDS


def attack(data: bytes) -> bool:
    """Read a table, or rules; then ask of it what the pages ask."""
    told = data[1:].decode("utf-8", "replace")
    if data[:1] == b"\x01":
        return _admitted(told)
    policy = parse(told, "essai.toml")
    demand(policy.longest_interview()[0] <= policy.max_questions, "more questions than the table allows")
    for facts in islice(_situations(), 60):
        decision = policy.decide(facts)
        demand(decision.door is None or decision.door in policy.doors, "a door that does not exist")
        demand(bool(decision.question or decision.settled().outcome), "nobody is told anything")
        demand(not decision.door or policy.doors[decision.door].link.startswith("https://"), "a door that is not https")
    for door in policy.doors:
        demand(policy.activities(door) <= set(Activity), "an activity that does not exist")
    demand(policy.activities("nowhere") == frozenset(), "an unknown door opens something")
    return True


def _situations() -> Iterator[Facts]:
    """Yield what people may say: nothing, and each single thing."""
    yield Facts()
    for fact, words in WORDS.items():
        for word in words:
            yield Facts().but({str(fact): str(word)})


def _admitted(told: str) -> bool:
    admission = parse_admission(told, siec(), "essai.toml")
    for door in siec().doors:
        for attributes in ({}, {"title": ("ENS",), "FrEduFonctAdm": ("DIR",)}):
            who = Identity(
                issuer="https://idp.example",
                subject="somebody",
                door=door,
                activities=siec().activities(door),
                authenticated_at=datetime(2026, 12, 14, tzinfo=UTC),
                method="saml",
                attributes=attributes,
            )
            admitted = admission.admit(who)
            demand(admitted.activities <= siec().activities(door), "admission opens what the door does not")
            admission.helps(who)
    return True


def seeds() -> Iterator[bytes]:
    """Return the table of SIEC, and rules of admission."""
    yield b"\x00" + SIEC.read_bytes()
    yield b"\x01" + _RULES.encode()


_RULES: Final = """
[[admission]]
id = "teachers"
doors = ["arena-paris"]
activities = ["missions"]
needs = { title = { among = ["ENS", "DIR"] }, rne = { departement = ["75"] }, email = { domain = ["ac-paris.fr"] } }
sentence = { fr = "Réservé aux enseignants.", en = "For teachers only." }
[[assistance]]
id = "desk"
doors = ["direct"]
needs = { email = { among = ["aide@exemple.test"] } }
offices = ["DEC 2"]
"""


def mutate(data: bytes, random: Random) -> bytes:
    """Change lines: take one out, double one, swap two, or change what stands in quotes."""
    lines = data[1:].split(b"\n")
    for _ in range(random.choice((1, 1, 2))):
        place, other = random.randrange(len(lines)), random.randrange(len(lines))
        match random.randrange(5):
            case 0:
                del lines[place : place + random.choice((1, 1, 5))]
                lines = lines or [b""]
            case 1:
                lines.insert(other, lines[place])
            case 2:
                lines[place], lines[other] = lines[other], lines[place]
            case 3:
                pieces = lines[place].split(b'"')
                at = random.randrange(len(pieces))
                pieces[at] = random.choice(lines[other].split(b'"'))
                lines[place] = b'"'.join(pieces)
            case _:
                lines[place] = any_change(lines[place], random)
    return data[:1] + b"\n".join(lines)


TARGET: Final = Target(
    name="policy_file", attack=attack, seeds=seeds, mutate=mutate, refusals=(TableRefused,), longest=64 * 1024
)
