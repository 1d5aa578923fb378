"""From verified claims to what a portal proves about one person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers import scopes
from imagin_gateway.providers.attributes import map_attributes
from imagin_gateway.providers.attributes import subject as subject_of
from imagin_gateway.providers.oidc.claims import IdToken
from imagin_gateway.providers.portal import Arrival
from imagin_gateway.settings import OidcPortal


def arrival(config: OidcPortal, id_token: IdToken, told: Mapping[str, Any]) -> Arrival:
    """Return what the portal proves.

    Args:
        config: section of the portal.
        id_token: checked.
        told: claims about the person, of the ID token and of the userinfo.

    Raises:
        AnswerRefused: `ATTRIBUTE_MISSING` with the names that lack; `SCOPE_VIOLATION`
            when the person is of an académie that is not this portal's.
    """
    raw = {name: texts(value) for name, value in told.items()}
    mapped = map_attributes(raw, names=config.attributes, return_hosts=config.return_hosts)
    subject = id_token.subject if config.subject_attribute == "sub" else subject_of(raw, config.subject_attribute)
    if not subject:
        raise AnswerRefused(
            Code.ATTRIBUTE_MISSING, "nothing tells this person apart", missing=(config.subject_attribute,)
        )
    if missing := mapped.missing(config.required_attributes):
        raise AnswerRefused(Code.ATTRIBUTE_MISSING, "a required attribute is missing", missing=missing)
    scopes.check(config, mapped, subject)
    return Arrival(
        issuer=config.issuer,
        subject=subject,
        method="oidc",
        authenticated_at=id_token.authenticated_at or id_token.issued_at,
        proved_at=id_token.authenticated_at,
        family_name=mapped.family_name,
        given_name=mapped.given_name,
        email=mapped.email,
        attributes=mapped.attributes,
        acr=id_token.acr,
        amr=id_token.amr,
        portal_session=id_token.session,
        # A logout token names the person by this, whatever claim tells people apart here.
        name_id=id_token.subject,
    )


def texts(claim: object) -> tuple[str, ...]:
    """Return the values of a claim: a text or a whole number stands for one, a list for several.

    Providers write one value as a text and several as a list, and a code such as
    `codaca` as either a text or a number. Anything else is no value.
    """
    values = claim if isinstance(claim, list) else [claim]
    return tuple(str(value) for value in values if isinstance(value, str | int) and not isinstance(value, bool))
