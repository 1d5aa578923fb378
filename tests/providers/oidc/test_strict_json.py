"""JSON from a portal: what two readers could read in two ways is not read at all."""

from __future__ import annotations

import pytest

from imagin_gateway.providers.oidc.strict_json import read_object


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"{}", {}),
        (b'{"a": [1, 2.5, -1e3, true, null, "x"]}', {"a": [1, 2.5, -1000.0, True, None, "x"]}),
        ('{"é": "\U0001f511"}'.encode(), {"é": "\U0001f511"}),
        (rb'{"a": "\ud83d\udd11"}', {"a": "\U0001f511"}),
        (rb'{"a": "\\ud800"}', {"a": r"\ud800"}),
    ],
)
def test_an_object_is_read_as_it_is_written(text: bytes, found: object) -> None:
    assert read_object(text) == found


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"[]", b"null", b'"a"', b"1", b"{", b"{} {}", b"\xef\xbb\xbf{}"),
        *(b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}', b'{"a": 1e999}', b'{"a": [-1e999]}'),
        *(b'{"a": 1, "a": 1}', b'{"b": {"a": 1, "a": 2}}', b'[{"a": 1, "a": 1}]', rb'{"a": 1, "\u0061": 2}'),
        *(rb'{"a": "\ud800"}', rb'{"\uDC00": 1}', rb'{"a": ["\udd11\ud83d"]}', b'{"a": "\xed\xa0\x80"}'),
        *('{"a": 1}'.encode("utf-16"), '{"a": 1}'.encode("utf-32"), b'{"a": "\xff"}'),
        *(b'{"a": ' + b"9" * 5000 + b"}", b'{"a": ' + b"[" * 100_000),
    ],
)
def test_what_is_no_object_or_could_be_two_is_refused_and_not_quoted(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"^not a JSON object$") as caught:
        read_object(text)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
