"""Situations: what can be told, and what cannot be together."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given, settings

from imagin_gateway.errors import PolicyError
from imagin_gateway.policy import Facts, FactsRefused
from imagin_gateway.policy.academies import register
from imagin_gateway.policy.facts import CLASHES, box
from imagin_gateway.policy.vocabulary import ACADEMIES, DIMENSIONS, Posting, Printed
from tests.policy.strategies import TOLD, facts, possible


def test_facts_have_one_field_per_dimension_in_their_order() -> None:
    assert [field.name for field in fields(Facts) if field.init] == [dimension.name for dimension in DIMENSIONS]


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda dimension: dimension.name)
def test_every_dimension_has_unknown_first(dimension: object) -> None:
    words = list(dimension.words)  # type: ignore[attr-defined]  # a Dimension
    assert (words[0].name, str(words[0]), words[0].ordinal) == ("UNKNOWN", "unknown", 0)
    assert [word.ordinal for word in words] == list(range(len(words)))
    assert all(word.label for word in words)


def test_the_thirty_academies_are_postings() -> None:
    assert len(ACADEMIES) == 30
    assert {academie.posting for academie in register().academies} == set(ACADEMIES)


def test_nothing_told_is_all_unknown() -> None:
    assert Facts().index == (0,) * len(DIMENSIONS)
    assert Facts().describe() == "rien n’est connu"


def test_strings_and_members_are_the_same_facts() -> None:
    facts = Facts(posting=Posting.PARIS, printed=Printed.YES)
    assert Facts.parse({"posting": "paris", "printed": "yes"}) == facts
    assert hash(Facts.parse({"posting": "paris", "printed": "yes"})) == hash(facts)


def test_a_situation_is_told_in_french_with_its_spaces() -> None:
    told = Facts.parse({"posting": "paris", "printed": "yes"}).describe()
    assert told == "identifiant imprimé\u00a0: oui\u00a0; poste\u00a0: académie de Paris"


@pytest.mark.parametrize(
    "told",
    [
        {"posting": "lutece"},
        {"metier": "x"},
        {"posting": ""},
        {"posting": "PARIS"},
        {"index": "0"},
        {"posting": "paris "},
    ],
)
def test_an_unknown_name_or_value_is_refused_and_never_repeated(told: dict[str, str]) -> None:
    with pytest.raises(FactsRefused) as refused:
        Facts.parse(told)
    assert not any(value and value in str(refused.value) for value in told.values())
    assert "metier" not in str(refused.value)
    assert isinstance(refused.value, PolicyError)


@pytest.mark.parametrize("value", [None, 3, ["paris"], b"paris"])
def test_a_value_of_another_type_is_refused(value: object) -> None:
    with pytest.raises(FactsRefused):
        Facts(posting=value)  # type: ignore[arg-type]  # what an untyped caller may do


@pytest.mark.parametrize(
    ("told", "clash"),
    [
        ({"convocation": "none", "printed": "yes"}, ("convocation", "printed")),
        ({"convocation": "none", "printed": "no"}, ("convocation", "printed")),
        ({"employer": "en", "posting": "none"}, ("employer", "posting")),
        ({"employer": "retired", "posting": "paris"}, ("employer", "posting")),
        ({"employer": "en-away", "posting": "versailles"}, ("employer", "posting")),
        ({"role": "general-inspector", "posting": "creteil"}, ("posting", "role")),
        ({"employer": "en", "school": "hors-contrat"}, ("employer", "school")),
        ({"email": "no", "account": "active"}, ("email", "account")),
        ({"posting": "none", "second_posting": "served"}, ("posting", "second_posting")),
        ({"posting": "national", "second_posting": "served"}, ("posting", "second_posting")),
    ],
)
def test_what_cannot_be_together_is_refused_and_the_clash_named(told: dict[str, str], clash: tuple[str, ...]) -> None:
    with pytest.raises(FactsRefused) as refused:
        Facts.parse(told)
    assert refused.value.clash == clash
    assert all(name in str(refused.value) for name in clash)
    for name in told:  # each of them alone can be
        assert possible({name: told[name]})


def test_every_clash_is_tested_above() -> None:
    assert len(CLASHES) == 9


def test_a_lost_convocation_is_no_convocation() -> None:
    assert possible({"convocation": "none", "printed": "lost"})


@given(TOLD)
@settings(deadline=None)
def test_facts_are_refused_exactly_when_a_clash_says_so(told: dict[str, str]) -> None:
    ordinals = [
        next(word.ordinal for word in dimension.words if str(word) == told[dimension.name]) for dimension in DIMENSIONS
    ]
    clashing = any(
        all(mask & 1 << ordinal for mask, ordinal in zip(clash.box, ordinals, strict=True)) for clash in CLASHES
    )
    assert possible(told) is not clashing


@given(facts())
@settings(deadline=None)
def test_facts_survive_being_written_and_read(situation: Facts) -> None:
    told = {name: str(value) for name, value in situation.known()}
    assert Facts.parse(told) == situation
    assert Facts().but(told) == situation


def test_a_refusal_is_one_sentence_in_french_with_its_spaces() -> None:
    with pytest.raises(FactsRefused) as refused:
        Facts.parse({"convocation": "none", "printed": "yes"})
    assert str(refused.value) == (
        "convocation et printed s’excluent\u00a0: sans convocation, on ne peut dire si un identifiant y est imprimé"
    )


def test_a_box_holds_the_values_named_and_every_value_of_the_rest() -> None:
    assert box({}) == tuple((1 << len(dimension)) - 1 for dimension in DIMENSIONS)
    some = box({"printed": frozenset([Printed.UNKNOWN, Printed.NO])})
    assert some[1] == 1 | 1 << Printed.NO.ordinal
    assert some[:1] + some[2:] == box({})[:1] + box({})[2:]


def test_facts_are_shown_by_their_names_alone() -> None:
    assert "index" not in repr(Facts())


def test_facts_are_immutable() -> None:
    with pytest.raises(AttributeError):
        Facts().posting = Posting.PARIS  # type: ignore[misc]  # the point of the test
