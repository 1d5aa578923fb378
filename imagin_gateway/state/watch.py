"""Being told what changed, so that a process may believe what it has already read."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, Protocol

OnChange = Callable[[Collection[str] | None], None]
"""Called with the keys of records that changed or went; with None when anything may have. From any thread."""

DEFAULT_LAG: Final = 1.0


class Watch(Protocol):
    """Follows one space of a store.

    Attributes:
        believed_until: before this moment of `time.monotonic`, `current` is True and need not be asked.
    """

    believed_until: float

    def current(self) -> bool:
        """Tell whether every change older than the lag has been told; False whenever that cannot be proved.

        Cheap enough for every request, in an event loop: it waits for nobody.
        """
        ...

    def close(self) -> None:
        """Stop following; `current` is False from then on."""
        ...
