"""A file that is not a table, or not wholly one: refused, with everything found, and never anything but refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagin_gateway.errors import PolicyError
from imagin_gateway.policy import Facts, Flaw, Policy, TableRefused, load, parse, siec
from imagin_gateway.policy.loading import build
from tests.policy.damage import Raw, only, refused, rule
from tests.policy.strategies import SIEC_FILE, siec_raw

# names and shape


@pytest.mark.parametrize(
    ("place", "damage"),
    [
        ("rules.4.when.employer", lambda raw: rule(raw, "4")["when"].update(employer="baker")),
        ("rules.4.when", lambda raw: rule(raw, "4")["when"].update(shoe_size="42")),
        ("rules.4.door", lambda raw: rule(raw, "4").update(door="arena-lutece")),
        ("rules.4.contact", lambda raw: rule(raw, "4").update(contact="nobody")),
        ("rules.4.clauses", lambda raw: rule(raw, "4").update(clauses=["B9"])),
        ("rules.4.second", lambda raw: rule(raw, "4").update(second=["nowhere"])),
        ("rules.4.page", lambda raw: rule(raw, "4").update(page="nowhere")),
        ("rules.29.when.posting", lambda raw: rule(raw, "29")["when"].update(posting="@nobody")),
        ("pins.inspecteur général", lambda raw: raw["pins"][0].update(door="nowhere")),
        ("pins.inspecteur général.clause", lambda raw: raw["pins"][0].update(clause="B9")),
        ("doors.direct.contact", lambda raw: raw["doors"]["direct"].update(contact="nobody")),
        ("doors.arena-paris", lambda raw: raw["doors"]["arena-paris"].update(family="nobody")),
        ("doors.direct.offers", lambda raw: raw["doors"]["direct"]["offers"][0].update(activity="tea")),
        ("pages.help.doors", lambda raw: raw["pages"]["help"].update(doors=["nowhere"])),
        ("pages.elsewhere.answers", lambda raw: raw["pages"]["elsewhere"].update(answers={"emetteur": "nobody"})),
        ("pages.elsewhere.answers", lambda raw: raw["pages"]["elsewhere"].update(answers={"shoe": "42"})),
        ("groups", lambda raw: raw["groups"].update(shoe_size={"big": ["45"]})),
        ("questions.mail.answers.oui", lambda raw: raw["questions"][2]["answers"][0]["sets"].update(shoe="42")),
    ],
)
def test_a_name_that_does_not_exist_is_refused(place: str, damage: Callable[[Raw], None]) -> None:
    raw = siec_raw()
    damage(raw)
    findings = [finding for finding in refused(raw).findings if finding.flaw is Flaw.UNKNOWN_NAME]
    assert place in {finding.where for finding in findings}


@pytest.mark.parametrize("value", ["[" * 9000, "9" * 5000], ids=["nested", "long"])
def test_a_value_beyond_measure_is_refused_and_not_a_fault(value: str) -> None:
    """Found by fuzzing: what the reader of TOML cannot hold is not always told as an error of TOML."""
    with pytest.raises(TableRefused, match="démesurée"):
        parse(f"a = {value}")


@pytest.mark.parametrize("answers", ["siec", ["emetteur"], {"emetteur": 1}])
def test_answers_that_are_no_table_of_words_are_refused(answers: object) -> None:
    raw = siec_raw()
    raw["pages"]["elsewhere"]["answers"] = answers
    assert "pages.elsewhere.answers" in {finding.where for finding in refused(raw).findings}


@pytest.mark.parametrize("kind", ["rules", "crossings", "pins", "questions"])
def test_two_things_with_one_id_are_refused(kind: str) -> None:
    raw = siec_raw()
    raw[kind].append(raw[kind][0])
    assert Flaw.DUPLICATE in {finding.flaw for finding in refused(raw).findings}


@pytest.mark.parametrize("key", [key for key in siec_raw() if key not in ("groups", "families", "crossings", "pins")])
def test_a_part_that_lacks_is_named(key: str) -> None:
    raw = siec_raw()
    del raw[key]
    assert f"il manque «\u00a0{key}\u00a0»" in str(refused(raw))


def test_an_unknown_key_is_refused_for_it_would_be_ignored() -> None:
    raw = siec_raw()
    rule(raw, "4")["dor"] = "direct"
    assert "rules.4 : clé inconnue « dor »" in only(raw, Flaw.SHAPE)


def test_everything_found_is_told_at_once() -> None:
    raw = siec_raw()
    del raw["doors"]["direct"]["link"]
    del rule(raw, "29")["sentence"]["en"]
    raw["rules"].pop()
    assert {finding.flaw for finding in refused(raw).findings} == {Flaw.NO_LINK, Flaw.NO_LANGUAGE, Flaw.NO_ANSWER}


# questions


def test_a_table_that_asks_too_much_is_refused_with_the_answers_that_lead_there() -> None:
    raw = siec_raw()
    raw["max_questions"] = 3
    message = only(raw, Flaw.TOO_MANY_QUESTIONS)
    assert "4 questions pour : emetteur = siec, poste = creteil, mail = non" in message


def test_a_question_has_two_answers_at_least_and_each_tells_one_value() -> None:
    raw = siec_raw()
    raw["questions"][3]["answers"] = raw["questions"][3]["answers"][:1]
    assert "deux réponses au moins" in only(raw, Flaw.SHAPE)
    raw = siec_raw()
    raw["questions"][3]["answers"][0]["sets"]["printed"] = ["yes", "no"]
    assert "une réponse dit une seule valeur" in only(raw, Flaw.SHAPE)


def test_there_are_not_so_many_questions_that_the_tree_cannot_be_searched() -> None:
    raw = siec_raw()
    raw["questions"] += [{**raw["questions"][3], "id": f"encore{n}"} for n in range(3)]
    assert "6 questions au plus" in only(raw, Flaw.SHAPE)


# files


def test_what_is_not_toml_or_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableRefused):
        parse("rules = [")
    with pytest.raises(TableRefused):
        load(tmp_path / "nulle-part.toml")
    (tmp_path / "latin.toml").write_bytes("é".encode("latin-1"))
    with pytest.raises(TableRefused):
        load(tmp_path / "latin.toml")


def test_a_refusal_is_a_policy_error_and_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "autre.toml"
    file.write_text(SIEC_FILE.read_text(encoding="utf-8").replace('id = "37"', 'id = "36"'), encoding="utf-8")
    with pytest.raises(PolicyError, match=r"autre\.toml"):
        load(file)


def test_another_service_can_write_its_own_table() -> None:
    """Its own académie behind its own portal, retired people outside: nothing of it in code."""
    raw = siec_raw()
    raw["groups"]["posting"] = {"served": ["dijon"], "elsewhere": ["creteil", "paris", "versailles"]}
    raw["doors"] = {
        "portail": {
            **raw["doors"]["arena-paris"],
            "for": {"posting": "dijon"},
            "place": {"fr": "Dijon", "en": "Dijon"},
        },
        "direct": raw["doors"]["direct"],
    }
    raw["pages"]["several"]["doors"] = raw["pages"]["help"]["doors"] = ["portail", "direct"]
    raw["rules"] = [rule(raw, name) for name in ("1", "4", "29", "B1", "36", "37")]
    rule(raw, "37")["when"] = {}
    raw["crossings"], raw["pins"], raw["max_questions"] = [], [], 4
    policy = build(raw)
    assert policy.decide(Facts.parse({"employer": "en", "posting": "dijon"})).door == "portail"
    assert policy.decide(Facts.parse({"employer": "en", "posting": "paris"})).outcome == "ask"
    assert siec().decide(Facts.parse({"employer": "en", "posting": "dijon"})).door == "direct"


# whatever is done to it, a table is accepted or refused: nothing else comes out

_JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just([]), st.just({}), st.just([1]), st.just([{}])
)


def _paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(node, dict):
        for key, child in node.items():
            found += _paths(child, (*path, key))
    elif isinstance(node, list):
        for number, child in enumerate(node):
            found += _paths(child, (*path, number))
    return found


_PATHS = _paths(siec_raw())


@given(st.lists(st.tuples(st.sampled_from(_PATHS), st.one_of(st.just("delete"), _JUNK)), min_size=1, max_size=2))
@settings(deadline=None, max_examples=60)
def test_a_table_damaged_at_random_is_accepted_or_refused_and_never_breaks(damages: list[tuple[Any, Any]]) -> None:
    raw = siec_raw()
    for path, junk in damages:
        try:
            node: Any = raw
            for key in path[:-1]:
                node = node[key]
            if junk == "delete":
                del node[path[-1]]
            else:
                node[path[-1]] = junk
        except (KeyError, IndexError, TypeError):
            continue
    try:
        outcome: Policy | TableRefused = build(raw)
    except TableRefused as error:
        outcome = error
    assert isinstance(outcome, Policy) or outcome.findings
