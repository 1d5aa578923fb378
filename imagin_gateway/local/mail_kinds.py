"""Every mail this room sends, by what it is about."""

from __future__ import annotations

from enum import StrEnum


class MailKind(StrEnum):
    """Every mail this room sends."""

    RESET = "reset"
    PASSWORD_CHANGED = "password_changed"
    FIRST_CONNECTION = "first_connection"
    ADDRESS_CODE_NEW = "address_code_new"
    """A code to the address that is to be recorded."""
    ADDRESS_CODE_FORMER = "address_code_former"
    """A code to the address that is recorded."""
    ADDRESS_LEFT = "address_left"
    """To the former address: another one is recorded."""
    ADDRESS_TAKEN = "address_taken"
    """To the new address: it is recorded."""
    AFTER_FAILURES = "after_failures"
    """A sign-in succeeded after several failures."""
    NEW_CLIENT = "new_client"
    """A sign-in succeeded from a browser that never did."""
    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    FACTORS_CLEARED = "factors_cleared"
    """The help desk took every second factor away: their owner lost them."""
    RECOVERY_CODES = "recovery_codes"
    """New recovery codes were made."""
    RECOVERY_USED = "recovery_used"
    ACCOUNT_LINKED = "account_linked"
    """ProConnect opens the account from now on."""
    ACCOUNT_UNLINKED = "account_unlinked"
    LETTER_ISSUED = "letter_issued"
    """The help desk issued a new provisional password."""
    ACCOUNT_UNLOCKED = "account_unlocked"
    ACCOUNT_DISABLED = "account_disabled"
    ACCOUNT_ENABLED = "account_enabled"
    CHANGE_REQUIRED = "change_required"
