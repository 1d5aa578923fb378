"""What a script is told instead of a page: a problem (RFC 9457), with what to do next."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from imagin_gateway.exchange import Response

MEDIA_TYPE: Final = "application/problem+json"


def challenge(host: str) -> tuple[str, str]:
    """Return the header that a 401 wants (RFC 9110 §15.5.2): no scheme of HTTP signs in here, a cookie does."""
    return "WWW-Authenticate", f'Cookie realm="{host}"'


def problem(status: int, title: str, more: Mapping[str, object], headers: Sequence[tuple[str, str]]) -> Response:
    """Return a problem.

    Args:
        status: HTTP status.
        title: what happened, in words for people.
        more: members of our own: `login`, `confirm` or `due`, a path to send the person to; `code`, stable.
        headers: of the answer.
    """
    told = {"type": "about:blank", "title": title, "status": status, **more}
    return Response(status, json.dumps(told).encode(), MEDIA_TYPE, headers=headers)
