"""Provisional passwords: random, printed once, kept as a keyed digest."""

from __future__ import annotations

import ast
import math
import re
import secrets
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import imagin_gateway.local
from imagin_gateway.errors import SettingsError
from imagin_gateway.keys import Keyring, Secret
from imagin_gateway.local import provisional
from imagin_gateway.local.door import CredentialsRefused, LoginFailure
from imagin_gateway.local.password_policy import PasswordPolicy
from imagin_gateway.local.provisional import ALPHABET, SIGNS, Provisionals, canonical, generate
from imagin_gateway.local.schema import metadata
from tests.local.conftest import LIST, Office, settings_of
from tests.local.helper import ADDRESS, import_list


@pytest.mark.row("PRV-01")
def test_values_are_distinct_of_74_bits_without_look_alikes_in_groups_and_pass_the_policy() -> None:
    assert len(set(ALPHABET)) == 31
    assert not set(ALPHABET) & set("01ILO")
    assert SIGNS * math.log2(len(ALPHABET)) > 74
    values = {generate().reveal() for _ in range(10_000)}
    assert len(values) == 10_000
    assert {tuple(len(group) for group in value.split(" ")) for value in values} == {(5, 5, 5)}
    assert set("".join(values)) == {*ALPHABET, " "}
    policy = PasswordPolicy(15)
    for value in values:
        policy.check(Secret(canonical(value)), Secret(canonical(value)))
        policy.check(Secret(value), Secret(value))


