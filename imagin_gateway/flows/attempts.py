"""An act of authentication that is refused has one event, which says who tried, how, and at which door (row LOG-01)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from imagin_gateway.errors import About, Refused, Unavailable
from imagin_gateway.events import EventName
from imagin_gateway.identity import Identity


@contextlib.contextmanager
def attempt(
    event: EventName,
    door: str,
    method: str = "",
    *,
    strength: str = "",
    person: tuple[str, str] | None = None,
) -> Iterator[None]:
    """Say of what is refused within what was tried; what is nearer to the refusal says it first.

    Args:
        event: of a refusal. What fails on our side, or at a portal, keeps the event of its kind.
        door, method, strength: of the attempt, as in an event.
        person: who tries, or whom the attempt is about; as typed, if nothing is proved.
    """
    try:
        yield
    except (Refused, Unavailable) as error:
        if error.about is None:
            named = event.value if isinstance(error, Refused) else ""
            error.about = About(event=named, door=door, method=method, strength=strength, person=person)
        raise


def strength_told(identity: Identity) -> str:
    """Return the strength of a login as events tell it: the class that was reached, or else the means."""
    return identity.acr or " ".join(identity.amr)
