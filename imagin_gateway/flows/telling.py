"""Saying an account's state and what happened to it in plain words, of the catalogue."""

from __future__ import annotations

from typing import Final

from imagin_gateway.local.door import FactorsView, Happened
from imagin_gateway.local.history import KEPT
from imagin_gateway.local.lifecycle import AccountState
from imagin_gateway.local.mail_kinds import MailKind
from imagin_gateway.pages.texts import Catalogue

_BY_DETAIL: Final = {"password_chosen": ("how", ("first", "required", "change", "reset"))}
"""Events said in different words by one of their facts, and the values it may have."""


class Telling:
    """Says states and events.

    Args:
        texts: words of one language.
    """

    def __init__(self, texts: Catalogue) -> None:
        self._texts = texts

    def state(self, state: AccountState) -> str:
        """Return a state in words."""
        return self._texts(f"desk.state.{state.value}")

    def event(self, happened: Happened) -> str:
        """Return what happened, in one sentence; an event of another release is told by its name."""
        name = happened.event
        if name in _BY_DETAIL:
            fact, values = _BY_DETAIL[name]
            if happened.detail.get(fact) in values:
                return self._texts(f"desk.event.{name}_{happened.detail[fact]}")
        if name in ("mail_sent", "mail_failed"):
            return self._texts(f"desk.event.{name}", mail=self._mail(str(happened.detail.get("mail", ""))))
        key = f"desk.event.{name}"
        return self._texts(key) if key in self._texts else self._texts("desk.event.other", name=name)

    def factors(self, held: FactorsView) -> tuple[str, ...]:
        """Return the second factors of an account, in words; nothing that opens it."""
        told = []
        if held.totp is not None:
            told.append(self._texts("desk.factor.totp"))
        if held.passkeys:
            told.append(self._texts("desk.factor.passkeys", count=len(held.passkeys)))
        if held.recovery_left:
            told.append(self._texts("desk.factor.codes", count=held.recovery_left))
        if held.required:
            told.append(self._texts("desk.factor.required"))
        return tuple(told)

    def _mail(self, kind: str) -> str:
        key = f"desk.mail.{kind}"
        return self._texts(key if key in self._texts else "desk.mail.other")


def keys_asked() -> list[str]:
    """Return every key this module may ask for: a test holds the catalogues to them."""
    events = [f"desk.event.{name.value}" for name in KEPT if name.value not in _BY_DETAIL]
    told = [f"desk.event.{name}_{value}" for name, (_, values) in _BY_DETAIL.items() for value in values]
    mails = [f"desk.mail.{kind.value}" for kind in MailKind]
    states = [f"desk.state.{state.value}" for state in AccountState]
    return [
        *events,
        *told,
        *mails,
        *states,
        "desk.factor.totp",
        "desk.factor.required",
        "desk.event.other",
        "desk.mail.other",
    ]
