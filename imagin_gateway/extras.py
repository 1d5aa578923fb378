"""What is installed only with an extra: whoever lacks it is told which one, and the line that installs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Final

EXTRAS: Final = {
    "cli": ("typer", "rich"),
    "postgresql": ("psycopg",),
    "flask": ("flask",),
    "django": ("django",),
    "fastapi": ("fastapi",),
    "starlette": ("starlette",),
    "litestar": ("litestar",),
    "second-factor": ("pyotp", "segno", "webauthn"),
    "metrics": ("prometheus_client", "opentelemetry"),
}
"""The modules that each extra brings for us to import."""


def how_to_install(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'imagin-gateway[{extra}]'"


def absent(extra: str) -> bool:
    """Tell whether an extra is not installed, or not wholly. Imports nothing of it."""
    return any(find_spec(module) is None for module in EXTRAS[extra])


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Import, inside, what an extra brings.

    Raises:
        ModuleNotFoundError: it is not there; the message names the extra and the command that installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        # Another module that misses is that package's own affair, and its message says more than ours would.
        if (error.name or "").partition(".")[0] not in EXTRAS[extra]:
            raise
        message = f"this part of imagin_gateway needs the extra {extra!r}: {how_to_install(extra)}"
        raise ModuleNotFoundError(message, name=error.name, path=error.path) from None
