"""One process with a whole gateway under ASGI, told by its standard input what to do; each answer is one line."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from tests.client import Client, host_asgi, over_asgi
from tests.flows.conftest import settings_of


class Process:
    """A process of the gateway, from a test's side.

    Args:
        folder: where its accounts are, and what else is its own.
        url: of the state.
        key: that signs.
    """

    def __init__(self, folder: Path, url: str, key: str) -> None:
        folder.mkdir()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.sessions.served", str(folder), url, key],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def send(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def ask(self, command: str) -> str:
        """Let it do something, and return what it says."""
        self.send(command)
        return self._line()

    def answer(self) -> str:
        """Return what it says to the last `send`."""
        return self._line()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait()


def main(folder: str, url: str, key: str, orders: TextIO) -> None:
    from imagin_gateway import Gateway
    from imagin_gateway.events import CallSink
    from tests.sessions.people import person

    settings = settings_of(Path(folder), state={"url": url}, keys={"signing": [key], "provisional": [key[::-1]]})
    gateway = Gateway(settings, sink=CallSink(lambda line: None), sends_mail=False)
    mount = over_asgi(gateway.asgi(host_asgi))
    sessions = gateway.house.sessions

    def visit(cookie: str) -> bool:
        return Client(mount, cookies={"ig-session": cookie}).get("/missions").status == 200

    def say(what: Any) -> None:
        sys.stdout.write(f"{what}\n")
        sys.stdout.flush()

    say("ready")
    for order in orders:
        verb, _, told = order.strip().partition(" ")
        match verb:
            case "open":
                say(sessions.open(person("x", issuer="urn:imagin-gateway:direct", door="direct")))
            case "visit":
                say(visit(told))
            case "know":  # until a look-up is enough
                until = time.monotonic() + 60
                while sessions.glance(told) is None and time.monotonic() < until:
                    assert visit(told)
                    time.sleep(0.01)
                say(sessions.glance(told) is not None)
            case "believe":  # when this process last let it in, by the clock of the machine
                began = time.monotonic()
                last = 0.0
                while True:
                    now = time.monotonic()
                    if not visit(told) or now > began + 60:
                        break
                    last = now
                say(last)
            case "end":
                sessions.end(told)
                say(time.monotonic())
            case "end_all":
                sessions.end_all()
                say(time.monotonic())
    gateway.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.stdin)
