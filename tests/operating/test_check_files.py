"""`check` on what stands on this machine: each thing is broken for real, and named with what to do."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from examples.demo.portals import saml_messages
from imagin_gateway.clock import timestamp
from imagin_gateway.errors import SettingsError
from imagin_gateway.flows.proxies import kept_under
from imagin_gateway.gateway import Gateway
from imagin_gateway.opening import open_portals, open_stores
from imagin_gateway.operating.findings import Severity
from imagin_gateway.operating.ground import Ground
from imagin_gateway.operating.probes.machine import is_mounted_secret
from imagin_gateway.operating.probes.portals import RSA_2048_UNTIL
from imagin_gateway.policy import siec
from imagin_gateway.settings import Settings
from imagin_gateway.state.store import Space
from tests.operating.house import House, named, toml
from tests.providers.saml.forge import PORTAL, SSO, keys
from tests.terminal import imagin_gateway

FATAL, WARNING, UNKNOWN = Severity.FATAL, Severity.WARNING, Severity.UNKNOWN


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House.new(tmp_path)
    house.add_saml()
    return house


HELD: Final[list[sqlite3.Connection]] = []
"""Kept open until the end of the run: closed, they would let go."""


def held_elsewhere(name: str) -> Callable[[House], None]:
    """Let another program hold a database for itself."""

    def act(house: House) -> None:
        held = sqlite3.connect(house.folder / name, isolation_level=None)
        held.execute("PRAGMA locking_mode = EXCLUSIVE")
        held.execute("CREATE TABLE IF NOT EXISTS held (by)")
        held.execute("BEGIN EXCLUSIVE")
        HELD.append(held)

    return act


def test_a_good_house_has_nothing_to_mend(house: House) -> None:
    report = house.checked()
    assert [each for each in report.findings if each.severity in (FATAL, WARNING)] == []
    assert report.exit_code == 0
    left = {each.id for each in report.findings if each.severity is UNKNOWN}
    assert left == {"mail.not_checked", "saml.not_checked", "site.not_checked"}
    assert all(each.asked for each in report.findings if each.severity is UNKNOWN)


@dataclass
class Row:
    """One thing that is broken.

    Attributes:
        name: id of the finding.
        breaks: breaks it.
        remedy: a part of what to do.
        key: of the settings.
    """

    name: str
    breaks: Callable[[House], object]
    remedy: str
    key: str = ""
    severity: Severity = FATAL

    def __str__(self) -> str:
        return self.name


def say(*path: str, value: object) -> Callable[[House], None]:
    def change(house: House) -> None:
        section = house.values
        for name in path[:-1]:
            section = section.setdefault(name, {})
        section[path[-1]] = value

    return change


def drop(*path: str) -> Callable[[House], None]:
    def change(house: House) -> None:
        section = house.values
        for name in path[:-1]:
            section = section[name]
        del section[path[-1]]

    return change


def by_hand(content: bytes, mode: int = 0o600) -> Callable[[House], None]:
    def change(house: House) -> None:
        house.write("gateway.toml", content, mode)
        house.options["written"] = True

    return change


def of_accounts(*statements: str) -> Callable[[House], None]:
    def change(house: House) -> None:
        with closing(sqlite3.connect(house.folder / "accounts.db")) as opened:
            for statement in statements:
                opened.execute(statement)
            opened.commit()

    return change


def replaced(name: str, content: bytes) -> Callable[[House], object]:
    def change(house: House) -> None:
        for suffix in ("-wal", "-shm"):
            (house.folder / f"{name}{suffix}").unlink(missing_ok=True)
        house.write(name, content, 0o600)

    return change


def another_application(name: str) -> Callable[[House], object]:
    def change(house: House) -> None:
        (house.folder / name).unlink(missing_ok=True)
        with closing(sqlite3.connect(house.folder / name)) as opened:
            opened.execute("CREATE TABLE theirs (a)")
            opened.commit()

    return change


def metadata(name: str = "strong", bits: int = 3072) -> bytes:
    return saml_messages.metadata(PORTAL, SSO, [keys(name, bits)])


def portal(**more: object) -> Callable[[House], None]:
    return lambda house: house.add_saml(**more)  # type: ignore[arg-type]  # of `add_saml`


def other_pair(house: House) -> None:
    house.write("saml.crt", keys("other", 2048).certificate_pem)


def ended(house: House) -> None:
    text = (
        metadata().decode().replace("<md:EntityDescriptor ", '<md:EntityDescriptor validUntil="2020-01-01T00:00:00Z" ')
    )
    if "validUntil" not in text:
        head, _, rest = metadata().decode().partition("EntityDescriptor ")
        text = f'{head}EntityDescriptor validUntil="2020-01-01T00:00:00Z" {rest}'
    house.write("creteil.xml", text)
    house.write("federation.crt", keys("strong", 3072).certificate_pem)


def signed_by_nobody(house: House) -> None:
    house.write("federation.crt", keys("strong", 3072).certificate_pem)
    house.values["portals"]["arena-creteil"]["metadata_certificate"] = "federation.crt"


def an_event_of_long_ago(house: House) -> None:
    house.write("events.jsonl", '{"v": 1, "time": "2020-01-01T08:00:00.000Z", "event": "login"}\n')
    (house.folder / "events.jsonl").chmod(0o600)


def mode(name: str, bits: int) -> Callable[[House], None]:
    def change(house: House) -> None:
        house.save()
        house.options["written"] = True
        (house.folder / name).chmod(bits)

    return change


def proxy_seen(house: House) -> None:
    settings = Settings.load(house.save())
    with closing(open_stores(settings)) as opened:
        now = timestamp(opened.clock.now())
        key = kept_under(opened.keys)
        opened.sessions.store.put(Space.SEEN, key, b"forwarded", expires_at=now + 60, now=now)


def network(house: House) -> None:
    house.options["mounts"] = house.write("mounts", f"srv:/x {house.folder} nfs4 rw 0 0\n/dev/sda / ext4 rw 0 0\n")


def protect_our_pages(house: House) -> None:
    by_hand((toml(house.values) + '[[protect]]\nprefix = "/connexion"\n').encode())(house)


def plain_mail(house: House) -> None:
    house.values["mail"] |= {"host": "relais.exemple.test", "security": "none"}


def in_a_file(mode: int) -> Callable[[House], None]:
    def change(house: House) -> None:
        house.write("signing.key", house.values["keys"]["signing"][0], mode)
        house.values["keys"]["signing"] = ["file:signing.key"]

    return change


def in_memory(options: str, name: str = "") -> Callable[[House], None]:
    def change(house: House) -> None:
        in_a_file(0o444)(house)
        mount = f"tmpfs {house.folder / name} tmpfs {options} 0 0"
        house.options["mounts"] = house.write("mounts", f"{mount}\n/dev/sda / ext4 rw 0 0\n")

    return change


def openid_keys(house: House) -> None:
    house.write("next.key", keys("other", 2048).private_pem, 0o644)
    house.values["portals"]["arena-paris"] = {
        "protocol": "oidc",
        "issuer": "https://portail.exemple.test",
        "client_id": "imagin",
        "client_authentication": "private_key_jwt",
        "private_key": "saml.key",
        "other_private_keys": ["next.key"],
    }


def asks(attribute: str, test: str) -> Callable[[House], None]:
    needs = f'needs = {{ {attribute} = {{ {test} = ["93"] }} }}'
    text = f'[[admission]]\nid = "a"\n{needs}\nsentence = {{ fr = "a", en = "a" }}\n'
    return lambda house: say("admission", value=str(house.write("a.toml", text)))(house)


def variable_gone(house: House) -> None:
    house.values["keys"]["signing"] = ["env:IMAGIN_THAT_NOBODY_DEFINES"]


def one_key_for_two_uses(house: House) -> None:
    house.values["keys"]["provisional"] = house.values["keys"]["signing"]


def breached(content: str) -> Callable[[House], None]:
    def change(house: House) -> None:
        house.values["passwords"] = {"breached_list": str(house.write("seen.txt", content))}

    return change


def template(house: House) -> None:
    (house.folder / "templates").mkdir()
    house.write("templates/choose.html", "{% if %}")
    house.values["appearance"] = {"templates": "templates"}


ROWS = [
    # -- settings
    Row("settings.file", by_hand(b"[keys\n"), "corriger la ligne", "(fichier)"),
    Row("settings.file", by_hand(b"\xff\xfe"), "UTF-8", "(fichier)"),
    Row("settings.unknown_key", say("trusted_proxys", value=1), "trusted_proxies", "trusted_proxys"),
    Row("settings.missing", drop("mail", "sender"), "imagin@siec.education.fr", "mail.sender"),
    Row("settings.value", say("passwords", value={"minimum_length": 3}), "au moins 12", "passwords.minimum_length"),
    Row("settings.value", say("base_url", value="http://imagin.exemple.test"), "https://", "base_url"),
    Row("settings.together", drop("second_factor"), "optional", "second_factor"),
    Row("settings.together", plain_mail, "starttls", "mail.security"),
    Row("settings.variable", variable_gone, "la définir", "keys.signing.0"),
    Row(
        "settings.secret_file", say("keys", "signing", value=["file:/nowhere"]), "vérifier le chemin", "keys.signing.0"
    ),
    Row("keys.missing", say("keys", "signing", value=[]), "token_urlsafe", "keys.signing"),
    Row("keys.weak", say("keys", "signing", value=["short"]), "token_urlsafe", "keys.signing"),
    Row("keys.weak", say("keys", "signing", value=["change-me" * 8]), "token_urlsafe", "keys.signing"),
    Row("keys.shared", one_key_for_two_uses, "une clé par usage", "keys.provisional"),
    # -- files
    Row("files.secret_readable", mode("gateway.toml", 0o644), "chmod 600"),
    Row("files.secret_readable", mode("saml.key", 0o604), "chmod 600", "portals.arena-creteil.private_key"),
    Row("files.secret_readable", mode("accounts.db", 0o604), "chmod 600", "accounts.url"),
    Row("files.secret_writable", mode("accounts.db", 0o660), "chmod 600", "accounts.url"),
    Row("files.secret_readable", in_a_file(0o644), "chmod 600", "keys.signing"),
    Row("files.secret_readable", in_memory("ro,relatime"), "defaultMode", "keys.signing", WARNING),
    Row("files.secret_readable", in_memory("ro", "signing.key"), "defaultMode", "keys.signing", WARNING),
    Row("files.secret_readable", in_memory("rw,nosuid"), "chmod 600", "keys.signing"),
    Row("files.secret_writable", in_a_file(0o620), "chmod 600", "keys.signing"),
    Row("files.secret_readable", openid_keys, "chmod 600", "portals.arena-paris.other_private_keys"),
    Row("files.believed_writable", mode("creteil.xml", 0o666), "chmod o-w", "portals.arena-creteil.metadata"),
    Row("files.events_readable", lambda house: house.write("events.jsonl", ""), "chmod 600", "events.path", WARNING),
    Row("files.events_too_old", an_event_of_long_ago, "{day}", "events.path", WARNING),
    Row("disk.file_is_folder", say("events", "path", value="."), "fichier", "events.path"),
    Row("disk.folder", say("events", "path", value="/nowhere/at/all/events.jsonl"), "mkdir", "events.path"),
    Row("disk.network", network, "PostgreSQL", "accounts.url"),
    Row("disk.nearly_full", lambda house: house.options.update(least_free=1 << 60), "place", "accounts.url", WARNING),
    Row("disk.full", lambda house: house.options.update(full=1 << 60), "place", "accounts.url"),
    # -- accounts and state
    Row("accounts.missing", lambda house: (house.folder / "accounts.db").unlink(), "chemin", "accounts.url", WARNING),
    Row("accounts.not_sqlite", replaced("accounts.db", b"not a database" * 99), "sauvegarde", "accounts.url"),
    Row("accounts.file", held_elsewhere("accounts.db"), "attendre", "accounts.url"),
    Row("accounts.foreign", another_application("accounts.db"), "autre chemin", "accounts.url"),
    Row(
        "accounts.ahead",
        of_accounts("UPDATE alembic_version SET version_num = '9999'"),
        "installer cette version",
        "accounts.url",
    ),
    Row(
        "accounts.behind",
        of_accounts("UPDATE alembic_version SET version_num = '0001'"),
        "accounts upgrade",
        "accounts.url",
        WARNING,
    ),
    Row("accounts.not_wal", of_accounts("PRAGMA journal_mode = DELETE"), "journal_mode=WAL", "accounts.url", WARNING),
    Row("state.foreign", another_application("state.db"), "autre chemin", "state.url"),
    Row("state.not_sqlite", replaced("state.db", b"not a database" * 99), "autre chemin", "state.url"),
    Row("state.file", held_elsewhere("state.db"), "attendre", "state.url"),
    # -- keys and metadata of a portal
    Row(
        "portal.file",
        lambda house: (house.folder / "saml.key").unlink(),
        "keys make arena-creteil",
        "portals.arena-creteil.private_key",
    ),
    Row("saml.own_pair", other_pair, "keys make arena-creteil", "portals.arena-creteil.certificate"),
    Row("saml.own_key_weak", portal(bits=1024), "2048 bits", "portals.arena-creteil.private_key"),
    Row(
        "saml.own_key_2048", portal(bits=2048), "keys make arena-creteil", "portals.arena-creteil.private_key", WARNING
    ),
    Row(
        "saml.own_certificate_expired",
        portal(ours="expired"),
        "keys make arena-creteil",
        "portals.arena-creteil.certificate",
        WARNING,
    ),
    Row("saml.portal_key_weak", portal(theirs=metadata("weak", 1024)), "3072", "portals.arena-creteil.metadata"),
    Row(
        "saml.portal_key_2048",
        portal(theirs=metadata("portal", 2048)),
        f"{RSA_2048_UNTIL:%d/%m/%Y}",
        "portals.arena-creteil.metadata",
        WARNING,
    ),
    Row(
        "saml.portal_certificate_expired",
        portal(theirs=metadata("expired", 3072)),
        "métadonnées du jour",
        "portals.arena-creteil.metadata",
        WARNING,
    ),
    Row(
        "saml.metadata_missing",
        lambda house: (house.folder / "creteil.xml").unlink(),
        "XML",
        "portals.arena-creteil.metadata",
    ),
    Row("saml.metadata_refused", portal(theirs=b"<html"), "telles qu’il les publie", "portals.arena-creteil.metadata"),
    Row(
        "saml.metadata_entity",
        portal(portal_entity_id="https://other.test"),
        "entityID",
        "portals.arena-creteil.metadata",
    ),
    Row("saml.metadata_not_signed", signed_by_nobody, "signées", "portals.arena-creteil.metadata"),
    Row(
        "portal.no_door", say("portals", "arena-lyon", value={"protocol": "link"}), "arena-paris", "portals.arena-lyon"
    ),
    # -- what the host wrote
    Row(
        "policy.refused",
        lambda house: say("policy", value=str(house.write("p.toml", "x = 1")))(house),
        "policy check",
        "policy",
    ),
    Row(
        "admission.refused",
        lambda house: say("admission", value=str(house.write("a.toml", "x = 1")))(house),
        "a.toml",
        "admission",
    ),
    Row("admission.never_met", asks("uai", "departement"), "rne", "admission"),
    Row("admission.never_met", asks("fredufonctadm", "among"), "FrEduFonctAdm", "admission"),
    Row("admission.never_met", asks("FrEduRne", "departement"), "rne = { departement", "admission"),
    Row("passwords.breached_list", breached("not digests at all\n"), "", "passwords.breached_list"),
    Row("appearance.refused", template, "corriger le gabarit", "templates.choose.html"),
    # -- address, cookies, proxies
    Row("site.short_name", say("base_url", value="https://imagin"), "siec.education.fr", "base_url", WARNING),
    Row("site.number", say("base_url", value="https://192.0.2.1"), "nom d’hôte", "base_url", WARNING),
    Row("site.port", say("base_url", value="https://imagin.exemple.test:8443"), "443", "base_url", WARNING),
    Row("cookies.loop", protect_our_pages, "autre préfixe", "protect"),
    Row("site.landing", lambda house: house.values.update(landing="/connexion/x", landings=["/"]), "hôte", "landing"),
    Row("proxy.none", drop("trusted_proxies"), "nginx", "trusted_proxies", WARNING),
    Row("proxy.noticed", proxy_seen, "X-Forwarded-For", "trusted_proxies"),
    Row("proxy.many", say("trusted_proxies", value=3), "nombre exact", "trusted_proxies", WARNING),
]


@pytest.mark.parametrize("row", ROWS, ids=[f"{number}-{row}" for number, row in enumerate(ROWS)])
def test_what_is_broken_is_named_with_what_to_do(house: House, row: Row) -> None:
    row.breaks(house)
    report = house.checked()
    found = [each for each in named(report, row.name) if each.key == row.key or not row.key]
    assert found, [(each.id, each.key, each.text) for each in report.findings if each.severity is not Severity.OK]
    assert found[0].severity is row.severity
    assert row.remedy in found[0].remedy
    assert found[0].remedy
    assert found[0].text
    assert report.exit_code == (2 if row.severity is FATAL else 1)


def test_a_disk_in_read_only_is_told_as_such_and_not_as_somebody_else_s_folder(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    # To access(2), nobody may write there, root included.
    really, access = os.statvfs, os.access

    def read_only(path: Any) -> os.statvfs_result:
        told = list(really(path)[:10])
        told[8] |= os.ST_RDONLY
        return os.statvfs_result(told)

    monkeypatch.setattr(os, "statvfs", read_only)
    monkeypatch.setattr(os, "access", lambda path, mode, **more: not mode & os.W_OK and access(path, mode, **more))
    report = house.checked()
    assert {each.key for each in named(report, "disk.read_only")} == {"accounts.url", "state.url", "events.path"}
    assert "dmesg" in named(report, "disk.read_only")[0].remedy
    assert not named(report, "disk.folder_read_only")
    assert not named(report, "disk.file_read_only")


@pytest.mark.parametrize(("key", "module"), [("enabled", "prometheus_client"), ("traces", "opentelemetry")])
def test_figures_whose_libraries_are_not_installed_are_told_before_the_start_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch, key: str, module: str
) -> None:
    house.values["metrics"] = {key: True, "token": "S3cr3t-of-this-house-0123456789-abcdef"}
    assert [each.severity for each in named(house.checked(), "metrics.libraries")] == [Severity.OK]
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, f"{module}.trace", None)
    report = house.checked()
    (finding,) = named(report, "metrics.libraries")
    assert (report.exit_code, finding.severity, finding.key) == (2, FATAL, f"metrics.{key}")
    assert finding.remedy == f"pip install 'imagin-gateway[metrics]', ou {key} = false"
    with pytest.raises(SettingsError, match=f"metrics.{key}"):
        Gateway(Settings.load(house.file))


@pytest.mark.row("KEY-02")
def test_a_portal_key_of_2048_bits_is_told_with_its_last_day_and_one_of_1024_lets_nobody_in(house: House) -> None:
    house.add_saml(theirs=metadata("portal", 2048))
    report = house.checked()
    (found,) = named(report, "saml.portal_key_2048")
    assert (found.severity, report.exit_code) == (WARNING, 1)
    assert "31/12/2030" in found.text
    assert set(open_portals(Settings.load(house.file), siec())) == {"arena-creteil"}
    house.add_saml(theirs=metadata("weak", 1024))
    report = house.checked()
    (found,) = named(report, "saml.portal_key_weak")
    assert (found.severity, report.exit_code) == (FATAL, 2)
    with pytest.raises(SettingsError, match="trop faible"):
        open_portals(Settings.load(house.file), siec())


@pytest.mark.parametrize("place", ["/run/secrets", "/run/secrets/key"])
def test_the_place_of_secrets_in_a_container_is_known(tmp_path: Path, place: str) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"overlay / overlay rw 0 0\ntmpfs {place} tmpfs rw,nosuid 0 0\ntmpfs /run tmpfs rw 0 0\n")
    assert is_mounted_secret(Path("/run/secrets/key"), mounts)
    assert not is_mounted_secret(Path("/run/key"), mounts)


def test_variables_that_nobody_can_read_or_nobody_reads_are_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PROTECT": "/missions", "SESIONS__PARALLEL": "2", "PORT_443_TCP": "tcp://10.0.0.1"}.items():
        monkeypatch.setenv(f"IMAGIN_GATEWAY_{name}", value)
    report = house.checked()
    (unread,) = named(report, "settings.variable")
    assert (unread.severity, unread.key) == (FATAL, "protect")
    assert "JSON" in unread.remedy
    (unknown,) = named(report, "settings.unknown_variable")
    assert unknown.severity is WARNING
    assert "« IMAGIN_GATEWAY_SESSIONS »" in unknown.remedy
    assert named(report, "policy.proved")


@pytest.mark.parametrize("key", ["keys.events", "metrics.token"])
def test_a_settings_file_that_holds_any_secret_is_for_the_service_alone(house: House, key: str) -> None:
    section, name = key.split(".")
    for purpose, (secret,) in house.values["keys"].items():
        house.write(purpose, secret, 0o600)
        house.values["keys"][purpose] = [f"file:{purpose}"]
    secret = "S3cr3t-of-this-house-0123456789-abcdef"
    house.values.setdefault(section, {})[name] = [secret] if section == "keys" else secret
    mode("gateway.toml", 0o644)(house)
    assert [each.severity for each in named(house.checked(), "files.secret_readable")] == [FATAL]


def test_a_start_tells_what_each_room_finds_wrong(house: House) -> None:
    (house.folder / "saml.key").unlink()
    house.values["appearance"] = {"texts": "nowhere"}
    house.values["state"] = {"url": "sqlite:///nowhere/state.db"}
    with pytest.raises(SettingsError) as refused:
        Gateway(Settings.load(house.save()))
    told = {problem.key for problem in refused.value.problems}
    assert told == {"portals.arena-creteil.private_key", "appearance.texts", "state.url"}


def test_a_start_that_is_refused_tells_it_while_the_accounts_do_not_answer(house: House) -> None:
    (house.folder / "saml.key").unlink()
    house.values["accounts"]["url"] = "postgresql+psycopg://imagin@127.0.0.1:1/imagin"
    with pytest.raises(SettingsError, match="arena-creteil"):
        Gateway(Settings.load(house.save()))


def test_a_start_that_is_refused_leaves_the_accounts_to_the_release_before(house: House) -> None:
    (house.folder / "accounts.db").unlink()
    key = house.folder / "saml.key"
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(SettingsError) as refused:
        Gateway(Settings.load(house.save()))
    assert {problem.key for problem in refused.value.problems} == {"portals.arena-creteil.private_key"}
    with closing(sqlite3.connect(house.folder / "accounts.db")) as accounts:
        assert not accounts.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    house.write("saml.key", kept, 0o600)
    Gateway(Settings.load(house.file)).close()
    with closing(sqlite3.connect(house.folder / "accounts.db")) as accounts:
        assert accounts.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


def test_one_broken_section_hides_nothing_of_the_others(house: House) -> None:
    house.values["keys"]["signing"] = ["short"]
    house.values["portals"]["arena-paris"] = {"protocol": "oidc"}
    house.write("creteil.xml", "<html")
    (house.folder / "accounts.db").chmod(0o604)
    report = house.checked()
    told = {each.id for each in report.findings}
    assert {"keys.weak", "settings.missing", "saml.metadata_refused", "files.secret_readable"} <= told
    assert [each.severity for each in named(report, "keys.not_checked")] == [UNKNOWN]


def test_what_must_be_mended_first_is_told_for_one_section_and_for_several(house: House) -> None:
    house.values["keys"]["signing"] = ["short"]
    (one,) = named(house.checked(), "keys.not_checked")
    assert one.text == "pas vérifié : keys est à corriger d’abord"
    house.values["state"] = {"url": "nowhere"}
    (two,) = named(house.checked(), "proxy.not_checked")
    assert two.text == "pas vérifié : keys, state sont à corriger d’abord"


def test_a_probe_that_fails_or_hangs_is_told_and_hides_nothing(house: House) -> None:
    from imagin_gateway.operating.ground import Probe
    from imagin_gateway.operating.running import run

    def fails(ground: Ground) -> list[object]:
        raise RuntimeError("canary: a value from outside")

    def hangs(ground: Ground) -> list[object]:
        import threading

        threading.Event().wait(60)
        return []

    from imagin_gateway.operating.probes.rules import mode as works

    house.values["development"] = True
    house.values["base_url"] = "http://localhost:1"
    ground = Ground(settings=Settings.load(house.save()), file=house.file, now=datetime.now(UTC))
    probes = [Probe("a", "a", fails), Probe("b", "b", hangs), Probe("c", "c", works)]  # type: ignore[arg-type]
    found = run(probes, ground, seconds=2)
    assert [each.id for each in found] == ["a.fault", "b.not_checked", "mode.development"]
    assert "canary" not in str(found)


def test_a_certificate_that_ends_soon_is_told_in_time(house: House) -> None:
    ends = keys("ours", 3072).certificate.not_valid_after_utc
    theirs = keys("strong", 3072).certificate.not_valid_after_utc
    before = house.checked(min(ends, theirs) - timedelta(days=40))
    assert not named(before, "saml.own_certificate_ending")
    soon = house.checked(min(ends, theirs) - timedelta(days=20))
    assert named(soon, "saml.own_certificate_ending")
    assert named(soon, "saml.portal_certificate_ending")


def test_no_check_changes_anything(house: House) -> None:
    (house.folder / "accounts.db").unlink()
    house.save()
    before = {path.name: path.read_bytes() for path in house.folder.iterdir() if path.is_file()}
    house.checked()
    assert {path.name: path.read_bytes() for path in house.folder.iterdir() if path.is_file()} == before


def test_the_place_of_a_key_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from imagin_gateway.operating.check import places

    house.save()
    lines = house.file.read_text().splitlines()
    number = next(number for number, line in enumerate(lines, 1) if line.startswith("portal_entity_id"))
    told = places(house.file)
    assert told.of("portals.arena-creteil.portal_entity_id") == f"gateway.toml, ligne {number}"
    assert told.of("mail.unknown") == f"gateway.toml, ligne {lines.index('[mail]') + 1}"
    assert told.of("nowhere") == ""
    monkeypatch.setenv("IMAGIN_GATEWAY_MAIL__HOST", "relais")
    assert places(house.file).of("mail.host") == "variable IMAGIN_GATEWAY_MAIL__HOST"


def run(house: House, *words: str) -> subprocess.CompletedProcess[str]:
    return imagin_gateway("check", *words, cwd=house.folder, timeout=120)


def test_the_command_ends_as_a_monitoring_expects_and_shows_no_secret(house: House) -> None:
    import json

    canary = "canary-" + "k3ys4nd5ecrets" * 4
    house.values["keys"]["signing"] = [canary]
    house.values["mail"]["password"] = "canary-of-the-relay"
    house.save()
    done = run(house, "--offline")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("BON : ")
    assert "porte arena-creteil : saml" in done.stdout
    house.values["accounts"]["url"] = "postgresql+psycopg://imagin:canary-of-the-base@127.0.0.1:1/x"
    house.save()
    told = run(house, "--json", "--timeout", "1")
    assert "canary" not in done.stdout + told.stdout + told.stderr
    report = json.loads(told.stdout)
    assert set(report) == {"schema", "version", "at", "settings", "status", "exit", "counts", "findings"}
    assert (report["schema"], report["exit"], report["status"]) == (1, 2, "fatal")
    assert told.returncode == 2
    shape = {"id", "severity", "subject", "text", "remedy", "key", "where", "asked"}
    assert all(set(each) == shape for each in report["findings"])
    assert sum(report["counts"].values()) == len(report["findings"])
    database = next(each for each in report["findings"] if each["id"] == "accounts.unreachable")
    assert database["where"].startswith("gateway.toml, ligne ")


def test_what_a_crash_left_beside_a_copy_put_back_is_named(house: House) -> None:
    replaced("accounts.db", b"not a database" * 99)(house)
    house.write("accounts.db-wal", b"of the file before")
    (found,) = named(house.checked(), "accounts.not_sqlite")
    assert "ôtant d’abord accounts.db-wal" in found.remedy


def test_a_door_whose_settings_are_wrong_is_not_told_to_be_a_link(house: House) -> None:
    house.values["portals"]["arena-paris"] = {
        "protocol": "oidc",
        "issuer": "https://federation.example.fr",
        "client_id": "missions",
        "client_secret": "env:NOBODY_SET_THIS",
    }
    report = house.checked(offline=True)
    assert "porte arena-paris" not in {each.subject for each in named(report, "door.is")}
    (found,) = named(report, "door.not_checked")
    assert (found.subject, found.severity) == ("porte arena-paris", UNKNOWN)


def test_a_certificate_of_the_portal_that_is_not_there_is_asked_of_them_and_not_made(house: House) -> None:
    house.values["portals"]["arena-creteil"]["metadata_certificate"] = "theirs.crt"
    (found,) = named(house.checked(offline=True), "portal.file")
    assert found.key == "portals.arena-creteil.metadata_certificate"
    assert "le leur demander" in found.remedy
    assert "openssl" not in found.remedy
