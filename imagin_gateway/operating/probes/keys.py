"""The keys of the house."""

from __future__ import annotations

from collections.abc import Iterator

from imagin_gateway.operating.findings import Finding, good
from imagin_gateway.operating.ground import Ground


def look(ground: Ground) -> Iterator[Finding]:
    """Say which keys are held, by their versions."""
    held = ground.settings.keys
    for purpose in type(held).model_fields:
        keys = getattr(held, purpose)
        if keys:
            yield good("keys.held", "clés", f"{purpose} : {len(keys)}", f"keys.{purpose}")
