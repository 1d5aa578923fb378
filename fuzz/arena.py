"""What tells who somebody is: headers of a trusted agent, and ARENA's attributes whatever brought them.

An input is one byte of choices and lines « name: value ». The statement of what may be kept is
written again here, from the description of ARENA's attributes, with none of the expressions of
the code under attack.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Iterator as Several
from random import Random
from typing import Any, Final

from fuzz.browser import browser
from fuzz.frame import Target, any_change, demand
from imagin_gateway.errors import Code, FlowLost
from imagin_gateway.exchange import Request
from imagin_gateway.keys import Secret
from imagin_gateway.providers.attributes import Mapped, map_attributes
from imagin_gateway.providers.attributes import subject as subject_of
from imagin_gateway.providers.header import HeaderPortalClient
from imagin_gateway.providers.portal import Memory
from imagin_gateway.settings import HeaderPortal

ATTRIBUTES_ALONE: Final = 1
WITHOUT_SECRET: Final = 2
OTHER_MACHINE: Final = 4
TWICE: Final = 8

NOW: Final = datetime.datetime(2026, 12, 14, 8, 0, tzinfo=datetime.UTC)
ENTRY: Final = "/portail/arena-paris/entree"
SECRET: Final = "Kq3vZ7dXw1Lh8RtB5nYc2MfJ6sPgA9eUo4Ti0"
RETURNS: Final = frozenset({"bv.ac-paris.fr"})


def _portal() -> HeaderPortalClient:
    values: dict[str, Any] = {
        "protocol": "header",
        "issuer": "https://bv.ac-paris.fr",
        "proxies": ("192.0.2.10", "2001:db8::1"),
        "secrets": (Secret(SECRET),),
        "academie": 1,
        "unsolicited": True,
        "return_hosts": tuple(RETURNS),
    }
    return HeaderPortalClient.open(
        "arena-paris", HeaderPortal(**values), entry_url=f"https://imagin.example/connexion{ENTRY}", entry_path=ENTRY
    )


_PORTAL: Final = _portal()


def attack(data: bytes) -> bool:
    """Bring headers, or attributes; what is kept must be of a form that ARENA describes."""
    choices, lines = data[0] if data else 0, data[1:].split(b"\n")
    told = [line.partition(b": ")[::2] for line in lines if b": " in line]
    if choices & ATTRIBUTES_ALONE:
        return _mapped(told)
    headers: dict[str, str] = {}
    doubtful = set()
    for name, value in told:
        field = name.decode("latin-1").lower()
        if field in headers:
            doubtful.add(field)
        headers[field] = value.decode("latin-1")
    if not choices & WITHOUT_SECRET:
        headers["x-imagin-gateway-secret"] = SECRET
    if choices & TWICE:
        doubtful.add("ct-remote-user")
    peer = "198.51.100.7" if choices & OTHER_MACHINE else "192.0.2.10"
    request = Request("GET", ENTRY, headers=headers, peer=peer, doubtful=frozenset(doubtful))
    arrival = _PORTAL.arrive(request, _nothing, NOW)
    demand(headers.get("x-imagin-gateway-secret") == SECRET and peer == "192.0.2.10", "a stranger is believed")
    demand("ct-remote-user" not in doubtful, "a header that two may have written is believed")
    subject = headers["ct-remote-user"].encode("latin-1").decode("utf-8").strip()
    demand(arrival.subject == (subject.lower() if subject.isascii() else subject), "somebody else came in")
    demand(subject not in ("", "X") and "," not in subject and not _is_numen(subject), "nobody came in")
    _hold(arrival.attributes)
    return True


def _nothing(_: str) -> Memory:
    raise FlowLost("no journey waits for this answer", code=Code.FLOW_UNKNOWN)


def _mapped(told: Sequence[tuple[bytes, ...]]) -> bool:
    """Map attributes as SAML or OpenID bring them: any text, several values."""
    raw: dict[str, list[str]] = {}
    for name, value in told:
        raw.setdefault(name.decode("latin-1"), []).append(value.decode("utf-8", "surrogateescape"))
    found: Mapped = map_attributes(raw, return_hosts=RETURNS)
    _hold(found.attributes)
    spoken = {value.strip() for values in raw.values() for value in values}
    demand(all(value in spoken for values in found.attributes.values() for value in values), "a value nobody told")
    schools = [each.uai for each in found.postings] + [each.uai for each in found.responsibilities]
    demand(all(_is_school(school) for school in schools), "a school that does not exist")
    who = subject_of(raw, "ct-remote-user")
    demand(not _is_numen(who), "a NUMEN is taken for a name")
    if found.belongs_to(1) and found.academies:
        demand(found.academies == {1}, "another académie passes for this one")
    return bool(found.attributes)


# --- what may be kept, said again


def _hold(attributes: Mapping[str, tuple[str, ...]]) -> None:
    for name, values in attributes.items():
        demand(name in _FORMS, "an attribute that nobody listed is kept")
        demand(0 < len(values) <= 512, "no value, or too many")
        for value in values:
            demand(value not in ("", "X") and len(value) <= 8192, "a value that says nothing, or too much")
            demand(not _is_numen(value), "a NUMEN is kept")
            demand(
                all(unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for sign in value), "unseen signs"
            )
            demand(_FORMS[name](value), f"{name} is kept in a form that ARENA does not have")


def _is_numen(value: str) -> bool:
    signs = "".join("9" if "0" <= sign <= "9" else "A" if sign.isascii() and sign.isalpha() else "?" for sign in value)
    return signs == "99A9999999AAA"


def _is_school(code: str) -> bool:
    """Seven digits, then the letter of a table of 23 (without I, O, Q) at the place that the remainder tells."""
    digits, letter = code[:-1], code[-1:]
    return (
        len(digits) == 7
        and all("0" <= digit <= "9" for digit in digits)
        and letter == "ABCDEFGHJKLMNPRSTUVWXYZ"[int(digits) % 23]
    )


def _schools(count: int) -> Callable[[str], bool]:
    def holds(value: str) -> bool:
        parts = value.split("$")
        return len(parts) == count and _is_school(parts[0].strip())

    return holds


def _has_dates(value: str, first: int, mark: str) -> bool:
    parts = value.split(mark)
    begins, ends = (datetime.datetime.strptime(part.strip(), "%d/%m/%Y") for part in parts[first : first + 2])  # noqa: DTZ007
    return begins <= ends


def _leads_back(value: str) -> bool:
    place = browser().resolve(value)
    return (
        place is not None and place.protocol == "https:" and place.host in RETURNS and not place.user and not place.port
    )


_FORMS: Final[Mapping[str, Callable[[str], bool]]] = {
    **dict.fromkeys(("ct-remote-user", "ctln", "ctfn", "cn", "title"), lambda value: len(value) <= 1024),
    "ctemail": lambda value: value.count("@") == 1 and not set(value) & set(' <>,;:"\\()[]\t'),
    "rne": _is_school,
    "codaca": lambda value: value.isascii() and value.isdigit() and 0 < int(value) < 1000,
    "FrEduRne": _schools(8),
    "FrEduRneResp": _schools(7),
    "FrEduFonctAdm": lambda value: re.sub("[A-Za-z0-9_-]", "", value) == "" and len(value) <= 16,
    "FrEduResDel": lambda value: value.count("|") == 8 and value.endswith("|") and _has_dates(value, 2, "|"),
    "FrEduGestResp": lambda value: _has_dates(value, 0, "$"),
    "FrEduUrlRetour": _leads_back,
}

_HONEST: Final = """ct-remote-user: elefevre1
ctln: Lefèvre
ctfn: Élodie
cn: Élodie Lefèvre
ctemail: elodie.lefevre@ac-paris.fr
title: ENS
rne: 0750001U
codaca: 001
FrEduRne: 0750001U$UAJ$PU$ENS$0750001U$T3$LYC$300
FrEduRneResp: 0750001U$UAJ$PU$N$T3$LYC$300
FrEduFonctAdm: DIR
FrEduResDel: app|/r/|01/09/2026|31/12/9999|m|FrEduRneResp=0750001U$UAJ$PU$N$T3$LYC$300;0750002V$$$$$$|srv|DIR|
FrEduGestResp: 01/09/2026$31/12/9999$0750001U$UAJ
FrEduUrlRetour: https://bv.ac-paris.fr/arena/pages/accueil.jsf
employeeNumber: 12A3456789BCD
"""


def seeds() -> Several[bytes]:
    """Return an honest agent's headers, and the same as attributes."""
    for choices in (0, ATTRIBUTES_ALONE, WITHOUT_SECRET, OTHER_MACHINE, TWICE):
        yield bytes((choices,)) + _HONEST.encode()


def mutate(data: bytes, random: Random) -> bytes:
    """Change one line: its value by its pieces, its name, or its place."""
    choices, lines = data[:1] or b"\x00", data[1:].split(b"\n")
    if random.random() < 0.1:
        return bytes((random.randrange(16),)) + data[1:]
    place = random.randrange(len(lines))
    name, mark, value = lines[place].partition(b": ")
    pieces = re.split(rb"([$|;,/@])", value)
    match random.randrange(5):
        case 0:
            lines.insert(random.randrange(len(lines) + 1), lines[place])
        case 1:
            name = random.choice(lines).partition(b": ")[0]
        case 2:
            at = random.randrange(len(pieces))
            pieces[at] = any_change(pieces[at], random)
        case 3:
            pieces.insert(random.randrange(len(pieces) + 1), random.choice(pieces))
        case _:
            pieces[random.randrange(len(pieces))] = random.choice(
                (b"", b"X", b"0750002V", b"31/02/2026", "é".encode(), b" ")
            )
    lines[place] = name + mark + b"".join(pieces)
    return choices + b"\n".join(lines)


TARGET: Final = Target(name="arena", attack=attack, seeds=seeds, mutate=mutate, longest=12 * 1024)
