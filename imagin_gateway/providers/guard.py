"""A check that breaks is a check that fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from imagin_gateway.errors import AnswerRefused, Code, GatewayError

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


def guarded(door: str, check: Callable[[], _T]) -> _T:
    """Return what a check of a portal's message returns.

    Args:
        door: of the portal, for the log.
        check: verifies a message and reads it.

    Raises:
        GatewayError: as `check` raises it.
        AnswerRefused: `MALFORMED`: the check broke, whatever by.
    """
    unexpected = ""
    try:
        return check()
    except GatewayError:
        raise
    except Exception as error:
        unexpected = type(error).__name__
    # Raised here, so that nothing of the message hangs from it.
    _log.error("a message of %s broke a check: %s", door, unexpected)
    raise AnswerRefused(Code.MALFORMED, "the message could not be checked")
