"""ARENA's vocabulary at the border: what is kept, what is parsed, what is left outside."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import FrozenInstanceError
from datetime import date
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.demo.portals.people import PEOPLE
from imagin_gateway.providers.attributes import (
    MAX_VALUE_CHARS,
    MAX_VALUES,
    SPELLINGS,
    Mapped,
    map_attributes,
    subject,
)
from imagin_gateway.providers.fredu import (
    Delegation,
    Management,
    Posting,
    Responsibility,
    is_uai,
    parse_date,
    parse_delegation,
    parse_management,
    parse_posting,
    parse_responsibility,
)

NUMEN = "01E9501234ABC"
POSTING = "0693045K$UAJ$PU$ADM$0693045K$T3$LP$320"
RESPONSIBILITY = "0441550W$UAJ$PU$N$T3$LYC$340"
DELEGATION = f"santorin|notes|01/09/2026|31/12/9999|jdupont|FrEduRneResp={RESPONSIBILITY};{RESPONSIBILITY}|srv|ADM|"
MANAGEMENT = "01/09/2026$31/08/2027$0441550W$UAJ"
RETURN = "https://id.ac-versailles.fr/arena"

WHOLE: Mapping[str, Sequence[str]] = {
    "ct-remote-user": ["jdupont1"],
    "ctln": ["DUPONT"],
    "ctfn": ["Jeanne"],
    "cn": ["Jeanne DUPONT"],
    "ctemail": ["jeanne.dupont@ac-paris.fr", "j.dupont@ac-paris.fr"],
    "title": ["DIR"],
    "rne": ["0290072W"],
    "codaca": ["001"],
    "FrEduRne": [POSTING],
    "FrEduRneResp": [RESPONSIBILITY],
    "FrEduFonctAdm": ["IEN1D"],
    "FrEduResDel": [DELEGATION],
    "FrEduGestResp": [MANAGEMENT],
    "FrEduUrlRetour": [RETURN],
}


def test_every_listed_attribute_is_kept_as_written() -> None:
    told = map_attributes(WHOLE, return_hosts={"id.ac-versailles.fr"})
    assert dict(told.attributes) == {name: tuple(values) for name, values in WHOLE.items()}
    assert set(told.attributes) == set(SPELLINGS)
    assert (told.family_name, told.given_name, told.full_name) == ("DUPONT", "Jeanne", "Jeanne DUPONT")
    assert told.email == "jeanne.dupont@ac-paris.fr"
    assert told.academies == {1}


def test_structured_values_come_back_as_frozen_values() -> None:
    told = map_attributes(WHOLE)
    posting = Posting("0693045K", "UAJ", "PU", "ADM", "0693045K", "T3", "LP", "320")
    charge = Responsibility("0441550W", "UAJ", "PU", "N", "T3", "LYC", "340")
    assert told.postings == (posting,)
    assert told.responsibilities == (charge,)
    assert told.delegations == (
        Delegation(
            "santorin", "notes", date(2026, 9, 1), date(9999, 12, 31), "jdupont", (charge, charge), "srv", "ADM"
        ),
    )
    assert told.managed == (Management(date(2026, 9, 1), date(2027, 8, 31), ("0441550W", "UAJ")),)
    with pytest.raises(FrozenInstanceError):
        posting.uai = "0750001U"  # type: ignore[misc]  # what is tried
    with pytest.raises(TypeError):
        told.attributes["rne"] = ("0750001U",)  # type: ignore[index]  # what is tried


@pytest.mark.parametrize(
    ("names", "field"),
    [
        (("ctln", "family_name", "sn", "urn:oid:2.5.4.4"), "family_name"),
        (("ctfn", "given_name", "givenName", "urn:oid:2.5.4.42"), "given_name"),
        (("ctemail", "email", "mail", "urn:oid:0.9.2342.19200300.100.1.3"), "email"),
        (("cn", "urn:oid:2.5.4.3"), "full_name"),
    ],
)
def test_a_name_may_come_under_several_spellings(names: tuple[str, ...], field: str) -> None:
    value = "a@ac-paris.fr" if field == "email" else "Éloïse"
    for name in names:
        for written in (name, name.upper(), name.lower()):
            assert getattr(map_attributes({written: [value]}), field) == value
    # The first of the list wins, and the others are not mixed in.
    told = map_attributes({name: [f"{number}@ac-paris.fr"] for number, name in enumerate(reversed(names))})
    assert getattr(told, field) == f"{len(names) - 1}@ac-paris.fr"
    assert [len(values) for values in told.attributes.values()] == [1]


def test_a_preferred_spelling_without_a_value_leaves_its_place() -> None:
    assert map_attributes({"ctln": ["X"], "sn": ["DUPONT"]}).family_name == "DUPONT"


def test_the_numen_and_the_details_of_a_career_stop_at_the_border() -> None:
    details = ("employeeNumber", "EMPLOYEENUMBER", "typensi", "grade", "discim", "codecivilite", "datenaissance")
    raw = {**WHOLE, **{name: [NUMEN] for name in (*details, "ctdn", "ctgrps", "shoeSize")}}
    told = map_attributes(raw)
    assert set(told.attributes) <= set(SPELLINGS)
    assert NUMEN not in str({name: getattr(told, name) for name in Mapped.__dataclass_fields__})


@pytest.mark.parametrize("name", ["cn", "title", "ct-remote-user", "ctln", "FrEduFonctAdm"])
def test_a_numen_under_another_name_is_no_value(name: str) -> None:
    for written in (NUMEN, NUMEN.lower(), f" {NUMEN} "):
        assert map_attributes({name: [written]}).attributes == {}
        assert subject({name: [written]}, name) == ""


@pytest.mark.parametrize("nothing", ["", " ", "X", " X ", "\t\n"])
def test_x_or_blank_is_no_value(nothing: str) -> None:
    told = map_attributes({name: [nothing] for name in SPELLINGS})
    assert told.attributes == {}
    assert told.belongs_to(24)
    assert told.missing(SPELLINGS) == tuple(SPELLINGS)


MALFORMED = {
    "rne": ["0750001A", "0750001", "750001U", "0750001u", "075 0001U", "0750001UU", "O750001U", "0750001I"],
    "codaca": ["", "x", "-1", "1.0", "0", "000", "1234", "٢٤", "24 25"],
    "FrEduRne": [
        POSTING + "$",
        POSTING.rpartition("$")[0],
        POSTING.replace("0693045K", "0693045A", 1),
        POSTING.replace("320", "32O"),
        POSTING.replace("$PU$", "$P U$"),
        POSTING.replace("$PU$", "$<b>$"),
        RESPONSIBILITY,
    ],
    "FrEduRneResp": [POSTING, RESPONSIBILITY + "$", RESPONSIBILITY.replace("W", "V", 1)],
    "FrEduFonctAdm": ["A B", "A$B", "<b>", "A" * 17],
    "FrEduResDel": [
        DELEGATION[:-1],
        DELEGATION + "|",
        DELEGATION.replace("01/09/2026", "1/9/2026"),
        DELEGATION.replace("01/09/2026", "31/02/2026"),
        DELEGATION.replace("31/12/9999", "01/01/2000"),
        DELEGATION.replace("0441550W", "0441550A", 1),
        DELEGATION.replace("FrEduRneResp=", "FrEduRne="),
        DELEGATION.replace("FrEduRneResp=", ""),
        DELEGATION.replace("santorin", ""),
    ],
    "FrEduGestResp": ["01/09/2026$31/08/2027$", "31/08/2027$01/09/2026$A", "2026-09-01$2027-08-31$A", "$$A", "A"],
    "ctemail": ["a", "a@", "@b", "a b@c.fr", "a@b@c.fr", "<a@b.fr>", "a@b.fr,c@d.fr", "a" * 250 + "@b.fr"],
    "ctln": ["a\nb", "a\x00b", "a\u202eb", "a\u200bb", "a\u2028b", "a" * 1025],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in MALFORMED.items() for value in values])
def test_a_malformed_value_is_skipped_and_never_logged(name: str, value: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        told = map_attributes({name: [value, *WHOLE[name]]})
        alone = map_attributes({name: [value]})
    assert told.attributes == {name: tuple(WHOLE[name])}
    assert name not in alone.attributes
    parsed = (*alone.postings, *alone.responsibilities, *alone.delegations, *alone.managed)
    assert parsed == ()
    assert caplog.text == ""


@pytest.mark.parametrize("code", ["24", "024", " 24", "24 "])
def test_a_code_of_an_academie_is_compared_as_a_number(code: str) -> None:
    told = map_attributes({"codaca": [code]})
    assert told.academies == {24}
    assert told.belongs_to(24)
    assert not told.belongs_to(1)


@pytest.mark.parametrize(
    "codes", [["24", "1"], ["24", "x"], ["x"], ["24\x00"], ["2" * 20], ["24"] * MAX_VALUES + ["1"], [NUMEN]]
)
def test_a_second_or_unreadable_code_belongs_to_nobody(codes: list[str]) -> None:
    told = map_attributes({"codaca": codes})
    assert not told.belongs_to(24)
    assert not map_attributes({"codaca": ["24"], "CODACA": codes}).belongs_to(24)


@pytest.mark.parametrize("code", ["0693045K", "0441550W", "0291101P", "0290072W", "0290070U", "0380083J", "0750001U"])
def test_the_letter_of_a_school_is_checked(code: str) -> None:
    assert is_uai(code)
    wrong = [code[:7] + letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if letter != code[7]]
    assert not any(map(is_uai, wrong))


def test_fields_without_a_value_are_empty() -> None:
    posting = parse_posting("0693045K$UAJ$X$$X$T3$LP$X")
    assert posting == Posting("0693045K", "UAJ", "", "", "", "T3", "LP", "")
    alone = parse_delegation("santorin||01/09/2026|01/09/2026|X||||")
    assert alone == Delegation("santorin", "", date(2026, 9, 1), date(2026, 9, 1), "", (), "", "")


def test_the_way_back_leads_to_a_listed_host_only() -> None:
    hosts = {"id.ac-versailles.fr"}
    for url in (
        "http://id.ac-versailles.fr/",
        "https://id.ac-versailles.fr.example/",
        "https://evil@id.ac-versailles.fr/",
        "https://id.ac-versailles.fr:8443/",
        "https://id.ac-versailles.fr\\@evil.example/",
        "https://[/",
        "javascript:alert(1)",
        "/arena",
    ):
        assert map_attributes({"FrEduUrlRetour": [url]}, return_hosts=hosts).attributes == {}
    for name in ("FrEduUrlRetour", "FrEduURLretour"):
        assert map_attributes({name: [RETURN]}, return_hosts=hosts).attributes == {"FrEduUrlRetour": (RETURN,)}
        assert map_attributes({name: [RETURN]}).attributes == {}


def test_many_and_long_values_are_bounded() -> None:
    told = map_attributes({"title": [f"T{n}" for n in range(MAX_VALUES + 10)], "cn": ["a" * (MAX_VALUE_CHARS + 1)]})
    assert len(told.attributes["title"]) == MAX_VALUES
    assert "cn" not in told.attributes


def test_a_value_told_twice_is_kept_once() -> None:
    assert map_attributes({"rne": ["0290072W", " 0290072W"]}).attributes == {"rne": ("0290072W",)}


def test_what_is_required_is_looked_for_under_any_spelling() -> None:
    told = map_attributes({"family_name": ["DUPONT"], "badge": ["7"], "mail": ["nothing"]})
    assert told.missing(["SN", "ctln", "Badge"]) == ()
    assert told.missing(["email", "rne", "ct-remote-user", "employeeNumber"]) == (
        "email",
        "rne",
        "ct-remote-user",
        "employeeNumber",
    )


def test_the_subject_is_one_value_of_one_attribute() -> None:
    assert subject({"UID": ["JDupont"]}, "uid") == "JDupont"
    assert subject({"uid": ["a", "a "]}, "uid") == "a"
    nobody: list[dict[str, list[str]]] = [{}, {"uid": []}, {"uid": [""]}, {"uid": ["a", "b"]}, {"uid": ["a", ""]}]
    for raw in (*nobody, {"uid": ["a"], "UID": ["b"]}):
        assert subject(raw, "uid") == ""


def test_an_academic_identifier_is_one_person_whatever_its_capitals() -> None:
    assert subject({"CT-Remote-User": ["JDupont1"]}, "ct-remote-user") == "jdupont1"
    # The Kelvin sign folds to a letter: such a name stays its own.
    assert subject({"ct-remote-user": ["\u212aarim"]}, "ct-remote-user") == "\u212aarim"


def test_neither_names_nor_schools_are_shown() -> None:
    shown = repr(map_attributes(WHOLE))
    assert not any(value in shown for values in WHOLE.values() for value in values)


def test_the_people_of_the_demonstration_are_well_formed() -> None:
    for people in PEOPLE.values():
        for person in people:
            told = map_attributes(person.attributes)
            assert len(told.postings) == len(person.schools)
            assert told.academies == {int(person.codaca)}
            assert told.missing(["ct-remote-user", "ctln", "ctfn", "cn", "ctemail", "rne", "codaca", "title"]) == ()
            assert f"{told.given_name} {told.family_name}" == person.name


VALUES = st.lists(
    st.one_of(st.text(max_size=60), st.sampled_from([v for vs in WHOLE.values() for v in vs])), max_size=4
)


@given(raw=st.dictionaries(st.one_of(st.text(max_size=20), st.sampled_from([*WHOLE, "employeeNumber"])), VALUES))
def test_whatever_comes_only_well_formed_values_enter(raw: dict[str, list[str]]) -> None:
    told = map_attributes(raw)
    assert set(told.attributes) <= set(SPELLINGS)
    for name, values in told.attributes.items():
        given = {each.strip() for key, group in raw.items() for each in group if key.lower() in _spellings(name)}
        assert values
        assert set(values) <= given
        assert not {"", "X"} & set(values)
    assert len(told.postings) == len(told.attributes.get("FrEduRne", ()))
    assert len(told.delegations) == len(told.attributes.get("FrEduResDel", ()))


def _spellings(name: str) -> set[str]:
    return {spelling.lower() for spelling in SPELLINGS[name]}


# Hypothesis knows the texts that stand in the code: schools and dates of the demonstration among them.
OF_ARENA: Final = re.compile(r"[0-9]{7}|[0-9]{2}/[0-9]{2}")


@given(text=st.text(max_size=80).filter(lambda text: OF_ARENA.search(text) is None))
def test_parsers_say_none_and_never_raise(text: str) -> None:
    for parse in (parse_posting, parse_responsibility, parse_delegation, parse_management, parse_date):
        assert parse(text) is None
    assert not is_uai(text)


def test_long_hostile_values_cost_little() -> None:
    """Patterns are linear: none of them looks back (row INP-09)."""
    for value in ("a@" * 500_000, "0$" * 500_000, "|" * 1_000_000, "1" * 1_000_000, "a" * 1_000_000):
        assert map_attributes({name: [value] for name in SPELLINGS}).attributes == {}


def test_no_character_that_does_not_show_ever_enters() -> None:
    """Whatever shortcut looks at a value first, every code point that does not show stops it."""
    hidden = [chr(n) for n in range(0x110000) if unicodedata.category(chr(n)) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert len(hidden) > 2000
    for each in hidden:
        assert subject({"uid": [f"a{each}b"]}, "uid") == ""
        assert map_attributes({"ctln": [f"é{each}b"]}).family_name == ""
    for shown in ("é", "ễ", "\u00a0", "’", "字"):
        assert map_attributes({"ctln": [f"a{shown}b"]}).family_name == f"a{shown}b"


def test_a_subject_too_long_is_nobody() -> None:
    assert subject({"uid": ["a" * MAX_VALUE_CHARS]}, "uid") == "a" * MAX_VALUE_CHARS
    assert subject({"uid": ["a" * (MAX_VALUE_CHARS + 1)]}, "uid") == ""


GOOD: dict[Callable[[str], object], tuple[str, str]] = {
    parse_posting: ("$", "0693045K$UAJ$PU$ENS$0693045K$T3$LP$320"),
    parse_responsibility: ("$", "0693045K$UAJ$PU$N$T3$LP$320"),
    parse_delegation: (
        "|",
        "santorin|/r|01/09/2026|31/08/2027|X|FrEduRneResp=0693045K$UAJ$PU$N$T3$LP$320|h|F|",
    ),
    parse_management: ("$", "01/09/2026$31/08/2027$X$Y"),
}
"""One good value of each form, and what stands between its fields."""

Parse = Callable[[str], object]


def spoilt(parse: Parse, place: int, told: str) -> object:
    """Read the good value with one field replaced."""
    between, value = GOOD[parse]
    fields = value.split(between)
    fields[place] = told
    return parse(between.join(fields))


@pytest.mark.parametrize("parse", GOOD)
def test_each_form_is_read_and_refused_with_a_field_more_or_less(parse: Parse) -> None:
    between, value = GOOD[parse]
    assert parse(value) is not None
    if parse is not parse_management:  # as many as are written
        assert parse(value + between) is None
        assert parse(value.rpartition(between)[0]) is None


@pytest.mark.parametrize(
    ("parse", "codes"), [(parse_posting, range(1, 7)), (parse_responsibility, range(1, 6))], ids=["posting", "school"]
)
def test_each_field_of_a_school_is_held_to_its_signs(parse: Parse, codes: range) -> None:
    for place in codes:
        assert spoilt(parse, place, "é!") is None, place
        assert spoilt(parse, place, "A" * 17) is None, place
        assert spoilt(parse, place, "A" * 16) is not None, place
    nature = codes.stop
    for told, read in (("", True), ("32", True), ("3200", False), ("ABC", False)):
        assert (spoilt(parse, nature, told) is not None) is read
    for told in ("", "X", "0693045A", "0693045k ", "069304K"):
        assert spoilt(parse, 0, told) is None


def test_a_delegation_is_held_to_its_dates_its_schools_and_its_end() -> None:
    def read(place: int, told: str) -> object:
        return spoilt(parse_delegation, place, told)

    for place, told in ((0, ""), (0, "X"), (2, ""), (2, "32/01/2026"), (3, ""), (3, "31/08/2026"), (8, "more")):
        assert read(place, told) is None, (place, told)
    for schools in ("FrEduRne=0693045K$UAJ$PU$N$T3$LP$320", "FrEduRneResp", "FrEduRneResp=0693045A$UAJ$PU$N$T3$LP$320"):
        assert read(5, schools) is None, schools
    assert read(3, "01/09/2026") is not None  # of one day
    assert read(5, "") is not None


def test_management_is_held_to_its_dates_and_tells_something() -> None:
    for place, told in ((0, ""), (0, "1/9/2026"), (1, ""), (1, "31/08/2026"), (1, "31/02/2027")):
        assert spoilt(parse_management, place, told) is None, (place, told)
    assert spoilt(parse_management, 1, "01/09/2026") is not None  # of one day
    assert parse_management("01/09/2026$31/08/2027") is None
    assert parse_management("01/09/2026$31/08/2027$ $") is None
