"""What is read from outside and how it is checked, what pages need of a browser, what they leave there (row DOC-06)."""

from __future__ import annotations

import ast
import re
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final

import imagin_gateway
from imagin_gateway import cookies
from imagin_gateway.flows import landing, language
from imagin_gateway.local import accounts, addresses, outbox, passwords, provisional, search, totp
from imagin_gateway.providers.oidc import initiation, portal, request
from imagin_gateway.providers.saml import bindings
from scripts.reference.markdown import spoken, table

PAGE: Final = "reference/inputs.md"

PACKAGE: Final = Path(imagin_gateway.__file__).parent

HEAD: Final = """# What is read, and what a browser needs

Nothing is read from a request but the fields below, the cookies below, the headers of a portal's agent where it is trusted
([trusted headers](../trusted-headers.md)), `Accept`, `Accept-Language`, `Sec-Fetch-*`, `Origin`, `Host`, and what the
declared proxies add. A name that stands twice is refused; a field that nobody reads is ignored; sizes are in
[limits](limits.md). A script may send the fields of a form as one JSON object of texts ([how](../json.md)): there, what is
no text, or no field of that form, is refused. Every value is checked where it is read, before anything is done with it.
"""

FIELDS: Final = {
    "acte": "name of an act of the help desk, of those there are",
    "action": "name of an act of the help desk, signed into the page that asks",
    "actuel": "password",
    "anew": "`1` or nothing",
    "cherche": f"{search.SHORTEST} letters or digits at least; searched as it is, bound as a parameter",
    "code-actuel": f"code sent to the present address: {addresses.DIGITS} digits",
    "code": f"of an application or an address: {totp.DIGITS} digits; of a provider: up to {spoken(request.MAX_CODE_CHARS)} visible signs; of a passkey: JSON",
    "courriel": f"one plain address, up to {outbox.MAX_EMAIL} signs",
    "formulaire": "form token: signed, of this browser, this page and this session",
    "dossier": "reference of an account, signed by us",
    "encore": "password, the same again",
    "error": "of a provider: an error name of RFC 6749, letters and underscores",
    "fait": "name of an act that was done, of those there are",
    "fin": "handle of a session, or `others` or `all`",
    "identifiant": f"identifier, folded, up to {accounts.MAX_IDENTIFIER} signs; an unknown one costs what a known one costs",
    "iss": "issuer, exactly the configured one",
    "jeton": "token of a mailed link, looked up by its digest",
    "lang": "a language that is offered",
    "logout_token": "signed token of the provider",
    "motdepasse": f"password, up to {spoken(passwords.MAX_BYTES)} bytes",
    "moyen": "way of the second step, of those the account has",
    "next": f"path of this site under `landings`, up to {spoken(landing.MAX_CHARS)} signs; anything else is `landing`",
    "nom": "name of a passkey, printable, cut to its length",
    "nouveau": "password, by the rules for passwords",
    "oublier": "handle of a trusted computer of this account",
    "porte": "door, of those there are",
    "question": "name of a question of the table",
    "RelayState": "handle of a journey, compared with the one that was kept",
    "retirer": "handle of a factor of this account",
    "SAMLResponse": "base64 of a document, checked by schema, shape and signature before it is read",
    "SAMLRequest": "the same, for a logout",
    "SAMLEncoding": "DEFLATE, if it is there",
    "SigAlg": "method of a signed address, of those that are accepted",
    "Signature": "base64; checked over the address as it came, before anything in it is read",
    "secours": f"recovery code: {provisional.SIGNS} signs of the letters' alphabet",
    "sid": "session of the provider, looked up by its digest",
    "state": f"handle of a journey, up to {portal.MAX_STATE_CHARS} signs, compared with the one that was kept",
    "target_link_uri": f"as `next`, up to {spoken(initiation.MAX_TARGET_CHARS)} signs",
    "login_hint": f"passed on to the provider, up to {initiation.MAX_HINT_CHARS} signs",
    "suite": "where to begin again: a path of ours",
    "vu": "page of a refusal, signed by us",
}
"""How each field is checked, by its name; the names of questions and facts are those of the policy's table."""


def _lasting(use: str, life: timedelta | None) -> str:
    if use == "trusted":
        return "`second_factor.trusted_days`"
    return "until the browser closes" if life is None else spoken(life)


COOKIES: Final = {use: (english, _lasting(use, life)) for use, _, english, life in cookies._USES}
"""Every cookie: `__Host-ig-` and its name. All are `Secure`, `HttpOnly`, `SameSite`, of this host alone, all strictly needed."""

