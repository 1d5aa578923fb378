"""Admission: a proved identity gets its door's activities, less what the host's rules take away."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagin_gateway.identity import Activity, Identity
from imagin_gateway.policy import Facts, Flaw, TableRefused, siec
from imagin_gateway.policy.admission import Admission, load_admission, parse_admission
from imagin_gateway.policy.hints import check_letter

ALL_PORTAL = {Activity.MISSIONS, Activity.EXPENSES, Activity.MARKING}
RULES = """
[[admission]]
id = "departement"
doors = ["arena-creteil"]
activities = ["missions"]
needs = { uai = { departement = ["93", "94"] } }
sentence = { fr = "Pour les écoles de ces départements.", en = "For schools of these départements." }

[[admission]]
id = "function"
doors = ["arena"]
activities = ["marking"]
needs = { function = { among = ["ENS", "DIR"] }, email = { domain = ["ac-creteil.fr", "AC-PARIS.fr"] } }
sentence = { fr = "Pour l’enseignement.", en = "For teachers." }
"""


def person(door: str = "arena-creteil", email: str = "", **attributes: tuple[str, ...]) -> Identity:
    return Identity(
        issuer="https://idp.example",
        subject="jdupont",
        door=door,
        activities=frozenset(),
        authenticated_at=datetime(2026, 12, 14, tzinfo=UTC),
        method="saml",
        email=email,
        attributes=attributes,
    )


def school(prefix: str) -> str:
    """Return a code of this département, with its right letter."""
    return f"{prefix}0001" + check_letter(f"{prefix}0001")


def admission(rules: str = RULES) -> Admission:
    return parse_admission(rules, siec(), "admission.toml")


def test_without_rules_a_door_opens_what_the_document_says() -> None:
    for door in siec().doors:
        admitted = Admission(siec()).admit(person(door))
        assert admitted.activities == siec().activities(door)
        assert not admitted.refusals


def test_an_unknown_door_opens_nothing() -> None:
    assert Admission(siec()).admit(person("arena-lutece")).activities == frozenset()


def test_everything_asked_for_and_found_leaves_everything() -> None:
    admitted = admission().admit(person(uai=(school("094"),), function=("ENS",), email="j@AC-CRETEIL.fr"))
    assert admitted.activities == ALL_PORTAL
    assert not admitted.refusals


@pytest.mark.parametrize(
    ("uai", "open_"),
    [
        ((school("093"),), True),
        ((school("077"), school("094")), True),
        ((school("077"),), False),
        ((school("075"),), False),
        (("0930001A",), False),
        (("093",), False),
        (("",), False),
        ((), False),
    ],
)
def test_the_departement_of_a_verified_school_decides_and_a_wrong_check_letter_is_no_school(
    uai: tuple[str, ...], open_: bool
) -> None:
    admitted = admission().admit(person(uai=uai, function=("ENS",), email="j@ac-paris.fr"))
    assert (Activity.MISSIONS in admitted.activities) is open_
    assert [rule.id for rule in admitted.refusals] == ([] if open_ else ["departement"])


def test_every_need_of_a_rule_must_be_met() -> None:
    for proved in (
        person(function=("ENS",)),
        person(function=("ATS",), email="j@ac-paris.fr"),
        person(email="j@ac-paris.fr"),
    ):
        assert Activity.MARKING not in admission().admit(proved).activities


@pytest.mark.parametrize(
    "email", ["j@xac-paris.fr", "j@ac-paris.fr.example", "@ac-paris.fr", "ac-paris.fr", "j@ac-parıs.fr"]
)
def test_a_domain_is_compared_whole(email: str) -> None:
    admitted = admission().admit(person(function=("ENS",), email=email))
    assert Activity.MARKING not in admitted.activities


def test_an_attribute_called_email_is_not_the_verified_address() -> None:
    forged = Identity(
        issuer="i",
        subject="s",
        door="arena-creteil",
        activities=frozenset(),
        authenticated_at=datetime(2026, 12, 14, tzinfo=UTC),
        method="saml",
        attributes={"email": ("j@ac-paris.fr",), "function": ("ENS",)},
    )
    assert Activity.MARKING not in admission().admit(forged).activities


def test_a_rule_concerns_its_doors_only() -> None:
    assert admission().admit(person("direct")).activities == siec().activities("direct")
    admitted = admission().admit(person("arena-paris", function=("ENS",), email="j@ac-paris.fr"))
    assert admitted.activities == ALL_PORTAL


def test_a_refusal_says_why_in_both_languages() -> None:
    (refusal, _) = admission().admit(person()).refusals
    assert refusal.sentence.fr == "Pour les écoles de ces départements."
    assert refusal.sentence.en == "For schools of these départements."


def test_a_rule_about_what_the_door_does_not_open_is_no_refusal() -> None:
    """Somebody would be told why they lack what nobody has there."""
    data = """
