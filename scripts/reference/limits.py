"""Every limit on tries, requests and lives: throttling, lock-out, anti-automation (row DOC-01), from the code's own values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from imagin_gateway import exchange, gateway
from imagin_gateway.flows import (
    desk_acts,
    desk_pages,
    hooks,
    house,
    my_session,
    passkey_login,
    portal_login,
    portal_logout,
    proconnect,
    second_step,
)
from imagin_gateway.local import (
    addresses,
    clients,
    factors,
    login,
    outbox,
    passkeys,
    password_policy,
    passwords,
    provisional,
    recovery,
    search,
    throttle,
    totp,
    trusted,
)
from imagin_gateway.mounts import asgi
from imagin_gateway.providers import attributes
from imagin_gateway.providers.oidc import claims
from imagin_gateway.providers.saml import documents
from imagin_gateway.settings import Passwords, SecondFactor, Sessions
from imagin_gateway.settings.desk import Desk
from scripts.reference.markdown import spoken, table

PAGE: Final = "reference/limits.md"

HEAD: Final = """# Limits

What holds back whoever guesses, asks or sends too much, and how long things live. A value with a key of the settings is a
default; the others are the same everywhere. [Decision 43](../decisions/0043-owners-under-attack.md) says why an account
waits instead of being locked, and why its owner gets in meanwhile.
"""

PASSWORDS, SESSIONS, DESK = Passwords(), Sessions(), Desk()
FACTOR: Final = SecondFactor(mode="optional")

Rows = Sequence[tuple[str, Any, str]]

TRIES: Final[Rows] = (
    (
        "delay of an account after each failure within the window",
        throttle.DELAYS,
        "an account that does not exist waits too",
    ),
    (
        "failures of an account within the window",
        throttle.ACCOUNT_FAILURES,
        "then nothing is evaluated, not even the right password",
    ),
    ("of those, kept for browsers the account knows", throttle.KNOWN_FAILURES, "a stranger cannot use them up"),
    ("the window of an account", throttle.ACCOUNT_WINDOW, ""),
    (
        'failures in a row after which an account is locked, `attempts = "delay"`',
        PASSWORDS.in_a_row,
        "`passwords.lock_after`; a link or a letter opens it",
    ),
    ('the same, `attempts = "lock"`', Passwords(attempts="lock").in_a_row, "`passwords.lock_after`"),
    ("how long failures in a row are remembered", throttle.MEMORY, ""),
    (
        "failures of a network within its window",
        throttle.NETWORK_FAILURES,
        "an IPv4 address, an IPv6 /64; it then waits for as long: 429",
    ),
    ("the window of a network", throttle.NETWORK_WINDOW, ""),
    ("failures of everybody within that window that raise the alarm", throttle.ALARM_FAILURES, "nobody is shut out"),
    ("failures of a network during the alarm", throttle.NETWORK_FAILURES_IN_ALARM, ""),
    ("failures before a success that its owner is told of by mail", login.NOTICE_AFTER, ""),
    (
        "tries of one second step",
        second_step.MOST_TRIES,
        "then the password again; tries count as those of passwords, on their own",
    ),
    ("tries of a code for a new mail address", addresses.TRIES, ""),
)

ASKING: Final[Rows] = (
    (
        "links mailed to one account within the hour",
        throttle.LINKS_PER_ACCOUNT,
        "whoever asks is told the same; codes for an address have a count of their own",
    ),
    ("links asked for by one network within the hour", throttle.LINKS_PER_NETWORK, "then 429"),
    ("that hour", throttle.LINKS_WINDOW, ""),
    ("departures towards portals from one network within ten minutes", portal_login.DEPARTURES, "then 429"),
    (
        "pages of the passkey alone shown to one network within five minutes, and answers to them",
        passkey_login.PAGES,
        "of each; then 429",
    ),
    ("orders of logout from one network at one door, within their window", portal_logout.ORDERS, "then 429"),
    ("that window", portal_logout.ORDERS_LIFE, ""),
    (
        "searches of one helper within an hour, and accounts looked at",
        DESK.searches_per_hour,
        "`desk.searches_per_hour`",
    ),
    ("letters or digits a search asks for", search.SHORTEST, ""),
    ("accounts a search shows on the pages", desk_pages.SHOWN, ""),
)

LIVES: Final[Rows] = (
    ("a session without a request", SESSIONS.idle, "`sessions.idle_minutes`"),
    ("a session, whatever happens", SESSIONS.absolute, "`sessions.absolute_hours`"),
    ("a login that counts as recent, for one's own sessions", SESSIONS.recent, "`sessions.recent_minutes`"),
    ("a login that counts as recent, for a helper", DESK.recent, "`desk.recent_minutes`"),
    ("a journey towards a portal and back", house.JOURNEY, "its state works once, in the browser that began it"),
    ("an answer that waits for a yes, where it would replace a session", portal_login.ARRIVAL, ""),
    ("a second step", second_step.WAITING, ""),
    ("a link of ProConnect that waits for the password", proconnect.WAITING, ""),
    ("a mailed link, in minutes", PASSWORDS.reset_minutes, "`passwords.reset_minutes`; works once"),
    ("a code for a new address", addresses.LIFE, ""),
    ("a provisional password, in days", PASSWORDS.provisional_days, "`passwords.provisional_days`; works once"),
    ("an act of the help desk that waits for its confirmation", desk_acts.TO_DECIDE, ""),
    ("a browser an account is known to", clients.LIFE, ""),
    ("a trusted computer, in days", FACTOR.trusted_days, "`second_factor.trusted_days`; 0: none"),
    ("the warning before a session ends", my_session.WARNING, ""),
    ("what the direct door keeps of a mail that cannot be delivered", outbox.GIVE_UP, "then it is given up"),
)

STRENGTHS: Final[Rows] = (
    ("characters of a chosen password, at least", PASSWORDS.minimum_length, "`passwords.minimum_length`"),
    ("signs that remain once what everybody knows of the person is taken out", password_policy.OWN_SIGNS, ""),
    ("bytes of a password, at most", passwords.MAX_BYTES, ""),
    (
        "entropy of the least password, by CNIL's count, where tries are slowed down, in bits",
        password_policy.CNIL_BITS_RESTRICTED,
        "checked at the start",
    ),
    (
        "signs of a provisional password",
        provisional.SIGNS,
        f"of an alphabet of {len(provisional.ALPHABET)}, without look-alikes",
    ),
    ("digits of an application's code", totp.DIGITS, "works once"),
    ("seconds of such a code", totp.STEP_SECONDS, f"{totp.WINDOW} before and after are taken"),
    ("digits of a code for a new address", addresses.DIGITS, "one to each end, both are needed"),
    ("recovery codes", recovery.HOW_MANY, "each works once"),
    ("passkeys of an account", factors.MOST_PASSKEYS, ""),
    ("seconds a passkey may take", passkeys.TIMEOUT_SECONDS, ""),
    ("trusted computers of an account", trusted.MOST, "the oldest goes"),
)

SIZES: Final[Rows] = (
    ("bytes of a body", exchange.MAX_BODY_BYTES, "413"),
    ("characters of a query string", exchange.MAX_TARGET_CHARS, "413"),
    ("fields of a form or a query", exchange.MAX_FIELDS, "400"),
    ("bytes of a SAML message", documents.MESSAGE.size, ""),
    ("marks of a SAML message", documents.MESSAGE.marks, "elements, attributes and the like, counted before parsing"),
    ("namespaces that an element of a SAML message declares", documents.MESSAGE.namespaces, "counted before parsing"),
    ("characters of the name of a session at an OpenID provider (`sid`)", claims.MAX_SESSION_CHARS, ""),
    ("characters of a portal's attribute", attributes.MAX_VALUE_CHARS, ""),
    ("values of a portal's attribute", attributes.MAX_VALUES, ""),
)

CPU: Final[Rows] = (
    ("threads for journeys, ASGI", gateway.THREADS, "the gateway's own"),
    ("threads for sessions that are not in memory, ASGI", gateway.LOOKUPS, ""),
    ("requests that may wait for a thread, ASGI", asgi.MOST_WAITING, "then 503 with Retry-After"),
    ("requests one portal may hold at once", house.PER_PORTAL, "then 503: a portal that hangs keeps its share"),
    ("hashes that may wait, for each that runs", passwords.WAITING_PER_WORKER, "then 503"),
    ("seconds a hash may wait", passwords.WAIT_SECONDS, "then 503"),
    ("seconds a coroutine hook may take", hooks.PATIENCE, ""),
)

TABLES: Final[dict[str, Rows]] = {
    "Tries": TRIES,
    "Asking": ASKING,
    "Lives": LIVES,
    "Strengths": STRENGTHS,
    "Sizes": SIZES,
    "Threads and queues": CPU,
}


def text() -> str:
    """Return the page."""
    parts = [HEAD]
    for title, rows in TABLES.items():
        parts += [
            f"## {title}\n",
            table(["what", "value", ""], [(what, spoken(value), more) for what, value, more in rows]),
            "",
        ]
    parts += [
        "A right password costs one hash and a wrong one too, whatever the state of the account; there is no CAPTCHA. What a",
        "proxy or a firewall in front holds back comes on top.",
        "",
    ]
    return "\n".join(parts)
