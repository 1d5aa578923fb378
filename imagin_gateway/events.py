"""What happened, for the operator: typed events, one JSON object a line, no secret in them.

A person is told by a pseudonym (keyed digest of issuer and subject), an address
as it was seen, a refusal by its stable code. Every control character of a value
from outside is escaped, so no value can forge a line (ASVS 16.4.1).
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol, TextIO

from imagin_gateway.clock import Clock
from imagin_gateway.errors import Code
from imagin_gateway.keys import Keyring

SCHEMA_VERSION: Final = 1

_log = logging.getLogger("imagin_gateway.events")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened.

    Attributes:
        name: what.
        code: reason, for a refusal or a failure.
        door: id of the door concerned.
        method: ``saml``, ``oidc``, ``password``...
        strength: authentication context told or reached, if any.
        person: `(issuer, subject)`; written as a pseudonym only.
        address: client address.
        correlation: id of the request, the same as on the page the person saw.
        actor: who acted, for an operator's command.
        detail: a few short facts; never a value that came from outside unread, never a secret.
    """

    name: EventName
    code: Code | None = None
    door: str = ""
    method: str = ""
    strength: str = ""
    person: tuple[str, str] | None = field(default=None, repr=False)
    address: str = ""
    correlation: str = ""
    actor: str = ""
    detail: Mapping[str, str | int | bool] = field(default_factory=dict)


class Sink(Protocol):
    """Where lines go."""

    def write(self, line: str) -> None:
        """Write one line, without its end. May raise: a sink that fails never stops a login."""
        ...


class StreamSink:
    """Lines to a text stream, flushed one by one."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


class FileSink:
    """Lines appended to a file, opened for each line so that rotation needs no signal."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, line: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


class CallSink:
    """Lines handed to a function of the host."""

    def __init__(self, call: Callable[[str], None]) -> None:
        self._call = call

    def write(self, line: str) -> None:
        self._call(line)


class EventLog:
    """Writes events.

    Args:
        sink: where lines go.
        clock: when they happened.
        keys: key of the pseudonyms.
    """

    def __init__(self, sink: Sink, clock: Clock, keys: Keyring) -> None:
        self._sink = sink
        self._clock = clock
        self._keys = keys
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Event], None]] = []
        self.failing = False
        """True while the last write failed: to be shown by health checks (ASVS 16.4.3)."""

    def pseudonym(self, person: tuple[str, str]) -> str:
        """Return the pseudonym under which the events tell a person."""
        return self._keys.mac("event pseudonym", json.dumps(person))[:20]  # type: ignore[index]  # newest key: never None

    def pseudonyms(self, person: tuple[str, str]) -> frozenset[str]:
        """Return every pseudonym a person had under the keys that are still held."""
        told = json.dumps(person)
        macs = (self._keys.mac("event pseudonym", told, version) for version in self._keys.versions)
        return frozenset(mac[:20] for mac in macs if mac is not None)

    def listen(self, hear: Callable[[Event], None]) -> None:
        """Hand every event to `hear` too, once it is written. It must not raise."""
        self._listeners.append(hear)

    def emit(self, event: Event) -> None:
        """Write one event. Never raises because of the sink."""
        line = render(event, self._clock.now(), self.pseudonym(event.person) if event.person else "")
        with self._lock:
            try:
                self._sink.write(line)
                self.failing = False
            except Exception:
                # The person at the door must not pay for a full disk; the operator must know.
                if not self.failing:
                    _log.exception("events cannot be written")
                self.failing = True
        for hear in self._listeners:
            hear(event)


def render(event: Event, at: datetime, pseudonym: str) -> str:
    """Return the JSON line of an event: ASCII only, so nothing in it can end a line or colour a terminal."""
    fields: dict[str, object] = {
        "v": SCHEMA_VERSION,
        "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "event": event.name.value,
        "code": event.code.value if event.code else "",
        "door": event.door,
        "method": event.method,
        "strength": event.strength,
        "person": pseudonym,
        "address": event.address,
        "correlation": event.correlation,
        "actor": event.actor,
        "detail": dict(event.detail),
    }
    kept = {name: value for name, value in fields.items() if value not in ("", {})}
    return json.dumps(kept, ensure_ascii=True).replace("\x7f", "\\u007f")