[[admission]]
id = "data"
activities = ["personal-data"]
needs = { uai = { departement = ["93"] } }
sentence = { fr = "Non.", en = "No." }
"""
    assert admission(data).admit(person("arena-creteil")).refusals == ()
    assert [rule.id for rule in admission(data).admit(person("direct")).refusals] == ["data"]


HELP = """
[[assistance]]
id = "desk"
doors = ["arena-paris"]
needs = { email = { among = ["aide@exemple.test"] } }
offices = ["DEC 2"]
"""


def test_whom_somebody_may_help_is_asked_of_a_proved_identity_alone() -> None:
    rules = admission(HELP)
    scope = rules.helps(person("arena-paris", "aide@exemple.test"))
    assert scope is not None
    assert (scope.rules, scope.offices) == (("desk",), frozenset({"DEC 2"}))
    assert rules.helps(person("arena-paris", "autre@exemple.test")) is None
    assert rules.helps(person("arena-creteil", "aide@exemple.test")) is None
    with pytest.raises(TypeError):
        rules.helps(Facts())  # type: ignore[arg-type]  # what a host might try


def test_an_empty_list_of_doors_is_not_every_door() -> None:
    with pytest.raises(TableRefused, match="ou pas cette clé"):
        admission(HELP.replace('["arena-paris"]', "[]"))


def test_a_file_holds_rules_of_one_kind_at_least() -> None:
    assert admission(HELP).rules == ()
    with pytest.raises(TableRefused) as caught:
        admission("")
    assert [(finding.where, finding.flaw) for finding in caught.value.findings] == [("table", Flaw.SHAPE)]


@pytest.mark.parametrize("value", ["[" * 9000, "9" * 5000], ids=["nested", "long"])
def test_a_value_beyond_measure_is_refused(value: str) -> None:
    with pytest.raises(TableRefused, match="démesurée"):
        admission(f"a = {value}")


def test_declared_facts_are_never_admitted() -> None:
    with pytest.raises(TypeError):
        admission().admit(Facts.parse({"posting": "creteil"}))  # type: ignore[arg-type]  # the point of the test


def test_activities_already_written_on_an_identity_give_nothing() -> None:
    written = Identity(
        issuer="i",
        subject="s",
        door="direct",
        activities=frozenset(Activity),
        authenticated_at=datetime(2026, 12, 14, tzinfo=UTC),
        method="password",
    )
    assert admission().admit(written).activities == siec().activities("direct")


@given(
    st.sampled_from([*siec().doors, "nowhere"]),
    st.dictionaries(st.sampled_from(["uai", "function", "x"]), st.lists(st.text(max_size=8), max_size=3).map(tuple)),
    st.text(max_size=20),
)
@settings(deadline=None)
def test_no_attribute_ever_opens_more_than_the_door(
    door: str, attributes: dict[str, tuple[str, ...]], email: str
) -> None:
    admitted = admission().admit(person(door, email, **attributes))
    assert admitted.activities <= siec().activities(door)


# the file


@pytest.mark.parametrize(
    ("damage", "flaw"),
    [
        (("arena-creteil", "arena-lutece"), Flaw.UNKNOWN_NAME),
        (('"missions"', '"tea"'), Flaw.UNKNOWN_NAME),
        (('"93"', '"20"'), Flaw.UNKNOWN_NAME),
        (("departement =", "academie ="), Flaw.UNKNOWN_NAME),
        (("departement =", "prefix ="), Flaw.SHAPE),
        (('["93", "94"]', "[]"), Flaw.SHAPE),
        (('["93", "94"]', "[93]"), Flaw.SHAPE),
        (('needs = { uai = { departement = ["93", "94"] } }', "needs = {}"), Flaw.SHAPE),
        (('needs = { uai = { departement = ["93", "94"] } }', ""), Flaw.SHAPE),
        (('needs = { uai = { departement = ["93", "94"] } }', "needs = { uai = {} }"), Flaw.SHAPE),
        (('"AC-PARIS.fr"', '"@ac-paris.fr"'), Flaw.SHAPE),
        (('"AC-PARIS.fr"', '"école.fr"'), Flaw.SHAPE),
        (('"AC-PARIS.fr"', '"*.ac-paris.fr"'), Flaw.SHAPE),
        (('["missions"]', "[]"), Flaw.SHAPE),
        (('id = "function"', 'id = "departement"'), Flaw.DUPLICATE),
        (('["missions"]', '["personal-data"]'), Flaw.NEVER_FIRES),
        (('fr = "Pour l’enseignement.", ', ""), Flaw.NO_LANGUAGE),
        (("[[admission]]", "[[admissions]]"), Flaw.SHAPE),
        (("[[admission]]", "[[admission"), Flaw.SHAPE),
    ],
)
def test_a_file_with_anything_wrong_is_refused(damage: tuple[str, str], flaw: Flaw) -> None:
    assert damage[0] in RULES
    with pytest.raises(TableRefused) as refused:
        admission(RULES.replace(*damage))
    assert flaw in {finding.flaw for finding in refused.value.findings}


def test_a_file_is_read_from_disk_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "admission.toml"
    file.write_text(RULES, encoding="utf-8")
    assert [rule.id for rule in load_admission(file, siec()).rules] == ["departement", "function"]
    file.write_text(RULES, encoding="utf-8-sig")  # as some editors of Windows write it
    assert len(load_admission(file, siec()).rules) == 2
    with pytest.raises(TableRefused, match=r"pas de fichier /.*/nulle-part\.toml"):
        load_admission(tmp_path / "nulle-part.toml", siec())
    with pytest.raises(TableRefused, match="est un dossier"):
        load_admission(tmp_path, siec())
    file.write_bytes(b"\xff")
    with pytest.raises(TableRefused, match="UTF-8"):
        load_admission(file, siec())


def test_left_out_doors_and_activities_mean_all_of_them() -> None:
    rules = parse_admission(
        '[[admission]]\nid = "a"\nneeds = { uai = { academie = ["paris"] } }\nsentence = { fr = "a", en = "a" }', siec()
    )
    for door in siec().doors:
        assert rules.admit(person(door)).activities == frozenset()
        assert rules.admit(person(door, uai=(school("075"),))).activities == siec().activities(door)
