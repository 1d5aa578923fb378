"""The style sheet and the one script: ours, named after their content, checked by the browser (row WEB-11)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Asset:
    """A file served to browsers.

    Attributes:
        name: where it is served, below the mount path: it changes with the content.
        integrity: what the page says of it, so that nothing else runs or styles (ASVS 3.6.1).
    """

    path: str
    body: bytes = field(repr=False)
    content_type: str
    integrity: str

    @classmethod
    def of(cls, name: str, content_type: str) -> Asset:
        """Read a file of the package, e.g. ``gateway.css``, served as ``/gateway-1a2b3c4d.css``."""
        body = files("imagin_gateway.pages").joinpath("styles", name).read_bytes()
        stem, _, kind = name.partition(".")
        return cls(
            path=f"/{stem}-{hashlib.sha256(body).hexdigest()[:8]}.{kind}",
            body=body,
            content_type=content_type,
            integrity="sha384-" + base64.b64encode(hashlib.sha384(body).digest()).decode("ascii"),
        )
