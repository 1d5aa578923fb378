"""`check` on what it must connect to: real servers, each broken for real, and named with what to do."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import pytest

from imagin_gateway.operating.findings import Severity
from tests.local.conftest import PrivatePostgres, postgres
from tests.local.helper import MailServer
from tests.operating.house import House, named, write_certificate
from tests.state.servers import PrivateRedis

__all__ = ["postgres"]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.new(tmp_path)


@pytest.fixture
def online(house: House) -> House:
    house.options["offline"] = False
    return house


def fatal_ones(house: House) -> list[str]:
    return [each.id for each in house.checked().findings if each.severity is Severity.FATAL]


def test_each_setting_of_a_redis_that_endangers_the_state_is_named(house: House) -> None:
    with closing(PrivateRedis("maxmemory 100mb", "maxmemory-policy allkeys-lru")) as server:
        server.start()
        house.values["state"]["url"] = server.url
        report = house.checked()
        (found,) = named(report, "redis.eviction")
        assert (found.severity, found.key) == (Severity.FATAL, "state.url")
        assert "noeviction" in found.remedy
        (found,) = named(report, "redis.persistence")
        assert "appendonly yes" in found.remedy
        assert named(report, "redis.rights")
        with server.client() as client:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("appendonly", "yes")
            client.execute_command("ACL", "SETUSER", "weak", "on", ">weak", "~other:*", "+@all")
        report = house.checked()
        assert [each.id for each in report.findings if each.id.startswith("redis.") and each.severity != "ok"] == []
        house.values["state"]["url"] = server.url.replace("unix://", "unix://weak:weak@")
        assert fatal_ones(house) == ["redis.acl"]
        house.values["state"]["url"] = server.url.replace("unix://", "unix://weak:canary@")
        (found,) = named(house.checked(), "redis.login")
        assert "canary" not in str(found)
        assert "utilisateur:motdepasse@" in found.remedy
        house.values["state"]["url"] = server.url
        with server.client() as client, server.client() as another:
            client.ping()
            another.ping()
            for allowed in (2, 3):  # none is left, then one, where two are needed
                client.config_set("maxclients", allowed)
                told = house.checked(offline=True).findings
                (found,) = [each for each in told if each.id.startswith("redis.") and each.severity != "ok"]
                assert (found.id, "maxclients" in found.remedy) == ("redis.clients", True)
            client.config_set("maxclients", 1000)
        server.stop()
        house.values["state"]["url"] = server.url
        assert fatal_ones(house) == ["redis.refused"]


@pytest.mark.parametrize("first", range(1, 9))
def test_a_redis_that_hangs_up_on_the_first_ones_is_not_said_to_refuse_our_keys(house: House, first: int) -> None:
    """As one does that has no room, and has some a moment later; its words are not always heard."""
    with closing(PrivateRedis()) as server, closing(socket.create_server(("127.0.0.1", 0))) as door:
        server.start()
        threading.Thread(target=_let_in, args=(door, server.url.partition("?")[0][7:], first), daemon=True).start()
        house.values["state"]["url"] = f"redis://127.0.0.1:{door.getsockname()[1]}"
        told = house.checked(offline=False).findings
    assert {each.id for each in told if each.id.startswith("redis.") and each.severity is Severity.FATAL} <= {
        "redis.clients"
    }


def _let_in(door: socket.socket, path: str, first: int) -> None:
    """Hang up on the first connections, and lead the others to a server."""
    with contextlib.suppress(OSError):
        for number in itertools.count():
            caller, _ = door.accept()
            if number < first:
                caller.close()
                continue
            called = socket.socket(socket.AF_UNIX)
            called.connect(path)
            threading.Thread(target=_join, args=(caller, called), daemon=True).start()


def test_a_redis_that_wants_our_certificate_and_hangs_up_on_a_command_says_so(house: House) -> None:
    """Its alert comes once the handshake is over for us: a command on its way has it lost."""
    pair = write_certificate(house.folder)
    with closing(socket.create_server(("127.0.0.1", 0))) as door:
        threading.Thread(target=_hang_up_on_commands, args=(door, pair), daemon=True).start()
        address = f"rediss://localhost:{door.getsockname()[1]}/0?ssl_ca_certs={pair}"
        house.values["state"]["url"] = address
        (found,) = named(house.checked(offline=False), "redis.client_certificate")
    assert "demande un certificat" in found.text


def _hang_up_on_commands(door: socket.socket, pair: Path) -> None:
    """Ask every caller for a certificate; refuse it in words to who is silent, and hang up on who is not."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pair))
    context.load_cert_chain(pair)
    context.verify_mode = ssl.CERT_REQUIRED
    with contextlib.suppress(OSError):
        while True:
            caller, _ = door.accept()
            with caller, caller.makefile("rb") as records:
                coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
                ours = context.wrap_bio(coming, going, server_side=True)
                with contextlib.suppress(ssl.SSLCertVerificationError, ssl.SSLError):
                    _shake(ours, coming, going, caller, records)
                caller.settimeout(0.5)
                _record(records)  # the last of the handshake
                try:
                    _record(records)
                except TimeoutError:
                    caller.sendall(going.read())
                else:
                    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _shake(
    ours: ssl.SSLObject, coming: ssl.MemoryBIO, going: ssl.MemoryBIO, caller: socket.socket, records: IO[bytes]
) -> None:
    while True:
        try:
            return ours.do_handshake()
        except ssl.SSLWantReadError:
            caller.sendall(going.read())
            coming.write(_record(records))


