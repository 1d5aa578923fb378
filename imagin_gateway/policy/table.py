"""A proved table, and what may be asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from imagin_gateway.identity import Activity
from imagin_gateway.policy.facts import Facts, FactsRefused
from imagin_gateway.policy.interview import Interview, Step
from imagin_gateway.policy.values import (
    ASK,
    Clause,
    Contact,
    Crossing,
    Decision,
    DoorInfo,
    EndPage,
    Question,
    Rule,
    Text,
)

if TYPE_CHECKING:
    from imagin_gateway.policy.explain import Tried
    from imagin_gateway.policy.proof import Proved
    from imagin_gateway.policy.sheet import Sheet


class Policy:
    """One proved table. Immutable, safe to share between threads. Made by `load`, `parse` or `siec`."""

    def __init__(self, sheet: Sheet, proved: Proved) -> None:
        self._sheet = sheet
        self._root = proved.root
        self._decisions = proved.decisions
        self._doors = MappingProxyType(dict(sheet.doors))
        self._pages = MappingProxyType(dict(sheet.pages))
        self._clauses = MappingProxyType(dict(sheet.clauses))
        self._contacts = MappingProxyType(dict(sheet.contacts))
        self._interview = Interview(sheet.questions, self._look_up)
        self._asking = lru_cache(maxsize=4096)(self._ask)

    # what the table says

    @property
    def name(self) -> str:
        """Short name of the table, e.g. ``"siec"``."""
        return self._sheet.name

    @property
    def title(self) -> Text:
        """Name of the service, for people."""
        return self._sheet.title

    @property
    def max_questions(self) -> int:
        """Most questions anybody is asked (proved)."""
        return self._sheet.max_questions

    @property
    def doors(self) -> Mapping[str, DoorInfo]:
        """Every door by id, in the order of the table."""
        return self._doors

    @property
    def pages(self) -> Mapping[str, EndPage]:
        """The end pages that are not a door: ``elsewhere``, ``several``, ``help``."""
        return self._pages

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in order."""
        return self._sheet.rules

    @property
    def crossings(self) -> tuple[Crossing, ...]:
        """What cuts across the rules, in order."""
        return self._sheet.crossings

    @property
    def clauses(self) -> Mapping[str, Clause]:
        """What the rules rest on."""
        return self._clauses

    @property
    def contacts(self) -> Mapping[str, Contact]:
        """Whom to write to."""
        return self._contacts

    @property
    def all_questions(self) -> tuple[Question, ...]:
        """Every question of the table."""
        return self._sheet.questions

    def door(self, name: str) -> DoorInfo:
        """Return a door by its id. Raises `KeyError` if the table has no such door."""
        return self._doors[name]

    def activities(self, door: str) -> frozenset[Activity]:
        """Return what a door opens to somebody who *proved* who they are; nothing for an unknown door."""
        info = self._doors.get(door)
        return info.activities if info is not None else frozenset()

    # what it answers

    def _look_up(self, facts: Facts) -> Decision:
        node = self._root
        for ordinal in facts.index:
            node = node[ordinal]
        decision = self._decisions[node]
        if decision is None:
            raise FactsRefused("cette situation est impossible")
        return decision

    def decide(self, facts: Facts) -> Decision:
        """Return the decision for these facts: a look-up in the proved table.

        When the facts do not decide, `Decision.question` is the question to ask next, if one might.
        """
        node = self._root
        for ordinal in facts.index:
            node = node[ordinal]
        decision: Decision | None = self._decisions[node]
        if decision is None or decision.outcome == ASK:
            return self._asking(facts)
        return decision

    def _ask(self, facts: Facts) -> Decision:
        decision, question = self._look_up(facts), self.question(facts)
        return replace(decision, question=question.id) if question is not None else decision

    def explain(self, facts: Facts) -> list[Tried]:
        """Return every rule tried and why it did not fit, to the one that answered; then every crossing."""
        from imagin_gateway.policy.explain import explain

        return explain(self._sheet, facts, self._look_up(facts).crossings)

    def question(self, facts: Facts, asked: frozenset[str] = frozenset()) -> Question | None:
        """Return the question that separates the remaining doors fastest, or None if none can change the door.

        Args:
            facts: what is known.
            asked: ids of the questions already asked, whatever was answered.
        """
        question = self._interview.next(facts, asked)
        return self._worded(question, facts) if question is not None else None

    def _worded(self, question: Question, facts: Facts) -> Question:
        for hint in self._sheet.hints:
            if hint.question == question.id and all(getattr(facts, name) in told for name, told in hint.when.items()):
                return replace(question, hint=hint.text)
        return question

    def longest_interview(self) -> tuple[int, tuple[tuple[str, str], ...]]:
        """Return how many questions anybody is asked at most, from nothing known, and answers that lead there."""
        return self._interview.depth(Facts())

    def situations(self) -> dict[str, int]:
        """Return how many of the possible situations each rule answers: the size of what was proved."""
        from imagin_gateway.policy.diagram import leaves

        counts = dict.fromkeys((rule.id for rule in self._sheet.rules), 0)
        for number, amount in leaves(self._root):
            decision = self._decisions[number]
            if decision is not None:
                counts[decision.rule] += amount
        return counts

    def facts(self, answers: Mapping[str, str]) -> Facts:
        """Return what these answers tell (question id → answer id).

        Raises:
            FactsRefused: a question or an answer does not exist, or two answers exclude each other.
        """
        facts = Facts()
        questions = {question.id: question for question in self._sheet.questions}
        for name, told in answers.items():
            answer = questions[name].answer(told) if name in questions else None
            if answer is None:
                raise FactsRefused("cette question ou cette réponse n’existe pas")
            known = dict(facts.known())
            clash = tuple(fact for fact, word in answer.sets.items() if known.get(fact, word) is not word)
            if clash:
                raise FactsRefused("deux réponses se contredisent", clash)
            facts = facts.but({fact: str(word) for fact, word in answer.sets.items()})
        return facts

    def interview(self, answers: Mapping[str, str]) -> Step:
        """Return the next question, or the decision when there is nothing more to ask.

        An answer that tells nothing (« Je ne sais pas ») counts as asked: it is not asked again.

        Args:
            answers: question id → answer id, as in the query string, in any order.

        Raises:
            FactsRefused: a question or an answer does not exist, or two answers exclude each other.
        """
        facts = self.facts(answers)
        ordered: dict[str, str] = {}
        while (asked := self._interview.next(self.facts(ordered), frozenset(ordered))) and asked.id in answers:
            ordered[asked.id] = answers[asked.id]
        ordered.update((name, told) for name, told in answers.items() if name not in ordered)
        question = self.question(facts, frozenset(answers))
        decision = self._look_up(facts)
        return Step(
            question=question,
            number=len(answers) + 1,
            decision=replace(decision, question=question.id) if question is not None else decision.settled(),
            facts=facts,
            answers=MappingProxyType(ordered),
        )
