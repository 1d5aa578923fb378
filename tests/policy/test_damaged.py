"""A table damaged in each possible way is refused, for the right reason, with the counter-example in words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from imagin_gateway.policy import Flaw
from imagin_gateway.policy.loading import build
from imagin_gateway.policy.proof import prove
from imagin_gateway.policy.reader import Reader
from imagin_gateway.policy.reading import read_sheet
from tests.policy.damage import Raw, only, refused, rule
from tests.policy.strategies import siec_raw


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


@pytest.mark.parametrize("text", ["Une accolade { seule.", "Une accolade } seule.", "{{place}}"])
def test_a_brace_that_people_would_read_is_refused(text: str) -> None:
    raw = siec_raw()
    rule(raw, "29")["sentence"]["fr"] = text
    assert "rules.29.sentence : une accolade y est seule" in only(raw, Flaw.PLACEHOLDER)


@pytest.mark.parametrize(
    ("where", "damage"),
    [
        ("contacts.siec", lambda raw: raw["contacts"]["siec"].update(fr="Écrivez à {contact}.")),
        ("questions.poste.title", lambda raw: raw["questions"][1]["title"].update(fr="À {place} ?")),
        ("questions.mail.hints[1]", lambda raw: raw["questions"][2]["hints"][0].update(fr="Se termine par {domain}")),
        ("questions.mail.answers.oui.label", lambda raw: raw["questions"][2]["answers"][0]["label"].update(fr="{oui}")),
        ("pages.elsewhere.instead", lambda raw: raw["pages"]["elsewhere"]["instead"].update(fr="{contact}")),
        ("pages.help.title", lambda raw: raw["pages"]["help"]["title"].update(en="{contact}")),
        ("doors.direct.offers", lambda raw: raw["doors"]["direct"]["offers"][1]["note"].update(fr="{contact}")),
        ("rules.4.situation", lambda raw: rule(raw, "4")["situation"].update(fr="À {place}")),
    ],
)
def test_a_text_in_which_nothing_is_filled_names_nothing(where: str, damage: Callable[[Raw], None]) -> None:
    raw = siec_raw()
    damage(raw)
    assert f"{where} : «" in (told := only(raw, Flaw.PLACEHOLDER)) or f"{where}.note : «" in told


@pytest.mark.parametrize("mail", ["imagin siec", "mailto:imagin@siec.education.fr", "imagin@siec", "a@b.fr, c@d.fr"])
def test_a_contact_that_no_mail_reaches_is_refused(mail: str) -> None:
    raw = siec_raw()
    raw["contacts"]["siec"]["mail"] = mail
    assert "contacts.siec.mail : une adresse électronique est attendue, ou rien" in only(raw, Flaw.SHAPE)


@pytest.mark.parametrize("key", ["link", "recovery_link"])
@pytest.mark.parametrize(
    "link",
    [
        *("https://[", "https://a.fr:port/", "https://a.fr:99999/", "https://a.fr/une page", " https://a.fr/"),
        *("https://a.fr/\n", "https://a.fr/\u202e", "https://moi:secret@a.fr/", 'https://a.fr/"', "https:\\\\a.fr"),
    ],
)
def test_a_link_that_no_browser_follows_as_written_is_refused_and_no_fault(key: str, link: str) -> None:
    raw = siec_raw()
    raw["doors"]["arena-paris"][key] = link
    assert f"doors.arena-paris.{key} : il faut un lien en https" in only(raw, Flaw.NO_LINK)


def test_a_link_may_have_a_port_a_query_and_accents() -> None:
    raw = siec_raw()
    raw["doors"]["arena-paris"]["link"] = "https://académie.example:8443/é?a=1&b=[2]#c"
    assert build(raw).doors["arena-paris"].host == "académie.example"


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
