"""From a verified assertion to what the portal proves about one person."""

from __future__ import annotations

from collections.abc import Collection

from imagin_gateway import settings
from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers import scopes
from imagin_gateway.providers.attributes import map_attributes, subject
from imagin_gateway.providers.portal import Arrival
from imagin_gateway.providers.saml.profile import Accepted
from imagin_gateway.providers.saml.reading import Assertion


def arrival(
    section: settings.SamlPortal,
    assertion: Assertion,
    accepted: Accepted,
    *,
    relay: str,
    return_hosts: Collection[str],
    help_url: str,
) -> Arrival:
    """Tell who came.

    The person is told by the configured attribute, never by the NameID, which may
    change at each login and is kept for the logout alone (rows SAM-21, SAM-22).

    Raises:
        AnswerRefused: `ATTRIBUTE_MISSING` with the names that lack, `SCOPE_VIOLATION`.
    """
    who = subject(assertion.attributes, section.subject_attribute)
    told = map_attributes(assertion.attributes, names=section.attributes, return_hosts=return_hosts)
    missing = (() if who else (section.subject_attribute,)) + told.missing(section.required_attributes)
    if missing:
        raise AnswerRefused(
            Code.ATTRIBUTE_MISSING,
            "the portal does not tell what is needed",
            missing=tuple(dict.fromkeys(missing)),
            help_url=help_url,
        )
    scopes.check(section, told, who)
    authentication = accepted.authentication
    return Arrival(
        issuer=assertion.issuer.name,
        subject=who,
        method="saml",
        authenticated_at=authentication.at,
        proved_at=authentication.at,
        family_name=told.family_name,
        given_name=told.given_name,
        email=told.email,
        attributes=told.attributes,
        acr=authentication.context or None,
        ends_at=authentication.ends_at,
        portal_session=authentication.session,
        name_id=assertion.name_id.kept() if assertion.name_id else "",
        message_id=assertion.id,
        message_ends_at=accepted.ends_at,
        solicited=accepted.in_response_to is not None,
        relay=relay if accepted.in_response_to is None else "",
        restart=accepted.in_response_to is None and section.unsolicited_restarts,
    )