def _record(records: IO[bytes]) -> bytes:
    """Read one record of TLS (RFC 8446 §5.1)."""
    head = records.read(5)
    return head + records.read(int.from_bytes(head[3:5]))


def _join(caller: socket.socket, called: socket.socket) -> None:
    with caller, called:
        back = threading.Thread(target=_lead, args=(called, caller), daemon=True)
        back.start()
        _lead(caller, called)
        back.join()


def _lead(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while heard := one.recv(65536):
            other.sendall(heard)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)


def test_a_postgresql_that_cannot_serve_is_named(house: House, postgres: PrivatePostgres) -> None:
    house.values["accounts"]["url"] = postgres.make()
    (found,) = named(house.checked(), "accounts.empty")
    assert (found.severity, found.remedy) == (Severity.FATAL, "imagin-gateway accounts upgrade")
    url = postgres.empty()
    house.values["accounts"]["url"] = url
    assert named(house.checked(), "accounts.schema")
    postgres._run("ALTER DATABASE accounts SET default_transaction_read_only = on")
    try:
        (found,) = named(house.checked(), "accounts.read_only")
        assert found.severity is Severity.FATAL
    finally:
        postgres._run("ALTER DATABASE accounts RESET default_transaction_read_only")
    house.values["accounts"]["url"] = url.replace("/accounts", "/nowhere")
    assert named(house.checked(), "accounts.database")
    house.values["accounts"]["url"] = url.replace("://postgres", "://app")
    postgres._run("CREATE ROLE app LOGIN", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO app", database="accounts")
    try:
        (found,) = named(house.checked(), "accounts.rights")
        assert (found.severity, "accounts, " in found.text) == (Severity.FATAL, True)
        # What the remedy says is what it takes, the sequences that rows are numbered by included.
        tables, sequences = (each.strip().replace("…", "{}") for each in found.remedy.split(";"))
        postgres._run(tables.format("public", "app"), database="accounts")
        (found,) = named(house.checked(), "accounts.rights")
        assert (" accounts_id_seq" in found.text, " accounts," in found.text) == (True, False)
        postgres._run(sequences.format("public", "app"), database="accounts")
        assert named(house.checked(), "accounts.rights") == []
    finally:
        postgres._run("DROP OWNED BY app", "DROP ROLE app", database="accounts")
    for encoding in ("SQL_ASCII", "LATIN1"):
        house.values["accounts"]["url"] = postgres.make(encoding)
        (found,) = named(house.checked(), "accounts.encoding")
        assert (found.severity, encoding in found.text) == (Severity.FATAL, True)


@pytest.fixture
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


def relay(certificate: Path | None, **more: Any) -> MailServer:
    if certificate is None:
        return MailServer(**more)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return MailServer(tls_context=context, require_starttls=True, **more)


@pytest.fixture
def stopped() -> Iterator[list[MailServer]]:
    servers: list[MailServer] = []
    yield servers
    for server in servers:
        server.stop()


def test_a_relay_that_cannot_be_believed_or_used_is_named(
    online: House, certificates: Path, stopped: list[MailServer]
) -> None:
    def told(certificate: Path | None, ca: Path | None) -> dict[str, Any]:
        server = relay(certificate)
        stopped.append(server)
        online.values["mail"] = {"host": "localhost", "port": server.port, "sender": "imagin@exemple.test"}
        if ca is not None:
            online.values["mail"]["ca_file"] = str(ca)
        report = online.checked()
        return {each.id: each for each in report.findings if each.id.startswith("mail.")}

    good, ending = write_certificate(certificates, ends=90), write_certificate(certificates, ends=9)
    expired = write_certificate(certificates, begins=-9, ends=-1)
    assert set(told(good, good)) == {"mail.certificate", "mail.relay"}
    assert "mail.certificate_ending" in told(ending, ending)
    assert told(expired, expired)["mail.certificate_expired"].severity is Severity.FATAL
    assert "ca_file" in told(good, None)["mail.certificate_self_signed"].remedy
    assert "465" in told(None, None)["mail.no_starttls"].remedy
    online.values["mail"]["port"] = 1
    assert named(online.checked(), "mail.refused")


def test_a_test_mail_is_sent_only_when_it_is_asked_for(
    online: House, certificates: Path, stopped: list[MailServer]
) -> None:
    certificate = write_certificate(certificates)
    server = relay(certificate)
    stopped.append(server)
    online.values["mail"] = {
        "host": "localhost",
        "port": server.port,
        "sender": "imagin@exemple.test",
        "ca_file": str(certificate),
    }
    online.checked()
    assert server.inbox.received == []
    assert named(online.checked(mail_to="operator@exemple.test"), "mail.sent")
    assert server.inbox.recipients == [["operator@exemple.test"]]
