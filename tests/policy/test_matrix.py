"""Every line of the situation matrix, and what cuts across them."""

from __future__ import annotations

import pytest

from imagin_gateway.policy import ASK, ELSEWHERE, Facts, Mark, siec

D, R = Mark.DOCUMENT, Mark.READING
IDF = ("creteil", "paris", "versailles")
CRETEIL = {"employer": "en", "posting": "creteil"}
WITH_MAIL = {**CRETEIL, "email": "yes"}

LINES: list[tuple[int, dict[str, str], str, Mark]] = [
    (1, {"convocation": "elsewhere"}, ELSEWHERE, R),
    (1, {"convocation": "elsewhere", **WITH_MAIL}, ELSEWHERE, R),
    (2, {"role": "general-inspector"}, "direct", D),
    (2, {"role": "general-inspector", "employer": "en", "posting": "national", "email": "yes"}, "direct", D),
    (3, {"employer": "several", "printed": "yes"}, "direct", R),
    (3, {"employer": "several", "printed": "no", "posting": "creteil"}, "arena-creteil", R),
    (3, {"employer": "several", "posting": "creteil", "email": "yes"}, ASK, R),
    (4, {"employer": "retired", "email": "yes"}, "direct", R),
    (5, {"employer": "en-away", "email": "yes"}, "direct", R),
    (6, {"employer": "agriculture", "role": "teacher", "school": "public", "posting": "paris"}, "direct", R),
    (7, {"employer": "agriculture", "role": "teacher", "school": "sous-contrat"}, "direct", R),
    (7, {"employer": "ministry", "role": "teacher", "school": "other-ministry"}, "direct", R),
    (8, {"employer": "higher-education"}, "direct", R),
    (8, {"employer": "en", "posting": "paris", "school": "higher-education", "email": "yes"}, "direct", R),
    (9, {"employer": "ministry"}, "direct", D),
    (9, {"employer": "agriculture", "role": "staff"}, "direct", D),
    (10, {"employer": "company"}, "direct", D),
    (11, {"employer": "hired"}, "direct", D),
    (11, {"employer": "outside", "role": "invigilator"}, "direct", D),
    (12, {"employer": "territorial", "school": "public"}, "direct", R),
    (13, {"employer": "school-body", "school": "sous-contrat"}, "direct", R),
    (14, {"role": "teacher", "school": "hors-contrat"}, "direct", R),
    (14, {"employer": "school-body", "role": "teacher", "school": "hors-contrat"}, "direct", R),
    (15, {"employer": "outside", "role": "trainer", "school": "cfa"}, "direct", D),
    (15, {"employer": "company", "role": "trainer"}, "direct", D),
    (16, {**CRETEIL, "role": "trainer", "school": "cfa", "email": "no"}, "direct", R),
    (17, {**CRETEIL, "email": "no"}, "direct", R),
    (17, {**CRETEIL, "role": "teacher", "school": "public", "email": "no"}, "direct", R),
    (18, CRETEIL, ASK, R),
    (18, {**CRETEIL, "email": "forgotten"}, ASK, R),
    (18, {**CRETEIL, "email": "forgotten", "printed": "yes"}, "direct", R),
    (18, {**CRETEIL, "email": "forgotten", "printed": "lost"}, "arena-creteil", R),
    (19, {**WITH_MAIL, "account": "inactive"}, ASK, R),
    (19, {**WITH_MAIL, "account": "no-link"}, ASK, R),
    (19, {**WITH_MAIL, "account": "inactive", "printed": "yes"}, "direct", R),
    (20, {**WITH_MAIL, "second_posting": "served"}, ASK, R),
    (20, {"employer": "en", "second_posting": "served"}, ASK, R),
    (21, {**WITH_MAIL, "second_posting": "elsewhere"}, "arena-creteil", R),
    (22, {"employer": "en", "posting": "service", "email": "yes"}, "arena-paris", R),
    (23, {"employer": "en", "posting": "region", "email": "yes"}, ASK, R),
    (24, {**WITH_MAIL, "role": "trainer", "school": "cfa"}, "arena-creteil", R),
    (24, {**WITH_MAIL, "role": "trainer", "school": "cfa", "printed": "yes"}, "direct", R),
    (25, {**WITH_MAIL, "role": "invigilator"}, "arena-creteil", R),
    (25, {**WITH_MAIL, "role": "invigilator", "printed": "yes"}, "direct", R),
    (26, {**WITH_MAIL, "role": "teacher", "school": "other-ministry"}, "arena-creteil", R),
    (27, {"employer": "en-leave", "posting": "creteil", "email": "yes"}, "arena-creteil", R),
    (28, {"employer": "en-seconded", "posting": "creteil", "email": "yes"}, "arena-creteil", R),
    (29, {**WITH_MAIL, "role": "teacher", "school": "public"}, "arena-creteil", D),
    (30, {**WITH_MAIL, "role": "teacher", "school": "sous-contrat"}, "arena-creteil", D),
    (31, {**WITH_MAIL, "role": "substitute", "account": "active"}, "arena-creteil", D),
    (32, {**WITH_MAIL, "role": "inspector"}, "arena-creteil", D),
    (33, {**WITH_MAIL, "role": "staff"}, "arena-creteil", D),
    (34, {"employer": "en", "posting": "rennes", "role": "teacher", "email": "yes"}, "direct", D),
    (34, {"employer": "en", "posting": "corse", "role": "teacher"}, "direct", D),
    (34, {"employer": "en", "posting": "mayotte", "role": "substitute"}, "direct", D),
    (35, {"employer": "en", "posting": "rennes", "role": "staff"}, "direct", D),
    (36, {"employer": "en", "posting": "national", "email": "yes"}, "direct", R),
    (37, {}, ASK, R),
]


