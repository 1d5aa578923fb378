"""What a chosen password must be, and how a refusal is told."""

from __future__ import annotations

import hashlib
import os
import random
import string
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import imagin_gateway.local
from imagin_gateway.errors import Code, SettingsError, Unavailable
from imagin_gateway.keys import Secret
from imagin_gateway.local.breached import BreachedList
from imagin_gateway.local.password_policy import (
    OWN_SIGNS,
    PasswordPolicy,
    PasswordRefused,
    alphabet_of,
    common_passwords,
    entropy_bits,
)
from tests.local.conftest import Office, settings_of
from tests.local.helper import GOOD

DATA = Path(imagin_gateway.local.__file__).parent / "data"

ABOUT = ("mdurand7", "DURAND-LEFÈVRE", "Marie", "marie.durand@exemple.test")


def lines(name: str) -> list[str]:
    text = (DATA / name).read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def refusal(text: str, again: str | None = None, minimum: int = 15) -> PasswordRefused | None:
    try:
        PasswordPolicy(minimum).check(Secret(text), Secret(text if again is None else again), about=ABOUT)
    except PasswordRefused as refused:
        return refused
    return None


def code(text: str, again: str | None = None) -> Code | None:
    refused = refusal(text, again)
    return None if refused is None else refused.code


@pytest.mark.row("PWD-01")
def test_fifteen_signs_are_needed_and_what_lacks_is_told() -> None:
    phrase = "tulipe,vélo,oie"
    assert len(phrase) == 15
    assert code(phrase) is None
    for length in (1, 9, 14):
        refused = refusal(phrase[:length])
        assert refused is not None
        assert (refused.code, refused.missing) == (Code.PASSWORD_TOO_SHORT, 15 - length)


@pytest.mark.row("PWD-01")
def test_a_minimum_under_twelve_cannot_be_set() -> None:
    PasswordPolicy(12)
    for minimum in (11, 8, 0, -1):
        with pytest.raises(ValueError, match="12"):
            PasswordPolicy(minimum)
    with pytest.raises(SettingsError, match="minimum_length"):
        settings_of("sqlite:///x.db", passwords={"profile": "unsafe-tests", "minimum_length": 11})


@pytest.mark.row("PWD-03")
@pytest.mark.parametrize("minimum", [12, 15, 20])
def test_a_sentence_in_lower_case_is_always_accepted(minimum: int) -> None:
    sentence = "le vent tourne bleue"
    assert len(sentence) == 20
    assert refusal(sentence, minimum=minimum) is None


