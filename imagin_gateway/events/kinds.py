"""Every kind of event and every fact one may carry: declared here, and nowhere else.

The JSON Schema, the words an operator reads and the reference of the documentation are
all made from these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class EventName(StrEnum):
    """Every kind of event. Never renamed."""

    DEVELOPMENT_MODE = "development_mode"
    LOGIN_STARTED = "login_started"
    LOGIN = "login"
    LOGIN_REFUSED = "login_refused"
    LOGIN_CONFIRMATION_ASKED = "login_confirmation_asked"
    LOGOUT = "logout"
    LOGOUT_BY_PORTAL = "logout_by_portal"
    LOGOUT_AT_PORTAL = "logout_at_portal"
    LOGOUT_REFUSED = "logout_refused"
    SESSION_ENDED = "session_ended"
    SESSION_EXTENDED = "session_extended"
    CONFIRMATION_REFUSED = "confirmation_refused"
    SESSIONS_ENDED = "sessions_ended"
    SESSIONS_LISTED = "sessions_listed"
    ACCESS_DENIED = "access_denied"
    REQUEST_REFUSED = "request_refused"
    REDIRECT_REFUSED = "redirect_refused"
    PASSWORD_CHOSEN = "password_chosen"
    PASSWORD_REFUSED = "password_refused"
    RESET_ASKED = "reset_asked"
    RESET_LINK_REFUSED = "reset_link_refused"
    ACCOUNTS_IMPORTED = "accounts_imported"
    PROVISIONAL_ISSUED = "provisional_issued"
    ACCOUNT_SHOWN = "account_shown"
    CHANGE_REQUIRED = "change_required"
    LINK_ORDERED = "link_ordered"
    ADDRESS_ASKED = "address_asked"
    ADDRESS_REFUSED = "address_refused"
    ADDRESS_CHANGED = "address_changed"
    ACCOUNT_DISABLED = "account_disabled"
    ACCOUNT_ENABLED = "account_enabled"
    ACCOUNT_LOCKED = "account_locked"
    ACCOUNT_UNLOCKED = "account_unlocked"
    ACCOUNT_EXPORTED = "account_exported"
    ACCOUNT_ERASED = "account_erased"
    INACTIVE_ERASED = "inactive_erased"
    ACCOUNTS_SEARCHED = "accounts_searched"
    DESK_REFUSED = "desk_refused"
    HISTORY_PURGED = "history_purged"
    LEAK_ANSWERED = "leak_answered"
    ACCOUNT_LINKED = "account_linked"
    ACCOUNT_UNLINKED = "account_unlinked"
    SECOND_STEP_ASKED = "second_step_asked"
    SECOND_STEP_REFUSED = "second_step_refused"
    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    FACTOR_REFUSED = "factor_refused"
    FACTORS_CLEARED = "factors_cleared"
    FACTOR_REQUIRED = "factor_required"
    FACTOR_NOT_REQUIRED = "factor_not_required"
    RECOVERY_CODES_MADE = "recovery_codes_made"
    RECOVERY_CODE_USED = "recovery_code_used"
    COMPUTER_TRUSTED = "computer_trusted"
    COMPUTER_FORGOTTEN = "computer_forgotten"
    MAIL_SENT = "mail_sent"
    MAIL_FAILED = "mail_failed"
    PORTAL_FAILED = "portal_failed"
    METADATA_RENEWED = "metadata_renewed"
    METADATA_REFUSED = "metadata_refused"
    HOOK_FAILED = "hook_failed"
    PROXY_UNDECLARED = "proxy_undeclared"
    FAULT = "fault"
    EVENTS_READ = "events_read"
    PSEUDONYM_OPENED = "pseudonym_opened"
    EVENTS_PURGED = "events_purged"
    EVENTS_PURGE_FAILED = "events_purge_failed"
    SINK_FAILED = "sink_failed"
    SINK_RECOVERED = "sink_recovered"


class Outcome(StrEnum):
    """What an event tells, in one word: for filters and counts."""

    DONE = "done"
    """Somebody did what they came for, or an operator acted."""
    REFUSED = "refused"
    """A control said no: nothing was changed."""
    FAILED = "failed"
    """Something of ours, or of a partner's, did not work."""


