"""Which question to ask next: the one after which the fewest questions are left, on average.

The tree is searched whole: from what is known, every order of questions and every
answer is followed to its end. A question is asked only if it can still change the door.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from imagin_gateway.policy.facts import Facts, FactsRefused
from imagin_gateway.policy.values import ASK, Answer, Decision, Question


@dataclass(frozen=True, slots=True)
class Step:
    """Where an interview stands.

    Attributes:
        question: what to ask now, or None when it is over.
        number: number of that question, from 1; when it is over, how many were asked plus one.
        decision: the answer when it is over; before, what would be answered now.
        facts: what the answers told.
        answers: the answers given, in the order in which the questions are asked.
    """

    question: Question | None
    number: int
    decision: Decision
    facts: Facts
    answers: Mapping[str, str]

    @property
    def over(self) -> bool:
        """True when there is nothing more to ask."""
        return self.question is None


class Interview:
    """The questions of one table, and the search for the next one."""

    def __init__(self, questions: Sequence[Question], look_up: Callable[[Facts], Decision]) -> None:
        self.questions = tuple(questions)
        self._look_up = look_up
        self._next = lru_cache(maxsize=16384)(self._search)
        self._ends = lru_cache(maxsize=16384)(self._all_ends)
        self._open = lru_cache(maxsize=16384)(self._all_open)

    def next(self, facts: Facts, asked: frozenset[str] = frozenset()) -> Question | None:
        """Return the question to ask now, or None if none can still change the door."""
        return self._next(facts, asked)[1]

    def depth(self, facts: Facts, asked: frozenset[str] = frozenset()) -> tuple[int, tuple[tuple[str, str], ...]]:
        """Return how many questions may still be asked at most, and answers that lead there."""
        question = self.next(facts, asked)
        if question is None:
            return 0, ()
        found: tuple[int, tuple[tuple[str, str], ...]] = (0, ())
        for answer, told in self.told(question, facts):
            below, path = self.depth(told, asked | {question.id})
            if below + 1 > found[0]:
                found = (below + 1, ((question.id, answer.id), *path))
        return found

    def told(self, question: Question, facts: Facts) -> Iterator[tuple[Answer, Facts]]:
        """Yield each answer that does not contradict what is known, with what is known after it."""
        known = dict(facts.known())
        for answer in question.answers:
            if all(known.get(name, word) is word for name, word in answer.sets.items()):
                try:
                    yield answer, facts.but({name: str(word) for name, word in answer.sets.items()})
                except FactsRefused:
                    continue

    def _all_open(self, facts: Facts, asked: frozenset[str]) -> list[tuple[Question, list[Facts]]]:
        """Return each question not yet asked that can tell something new, with what may be known after it."""
        found = []
        for question in self.questions:
            if question.id not in asked:
                after = [told for _, told in self.told(question, facts)]
                if any(told != facts for told in after):
                    found.append((question, after))
        return found

    def _all_ends(self, facts: Facts, asked: frozenset[str]) -> frozenset[str]:
        """Return every door (or `elsewhere`) that answers may still lead to."""
        ends = {self._look_up(facts).outcome} - {ASK}
        for question, after in self._open(facts, asked):
            for told in after:
                ends |= self._ends(told, asked | {question.id})
        return frozenset(ends)

    def _search(self, facts: Facts, asked: frozenset[str]) -> tuple[float, Question | None]:
        """Return the mean number of questions left, and the one to ask now."""
        outcome = self._look_up(facts).outcome
        if self._ends(facts, asked) <= {outcome}:
            return 0.0, None
        best: tuple[float, Question | None] = (float("inf"), None)
        for question, after in self._open(facts, asked):
            left = 1 + sum(self._next(told, asked | {question.id})[0] for told in after) / len(after)
            if left < best[0] - 1e-9:  # on a tie, the order of the table
                best = (left, question)
        return best if best[1] is not None else (0.0, None)
