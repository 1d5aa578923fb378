"""Answering a leak: one order after which nothing that may have leaked opens anything (row DPO-08)."""

from __future__ import annotations

from dataclasses import dataclass

from imagin_gateway.events import Event, EventLog, EventName
from imagin_gateway.local.door import DirectDoor
from imagin_gateway.local.leak import Answer
from imagin_gateway.sessions.registry import SessionRegistry


@dataclass(frozen=True, slots=True)
class LeakAnswered:
    """What was done: in the accounts, and how many sessions ended, of every door."""

    accounts: Answer
    sessions: int


def answer_leak(
    direct: DirectDoor, sessions: SessionRegistry, events: EventLog, *, letters: bool, actor: str
) -> LeakAnswered:
    """Demand another password of everybody, kill links and codes, then end every session, of every door.

    In this order: a login under way sees, once its session is open, that the account has
    changed, and gives it back. Done again after an interruption, it finishes what was left.

    Args:
        direct, sessions, events: of one gateway.
        letters: kill provisional passwords, too.
        actor: who orders it.

    Raises:
        Unavailable: a store does not answer. The sessions' store is asked first: without it, nothing is changed.
    """
    sessions.store.ping()
    done = direct.leaks.answer(letters=letters, actor=actor)
    ended = sessions.end_all()
    detail: dict[str, str | int | bool] = {
        "accounts": done.changed,
        "letters": done.letters,
        "links": done.links,
        "codes": done.codes,
        "mails": done.mails,
        "ended": ended,
    }
    events.emit(Event(name=EventName.LEAK_ANSWERED, actor=actor, detail=detail))
    return LeakAnswered(done, ended)
