"""What a process pays to know many sessions: `python -m bench.reading.held FOLDER URL`, cookies on standard input.

Prints the bytes of resident memory by session, and the seconds of a read: of one
session again and again, and of all of them in turn.
"""

from __future__ import annotations

import gc
import random
import sys
from pathlib import Path

from bench.reading import ours
from bench.reading.drive import WsgiPage
from bench.reading.ours import PROTECTED

FIRST = 500
"""Sessions read before the memory is looked at, so that what is paid once is paid."""


CHUNK = 250


def resident() -> int:
    """Return the bytes of memory this process holds (proc(5), statm)."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def main() -> None:
    """Measure as the command line says."""
    folder, url = sys.argv[1:]
    cookies = sys.stdin.read().split("\n")
    with ours.gateway(Path(folder), url) as front:
        page = WsgiPage(front.wsgi(ours.reading_wsgi), PROTECTED, cookies[-1])
        _read(page, cookies[:FIRST])
        before = resident()
        _read(page, cookies[FIRST:])
        held = (resident() - before) / (len(cookies) - FIRST)
        one = min(page.many(300) / 300 for _ in range(9))
        random.Random(7).shuffle(cookies)  # noqa: S311  # an order, no secret
        print(held, one, min(_read(page, cookies) for _ in range(3)))


def _read(page: WsgiPage, cookies: list[str]) -> float:
    """Read every session once, some at a time so that the requests themselves weigh nothing; return the mean."""
    took: list[float] = []
    for begin in range(0, len(cookies), CHUNK):
        took += page.each(cookies[begin : begin + CHUNK])
    return sum(took) / len(took)


if __name__ == "__main__":
    main()
