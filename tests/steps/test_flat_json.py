"""The one object a script may send: whatever else comes is refused, by a code, and never by a fault."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagin_gateway.errors import Code, RequestRefused
from imagin_gateway.exchange import Request
from imagin_gateway.flat_json import MAX_BYTES, read_texts

JSON = "application/json"

SENT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


@given(st.dictionaries(SENT, SENT, max_size=20))
def test_an_object_of_texts_is_read_as_it_was_sent(told: dict[str, str]) -> None:
    for text in (json.dumps(told), json.dumps(told, ensure_ascii=False)):
        if len(text.encode()) <= MAX_BYTES:
            assert dict(read_texts(JSON, text.encode())) == told


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def outcome(raw: bytes) -> list[tuple[str, str]] | Code:
    """Return what is read, or the code of the refusal; anything else is a fault, and raises."""
    try:
        return read_texts(JSON, raw)
    except RequestRefused as refused:
        return refused.code


@pytest.mark.row("INP-09")
@given(ANY | st.dictionaries(st.text(), ANY, max_size=4))
def test_whatever_else_is_refused_by_a_code(told: Any) -> None:
    read = outcome(json.dumps(told).encode())
    if isinstance(read, Code):
        assert read in (Code.MALFORMED, Code.FIELD_TYPE)
        return
    assert isinstance(told, dict)
    # What is read can be written again, signed, hashed and kept: it is text.
    assert all(text.encode().decode() == text and "\x00" not in text for member in read for text in member)


@given(st.binary(max_size=200))
def test_bytes_are_read_or_refused(raw: bytes) -> None:
    read = outcome(raw)
    assert not isinstance(read, Code) or read in (Code.MALFORMED, Code.FIELD_TYPE)


@pytest.mark.parametrize(
    ("content_type", "raw", "code"),
    [
        (JSON, b"", Code.MALFORMED),
        (JSON, b"\xef\xbb\xbf{}", Code.MALFORMED),
        (JSON, '{"a":"é"}'.encode("latin-1"), Code.MALFORMED),
        (JSON, '{"a":"b"}'.encode("utf-16"), Code.MALFORMED),
        (JSON, b'{"a":"b"}{"a":"c"}', Code.MALFORMED),
        (JSON, b'{"a":"b",}', Code.MALFORMED),
        (JSON, b'[{"a":"b"}]', Code.MALFORMED),
        (JSON, b'{"a":"\\ud800"}', Code.MALFORMED),
        (JSON, b'{"\\udfff":"a"}', Code.MALFORMED),
        (JSON, b'{"a":"\\u0000"}', Code.MALFORMED),
        (JSON, b"[" * 60_000, Code.MALFORMED),
        (JSON, b'{"a":' * 10_000, Code.MALFORMED),
        (JSON, b'{"a":' + b"9" * 5000 + b"}", Code.MALFORMED),
        (JSON, b'{"a":NaN}', Code.FIELD_TYPE),
        (JSON, b'{"a":{"b":"c"}}', Code.FIELD_TYPE),
        (JSON, b'{"a":["b"]}', Code.FIELD_TYPE),
        (JSON, b'{"a":null}', Code.FIELD_TYPE),
        (JSON, b"{" + b",".join(b'"%d":""' % each for each in range(65)) + b"}", Code.MALFORMED),
        (JSON, b'{"a":"' + b"x" * MAX_BYTES + b'"}', Code.TOO_LARGE),
        (JSON + "; charset=latin-1", b"{}", Code.MEDIA_TYPE),
        (JSON + "; charset=utf-8; charset=utf-16", b"{}", Code.MEDIA_TYPE),
        (JSON + "; boundary=x", b"{}", Code.MEDIA_TYPE),
    ],
)
def test_what_no_script_of_a_host_sends_is_refused(content_type: str, raw: bytes, code: Code) -> None:
    with pytest.raises(RequestRefused) as refused:
        read_texts(content_type, raw)
    assert refused.value.code is code


@pytest.mark.parametrize(
    "kind", [JSON, "Application/JSON", JSON + ';charset="UTF-8"', JSON + " ; charset=utf-8", JSON + ";charset=utf-8; "]
)
def test_the_type_may_say_the_charset(kind: str) -> None:
    request = Request("POST", "/direct", headers={"content-type": kind}, body=b'{"a":"b"}')
    assert dict(request.fields) == {"a": "b"}


def test_a_name_stands_once() -> None:
    request = Request("POST", "/direct", headers={"content-type": JSON}, body=b'{"a":"b","\\u0061":"c"}')
    with pytest.raises(RequestRefused) as refused:
        _ = request.fields
    assert refused.value.code is Code.PARAMETER_REPEATED


@pytest.mark.parametrize("kind", ["text/plain", "text/json", "application/jsonp", "application/json5", "", "x"])
def test_another_type_is_no_json(kind: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        _ = Request("POST", "/direct", headers={"content-type": kind}, body=b"{}").fields
    assert refused.value.code is Code.MEDIA_TYPE


def test_a_form_is_never_read_from_json() -> None:
    """Portals post forms: what they send is not to be said in another way."""
    with pytest.raises(RequestRefused):
        _ = Request("POST", "/portail/x/acs", headers={"content-type": JSON}, body=b"{}").form


@pytest.mark.parametrize(
    ("accept", "wants"),
    [
        ("application/json", True),
        ("application/problem+json", True),
        ("Application/JSON, text/plain, */*", True),
        ("text/html,application/json", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_json_is_asked_for_by_name(accept: str, wants: bool) -> None:
    assert Request("GET", "/", headers={"accept": accept}).wants_json is wants
