"""The vocabulary of attributes asked alone: every name it is told under, every limit, what is never kept."""

from __future__ import annotations

import pytest

from imagin_gateway.providers import attributes
from imagin_gateway.providers.attributes import Mapped, canonical_name, map_attributes, subject

WRITTEN = {
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

NUMEN = ("employeeNumber", "EMPLOYEENUMBER", "urn:oid:2.16.840.1.113730.3.1.3")


def test_every_name_is_known_by_each_of_its_spellings() -> None:
    assert dict(attributes.SPELLINGS) == WRITTEN
    for canonical, spellings in WRITTEN.items():
        for spelling in spellings:
            for written in (spelling, spelling.upper(), spelling.lower()):
                assert canonical_name(written) == canonical
    for other in ("", "uid", "urn:oid:2.5.4", *NUMEN):
        assert canonical_name(other) == ""


def test_a_portal_s_own_names_go_before_the_usual_ones() -> None:
    names = {"ctln": ("nom", "sn"), "rne": ("etab", "ctln"), "unheard": ("x",)}
    told = {"NOM": "ctln", "nom": "ctln", "sn": "ctln", "etab": "rne", "ctln": "rne", "x": "", "mail": "ctemail"}
    assert {name: canonical_name(name, names) for name in told} == told


def test_a_mapping_of_nothing_is_empty() -> None:
    assert map_attributes({}) == Mapped()
    empty = Mapped()
    assert (empty.family_name, empty.given_name, empty.full_name, empty.email) == ("", "", "", "")
    assert (empty.academies, dict(empty.attributes), empty.academie_unreadable) == (frozenset(), {}, False)
    assert (empty.present, empty.belongs_to(24)) == (frozenset(), True)


@pytest.mark.row("SAM-21")
@pytest.mark.parametrize("name", NUMEN)
def test_the_numen_is_never_an_identifier_and_never_there(name: str) -> None:
    for value in ("24E1234567ABC", "jdupont"):
        assert subject({name: [value]}, name) == ""
        told = map_attributes({name: [value], "title": ["x"]}, names={"cn": (name,)})
        assert told.attributes == {"title": ("x",)}
        assert told.present == {"title"}
        assert told.missing([name]) == (name,)


def test_a_name_that_is_never_kept_does_not_hide_those_after_it() -> None:
    told = map_attributes({"employeeNumber": ["1"], "title": ["x"]})
    assert told.attributes == {"title": ("x",)}


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("24E1234567ABC", False),
        ("24e1234567abc", False),
        ("x24E1234567ABC", True),
        ("24E1234567AB", True),
        ("24E12345671BC", True),
        ("X", False),
        ("", False),
        ("  ", False),
        ("x\u00a0y", True),
        ("x\u202ey", False),
        ("x\ny", False),
        ("x\u2028y", False),
    ],
)
def test_what_may_enter_says_something_can_be_shown_and_is_no_numen(value: str, kept: bool) -> None:
    assert attributes._may_enter(value.strip()) is kept
    assert ("title" in map_attributes({"title": [value]}).attributes) is kept


def test_a_value_is_kept_up_to_its_length() -> None:
    assert attributes._may_enter("x" * 8_192)
    assert not attributes._may_enter("x" * 8_193)
    for name in ("ct-remote-user", "ctln", "ctfn", "cn", "title"):
        assert map_attributes({name: ["x" * 1_024]}).attributes == {name: ("x" * 1_024,)}
        assert map_attributes({name: ["x" * 1_025]}).attributes == {}


def test_five_hundred_and_twelve_values_of_a_name_are_read() -> None:
    values = [str(number) for number in range(513)]
    assert map_attributes({"title": values}).attributes == {"title": tuple(values[:512])}
    two = {"title": values[:300], "TITLE": [f"x{number}" for number in range(300)]}
    assert len(map_attributes(two).attributes["title"]) == 512


@pytest.mark.parametrize(
    ("address", "fine"),
    [
        ("a@b", True),
        ("x" * 64 + "@" + "y" * 189, True),
        ("x" * 64 + "@" + "y" * 190, False),
        ("x" * 65 + "@y", False),
        ("a b@c", False),
        ("a@b@c", False),
        ("<a@b>", False),
        ("a@é", False),
        ("@b", False),
        ("a@", False),
    ],
)
def test_a_mail_address_is_one(address: str, fine: bool) -> None:
    assert ("ctemail" in map_attributes({"mail": [address]}).attributes) is fine


HOSTS = {"portail.exemple.test"}


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("https://portail.exemple.test", True),
        ("https://portail.exemple.test/a?b=c#d", True),
        ("https://PORTAIL.exemple.test/", True),
        ("http://portail.exemple.test/", False),
        ("https://autre.exemple.test/", False),
        ("https://portail.exemple.test:444/", False),
        ("https://portail.exemple.test:x/", False),
        ("https://qui@portail.exemple.test/", False),
        ("https://:mot@portail.exemple.test/", False),
        ("https://@portail.exemple.test/", False),
        ("https://portail.exemple.test/é", False),
        ("https://[portail.exemple.test/", False),
        *((f"https://portail.exemple.test/{mark}", False) for mark in ' "<>\\^`{|}'),
    ],
)
def test_a_way_back_is_an_address_of_a_known_host(url: str, fine: bool) -> None:
    told = map_attributes({"FrEduUrlRetour": [url + "x" if url.endswith(" ") else url]}, return_hosts=HOSTS)
    assert ("FrEduUrlRetour" in told.attributes) is fine
    assert "FrEduUrlRetour" not in map_attributes({"FrEduUrlRetour": [url]}).attributes
