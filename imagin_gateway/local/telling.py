"""What happens at the direct door, told to the operator."""

from __future__ import annotations

from collections.abc import Mapping

from imagin_gateway.errors import Code
from imagin_gateway.events import Event, EventLog, EventName
from imagin_gateway.identity import DIRECT_ISSUER, Door


class Telling:
    """Tells the events of one account, or of none.

    Args:
        events: where they go.
    """

    def __init__(self, events: EventLog) -> None:
        self._events = events

    def __call__(
        self,
        name: EventName,
        identifier: str = "",
        *,
        code: Code | None = None,
        address: str = "",
        correlation: str = "",
        actor: str = "",
        detail: Mapping[str, str | int | bool] | None = None,
    ) -> None:
        """Tell what happened.

        Args:
            name: of the event.
            identifier: of the account, or what was typed for one.
            code: of a refusal.
            address: of the client.
            correlation: of the request.
            actor: who did it, when it was not the person.
            detail: the event's own.
        """
        self._events.emit(
            Event(
                name=name,
                code=code,
                door=Door.DIRECT,
                person=(DIRECT_ISSUER, identifier) if identifier else None,
                address=address,
                correlation=correlation,
                actor=actor,
                detail=detail or {},
            )
        )
