"""Security headers of every answer of the gateway (rows WEB-01 to WEB-06 of the checklist)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from imagin_gateway.settings import Settings

Header = tuple[str, str]


def bare_headers(settings: Settings) -> list[Header]:
    """Return what goes with any answer, a page or not."""
    headers = [
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ]
    if settings.base_url.startswith("https://"):
        headers.append(("Strict-Transport-Security", "max-age=31536000; includeSubDomains"))
    return headers


def page_headers(settings: Settings, nonce: str, form_targets: Sequence[str] = ()) -> list[Header]:
    """Return what goes with a page.

    Args:
        settings: of the gateway.
        nonce: fresh for this page; the only script that runs bears it.
        form_targets: addresses other than ours to which a form of this page may lead.
    """
    targets = ["'self'", *sorted({_origin(target) for target in form_targets})]
    policy = [
        "default-src 'none'",
        "style-src 'self'",
        f"script-src 'nonce-{nonce}'",
        f"form-action {' '.join(targets)}",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "object-src 'none'",
    ]
    return [*bare_headers(settings), ("Content-Security-Policy", "; ".join(policy)), ("X-Frame-Options", "DENY")]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.netloc or set(parts.netloc) & set(" ;,'\""):
        raise ValueError("not an origin")
    return f"{parts.scheme}://{parts.netloc}"
