"""What an e-mail address or a school's code suggests. A hint chooses nothing and grants nothing.

A mailbox can outlive a posting, and a posting can start before the mailbox. An
identifier tells nothing at all: those of the direct door look like academic ones.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from imagin_gateway.policy.academies import register
from imagin_gateway.policy.vocabulary import Posting


class MailKind(StrEnum):
    """What the domain of an address is."""

    ACADEMIE = "academie"
    """Exactly the domain of an académie (or of one merged into it)."""
    REGION = "region"
    """A région académique: which of its académies is not told."""
    NATIONAL = "national"
    COLLECTIVITY = "collectivity"
    AGRICULTURE = "agriculture"
    LOOKALIKE = "lookalike"
    """Not a known domain, but made to look like one, or mistyped. Never taken for it."""
    OTHER = "other"
    UNREADABLE = "unreadable"
    """Not an address, or not in ASCII."""


@dataclass(frozen=True, slots=True)
class MailHint:
    """What an address suggests.

    Attributes:
        posting: the académie, only for `MailKind.ACADEMIE` and a person's mailbox; else unknown.
        school_mailbox: the address is a school's or an office's, not a person's.
    """

    kind: MailKind
    posting: Posting = Posting.UNKNOWN
    school_mailbox: bool = False


_SCHOOL_MAILBOX = re.compile(r"[0-9]{7}[a-z]|ce\..*")
_READABLE = re.compile(r"[!-~]+")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


def mail_hint(address: str) -> MailHint:
    """Tell what an e-mail address suggests: the whole domain after the last ``@``, in lower case, and nothing less."""
    local, at, domain = address.strip(" ").rpartition("@")
    if not at or not local or not _READABLE.fullmatch(address.strip(" ")):
        return MailHint(MailKind.UNREADABLE)
    domain, known = domain.lower(), register()
    if not _DOMAIN.fullmatch(domain):
        return MailHint(MailKind.UNREADABLE)
    academie = known.by_domain.get(domain) or known.former.get(domain)
    if academie is not None:
        school = _SCHOOL_MAILBOX.fullmatch(local.lower()) is not None
        return MailHint(MailKind.ACADEMIE, Posting.UNKNOWN if school else academie.posting, school)
    kind = known.other_domains.get(domain) or next(
        (kind for below, kind in known.below.items() if domain.endswith(below)), None
    )
    if kind is not None:
        return MailHint(MailKind(kind))
    return MailHint(MailKind.LOOKALIKE if _looks_like_one(domain) else MailKind.OTHER)


def _looks_like_one(domain: str) -> bool:
    known = register()
    names = [*known.by_domain, *known.former, *known.other_domains]
    if domain.startswith(("ac-", "ac.")) or "xn--" in domain or any(name in domain for name in names):
        return True
    return any(_one_slip(domain, name) for name in names)


def _one_slip(typed: str, name: str) -> bool:
    """Tell whether one sign was changed, added, forgotten, or swapped with its neighbour."""
    start = next((i for i, (one, two) in enumerate(zip(typed, name, strict=False)) if one != two), None)
    if start is None:
        return abs(len(typed) - len(name)) == 1
    rest_typed, rest_name = typed[start:], name[start:]
    return (
        rest_typed[1:] == rest_name[1:]
        or rest_typed[1:] == rest_name
        or rest_typed == rest_name[1:]
        or (rest_typed[1::-1] == rest_name[:2] and rest_typed[2:] == rest_name[2:])
    )


_CHECK_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
"""No I, O nor Q."""
_UAI = re.compile(r"[0-9]{7}[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Uai:
    """The code of a school or a service, its check letter verified.

    Attributes:
        departement: number of its département, e.g. ``"77"``; "" if its prefix is not one we know.
        posting: its académie; unknown for a prefix we do not know.
    """

    code: str
    departement: str
    posting: Posting


def check_letter(digits: str) -> str:
    """Return the check letter of the seven digits of a school's code."""
    return _CHECK_LETTERS[int(digits) % len(_CHECK_LETTERS)]


def read_uai(text: str) -> Uai | None:
    """Read the code of a school; None if its shape or its check letter is wrong."""
    told = text.strip()
    if not _UAI.fullmatch(told):
        return None
    code = told.upper()
    if check_letter(code[:7]) != code[7]:
        return None
    known = register()
    departement = known.uai_prefixes.get(code[:3], "")
    academie = known.by_departement.get(departement)
    return Uai(code, departement, academie.posting if academie is not None else Posting.UNKNOWN)


def academie_of_code(code: str) -> Posting:
    """Return the académie of a code such as ``"024"``, ``"24"`` or ``"1"``; unknown if there is none."""
    if not re.fullmatch(r"[0-9]{1,3}", code.strip()):
        return Posting.UNKNOWN
    academie = register().by_code.get(int(code))
    return academie.posting if academie is not None else Posting.UNKNOWN


REDACTED = "[NUMEN retiré]"
"""What stands in the place of a NUMEN."""

_NUMEN = re.compile(r"[0-9]{2}[\s.\-]?[A-Za-z][\s.\-]?[0-9]{2}[\s.\-]?[0-9]{5}[\s.\-]?[A-Za-z]{3}")


def holds_numen(text: str) -> bool:
    """Tell whether a text holds what looks like a NUMEN: to be refused, never kept, never used to choose a door."""
    return _NUMEN.search(unicodedata.normalize("NFKC", text)) is not None


def redact_numen(text: str) -> str:
    """Return the text with whatever looks like a NUMEN taken out; too much rather than too little."""
    plain = unicodedata.normalize("NFKC", text)
    return _NUMEN.sub(REDACTED, plain) if _NUMEN.search(plain) else text
