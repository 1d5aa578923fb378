"""The code blocks of the documentation: where each stands, and how it is checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

ELSEWHERE: Final[dict[tuple[str, str], str]] = {
    ("docs/hosts.md", "python"): "tests/hosts/test_docs.py",
    ("docs/json.md", "js"): "tests/hosts/test_script_front.py",
    ("docs/trusted-headers.md", "nginx"): "tests/agent/test_headers_behind_nginx.py",
    ("docs/trusted-headers.md", "apache"): "tests/agent/test_headers_behind_apache.py",
    ("README.md", "python"): "tests/test_readme.py",
    ("README.md", "toml"): "tests/test_readme.py",
    ("docs/policy.md", "toml"): "tests/policy/test_docs.py",
    ("docs/redis.md", ""): "tests/state/test_redis_docs.py",
    ("docs/sessions.md", "python"): "tests/sessions/test_docs.py",
}
"""Blocks that a test of their own room runs, by page and language."""

NOT_RUN: Final = {
    "apache": "a part of a server's configuration",
    "console": "what a terminal shows",
    "css": "read by browsers in tests/pages",
    "html": "a line for a template of the host",
    "text": "a drawing, or what a command prints",
    "nginx": "a part of a server's configuration",
    "ini": "a part of a server's configuration",
    "systemd": "a part of a server's configuration",
    "yaml": "a part of a collector's configuration",
    "dockerfile": "no engine for containers among the real parts",
    "sql": "a server's own",
    "js": "for a browser; the example of a front end runs in one",
    "javascript": "for a browser",
    "json": "what is printed; tests compare it where it is made",
    "promql": "a part of a collector's configuration",
    "": "what is printed, or a part of a server's configuration",
}
"""Languages of blocks that cannot be run here, each with its reason."""


@dataclass(frozen=True)
class Block:
    """One block.

    Attributes:
        page: path from the root.
        line: of its first line.
        language: as the fence says it, "" if it says none.
        title: name of a file, if the fence says one.
        text: what stands in it.
        reason: why it is not run, if it says so: `<!-- not run: ... -->` on the line above.
    """

    page: str
    line: int
    language: str
    title: str
    text: str
    reason: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


_FENCE: Final = re.compile(r"^```(\w*)(?: +title=\"([^\"]+)\")?[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    """Return every page that people read."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks() -> list[Block]:
    """Return every block of every page, in order."""
    return [block for page in pages() for block in of_page(page)]


def of_page(page: Path) -> list[Block]:
    """Return the blocks of one page."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        above = text[: match.start()].rstrip("\n").rpartition("\n")[2]
        said = re.fullmatch(r"<!-- not run: (.+) -->", above)
        found.append(
            Block(
                str(page.relative_to(ROOT)),
                text.count("\n", 0, match.start()) + 1,
                match[1],
                match[2] or "",
                match[3],
                said[1] if said else "",
            )
        )
    return found
