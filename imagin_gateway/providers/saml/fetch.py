"""Reading an address, for metadata alone: bounded in time and size, no redirect followed."""

from __future__ import annotations

import httpx2

from imagin_gateway.providers.oidc.bounded import BoundedTransport

SECONDS = 30.0
"""A federation's aggregate is some megabytes."""


def fetch(url: str, limit: int, *, seconds: float = SECONDS) -> bytes:
    """Return what stands at an address.

    Args:
        url: https; what it gives is worth nothing until its signature is verified.
        limit: bytes, at most.
        seconds: longest time, from the connection to the last byte.

    Raises:
        OSError: it cannot be had.
    """
    failure = ""
    try:
        with (
            httpx2.Client(
                transport=BoundedTransport(seconds),
                timeout=seconds,
                follow_redirects=False,
                trust_env=False,
                headers={"Accept-Encoding": "identity", "User-Agent": "imagin-gateway"},
            ) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.status_code != 200:
                raise OSError(f"the address answers {answer.status_code}")
            if answer.headers.get("content-encoding", "identity").lower() != "identity":
                raise OSError("the answer is encoded")
            body = bytearray()
            for chunk in answer.iter_raw():
                body += chunk
                if len(body) > limit:
                    raise OSError("the answer is too large")
            return bytes(body)
    except httpx2.HTTPError as error:
        failure = type(error).__name__
    raise OSError(f"the address cannot be read: {failure}")
