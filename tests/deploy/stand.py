"""A whole deployment on this machine: the very files of `examples/deploy`, with paths, ports and numbers filled in.

nginx in front, gunicorn or uvicorn with several workers on a socket handed over as systemd does, PostgreSQL, Redis,
the mail runner, and a relay that takes its mail.
"""

from __future__ import annotations

import contextlib
import csv
import json
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
import psutil

from examples.demo.browser import Browser
from examples.demo.ports import free_ports
from tests.deploy.postgres import Postgres, alive
from tests.local.helper import MailServer
from tests.parts import program, require
from tests.peers.authority import Authority
from tests.state.servers import PrivateRedis

ROOT: Final = Path(__file__).resolve().parents[2]
FILES: Final = ROOT / "examples" / "deploy"
DOMAIN: Final = "imagin.siec.example"
PATIENCE: Final = 90.0
"""Seconds after which what does not come about is a failure. Nothing is measured by it."""

MAIN: Final = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 512; }}
http {{
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  include {folder}/imagin.conf;
}}
"""


HAND_OVER: Final = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What systemd does for a service with a socket (sd_listen_fds(3))."""


def lines_of(file: Path) -> list[str]:
    """Return the lines of a file of settings that say something."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def command_of(unit: str, fill: Callable[[str], str], key: str = "ExecStart") -> list[str]:
    """Return what a unit runs."""
    (line,) = [each for each in lines_of(FILES / "systemd" / unit) if each.startswith(f"{key}=")]
    return shlex.split(fill(line.removeprefix(f"{key}=")))


def until(happened: Any, what: str) -> Any:
    """Wait until something is so, and return it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(httpx2.HTTPError, OSError):
            if found := happened():
                return found
        time.sleep(0.05)
    raise AssertionError(f"it never came to be so: {what}")


