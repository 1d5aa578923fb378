"""The JSON body a script sends: one object of texts, what a form would send (RFC 8259). Nothing else is read."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Final

from imagin_gateway.errors import Code, RequestRefused

MEDIA_TYPE: Final = "application/json"

MAX_BYTES: Final = 64 * 1024
"""Largest body read; the answer of a passkey is the largest honest one."""

MAX_MEMBERS: Final = 64


def is_json(content_type: str) -> bool:
    """Tell whether a body is declared to be JSON, whatever else its type says."""
    return _kind(content_type) == MEDIA_TYPE


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip(" \t").lower()


def read_texts(content_type: str, body: bytes) -> list[tuple[str, str]]:
    """Return the members of the object, each a text.

    A form knows nothing but texts: so a value of another type, a list or an object is refused
    rather than guessed at, and nothing can be nested.

    Raises:
        RequestRefused: another charset than UTF-8, too large, not JSON, not an object, a repeated name, a value that
            is no text, or a text that no page could have sent. The message holds nothing of the body.
    """
    parameters = [part.strip(" \t").lower() for part in content_type.split(";")[1:]]
    # A semicolon with nothing after it is no parameter (RFC 9110 §5.6.6).
    if any(each not in ("", "charset=utf-8", 'charset="utf-8"') for each in parameters):
        raise RequestRefused("JSON is in UTF-8, and its type has no other parameter", code=Code.MEDIA_TYPE)
    if len(body) > MAX_BYTES:
        raise RequestRefused("the body is too large", code=Code.TOO_LARGE)
    members = _members(body)
    if len(members) > MAX_MEMBERS:
        raise RequestRefused("there are too many members", code=Code.MALFORMED)
    if not all(isinstance(value, str) for _, value in members):
        raise RequestRefused("a member is not a text", code=Code.FIELD_TYPE)
    if any(not _is_sent(text) for member in members for text in member):
        raise RequestRefused("a text holds a NUL or half a character", code=Code.MALFORMED)
    return members


class _Object(list[tuple[str, Any]]):
    """The members of an object, as they stand: a repeated one is seen."""


def _members(body: bytes) -> list[tuple[str, Any]]:
    found: object = None
    # What is raised below is not chained: the first error carries the document itself, and it may hold a password.
    with suppress(ValueError, RecursionError):
        found = json.loads(body.decode("utf-8"), object_pairs_hook=_Object)
    if not isinstance(found, _Object):
        raise RequestRefused("the body is not one JSON object", code=Code.MALFORMED)
    return found


def _is_sent(text: str) -> bool:
    """Tell whether a form could send this: JSON can also write half of a character (U+D800 to U+DFFF)."""
    return "\x00" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)