@pytest.mark.row("PWD-03")
def test_no_code_of_the_room_reads_the_age_of_a_password() -> None:
    for path in Path(imagin_gateway.local.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not [word for word in ("password_age", "changed_at", "password_at", "rotat") if word in text.lower()]


@pytest.mark.row("PWD-04")
def test_long_passwords_are_accepted_up_to_1024_bytes_and_refused_beyond_never_cut() -> None:
    words = "".join(f"mot{number}âne " for number in range(200))
    for length in (64, 200):
        assert code(words[:length]) is None
    exact = (words.encode()[:1022]).decode("utf-8", "ignore")
    exact += "z" * (1024 - len(exact.encode()))
    assert code(exact) is None
    refused = refusal(exact + "z")
    assert refused is not None
    assert (refused.code, refused.maximum) == (Code.PASSWORD_TOO_LONG, 1024)


@pytest.mark.row("PWD-04")
def test_every_printable_sign_of_ascii_and_of_unicode_is_accepted() -> None:
    printable = "".join(map(chr, range(32, 127)))
    assert code(printable[:50]) is None
    assert code(printable[45:]) is None
    assert code("Ελληνικό σχολείο της νύχτας") is None
    assert code("東京の朝はとても静かでした。ねこ") is None


@pytest.mark.row("PWD-04")
def test_two_passwords_that_differ_at_sign_80_only_are_two_passwords() -> None:
    start = "".join(f"mot{number}âne " for number in range(20))[:79]
    assert code(start + "a", start + "b") is Code.PASSWORD_MISMATCH


@pytest.mark.row("PWD-05")
def test_length_is_counted_in_code_points_after_nfc() -> None:
    emoji = "🌷🚲🦢🧀🌋🛶🎻🪁🐙🍋🧩🪵🦔🥁🧭"
    assert len(emoji) == 15
    assert code(emoji) is None
    refused = refusal(emoji[:14])
    assert refused is not None
    assert refused.missing == 1
    decomposed = "e\u0301" * 7 + "tulipe "
    assert len(decomposed) == 21
    refused = refusal(decomposed)
    assert refused is not None
    assert (refused.code, refused.missing) == (Code.PASSWORD_TOO_SHORT, 1)


def test_an_empty_password_and_two_different_entries_have_their_own_codes() -> None:
    assert code("") is Code.PASSWORD_MISSING
    assert code(GOOD.reveal(), GOOD.reveal() + " ") is Code.PASSWORD_MISMATCH
    assert code(GOOD.reveal(), "") is Code.PASSWORD_MISMATCH


def test_the_same_entry_in_two_unicode_forms_is_the_same() -> None:
    assert code("un été très bleu 🌷", "un e\u0301te\u0301 tre\u0300s bleu 🌷") is None


def test_the_former_password_is_refused_as_such() -> None:
    with pytest.raises(PasswordRefused) as caught:
        PasswordPolicy(15).check(GOOD, GOOD, is_former=lambda new: new == GOOD)
    assert caught.value.code is Code.PASSWORD_SAME


@pytest.mark.parametrize("listed", [line for line in lines("common_passwords.txt") if len(line) >= 15])
def test_each_listed_password_is_refused_in_any_case(listed: str) -> None:
    for typed in (listed, listed.upper(), listed.title(), f" {listed} ", listed + "!"):
        assert code(typed) in (Code.PASSWORD_COMMON, Code.PASSWORD_CONTEXT), typed


def test_a_password_that_holds_a_listed_one_is_not_refused_for_that() -> None:
    assert code("jetaimepourlavie") is Code.PASSWORD_COMMON
    assert code("jetaimepourlavie et les girafes") is None


@pytest.mark.row("PWD-07")
@pytest.mark.parametrize("word", lines("context_words.txt"))
def test_each_word_of_the_service_is_refused_in_its_usual_variants(word: str) -> None:
    compact = word.replace(" ", "")
    for start in (compact, compact.capitalize(), compact.upper(), word.title()):
        for end in ("2026", "2026!", "!", "-2027", "93"):
            variant = (start + end).ljust(15, "!")
            assert code(variant) is Code.PASSWORD_CONTEXT, variant
            assert code((start + end) * (1 + 15 // len(start + end))) is Code.PASSWORD_CONTEXT


@pytest.mark.row("PWD-07")
@pytest.mark.parametrize(
    "typed",
    [
        "mdurand7mdurand7",
        "mdurand7-2026!!!",
        "MariE.Durand.2026",
        "Durand-Lefevre2026",
        "DURAND-LEFÈVRE 75",
        "lefevremarie1970",
        "M4rie-Dur4nd-2026",
        "1mag1n-S1EC-2026",
        "Éducation-Nationale",
        "Academie de Creteil 94",
        "siec.imagin.convocation",
        "Motdepasse-2026!",
        "P4ssword-Examens",
    ],
)
def test_identifier_names_and_words_together_are_refused(typed: str) -> None:
    assert code(typed) is Code.PASSWORD_CONTEXT


@pytest.mark.parametrize(
    "typed",
    [
        "Marie mange du maïs mauve",
        "mon capitaine a bu la mer",
        "la session des girafes roses",
        "Paris-brouillard-tambour",
        "839201746520938",
    ],
)
def test_a_sentence_with_a_word_of_the_service_and_enough_of_its_own_is_accepted(typed: str) -> None:
    assert code(typed) is None


@pytest.mark.parametrize(
    "typed",
    [
        "aaaaaaaaaaaaaaa",
        "ababababababababab",
        "abc1!abc1!abc1!abc1!",
        "tulipe!tulipe!tulipe",
        "azertyuiopqsdfghjklm",
        "mlkjhgfdsqpoiuytreza",
        "qwertyuiopasdfgh",
        "abcdefghijklmnop",
        "12345678901234567890",
        "azertyuiop12345",
        "!!!!!!!!!!!!!!!!",
        "🌷🌷🌷🌷🌷🌷🌷🌷🌷🌷🌷🌷🌷🌷🌷",
    ],
)
def test_repetition_and_walks_over_the_keyboard_are_refused(typed: str) -> None:
    assert code(typed) is Code.PASSWORD_COMMON


@given(st.text(min_size=0, max_size=40))
def test_no_text_breaks_the_policy_and_an_accepted_one_is_long_and_varied(typed: str) -> None:
    refused = refusal(typed)
    if refused is None:
        assert len(unicodedata.normalize("NFC", typed)) >= 15
        assert len(set(unicodedata.normalize("NFC", typed).casefold())) >= 5
    else:
        assert refused.code.value.startswith("password.")


@given(st.text(alphabet=string.printable[:95] + "éßΩ☂", min_size=1, max_size=OWN_SIGNS - 1), st.integers(15, 60))
def test_a_short_unit_repeated_is_never_accepted(unit: str, length: int) -> None:
    assert code((unit * length)[:length]) is not None


def test_a_refusal_tells_no_part_of_the_password() -> None:
    refused = refusal("mdurand7-2026!!!")
    assert refused is not None
    assert "durand" not in f"{refused} {refused!r} {refused.args} {vars(refused)}"


@pytest.mark.row("PWD-06")
def test_the_blocklist_has_more_than_three_thousand_entries_of_policy_length_and_nothing_twice() -> None:
    assert sum(len(entry) >= 15 for entry in common_passwords()) > 3000
    for name in ("common_passwords.txt", "common_words.txt"):
        found = lines(name)
        assert len({line.casefold() for line in found}) == len(found)


@pytest.mark.row("PWD-06")
def test_listed_passwords_are_refused_in_any_case_with_their_reason_and_longer_ones_are_not() -> None:
    chance = random.Random(1)  # noqa: S311 -- a sample, nothing secret
    for listed in chance.sample(sorted(entry for entry in common_passwords() if len(entry) >= 16), 300):
        for typed in (listed, listed.upper(), listed.capitalize(), listed + "!"):
            assert code(typed) in (Code.PASSWORD_COMMON, Code.PASSWORD_CONTEXT), typed
    for typed in ("chocolatchocolat", "Soleil1234567890", "doudou-doudou-2024", "ÉTOILE étoile 123"):
        assert code(typed) is Code.PASSWORD_COMMON, typed
        assert code(typed + " et les girafes") is None, typed


# -- the list of breaches ----------------------------------------------------


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().upper()


@pytest.fixture
def breached(tmp_path: Path) -> Callable[..., Path]:
    """Write a list of breached passwords, as such lists are published."""

    def write(passwords: Iterable[str], *, count: bool = True, end: str = "\r\n", last: bool = True) -> Path:
        digests = sorted(sha1(each) for each in passwords)
        text = end.join(f"{each}:{place * 37 + 1}" if count else each for place, each in enumerate(digests))
        path = tmp_path / "breached.txt"
        path.write_text(text + (end if last else ""), encoding="ascii", newline="")
        return path

    return write


@pytest.mark.row("PWD-06")
@pytest.mark.parametrize(
    "form", [{}, {"count": False}, {"end": "\n"}, {"last": False}, {"end": "\n", "count": False, "last": False}]
)
@pytest.mark.parametrize("size", [1, 2, 3, 10, 1000])
def test_every_password_of_the_list_is_found_and_no_other(
    breached: Callable[..., Path], size: int, form: dict[str, Any]
) -> None:
    listed = [f"mot de passe numéro {number}" for number in range(size)]
    found = BreachedList(breached(listed, **form))
    assert all(found.holds(Secret(each)) for each in listed)
    assert all(found.holds(Secret(each.upper())) for each in listed)
    assert not any(found.holds(Secret(f"{each} bis")) for each in listed)
    decomposed = unicodedata.normalize("NFD", listed[0])
    assert found.holds(Secret(decomposed))
    found.close()


@pytest.mark.row("PWD-06")
def test_a_password_of_the_list_is_refused_with_that_reason_and_one_that_holds_it_is_not(
    office: Office, open_office: Callable[..., Office], breached: Callable[..., Path]
) -> None:
    from tests.local.helper import import_list

    path = breached(["une girafe prend le train", *map(str, range(500))])
    door = open_office(passwords={"profile": "unsafe-tests", "breached_list": str(path)}).door
    listing = path.with_name("list.csv")
    listing.write_text("Identifiant;Nom\nnouveau;X\n", encoding="utf-8")
    import_list(door, listing)
    for typed in ("une girafe prend le train", "Une Girafe Prend Le Train"):
        with pytest.raises(PasswordRefused) as caught:
            door.passwords.choose_first("nouveau", Secret(typed), Secret(typed))
        assert caught.value.code is Code.PASSWORD_BREACHED
    longer = Secret("une girafe prend le train de nuit")
    assert not door.passwords.choose_first("nouveau", longer, longer).must_choose


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "vide"),
        (b"\n", "autre chose"),
        (b"motdepasse\nazerty\n", "autre chose"),
        (b"5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8 12\n", "autre chose"),
        (b"x" * 100_000, "autre chose"),
        (
            b"5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:1\n" * 3 + b"0BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:1\n",
            "triées",
        ),
        (b"0BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8\n\n5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8\n", "autre chose"),
    ],
)
def test_what_is_no_such_list_stops_the_start(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "breached.txt"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=said):
        BreachedList(path)
    with pytest.raises(SettingsError, match="ne peut pas être lu"):
        BreachedList(tmp_path / "absent.txt")