class Visitor(Browser):
    """A browser that believes the authority of this deployment."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self._client.close()
        self._client = httpx2.Client(
            verify=site.authority.believed(), follow_redirects=False, timeout=PATIENCE, trust_env=False
        )
        self.site = site

    def __enter__(self) -> Visitor:
        return self

    def visit(self, path: str) -> Any:
        """Open a page of the site."""
        return self.open(self.site.url + path)

    def sign_in(self, identifier: str, password: str, page: str = "/missions") -> Any:
        """Open a page, and log in by the direct door on the way there."""
        self.visit(f"/connexion/direct?next={page}")
        return self.submit({"identifiant": identifier, "motdepasse": password})


@dataclass
class Site:
    """A deployment that runs.

    Attributes:
        folder: everything it writes.
        kind: `gunicorn` or `uvicorn`.
        url: address people see.
        workers: processes that serve.
    """

    folder: Path
    kind: str
    port: int
    plain_port: int
    workers: int
    redis: PrivateRedis
    postgres: Postgres
    mail: MailServer
    authority: Authority
    letters: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    metrics_token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def fill(self, text: str) -> str:
        """Put the paths, ports and numbers of this deployment in the place of the documentation's."""
        told = self.postgres.url("imagin")
        for documented, ours in (
            ("postgresql+psycopg://imagin@/imagin?host=/run/postgresql", told),
            ("unix:///run/redis/redis.sock", f"unix://{self.redis.socket}"),
            ("/run/imagin/", f"{self.folder}/"),
            ("/etc/imagin/", f"{self.folder}/etc/"),
            ("/var/log/imagin/", f"{self.folder}/"),
            ("/var/log/nginx/", f"{self.folder}/"),
            ("/opt/imagin/venv/bin/", f"{Path(sys.executable).parent}/"),
            ("/opt/imagin/", f"{FILES}/"),
            ("port = 25\n", f"port = {self.mail.port}\n"),
            (f"https://{DOMAIN}", self.url),
            (DOMAIN, "localhost"),
            ("listen 80;", f"listen 127.0.0.1:{self.plain_port};"),
            ("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"),
            ("app:", "tests.deploy.release:"),
            ("--workers 4", f"--workers {self.workers}"),
            ("2 * multiprocessing.cpu_count()", str(self.workers)),
        ):
            text = text.replace(documented, ours)
        return re.sub(r"^\s*listen \[::\].*\n", "", text, flags=re.MULTILINE)

    def lay_out(self) -> None:
        """Write the files, the keys and the certificate."""
        etc = self.folder / "etc"
        (etc / "keys").mkdir(parents=True)
        (etc / "tls").mkdir()
        for use in ("signing", "provisional", "pepper"):
            (etc / "keys" / use).touch(0o600)
            (etc / "keys" / use).write_text(secrets.token_urlsafe(48))
        key, certificate = self.authority.server("localhost")
        shutil.copy(key, etc / "tls" / "key.pem")
        shutil.copy(certificate, etc / "tls" / "chain.pem")
        for source, target in (
            ("gateway.toml", etc / "gateway.toml"),
            ("nginx/imagin.conf", self.folder / "imagin.conf"),
            ("gunicorn.conf.py", self.folder / "gunicorn.conf.py"),
            ("app.py", self.folder / "app.py"),
            ("host.py", self.folder / "host.py"),
        ):
            target.write_text(self.fill((FILES / source).read_text(encoding="utf-8")), encoding="utf-8")
        settings = etc / "gateway.toml"
        figures = f'\n[metrics]\nenabled = true\ntoken = "{self.metrics_token}"\n'
        settings.write_text(settings.read_text(encoding="utf-8") + figures, encoding="utf-8")
        settings.chmod(0o600)  # the token is in it
        (self.folder / "metrics").mkdir()
        (self.folder / "nginx.conf").write_text(MAIN.format(folder=self.folder), encoding="utf-8")
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "PYTHONPATH": f"{ROOT}:{self.folder}",
            "IMAGIN_SETTINGS": str(etc / "gateway.toml"),
            "COLUMNS": "200",
            "PROMETHEUS_MULTIPROC_DIR": f"{self.folder}/metrics",
            "MALLOC_ARENA_MAX": "2",
        }

    # -- commands ------------------------------------------------------------

    def command(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of the operator; it ends well, or the test does not."""
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "imagin_gateway.cli.main",
                *words,
                "--settings",
                self.environment["IMAGIN_SETTINGS"],
            ],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def import_people(self, count: int) -> None:
        """Import so many people, and keep what their letters say."""
        listing, letters = self.folder / "list.csv", self.folder / "letters.csv"
        lines = [f"p{number};NOM{number};Jo;p{number}@exemple.test" for number in range(count)]
        listing.write_text("\n".join(["Identifiant;Nom;Prénom;Courriel", *lines, ""]), encoding="utf-8")
        self.command("convocations", "import", str(listing), "--letters", str(letters))
        with letters.open(encoding="utf-8-sig", newline="") as file:
            self.letters = {
                row["Identifiant"]: row["Mot de passe provisoire"] for row in csv.DictReader(file, delimiter=";")
            }

    # -- processes -----------------------------------------------------------

    def start(self) -> None:
        """Start everything that runs."""
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{self.folder}/web.sock")
        (self.folder / "web.sock").chmod(0o666)
        self.listener.listen(1024)
        self.serve()
        self.processes["mail"] = self._spawn("mail", command_of("imagin-mail.service", self.fill))
        self.processes["nginx"] = self._spawn(
            "nginx", [str(program("nginx")), "-c", f"{self.folder}/nginx.conf", "-p", str(self.folder)]
        )
        with self.client() as client:
            until(lambda: self._lives() and client.get("/sante").status_code == 200, "it answers")
        until(lambda: self._lives() and len(self.pids()) == self.workers, "every worker is there")

    def _lives(self) -> bool:
        for name, process in self.processes.items():
            assert process.poll() is None, f"{name} ended: {self.log(name)[-3000:]}"
        return True

    def serve(self) -> None:
        """Start the server as systemd would: its unit's command, the socket as descriptor 3."""
        unit = "imagin.service" if self.kind == "gunicorn" else "imagin-uvicorn.service"
        looked = self.before_start(unit)
        assert looked.returncode == 0, looked.stdout + looked.stderr
        command = command_of(unit, self.fill)
        if self.kind == "gunicorn":
            command = [each.replace(f"{FILES}/gunicorn.conf.py", f"{self.folder}/gunicorn.conf.py") for each in command]
        number = self.listener.fileno()
        self.processes["web"] = self._spawn(
            "web", [sys.executable, "-c", HAND_OVER, str(number), *command], pass_fds=(number,)
        )

    def before_start(self, unit: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run what stands before the start of a unit, which does not start unless it ends with 0."""
        words = [each.replace("$$", "$") for each in command_of(unit, self.fill, "ExecStartPre")]
        environment = {**self.environment, **more}
        return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    def _spawn(self, name: str, command: list[str], pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, pass_fds=pass_fds)

    def log(self, name: str) -> str:
        """Return what a process said."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def events(self) -> list[dict[str, Any]]:
        """Return every event."""
        file = self.folder / "events.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def figures(self) -> dict[str, float]:
        """Return what a monitoring system reads, as one worker answers: by name and labels."""
        with self.client() as client:
            told = client.get("/connexion/metriques", headers={"Authorization": f"Bearer {self.metrics_token}"})
        assert told.status_code == 200, told.text
        lines = [line.rpartition(" ") for line in told.text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in lines}

    def pids(self) -> set[int]:
        """Return the processes that serve."""
        try:
            children = psutil.Process(self.processes["web"].pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return set()
        # uvicorn has a helper of multiprocessing beside its workers.
        found = set()
        for each in children:
            with contextlib.suppress(psutil.Error):
                if alive(each.pid) and "resource_tracker" not in " ".join(each.cmdline()):
                    found.add(each.pid)
        return found

    def reload(self) -> None:
        """Do what `systemctl reload` does."""
        unit = "imagin.service" if self.kind == "gunicorn" else "imagin-uvicorn.service"
        kill, name, _ = command_of(unit, self.fill, "ExecReload")
        assert (kill, name) == ("/bin/kill", "-HUP")
        self.processes["web"].send_signal(signal.SIGHUP)

    def client(self, **more: Any) -> httpx2.Client:
        """Return a plain client that believes the certificate."""
        return httpx2.Client(
            base_url=self.url, verify=self.authority.believed(), timeout=PATIENCE, trust_env=False, **more
        )

    def close(self) -> None:
        """Stop everything and remove what it wrote."""
        for name in ("nginx", "mail", "web"):
            if process := self.processes.get(name):
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if hasattr(self, "listener"):
            self.listener.close()
        self.mail.stop()
        self.redis.close()
        self.postgres.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def deployed(kind: str, *, people: int = 20, workers: int = 2) -> Iterator[Site]:
    """Deploy everything as the page says, and take it down at the end.

    Args:
        kind: `gunicorn` or `uvicorn`.
        people: who have got a letter.
        workers: processes that serve.
    """
    require("nginx")
    folder = Path(tempfile.mkdtemp(prefix="ig-site-"))
    folder.chmod(0o711)
    port, plain = free_ports(2)
    told = lines_of(FILES / "redis" / "imagin.conf")
    redis = PrivateRedis(*(line for line in told if not line.startswith("unixsocket")))  # it has its own
    redis.start()
    postgres = Postgres(FILES / "postgresql" / "imagin.conf")
    site = Site(folder, kind, port, plain, workers, redis, postgres, MailServer(), Authority(folder / "authority"))
    try:
        postgres.run("CREATE DATABASE imagin")
        site.lay_out()
        site.command("accounts", "upgrade")
        site.import_people(people)
        site.start()
        yield site
    finally:
        site.close()


__all__ = ["FILES", "Postgres", "Site", "Visitor", "command_of", "deployed", "lines_of", "until"]
