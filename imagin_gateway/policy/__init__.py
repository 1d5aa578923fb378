"""Which door, and why: a proved table of rules. Pure: no settings, no I/O but the table's file, no third-party import.

::

    from imagin_gateway.policy import Facts, siec

    decision = siec().decide(Facts.parse({"employer": "en", "posting": "paris", "email": "yes"}))
    decision.door, decision.sentence.fr, decision.mark

Beside the table: `policy.admission` (what a proved identity may do), `policy.hints` (what an
address or a school's code suggests) and `policy.render` (the matrix and the tree of questions).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from imagin_gateway.policy.facts import Facts, FactsRefused
from imagin_gateway.policy.findings import Finding, Flaw, TableRefused
from imagin_gateway.policy.interview import Step
from imagin_gateway.policy.table import Policy
from imagin_gateway.policy.values import (
    ASK,
    ELSEWHERE,
    Answer,
    Clause,
    Contact,
    Decision,
    DoorInfo,
    EndPage,
    Mark,
    Offer,
    Question,
    Rule,
    Statement,
    Text,
)

if TYPE_CHECKING:
    from imagin_gateway.policy.explain import Tried
    from imagin_gateway.policy.loading import load, parse, siec

__all__ = [
    "ASK",
    "ELSEWHERE",
    "Answer",
    "Clause",
    "Contact",
    "Decision",
    "DoorInfo",
    "EndPage",
    "Facts",
    "FactsRefused",
    "Finding",
    "Flaw",
    "Mark",
    "Offer",
    "Policy",
    "Question",
    "Rule",
    "Statement",
    "Step",
    "TableRefused",
    "Text",
    "Tried",
    "load",
    "parse",
    "siec",
]


_LATE = {"Tried": "explain", "load": "loading", "parse": "loading", "siec": "loading"}


def __getattr__(name: str) -> object:
    # Reading, proving and explaining are loaded by whoever does it, not by whoever names a door.
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"imagin_gateway.policy.{_LATE[name]}"), name)
