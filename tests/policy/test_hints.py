"""Hints: what an address or a code suggests, and what it never does."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagin_gateway.policy.academies import register
from imagin_gateway.policy.hints import (
    REDACTED,
    MailKind,
    academie_of_code,
    check_letter,
    holds_numen,
    mail_hint,
    read_uai,
    redact_numen,
)
from imagin_gateway.policy.vocabulary import Posting

ACADEMIES = register().academies


# addresses


@pytest.mark.parametrize("academie", ACADEMIES, ids=lambda academie: str(academie.posting))
def test_the_exact_domain_of_an_academie_suggests_it(academie: object) -> None:
    domain, posting = academie.domain, academie.posting  # type: ignore[attr-defined]  # an Academie
    for address in (f"jean.martin@{domain}", f"Jean.Martin@{domain.upper()}", f'"a@b"@{domain}', f" j@{domain} "):
        hint = mail_hint(address)
        assert (hint.kind, hint.posting, hint.school_mailbox) == (MailKind.ACADEMIE, posting, False)


@pytest.mark.parametrize("domain", ["ac-caen.fr", "ac-rouen.fr"])
def test_a_merged_academie_is_the_one_of_today(domain: str) -> None:
    assert mail_hint(f"j@{domain}").posting is Posting.NORMANDIE


@pytest.mark.parametrize(
    "domain",
    [
        "ac-paris.fr.example",
        "xac-paris.fr",
        "ac-paris.fr-connexion.com",
        "mail.ac-paris.fr",
        "ac-pariss.fr",
        "ac-pars.fr",
        "ac-pairs.fr",
        "ac-paris.ft",
        "ac-paris.com",
        "acparis.fr",
        "ac-creteil.education",
        "ac-lutece.fr",
        "region-academique-idf.fr.example",
        "xn--ac-pars-4va.fr",
    ],
)
def test_a_domain_that_looks_like_one_is_never_taken_for_it(domain: str) -> None:
    hint = mail_hint(f"jean.martin@{domain}")
    assert (hint.kind, hint.posting) == (MailKind.LOOKALIKE, Posting.UNKNOWN)


@pytest.mark.parametrize(
    ("domain", "kind"),
    [
        ("region-academique-idf.fr", MailKind.REGION),
        ("region-academique-ile-de-france.fr", MailKind.REGION),
        ("education.gouv.fr", MailKind.NATIONAL),
        ("igesr.gouv.fr", MailKind.NATIONAL),
        ("cned.fr", MailKind.NATIONAL),
        ("ac-cned.fr", MailKind.NATIONAL),
        ("ac-noumea.nc", MailKind.COLLECTIVITY),
        ("monvr.pf", MailKind.COLLECTIVITY),
        ("ac-polynesie.pf", MailKind.COLLECTIVITY),
        ("ac-wf.wf", MailKind.COLLECTIVITY),
        ("ac-spm.fr", MailKind.COLLECTIVITY),
        ("educagri.fr", MailKind.AGRICULTURE),
        ("draaf.agriculture.gouv.fr", MailKind.AGRICULTURE),
        ("example.org", MailKind.OTHER),
        ("u-paris.fr", MailKind.OTHER),
    ],
)
def test_a_domain_that_is_no_academie_suggests_none(domain: str, kind: MailKind) -> None:
    assert (mail_hint(f"j@{domain}").kind, mail_hint(f"j@{domain}").posting) == (kind, Posting.UNKNOWN)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "jean",
        "@ac-paris.fr",
        "jean@",
        "jean@ac-paris.fr.",
        "jean@ac-parıs.fr",
        "jean@аc-paris.fr",
        "j m@ac-paris.fr",
        "jean@ac-paris.fr\n",
        "jean@ac-paris.fr\x00",
        "jean@.ac-paris.fr",
        "jean@ac-paris..fr",
        "jean＠ac-paris.fr",
        "j@fr",
    ],
)
def test_what_is_no_plain_address_suggests_nothing(address: str) -> None:
    assert (mail_hint(address).kind, mail_hint(address).posting) == (MailKind.UNREADABLE, Posting.UNKNOWN)


@pytest.mark.parametrize("local", ["0782565p", "0782565P", "ce.0782565p", "CE.secretariat", "ce.dsden"])
def test_the_mailbox_of_a_school_is_nobodys(local: str) -> None:
    hint = mail_hint(f"{local}@ac-versailles.fr")
    assert (hint.kind, hint.posting, hint.school_mailbox) == (MailKind.ACADEMIE, Posting.UNKNOWN, True)


def test_a_person_whose_name_begins_like_a_school_mailbox_is_a_person() -> None:
    assert mail_hint("celine.durand@ac-versailles.fr").posting is Posting.VERSAILLES


@given(st.text(max_size=40))
def test_no_text_breaks_the_reading_and_only_an_exact_domain_suggests_an_academie(address: str) -> None:
    hint = mail_hint(address)
    if hint.posting is not Posting.UNKNOWN:
        domain = address.strip(" ").rpartition("@")[2].lower()
        assert domain in register().by_domain or domain in register().former


@given(st.sampled_from([academie.domain for academie in ACADEMIES]), st.text(string.ascii_lowercase + ".-", min_size=1))
def test_nothing_can_be_put_before_or_after_a_domain(domain: str, more: str) -> None:
    for forged in (more + domain, domain + more):
        assert mail_hint(f"j@{forged}").posting is Posting.UNKNOWN or forged in register().by_domain


# schools


@pytest.mark.parametrize("code", ["0693045K", "0441550W", "0291101P", "0290072W", "0290070U", "0380083J", "0750001U"])
def test_a_code_with_its_right_letter_is_read(code: str) -> None:
    for told in (code, code.lower(), f" {code} "):
        uai = read_uai(told)
        assert uai is not None
        assert (uai.code, uai.departement) == (code, code[1:3])


@pytest.mark.parametrize(
    "code", ["0750001A", "0750001", "075000U", "07500011U", "0750001Ux", "٠٧٥٠٠٠١U", "", "0750001ſ"]
)
def test_a_code_with_a_wrong_letter_or_shape_is_not(code: str) -> None:
    assert read_uai(code) is None


@pytest.mark.parametrize("digits", ["0750001", "0000000", "9999999"])
def test_exactly_one_letter_is_right(digits: str) -> None:
    assert [letter for letter in string.ascii_uppercase if read_uai(digits + letter)] == [check_letter(digits)]


@given(st.text("0123456789", min_size=7, max_size=7))
def test_the_check_letter_is_never_i_o_or_q(digits: str) -> None:
    assert check_letter(digits) not in "IOQ"


@pytest.mark.parametrize(
    ("prefix", "departement", "posting"),
    [
        ("075", "75", "paris"),
        ("077", "77", "creteil"),
        ("093", "93", "creteil"),
        ("094", "94", "creteil"),
        ("078", "78", "versailles"),
        ("091", "91", "versailles"),
        ("092", "92", "versailles"),
        ("095", "95", "versailles"),
        ("620", "2A", "corse"),
        ("720", "2B", "corse"),
        ("971", "971", "guadeloupe"),
        ("972", "972", "martinique"),
        ("973", "973", "guyane"),
        ("974", "974", "reunion"),
        ("976", "976", "mayotte"),
        ("977", "977", "guadeloupe"),
        ("978", "978", "guadeloupe"),
        ("001", "01", "lyon"),
        ("988", "", "unknown"),
        ("020", "", "unknown"),
    ],
)
def test_a_school_is_of_its_departement_and_that_of_its_academie(prefix: str, departement: str, posting: str) -> None:
    digits = f"{prefix}0001"
    uai = read_uai(digits + check_letter(digits))
    assert uai is not None
    assert (uai.departement, str(uai.posting)) == (departement, posting)


def test_every_departement_is_of_one_academie() -> None:
    told = [number for academie in ACADEMIES for number in academie.departements]
    assert len(told) == len(set(told)) == 103
    assert len(ACADEMIES) == 30
    assert len({academie.code for academie in ACADEMIES}) == 30


@pytest.mark.parametrize(
    ("code", "posting"),
    [
        ("024", "creteil"),
        ("24", "creteil"),
        ("1", "paris"),
        ("01", "paris"),
        ("25", "versailles"),
        ("5", "normandie"),
        ("99", "unknown"),
        ("", "unknown"),
        ("x", "unknown"),
        ("-1", "unknown"),
        ("٢٤", "unknown"),
        ("0024", "unknown"),
    ],
)
def test_the_code_of_an_academie_is_compared_as_a_number(code: str, posting: str) -> None:
    assert str(academie_of_code(code)) == posting


# NUMEN: recognised only to be refused and taken out


@pytest.mark.parametrize(
    "text",
    [
        "01E9501234ABC",
        "01e9501234abc",
        "mon NUMEN est 01E9501234ABC.",
        "01 E 95 01234 ABC",
        "01-E-95-01234-ABC",
        "x01E9501234ABCy",
        "０１Ｅ９５０１２３４ＡＢＣ",
    ],
)
def test_a_numen_is_recognised_and_taken_out(text: str) -> None:
    assert holds_numen(text)
    clean = redact_numen(text)
    assert REDACTED in clean
    assert not holds_numen(clean)
    assert "01234" not in clean


@pytest.mark.parametrize(
    "text", ["", "jdupont1", "0750001U", "01E9501234AB", "imagin@siec.education.fr", "12345678901234"]
)
def test_what_is_no_numen_is_left_as_it_is(text: str) -> None:
    assert not holds_numen(text)
    assert redact_numen(text) == text


@given(st.text(max_size=30), st.from_regex(r"[0-9]{2}[A-Z][0-9]{7}[A-Z]{3}", fullmatch=True), st.text(max_size=30))
def test_no_numen_survives_wherever_it_stands(before: str, numen: str, after: str) -> None:
    assert numen not in redact_numen(before + numen + after)
    assert not holds_numen(redact_numen(before + numen + after))


def test_no_hint_reads_an_identifier() -> None:
    """An identifier may look like an academic one: nothing takes one as an argument."""
    from imagin_gateway.policy import hints

    functions = {name for name in vars(hints) if callable(getattr(hints, name)) and name.islower() and name[0] != "_"}
    assert functions & {"mail_hint", "read_uai", "academie_of_code"}
    assert not any("identif" in name or "login" in name for name in functions)
