"""Which modules, and which tests each must convince: those of the module itself, the nearest first.

A mutant that these tests do not notice counts as a survivor, even if some test far away would notice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent

_SAML: Final = "tests/providers/saml/test_"
_OIDC: Final = "tests/providers/oidc/test_"
_LOCAL: Final = "tests/local/test_"
_SESSIONS: Final = "tests/sessions/test_"
_POLICY: Final = "tests/policy/test_"

PLAN: Final[dict[str, tuple[str, ...]]] = {
    # what decides who is let in, in the order of what it would cost
    "providers/saml/profile": (_SAML + "profile.py",),
    "providers/saml/signature": (_SAML + "signature.py", _SAML + "wrapping.py", _SAML + "logout.py"),
    "providers/saml/reader": (_SAML + "signature.py", _SAML + "encryption.py", _SAML + "wrapping.py"),
    "providers/saml/shape": (
        _SAML + "signature.py",
        _SAML + "wrapping.py",
        _SAML + "document.py",
        _SAML + "encryption.py",
    ),
    "providers/saml/documents": (_SAML + "document.py", _SAML + "arrival.py"),
    "providers/saml/reading": (_SAML + "profile.py", _SAML + "document.py", _SAML + "arrival.py"),
    "providers/saml/decryption": (_SAML + "encryption.py",),
    "providers/saml/bindings": (_SAML + "logout.py",),
    "providers/saml/logout": (_SAML + "logout.py",),
    "providers/oidc/claims": (_OIDC + "id_token.py", _OIDC + "strength.py", _OIDC + "departure.py"),
    "providers/oidc/signed": (_OIDC + "signature.py", _OIDC + "keys.py"),
    "providers/oidc/keyset": (_OIDC + "keys.py", _OIDC + "signature.py"),
    "providers/oidc/strict_json": (_OIDC + "strict_json.py",),
    "providers/header": ("tests/providers/test_header.py",),
    "providers/attributes": ("tests/providers/test_attributes.py", "tests/providers/test_arena.py"),
    "providers/fredu": ("tests/providers/test_attributes.py",),
    "sessions/registry": (_SESSIONS + "registry.py", _SESSIONS + "session.py"),
    "sessions/reader": (_SESSIONS + "registry.py", _SESSIONS + "seen.py", _SESSIONS + "cache.py"),
    "sessions/session": (_SESSIONS + "session.py", _SESSIONS + "registry.py"),
    "sessions/cache": (_SESSIONS + "cache.py",),
    "local/throttle": (_LOCAL + "throttle.py",),
    "local/passwords": (_LOCAL + "passwords.py",),
    "local/provisional": (_LOCAL + "provisional.py",),
    "local/reset": (_LOCAL + "reset.py",),
    "local/login": (_LOCAL + "login.py", _LOCAL + "door.py"),
    "local/totp": (_LOCAL + "second_factors.py",),
    "local/second_factors": (_LOCAL + "second_factors.py",),
    "local/totp_rows": (_LOCAL + "second_factors.py",),
    "local/passkey_rows": (_LOCAL + "second_factors.py",),
    "local/recovery": (_LOCAL + "second_factors.py",),
    "policy/admission": (_POLICY + "admission.py",),
    "policy/facts": (_POLICY + "facts.py", _POLICY + "malformed.py"),
    "policy/table": (_POLICY + "space.py", _POLICY + "interview.py", _POLICY + "document.py", _POLICY + "matrix.py"),
    "policy/proof": (_POLICY + "damaged.py", _POLICY + "malformed.py"),
    "policy/tree": (_POLICY + "space.py", _POLICY + "damaged.py", _POLICY + "matrix.py"),
    "keys": ("tests/ground/test_keys.py", "tests/ground/test_values.py"),
    "exchange": ("tests/ground/test_values.py", "tests/mounts/test_mounts.py"),
    "flows/landing": ("tests/flows/test_direct_journeys.py",),
}
"""By module of the package, without its suffix."""


def room(module: str) -> str:
    """Return the room of a module, as the report groups them."""
    parts = module.split("/")
    return "/".join(parts[:-1]) or "ground"


def source(module: str) -> Path:
    """Return the file of a module."""
    return ROOT / "imagin_gateway" / f"{module}.py"