def test_a_list_that_breaks_later_sets_no_password(breached: Callable[..., Path]) -> None:
    path = breached(map(str, range(2000)))
    found = BreachedList(path)
    with path.open("r+b") as file:
        file.write(b"z" * path.stat().st_size)
    with pytest.raises(Unavailable):
        found.holds(GOOD)


def test_a_large_list_is_read_in_some_places_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.txt"
    with path.open("w", encoding="ascii") as file:
        file.writelines(f"{number * 0x10_0000:08X}{0:032X}:7\n" for number in range(4096))
        file.writelines(f"{0xFFFFFFFF:08X}{number:032X}:7\n" for number in range(200_000))
    found = BreachedList(path)
    reads: list[int] = []
    real = os.pread

    def counted(descriptor: int, size: int, place: int) -> bytes:
        reads.append(size)
        return real(descriptor, size, place)

    monkeypatch.setattr(os, "pread", counted)
    assert not found.holds(GOOD)
    assert len(reads) < 60
    assert sum(reads) < 10_000
    found.close()


# -- what CNIL counts --------------------------------------------------------


@pytest.mark.row("PWD-02")
def test_the_examples_of_cnil_make_its_figures() -> None:
    every_kind, three_kinds = 26 + 26 + 10 + 37, 26 + 26 + 10
    assert round(entropy_bits(12, every_kind)) == 80
    assert entropy_bits(14, three_kinds) > 80
    # Seven words drawn from a list of 7776, five dice a word.
    assert entropy_bits(7, 7776) > 80
    assert entropy_bits(8, 26 + 26 + 37) > 50
    assert entropy_bits(16, 10) > 50
    assert [alphabet_of(text) for text in ("abc", "aB", "aB1", "aB1!", "1234", "été 1")] == [26, 52, 62, 99, 10, 73]


@pytest.mark.row("PWD-02")
def test_the_policy_states_its_figure_and_refuses_to_start_below_it() -> None:
    assert (PasswordPolicy(12).least_bits, PasswordPolicy(18, restricted=False).least_bits) == (50, 80)
    assert PasswordPolicy(17, restricted=False).minimum_length == 17
    for minimum in (12, 15, 16):
        with pytest.raises(ValueError, match="80 bits"):
            PasswordPolicy(minimum, restricted=False)


@pytest.mark.row("PWD-02")
@given(st.text(alphabet="0123456789abcDEF!é ", min_size=12, max_size=30))
def test_no_accepted_password_is_below_the_figure_of_the_policy(text: str) -> None:
    refused = refusal(text, minimum=12)
    if refused is None:
        assert round(entropy_bits(len(unicodedata.normalize("NFC", text)), alphabet_of(text))) >= 50


def test_digits_alone_must_be_more_where_the_minimum_is_low() -> None:
    refused = refusal("839201746520", minimum=12)
    assert refused is not None
    assert (refused.code, refused.missing) == (Code.PASSWORD_TOO_SHORT, 3)
    assert refusal("839201746520938", minimum=12) is None
