"""Codes by the clock, asked alone: the vectors of the standard, the reach on either side, what may be typed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from imagin_gateway.keys import Secret
from imagin_gateway.local import totp

# RFC 6238, appendix B: the secret in base32, and the last six digits of the codes with SHA-1.
RFC = Secret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
VECTORS = [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")]
NOW = datetime(2026, 12, 14, 8, 0, 10, tzinfo=UTC)


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def code(step: int, secret: Secret = RFC) -> Secret:
    return Secret(pyotp.TOTP(secret.reveal()).generate_otp(step))


@pytest.mark.parametrize(("seconds", "digits"), VECTORS)
def test_the_vectors_of_the_standard(seconds: int, digits: str) -> None:
    assert totp.find(RFC, Secret(digits), at(seconds)) == seconds // 30 == totp.step_at(at(seconds))
    assert code(seconds // 30).reveal() == digits


def test_the_figures_are_those_that_the_documents_tell() -> None:
    assert (totp.STEP_SECONDS, totp.DIGITS, totp.WINDOW, totp.SEARCH, totp.SECRET_SIGNS) == (30, 6, 1, 20, 32)


def test_a_step_lasts_thirty_seconds() -> None:
    assert [totp.step_at(at(seconds)) for seconds in (0, 29, 30, 59, 60)] == [0, 0, 1, 1, 2]


def test_ten_minutes_on_either_side_are_looked_through_and_no_more() -> None:
    present = totp.step_at(NOW)
    for distance in (-20, -19, -1, 0, 1, 19, 20):
        assert totp.find(RFC, code(present + distance), NOW) == present + distance
    for distance in (-21, 21, 1000):
        assert totp.find(RFC, code(present + distance), NOW) is None
    assert totp.find(Secret(totp.new_secret().reveal()), code(present), NOW) is None


def test_of_two_steps_with_one_code_the_nearest_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyotp.TOTP, "generate_otp", lambda self, step: "000000")
    assert totp.find(RFC, Secret("000000"), NOW) == totp.step_at(NOW)


def test_before_the_epoch_there_is_no_step() -> None:
    assert totp.find(RFC, code(0), at(0)) == 0
    assert totp.find(RFC, code(20), at(0)) == 20


@pytest.mark.parametrize(
    "form",
    [
        *("{a}{b}", " {a} {b} ", "{a}-{b}", "{a}\u00a0{b}", "{a}\u202f{b}", "{a}{b}" + " " * 58),
        *("{a}\u2009{b}", "{a}\u2007{b}", "{a}\u2013{b}", "\u2066{a}{b}\u2069", "{a}{b}\u200b"),
    ],
)
def test_a_code_may_be_typed_in_groups(form: str) -> None:
    digits = code(totp.step_at(NOW)).reveal()
    assert totp.find(RFC, Secret(form.format(a=digits[:3], b=digits[3:])), NOW) is not None


@pytest.mark.parametrize("form", ["{a}.{b}", "{a}{b}0", "0{a}{b}", "{a}", "", "{a}\t{b}", " " * 59 + "{a}{b}"])
def test_what_is_written_otherwise_is_no_code(form: str) -> None:
    digits = code(totp.step_at(NOW)).reveal()
    assert totp.find(RFC, Secret(form.format(a=digits[:3], b=digits[3:])), NOW) is None


def test_other_digits_than_ours_are_no_code() -> None:
    digits = code(totp.step_at(NOW)).reveal()
    for zero in ("٠", "०", "𝟎"):
        written = "".join(chr(ord(zero) + int(digit)) for digit in digits)
        assert totp.find(RFC, Secret(written), NOW) is None
    assert totp.find(RFC, Secret("²" * 6), NOW) is None


def test_a_secret_is_new_and_goes_to_the_application_whole() -> None:
    first, second = totp.new_secret(), totp.new_secret()
    assert first.reveal() != second.reveal()
    assert len(first.reveal()) == 32
    address = urlsplit(totp.address(first, "m durand&7", "Imagin SIEC").reveal())
    assert (address.scheme, address.netloc) == ("otpauth", "totp")
    assert address.path == "/Imagin%20SIEC:m%20durand%267"
    assert parse_qs(address.query) == {"secret": [first.reveal()], "issuer": ["Imagin SIEC"]}
    assert totp.find(first, code(totp.step_at(NOW), first), NOW + timedelta(minutes=9)) == totp.step_at(NOW)
