"""Security headers of every answer of the gateway (rows WEB-01 to WEB-06 of the checklist)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from imagin_gateway.settings import Settings

Header = tuple[str, str]

ONE_YEAR: Final = 31_536_000
"""Seconds; the shortest life HSTS may have (ASVS 3.4.1) and the one of a versioned asset."""

_PERMISSIONS: Final = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


def bare_headers(settings: Settings) -> list[Header]:
    """Return what goes with any answer that is not a page: a redirect, a metadata document, a short text.

    Args:
        settings: of the gateway; HSTS is for https alone (RFC 6797 §7.2).
    """
    return [("Cache-Control", "no-store"), *_common(settings)]


def asset_headers(settings: Settings) -> list[Header]:
    """Return what goes with a style sheet or a script: its name changes with its content, so it is kept."""
    return [("Cache-Control", f"public, max-age={ONE_YEAR}, immutable"), *_common(settings)]


def logo_headers(settings: Settings) -> list[Header]:
    """Return what goes with the logo: the portals' own pages show it, so it alone is open to other sites."""
    common = [each for each in _common(settings) if each[0] != "Cross-Origin-Resource-Policy"]
    policy = "default-src 'none'; style-src 'none'; sandbox; frame-ancestors 'none'"
    return [
        ("Cache-Control", "public, max-age=86400"),
        ("Cross-Origin-Resource-Policy", "cross-origin"),
        ("Content-Security-Policy", policy),
        *common,
    ]


def security_headers(settings: Settings, *, nonce: str, form_targets: Sequence[str] = ()) -> list[Header]:
    """Return what goes with a page.

    Args:
        settings: of the gateway.
        nonce: fresh for this page; the only script that runs is the one that bears it, if there is one.
        form_targets: absolute addresses, from the configuration, to which a form of this page
            may lead besides ours: browsers apply form-action to the redirect that follows, too.

    Raises:
        ValueError: a target is not an http or https address.
    """
    targets = ["'self'", *sorted({_origin(target) for target in form_targets})]
    policy = (
        "default-src 'none'",
        "style-src 'self'",
        f"script-src 'nonce-{nonce}'",
        "img-src 'none'",
        f"form-action {' '.join(targets)}",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "object-src 'none'",
    )
    return [
        *bare_headers(settings),
        ("Content-Security-Policy", "; ".join(policy)),
        ("X-Frame-Options", "DENY"),
        ("Permissions-Policy", _PERMISSIONS),
    ]


def _common(settings: Settings) -> list[Header]:
    headers = [
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ]
    if settings.base_url.startswith("https://"):
        headers.append(("Strict-Transport-Security", f"max-age={ONE_YEAR}; includeSubDomains"))
    return headers


def _origin(url: str) -> str:
    parts = urlsplit(url)
    # Whatever could end the directive, or open another one, has no place in a host name.
    plain = parts.netloc.isascii() and parts.netloc.isprintable() and not set(parts.netloc) & set(" ;,'\"*@\\")
    if parts.scheme not in ("https", "http") or not parts.netloc or not plain:
        raise ValueError("not an http address")
    return f"{parts.scheme}://{parts.netloc}"
