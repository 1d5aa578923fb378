"""One process a framework, its example served by its real server, with one account that chose its password."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

import pytest

from examples.demo.ports import free_ports
from imagin_gateway import Activity, Gateway, Identity, Settings
from imagin_gateway.events import CallSink
from imagin_gateway.identity import DIRECT_ISSUER, Door
from tests.client import Client, Mount, Reply

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 60.0
"""Seconds for a server to start, on a machine that does much else."""

GUNICORN = "-m gunicorn --bind 127.0.0.1:{port} --threads 4 --worker-class gthread --no-control-socket"
UVICORN = "-m uvicorn --port {port} --log-level warning"
HYPERCORN = "-m hypercorn --bind 127.0.0.1:{port}"

HOSTS = {
    "flask": f"{GUNICORN} examples.hosts.flask_app:create()",
    "plain-wsgi": f"{GUNICORN} examples.hosts.plain_wsgi:create()",
    "django-wsgi": f"{GUNICORN} examples.hosts.django_project:create_wsgi()",
    "django-asgi": f"{UVICORN} --factory --lifespan off examples.hosts.django_project:create_asgi",
    "fastapi": f"{UVICORN} examples.hosts.fastapi_app:app",
    "litestar": f"{UVICORN} examples.hosts.litestar_app:app",
    "starlette": f"{HYPERCORN} examples.hosts.starlette_app:app",
    "plain-asgi": f"{HYPERCORN} examples.hosts.plain_asgi:app",
}
"""What runs each."""

SETTINGS = """
development = true
base_url = "http://127.0.0.1:{port}"
privacy_url = "/donnees"
legal_url = "/mentions"
accessibility_url = "/accessibilite"
protect = [{{ prefix = "/reserve" }}]
second_factor = {{ mode = "off", reason = "a test" }}
state = {{ url = "sqlite:///state.db" }}
accounts = {{ url = "sqlite:///accounts.db" }}
mail = {{ host = "127.0.0.1", port = 9, security = "none", sender = "imagin@exemple.test" }}
passwords = {{ profile = "unsafe-tests" }}
events = {{ path = "events.jsonl" }}

[keys]
signing = ["{signing}"]
provisional = ["{provisional}"]
"""


def over_http(port: int) -> Mount:
    """Return a mount that asks a real server."""

    def call(method: str, target: str, headers: list[tuple[str, str]], body: bytes, address: str) -> Reply:
        del address
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(body or None)
            answer = connection.getresponse()
            return Reply(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    return call


@dataclass
class Served:
    """One host application at work.

    Attributes:
        name: of the framework.
        port: on loopback.
        gateway: another gateway on the same stores, in this process: what an operator or another worker has.
        folder: of its files.
    """

    name: str
    port: int
    gateway: Gateway
    folder: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    def client(self) -> Client:
        """Return a new browser."""
        return Client(over_http(self.port))

    def get(self, client: Client, target: str, **more: object) -> Reply:
        return client.get(target, host=f"127.0.0.1:{self.port}", **more)

    def post(self, client: Client, target: str, data: dict[str, str], **more: object) -> Reply:
        return client.post(target, data, host=f"127.0.0.1:{self.port}", **more)

    def submit(self, client: Client, page: Reply, data: dict[str, str]) -> Reply:
        return client.submit(page, data, host=f"127.0.0.1:{self.port}")

    def signed_in(self, *, minutes_ago: int = 0) -> Client:
        """Return the browser of somebody of the direct door."""
        now = datetime.fromtimestamp(time.time() - 60 * minutes_ago, UTC)
        who = Identity(
            issuer=DIRECT_ISSUER,
            subject="mdurand7",
            door=Door.DIRECT,
            activities=frozenset({Activity.EXPENSES, Activity.MARKING, Activity.PERSONAL_DATA}),
            authenticated_at=now,
            proved_at=now,
            method="password",
            given_name="Marie",
            family_name="DURAND",
        )
        client = self.client()
        client.cookies[self.gateway.settings.cookie_name("session")] = self.gateway.house.sessions.open(who)
        return client

    def events(self) -> str:
        """Return every event so far, a line each."""
        path = self.folder / "events.jsonl"
        return path.read_text(encoding="utf-8") if path.exists() else ""


@pytest.fixture(scope="module", params=HOSTS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Each host in its turn."""
    name = request.param
    folder = tmp_path_factory.mktemp(name)
    (port,) = free_ports(1)
    file = folder / "gateway.toml"
    values = {"port": port, "signing": secrets.token_urlsafe(48), "provisional": secrets.token_urlsafe(48)}
    file.write_text(SETTINGS.format(**values), encoding="utf-8")
    gateway = Gateway(Settings.load(file), sink=CallSink(lambda _: None), sends_mail=False)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *HOSTS[name].format(port=port).split()],
            cwd=ROOT,
            env={**os.environ, "IMAGIN_GATEWAY_FILE": str(file)},
            stderr=log,
        )
    try:
        yield _ready(Served(name, port, gateway, folder, process))
    finally:
        process.terminate()
        process.wait(30)
        gateway.close()


def _ready(served: Served) -> Served:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            if served.get(served.client(), "/").status == 200:
                return served
        except OSError:
            pass
        if served.process.poll() is not None or time.monotonic() > end:
            pytest.fail((served.folder / "log").read_text(encoding="utf-8", errors="replace")[-4000:])
        time.sleep(0.1)
