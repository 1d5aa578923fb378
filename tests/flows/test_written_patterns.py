"""What comes from outside has a written shape and a length, and whatever else comes is none of it (row INP-01).

One property for each parser: it never raises anything but a refusal, and what it lets through has the shape that is
written here, apart from the parser.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagin_gateway.errors import RequestRefused
from imagin_gateway.exchange import MAX_FIELDS, MAX_TARGET_CHARS, Params, Request, parse_cookies
from imagin_gateway.flows.landing import MAX_CHARS, landing
from imagin_gateway.keys import Keyring, Secret
from imagin_gateway.local import provisional, totp
from imagin_gateway.local.accounts import MAX_IDENTIFIER, identifier_key
from imagin_gateway.local.outbox import is_address
from imagin_gateway.settings import Settings
from tests.flows.conftest import settings_of

IDENTIFIER = re.compile(r"\S(?:.{0,190}\S)?")  # folding may write one sign as three
ADDRESS = re.compile(r"[\x21-\x7e]{1,64}@[A-Za-z0-9.-]{1,252}")
PATH = re.compile(r"/[\x21-\x5b\x5d-\x7e]{0,1999}")
TOTP = re.compile(r"[0-9]{6}")
LETTER = re.compile(r"[^ \-\t]*")

ANYTHING = st.text(max_size=400) | st.text(alphabet="aB9.@-+_ /\\%?#\t\x00é\u202e\u00a0", max_size=400)

pytestmark = pytest.mark.row("INP-01")


@given(ANYTHING)
def test_an_identifier(typed: str) -> None:
    key = identifier_key(typed)
    if key:
        assert IDENTIFIER.fullmatch(key)
        assert key.isprintable()
        assert len(typed) <= 4 * MAX_IDENTIFIER
        assert identifier_key(key) in (key, ""), "its own key"


@given(ANYTHING | st.emails())
def test_a_mail_address(typed: str) -> None:
    if is_address(typed):
        assert ADDRESS.fullmatch(typed)
        assert len(typed) <= 254
        assert not set(typed) & set('\r\n\t ,;:<>()[]\\"')


@given(ANYTHING)
def test_a_page_to_come_back_to(asked: str) -> None:
    house = _settings()
    page = landing(house, asked)
    assert PATH.fullmatch(page)
    assert len(page) <= MAX_CHARS
    assert not page.startswith("//")
    assert page in (asked, house.landing)


@given(st.lists(st.tuples(ANYTHING, ANYTHING), max_size=80))
@settings(max_examples=50)
def test_the_parameters_of_a_request(pairs: list[tuple[str, str]]) -> None:
    from urllib.parse import urlencode

    encoded = urlencode(pairs, errors="surrogatepass").encode("ascii")
    form = {"content-type": "application/x-www-form-urlencoded"}
    request = Request("POST", "/", encoded, headers=form, body=encoded)
    for part in ("query", "form"):
        try:
            found: Params = getattr(request, part)
        except RequestRefused:
            continue
        assert len(found) <= MAX_FIELDS
        assert not any("\x00" in each for pair in found.items() for each in pair)
        assert len({name for name, _ in pairs}) == len(pairs), "one that is repeated is refused"
    if len(encoded) > MAX_TARGET_CHARS:
        with pytest.raises(RequestRefused):
            _ = Request("GET", "/", encoded).query


@given(st.binary(max_size=300))
def test_the_bytes_of_a_form(raw: bytes) -> None:
    try:
        found = Params.parse(raw)
    except RequestRefused:
        return
    assert all("\x00" not in value for value in found.values())


@given(ANYTHING)
def test_the_cookies(header: str) -> None:
    for name, value in parse_cookies(header).items():
        assert name
        assert ";" not in name + value


@given(ANYTHING, st.sampled_from(["form", "reset link", "known client"]))
def test_a_token_of_ours(token: str, purpose: str) -> None:
    signer = KEYS.signer(purpose)
    value = signer.unsign(token)
    assert value is None or signer.sign(value) == token, "only what was signed is one"
    assert signer.unsign(signer.sign("x" * 20)) == "x" * 20


@given(ANYTHING)
def test_a_code_of_an_application(typed: str) -> None:
    step = totp.find(SECRET, Secret(typed), NOW)
    if step is not None:
        assert TOTP.fullmatch(re.sub(r"\D", "", typed))


@given(ANYTHING)
def test_a_provisional_password(typed: str) -> None:
    assert LETTER.fullmatch(provisional.canonical(typed))


KEYS = Keyring((Secret("k" * 10 + "0123456789abcdefghijklmnopqrstuvwxyz"),))
SECRET = totp.new_secret()
NOW = datetime(2026, 11, 26, tzinfo=UTC)


def _settings() -> Settings:
    return _KEPT


_KEPT = settings_of(Path("/nowhere"))
