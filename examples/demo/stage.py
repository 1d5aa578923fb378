"""Sets the stage of the demonstration: portals, mailbox, accounts, settings, and the host application."""

from __future__ import annotations

import csv
import os
import re
import secrets
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import httpx2
import uvicorn

from examples.demo.mailbox import Mailbox
from examples.demo.portals.people import PEOPLE, Person
from examples.demo.portals.setup import PortalSet
from examples.demo.ports import free_ports

HERE = Path(__file__).parent
LISTS = sorted((HERE / "data").glob("convocations-*.csv"))
CONTROLLER = ("SIEC (démonstration)", "/donnees-personnelles", "/mentions-legales", "/accessibilite")


@dataclass(frozen=True)
class Letter:
    """What one convocation says."""

    identifier: str
    password: str
    name: str
    email: str
    situation: str


@dataclass(frozen=True)
class Ports:
    """Loopback ports of the demonstration."""

    host: int
    mailbox: int
    smtp: int
    creteil: int
    paris: int
    versailles: int

    @classmethod
    def free(cls) -> Ports:
        """Return ports nobody uses now."""
        return cls(*free_ports(6))


class _Server:
    """One of our small servers, in a thread."""

    def __init__(self, app: Any, port: int) -> None:
        config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + 15
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("un serveur de la démonstration n'a pas démarré (port occupé ?)")
            time.sleep(0.02)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)


class Stage:
    """The whole demonstration, in one folder.

    Args:
        folder: where databases, keys, settings and logs go.
        host: ``asgi`` (uvicorn) or ``wsgi`` (gunicorn).
        ports: where everything listens; free ports when None.
    """

    def __init__(self, folder: Path, *, host: Literal["asgi", "wsgi"] = "asgi", ports: Ports | None = None) -> None:
        self.folder = folder
        self.host = host
        self.ports = ports or Ports.free()
        self.settings_file = folder / "gateway.toml"
        self.mailbox = Mailbox(self.ports.smtp)
        self._servers: list[_Server] = []
        self._process: subprocess.Popen[bytes] | None = None
        self.letters: list[Letter] = []

    # --- what people see

    def url(self, path: str = "/") -> str:
        """Return an address of the host application."""
        return f"http://127.0.0.1:{self.ports.host}{path}"

    def portal_url(self, door: str) -> str:
        """Return the home page of a simulated portal."""
        return f"http://127.0.0.1:{getattr(self.ports, door.removeprefix('arena-'))}/"

    @property
    def mailbox_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.mailbox}/"

    def someone(self, door: str) -> Person:
        """Return the first person of a portal."""
        return PEOPLE[door][0]

    def letter(self, situation: str) -> Letter:
        """Return the first letter of somebody in this situation who has a mail address."""
        return next(each for each in self.letters if each.situation == situation and each.email)

    def mailed_link(self, to: str, within: float = 20) -> str:
        """Wait for a mail with a link, as somebody who looks at their mailbox, and return the link."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            for mail in self.mailbox.mails():
                found = re.search(r"https?://\S+jeton=\S+", mail.text)
                if mail.to == to and found:
                    return found[0]
            time.sleep(0.1)
        raise TimeoutError("no mail came")

    # --- setting and striking the stage

    def __enter__(self) -> Self:
        try:
            self._set()
        except BaseException:
            self.strike()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.strike()

    def _set(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.mailbox.start()
        self._serve(self.mailbox.page(), self.ports.mailbox)
        portals = PortalSet(
            self.folder,
            gateway_url=self.url("").rstrip("/") + "/connexion",
            urls={door: self.portal_url(door).rstrip("/") for door in PEOPLE},
        )
        for door, app in portals.apps().items():
            self._serve(app, getattr(self.ports, door.removeprefix("arena-")))
        self.settings_file.write_text(self._settings() + portals.settings(), encoding="utf-8")
        self.settings_file.chmod(0o600)
        self._import_letters()
        self._start_host()

    def _serve(self, app: Any, port: int) -> None:
        server = _Server(app, port)
        self._servers.append(server)
        server.start()

    def _settings(self) -> str:
        controller, privacy, legal, accessibility = CONTROLLER
        return f"""# Made by the demonstration, for this machine alone.
development = true
base_url = "{self.url("").rstrip("/")}"
landing = "/missions"
controller = "{controller}"
privacy_url = "{privacy}"
legal_url = "{legal}"
accessibility_url = "{accessibility}"
protect = [
  {{ prefix = "/missions" }},
  {{ prefix = "/frais", activity = "expenses" }},
  {{ prefix = "/coordonnees", activity = "personal-data" }},
]

[keys]
signing = ["{secrets.token_urlsafe(48)}"]
provisional = ["{secrets.token_urlsafe(48)}"]

[state]
url = "sqlite:///state.db"

[accounts]
url = "sqlite:///accounts.db"

[mail]
host = "127.0.0.1"
port = {self.ports.smtp}
security = "none"
sender = "imagin@siec.education.fr"

[events]
path = "events.jsonl"

"""

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("IMAGIN_GATEWAY_")}
        root = str(HERE.parent.parent)
        return {**kept, "IMAGIN_GATEWAY_FILE": str(self.settings_file), "PYTHONPATH": root, "NO_COLOR": "1"}

    def operator(self, *words: str) -> str:
        """Run the command line as the operator would; return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "imagin_gateway.cli.main", *words],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"imagin-gateway {' '.join(words)} : {done.stdout}{done.stderr}")
        return done.stdout

    def _import_letters(self) -> None:
        for list_ in LISTS:
            letters = self.folder / f"lettres-{list_.stem}.csv"
            self.operator("convocations", "import", str(list_), "--letters", str(letters))
            people = {row["Identifiant"]: row for row in _rows(list_)}
            for row in _rows(letters):
                person = people[row["Identifiant"]]
                self.letters.append(
                    Letter(
                        identifier=row["Identifiant"],
                        password=row["Mot de passe provisoire"],
                        name=f"{person['Prénom']} {person['Nom']}",
                        email=person["Courriel"],
                        situation=person["Qualité"],
                    )
                )

    def _start_host(self) -> None:
        bind = f"127.0.0.1:{self.ports.host}"
        if self.host == "asgi":
            command = ["uvicorn", "--factory", "examples.demo.host_asgi:create", "--host", "127.0.0.1"]
            command += ["--port", str(self.ports.host), "--log-level", "warning", "--timeout-graceful-shutdown", "2"]
        else:
            command = ["gunicorn", "examples.demo.host_wsgi:create()", "--bind", bind, "--threads", "4"]
            command += ["--log-level", "warning", "--worker-tmp-dir", str(self.folder), "--graceful-timeout", "2"]
        with (self.folder / "host.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command], env=self._environment(), stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                httpx2.get(self.url("/"), timeout=2, trust_env=False)
            except httpx2.HTTPError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("l'application n'a pas démarré :\n" + self.log_tail()) from None
                time.sleep(0.1)
            else:
                return

    def log_tail(self) -> str:
        """Return the end of what the host application wrote."""
        log = self.folder / "host.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-40:]) if log.exists() else ""

    def strike(self) -> None:
        """Stop everything, whatever was started."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for server in reversed(self._servers):
            server.stop()
        self._servers.clear()
        self.mailbox.stop()


def _rows(file: Path) -> list[dict[str, str]]:
    raw = file.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252")
    return list(csv.DictReader(text.splitlines(), delimiter=";"))
