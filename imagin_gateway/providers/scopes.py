"""What a portal may say of somebody: values of its own académie, and no other's (row SAM-23).

A portal that is broken into, or badly set, must not be able to speak for the people
of another one.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from imagin_gateway.errors import AnswerRefused, Code, Problem
from imagin_gateway.policy.academies import register
from imagin_gateway.providers.attributes import NEVER_KEPT, SPELLINGS, Mapped
from imagin_gateway.settings.portal import FederatedPortal

SCOPED: Final = frozenset(
    {
        "urn:oasis:names:tc:saml:attribute:subject-id",
        "subject-id",
        "urn:oasis:names:tc:saml:attribute:pairwise-id",
        "pairwise-id",
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.6",
        "edupersonprincipalname",
        "eppn",
    }
)
"""Identifiers written `value@scope`, in lower case (SAML V2.0 Subject Identifier Attributes Profile §3.3, §3.4)."""


def check(section: FederatedPortal, told: Mapped, subject: str) -> None:
    """Hold what a portal says to what it is entitled to.

    Args:
        section: of the portal; its `academie` and `domains` say what it may speak for.
        told: attributes, mapped.
        subject: the value that tells the person apart.

    Raises:
        AnswerRefused: `SCOPE_VIOLATION`.
    """
    if section.academie is not None and not told.belongs_to(section.academie):
        raise AnswerRefused(Code.SCOPE_VIOLATION, "the portal speaks for another académie")
    mails = told.attributes.get("ctemail", ())
    if section.academie is not None and not all(_is_ours(mail, section.academie, section.domains) for mail in mails):
        raise AnswerRefused(Code.SCOPE_VIOLATION, "the portal tells an address of another académie")
    if section.subject_attribute.lower() in SCOPED:
        value, at, scope = subject.rpartition("@")
        if not value or not at or scope.lower() not in {each.lower() for each in section.domains}:
            raise AnswerRefused(Code.SCOPE_VIOLATION, "the identifier is of a scope that is not this portal's")


def _is_ours(mail: str, academie: int, domains: Collection[str]) -> bool:
    """Tell whether an address is of this académie, of a domain of the portal, or of no académie at all."""
    known = register()
    # With the dot of the root after it (RFC 1034 §3.1), or with names before it, a domain is still that académie's.
    names = mail.rpartition("@")[2].rstrip(".").lower().split(".")
    within = [".".join(names[start:]) for start in range(len(names))]
    owners = (known.by_domain.get(domain) or known.former.get(domain) for domain in within)
    owner = next((each for each in owners if each is not None), None)
    return owner is None or owner.code == academie or not {each.lower() for each in domains}.isdisjoint(within)


def problems(key: str, section: FederatedPortal) -> list[Problem]:
    """Return what is wrong with the names of attributes in a section of the settings, and with its scopes.

    Each would do nothing, unsaid, or let nobody in.
    """
    found = [
        Problem(f"{key}.attributes", f"« {name} » n’est pas un attribut d’ARENA", 'ctemail = ["courriel"]')
        for name in section.attributes
        if name not in SPELLINGS
    ]
    if section.subject_attribute.lower() in NEVER_KEPT or not section.subject_attribute.strip():
        message = "cet attribut ne sert jamais d’identifiant"
        found.append(Problem(f"{key}.subject_attribute", message, '"ct-remote-user"'))
    if section.subject_attribute.lower() in SCOPED and not section.domains:
        message = "cet identifiant porte un domaine, et aucun n’est celui du portail"
        found.append(Problem(f"{key}.domains", message, 'domains = ["ac-creteil.fr"]'))
    return found
