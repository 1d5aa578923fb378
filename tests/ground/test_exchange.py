"""What comes in and what goes out, value by value: limits, defaults, and what is never shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from imagin_gateway.errors import Code, RequestRefused
from imagin_gateway.exchange import (
    MAX_BODY_BYTES,
    MAX_FIELDS,
    MAX_TARGET_CHARS,
    Params,
    Request,
    Response,
    SetCookie,
    parse_cookies,
    see_other,
)

FORM = {"content-type": "application/x-www-form-urlencoded"}


def code(call: Callable[[], object]) -> Code:
    with pytest.raises(RequestRefused) as refused:
        call()
    return refused.value.code


def asked(**headers: str) -> Request:
    return Request("GET", "/", headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_the_limits_are_those_that_the_documents_tell() -> None:
    assert (MAX_BODY_BYTES, MAX_FIELDS, MAX_TARGET_CHARS) == (524_288, 64, 16_384)


# fields


def test_fields_are_a_mapping_of_their_own_and_show_no_value() -> None:
    fields = Params.parse(b"b=canari&a=&c=%C3%A9+%2B")
    assert dict(fields) == {"b": "canari", "a": "", "c": "é +"}
    assert (list(fields), len(fields), "a" in fields, fields.get("z")) == (["b", "a", "c"], 3, True, None)
    assert repr(fields) == "Params(['a', 'b', 'c'])"
    assert dict(Params()) == {}


def test_what_cannot_be_decoded_is_refused() -> None:
    for encoded in (b"a=%FF", b"\xc3\xa9=1", b"a=%00", b"%00=a", b"a=b%00"):
        assert code(lambda encoded=encoded: Params.parse(encoded)) is Code.MALFORMED  # type: ignore[misc]
    assert code(lambda: Params.parse(b"a=1&b=2&a=1")) is Code.PARAMETER_REPEATED


def test_sixty_four_fields_are_read_and_no_more() -> None:
    fields = [f"f{number}=".encode() for number in range(65)]
    assert len(Params.parse(b"&".join(fields[:64]))) == 64
    assert code(lambda: Params.parse(b"&".join(fields))) is Code.MALFORMED


# a request


def test_a_request_says_little_unless_told() -> None:
    plain = Request("GET", "/direct")
    assert (plain.query_string, plain.headers, plain.body) == (b"", {}, b"")
    assert (plain.address, plain.correlation, plain.peer, plain.certificate, plain.doubtful) == ("", "", "", "", None)
    assert (dict(plain.query), dict(plain.cookies)) == ({}, {})
    assert (plain.sends_json, plain.by_script, plain.wants_json) == (False, False, False)
    assert plain.with_path("/x").path == "/x"
    assert plain.with_path("/x").with_path("/direct") == plain


def test_a_request_shows_neither_fields_nor_headers() -> None:
    request = Request("GET", "/direct", b"a=canari", {"cookie": "canari"}, b"canari", certificate="canari")
    assert repr(request) == "Request(GET '/direct', correlation='')"


def test_a_query_string_is_read_up_to_its_limit() -> None:
    longest = b"a=" + b"x" * 16_382
    assert len(Request("GET", "/", longest).query["a"]) == 16_382
    assert code(lambda: Request("GET", "/", longest + b"x").query) is Code.TOO_LARGE


def test_a_form_is_read_up_to_its_limit() -> None:
    longest = b"a=" + b"x" * 524_286
    assert len(Request("POST", "/", headers=FORM, body=longest).form["a"]) == 524_286
    assert code(lambda: Request("POST", "/", headers=FORM, body=longest + b"x").form) is Code.TOO_LARGE


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        ("application/x-www-form-urlencoded", True),
        (" Application/X-WWW-Form-Urlencoded ; charset=utf-8; x=y", True),
        ("multipart/form-data; boundary=x", False),
        ("text/plain", False),
        ("application/json", False),
        ("", False),
        ("x; application/x-www-form-urlencoded", False),
    ],
)
def test_a_form_is_one_by_its_kind_alone(kind: str, read: bool) -> None:
    request = Request("POST", "/", headers={"content-type": kind} if kind else {}, body=b"a=1")
    if read:
        assert dict(request.form) == dict(request.fields) == {"a": "1"}
    else:
        assert code(lambda: request.form) is Code.MEDIA_TYPE


def test_fields_may_come_in_json_and_a_form_may_not() -> None:
    request = Request("POST", "/", headers={"content-type": "application/json"}, body=b'{"a": "1", "b": ""}')
    assert request.sends_json
    assert dict(request.fields) == {"a": "1", "b": ""}
    assert code(lambda: request.form) is Code.MEDIA_TYPE
    assert not Request("POST", "/", headers=FORM, body=b"a=1").sends_json
    assert code(lambda: Request("POST", "/", headers={"content-type": "text/plain"}).fields) is Code.MEDIA_TYPE


@pytest.mark.parametrize(
    ("headers", "script", "json"),
    [
        ({}, False, False),
        ({"accept": "*/*"}, False, False),
        ({"accept": "text/html,application/json"}, False, False),
        ({"accept": "application/json"}, True, True),
        ({"accept": "Application/JSON"}, True, True),
        ({"accept": "Text/HTML,application/json"}, False, False),
        ({"accept": "application/problem+json"}, True, True),
        ({"accept": "text/json"}, True, False),
        ({"accept": "*/*", "sec_fetch_dest": "empty"}, True, False),
        ({"accept": "*/*", "sec_fetch_dest": "document"}, False, False),
        ({"accept": "text/html", "sec_fetch_dest": "empty"}, False, False),
        ({"sec_fetch_dest": "empty"}, True, False),
    ],
)
def test_a_script_is_told_from_a_person(headers: dict[str, str], script: bool, json: bool) -> None:
    request = asked(**headers)
    assert (request.by_script, request.wants_json) == (script, json)


# cookies


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", {}),
        ("a=1", {"a": "1"}),
        ("a=1; b=2;c=3 ;\td = 4", {"a": "1", "b": "2", "c": "3", "d ": "4"}),
        ("a=1; a=2; b=3", {"b": "3"}),
        ("a=1; a=1; a=1", {}),
        ("a=1; a=2; b=3; b=4; c=5", {"c": "5"}),
        ('a="1"; b="2; c=3"', {"a": "1", "b": "2", "c": "3"}),
        ("a=b=c", {"a": "b=c"}),
        ("a; =b; ; c=", {"c": ""}),
        ("a=1;\u00a0b=2", {"a": "1", "\u00a0b": "2"}),
    ],
)
def test_cookies_are_read_one_by_one(header: str, found: dict[str, str]) -> None:
    assert parse_cookies(header) == found
    assert dict(asked(cookie=header).cookies) == found


def test_a_cookie_is_of_this_host_and_of_no_script() -> None:
    assert SetCookie(name="__Host-a", value="b", secure=True).render() == (
        "__Host-a=b; HttpOnly; Path=/; SameSite=Lax; Secure"
    )
    assert SetCookie(name="a", value="b", secure=False, same_site="Strict", max_age=0).render() == (
        "a=b; HttpOnly; Max-Age=0; Path=/; SameSite=Strict"
    )
    assert SetCookie(name="a", value="b", secure=True, same_site="None", max_age=60).render() == (
        "a=b; HttpOnly; Max-Age=60; Path=/; SameSite=None; Secure"
    )
    assert "canari" not in repr(SetCookie(name="a", value="canari", secure=True))
    for name in ("", "a b", "a;b", "é"):
        with pytest.raises(ValueError, match="not a cookie name"):
            SetCookie(name=name, value="", secure=True).render()


# a response


def test_a_response_is_an_empty_page_unless_told() -> None:
    assert Response().header_lines() == [("Content-Type", "text/html; charset=utf-8")]
    assert (Response().status, Response().body) == (200, b"")
    assert Response(204).header_lines() == []
    assert Response(403, b"x", "text/plain").header_lines() == [("Content-Type", "text/plain")]
    assert "canari" not in repr(Response(200, b"canari", headers=(("Location", "canari"),)))


def test_headers_and_cookies_are_added_after_those_that_are_there() -> None:
    first, second = (SetCookie(name=name, value="", secure=False) for name in "ab")
    response = Response(303, headers=(("A", "1"),), cookies=(first,))
    more = response.adding(headers=[("B", "2")], cookies=[second])
    assert [value for name, value in more.header_lines() if name in "AB"] == ["1", "2"]
    assert more.cookies == (first, second)
    assert [name for name, _ in more.header_lines()] == ["A", "B", "Set-Cookie", "Set-Cookie"]
    assert response.adding() == response
    assert len(response.header_lines()) == 2


@pytest.mark.parametrize("mark", ["\r", "\n", "\x00"])
def test_a_header_is_one_line(mark: str) -> None:
    for response in (Response(headers=(("A", f"x{mark}y"),)), see_other(f"/{mark}"), Response(content_type=f"a{mark}")):
        with pytest.raises(ValueError, match="line break"):
            response.header_lines()


def test_a_browser_is_sent_elsewhere_with_a_get() -> None:
    cookie = SetCookie(name="a", value="", secure=False)
    response = see_other("/x", cookie)
    assert response.status == 303
    assert response.header_lines() == [("Location", "/x"), ("Set-Cookie", cookie.render())]
    assert see_other("/x").cookies == ()