@pytest.mark.parametrize(
    ("line", "told", "door", "mark"), LINES, ids=[f"{item[0]}-{i}" for i, item in enumerate(LINES)]
)
def test_line_of_the_matrix(line: int, told: dict[str, str], door: str, mark: Mark) -> None:
    decision = siec().decide(Facts.parse(told))
    assert (decision.line, decision.outcome, decision.mark) == (line, door, mark)


def test_every_line_of_the_matrix_is_there() -> None:
    assert {line for line, *_ in LINES} == set(range(1, 38))
    assert {rule.line for rule in siec().rules} - {None} == set(range(1, 38))


@pytest.mark.parametrize("posting", IDF)
@pytest.mark.parametrize(("line", "told", "door", "mark"), [item for item in LINES if item[2] == "arena-creteil"])
def test_a_portal_is_the_one_of_the_posting(
    posting: str, line: int, told: dict[str, str], door: str, mark: Mark
) -> None:
    decision = siec().decide(Facts.parse({**told, "posting": posting}))
    assert (decision.line, decision.door, decision.mark) == (line, f"arena-{posting}", mark)


# second choices told by the matrix


@pytest.mark.parametrize("line", [24, 25])
def test_conflict_2_gives_both_doors_and_a_printed_identifier_turns_them_round(line: int) -> None:
    facts = Facts.parse({**WITH_MAIL, "role": "trainer" if line == 24 else "invigilator"})
    first, turned = siec().decide(facts), siec().decide(facts.but({"printed": "yes"}))
    assert (first.door, first.second) == ("arena-creteil", ("direct",))
    assert (turned.door, turned.second) == ("direct", ("arena-creteil",))


def test_conflict_1_keeps_the_portal_in_second() -> None:
    for role in ("trainer", "teacher", "unknown"):
        assert siec().decide(Facts.parse({**CRETEIL, "email": "no", "role": role})).second == ("arena-creteil",)


def test_forgotten_is_not_none_recovery_comes_first_then_the_direct_door() -> None:
    decision = siec().decide(Facts.parse({"convocation": "ours", **CRETEIL, "email": "forgotten"}))
    assert decision.question == "imprime"
    assert decision.recover_first
    settled = decision.settled()
    assert (settled.door, settled.second, settled.rule) == ("arena-creteil", ("direct",), "18")


