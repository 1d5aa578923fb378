"""A SAML answer as an operator got hold of it: from a page, the tools of a browser, a mail, an editor."""

from __future__ import annotations

import base64
import codecs
import html
import re
import sys
from pathlib import Path
from typing import Final
from urllib.parse import unquote

MAX_MESSAGE_BYTES: Final = 2 * 1024 * 1024

_FIELD: Final = re.compile(
    r"SAMLResponse[\"']?\s*[=:]\s*[\"']?"
    r"([^\"'&\s]+(?:\s+(?!RelayState\b)[A-Za-z0-9+/=%]+(?![^\"'&\s]))*)"
)
"""The field of a form as it is posted, or as browsers show it: « SAMLResponse: "…" ». Mails wrap its lines."""

_INPUT: Final = re.compile(r"<input\b[^>]*\bname\s*=\s*[\"']?SAMLResponse\b[^>]*>", re.IGNORECASE)

_VALUE: Final = re.compile(r"\bvalue\s*=\s*[\"']?([^\"'>]*)", re.IGNORECASE)


def encoded(file: Path) -> str:
    """Return the base64 of a message, "" of an empty file. « - » is standard input. Raises `OSError`."""
    raw = sys.stdin.buffer.read(MAX_MESSAGE_BYTES) if str(file) == "-" else _bounded(file)
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raw = raw.decode("utf-16", "replace").encode()
    raw = raw.removeprefix(codecs.BOM_UTF8).strip()
    text = raw.decode("ascii", "replace")
    if text.startswith("<"):
        field = _INPUT.search(text)
        value = None if field is None else _VALUE.search(field[0])
        return base64.b64encode(raw).decode("ascii") if value is None else _plain(value[1])
    found = _FIELD.search(text)
    return _plain(found[1] if found else text.strip("\"'"))


def _plain(told: str) -> str:
    """Return base64 as it was before a form or a page encoded it."""
    return html.unescape(unquote(told))


def _bounded(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(MAX_MESSAGE_BYTES)
