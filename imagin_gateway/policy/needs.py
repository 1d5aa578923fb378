"""What is asked of verified attributes: for each, tests of which one of its values must pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from imagin_gateway.policy.academies import register
from imagin_gateway.policy.findings import Flaw
from imagin_gateway.policy.hints import read_uai
from imagin_gateway.policy.reader import Raw, Reader


def _departement(value: str) -> str:
    uai = read_uai(value)
    return uai.departement if uai is not None else ""


def _academie(value: str) -> str:
    uai = read_uai(value)
    return str(uai.posting) if uai is not None else ""


def _domain(value: str) -> str:
    local, _, domain = value.rpartition("@")
    return domain.lower() if local and domain.isascii() else ""


_DOMAIN = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
"""What `_domain` may give: anything else would never be met."""

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


def read_needs(reader: Reader, piece: Raw, where: str) -> tuple[Need, ...]:
    """Read the needs of one rule, at least one; what is wrong with them is noted."""
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
                if test == "domain" and not _DOMAIN.fullmatch(value.lower()):
                    reader.note(Flaw.SHAPE, f"{place}.{test}", f"« {value} » n’est pas un domaine, comme ac-paris.fr")
                elif not value or (known is not None and value not in known):
                    reader.note(Flaw.UNKNOWN_NAME, f"{place}.{test}", f"« {value} » n’existe pas")
            if not values:
                reader.note(Flaw.SHAPE, f"{place}.{test}", "il faut au moins une valeur")
            lowered = (value.lower() for value in values) if test == "domain" else values
            needs.append(Need(attribute, test, frozenset(lowered)))
    return tuple(needs)


def _names() -> Mapping[str, object]:
    return {str(academie.posting): academie for academie in register().academies}
