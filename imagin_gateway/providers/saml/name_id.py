"""The name under which a portal knows somebody during a session: nothing here recognises people by it.

It is kept whole, with its XML attributes, for one use: a logout names the session by
it, ours towards the portal and the portal's towards us (Core §3.7.1).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Final

import msgspec
from lxml import etree

from imagin_gateway.providers.saml.documents import text

_1_1: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:"
_2_0: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:"

_UNSPECIFIED: Final = _1_1 + "unspecified"

_FORMATS: Final = (
    *(_1_1 + each for each in ("emailAddress", "X509SubjectName", "WindowsDomainQualifiedName")),
    *(_2_0 + each for each in ("kerberos", "entity", "persistent", "transient")),
)
"""Core §8.3.2 to §8.3.8: what else a Format may say."""


@dataclass(frozen=True, slots=True, repr=False)
class NameId:
    """A NameID as it was received (Core §2.2.3); "" for an attribute that is not there."""

    value: str
    format: str = ""
    name_qualifier: str = ""
    sp_name_qualifier: str = ""
    sp_provided_id: str = ""

    def kept(self) -> str:
        """Return the text under which sessions are found again; equal for equal names alone."""
        return msgspec.json.encode(self._parts()).decode() if self.value else ""

    def spellings(self, portal: str, ours: str) -> tuple[str, ...]:
        """Return `kept` of every way in which this name may have been written, its own first.

        Core §8.3.7, §8.3.8: a qualifier that says what the message says anyway, the portal's name or ours, may be left
        out; one message may leave it out, and the next not. So may it be with the Format (Core §8.3.1), which says
        nothing against any other where it is not told.

        Args:
            portal: entityID of the portal.
            ours: our own.
        """
        qualifiers = (self.name_qualifier, *(("", portal) if self.name_qualifier in ("", portal) else ()))
        others = (self.sp_name_qualifier, *(("", ours) if self.sp_name_qualifier in ("", ours) else ()))
        formats = (self.format, "") if self.format else ("", *_FORMATS)
        ways = (
            replace(self, format=form, name_qualifier=each, sp_name_qualifier=other).kept()
            for form in formats
            for each in qualifiers
            for other in others
        )
        return tuple(dict.fromkeys(ways))

    def _parts(self) -> list[str]:
        return [self.value, self.format, self.name_qualifier, self.sp_name_qualifier, self.sp_provided_id]

    @classmethod
    def read(cls, kept: str) -> NameId | None:
        """Return the name that `kept` tells, None when it tells none."""
        try:
            told = json.loads(kept)
        except ValueError:
            return None
        if not isinstance(told, list) or len(told) != 5 or not all(isinstance(each, str) for each in told):
            return None
        return cls(*told) if told[0] else None


def of(element: etree._Element) -> NameId:
    """Read a NameID element. A Format that says « unspecified » says what an absent one does (Core §8.3)."""
    told = element.get("Format", "")
    return NameId(
        value=text(element),
        format="" if told == _UNSPECIFIED else told,
        name_qualifier=element.get("NameQualifier", ""),
        sp_name_qualifier=element.get("SPNameQualifier", ""),
        sp_provided_id=element.get("SPProvidedID", ""),
    )
