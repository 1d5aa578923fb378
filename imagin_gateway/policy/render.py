"""A table in words: the matrix as text, Markdown and CSV; an explanation; the tree as Mermaid and SVG.

Pure functions that return text; the command line and the documentation print it.
"""

from __future__ import annotations

import csv
import io
from textwrap import wrap

from imagin_gateway.policy.facts import Facts
from imagin_gateway.policy.svg import tree_svg
from imagin_gateway.policy.table import Policy
from imagin_gateway.policy.tree import tree_mermaid
from imagin_gateway.policy.typography import spaced
from imagin_gateway.policy.values import ASK, ELSEWHERE, Crossing, Decision, Mark, Rule

__all__ = [
    "decision_text",
    "explanation_text",
    "matrix_csv",
    "matrix_markdown",
    "matrix_rows",
    "matrix_text",
    "tree_mermaid",
    "tree_svg",
]

_WORDS = {
    "fr": {
        "head": ("Ligne", "Règle", "Situation", "Accès", "Repose sur", "Clauses"),
        Mark.DOCUMENT: "document",
        Mark.READING: "lecture",
        ASK: "à préciser",
        ELSEWHERE: "ailleurs",
        "then": "puis",
        "crossing": "recoupe",
        "recover": "identifiants d’abord",
        "keeps": "inchangé",
    },
    "en": {
        "head": ("Line", "Rule", "Situation", "Door", "Rests on", "Clauses"),
        Mark.DOCUMENT: "document",
        Mark.READING: "reading",
        ASK: "to be asked",
        ELSEWHERE: "elsewhere",
        "then": "then",
        "crossing": "crosses",
        "recover": "credentials first",
        "keeps": "unchanged",
    },
}


def _language(lang: str) -> str:
    return "en" if lang == "en" else "fr"


def _name(policy: Policy, outcome: str, lang: str) -> str:
    if outcome in (ASK, ELSEWHERE):
        return str(_WORDS[lang][outcome])
    if outcome in policy.doors:
        return policy.door(outcome).name.get(lang)
    return next(door.family_name.get(lang) for door in policy.doors.values() if door.family == outcome)


def matrix_rows(policy: Policy, lang: str = "fr") -> list[tuple[str, ...]]:
    """Return the matrix as rows of cells; the first row is the head, the crossings come last."""
    lang = _language(lang)
    words = _WORDS[lang]
    rows: list[tuple[str, ...]] = [tuple(words["head"])]
    for rule in policy.rules:
        door = f", {words['then']} ".join(
            _name(policy, name, lang) for name in (rule.outcome, *rule.second, *rule.then)
        )
        rows.append((str(rule.line or ""), *_cells(rule, door, lang)))
    for crossing in policy.crossings:
        changes = [_name(policy, crossing.outcome, lang)] if crossing.outcome else []
        changes += [f"+ {_name(policy, name, lang)}" for name in crossing.add]
        changes += [f"− {_name(policy, name, lang)}" for name in crossing.drop]
        changes += [str(words["recover"])] if crossing.recover_first else []
        rows.append((str(words["crossing"]), *_cells(crossing, " ".join(changes) or str(words["keeps"]), lang)))
    return rows


def _cells(line: Rule | Crossing, door: str, lang: str) -> tuple[str, ...]:
    return (line.id, line.situation.get(lang), door, str(_WORDS[lang][line.mark]), ", ".join(line.clauses))


def matrix_markdown(policy: Policy, lang: str = "fr") -> str:
    """Return the matrix as a Markdown table."""
    head, *rows = [[cell.replace("|", "\\|") for cell in row] for row in matrix_rows(policy, lang)]
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def matrix_csv(policy: Policy, lang: str = "fr") -> str:
    """Return the matrix as CSV (RFC 4180: commas, CRLF)."""
    out = io.StringIO()
    csv.writer(out).writerows(matrix_rows(policy, lang))
    return out.getvalue()


def matrix_text(policy: Policy, lang: str = "fr", width: int = 110) -> str:
    """Return the matrix as text of at most `width` columns: number, door and mark, then the situation under them."""
    rows = matrix_rows(policy, lang)[1:]
    lines = []
    for line, rule, situation, door, mark, clauses in rows:
        head = f"{line or '·':>7}  {rule}"
        rests_on = f"[{mark}: {clauses}]" if lang == "en" else spaced(f"[{mark} : {clauses}]")
        lines.append(f"{head:<28} {door}  {rests_on}")
        lines += wrap(situation, width, initial_indent=" " * 9, subsequent_indent=" " * 9)
    return "\n".join(lines) + "\n"


def decision_text(policy: Policy, decision: Decision, lang: str = "fr") -> str:
    """Return a decision in a few lines: the door, why, what it rests on, what to try next, whom to write to."""
    lang = _language(lang)
    words, french = _WORDS[lang], lang == "fr"
    rule = ", ".join((decision.rule, *decision.crossings))
    lines = [_name(policy, decision.outcome, lang)]
    if decision.door:
        lines[0] += f" ({policy.door(decision.door).link})"
    lines.append(decision.sentence.get(lang))
    lines.append(f"Règle {rule}, {words[decision.mark]}" if french else f"Rule {rule}, {words[decision.mark]}")
    if decision.second:
        names = ", ".join(_name(policy, name, lang) for name in decision.second)
        lines.append(f"En second : {names}" if french else f"Second choice: {names}")
    question = next((item for item in policy.all_questions if item.id == decision.question), None)
    if question is not None:
        title = question.title.get(lang)
        lines.append(f"À demander : {title}" if french else f"Ask: {title}")
    lines += [note.get(lang) for note in decision.notes]
    lines.append(decision.contact.text.get(lang))
    return (spaced("\n".join(lines)) if french else "\n".join(lines)) + "\n"


def explanation_text(policy: Policy, facts: Facts, *, others: bool = True) -> str:
    """Return the decision, then the lines that fit and why, in French; of the others, too, why they did not."""
    lines = [decision_text(policy, policy.decide(facts)), f"{facts.describe()}\n"]
    lines += [str(tried) for tried in policy.explain(facts) if others or tried.fits]
    return "\n".join(lines) + "\n"
