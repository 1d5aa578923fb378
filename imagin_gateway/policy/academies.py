"""The académies as data: codes, e-mail domains, départements. Read when first asked for."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from imagin_gateway.policy.vocabulary import Posting

_FILE = Path(__file__).with_name("academies.toml")


@dataclass(frozen=True, slots=True)
class Academie:
    """One académie.

    Attributes:
        posting: its name in the facts.
        code: its number, as in the attribute `codaca` (compare as integers).
        domain: its e-mail domain.
        departements: numbers of its départements, e.g. ``"77"``, ``"2A"``, ``"974"``.
    """

    posting: Posting
    code: int
    domain: str
    departements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Register:
    """Every académie, and the domains that are not one.

    Attributes:
        former: domain of an académie that was merged → the académie of today.
        other_domains: domain → ``"collectivity"``, ``"region"``, ``"national"`` or ``"agriculture"``.
        below: the same for any host below a domain.
        uai_prefixes: first three characters of a school's code → number of the département.
    """

    academies: tuple[Academie, ...]
    by_domain: Mapping[str, Academie]
    by_code: Mapping[int, Academie]
    by_departement: Mapping[str, Academie]
    former: Mapping[str, Academie]
    other_domains: Mapping[str, str]
    below: Mapping[str, str]
    uai_prefixes: Mapping[str, str]


@cache
def register() -> Register:
    """Return the register shipped with the library."""
    raw = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    postings = {str(posting): posting for posting in Posting}
    academies = tuple(
        Academie(postings[item["short"]], item["code"], item["domain"], tuple(item["departements"]))
        for item in raw["academies"]
    )
    by_short = {str(academie.posting): academie for academie in academies}
    by_departement = {number: academie for academie in academies for number in academie.departements}
    former = {item["domain"]: by_short[item["short"]] for item in raw["former"]}
    by_code = {academie.code: academie for academie in academies}
    by_code |= {item["code"]: by_short[item["short"]] for item in raw["former"]}
    domains = [(domain, kind) for kind, names in raw["domains"].items() for domain in names]
    prefixes = {number.rjust(3, "0"): number for number in by_departement if number.isdigit()}
    return Register(
        academies=academies,
        by_domain=MappingProxyType({academie.domain: academie for academie in academies}),
        by_code=MappingProxyType(by_code),
        by_departement=MappingProxyType(by_departement),
        former=MappingProxyType(former),
        other_domains=MappingProxyType({domain: kind for domain, kind in domains if not domain.startswith("*.")}),
        below=MappingProxyType({domain[1:]: kind for domain, kind in domains if domain.startswith("*.")}),
        uai_prefixes=MappingProxyType(prefixes | {str(key): number for key, number in raw["uai"].items()}),
    )
