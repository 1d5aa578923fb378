"""Pages told to a script: the same values in JSON, for a host that shows them itself.

A page has a step of its name here, or it has none: then it is a page for a browser alone.
The function of a step takes how things are said, and the values its page is rendered with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from imagin_gateway.pages.steps import account, doors, factors, login, session
from imagin_gateway.pages.steps.say import Say
from imagin_gateway.pages.steps.shape import Told

STEPS: Final[Mapping[str, Callable[[Say, Mapping[str, Any]], Told | session.Session]]] = {
    "chooser": doors.chooser,
    "question": doors.question,
    "door": doors.door,
    "outcome": doors.outcome,
    "leaving": doors.leaving,
    "login": login.login,
    "second_step": login.second_step,
    "passkey_login": login.passkey_login,
    "confirm": login.confirm,
    "confirm_replace": login.confirm_replace,
    "logout": login.logout,
    "logged_out": login.logged_out,
    "password": account.choose_password,
    "password_done": account.password_done,
    "forgotten": account.forgotten,
    "forgotten_sent": account.forgotten_sent,
    "address": account.address,
    "address_codes": account.address_codes,
    "address_done": account.address_done,
    "security": factors.security,
    "totp_add": factors.totp_add,
    "passkey_add": factors.passkey_add,
    "recovery_codes": factors.recovery_codes,
    "proconnect": account.proconnect,
    "session": session.session,
    "sessions": session.sessions,
}
