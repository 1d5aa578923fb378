"""Identity, requests, responses, errors: the values everything shares."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagin_gateway import errors
from imagin_gateway.errors import Code, GatewayError, RequestRefused
from imagin_gateway.exchange import Params, Request, Response, SetCookie, parse_cookies
from imagin_gateway.identity import Activity, Identity


def someone(**changes: object) -> Identity:
    values: dict[str, object] = {
        "issuer": "https://idp.example",
        "subject": "jdupont",
        "door": "arena-paris",
        "activities": {Activity.MISSIONS},
        "authenticated_at": datetime(2026, 12, 14, tzinfo=UTC),
        "method": "saml",
        "given_name": "Jeanne",
        "family_name": "DUPONT",
        "email": "jeanne@exemple.test",
        "attributes": {"title": ["ENS"]},
    }
    return Identity(**{**values, **changes})  # type: ignore[arg-type]  # a test's shorthand


def test_a_person_is_an_issuer_and_a_subject() -> None:
    assert someone().key == ("https://idp.example", "jdupont")
    assert someone() == someone()
    assert hash(someone()) == hash(someone(email="other@exemple.test"))
    assert someone(issuer="https://other.example") != someone()
    with pytest.raises(ValueError, match="issuer and a subject"):
        someone(subject="")


def test_an_identity_does_not_print_what_is_personal() -> None:
    assert "DUPONT" not in repr(someone())
    assert "exemple.test" not in repr(someone())


def test_activities_are_asked_by_name_and_an_unknown_one_is_an_error() -> None:
    assert someone().can("missions")
    assert not someone().can(Activity.MISSIONS, Activity.PERSONAL_DATA)
    with pytest.raises(ValueError, match="tout"):
        someone().can("tout")


def test_what_was_given_to_an_identity_can_no_longer_change_it() -> None:
    given_attributes = {"title": ["ENS"]}
    who = someone(attributes=given_attributes)
    given_attributes["title"].append("DIR")
    assert who.attributes["title"] == ("ENS",)


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=6))
def test_fields_are_read_back_as_they_were_sent_or_refused(pairs: list[tuple[str, str]]) -> None:
    from urllib.parse import urlencode

    encoded = urlencode(pairs).encode()
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names) or any("\x00" in part for pair in pairs for part in pair):
        with pytest.raises(RequestRefused):
            Params.parse(encoded)
    else:
        assert dict(Params.parse(encoded)) == dict(pairs)


@given(st.binary(max_size=200))
def test_any_bytes_are_fields_or_a_refusal(raw: bytes) -> None:
    with contextlib.suppress(RequestRefused):
        Params.parse(raw)


def test_a_cookie_that_stands_twice_is_none_and_a_name_is_taken_as_it_is() -> None:
    assert parse_cookies('a=1; a=2; b=3; ; =x; c; d="4"') == {"b": "3", "d": "4"}
    assert parse_cookies("\xa0__Host-ig-session=planted; __Host-ig-session=mine")["__Host-ig-session"] == "mine"
    assert "x" not in parse_cookies("\x1cx=1; \x85x=2")


def test_requests_and_fields_do_not_print_what_they_hold() -> None:
    request = Request("POST", "/direct", body=b"motdepasse=canary", headers={"cookie": "ig-session=canary"})
    assert "canary" not in repr(request)
    assert "canary" not in repr(Params([("motdepasse", "canary")]))
    assert "canary" not in repr(SetCookie(name="ig-session", value="canary", secure=True))


def test_a_header_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="line break"):
        Response(303, headers=(("Location", "/a\r\nSet-Cookie: x=y"),)).header_lines()


def test_every_error_has_one_root_and_a_stable_code() -> None:
    for name in dir(errors):
        each = getattr(errors, name)
        if isinstance(each, type) and issubclass(each, Exception):
            assert issubclass(each, GatewayError)
            assert isinstance(each.code, Code)
    assert len({code.value for code in Code}) == len(Code)
