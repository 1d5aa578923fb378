"""Every way to a session with its strength, and every address there is: nothing else opens one (row DOC-02)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from imagin_gateway.flows.direct_login import PASSKEY, PASSWORD
from imagin_gateway.flows.routes import OPEN_WHILE, PORTAL, ROUTES
from imagin_gateway.local.factors import AMR, MFA, MFA_CLASS, FactorKind
from imagin_gateway.sessions.session import FIRST_PASSWORD, SECOND_FACTOR
from scripts.reference.markdown import first_sentence, table

PAGE: Final = "reference/ways-in.md"

HEAD: Final = """# Ways in

There is one way to be signed in: a session cookie of this gateway. This page lists everything that makes one, and every
address below `mount_path`; a test compares both with the code. There is no other: no header, no basic authentication, no
key of an interface, no account of ours, no default password.
"""

PORTALS: Final = "what the portal tells; what it does not tell is weak"


@dataclass(frozen=True)
class Way:
    """One way to a session.

    Attributes:
        what: in words.
        asks: where it begins.
        opens: address whose handler opens the session.
        amr, acr: what the session says of its strength.
        when: what must be so in the settings or the account.
    """

    what: str
    asks: str
    opens: str
    amr: str
    acr: str
    when: str


def _step(kind: FactorKind) -> str:
    return ", ".join(("pwd", *AMR[kind], MFA))


WAYS: Final = (
    Way("a portal, SAML 2.0, begun here", PORTAL, "/arrivee", PORTALS, PORTALS, 'a section with `protocol = "saml"`'),
    Way("a portal, SAML 2.0, begun there", PORTAL + "/acs", "/arrivee", PORTALS, PORTALS, "and `unsolicited = true`"),
    Way("a portal, OpenID Connect", PORTAL, "/arrivee", PORTALS, PORTALS, 'a section with `protocol = "oidc"`'),
    Way("the same, begun there", PORTAL + "/initier", "/arrivee", PORTALS, PORTALS, "and `unsolicited = true`"),
    Way(
        "a portal's agent, trusted headers",
        PORTAL + "/entree",
        "/arrivee",
        PORTALS,
        PORTALS,
        'a section with `protocol = "header"`',
    ),
    Way(
        "ProConnect, into a linked account",
        PORTAL,
        "/arrivee",
        PORTALS,
        PORTALS,
        "`proconnect.enabled`; the link was confirmed by the account's owner",
    ),
    Way(
        "direct: identifier and password",
        "/direct",
        "/direct",
        ", ".join(PASSWORD.amr),
        "",
        "an account with no second factor, or a trusted computer",
    ),
    Way(
        "direct: password, then application",
        "/direct",
        "/etape",
        _step(FactorKind.TOTP),
        MFA_CLASS,
        "`second_factor.mode` is not `off`",
    ),
    Way(
        "direct: password, then passkey",
        "/direct",
        "/etape",
        _step(FactorKind.PASSKEY),
        MFA_CLASS,
        "`second_factor.mode` is not `off`",
    ),
    Way(
        "direct: password, then recovery code",
        "/direct",
        "/etape",
        _step(FactorKind.RECOVERY),
        MFA_CLASS,
        "`second_factor.mode` is not `off`",
    ),
    Way(
        "direct: passkey alone",
        "/cle",
        "/cle",
        ", ".join(PASSKEY.amr),
        PASSKEY.acr or "",
        "`second_factor.passkey_alone`",
    ),
    Way(
        "direct: provisional password of a letter",
        "/direct",
        "/direct",
        ", ".join(PASSWORD.amr),
        "",
        "opens the choice of a password and nothing else",
    ),
)

AGAIN: Final = {
    "/confirmer": "the password typed again, and the second step: the session begins anew, more recent",
    "/mot-de-passe": "a password was chosen: the session begins anew, as strong as before",
    "/adresse/codes": "the mail address changed: the session begins anew, as strong as before",
    "/securite/application": "a factor was added: the session begins anew, as strong as what was proved",
    "/securite/cle": "a factor was added: the session begins anew, as strong as what was proved",
}
"""Addresses that put a session in the place of the one that is there: nobody enters by them without one."""


def text() -> str:
    """Return the page."""
    ways = [(way.what, _code(way.asks), _code(way.opens), way.amr, way.acr, way.when) for way in WAYS]
    return "\n".join(
        [
            HEAD,
            "## What opens a session\n",
            table(["way", "begins at", "opened by", "`amr`", "`acr`", "when"], ways),
            "\nA session is put in the place of the one that is there, and of no other, by:\n",
            table(["address", "why"], [(_code(path), why) for path, why in AGAIN.items()]),
            "\nA reset link opens no session: the login follows. A page may ask for more (`strength`, `recent_minutes`); the",
            "host's admission rules may refuse what a portal proved; a hook of the host may too.\n",
            "## Sessions that can do one thing\n",
            table(
                ["session", "reaches"],
                [(name, ", ".join(_code(path) for path in sorted(OPEN_WHILE[kind]))) for kind, name in KINDS.items()],
            ),
            "\n## Every address\n",
            "Below `mount_path`. HEAD follows GET, unless GET acts. Any other address or method is refused.\n",
            table(["address", "method", "what it does", ""], routes()),
            "\nStyle sheet and scripts have addresses made from their content, which change with it.",
            "",
        ]
    )


KINDS: Final = {FIRST_PASSWORD: "of a provisional password", SECOND_FACTOR: "of an account that must add a factor"}


def routes() -> list[tuple[str, str, str, str]]:
    """Return every route and method, what its handler says of itself, and what protects it."""
    rows = []
    for route in ROUTES:
        for method, handler in route.handlers.items():
            guard = "from another site, by its nature" if route.cross_site else "form token" if method == "POST" else ""
            rows.append((_code(route.pattern), method, first_sentence(handler.__doc__), guard))
    return rows


def _code(text: str) -> str:
    return f"`{text}`"
