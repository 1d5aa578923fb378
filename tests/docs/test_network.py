"""docs/reference/network.md lists every connection: what the code opens is held to it (row DOC-04)."""

from __future__ import annotations

import ast
import http.server
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from email.message import EmailMessage
from pathlib import Path
from types import ModuleType

import httpx2
import pytest

import imagin_gateway
from examples.demo.mailbox import Mailbox
from examples.demo.ports import free_ports
from imagin_gateway import Gateway
from imagin_gateway.events.syslog import SyslogSink, read_target
from imagin_gateway.local.database import BUSY_SECONDS, Database
from imagin_gateway.local.mailer import Relay
from imagin_gateway.operating.probes.reaching import ask
from imagin_gateway.providers.oidc.bounded import MAX_CONNECTIONS, BoundedTransport
from imagin_gateway.providers.saml.fetch import fetch
from imagin_gateway.settings import Mail
from imagin_gateway.state.redis import RedisStateStore
from scripts.reference import network
from scripts.reference.pages import DOCS
from tests.docs import outbound
from tests.flows.conftest import settings_of
from tests.state.servers import PrivateRedis

PACKAGE = Path(imagin_gateway.__file__).parent

CONNECTING = {"socket", "ssl", "smtplib", "http.client", "urllib.request", "ftplib", "httpx2", "httpcore2", "redis"}
CONNECTING |= {"requests", "aiohttp", "psycopg", "asyncio.streams", "xmlrpc.client", "telnetlib", "imaplib", "poplib"}

READS_ONLY = {
    "local.door": "hands certificates to trust on to the mailer",
    "local.sender": "hands certificates to trust on to the mailer",
    "local.patience": "PostgreSQL's connection, which local.database has opened",
    "mounts.peer": "reads the certificate of a connection that came in",
}
"""Modules that know such a library and open nothing, each with the reason."""


@pytest.fixture
def web() -> Iterator[str]:
    """A web server on this machine, answering 200 to everything."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *told: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.row("DOC-04")
def test_each_kind_of_connection_is_seen_and_is_listed(web: str, redis_server: PrivateRedis) -> None:
    with closing(RedisStateStore(redis_server.url)) as store:
        store.ping()
    with httpx2.Client(transport=BoundedTransport(5)) as client:
        # As the rooms do it, and not this test: the stack is theirs.
        assert client.get(web).status_code == 200
    assert fetch(web, 100) == b"{}"
    assert ask(web, 5).status == 200
    port = free_ports(1)[0]
    mailbox = Mailbox(port)
    mailbox.start()
    message = EmailMessage()
    message["To"], message["From"] = "b@exemple.test", "a@exemple.test"
    try:
        with Relay(Mail(host="127.0.0.1", port=port, security="none", sender="a@exemple.test")) as relay:
            relay.send(message)
    finally:
        mailbox.stop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        syslog = SyslogSink(read_target(f"udp://127.0.0.1:{daemon.getsockname()[1]}"))
        syslog.write("{}")
        syslog.close()
    seen = {room for module in outbound.SEEN for room in outbound._rooms() if outbound._within(module, (room,))}
    # Metadata goes by the same transport as OpenID; PostgreSQL's library connects below Python.
    below = {"imagin_gateway.local.database", "imagin_gateway.providers.saml.fetch"}
    assert seen == set(outbound._rooms()) - below
    assert outbound.UNDECLARED == []


@pytest.mark.row("DOC-04")
def test_a_connection_from_elsewhere_is_refused(web: str) -> None:
    module = ModuleType("imagin_gateway.pages.telemetry")
    exec("import socket\ndef tell(where): socket.create_connection(where, 1).close()", vars(module))  # noqa: S102
    port = int(re.findall(r":(\d+)/", web)[0])
    with pytest.raises(outbound.Undeclared, match=r"imagin_gateway\.pages\.telemetry"):
        module.tell(("127.0.0.1", port))
    assert outbound.UNDECLARED.pop() == "imagin_gateway.pages.telemetry"
    socket.create_connection(("127.0.0.1", port), 1).close()


@pytest.mark.row("DOC-04")
def test_no_other_module_knows_how_to_connect() -> None:
    knowing = set()
    for file in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(each == one or each.startswith(one + ".") for each in names for one in CONNECTING):
                knowing.add(name)
    rooms = tuple(room.removeprefix("imagin_gateway.") for room in outbound._rooms())
    others = {name for name in knowing if not outbound._within(name, (*rooms, "testing"))}
    assert others <= set(READS_ONLY), "list the connection in scripts/reference/network.py, or say here why it is none"


@pytest.mark.row("DOC-04")
def test_the_figures_are_those_of_the_libraries_objects(tmp_path: Path) -> None:
    database = Database("postgresql+psycopg://somebody@127.0.0.1:9/nothing")
    pool = database.engine.pool
    assert (pool.size(), pool._max_overflow, pool._timeout) == (5, 10, BUSY_SECONDS)  # type: ignore[attr-defined]
    database.close()
    assert BoundedTransport(5)._pool._max_connections == MAX_CONNECTIONS
    page = (DOCS / network.PAGE).read_text(encoding="utf-8")
    assert "SQLAlchemy's: 5, and 10 more under load" in page


@pytest.mark.row("DOC-04")
def test_whoever_chooses_a_door_makes_the_gateway_connect_to_nothing(tmp_path: Path) -> None:
    from tests.client import Client, host_asgi, over_asgi

    before = set(outbound.SEEN)
    gateway = Gateway(settings_of(tmp_path), sends_mail=False)
    client = Client(over_asgi(gateway.asgi(host_asgi)))
    for path in ("", "question", "acces/arena-paris", "direct", "mot-de-passe/oubli"):
        assert client.get(f"/connexion/{path}").status == 200
    gateway.close()
    assert before == outbound.SEEN