FACTS: Final[Mapping[str, tuple[type, str]]] = MappingProxyType(
    {
        "accounts": (int, "accounts concerned"),
        "attempt": (int, "how many times this mail was tried before"),
        "before": (str, "day before which files of events were removed"),
        "codes": (int, "recovery codes, or codes by mail, concerned"),
        "created": (int, "accounts made"),
        "days": (int, "how long, in days"),
        "during": (str, "what was under way: `logout`"),
        "ended": (int, "sessions ended"),
        "error": (str, "what the mail relay answered, cut at 80 signs"),
        "events": (int, "events kept beside accounts that were forgotten"),
        "factors": (int, "second factors taken away"),
        "files": (int, "files concerned"),
        "filters": (str, "which filters the reader gave, by name; no value"),
        "found": (int, "how many were found"),
        "given_up": (bool, "the mail is not tried again"),
        "header": (str, "which header told of a proxy"),
        "hook": (str, "which function of the host"),
        "how": (str, "on what occasion: `first`, `required`, `change`, `reset`"),
        "id_token": (bool, "the portal was shown the ID token; else it may have asked the person to confirm"),
        "issued": (int, "provisional passwords issued"),
        "issuer": (str, "the other service, as it names itself"),
        "kind": (str, "kind of second factor"),
        "left": (int, "how many are left"),
        "letters": (int, "provisional passwords ended"),
        "linked": (str, "pseudonym of the person at the other service"),
        "links": (int, "links by mail ended"),
        "lost": (int, "lines that could not be kept until the sink came back"),
        "mail": (str, "kind of mail"),
        "mailed": (bool, "a mail was written"),
        "mails": (int, "mails that waited and were thrown away"),
        "means": (str, "which second step: `code`, `secours`, `cle`"),
        "missing": (str, "names of the attributes that lack"),
        "more": (bool, "there were more than were shown"),
        "reason": (str, "which check failed, in words for developers; never a value from outside"),
        "replaced": (bool, "a chosen password was taken away, too"),
        "rules": (str, "ids of the host's rules"),
        "run": (str, "id of the import"),
        "setting": (str, "which setting to change"),
        "sink": (str, "which sink: `file`, `stdout`, `stderr`, `syslog`, `call`"),
        "solicited": (bool, "the login began at our side"),
        "status": (int, "HTTP status of the answer"),
        "statuses": (
            str,
            "what the portal told: status codes, or a class, methods or an algorithm that were not asked for",
        ),
        "type": (str, "type of the error"),
        "unchanged": (int, "accounts that were already so"),
        "untold": (int, "how many more there were since the last one that was told"),
        "updated": (int, "accounts changed"),
        "where": (str, "which part of the house"),
        "which": (str, "which sessions: `others`, `all`, or one"),
        "withheld": (str, "ids of the host's rules that took an activity away"),
    }
)
"""What `detail` may hold: the type of each fact, and what it says."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of one kind of event.

    Attributes:
        outcome: done, refused or failed.
        facts: names of what its `detail` may hold.
    """

    outcome: Outcome
    facts: frozenset[str]


def _done(*facts: str) -> Kind:
    return Kind(Outcome.DONE, frozenset(facts))


def _refused(*facts: str) -> Kind:
    return Kind(Outcome.REFUSED, frozenset(facts))


def _failed(*facts: str) -> Kind:
    return Kind(Outcome.FAILED, frozenset(facts))


_REFUSAL: Final = ("status", "reason", "missing", "statuses", "rules")
"""Facts of what reached the top of a journey."""

