"""ARENA's values of several fields (`FrEduRne` and its like), and the codes they are made of.

A value that is not in its written form is none. `X` or blank means "no value".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from imagin_gateway.policy.hints import check_letter

_UAI: Final = re.compile(r"[0-9]{7}[A-Z]")
NOTHING: Final = frozenset({"", "X"})
"""What is written where there is no value."""

_CODE: Final = re.compile(r"[A-Za-z0-9_-]{0,16}")
_NATURE: Final = re.compile(r"[0-9]{0,3}")
_DATE: Final = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})")


@dataclass(frozen=True, slots=True)
class Posting:
    """`FrEduRne`: where a person works. `uai` has its right check letter; other fields may be ""."""

    uai: str
    kind: str
    sector: str
    function: str
    school: str
    tna: str
    school_type: str
    nature: str


@dataclass(frozen=True, slots=True)
class Responsibility:
    """`FrEduRneResp`: a school in somebody's charge."""

    uai: str
    kind: str
    sector: str
    flag: str
    tna: str
    school_type: str
    nature: str


@dataclass(frozen=True, slots=True)
class Delegation:
    """`FrEduResDel`: rights lent by another person, for a time. Not a posting."""

    application: str
    resource: str
    begins: date
    ends: date
    delegator: str
    schools: tuple[Responsibility, ...]
    server: str
    function: str


@dataclass(frozen=True, slots=True)
class Management:
    """`FrEduGestResp`: schools managed for a time; the fields after the dates are as written."""

    begins: date
    ends: date
    fields: tuple[str, ...]


def is_uai(text: str) -> bool:
    """Tell whether `text` is the code of a school or service, check letter included."""
    return _UAI.fullmatch(text) is not None and check_letter(text[:7]) == text[7]


def parse_posting(value: str) -> Posting | None:
    """Read one `FrEduRne`: eight fields joined by `$`. None when it is anything else."""
    fields = [_valued(part) for part in value.split("$")]
    if len(fields) != 8 or not is_uai(fields[0]) or not _are_codes(fields[1:7]) or not _NATURE.fullmatch(fields[7]):
        return None
    return Posting(*fields)


def parse_responsibility(value: str) -> Responsibility | None:
    """Read one `FrEduRneResp`: seven fields joined by `$`. None when it is anything else."""
    fields = [_valued(part) for part in value.split("$")]
    if len(fields) != 7 or not is_uai(fields[0]) or not _are_codes(fields[1:6]) or not _NATURE.fullmatch(fields[6]):
        return None
    return Responsibility(*fields)


def parse_delegation(value: str) -> Delegation | None:
    """Read one `FrEduResDel`: eight fields, each followed by `|`. None when it is anything else."""
    fields = value.split("|")
    if len(fields) != 9 or fields[8]:
        return None
    application, resource, begins_on, ends_on, delegator, schools_told, server, function = map(_valued, fields[:8])
    label, equals, joined = schools_told.partition("=")
    begins, ends = parse_date(begins_on), parse_date(ends_on)
    schools = [parse_responsibility(school) for school in joined.split(";")] if joined else []
    if begins is None or ends is None or ends < begins or (schools_told and (label, equals) != ("FrEduRneResp", "=")):
        return None
    whole = tuple(school for school in schools if school is not None)
    if not application or len(whole) != len(schools):
        return None
    return Delegation(application, resource, begins, ends, delegator, whole, server, function)


def parse_management(value: str) -> Management | None:
    """Read one `FrEduGestResp`: two dates, then fields joined by `$`. None when it is anything else."""
    begins_on, _, rest = value.partition("$")
    ends_on, _, told = rest.partition("$")
    begins, ends = parse_date(begins_on), parse_date(ends_on)
    if begins is None or ends is None or ends < begins or not told.strip("$ "):
        return None
    return Management(begins, ends, tuple(_valued(part) for part in told.split("$")))


def parse_date(text: str) -> date | None:
    """Read `dd/mm/yyyy`; an open end is written 31/12/9999."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    day, month, year = (int(part) for part in found.groups())
    try:
        return date(year, month, day)
    except ValueError:
        return None


def is_code(value: str) -> bool:
    """Tell whether `value` is a short code: letters, digits, `_` and `-`, 16 at the most."""
    return _CODE.fullmatch(value) is not None


def _valued(part: str) -> str:
    stripped = part.strip()
    return "" if stripped in NOTHING else stripped


def _are_codes(fields: Iterable[str]) -> bool:
    return all(map(is_code, fields))
