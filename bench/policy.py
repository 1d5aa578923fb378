"""Deciding beside its floor, a dictionary look-up of the same key; and what loading and proving a table costs."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Final

from bench.frame import Report, fresh, run, timed
from imagin_gateway.policy import Facts, siec
from imagin_gateway.policy.loading import SIEC, load
from imagin_gateway.policy.proof import prove
from imagin_gateway.policy.reader import Reader
from imagin_gateway.policy.reading import read_sheet

HERE: Final = Path(sys.executable)

PORTAL = Facts.parse({"convocation": "ours", "employer": "en", "posting": "paris", "email": "yes"})
DIRECT = Facts.parse({"convocation": "ours", "employer": "company", "printed": "yes"})
DOUBT = Facts.parse({"convocation": "ours", "employer": "en", "posting": "paris"})


def _deciding(report: Report) -> None:
    policy = siec()
    floor = {facts: policy.decide(facts) for facts in (PORTAL, DIRECT, DOUBT)}
    by_index = {facts.index: decision for facts, decision in floor.items()}
    rows = []
    for name, facts in (("a portal", PORTAL), ("the direct door", DIRECT), ("a question", DOUBT)):
        ours = timed(lambda facts=facts: policy.decide(facts)).best  # type: ignore[misc]  # bound now
        by_facts = timed(lambda facts=facts: floor[facts]).best  # type: ignore[misc]  # bound now
        by_tuple = timed(lambda index=facts.index: by_index[index]).best  # type: ignore[misc]  # bound now
        rows.append((name, ours * 1e9, by_facts * 1e9, by_tuple * 1e9, ours / by_facts, ours / by_tuple))
    columns = ("decide", "ns", "dict[facts] ns", "dict[tuple] ns", "x dict[facts]", "x dict[tuple]")
    report.table("Deciding, beside a dictionary look-up of the same key", columns, rows)
    report.target("decide_to_floor", max(row[4] for row in rows), 5, "x")


def _beside(report: Report) -> None:
    policy, answers = siec(), {"emetteur": "siec", "poste": "paris", "mail": "inconnu", "imprime": "oui"}
    rows = [
        ("Facts.parse", timed(lambda: Facts.parse({"posting": "paris", "email": "yes"})).best * 1e6),
        ("explain", timed(lambda: policy.explain(PORTAL)).best * 1e6),
        ("interview, first question", timed(lambda: policy.interview({})).best * 1e6),
        ("interview, four answers", timed(lambda: policy.interview(answers)).best * 1e6),
    ]
    report.table("Around deciding", ("what", "µs"), rows)


def _proving(report: Report) -> None:
    text = SIEC.read_text(encoding="utf-8")
    raw = tomllib.loads(text)
    reader = Reader()
    sheet = read_sheet(raw, reader)
    whole = timed(lambda: load(SIEC), repeats=5, seconds=0.5).best
    rows = [
        ("TOML", timed(lambda: tomllib.loads(text)).best * 1e3),
        ("reading", timed(lambda: read_sheet(raw, Reader())).best * 1e3),
        ("proving every situation", timed(lambda: prove(sheet, Reader())).best * 1e3),
        ("everything, questions included", whole * 1e3),
    ]
    report.table("Loading SIEC's table", ("step", "ms"), rows)
    situations = siec().situations()
    size = [("situations proved", sum(situations.values())), ("rules", len(situations))]
    report.table("What was proved", ("what", "number"), size)
    report.target("load_and_proof", whole * 1e3, 500, "ms")


def _importing(report: Report) -> None:
    measured = fresh(
        HERE,
        {
            "the standard modules it stands on": "import dataclasses, datetime, enum, typing",
            "import imagin_gateway.policy": "import imagin_gateway.policy",
            "... and siec()": "from imagin_gateway.policy import siec; siec()",
        },
    )
    rows = [(name, own.best * 1e3, own.middle * 1e3) for name, (own, _) in measured.items()]
    report.table("In a fresh process", ("statement", "ms", "median"), rows)
    report.target("import_policy_alone", measured["import imagin_gateway.policy"][0].best * 1e3, 40, "ms")


def measure(report: Report) -> None:
    """Measure deciding, loading and importing."""
    _deciding(report)
    _beside(report)
    _proving(report)
    _importing(report)


if __name__ == "__main__":
    run("policy", measure)