KINDS: Final[Mapping[EventName, Kind]] = MappingProxyType(
    {
        EventName.DEVELOPMENT_MODE: _done(),
        EventName.LOGIN_STARTED: _done(),
        EventName.LOGIN: _done("solicited", "withheld"),
        EventName.LOGIN_REFUSED: _refused(*_REFUSAL),
        EventName.LOGIN_CONFIRMATION_ASKED: _done(),
        EventName.LOGOUT: _done(),
        EventName.LOGOUT_BY_PORTAL: _done("ended"),
        EventName.LOGOUT_AT_PORTAL: _done("id_token"),
        EventName.LOGOUT_REFUSED: _refused(*_REFUSAL),
        EventName.SESSION_ENDED: _done(),
        EventName.SESSION_EXTENDED: _done(),
        EventName.CONFIRMATION_REFUSED: _refused(*_REFUSAL),
        EventName.SESSIONS_ENDED: _done("ended", "which"),
        EventName.SESSIONS_LISTED: _done("found"),
        EventName.ACCESS_DENIED: _refused(*_REFUSAL),
        EventName.REQUEST_REFUSED: _refused(*_REFUSAL, "untold"),
        EventName.REDIRECT_REFUSED: _refused("untold"),
        EventName.PASSWORD_CHOSEN: _done("how"),
        EventName.PASSWORD_REFUSED: _refused(*_REFUSAL),
        EventName.RESET_ASKED: _done("mailed"),
        EventName.RESET_LINK_REFUSED: _refused(*_REFUSAL),
        EventName.ACCOUNTS_IMPORTED: _done("created", "updated", "unchanged", "issued", "run"),
        EventName.PROVISIONAL_ISSUED: _done("ended", "replaced", "run"),
        EventName.ACCOUNT_SHOWN: _done("found"),
        EventName.CHANGE_REQUIRED: _done("accounts", "ended"),
        EventName.LINK_ORDERED: _done(),
        EventName.ADDRESS_ASKED: _done(),
        EventName.ADDRESS_REFUSED: _refused(*_REFUSAL),
        EventName.ADDRESS_CHANGED: _done(),
        EventName.ACCOUNT_DISABLED: _done("ended"),
        EventName.ACCOUNT_ENABLED: _done(),
        EventName.ACCOUNT_LOCKED: _refused(),
        EventName.ACCOUNT_UNLOCKED: _done(),
        EventName.ACCOUNT_EXPORTED: _done(),
        EventName.ACCOUNT_ERASED: _done("ended"),
        EventName.INACTIVE_ERASED: _done("accounts"),
        EventName.ACCOUNTS_SEARCHED: _done("found", "more"),
        EventName.DESK_REFUSED: _refused(*_REFUSAL),
        EventName.HISTORY_PURGED: _done("events"),
        EventName.LEAK_ANSWERED: _done("accounts", "letters", "links", "codes", "mails", "ended"),
        EventName.ACCOUNT_LINKED: _done("issuer", "linked"),
        EventName.ACCOUNT_UNLINKED: _done("issuer", "linked"),
        EventName.SECOND_STEP_ASKED: _done(),
        EventName.SECOND_STEP_REFUSED: _refused(*_REFUSAL, "means"),
        EventName.FACTOR_ADDED: _done("kind"),
        EventName.FACTOR_REMOVED: _done("kind", "left"),
        EventName.FACTOR_REFUSED: _refused(*_REFUSAL),
        EventName.FACTORS_CLEARED: _done("factors", "codes"),
        EventName.FACTOR_REQUIRED: _done(),
        EventName.FACTOR_NOT_REQUIRED: _done(),
        EventName.RECOVERY_CODES_MADE: _done("codes"),
        EventName.RECOVERY_CODE_USED: _done("left"),
        EventName.COMPUTER_TRUSTED: _done("days"),
        EventName.COMPUTER_FORGOTTEN: _done(),
        EventName.MAIL_SENT: _done("mail", "attempt"),
        EventName.MAIL_FAILED: _failed("mail", "attempt", "error", "given_up"),
        EventName.PORTAL_FAILED: _failed(*_REFUSAL, "during"),
        EventName.METADATA_RENEWED: _done("reason"),
        EventName.METADATA_REFUSED: _failed("reason"),
        EventName.HOOK_FAILED: _failed("hook", "type"),
        EventName.PROXY_UNDECLARED: _failed("header", "setting"),
        EventName.FAULT: _failed("type", "where"),
        EventName.EVENTS_READ: _done("filters", "found"),
        EventName.PSEUDONYM_OPENED: _done("found"),
        EventName.EVENTS_PURGED: _done("files", "before"),
        EventName.EVENTS_PURGE_FAILED: _failed("files", "type"),
        EventName.SINK_FAILED: _failed("sink", "type"),
        EventName.SINK_RECOVERED: _done("sink", "lost"),
    }
)
"""Every kind, and what it may tell."""
