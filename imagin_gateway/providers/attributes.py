"""ARENA's vocabulary: what an académie tells about a person, and how much of it enters.

Attributes come as SAML attributes or as OpenID claims under the same names. Only
what is listed here is kept (RGPD art. 5.1.c); the NUMEN and the details of a
career stop at the border. A value that is not in its written form is skipped and
never logged. `X` or blank means "no value". Names are compared without case.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeVar
from urllib.parse import urlsplit

from imagin_gateway.providers.fredu import (
    NOTHING,
    Delegation,
    Management,
    Posting,
    Responsibility,
    is_code,
    is_uai,
    parse_delegation,
    parse_management,
    parse_posting,
    parse_responsibility,
)

MAX_VALUE_CHARS: Final = 8192
"""A delegation may list a few hundred schools in one value."""

MAX_VALUES: Final = 512

SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "ct-remote-user": ("ct-remote-user",),
        "ctln": ("ctln", "family_name", "sn", "urn:oid:2.5.4.4"),
        "ctfn": ("ctfn", "given_name", "givenName", "urn:oid:2.5.4.42"),
        "cn": ("cn", "urn:oid:2.5.4.3"),
        "ctemail": ("ctemail", "email", "mail", "urn:oid:0.9.2342.19200300.100.1.3"),
        "title": ("title", "urn:oid:2.5.4.12"),
        "rne": ("rne",),
        "codaca": ("codaca",),
        "FrEduRne": ("FrEduRne",),
        "FrEduRneResp": ("FrEduRneResp",),
        "FrEduFonctAdm": ("FrEduFonctAdm",),
        "FrEduResDel": ("FrEduResDel",),
        "FrEduGestResp": ("FrEduGestResp",),
        "FrEduUrlRetour": ("FrEduUrlRetour",),
    }
)
"""What is kept, under ARENA's name, and the names it may come under; the first one present is read."""

NEVER_KEPT: Final = frozenset({"employeenumber", "urn:oid:2.16.840.1.113730.3.1.3"})
"""The NUMEN, in lower case: never an identifier, whatever the settings say."""

_T = TypeVar("_T")

_NUMEN: Final = re.compile(r"[0-9]{2}[A-Z][0-9]{7}[A-Z]{3}", re.IGNORECASE)
_NUMEN_CHARS: Final = 13
_ACADEMIE: Final = re.compile(r"[0-9]{1,3}")
_MAIL: Final = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,64}@[A-Za-z0-9.-]{1,255}")
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Mapped:
    """What is kept of a portal's attributes.

    Attributes:
        attributes: by ARENA's name, well-formed values only, as written.
        academies: codes of `codaca`, as integers; normally one.
        postings: `FrEduRne`, parsed; likewise the next three.
    """

    family_name: str = ""
    given_name: str = ""
    full_name: str = ""
    email: str = ""
    academies: frozenset[int] = frozenset()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    postings: tuple[Posting, ...] = ()
    responsibilities: tuple[Responsibility, ...] = ()
    delegations: tuple[Delegation, ...] = ()
    managed: tuple[Management, ...] = ()
    academie_unreadable: bool = False
    present: frozenset[str] = frozenset()
    """Names that came with a value, in lower case, kept or not: for `missing` alone."""

    def belongs_to(self, academie: int) -> bool:
        """Tell whether every académie named is this one; an unreadable code belongs nowhere (row SAM-23)."""
        return not self.academie_unreadable and self.academies <= {academie}

    def missing(self, required: Iterable[str]) -> tuple[str, ...]:
        """Return the names among `required` for which there is no usable value."""
        return tuple(name for name in required if not self._has(name))

    def _has(self, name: str) -> bool:
        canonical = _CANONICAL.get(name.lower())
        return canonical in self.attributes if canonical else name.lower() in self.present

    def __repr__(self) -> str:
        # Names and schools stay out of logs and tracebacks.
        return f"Mapped({sorted(self.attributes)})"


def map_attributes(
    raw: Mapping[str, Sequence[str]],
    *,
    names: Mapping[str, Sequence[str]] = MappingProxyType({}),
    return_hosts: Collection[str] = (),
) -> Mapped:
    """Keep what the vocabulary lists, and parse it.

    Args:
        raw: every value under each name, as the portal proved them.
        names: by ARENA's name, those under which this portal tells it; they go before the usual ones.
        return_hosts: hosts that `FrEduUrlRetour` may lead to, lower case; with none, that address is dropped.
    """
    found = _by_name(raw)
    kept: dict[str, tuple[str, ...]] = {}
    parsed: dict[str, list[object]] = {}
    for canonical, spellings in _FOLDED.items():
        told_as = (*map(str.lower, names[canonical]), *spellings) if canonical in names else spellings
        for name in told_as:
            if values := found.get(name):
                break
        else:
            continue
        if parse := _PARSERS.get(canonical):
            read = [(value, found_in) for value in values if (found_in := parse(value)) is not None]
            fine, parsed[canonical] = tuple(value for value, _ in read), [each for _, each in read]
        else:
            fine = tuple(filter(_CHECKS[canonical], values))
        if fine:
            kept[canonical] = fine
    if returns := tuple(url for url in kept.pop("FrEduUrlRetour", ()) if _leads_to(url, return_hosts)):
        kept["FrEduUrlRetour"] = returns
    telling_academie = {"codaca", *map(str.lower, names.get("codaca", ()))}
    codes = [code.strip() for name, values in raw.items() if name.lower() in telling_academie for code in values]
    codes = [code for code in codes if code not in NOTHING]
    return Mapped(
        family_name=_first(kept, "ctln"),
        given_name=_first(kept, "ctfn"),
        full_name=_first(kept, "cn"),
        email=_first(kept, "ctemail"),
        academies=frozenset(int(code) for code in codes if _is_academie(code)),
        academie_unreadable=not all(_is_academie(code) for code in codes),
        attributes=MappingProxyType(kept),
        postings=_of(Posting, parsed.get("FrEduRne", ())),
        responsibilities=_of(Responsibility, parsed.get("FrEduRneResp", ())),
        delegations=_of(Delegation, parsed.get("FrEduResDel", ())),
        managed=_of(Management, parsed.get("FrEduGestResp", ())),
        present=frozenset(found),
    )


