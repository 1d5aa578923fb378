"""Handing a person everything that is kept of them (RGPD art. 15, row DPO-05)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from imagin_gateway.clock import Clock
from imagin_gateway.events import EventLog, EventName
from imagin_gateway.events.reading import Damage, holding, read
from imagin_gateway.flows.helping import Helping
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.local.accounts import identifier_key
from imagin_gateway.local.door import DirectDoor
from imagin_gateway.local.trusted import TrustedComputer
from imagin_gateway.sessions.registry import SessionRegistry
from imagin_gateway.sessions.session import Session

FORM = 1
"""Version of the form of what is handed over."""


def export_person(
    direct: DirectDoor,
    sessions: SessionRegistry,
    events: EventLog,
    clock: Clock,
    identifier: str,
    *,
    logs: Iterable[Path],
    helping: Helping,
) -> dict[str, object] | None:
    """Return all that is kept of the owner of an account; None when no account has that identifier.

    Args:
        direct, sessions, events, clock: of one gateway.
        identifier: of the account.
        logs: files of events in which their lines are looked for.
        helping: who hands it over.

    Raises:
        OSError: a file of events cannot be read.
        Unavailable: a store does not answer.
    """
    account = direct.find(identifier)
    if account is None:
        return None
    # Told first: what is handed over is whole, this act included.
    helping.tell(EventName.ACCOUNT_EXPORTED, account.identifier)
    tables = direct.personal.export(identifier)
    dossier = direct.desk.dossier_of(identifier)
    if tables is None or dossier is None:
        return None
    person = (DIRECT_ISSUER, account.identifier)
    return {
        "form": FORM,
        "made_at": clock.now().isoformat(),
        "person": {"issuer": person[0], "subject": person[1]},
        "accounts": tables,
        "sessions": [_session(each) for each in sessions.list_person(*person)],
        "trusted_computers": [
            _computer(each) for each in direct.trusted.kept(identifier_key(account.identifier), clock.now())
        ],
        "failed_tries": {
            "count": dossier.failures.count,
            "last": dossier.failures.last.isoformat() if dossier.failures.last else None,
        },
        "pseudonyms_in_events": sorted(events.pseudonyms(person)),
        "events": list(_lines(logs, events.pseudonyms(person))),
    }


def _session(session: Session) -> dict[str, object]:
    who = session.identity
    return {
        "handle": session.handle,
        "door": session.door,
        "opened_at": session.created_at.isoformat(),
        "last_seen": session.last_seen.isoformat(),
        "ends_at": session.absolute_end.isoformat(),
        "device": session.device,
        "address": session.address,
        "family_name": who.family_name,
        "given_name": who.given_name,
        "email": who.email,
        "method": who.method,
        "activities": sorted(who.activities),
        "attributes": {name: list(values) for name, values in who.attributes.items()},
    }


def _computer(computer: TrustedComputer) -> dict[str, object]:
    return {
        "handle": computer.handle,
        "device": computer.device,
        "address": computer.address,
        "since": computer.since.isoformat(),
        "ends_at": computer.ends_at.isoformat(),
    }


def _lines(logs: Iterable[Path], pseudonyms: frozenset[str]) -> Iterator[dict[str, object]]:
    wanted = holding(sorted(pseudonyms))
    for log in logs:
        for found in read(log, wanted):
            if not isinstance(found, Damage):
                yield json.loads(found[0])
