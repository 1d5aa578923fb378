"""Which modules, and which tests each must convince: those of the module itself, the nearest first.

A mutant that these tests do not notice counts as a survivor, even if some test far away would notice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent


def _tests(room: str, *names: str) -> tuple[str, ...]:
    return tuple(f"tests/{room}/test_{name}.py" for name in names)


_SAML: Final = _tests(
    "providers/saml",
    *("shape", "parsing", "decryption", "reading", "bindings", "orders", "profile", "signature", "wrapping"),
    *("document", "encryption", "logout", "arrival", "departure", "source", "configuration", "wrong_types"),
)
_OIDC: Final = _tests(
    "providers/oidc",
    *(
        "claims",
        "id_token",
        "signature",
        "keys",
        "strict_json",
        "strength",
        "departure",
        "answer",
        "assertion",
        "discovery",
    ),
    *("hint", "person", "token_response", "userinfo", "wrong_types", "configuration", "kept"),
)
_ATTRIBUTES: Final = _tests("providers", "vocabulary", "attributes", "arena")
_SESSIONS: Final = (
    *_tests("sessions", "registry", "session", "seen", "cache", "growth"),
    *_tests("flows", "my_sessions", "single_logout"),
)
_FACTORS: Final = (*_tests("local", "second_factors", "passkeys", "login", "door"), *_tests("flows", "second_factor"))
_POLICY: Final = _tests(
    "policy",
    *("admission", "facts", "malformed", "space", "interview", "document", "matrix", "damaged", "texts", "hints"),
)

PLAN: Final[dict[str, tuple[str, ...]]] = {
    # what decides who is let in, in the order of what it would cost
    **dict.fromkeys(
        (
            *("providers/saml/profile", "providers/saml/signature", "providers/saml/reader", "providers/saml/shape"),
            *("providers/saml/documents", "providers/saml/reading", "providers/saml/decryption"),
            *("providers/saml/bindings", "providers/saml/logout"),
        ),
        _SAML,
    ),
    **dict.fromkeys(
        ("providers/oidc/claims", "providers/oidc/signed", "providers/oidc/keyset", "providers/oidc/strict_json"),
        _OIDC,
    ),
    "providers/header": _tests("providers", "header"),
    **dict.fromkeys(("providers/attributes", "providers/fredu"), _ATTRIBUTES),
    **dict.fromkeys(("sessions/registry", "sessions/reader", "sessions/session", "sessions/cache"), _SESSIONS),
    "local/totp": _tests("local", "totp", "second_factors"),
    "local/throttle": _tests("local", "throttle", "login"),
    "local/passwords": _tests("local", "passwords", "login"),
    "local/provisional": _tests("local", "provisional", "login"),
    "local/reset": _tests("local", "reset", "links"),
    "local/login": _tests("local", "login", "door", "throttle"),
    **dict.fromkeys(("local/second_factors", "local/totp_rows", "local/recovery"), _FACTORS),
    "local/passkey_rows": _tests("local", "passkeys", "second_factors"),
    **dict.fromkeys(("policy/admission", "policy/facts", "policy/table"), _POLICY),
    "policy/proof": _tests("policy", "proof", "damaged", "malformed", "admission"),
    "policy/tree": _tests("policy", "render", "interview"),
    "keys": _tests("ground", "keys", "values"),
    "exchange": _tests("ground", "exchange", "values"),
    "flows/landing": _tests("flows", "landing", "redirects"),
}
"""By module of the package, without its suffix."""


def room(module: str) -> str:
    """Return the room of a module, as the report groups them."""
    parts = module.split("/")
    return "/".join(parts[:-1]) or "ground"


def source(module: str) -> Path:
    """Return the file of a module."""
    return ROOT / "imagin_gateway" / f"{module}.py"
