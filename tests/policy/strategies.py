"""Every situation there can be, and a table read straight, without the proof."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

import imagin_gateway.policy
from imagin_gateway.policy import Decision, Facts, FactsRefused, Policy
from imagin_gateway.policy.values import Crossing, Rule
from imagin_gateway.policy.vocabulary import DIMENSIONS

SIEC_FILE = Path(imagin_gateway.policy.__file__).with_name("siec.toml")
_RAW = tomllib.loads(SIEC_FILE.read_text(encoding="utf-8"))

TOLD = st.fixed_dictionaries({item.name: st.sampled_from([str(word) for word in item.words]) for item in DIMENSIONS})
"""One value for every fact, possible together or not."""


def siec_raw() -> dict[str, Any]:
    """Return SIEC's table as read from TOML, free to be damaged."""
    return copy.deepcopy(_RAW)


def possible(told: dict[str, str]) -> bool:
    """Tell whether these facts can be together."""
    try:
        Facts.parse(told)
    except FactsRefused:
        return False
    return True


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    """Draw possible facts. Whatever clashes is forgotten, one fact after the other."""
    told = draw(TOLD)
    for name in draw(st.permutations(sorted(told))):
        if possible(told):
            break
        told[name] = "unknown"
    return Facts.parse(told)


def fits(line: Rule | Crossing, situation: Facts) -> bool:
    """Read a condition straight from the table."""
    return any(all(getattr(situation, name) in words for name, words in when.items()) for when in line.when)


def first_rule(policy: Policy, situation: Facts) -> Rule:
    """Return the first rule that fits, line by line: what the proved diagram must agree with."""
    return next(rule for rule in policy.rules if fits(rule, situation))


def doors_offered(decision: Decision) -> tuple[str, ...]:
    """Return every door a decision sends somebody to, in order."""
    return (*([decision.door] if decision.door else []), *decision.second, *decision.then)
