"""Read a table from TOML and prove it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from imagin_gateway.policy.findings import Flaw, TableRefused
from imagin_gateway.policy.proof import prove
from imagin_gateway.policy.reader import Reader, read_file, read_toml
from imagin_gateway.policy.reading import read_sheet
from imagin_gateway.policy.sheet import Sheet
from imagin_gateway.policy.table import Policy

SIEC = Path(__file__).with_name("siec.toml")
"""The table of SIEC's connection page."""

_SOFT = {Flaw.NO_LANGUAGE, Flaw.NO_LINK, Flaw.PLACEHOLDER, Flaw.MARK}
"""Findings that leave the meaning of the rules readable: the proof still runs, to find everything at once."""


def build(raw: Mapping[str, Any], source: str = "") -> Policy:
    """Prove a table already read from TOML. Raises `TableRefused` with every finding."""
    reader = Reader()
    sheet = read_sheet(raw, reader)
    policy = None
    if all(finding.flaw in _SOFT for finding in reader.findings):
        policy = Policy(sheet, prove(sheet, reader))
        if not any(finding.flaw in (Flaw.NO_ANSWER, Flaw.NO_DOOR) for finding in reader.findings):
            _prove_questions(sheet, policy, reader)
    if policy is None or reader.findings:
        raise TableRefused(list(dict.fromkeys(reader.findings)), source)
    return policy


def _prove_questions(sheet: Sheet, policy: Policy, reader: Reader) -> None:
    depth, path = policy.longest_interview()
    if depth > sheet.max_questions:
        told = ", ".join(f"{question} = {answer}" for question, answer in path)
        message = f"{depth} questions pour : {told} ; la table en permet {sheet.max_questions}"
        reader.note(Flaw.TOO_MANY_QUESTIONS, "questions", message)


def parse(text: str, source: str = "") -> Policy:
    """Read and prove a table from TOML. Raises `TableRefused` with every finding."""
    return build(read_toml(text, source), source)


def load(path: str | Path) -> Policy:
    """Read and prove the table of a file.

    Raises:
        TableRefused: with every finding; also if the file cannot be read.
    """
    return parse(*read_file(path))


@cache
def siec() -> Policy:
    """Return the table of SIEC's connection page, proved once per process."""
    return load(SIEC)
