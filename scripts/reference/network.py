"""What the gateway connects to, and for how long it waits: every room that opens a connection (row DOC-04)."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Final

from imagin_gateway.events import outlet, syslog
from imagin_gateway.flows import house
from imagin_gateway.local import database, mailer, outbox, patience
from imagin_gateway.operating.check import LONGEST_SECONDS, check
from imagin_gateway.providers.oidc import bounded, kept, wire
from imagin_gateway.providers.saml import documents, fetch
from imagin_gateway.settings import Mail, OidcPortal, SamlPortal
from imagin_gateway.state.redis import RedisStateStore
from scripts.reference.markdown import spoken, table

PAGE: Final = "reference/network.md"

HEAD: Final = """# Connections

What the gateway connects to, each with its time-outs, its retries and its pool. Nothing else: no telemetry, no update, no
list fetched, no font or script for the pages. Addresses come from the settings, and from what a provider's own signed or
https document names on its own host; never from a request. No proxy is taken from the environment. The tests watch the
connections that the gateway's code opens while they run, and fail for one from a room that is not here.
"""


@dataclass(frozen=True)
class Connection:
    """One kind of connection.

    Attributes:
        to: what is at the other end.
        room: the module that opens it, as a stack shows it.
        setting: where its address is set.
        when: what makes it.
        waits: time-outs.
        retries: what follows a failure.
        pool: connections kept.
        down: what people see when it fails.
    """

    to: str
    room: str
    setting: str
    when: str
    waits: str
    retries: str
    pool: str
    down: str


def _default(of: Any, name: str) -> Any:
    return of.model_fields[name].default


def _default_of(function: Any, name: str) -> Any:
    return inspect.signature(function).parameters[name].default


def connections() -> tuple[Connection, ...]:
    """Return the list, with the values of the code."""
    redis_wait = inspect.signature(RedisStateStore.__init__).parameters["timeout"].default
    busy = spoken(float(database.BUSY_SECONDS))
    return (
        Connection(
            "OpenID provider, ProConnect",
            "imagin_gateway.providers.oidc",
            "`portals.DOOR.issuer`, `other_hosts`",
            "a login or a logout; discovery and keys behind the scenes",
            f"{_default(OidcPortal, 'timeout_seconds'):g} s for a whole exchange (`timeout_seconds`), {spoken(wire.MAX_ANSWER_BYTES)} bytes",
            f"none; one that failed is left alone for {spoken(kept.PAUSE)}; keys are asked again at most every {spoken(kept.RENEWALS)}",
            f"{bounded.MAX_CONNECTIONS} connections a portal, idle for {bounded.IDLE_SECONDS:g} s; {house.PER_PORTAL} requests of people at once",
            "that door: 503; the others as ever",
        ),
        Connection(
            "metadata of a SAML portal",
            "imagin_gateway.providers.saml.fetch",
            "`portals.DOOR.metadata_url`",
            "in the background, never for a request",
            f"{fetch.SECONDS:g} s for the whole, {spoken(documents.METADATA.size)} bytes",
            f"every {_default(SamlPortal, 'metadata_refresh_minutes')} minutes (`metadata_refresh_minutes`)",
            "none kept",
            "nothing while the copy is good",
        ),
        Connection(
            "SMTP relay",
            "imagin_gateway.local.mailer",
            "`mail.host`, `mail.port`",
            "a mail waits in the outbox",
            f"{_default(Mail, 'timeout_seconds'):g} s for each answer (`mail.timeout_seconds`), {mailer.END_OF_DATA_SECONDS:g} s for the one after the text (RFC 5321)",
            f"from {spoken(outbox.FIRST_RETRY)} to {spoken(outbox.LONGEST_RETRY)}, given up after {spoken(outbox.GIVE_UP)}",
            "one connection, for what waits",
            "nothing: mails leave later",
        ),
        Connection(
            "PostgreSQL",
            "imagin_gateway.local.database",
            "`accounts.url`",
            "anything about direct accounts",
            f"{busy} s to connect, for a lock, for a free connection; {patience.SECONDS:g} s for an answer, {patience.LONG_SECONDS:g} s for what changes many rows",
            "none within a request; each connection is tried before use",
            "SQLAlchemy's: 5, and 10 more under load, a process",
            "direct accounts: 503; portals as ever",
        ),
        Connection(
            "Redis",
            "imagin_gateway.state",
            "`state.url`",
            "sessions, journeys, counters",
            f"{redis_wait:g} s to connect and to answer, for each server asked",
            "none within a command, but for a cluster that moves (3)",
            "grows with the threads; one more for announcements",
            "503; who is signed in still is afterwards",
        ),
        Connection(
            "all of these, the portals' pages and our own address",
            "imagin_gateway.operating",
            "`base_url`, and the same settings",
            "the operator runs `imagin-gateway check`; never a server that serves",
            f"{_default_of(check, 'timeout'):g} s for each step (`--timeout`), {LONGEST_SECONDS:g} s for everything",
            "none",
            "none kept",
            "a finding, told with what to do",
        ),
        Connection(
            "syslog",
            "imagin_gateway.events.syslog",
            "`events.syslog`",
            "an event, from a thread of its own",
            f"{syslog.SECONDS:g} s to connect and to write",
            f"every {outlet.RETRY_SECONDS:g} s; {outlet.MOST_WAITING} lines wait meanwhile",
            "one a process",
            "nothing: readiness and the other sinks say so",
        ),
    )


def text() -> str:
    """Return the page."""
    rows = connections()
    return "\n".join(
        [
            HEAD,
            table(
                ["to", "set by", "when", "waits", "retries"],
                [(each.to, each.setting, each.when, each.waits, each.retries) for each in rows],
            ),
            "",
            table(
                ["to", "pool", "when it fails", "opened by"],
                [(each.to, each.pool, each.down, f"`{each.room}`") for each in rows],
            ),
            "\nSQLite is a file: no connection. `imagin-gateway oidc check` and `saml check` make the same connections as a",
            "login. What the application itself connects to is its own affair.",
            "",
        ]
    )
