"""The questions: the fewest that can still change the door, four at most."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagin_gateway.policy import ASK, ELSEWHERE, Facts, FactsRefused, Question, Step, siec
from tests.policy.strategies import facts

QUESTIONS = {question.id: [answer.id for answer in question.answers] for question in siec().all_questions}
ANSWERS = st.fixed_dictionaries({}, optional={name: st.sampled_from(answers) for name, answers in QUESTIONS.items()})


def ask(**answers: str) -> Step:
    return siec().interview(answers)


def question(step: Step) -> str | None:
    return step.question.id if step.question is not None else None


def end(step: Step) -> tuple[str, tuple[str, ...]]:
    assert step.over
    return step.decision.page, step.decision.second


def test_the_convocation_is_asked_first_then_the_posting() -> None:
    assert (question(ask()), ask().number) == ("emetteur", 1)
    for answer in ("siec", "aucune", "inconnu"):
        assert (question(ask(emetteur=answer)), ask(emetteur=answer).number) == ("poste", 2)


def test_a_convocation_from_elsewhere_ends_at_once() -> None:
    assert end(ask(emetteur="autre")) == ("elsewhere", ())
    assert ask(emetteur="autre").decision.outcome == ELSEWHERE


@pytest.mark.parametrize(("poste", "page"), [("ailleurs", "direct"), ("hors_en", "direct"), ("plusieurs", "several")])
def test_not_posted_here_or_in_several_is_settled_in_two_questions(poste: str, page: str) -> None:
    assert end(ask(emetteur="siec", poste=poste))[0] == page


@pytest.mark.parametrize("academie", ["creteil", "paris", "versailles"])
def test_posted_here_with_an_academic_address_is_settled_in_three(academie: str) -> None:
    door = f"arena-{academie}"
    assert question(ask(emetteur="siec", poste=academie)) == "mail"
    assert end(ask(emetteur="siec", poste=academie, mail="oui")) == (door, ())
    lost = ask(emetteur="siec", poste=academie, mail="perdu")
    assert end(lost) == (door, ())
    assert lost.decision.recover_first


@pytest.mark.parametrize("mail", ["non", "inconnu"])
def test_without_a_sure_address_the_convocation_is_looked_at(mail: str) -> None:
    here = {"emetteur": "siec", "poste": "paris", "mail": mail}
    assert (question(ask(**here)), ask(**here).number) == ("imprime", 4)
    assert end(ask(**here, imprime="oui")) == ("direct", ("arena-paris",))
    nothing = ask(**here, imprime="non")
    assert end(nothing) == ("arena-paris", ())
    assert nothing.decision.recover_first


def test_unsure_of_everything_but_the_posting_gets_two_doors_in_order() -> None:
    for imprime in ("perdue", "inconnu"):
        step = ask(emetteur="siec", poste="paris", mail="inconnu", imprime=imprime)
        assert end(step) == ("arena-paris", ("direct",))
        assert step.decision.recover_first


def test_unsure_of_the_posting_is_asked_for_the_printed_identifier() -> None:
    here = {"emetteur": "siec", "poste": "inconnu"}
    assert (question(ask(**here)), ask(**here).number) == ("imprime", 3)
    assert end(ask(**here, imprime="oui")) == ("direct", ())
    assert end(ask(**here, imprime="non")) == ("help", ())


def test_sure_of_nothing_gets_every_door_and_a_contact() -> None:
    step = ask(emetteur="inconnu", poste="inconnu", imprime="inconnu", mail="inconnu")
    assert end(step) == ("help", ())
    assert siec().pages["help"].doors == tuple(siec().doors)
    assert step.decision.contact.mail


def test_nobody_without_a_convocation_is_asked_what_is_printed_on_it() -> None:
    for poste in QUESTIONS["poste"]:
        for mail in QUESTIONS["mail"]:
            assert question(ask(emetteur="aucune", poste=poste, mail=mail)) != "imprime"


def test_an_answer_that_tells_nothing_is_not_asked_again() -> None:
    seen: dict[str, str] = {}
    while (step := siec().interview(seen)).question is not None:
        assert step.question.id not in seen
        seen[step.question.id] = "inconnu"
    assert len(seen) == 4


def test_the_hint_of_the_address_names_the_academie_when_it_is_known() -> None:
    for academie in ("creteil", "paris", "versailles"):
        asked = ask(emetteur="siec", poste=academie).question
        assert asked is not None
        assert asked.hint is not None
        assert asked.hint.fr == f"Elle se termine par ac-{academie}.fr"
    asked = ask(emetteur="siec", poste="inconnu", imprime="inconnu").question
    assert asked is not None
    assert asked.hint is not None
    assert "académie" in asked.hint.fr


def test_every_question_ends_with_i_do_not_know() -> None:
    for asked in siec().all_questions:
        assert asked.answers[-1].label.fr == "Je ne sais pas"
        assert not asked.answers[-1].sets


def test_nobody_is_asked_more_than_four_questions() -> None:
    assert siec().longest_interview()[0] == siec().max_questions == 4


@given(ANSWERS)
@settings(deadline=None)
def test_whatever_is_answered_in_whatever_order_four_are_enough(answers: dict[str, str]) -> None:
    try:
        step = siec().interview(answers)
    except FactsRefused:
        return
    for _ in range(5):
        if step.question is None:
            break
        assert step.number <= 4
        answers[step.question.id] = "inconnu"
        step = siec().interview(answers)
    assert step.over


@given(ANSWERS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_the_query_string_does_not_matter(answers: dict[str, str], random: Random) -> None:
    shuffled = list(answers.items())
    random.shuffle(shuffled)
    try:
        step = siec().interview(answers)
    except FactsRefused:
        with pytest.raises(FactsRefused):
            siec().interview(dict(shuffled))
        return
    again = siec().interview(dict(shuffled))
    assert (again.question, again.decision, again.number) == (step.question, step.decision, step.number)
    assert dict(again.answers) == answers


def test_answers_come_back_in_the_order_they_are_asked_so_that_the_last_can_be_taken_back() -> None:
    step = siec().interview({"mail": "non", "poste": "paris", "emetteur": "siec"})
    assert list(step.answers) == ["emetteur", "poste", "mail"]


@given(ANSWERS)
@settings(deadline=None)
def test_a_question_is_asked_only_if_it_can_still_change_the_door(answers: dict[str, str]) -> None:
    try:
        step = siec().interview(answers)
    except FactsRefused:
        return
    if step.question is None:
        return
    ends = set()
    stack = [answers]
    while stack:
        told = stack.pop()
        try:
            here = siec().interview(told)
        except FactsRefused:
            continue
        ends.add(here.decision.outcome)
        if here.question is not None:
            stack += [{**told, here.question.id: answer.id} for answer in here.question.answers]
    assert ends != {step.decision.outcome}


@pytest.mark.parametrize(
    "answers",
    [
        {"idp": "https://evil.example"},
        {"poste": "lutece"},
        {"poste": ""},
        {"emetteur": "siec", "numen": "01E9501234ABC"},
    ],
)
def test_a_question_or_an_answer_that_does_not_exist_is_refused_and_never_repeated(answers: dict[str, str]) -> None:
    with pytest.raises(FactsRefused) as refused:
        siec().interview(answers)
    assert not any(value and value in str(refused.value) for value in answers.values())


def test_answers_that_exclude_each_other_are_refused() -> None:
    for imprime in ("oui", "non"):
        with pytest.raises(FactsRefused):
            ask(emetteur="aucune", imprime=imprime)


@given(facts())
@settings(deadline=None, max_examples=60)
def test_a_question_is_asked_only_if_some_answer_agrees_with_what_is_known(situation: Facts) -> None:
    asked, decision = siec().question(situation), siec().decide(situation)
    if decision.outcome == ASK:
        assert decision.question == (asked.id if asked else None)
    if asked is not None:
        known = dict(situation.known())
        agreeing = [answer for answer in asked.answers if all(known.get(n, w) is w for n, w in answer.sets.items())]
        assert any(set(answer.sets) - set(known) for answer in agreeing)


def test_what_is_declared_is_not_asked_again() -> None:
    asked = siec().question(Facts.parse({"convocation": "ours"}))
    assert asked is not None
    assert asked.id == "poste"
    asked = siec().question(Facts.parse({"convocation": "ours", "employer": "en", "posting": "paris"}))
    assert asked is not None
    assert asked.id == "mail"


def test_a_known_direct_person_is_asked_nothing() -> None:
    assert siec().question(Facts.parse({"convocation": "ours", "employer": "company", "printed": "yes"})) is None


def test_a_hint_stands_under_its_own_question_alone() -> None:
    (paris,) = [each.sets for each in _question("poste").answers if each.id == "paris"]
    asked = siec().question(replace(Facts(), **paris))  # type: ignore[arg-type]  # values of the answer
    assert asked is not None
    assert asked.id == "emetteur"
    assert asked.hint == _question("emetteur").hint


def _question(name: str) -> Question:
    return next(question for question in siec().all_questions if question.id == name)


def test_the_table_tells_the_name_of_its_service() -> None:
    assert siec().name == "siec"
    assert "SIEC" in siec().title.fr
