"""Who comes out of the claims."""

from __future__ import annotations

from typing import Any

import pytest

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.oidc.person import texts
from tests.clock import ManualClock
from tests.providers.oidc.journey import ISSUER, house
from tests.providers.oidc.provider import Provider


def refused(provider: Provider, clock: ManualClock, **config: Any) -> AnswerRefused:
    with pytest.raises(AnswerRefused) as caught:
        house(provider, clock, **config).login()
    return caught.value


POSTINGS = ["0750001U$UAJ$PU$ENS$0750001U$T3$LYC$300", "0693045K$UAJ$PU$ADM$0693045K$T3$LP$320"]


@pytest.mark.parametrize(
    ("claim", "value", "expected"),
    [
        ("FrEduRne", POSTINGS, tuple(POSTINGS)),
        ("FrEduRne", POSTINGS[0], (POSTINGS[0],)),
        ("FrEduRne", [POSTINGS[0]], (POSTINGS[0],)),
        ("codaca", "001", ("001",)),
        ("codaca", 1, ("1",)),
        ("title", "ENS", ("ENS",)),
        ("TITLE", ["ENS"], ("ENS",)),
    ],
)
def test_attributes_of_arena_come_as_claims(
    provider: Provider, clock: ManualClock, claim: str, value: object, expected: tuple[str, ...]
) -> None:
    provider.person[claim] = value
    attributes = house(provider, clock).login().attributes
    assert {name.lower(): values for name, values in attributes.items()}[claim.lower()] == expected


def test_only_the_vocabulary_is_kept(provider: Provider, clock: ManualClock) -> None:
    provider.person.update(
        employeeNumber="01E9501234ABC", datenaissance="01/01/1980", groups=["admin"], address={"locality": "Paris"}
    )
    arrival = house(provider, clock).login()
    assert arrival.attributes == {
        "ctln": ("Lefèvre",),
        "ctfn": ("Élodie",),
        "ctemail": ("elodie.lefevre@ac-paris.fr",),
    }


@pytest.mark.row("OID-25")
def test_the_person_is_issuer_and_sub_and_never_the_mail(provider: Provider, clock: ManualClock) -> None:
    def key(**person: str) -> tuple[str, str]:
        provider.person.update(person)
        arrival = house(provider, clock).login()
        return arrival.issuer, arrival.subject

    first = key()
    assert first == (ISSUER, "person-1")
    assert key(email="married.name@ac-paris.fr", family_name="Autre") == first
    assert key(sub="person-2") != first


@pytest.mark.parametrize(("told", "subject"), [("ELefevre1", "elefevre1"), (["elefevre"], "elefevre")])
def test_another_claim_may_tell_people_apart(
    provider: Provider, clock: ManualClock, told: object, subject: str
) -> None:
    provider.person["ct-remote-user"] = told
    assert house(provider, clock, subject_attribute="ct-remote-user").login().subject == subject


@pytest.mark.parametrize("told", [None, "", "  ", "X", [], ["a", "b"], {"a": 1}, True, "01E9501234ABC", "a\nb"])
def test_without_one_value_that_tells_them_apart_nobody_comes_in(
    provider: Provider, clock: ManualClock, told: object
) -> None:
    if told is not None:
        provider.person["ct-remote-user"] = told
    error = refused(provider, clock, subject_attribute="ct-remote-user")
    assert (error.code, error.missing) == (Code.ATTRIBUTE_MISSING, ("ct-remote-user",))


def test_a_required_attribute_that_lacks_is_named(provider: Provider, clock: ManualClock) -> None:
    error = refused(provider, clock, required_attributes=("ctln", "FrEduRne", "codaca"))
    assert (error.code, error.missing) == (Code.ATTRIBUTE_MISSING, ("FrEduRne", "codaca"))
    provider.person.update(FrEduRne=POSTINGS, codaca="001")
    house(provider, clock, required_attributes=("ctln", "FrEduRne", "codaca")).login()


@pytest.mark.parametrize("codaca", ["024", 24, "25", ["001", "024"], ["1", 25], "paris", "-1", "1.0", "0"])
def test_an_agent_of_another_academie_is_refused(provider: Provider, clock: ManualClock, codaca: object) -> None:
    provider.person["codaca"] = codaca
    assert refused(provider, clock, academie=1).code is Code.SCOPE_VIOLATION


@pytest.mark.parametrize("codaca", ["001", "01", "1", 1, ["001", 1]])
def test_an_agent_of_the_academie_comes_in_however_its_code_is_written(
    provider: Provider, clock: ManualClock, codaca: object
) -> None:
    provider.person["codaca"] = codaca
    assert house(provider, clock, academie=1).login().subject == "person-1"


def test_a_claim_of_the_id_token_cannot_be_hidden_by_the_userinfo(provider: Provider, clock: ManualClock) -> None:
    provider.edit_claims = lambda claims: claims.update(codaca="024")
    provider.edit_userinfo = lambda claims: claims.update(codaca="001")
    assert refused(provider, clock, academie=1).code is Code.SCOPE_VIOLATION


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("a", ("a",)),
        ("", ("",)),
        (24, ("24",)),
        (["a", 1, None, True, {"x": 1}, ["b"]], ("a", "1")),
        (True, ()),
        (None, ()),
        (1.5, ()),
        ({"a": 1}, ()),
    ],
)
def test_a_claim_is_a_text_a_whole_number_or_a_list_of_them(claim: object, expected: tuple[str, ...]) -> None:
    assert texts(claim) == expected
