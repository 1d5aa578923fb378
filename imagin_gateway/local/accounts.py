"""What an account is: the values this room shares, and how identifiers are compared."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from imagin_gateway.local.lifecycle import AccountState

MAX_IDENTIFIER: Final = 64
"""Longest identifier, in code points."""


def identifier_key(typed: str) -> str:
    """Return the form under which identifiers are compared, or "" for what no identifier can be.

    An Imagin identifier is opaque: nothing is read from its shape. People type it
    from paper, so surrounding spaces are dropped and case is ignored; accents and
    inner spaces count. In Unicode terms: NFC, full case folding, NFC.
    """
    if len(typed) > 4 * MAX_IDENTIFIER:
        return ""
    text = unicodedata.normalize("NFC", typed.replace("\u00a0", " ")).strip()
    if not 0 < len(text) <= MAX_IDENTIFIER or not text.isprintable():
        return ""
    return unicodedata.normalize("NFC", text.casefold())


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AccountView:
    """One account, as the journeys and the commands see it. Holds no secret.

    Attributes:
        identifier: as the list first wrote it; the subject of the person for ever.
        email: told by the managing office in the list, which counts as verified.
        situation: « Qualité » of the list.
        academie: académie of origin.
        office: managing office, « Service gestionnaire ».
        state: as it is now.
        version: grows with every change of what opens the account.
        second_factor_required: this account must have one, whatever the settings ask of everybody.
        must_choose: a password must be chosen before anything else.
    """

    identifier: str
    family_name: str
    given_name: str
    email: str
    situation: str
    academie: str
    office: str
    state: AccountState
    version: int
    second_factor_required: bool = False

    @property
    def must_choose(self) -> bool:
        """Whether the person may do nothing before choosing a password."""
        return self.state in (AccountState.PROVISIONAL, AccountState.CHANGE_REQUIRED)

    def __repr__(self) -> str:
        return f"AccountView(identifier={self.identifier!r}, state={self.state.value!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One row of the accounts, secrets included: stays inside this room.

    Attributes:
        state: as stored; `lifecycle.state_at` tells what it is now.
        provisional_mac: HMAC of the provisional password, under the key `provisional_key` names.
    """

    id: int
    identifier: str
    family_name: str = field(repr=False)
    given_name: str = field(repr=False)
    email: str = field(repr=False)
    email_verified: bool
    situation: str = field(repr=False)
    academie: str = field(repr=False)
    office: str = field(repr=False)
    state: AccountState
    version: int
    password_hash: str | None = field(repr=False)
    provisional_mac: str | None = field(repr=False)
    provisional_key: str | None
    provisional_ends_at: datetime | None
    second_factor_required: bool = False

    @property
    def mailbox(self) -> str:
        """Address that may receive mail about this account, or "" (row RST-12)."""
        return self.email if self.email_verified else ""

    def view(self, state: AccountState) -> AccountView:
        """Return what the other rooms may see, in the state given."""
        return AccountView(
            identifier=self.identifier,
            family_name=self.family_name,
            given_name=self.given_name,
            email=self.email,
            situation=self.situation,
            academie=self.academie,
            office=self.office,
            state=state,
            version=self.version,
            second_factor_required=self.second_factor_required,
        )


@dataclass(frozen=True, slots=True)
class Checked:
    """The couple identifier and password is right.

    Attributes:
        account: whose it is.
        must_choose: nothing is open but the page where a password is chosen (row PRV-02).
        noticed: a mail tells the person of this success.
    """

    account: AccountView
    must_choose: bool
    noticed: bool = False
