"""The throughput of a real server, with and without the gateway, under wrk on loopback.

One worker process a server, one thread of wrk. Each is started anew for its turn, turn after turn: two starts of the
same server differ by more than turns of one start do (where its objects come to lie, the seed of its hashes).
Beside requests a second stands the processor time of the server for one request, which a busy machine disturbs less.

A bare uvicorn has one thread, and the C library leaves out locks that it takes as soon as there is another, asleep or
not. So a third bare server has another thread, to tell whether that alone costs something.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import mean, median
from typing import Final

from bench.frame import ROOT, Cell, Report, peers
from bench.reading import ours
from bench.reading.drive import BROWSER
from bench.reading.effort import Effort
from bench.reading.ours import PROTECTED, WHO
from scripts.parts import Failed, apt_install
from tests.state.servers import PrivateRedis

CONNECTIONS: Final = 8

LOST: Final = 5.0
"""Percent of the throughput of the bare application that the gateway may cost."""

PATIENCE: Final = 20.0
"""Seconds for a server to start."""

SERVERS: Final = {
    "uvicorn": "-m uvicorn bench.reading.site:starlette_site --factory --log-level warning --no-access-log --port",
    "gunicorn": "-m gunicorn bench.reading.site:flask_site() --log-level warning --worker-class gthread --threads 4"
    " --keep-alive 60 --no-control-socket --bind",
}

SITES: Final = {"uvicorn": "Starlette", "gunicorn": "Flask"}

BARE: Final = ("bare", "bare, once more")
"""Two servers of the bare application: what they differ by is what this machine does by itself."""

THREADED: Final = "bare, an idle thread"

STATES: Final = (*BARE, THREADED, "SQLite", "Redis")


@dataclass(frozen=True)
class Driven:
    """What one start of a server gave.

    Attributes:
        rate: requests a second.
        cost: seconds of processor a request.
    """

    rate: float
    cost: float


@dataclass(frozen=True)
class Served:
    """One server at work.

    Attributes:
        process: the one that was started; its workers are its children.
        port: on loopback.
        cookie: of somebody signed in.
    """

    process: subprocess.Popen[bytes]
    port: int
    cookie: str

    def page(self) -> str:
        """Return the page a browser sees."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", PROTECTED, headers={**dict(BROWSER), "Cookie": self.cookie})
            answer = connection.getresponse()
            return f"{answer.status} {answer.read().decode()}"
        finally:
            connection.close()

    def wait(self) -> None:
        """Return when the page shows who is signed in."""
        begin = time.monotonic()
        while True:
            try:
                page = self.page()
            except (OSError, HTTPException):
                page = "no answer"
            if page.startswith("200") and f"Missions de {WHO}" in page:
                return
            if self.process.poll() is not None or time.monotonic() - begin > PATIENCE:
                raise RuntimeError(f"the server does not show the page it should: {page[:200]}")
            time.sleep(0.05)

    def drive(self, wrk: str, seconds: int) -> Driven:
        """Ask for the page as often as it is given, for some seconds."""
        headers = [word for name, value in (*BROWSER, ("Cookie", self.cookie)) for word in ("-H", f"{name}: {value}")]
        url = f"http://127.0.0.1:{self.port}{PROTECTED}"
        before = self._processor()
        command = [wrk, "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", *headers, url]
        done = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        spent = self._processor() - before
        if "Non-2xx" in done or "Socket errors" in done:
            raise RuntimeError(f"some answers were not the page: {done}")
        number, rate = (re.search(word, done) for word in (r"(\d+) requests in", r"Requests/sec:\s+([\d.]+)"))
        assert number is not None
        assert rate is not None
        return Driven(float(rate[1]), spent / int(number[1]))

    def _processor(self) -> float:
        """Return the processor time of the server and of its workers, in seconds (proc(5), stat)."""
        ticks = 0
        for pid in _family(self.process.pid):
            words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            ticks += int(words[11]) + int(words[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def measure(report: Report, effort: Effort) -> None:
    """Measure both servers, bare and behind the gateway on each engine; say so when there is no wrk."""
    wrk = find_wrk()
    if wrk is None:
        print("\nNo throughput: there is no wrk. As root: apt-get install --no-install-recommends wrk", flush=True)
        return
    python = peers()
    # The worker of gunicorn has threads as it is.
    places = [(server, state) for server in SERVERS for state in STATES if (server, state) != ("gunicorn", THREADED)]
    driven: dict[tuple[str, str], list[Driven]] = {place: [] for place in places}
    with ExitStack() as stack:
        kept = {state: stack.enter_context(_kept(state)) for state in STATES}
        for _ in range(effort.starts):
            for server, state in places:
                with _served(python, server, *kept[state]) as each:
                    each.wait()
                    each.drive(wrk, 1)  # warm now
                    driven[server, state].append(each.drive(wrk, effort.wrk_seconds))
                    each.wait()  # still signed in
            # Who comes first in a turn finds another machine than who comes last.
            places = places[1:] + places[:1]
    rows: list[list[Cell]] = []
    for (server, state), turns in driven.items():
        # Each turn is compared with itself: the machine is not the same from one to the next.
        bares = list(zip(*(driven[server, bare] for bare in BARE), strict=True))
        rates = [mean(bare.rate for bare in turn) for turn in bares]
        costs = [mean(bare.cost for bare in turn) for turn in bares]
        lost = 100 * median(1 - turn.rate / rate for turn, rate in zip(turns, rates, strict=True))
        added = median(turn.cost - cost for turn, cost in zip(turns, costs, strict=True))
        rows.append(
            [
                f"{server}, {SITES[server]}, {state}",
                max(turn.rate for turn in turns),
                median(turn.rate for turn in turns),
                min(turn.cost for turn in turns) * 1e6,
                median(turn.cost for turn in turns) * 1e6,
                added * 1e6,
                100 * (1 - max(turn.rate for turn in turns) / max(max(b.rate for b in bare) for bare in bares)),
                lost,
            ]
        )
        if state not in (*BARE, THREADED):
            report.target(f"throughput_lost_{server}_{state.lower()}", lost, LOST, "%")
    columns = ("server, application, state", "requests/s", "median", "processor µs a request", "median")
    columns_of_loss = ("added µs (median by turns)", "lost % (best)", "lost % (median by turns)")
    report.table(
        f"Throughput under wrk, one worker, {CONNECTIONS} connections, an authenticated page, {effort.starts} starts",
        columns + columns_of_loss,
        rows,
    )


def find_wrk() -> str | None:
    """Return wrk, got by apt where that can be done; None when there is none."""
    if shutil.which("wrk") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing with apt: wrk", flush=True)
        try:
            apt_install(["wrk"])
        except Failed as failure:
            print(failure)
    return shutil.which("wrk")


@contextmanager
def _kept(state: str) -> Iterator[tuple[str, str]]:
    """Yield where the state is, as the site reads it ("" for the bare application), and the cookie of one signed in."""
    with ExitStack() as stack:
        if state in (*BARE, THREADED):
            # The cookie is as long as the gateway's: servers read it all.
            yield ours.IDLE_THREAD if state == THREADED else "", f"__Host-ig-nobody={'x' * 87}"
            return
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{folder}/state.db"
        if state == "Redis":
            store = PrivateRedis()
            stack.callback(store.close)
            store.start()
            url = store.url
        with ours.gateway(folder, url) as front:
            cookie = ours.signed_in(front)
        yield f"{folder} {url}", cookie


@contextmanager
def _served(python: Path, server: str, where: str, cookie: str) -> Iterator[Served]:
    port = _free_port()
    address = str(port) if server == "uvicorn" else f"127.0.0.1:{port}"
    process = subprocess.Popen(
        [python, *SERVERS[server].split(), address], cwd=ROOT, env={**os.environ, "BENCH_SITE": where}
    )
    try:
        yield Served(process, port, cookie)
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _family(pid: int) -> list[int]:
    """Return a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *map(int, children)]