@pytest.mark.row("PRV-01")
def test_no_sign_is_likelier_than_another_wherever_it_stands() -> None:
    kept = bytes(range(256)).translate(provisional._SIGN_OF, provisional._UNEQUAL).decode()
    assert Counter(kept) == dict.fromkeys(ALPHABET, 256 // len(ALPHABET))
    values = [generate().reveal() for _ in range(2_000)]
    assert all(re.fullmatch(r"[2-9A-Z]{5} [2-9A-Z]{5} [2-9A-Z]{5}", value) for value in values)
    for place in (*range(5), *range(6, 11), *range(12, 17)):
        assert {value[place] for value in values} == set(ALPHABET)


@pytest.mark.row("PRV-01")
def test_the_room_takes_its_chance_from_secrets_alone() -> None:
    for path in Path(imagin_gateway.local.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            assert not {"random", "uuid"} & set(names), path


@given(st.text(alphabet=" -\u2011\u00a0\t", max_size=4), st.booleans(), st.integers(1, SIGNS - 1))
def test_spaces_hyphens_and_case_do_not_matter(noise: str, lower: bool, place: int) -> None:
    value = canonical(generate().reveal())
    typed = noise + value[:place] + noise + value[place:] + noise
    assert canonical(typed.lower() if lower else typed) == value


@pytest.mark.parametrize(
    "between", ["\u2003", "\u2007", "\u3000", "\u200b", "\u2060", "\ufeff", "\u00ad", "\u2013", "\u2212"]
)
def test_what_a_phone_a_mail_or_a_word_processor_puts_between_the_groups_does_not_matter(between: str) -> None:
    value = generate().reveal()
    assert canonical(value.lower().replace(" ", between) + between + " ") == canonical(value)


@given(st.text())
def test_no_text_breaks_the_comparison(typed: str) -> None:
    provisionals = Provisionals(Keyring([Secret(secrets.token_urlsafe(48))]))
    assert not provisionals.matches(None, Secret(typed))


@pytest.mark.row("PRV-05")
def test_neither_database_nor_events_nor_logs_nor_reprs_hold_the_value(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    value = office.letters["mdurand7"]
    office.door.check("mdurand7", value, address=ADDRESS)
    forms = {value.reveal(), canonical(value.reveal()), value.reveal().lower()}
    told = [str(row) for table in metadata.sorted_tables for row in office.rows(table)]
    told += [*office.lines, caplog.text, repr(office.account("mdurand7")), repr(office.letters)]
    assert not [text for text in told if any(form in text for form in forms)]


@pytest.mark.row("PRV-05")
def test_a_copy_of_the_database_without_the_key_verifies_nothing(
    office: Office, open_office: Callable[..., Office]
) -> None:
    keys = {"signing": [key.reveal() for key in office.settings.keys.signing]}
    thief = open_office(keys={**keys, "provisional": [secrets.token_urlsafe(48)]})
    with pytest.raises(CredentialsRefused) as caught:
        thief.door.check("mdurand7", office.letters["mdurand7"], address=ADDRESS)
    assert caught.value.reason is LoginFailure.WRONG


@pytest.mark.row("PRV-05")
def test_a_provisional_password_costs_the_argon2_verification_of_any_attempt(office: Office) -> None:
    counts = []
    for identifier, password in (
        ("mdurand7", office.letters["mdurand7"]),
        ("mdurand7", office.letters["pmartin2"]),
        ("inconnu", office.letters["pmartin2"]),
    ):
        office.hasher.reset()
        with suppress(CredentialsRefused):
            office.door.check(identifier, password, address=ADDRESS)
        counts.append((office.hasher.verifications, office.hasher.hashes))
    assert counts == [(1, 0)] * 3


def test_an_account_whose_key_is_no_longer_held_matches_nothing_not_even_nothing(office: Office) -> None:
    provisionals = Provisionals(Keyring(office.settings.keys.provisional))
    account = office.account("mdurand7")
    value = office.letters["mdurand7"]
    assert provisionals.matches(account, value)
    for mac, key in ((account.provisional_mac, "00000000"), (None, "00000000"), ("", "00000000"), (None, None)):
        gone = replace(account, provisional_mac=mac, provisional_key=key)
        assert not provisionals.matches(gone, value)
        assert not provisionals.matches(gone, Secret(""))


def test_a_key_that_is_rotated_still_verifies_the_letters_it_kept(
    office: Office, open_office: Callable[..., Office]
) -> None:
    keys = office.settings.keys
    old, new = keys.provisional[0].reveal(), secrets.token_urlsafe(48)
    rotated = open_office(keys={"signing": [key.reveal() for key in keys.signing], "provisional": [old, new]})
    assert rotated.door.check("mdurand7", office.letters["mdurand7"], address=ADDRESS).must_choose


@pytest.mark.row("PRV-07")
def test_a_value_issued_again_kills_the_former_one_and_tells_who_did_it(office: Office, tmp_path: Path) -> None:
    listing = tmp_path / "again.csv"
    listing.write_text(LIST, encoding="utf-8")
    report = import_list(office.door, listing, reissue=True, actor="root@poste")
    values = {letter.identifier: letter.provisional for letter in report.letters}
    fresh = values["mdurand7"]
    assert fresh is not None
    with pytest.raises(CredentialsRefused):
        office.door.check("mdurand7", office.letters["mdurand7"], address=ADDRESS)
    assert office.door.check("mdurand7", fresh, address=ADDRESS).must_choose
    issued = office.named("provisional_issued")
    assert len(issued) == 3
    assert {event["actor"] for event in issued} == {"root@poste"}
    assert len({event["person"] for event in issued}) == 3
    assert not [line for line in office.lines if any(v and v.reveal() in line for v in values.values())]


def test_a_letter_issued_after_the_login_ends_the_choice_begun_with_the_former(office: Office, tmp_path: Path) -> None:
    from imagin_gateway.errors import Code, Refused
    from tests.local.helper import GOOD

    checked = office.door.check("mdurand7", office.letters["mdurand7"], address=ADDRESS)
    listing = tmp_path / "again.csv"
    listing.write_text(LIST, encoding="utf-8")
    import_list(office.door, listing, reissue=True)
    with pytest.raises(Refused) as caught:
        office.door.passwords.choose_first("mdurand7", GOOD, GOOD, version=checked.account.version)
    assert caught.value.code is Code.ACCOUNT_STATE
    assert office.account("mdurand7").password_hash is None


@pytest.mark.row("PRV-04")
@pytest.mark.parametrize(("days", "accepted"), [(21, True), (30, True), (31, False), (45, False), (0, False)])
def test_more_than_thirty_days_cannot_be_set(days: int, accepted: bool) -> None:
    passwords = {"profile": "unsafe-tests", "provisional_days": days}
    if accepted:
        assert settings_of("sqlite:///x.db", passwords=passwords).passwords.provisional_days == days
        return
    with pytest.raises(SettingsError, match="provisional_days"):
        settings_of("sqlite:///x.db", passwords=passwords)
