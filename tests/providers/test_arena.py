"""The three doors of ARENA: what each is known to be, and what it may say of people."""

from __future__ import annotations

from typing import Any

import pytest

from imagin_gateway import settings
from imagin_gateway.errors import AnswerRefused, Code, Problem
from imagin_gateway.identity import Door
from imagin_gateway.policy import siec
from imagin_gateway.policy.academies import register
from imagin_gateway.providers import arena, scopes
from imagin_gateway.providers.attributes import map_attributes
from imagin_gateway.settings.portal import FederatedPortal

DOORS = [Door.CRETEIL, Door.PARIS, Door.VERSAILLES]


def oidc(**more: Any) -> settings.OidcPortal:
    values: dict[str, Any] = {"protocol": "oidc", "issuer": "https://x", "client_id": "c", "client_secret": "s"}
    return settings.OidcPortal(**{**values, **more})


def saml(**more: Any) -> settings.SamlPortal:
    values: dict[str, Any] = {
        "protocol": "saml",
        "metadata": "m",
        "portal_entity_id": "e",
        "private_key": "k",
        "certificate": "c",
    }
    return settings.SamlPortal(**{**values, **more})


@pytest.mark.parametrize("door", DOORS)
def test_a_module_says_what_the_table_and_the_register_say(door: Door) -> None:
    known, told = arena.known(door), siec().door(door)
    assert known is not None
    assert known.door == door
    assert known.link == told.link
    assert known.recovery == (told.recovery_link or told.link)
    assert register().by_code[known.academie].domain == known.domain
    assert str(register().by_code[known.academie].posting) == door.removeprefix("arena-")


@pytest.mark.parametrize("make", [oidc, saml])
@pytest.mark.parametrize("door", DOORS)
def test_a_door_speaks_for_its_own_academie_whatever_its_protocol(door: Door, make: Any) -> None:
    known, section = arena.known(door), arena.settle(door, make())
    assert known is not None
    assert section.academie == known.academie
    assert section.domains == (known.domain,)
    assert section.return_hosts == (known.link.removeprefix("https://"),)
    assert isinstance(section, type(make()))


def test_the_settings_go_before_what_is_known() -> None:
    section = arena.settle(Door.PARIS, oidc(academie=25, domains=["x.fr"], return_hosts=["y.fr"]))
    assert (section.academie, section.domains, section.return_hosts) == (25, ("x.fr",), ("y.fr",))
    untouched = oidc()
    assert arena.settle("another-service", untouched) is untouched
    assert untouched.academie is None


def section_of(**more: Any) -> FederatedPortal:
    return FederatedPortal(**{"academie": 24, "domains": ("ac-creteil.fr",), **more})


@pytest.mark.row("SAM-23")
@pytest.mark.parametrize(
    ("attributes", "subject", "subject_attribute"),
    [
        ({"codaca": ["25"]}, "jdupont", "ct-remote-user"),
        ({"codaca": ["24", "1"]}, "jdupont", "ct-remote-user"),
        ({"codaca": ["vingt"]}, "jdupont", "ct-remote-user"),
        ({"ctemail": ["j.dupont@ac-versailles.fr"]}, "jdupont", "ct-remote-user"),
        ({"mail": ["j@exemple.fr", "j.dupont@AC-Paris.fr"]}, "jdupont", "ct-remote-user"),
        ({"ctemail": ["j.dupont@ac-caen.fr"]}, "jdupont", "ct-remote-user"),
        ({"ctemail": ["j.dupont@ac-paris.fr."]}, "jdupont", "ct-remote-user"),
        ({"ctemail": ["j.dupont@rectorat.AC-Paris.fr"]}, "jdupont", "ct-remote-user"),
        ({}, "jdupont@ac-versailles.fr", "subject-id"),
        ({}, "jdupont@ac-creteil.fr.evil.fr", "urn:oasis:names:tc:SAML:attribute:subject-id"),
        ({}, "jdupont", "eppn"),
        ({}, "@ac-creteil.fr", "eduPersonPrincipalName"),
    ],
)
def test_a_portal_does_not_speak_for_another_academie(
    attributes: dict[str, list[str]], subject: str, subject_attribute: str
) -> None:
    with pytest.raises(AnswerRefused) as caught:
        scopes.check(section_of(subject_attribute=subject_attribute), map_attributes(attributes), subject)
    assert caught.value.code is Code.SCOPE_VIOLATION


@pytest.mark.row("SAM-23")
@pytest.mark.parametrize(
    ("attributes", "subject", "more"),
    [
        ({"codaca": ["024"], "ctemail": ["j.dupont@Ac-Creteil.fr"]}, "jdupont", {}),
        ({"ctemail": ["jeanne@exemple.fr", "j@region-academique-idf.fr"]}, "jdupont", {}),
        ({"ctemail": ["j@rectorat.ac-creteil.fr", "j@ac-paris.fr.exemple.fr", "j@xac-paris.fr"]}, "jdupont", {}),
        ({"ctemail": ["j@dsi.ac-paris.fr"]}, "jdupont", {"domains": ("ac-creteil.fr", "dsi.ac-paris.fr")}),
        ({"ctemail": ["j@ac-paris.fr"]}, "jdupont", {"domains": ("ac-creteil.fr", "AC-PARIS.fr")}),
        ({"ctemail": ["j@dsi.ac-paris.fr."]}, "jdupont", {"domains": ("ac-creteil.fr", "AC-PARIS.fr")}),
        ({}, "JDupont@AC-CRETEIL.fr", {"subject_attribute": "subject-id"}),
        ({"ctemail": ["j@ac-paris.fr"], "codaca": ["1"]}, "jdupont", {"academie": None}),
    ],
)
def test_what_a_portal_is_entitled_to_say_is_accepted(
    attributes: dict[str, list[str]], subject: str, more: dict[str, Any]
) -> None:
    scopes.check(section_of(**more), map_attributes(attributes), subject)


def test_a_scoped_identifier_needs_a_scope_in_the_settings() -> None:
    assert scopes.problems("portals.x", section_of(subject_attribute="eppn", domains=())) == [
        Problem(
            "portals.x.domains",
            "cet identifiant porte un domaine, et aucun n’est celui du portail",
            'domains = ["ac-creteil.fr"]',
        )
    ]
    assert not scopes.problems("portals.x", section_of(domains=()))


@pytest.mark.parametrize("host", ["", "https://ac-creteil.fr", "ac-creteil.fr/x", "a b", "a..b", "-a.fr", "é.fr"])
def test_a_scope_is_a_domain_name(host: str) -> None:
    with pytest.raises(ValueError, match="nom de domaine"):
        section_of(domains=(host,))


def test_a_portal_may_tell_an_attribute_under_a_name_of_its_own() -> None:
    raw = {"courriel": ["j@exemple.fr"], "mail": ["other@exemple.fr"], "aca": ["24"]}
    told = map_attributes(raw, names={"ctemail": ("Courriel",), "codaca": ("aca",)})
    assert told.email == "j@exemple.fr"
    assert told.academies == {24}
    assert map_attributes(raw).email == "other@exemple.fr"
