"""`check` on what answers over the network: our own site, portals, their clocks, a Redis reached over TLS.

Each is a real server on this machine that says something wrong; each is named before a person meets it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from examples.demo.portals import saml_messages
from examples.demo.ports import free_ports
from imagin_gateway.clock import SystemClock
from imagin_gateway.operating.findings import Finding, Severity
from imagin_gateway.operating.ground import Ground
from imagin_gateway.operating.probes import site
from imagin_gateway.settings import Settings
from tests.local.conftest import PrivatePostgres, postgres
from tests.operating.house import House, named, write_certificate
from tests.providers.oidc.provider import CLIENT_ID, CLIENT_SECRET, Provider, ec_key, public
from tests.providers.oidc.serving import serve
from tests.providers.saml.forge import PORTAL, keys
from tests.state.servers import PrivateRedis, RedisCluster
from tests.state.test_redis_cluster import Move
from tests.terminal import imagin_gateway

__all__ = ["postgres"]

DOOR = "arena-paris"


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A house in development, so that what answers on this machine may speak plain http."""
    made = House.new(tmp_path)
    made.values |= {"development": True, "base_url": "http://127.0.0.1:8400"}
    made.options["offline"] = False
    return made


@contextmanager
def answering(status: int, *, hours: float = 0) -> Iterator[str]:
    """Serve one answer whatever is asked, dated by a clock so many hours off; gives the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(datetime.now(UTC).timestamp() + hours * 3600)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def by_id(findings: Any, prefix: str) -> dict[str, Finding]:
    return {each.id: each for each in findings if each.id.startswith(prefix)}


# -- our own site


def looked_at(house: House, base: str) -> dict[str, Finding]:
    house.values["base_url"] = base
    ground = Ground(settings=Settings.load(house.save()), file=house.file, now=datetime.now(UTC), timeout=2.0)
    return {each.id: each for each in site.live(ground)}


@pytest.mark.parametrize(
    ("status", "id_", "severity"),
    [
        (200, "site.answers", Severity.OK),
        (303, "site.answers", Severity.OK),
        (404, "site.not_ours", Severity.FATAL),
        (400, "proxy.host", Severity.FATAL),
        (421, "proxy.host", Severity.FATAL),
        (500, "site.error", Severity.FATAL),
        (502, "site.behind_down", Severity.WARNING),
        (504, "site.behind_down", Severity.WARNING),
    ],
)
def test_what_our_site_answers_is_told(house: House, status: int, id_: str, severity: Severity) -> None:
    with answering(status) as base:
        found = looked_at(house, base)
    assert found[id_].severity is severity
    assert set(found) == {id_, "clock.site"}
    assert found["clock.site"].severity is Severity.OK


def test_our_site_is_told_when_it_is_not_there_or_lives_at_another_time(house: House) -> None:
    with answering(200, hours=1) as base:
        assert looked_at(house, base)["clock.site"].severity is Severity.FATAL
    found = looked_at(house, base)
    assert set(found) == {"site.refused"}
    assert found["site.refused"].severity is Severity.WARNING, "the service may not have been started yet"


# -- clocks


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the clock of this machine ahead, for what reads it."""
    real = SystemClock.now

    def by(seconds: float) -> None:
        monkeypatch.setattr(SystemClock, "now", lambda self: real(self) + timedelta(seconds=seconds))

    return by


def test_a_clock_apart_from_that_of_redis_is_named(house: House, ahead: Callable[[float], None]) -> None:
    with closing(PrivateRedis()) as server:
        server.start()
        house.values["state"]["url"] = server.url
        house.options["offline"] = True
        for seconds, severity in ((0, Severity.OK), (25, Severity.WARNING), (300, Severity.FATAL)):
            ahead(seconds)
            (found,) = named(house.checked(), "clock.state")
            assert found.severity is severity, seconds
            assert found.severity is Severity.OK or "timedatectl" in found.remedy


def test_a_clock_apart_from_that_of_postgresql_is_named(
    house: House, ahead: Callable[[float], None], postgres: PrivatePostgres
) -> None:
    house.values["accounts"]["url"] = postgres.empty()
    house.options["offline"] = True
    (found,) = named(house.checked(), "clock.accounts")
    assert found.severity is Severity.OK
    ahead(3600)
    (found,) = named(house.checked(), "clock.accounts")
    assert found.severity is Severity.FATAL


# -- Redis