def canonical_name(name: str, names: Mapping[str, Sequence[str]] = MappingProxyType({})) -> str:
    """Return ARENA's name of what a portal calls `name`, "" if it is outside the vocabulary; `names` as above."""
    folded = name.lower()
    given = (canonical for canonical, others in names.items() if folded in map(str.lower, others))
    return next((canonical for canonical in given if canonical in SPELLINGS), _CANONICAL.get(folded, ""))


def subject(raw: Mapping[str, Sequence[str]], name: str) -> str:
    """Return the one value of the attribute that tells people apart, or "" when there is none to rely on.

    Several different values tell nobody apart; an empty one means that nobody is
    authenticated; a NUMEN is never an identifier. An academic identifier
    (`ct-remote-user`) is the same person in capitals, and comes back in lower case.
    """
    looked_for = name.lower()
    values = {value.strip() for key, group in raw.items() if key.lower() == looked_for for value in group}
    if len(values) != 1 or looked_for in NEVER_KEPT:
        return ""
    value = values.pop()
    if not _may_enter(value):
        return ""
    return as_compared(name, value)


def as_compared(name: str, subject: str) -> str:
    """Return an identifier as it is compared, `name` being the attribute that tells it."""
    return subject.lower() if name.lower() == "ct-remote-user" and subject.isascii() else subject


def _by_name(raw: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return the values that may be kept, by name in lower case; two spellings of one name are one name."""
    found: dict[str, dict[str, None]] = {}
    for name, values in raw.items():
        if (folded := name.lower()) in NEVER_KEPT:
            continue
        for value in values[:MAX_VALUES]:
            if _may_enter(told := value.strip()):
                found.setdefault(folded, {})[told] = None
    return {name: tuple(values)[:MAX_VALUES] for name, values in found.items()}


def _may_enter(value: str) -> bool:
    """Tell whether a value says something, can be shown, and is no NUMEN."""
    if value in NOTHING or len(value) > MAX_VALUE_CHARS or not _is_plain(value):
        return False
    return len(value) != _NUMEN_CHARS or _NUMEN.fullmatch(value) is None


def _is_plain(value: str) -> bool:
    """Refuse what does not show: controls, line ends, direction marks."""
    # What Python calls printable holds none of them; only what it does not is looked at closely.
    return value.isprintable() or not any(unicodedata.category(c) in _UNSEEN for c in value)


def _is_academie(code: str) -> bool:
    return _ACADEMIE.fullmatch(code) is not None and int(code) > 0


def _is_text(value: str) -> bool:
    return len(value) <= 1024


def _is_mail(value: str) -> bool:
    return len(value) <= 254 and _MAIL.fullmatch(value) is not None


def _is_https(value: str) -> bool:
    return value.startswith("https://") and value.isascii() and not set(value) & set(' "<>\\^`{|}')


def _leads_to(url: str, hosts: Collection[str]) -> bool:
    try:
        parts = urlsplit(url)
        return parts.username is None and parts.password is None and parts.port is None and parts.hostname in hosts
    except ValueError:
        return False


def _first(kept: Mapping[str, tuple[str, ...]], name: str) -> str:
    return kept[name][0] if name in kept else ""


def _of(kind: type[_T], read: Iterable[object]) -> tuple[_T, ...]:
    return tuple(each for each in read if isinstance(each, kind))


_CHECKS: Final[Mapping[str, Callable[[str], bool]]] = {
    **dict.fromkeys(("ct-remote-user", "ctln", "ctfn", "cn", "title"), _is_text),
    "ctemail": _is_mail,
    "rne": is_uai,
    "codaca": _is_academie,
    "FrEduFonctAdm": is_code,
    "FrEduUrlRetour": _is_https,
}

_PARSERS: Final[Mapping[str, Callable[[str], object]]] = {
    "FrEduRne": parse_posting,
    "FrEduRneResp": parse_responsibility,
    "FrEduResDel": parse_delegation,
    "FrEduGestResp": parse_management,
}

_FOLDED: Final = {canonical: tuple(map(str.lower, names)) for canonical, names in SPELLINGS.items()}

_CANONICAL: Final = {name.lower(): canonical for canonical, names in SPELLINGS.items() for name in names}