def test_lost_credentials_keep_the_door_and_put_recovery_first() -> None:
    kept, lost = (siec().decide(Facts.parse({**WITH_MAIL, "account": state})) for state in ("active", "lost"))
    assert (kept.door, kept.recover_first) == ("arena-creteil", False)
    assert (lost.door, lost.recover_first) == ("arena-creteil", True)


def test_an_account_that_lags_is_no_password_problem_the_contact_is_the_managing_office() -> None:
    decision = siec().decide(Facts.parse({**WITH_MAIL, "account": "no-link", "printed": "lost"}))
    assert (decision.outcome, decision.contact.id, decision.second) == (ASK, "office", ("arena-creteil",))


def test_several_academies_get_the_three_doors_and_no_question_more() -> None:
    several = siec().interview({"emetteur": "siec", "poste": "plusieurs"})
    region = siec().decide(Facts.parse({"convocation": "ours", "employer": "en", "posting": "region"}))
    assert several.over
    assert region.question is None
    assert several.decision.page == region.page == "several"
    assert siec().pages["several"].doors == ("arena-creteil", "arena-paris", "arena-versailles")


def test_another_academie_is_warned_of_the_link_in_its_own_portal() -> None:
    for role in ("teacher", "staff"):
        (note,) = siec().decide(Facts.parse({"employer": "en", "posting": "dijon", "role": role})).notes
        assert "votre propre académie ouvre une autre application" in note.fr
        assert note.mark is Mark.READING


# what cuts across the lines


@pytest.mark.parametrize(
    "told",
    [item[1] for item in LINES if item[2] == "direct" and "printed" not in item[1] and item[0] not in (16, 17)],
)
def test_direct_with_nothing_printed_is_impossible_the_office_on_the_convocation_decides(told: dict[str, str]) -> None:
    decision = siec().decide(Facts.parse({**told, "convocation": "ours", "printed": "no"}))
    assert (decision.outcome, decision.page, decision.contact.id) == (ASK, "help", "office")
    assert "P0" in decision.crossings
    assert "service indiqué sur votre convocation" in decision.contact.text.fr


@pytest.mark.parametrize("email", ["no", "unknown", "forgotten"])
def test_posted_here_with_nothing_printed_only_the_portal_is_left_recovery_first(email: str) -> None:
    decision = siec().decide(Facts.parse({**CRETEIL, "convocation": "ours", "printed": "no", "email": email}))
    assert (decision.door, decision.second, decision.recover_first) == ("arena-creteil", (), True)
    assert decision.contact.id == "office"


@pytest.mark.parametrize("told", [item[1] for item in LINES if item[2] == "direct" and "printed" not in item[1]])
def test_direct_with_a_lost_convocation_says_that_the_identifier_is_not_recovered_on_line(told: dict[str, str]) -> None:
    decision = siec().decide(Facts.parse({**told, "convocation": "ours", "printed": "lost"}))
    assert decision.door == "direct"
    assert any(
        "ne se retrouve pas en ligne" in note.fr and "imagin@siec.education.fr" in note.fr for note in decision.notes
    )


@pytest.mark.parametrize("told", [item[1] for item in LINES if item[0] in (26, 27, 28, 29, 30, 31, 32, 33)])
def test_outside_the_conflicts_a_printed_identifier_does_not_overturn_the_portal(told: dict[str, str]) -> None:
    decision = siec().decide(Facts.parse({**told, "convocation": "ours", "printed": "yes"}))
    assert (decision.door, decision.second) == ("arena-creteil", ("direct",))


def test_an_employer_outside_goes_before_the_school_it_works_in() -> None:
    for employer in ("agriculture", "ministry", "territorial", "school-body"):
        told = {"employer": employer, "posting": "paris", "school": "public", "role": "teacher", "email": "yes"}
        assert siec().decide(Facts.parse(told)).door == "direct"


def test_without_an_employer_a_posting_is_believed_but_only_as_a_reading() -> None:
    decision = siec().decide(Facts.parse({"posting": "paris", "email": "yes", "role": "teacher", "school": "public"}))
    assert (decision.door, decision.mark, decision.second) == ("arena-paris", R, ("direct",))
