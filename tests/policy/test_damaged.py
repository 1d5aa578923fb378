"""A table damaged in each possible way is refused, for the right reason, with the counter-example in words."""

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
from imagin_gateway.policy.proof import prove
from imagin_gateway.policy.reader import Reader
from imagin_gateway.policy.reading import read_sheet
from tests.policy.strategies import SIEC_FILE, siec_raw

Raw = dict[str, Any]


def rule(raw: Raw, name: str) -> Raw:
    found: Raw = next(item for item in raw["rules"] if item["id"] == name)
    return found


def refused(raw: Raw) -> TableRefused:
    with pytest.raises(TableRefused) as caught:
        build(raw, "essai.toml")
    return caught.value


def only(raw: Raw, flaw: Flaw) -> str:
    """Return the message of the findings, all of one kind."""
    findings = refused(raw).findings
    assert {finding.flaw for finding in findings} == {flaw}, [str(finding) for finding in findings]
    return "\n".join(str(finding) for finding in findings).replace("\u00a0", " ")


def test_the_table_undamaged_is_accepted() -> None:
    assert build(siec_raw()).name == "siec"


# a situation without an answer


def test_without_its_last_rule_the_table_leaves_a_situation_without_an_answer() -> None:
    raw = siec_raw()
    raw["rules"].pop()
    assert "aucune règle ne répond à cette situation : rien n’est connu" in only(raw, Flaw.NO_ANSWER)


def test_the_counter_example_is_told_in_words() -> None:
    raw = siec_raw()
    rule(raw, "37")["when"] = {"convocation": ["unknown", "ours", "elsewhere"]}
    message = only(raw, Flaw.NO_ANSWER)
    assert "convocation envoyée par : pas de convocation" in message


@pytest.mark.parametrize("printed", ["unknown", "no", "lost"])
def test_one_value_left_out_anywhere_is_found(printed: str) -> None:
    raw = siec_raw()
    rule(raw, "37")["when"] = {"printed": [f"!{printed}"]}
    only(raw, Flaw.NO_ANSWER)


# a rule that can never fire


def test_a_rule_after_one_that_covers_it_never_fires() -> None:
    raw = siec_raw()
    raw["rules"].append({**rule(raw, "37"), "id": "38"})
    message = only(raw, Flaw.NEVER_FIRES)
    assert (
        message
        == "rules.38 : cette règle ne répond jamais : « 37 » répond avant elle, "
        + message.partition("répond avant elle, ")[2]
    )
    assert "par exemple pour :" in message


def test_a_rule_whose_condition_cannot_be_never_fires() -> None:
    raw = siec_raw()
    raw["rules"].insert(0, {**rule(raw, "2"), "id": "0", "when": {"role": "general-inspector", "posting": "paris"}})
    assert "rules.0 : cette règle ne répond jamais : sa condition est impossible" in only(raw, Flaw.NEVER_FIRES)


def test_one_alternative_that_never_fires_is_found() -> None:
    raw = siec_raw()
    rule(raw, "8")["when"].append({"employer": "retired"})
    message = only(raw, Flaw.NEVER_FIRES)
    assert "rules.8 : cette règle, condition 3, ne répond jamais" in message
    assert "« 4 » répond avant elle" in message


def test_a_crossing_that_corrects_nothing_is_found() -> None:
    raw = siec_raw()
    raw["crossings"].append({**raw["crossings"][0], "id": "encore"})
    assert "crossings.encore" in only(raw, Flaw.NEVER_FIRES)


def test_every_rule_moved_to_the_end_is_refused_for_it_never_answers_there() -> None:
    names = [item["id"] for item in siec_raw()["rules"]][:-1]
    for name in names:
        raw = siec_raw()
        moved = rule(raw, name)
        raw["rules"].remove(moved)
        raw["rules"].append(moved)
        reader = Reader()
        prove(read_sheet(raw, reader), reader)
        assert Flaw.NEVER_FIRES in {finding.flaw for finding in reader.findings}, name


