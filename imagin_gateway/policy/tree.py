"""The tree of questions of a table, with equal branches drawn once.

Doors of one family (the three portals) count as equal here: a tree that differs only
by the académie is one tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from imagin_gateway.policy.facts import FactsRefused
from imagin_gateway.policy.table import Policy
from imagin_gateway.policy.values import ASK, ELSEWHERE, Decision, Text


@dataclass(frozen=True, slots=True)
class End:
    """Where a branch ends: the door by its family, the second choice, and whether lost credentials come first."""

    outcome: str
    label: Text
    second: tuple[Text, ...]
    recover_first: bool

    def words(self, lang: str) -> str:
        """Return the end in words."""
        first = {"fr": "identifiants d’abord", "en": "credentials first"}[lang]
        then = {"fr": "puis", "en": "then"}[lang]
        told = self.label.get(lang) + (f" ({first})" if self.recover_first else "")
        return f", {then} ".join([told, *(_lower(text.get(lang)) for text in self.second)])


@dataclass(frozen=True, slots=True)
class Branch:
    """Answers that lead to the same place."""

    labels: tuple[Text, ...]
    target: Fork | End


@dataclass(frozen=True, slots=True)
class Fork:
    """One question, with its number in the interview."""

    question: str
    number: int
    title: Text
    branches: tuple[Branch, ...]


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]


def tree(policy: Policy) -> Fork | End:
    """Return the whole tree, from nothing known."""
    return _grow(policy, {})


def forks(root: Fork | End) -> list[Fork]:
    """Return every question of the tree once, in the order of their numbers."""
    found: dict[Fork, None] = {}

    def walk(node: Fork | End) -> None:
        if isinstance(node, Fork) and node not in found:
            found[node] = None
            for branch in node.branches:
                walk(branch.target)

    walk(root)
    return sorted(found, key=lambda fork: fork.number)


def _grow(policy: Policy, answers: dict[str, str]) -> Fork | End:
    step = policy.interview(answers)
    question = step.question
    if question is None:
        return _end(policy, step.decision)
    targets: dict[Fork | End, list[Text]] = {}
    for answer in question.answers:
        try:
            target = _grow(policy, {**answers, question.id: answer.id})
        except FactsRefused:  # this answer contradicts an earlier one: nobody is shown it
            continue
        targets.setdefault(target, []).append(answer.label)
    branches = tuple(Branch(tuple(labels), target) for target, labels in targets.items())
    return Fork(question.id, step.number, question.title, branches)


def _end(policy: Policy, decision: Decision) -> End:
    if decision.outcome in (ASK, ELSEWHERE):
        return End(decision.page, policy.pages[decision.page].title, (), False)
    door = policy.door(decision.outcome)
    second = tuple(dict.fromkeys(policy.door(name).family_name for name in decision.second))
    return End(door.family, door.family_name, second, decision.recover_first)


def tree_mermaid(policy: Policy, lang: str = "fr") -> str:
    """Return the tree as a Mermaid flow chart."""
    return "\n".join(["flowchart LR", *_mermaid_lines(tree(policy), "en" if lang == "en" else "fr"), ""])


def _mermaid_lines(root: Fork | End, lang: str) -> Iterator[str]:
    names: dict[Fork | End, str] = {}
    for number, fork in enumerate(forks(root), 1):
        names[fork] = f"q{number}"
        yield f'  q{number}["{fork.number}. {_quoted(fork.title.get(lang))}"]'
    for fork in forks(root):
        for branch in fork.branches:
            target = branch.target
            if target not in names:
                names[target] = f"e{len(names)}"
                yield f'  {names[target]}(["{_quoted(target.words(lang) if isinstance(target, End) else "")}"])'
            label = " · ".join(text.get(lang) for text in branch.labels)
            yield f'  {names[fork]} -- "{_quoted(label)}" --> {names[target]}'


def _quoted(words: str) -> str:
    return words.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
