"""The proof of what the document says for sure, door by door of a family, on tables as small as they can be."""

from __future__ import annotations

from dataclasses import replace

from imagin_gateway.policy import Facts, Flaw, siec
from imagin_gateway.policy.diagram import build
from imagin_gateway.policy.facts import box
from imagin_gateway.policy.proof import _prove_pin
from imagin_gateway.policy.reader import Reader
from imagin_gateway.policy.reading import read_sheet
from imagin_gateway.policy.sheet import Pin
from imagin_gateway.policy.values import Decision
from imagin_gateway.policy.vocabulary import Posting
from tests.policy.damage import only, rule
from tests.policy.strategies import siec_raw

SERVED = (Posting.CRETEIL, Posting.PARIS, Posting.VERSAILLES)

_GIVEN = siec().decide(Facts())


def given(outcome: str, *second: str, then: tuple[str, ...] = ()) -> Decision:
    return replace(_GIVEN, outcome=outcome, rule="7", second=second, then=then)


def found(pin: Pin, *decisions: Decision | None, postings: tuple[Posting, ...] = SERVED) -> list[str]:
    """Return what is wrong with a pin in a table that answers by the posting alone, and not at all to other ones."""
    reader = Reader()
    sheet = read_sheet(siec_raw(), reader)
    root, _ = build([box({"posting": frozenset([posting])}) for posting in postings])
    _prove_pin(sheet, reader, pin, root, decisions)
    assert {finding.flaw for finding in reader.findings} <= {Flaw.PIN_OVERTURNED}
    return [str(finding).replace("\u00a0", " ") for finding in reader.findings]


def pin(outcome: str, *postings: Posting, never: bool = False) -> Pin:
    return Pin("p", "T1", {"posting": frozenset(postings)} if postings else {}, outcome, never)


ARENA = [given("arena-creteil"), given("arena-paris"), given("arena-versailles")]


def test_each_door_of_a_family_is_proved_for_its_own_academie() -> None:
    assert found(pin("arena"), *ARENA) == []
    for wrong, outcome in enumerate(("arena-creteil", "arena-paris", "arena-versailles")):
        decisions = [given("direct") if number == wrong else each for number, each in enumerate(ARENA)]
        (told,) = found(pin("arena"), *decisions)
        assert told.startswith(
            f"pins.p : le document veut « {outcome} » (T1) ; la table répond « direct » par la règle"
        )
        assert "« 7 » pour : poste : académie de" in told


def test_a_door_that_the_pin_does_not_speak_of_is_not_asked_for() -> None:
    for posting in SERVED:
        assert found(pin("arena", posting), *ARENA) == []
    assert "veut « arena-versailles »" in found(pin("arena", Posting.VERSAILLES), *ARENA[:2], given("direct"))[0]


def test_a_pin_is_real_when_one_door_of_its_family_is() -> None:
    for real in range(3):
        assert found(pin("arena"), *(each if number == real else None for number, each in enumerate(ARENA))) == []


NOTHING_PROVED = "pins.p : aucune situation possible : cette épingle ne prouve rien"


def test_where_nothing_is_decided_nothing_is_proved_even_if_the_last_entry_decides() -> None:
    assert found(pin("arena"), None, None, None) == [NOTHING_PROVED]
    # No entry answers elsewhere than in Paris, and the last of the table is a decision.
    assert found(pin("direct", Posting.NATIONAL), None, given("direct")) == [NOTHING_PROVED]
    assert found(pin("direct", Posting.NATIONAL, never=True), None, given("direct")) == [NOTHING_PROVED]


def test_what_may_never_be_is_found_as_the_first_the_second_and_a_later_choice() -> None:
    never = pin("direct", Posting.PARIS, never=True)
    assert found(never, None, given("arena-paris"), None) == []
    for decision in (given("direct"), given("arena-paris", "direct"), given("arena-paris", then=("direct",))):
        (told,) = found(never, None, decision, None)
        assert "le document veut jamais « direct » (T1)" in told


def test_where_a_flaw_stands_is_told() -> None:
    raw = siec_raw()
    raw["rules"].pop()
    assert only(raw, Flaw.NO_ANSWER).startswith("rules : aucune règle ne répond à cette situation")


def test_what_the_first_rule_of_all_covers_never_fires_after_it() -> None:
    raw = siec_raw()
    first = raw["rules"][0]
    raw["rules"].insert(1, {**first, "id": "encore"})
    assert f"rules.encore : cette règle ne répond jamais : « {first['id']} » répond avant elle" in only(
        raw, Flaw.NEVER_FIRES
    )


def test_of_two_conditions_the_one_that_never_fires_is_told_and_of_one_none() -> None:
    raw = siec_raw()
    alone = rule(raw, "37").get("when", {})
    rule(raw, "37")["when"] = [alone, alone]
    assert "rules.37 : cette règle, condition 2, ne répond jamais" in only(raw, Flaw.NEVER_FIRES)