def test_a_redis_over_tls_is_believed_by_its_authority_alone(house: House, tmp_path: Path) -> None:
    good, other = write_certificate(tmp_path), write_certificate(tmp_path, ends=91)
    with closing(PrivateRedis(port=free_ports(1)[0], tls=good)) as server:
        server.start()
        address = f"rediss://localhost:{server.port}/0"
        for options, id_ in (
            (f"?ssl_ca_certs={good}", "redis.server"),
            (f"?ssl_ca_certs={other}", "redis.certificate_self_signed"),
            ("", "redis.certificate_self_signed"),
            (f"?ssl_ca_certs={tmp_path}/absent.pem", "redis.tls_file"),
        ):
            house.values["state"]["url"] = address + options
            found = by_id(house.checked().findings, "redis.")
            assert id_ in found, options
            assert (found[id_].severity is Severity.FATAL) is (id_ != "redis.server")


def test_the_rights_that_the_page_gives_are_enough_for_the_whole_check(house: House) -> None:
    page = (Path(__file__).parents[2] / "docs" / "redis.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^ACL SETUSER gateway .*$", page, re.MULTILINE)
    with closing(PrivateRedis()) as server:
        server.start()
        with server.client() as client:
            client.config_set("appendonly", "yes")
            client.execute_command(*line.split())
            house.values["state"]["url"] = server.url.replace("unix://", "unix://gateway:password@")
            found = by_id(house.checked(offline=True).findings, "redis.")
            assert not client.acl_log()
            assert "redis.server" in found
            assert "redis.time" not in found
            client.execute_command("ACL", "SETUSER", "gateway", "-time")
        assert "+time" in by_id(house.checked(offline=True).findings, "redis.")["redis.time"].remedy


def test_a_redis_that_wants_a_client_certificate_says_so(house: House, tmp_path: Path) -> None:
    other = write_certificate(tmp_path).rename(tmp_path / "other.pem")
    good = write_certificate(tmp_path)
    with closing(PrivateRedis("tls-auth-clients yes", port=free_ports(1)[0], tls=good)) as server:
        server.start()
        address = f"rediss://localhost:{server.port}/0?ssl_ca_certs={good}"
        for pair, told in ((None, "demande"), (other, "refuse"), (good, "")):
            house.values["state"]["url"] = address + (f"&ssl_certfile={pair}&ssl_keyfile={pair}" if pair else "")
            found = by_id(house.checked().findings, "redis.")
            if told:
                assert "redis.client_certificate" in found, found
                assert told in found["redis.client_certificate"].text
                assert "ssl_certfile" in found["redis.client_certificate"].remedy
            else:
                assert found["redis.server"].severity is Severity.OK


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("ssl_ca_certs={junk}", "ssl_ca_certs"),
        ("ssl_certfile={junk}&ssl_keyfile={junk}", "ssl_certfile"),
        ("ssl_certfile={pair}&ssl_keyfile={other}", "ssl_certfile"),
        ("ssl_certfile={pair}&ssl_keyfile={locked}", "ssl_certfile"),
    ],
)
def test_files_of_a_redis_that_are_no_good_are_named_and_no_password_is_asked_for(
    house: House, tmp_path: Path, options: str, named: str
) -> None:
    other = write_certificate(tmp_path).rename(tmp_path / "other.pem")
    pair = write_certificate(tmp_path)
    (junk := tmp_path / "junk.pem").write_text("rien")
    key = serialization.load_pem_private_key(pair.read_bytes(), None)
    locked = tmp_path / "locked.pem"
    kept = serialization.BestAvailableEncryption(b"canary")
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, kept))
    files = options.format(junk=junk, pair=pair, other=other, locked=locked)
    with closing(PrivateRedis(port=free_ports(1)[0], tls=pair)) as server:
        server.start()
        house.values["state"]["url"] = f"rediss://localhost:{server.port}/0?{files}"
        house.save()
        done = imagin_gateway("check", "--settings", house.file.name, cwd=house.folder)
    assert done.returncode == 2
    (told,) = [part for part in done.stdout.split("À CORRIGER") if part.startswith(" [redis.tls_file]")]
    assert named in told
    # OpenSSL asks by itself: on the terminal, or here where there is none.
    assert "pass phrase" not in done.stdout + done.stderr


def test_a_redis_where_changes_cannot_be_followed_is_named(house: House) -> None:
    with closing(PrivateRedis()) as server:
        server.start()
        with server.client() as client:
            client.execute_command(
                "ACL", "SETUSER", "deaf", "on", ">deaf", "~*", "&*", "+@all", "-client", "+client|id", "-info"
            )
        house.values["state"]["url"] = server.url.replace("unix://", "unix://deaf:deaf@")
        found = by_id(house.checked(offline=True).findings, "redis.")
    assert found["redis.tracking"].severity is Severity.WARNING
    assert found["redis.info"].severity is Severity.WARNING


