"""What holds in every situation there can be."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from imagin_gateway.policy import ASK, ELSEWHERE, Decision, Facts, Mark, siec
from imagin_gateway.policy.diagram import NOTHING, build, find, leaves
from imagin_gateway.policy.facts import CLASHES
from imagin_gateway.policy.proof import facts_at
from imagin_gateway.policy.vocabulary import DIMENSIONS
from tests.policy.strategies import doors_offered, facts, first_rule, fits

DOORS = {"arena-creteil", "arena-paris", "arena-versailles", "direct"}
PORTAL = {"creteil": "arena-creteil", "paris": "arena-paris", "versailles": "arena-versailles"}


@given(facts())
@settings(max_examples=500, deadline=None)
def test_the_diagram_answers_as_the_table_read_line_by_line(situation: Facts) -> None:
    rule, decision = first_rule(siec(), situation), siec().decide(situation)
    assert decision.rule == rule.id
    outcome = PORTAL[situation.posting] if rule.outcome == "arena" else rule.outcome
    for crossing in siec().crossings:
        over = outcome in crossing.over or (outcome.startswith("arena-") and "arena" in crossing.over)
        if over and fits(crossing, situation):
            outcome = crossing.outcome or outcome
    assert decision.outcome == outcome


@given(facts())
@settings(max_examples=300, deadline=None)
def test_explain_ends_at_the_rule_that_answered_and_names_the_crossings(situation: Facts) -> None:
    decision, tried = siec().decide(situation), siec().explain(situation)
    rules = [line for line in tried if not line.crossing]
    assert [line.id for line in rules if line.fits] == [decision.rule]
    assert rules[-1].fits
    assert [line.id for line in rules] == [rule.id for rule in siec().rules[: len(rules)]]
    assert list(decision.crossings) == [line.id for line in tried if line.crossing and line.fits]
    assert all(line.why for line in tried)


@given(facts())
@settings(deadline=None)
def test_every_answer_carries_everything(situation: Facts) -> None:
    decision = siec().decide(situation)
    assert decision.outcome in DOORS | {ASK, ELSEWHERE}
    assert decision.page in DOORS | set(siec().pages)
    assert decision.sentence.fr
    assert decision.sentence.en
    assert decision.contact.text.fr
    assert decision.clauses
    assert set(doors_offered(decision)) <= DOORS
    assert len(set(doors_offered(decision))) == len(doors_offered(decision))


@given(facts())
@settings(deadline=None)
def test_never_a_dead_end(situation: Facts) -> None:
    decision = siec().decide(situation)
    if decision.door is None and decision.outcome != ELSEWHERE:
        assert decision.question or siec().pages[decision.page].doors
    assert decision.contact.mail or decision.outcome == ELSEWHERE


@given(facts())
@settings(deadline=None)
def test_nothing_printed_never_sends_anybody_to_the_direct_door(situation: Facts) -> None:
    decision = siec().decide(situation)
    if situation.printed == "no":
        assert "direct" not in doors_offered(decision)


@given(facts())
@settings(deadline=None)
def test_a_portal_is_offered_only_to_somebody_of_that_academie(situation: Facts) -> None:
    for door in doors_offered(siec().decide(situation)):
        if door != "direct":
            assert PORTAL.get(situation.posting) == door or (door, situation.posting) == ("arena-paris", "service")


@given(facts())
@settings(deadline=None)
def test_what_rests_on_the_document_rests_on_nothing_else(situation: Facts) -> None:
    decision = siec().decide(situation)
    if decision.mark is Mark.DOCUMENT:
        assert all(siec().clauses[clause].mark is Mark.DOCUMENT for clause in decision.clauses)
        assert decision.door is not None


@given(facts())
@settings(deadline=None)
def test_what_the_document_decides_is_not_marked_so_when_a_fact_it_needs_is_unknown(situation: Facts) -> None:
    decision = siec().decide(situation)
    if decision.mark is Mark.DOCUMENT and decision.outcome.startswith("arena-"):
        assert situation.employer == "en"
        assert situation.email == "yes" or situation.account in ("active", "lost")


@given(facts())
@settings(deadline=None)
def test_deciding_twice_is_the_same(situation: Facts) -> None:
    assert siec().decide(situation) == siec().decide(situation)


@given(facts())
@settings(deadline=None)
def test_a_settled_answer_has_a_door_or_a_page_of_doors(situation: Facts) -> None:
    settled: Decision = siec().decide(situation).settled()
    assert settled.door or settled.outcome == ELSEWHERE or siec().pages[settled.page].doors


def test_the_whole_space_is_proved_not_a_sample() -> None:
    total = 1
    for dimension in DIMENSIONS:
        total *= len(dimension)
    counts = siec().situations()
    impossible = total - sum(counts.values())
    assert 0 < impossible < total
    assert all(counts.values()), "every rule answers somewhere"


@given(st.data())
@settings(deadline=None)
def test_the_finder_gives_back_a_situation_of_the_rule_it_was_asked_for(data: st.DataObject) -> None:
    policy = siec()
    rule = data.draw(st.sampled_from([rule.id for rule in policy.rules]))
    decisions = policy._decisions

    def wanted(leaf: int) -> bool:
        decision = decisions[leaf]
        return leaf >= len(CLASHES) and decision is not None and decision.rule == rule

    found = find(policy._root, wanted)
    assert found is not None
    assert policy.decide(facts_at(found)).rule == rule


def test_the_rules_together_answer_every_situation_that_can_be_once() -> None:
    root, _ = build([clash.box for clash in CLASHES])
    possible = dict(leaves(root))[NOTHING]
    assert sum(siec().situations().values()) == possible