FEATURES: Final = (
    ("HTML and forms", "all of it", "nothing works"),
    ("cookies of this site", "to be signed in", "the page says that they are missing"),
    ("JavaScript", "for nothing but passkeys", "one click more, after a portal's answer and where a password is shown"),
    ("WebAuthn", "for passkeys", "the page says so and offers another way"),
    ("CSS", "for looks", "pages read in order"),
    ("`prefers-color-scheme`, forced colours", "followed", "light"),
    (
        "Content-Security-Policy, `SameSite`, `__Host-`, Fetch Metadata",
        "defence in depth",
        "signatures and tokens of forms hold alone",
    ),
)


def text() -> str:
    """Return the page."""
    return "\n".join(
        [
            HEAD,
            "## Fields of forms and addresses\n",
            table(
                ["field", "how it is checked"],
                [(f"`{name}`", FIELDS[name]) for name in sorted(read_fields(), key=str.lower)],
            ),
            "\n## Passwords and identifiers\n",
            "- A chosen password: `passwords.minimum_length` characters at least after NFC, any sign, no composition rule; not",
            "  common, not breached (`passwords.breached_list`), not made of the person's names, of the service's or of a walk on",
            "  the keyboard. [Why](../decisions/0046-what-makes-a-password-weak.md).",
            "- An identifier and an address are folded (case, width) before they are compared.",
            f"- A provisional password and a recovery code: {provisional.SIGNS} signs; spaces and hyphens do not count.",
            f"- A code of an address: {addresses.DIGITS} digits.",
            "\n## Lists of convocations\n",
            "UTF-8 (a BOM is taken) or Windows-1252, semicolons or commas (a `sep=` line is taken), a header; every bad line is told and nothing is imported then.",
            "\n## Cookies\n",
            "For the page of a host that tells of them: `imagin-gateway inventory --part cookies` or, in French and English,",
            "`imagin_gateway.cookies.cookies(settings)`, by what the settings offer. All are strictly needed: no banner.\n",
            table(["cookie", "what it is", "how long"], [(f"`{name}`", *COOKIES[name]) for name in COOKIES]),
            "\n## What pages need of a browser\n",
            table(["feature", "for what", "without it"], FEATURES),
            "\nNo local storage, no frame, no third party, no camera, no location: `Permissions-Policy` says so to the browser.",
            "",
        ]
    )


@cache
def sources() -> list[ast.AST]:
    """Return the trees of every module that may read a request, what hosts test with left aside."""
    files = [file for file in sorted(PACKAGE.rglob("*.py")) if "testing" not in file.relative_to(PACKAGE).parts]
    texts = [file.read_text(encoding="utf-8") for file in files]
    return [ast.parse(text) for text in texts if re.search(r"cookie|query|form|_text\(", text)]


@cache
def read_fields() -> frozenset[str]:
    """Return the names of the fields that the code reads from forms and addresses."""
    found = {*bindings._FIELDS, language.PARAMETER}
    for tree in sources():
        named = _constants(tree)
        for node in ast.walk(tree):
            found |= _names(_key(node), named)
    return frozenset(found)


def _key(node: ast.AST) -> ast.expr | None:
    """Return the key of `form.get(key)`, `query[key]`, `key in query`, and of the reader of a login begun elsewhere."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
        return node.args[0] if _is_read(node.func.value) else None
    if isinstance(node, ast.Subscript) and _is_read(node.value):
        return node.slice
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In) and _is_read(node.comparators[0]):
        return node.left
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_text":
        return node.args[1] if len(node.args) == 3 else None
    return None


def _is_read(of: ast.expr) -> bool:
    name = of.attr if isinstance(of, ast.Attribute) else of.id if isinstance(of, ast.Name) else ""
    return name in ("form", "query")


def _names(key: ast.expr | None, named: dict[str, str]) -> set[str]:
    """Return the texts that a key may be: one, one of two, or a constant of the module."""
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        return {key.value}
    if isinstance(key, ast.IfExp):
        return _names(key.body, named) | _names(key.orelse, named)
    return {named[key.id]} if isinstance(key, ast.Name) and key.id in named else set()


def _constants(tree: ast.AST) -> dict[str, str]:
    """Return the texts that a module gives a name."""
    found = {}
    for node in ast.walk(tree):
        target: ast.expr | None = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
            found[target.id] = value.value
    return found


def set_cookies() -> set[str]:
    """Return the uses of the cookies that the code names."""
    found: set[str] = set()
    for tree in sources():
        named = _constants(tree)
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            if node.func.attr in ("cookie", "no_cookie", "cookie_name"):
                found |= _names(node.args[0], named)
                if isinstance(node.args[0], ast.Call):
                    found.add("flow-*")  # named after a journey: `_correlator_use`
    return found