# a row of the document overturned


@pytest.mark.parametrize("name", ["2", "9", "10", "11", "15", "29", "30", "31", "32", "33", "34", "35"])
def test_a_row_of_the_document_cannot_be_given_another_door(name: str) -> None:
    raw = siec_raw()
    damaged = rule(raw, name)
    damaged["door"] = "arena-paris" if damaged["door"] == "direct" else "direct"
    damaged["sentence"] = {"fr": "Sans place.", "en": "No place."}
    findings = refused(raw).findings
    assert {finding.flaw for finding in findings} == {Flaw.PIN_OVERTURNED}
    assert any(f"par la règle «\u00a0{name}\u00a0» pour" in str(finding) for finding in findings)


def test_a_reading_put_before_a_row_of_the_document_is_found_even_where_it_takes_only_a_part() -> None:
    raw = siec_raw()
    early = {**rule(raw, "4"), "id": "intrus", "when": {"employer": "en", "role": "staff", "printed": "yes"}}
    raw["rules"].insert(0, early)
    message = only(raw, Flaw.PIN_OVERTURNED)
    assert "pins.personnel non enseignant" in message
    assert "la table répond « direct » par la règle « intrus »" in message
    assert "identifiant imprimé : oui" in message


def test_the_portals_cannot_be_swapped() -> None:
    raw = siec_raw()
    raw["doors"]["arena-paris"]["for"], raw["doors"]["arena-creteil"]["for"] = (
        raw["doors"]["arena-creteil"]["for"],
        raw["doors"]["arena-paris"]["for"],
    )
    assert "le document veut « arena-paris » (T2) ; la table répond « arena-creteil »" in only(raw, Flaw.PIN_OVERTURNED)


def test_nothing_printed_and_the_direct_door_even_in_second_is_found() -> None:
    raw = siec_raw()
    raw["crossings"] = [item for item in raw["crossings"] if item["id"] != "P0-reste"]
    assert "jamais « direct »" in only(raw, Flaw.PIN_OVERTURNED)
    raw = siec_raw()
    raw["crossings"] = [item for item in raw["crossings"] if item["id"] != "P0"]
    assert "jamais « direct »" in only(raw, Flaw.PIN_OVERTURNED)


def test_a_pin_on_an_impossible_situation_proves_nothing_and_is_refused() -> None:
    raw = siec_raw()
    raw["pins"][0]["when"] = {"role": "general-inspector", "posting": "paris"}
    assert "cette épingle ne prouve rien" in only(raw, Flaw.PIN_OVERTURNED)


def test_only_the_document_can_be_pinned() -> None:
    raw = siec_raw()
    raw["pins"][0]["clause"] = "P2"
    assert "seuls les mots du document" in only(raw, Flaw.MARK)


# doors and links


@pytest.mark.parametrize(
    "link", [None, "", "http://bv.ac-paris.fr", "bv.ac-paris.fr", "https://", "javascript:alert(1)"]
)
def test_a_door_without_a_link_in_https_is_refused(link: str | None) -> None:
    raw = siec_raw()
    if link is None:
        del raw["doors"]["arena-paris"]["link"]
    else:
        raw["doors"]["arena-paris"]["link"] = link
    assert "doors.arena-paris.link : il faut un lien en https" in only(raw, Flaw.NO_LINK)


def test_a_recovery_link_is_in_https_too() -> None:
    raw = siec_raw()
    raw["doors"]["arena-paris"]["recovery_link"] = "http://depannage.ac-paris.fr"
    assert "doors.arena-paris.recovery_link" in only(raw, Flaw.NO_LINK)


