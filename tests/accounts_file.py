"""A file of accounts whose tables are made already: making them takes longer than most tests."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from imagin_gateway.local.migrate import upgrade_accounts


@functools.cache
def _content() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        upgrade_accounts(f"sqlite:///{folder}/accounts.db")
        return Path(folder, "accounts.db").read_bytes()


def put(file: Path) -> Path:
    """Write it, for its owner alone, as the package does; return it."""
    file.touch(0o600)
    file.write_bytes(_content())
    return file
