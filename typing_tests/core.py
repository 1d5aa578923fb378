"""The names every host has: the gateway, its settings, a person, hooks, the policy."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import assert_type

from imagin_gateway import Activity, Door, Gateway, GatewayError, Hooks, Identity, Settings, SettingsError
from imagin_gateway.mounts import Visitor, person, require, visitor
from imagin_gateway.policy import Decision, Facts, Policy, Text, siec

# --- built

assert_type(Settings.load("gateway.toml"), Settings)
assert_type(Settings.load(Path("gateway.toml")), Settings)
gateway = Gateway(Settings.load("gateway.toml"), sends_mail=False)
assert_type(gateway.settings.base_url, str)
with gateway as opened:
    assert_type(opened, Gateway)

Gateway("gateway.toml")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Gateway(Settings.load("gateway.toml"), "events.jsonl")  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]

# --- a person


def told(who: Identity) -> None:
    assert_type(who.key, tuple[str, str])
    assert_type(who.subject, str)
    assert_type(who.door, str)
    assert_type(who.display_name, str)
    assert_type(who.activities, frozenset[Activity])
    assert_type(who.authenticated_at, datetime)
    assert_type(who.can(Activity.MISSIONS, "expenses"), bool)
    who.subject = "root"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def asked(environ: dict[str, object]) -> None:
    assert_type(person(environ), Identity | None)
    assert_type(require(environ, Activity.MISSIONS, recent=timedelta(minutes=5), strength=["mfa"]), Identity)
    assert_type(visitor(environ), Visitor)
    assert_type(visitor(environ).person, Identity | None)
    len(person(environ).subject)  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
    require(environ, recent=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    require(environ, 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# --- errors and doors

door: Door = Door.DIRECT
try:
    Settings.load("gateway.toml")
except SettingsError as error:
    problem: GatewayError = error
    assert_type([each.remedy for each in error.problems], list[str])

# --- hooks


def not_yet(who: Identity) -> str | None:
    return None if who.door == "direct" else "Ouverture le 14 décembre."


async def greet(who: Identity) -> None:
    assert_type(who, Identity)


def wrong(who: str) -> None:
    assert_type(who, str)


Hooks(before_admission=not_yet, after_login=greet)
Hooks(after_login=wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Hooks(before_login=not_yet)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

# --- the policy alone

table = siec()
assert_type(table, Policy)
decision = table.decide(Facts.parse({"employer": "en", "posting": "paris"}))
assert_type(decision, Decision)
assert_type(decision.sentence, Text)
assert_type(decision.sentence.fr, str)
table.decide({"employer": "en"})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