def test_a_cluster_that_is_moving_our_slot_is_not_told_to_lack_rights(house: House) -> None:
    with closing(RedisCluster()) as cluster:
        cluster.start()
        house.values["state"]["url"] = cluster.url
        assert "redis.rights" in by_id(house.checked().findings, "redis.")
        move = Move(*cluster.servers[:2])
        move.begin()
        move.carry()
        found = by_id(house.checked().findings, "redis.")
        assert found["redis.moving"].severity is Severity.FATAL
        assert "SETSLOT" in found["redis.moving"].remedy
        assert "redis.acl" not in found
        move.end()
        assert "redis.rights" in by_id(house.checked().findings, "redis.")


# -- portals by SAML


@pytest.mark.parametrize(
    ("change", "id_", "severity"),
    [
        (lambda text: text, "saml.metadata", Severity.OK),
        (
            lambda text: text.replace("entityID=", 'validUntil="2020-01-01T00:00:00Z" entityID=', 1),
            "saml.metadata_expired",
            Severity.FATAL,
        ),
        (lambda text: text.replace(PORTAL, PORTAL + "/autre", 1), "saml.metadata_entity", Severity.FATAL),
        (lambda text: text[:-20], "saml.metadata_refused", Severity.FATAL),
    ],
    ids=["good", "expired", "of another", "cut"],
)
def test_metadata_that_cannot_serve_are_named(
    house: House, change: Callable[[str], str], id_: str, severity: Severity
) -> None:
    published = saml_messages.metadata(PORTAL, "https://idp.exemple.test/sso", [keys("strong", 3072)])
    house.add_saml(theirs=change(published.decode()).encode())
    (found,) = named(house.checked(offline=True), id_)
    assert found.severity is severity


def test_the_site_of_a_saml_portal_is_asked_for_the_time_and_told_when_nobody_listens(house: House) -> None:
    def found(base: str) -> dict[str, Finding]:
        house.add_saml(theirs=saml_messages.metadata(PORTAL, base + "/sso", [keys("strong", 3072)]))
        return {each.id: each for each in house.checked().findings if "arena-creteil" in each.subject}

    with answering(200) as base:
        assert found(base)["clock.portal"].severity is Severity.OK
    with answering(200, hours=-2) as base:
        assert found(base)["clock.portal"].severity is Severity.FATAL
    assert found(base)["saml.refused"].severity is Severity.WARNING, "only browsers must reach it"


# -- portals by OpenID Connect


@pytest.fixture
def provider() -> Iterator[Provider]:
    served = Provider("", datetime.now(UTC), "https://imagin.exemple.test/connexion/portail/arena-paris/retour")
    with serve(served):
        yield served


def asked(house: House, provider: Provider, **more: Any) -> dict[str, Finding]:
    house.values["portals"][DOOR] = {
        "protocol": "oidc",
        "issuer": provider.issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "algorithms": ["RS256"],
        **more,
    }
    return {each.id: each for each in house.checked().findings if DOOR in each.subject}


def test_a_good_provider_is_found_good(house: House, provider: Provider) -> None:
    found = asked(house, provider)
    assert found["oidc.issuer"].severity is Severity.OK
    assert found["oidc.keys"].severity is Severity.OK
    assert found["oidc.clock"].severity is Severity.OK
    assert [each.id for each in found.values() if each.severity is Severity.FATAL] == []
    assert "oidc.portal_key_2048" in found


def test_what_is_wrong_with_a_provider_is_named_with_what_to_do(house: House, provider: Provider) -> None:
    def spoil(told: dict[str, Any]) -> None:
        told["issuer"] += "/autre"
        told["id_token_signing_alg_values_supported"] = ["HS256"]
        told["token_endpoint_auth_methods_supported"] = ["private_key_jwt"]

    provider.edit_discovery = spoil
    provider.published = [public(ec_key())]
    found = asked(house, provider)
    for id_ in ("oidc.issuer", "oidc.algorithms", "oidc.keys", "oidc.client_authentication"):
        assert found[id_].severity is Severity.FATAL, id_
        assert found[id_].remedy
        assert CLIENT_SECRET not in str(found[id_])


def test_a_provider_at_another_time_and_one_that_is_not_there_are_named(
    house: House, provider: Provider, ahead: Callable[[float], None]
) -> None:
    ahead(7200)
    assert asked(house, provider)["clock.portal"].severity is Severity.FATAL
    gone = Provider("http://localhost:1", datetime.now(UTC), "")
    assert asked(house, gone)["oidc.refused"].severity is Severity.FATAL


def test_a_provider_over_tls_is_believed_by_its_authority_alone(house: House, tmp_path: Path) -> None:
    import ssl

    certificate = write_certificate(tmp_path, ends=9)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    served = Provider("", datetime.now(UTC), "")
    with serve(served, context):
        found = asked(house, served, ca_file=str(certificate))
        assert found["oidc.certificate_ending"].severity is Severity.WARNING
        assert asked(house, served)["oidc.certificate_self_signed"].severity is Severity.FATAL
