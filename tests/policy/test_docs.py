"""The documentation shows the table of today, and names what there is."""

from __future__ import annotations

import re
import tomllib

from imagin_gateway.policy import siec
from imagin_gateway.policy.admission import parse_admission
from imagin_gateway.policy.vocabulary import ACADEMIES, DIMENSIONS
from tests.policy.docs import PAGE, TREE, page, tree


def test_the_matrix_and_the_tree_of_the_documentation_are_those_of_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.policy.docs"
    assert TREE.read_text(encoding="utf-8") == tree(), "run: python -m tests.policy.docs"


def test_every_fact_and_every_value_is_documented() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = {match[1]: match[2] for match in re.finditer(r"^\| `(\w+)` \| .*? \| (.*) \|$", text, re.M)}
    assert set(rows) == {dimension.name for dimension in DIMENSIONS}
    for dimension in DIMENSIONS:
        told = set(re.findall(r"`([a-z-]+)`", rows[dimension.name]))
        there = {str(word) for word in dimension.words if word.ordinal and word not in ACADEMIES}
        assert told == there, dimension.name


def test_the_rules_named_in_the_documentation_exist() -> None:
    text = (
        PAGE.read_text(encoding="utf-8").partition("## Where the texts leave a choice")[2].partition("## Admission")[0]
    )
    named = set(re.findall(r"\(`([\w-]+)`\)", text))
    known = {rule.id: rule.mark for rule in siec().rules} | {line.id: line.mark for line in siec().crossings}
    assert named
    assert named <= set(known)


def test_the_example_of_admission_is_accepted() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert tomllib.loads(example)["admission"]
    assert parse_admission(example, siec()).rules


def test_the_size_told_is_the_size_proved() -> None:
    text = PAGE.read_text(encoding="utf-8")
    points = 1
    for dimension in DIMENSIONS:
        points *= len(dimension)
    assert f"{points // 1_000_000} million points" in text.replace("\n", " ")
    assert f"{sum(siec().situations().values()) // 1_000_000} million can exist" in text.replace("\n", " ")