def test_a_family_without_a_door_for_a_situation_is_refused_with_the_situation() -> None:
    raw = siec_raw()
    del raw["doors"]["arena-versailles"]["for"]
    message = "\n".join(str(finding) for finding in refused(raw).findings if finding.flaw is Flaw.NO_DOOR)
    message = message.replace("\u00a0", " ")
    assert "rules.B1 : aucun accès ne convient à cette situation" in message
    assert "poste : académie de Versailles" in message


# texts


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("rules.29.sentence", lambda raw: rule(raw, "29")["sentence"]),
        ("rules.29.situation", lambda raw: rule(raw, "29")["situation"]),
        ("rules.34.notes[1]", lambda raw: rule(raw, "34")["notes"][0]),
        ("doors.direct.title", lambda raw: raw["doors"]["direct"]["title"]),
        ("doors.direct.recovery[1]", lambda raw: raw["doors"]["direct"]["recovery"][0]),
        ("doors.arena-paris.place", lambda raw: raw["doors"]["arena-paris"]["place"]),
        ("doors.direct.offers", lambda raw: raw["doors"]["direct"]["offers"][0]),
        ("questions.mail.title", lambda raw: raw["questions"][2]["title"]),
        ("questions.mail.answers.oui.label", lambda raw: raw["questions"][2]["answers"][0]["label"]),
        ("questions.mail.hints[1]", lambda raw: raw["questions"][2]["hints"][0]),
        ("pages.help.title", lambda raw: raw["pages"]["help"]["title"]),
        ("clauses.B1", lambda raw: raw["clauses"]["B1"]),
        ("contacts.siec", lambda raw: raw["contacts"]["siec"]),
        ("crossings.P0.sentence", lambda raw: raw["crossings"][0]["sentence"]),
        ("table.title", lambda raw: raw["title"]),
    ],
)
def test_a_text_that_lacks_a_language_is_refused(where: str, text: Callable[[Raw], Raw], language: str) -> None:
    raw = siec_raw()
    del text(raw)[language]
    assert f"{where} : il manque le texte en « {language} »" in only(raw, Flaw.NO_LANGUAGE)


def test_a_blank_text_is_no_text() -> None:
    raw = siec_raw()
    rule(raw, "29")["sentence"]["en"] = "  "
    assert "rules.29.sentence : il manque le texte en « en »" in only(raw, Flaw.NO_LANGUAGE)


def test_a_text_that_names_what_is_not_known_there_is_refused() -> None:
    raw = siec_raw()
    rule(raw, "1")["sentence"]["fr"] = "Le portail de {place}."
    assert "rules.1.sentence : « {place} » n’a pas de valeur ici" in only(raw, Flaw.PLACEHOLDER)


# marks


def test_a_rule_marked_document_cannot_rest_on_a_reading() -> None:
    raw = siec_raw()
    rule(raw, "24")["mark"] = "document"
    assert "repose sur une lecture (« P2 »)" in only(raw, Flaw.MARK)


def test_a_clause_of_the_document_quotes_it() -> None:
    raw = siec_raw()
    del raw["clauses"]["B1"]["quote"]
    assert "clauses.B1" in only(raw, Flaw.MARK)


def test_a_mark_is_document_or_reading_and_a_rule_rests_on_something() -> None:
    raw = siec_raw()
    rule(raw, "4")["mark"] = "sure"
    rule(raw, "5")["clauses"] = []
    message = only(raw, Flaw.MARK)
    assert "rules.4" in message
    assert "rules.5" in message


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
        ("groups", lambda raw: raw["groups"].update(shoe_size={"big": ["45"]})),
        ("questions.mail.answers.oui", lambda raw: raw["questions"][2]["answers"][0]["sets"].update(shoe="42")),
    ],
)
def test_a_name_that_does_not_exist_is_refused(place: str, damage: Callable[[Raw], None]) -> None:
    raw = siec_raw()
    damage(raw)
    findings = [finding for finding in refused(raw).findings if finding.flaw is Flaw.UNKNOWN_NAME]
    assert place in {finding.where for finding in findings}


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
