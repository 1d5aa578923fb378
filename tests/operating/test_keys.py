"""Keys that are made, replaced and retired: under people who are logged in, and under `kill -9`."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from imagin_gateway.errors import SettingsError
from imagin_gateway.identity import DIRECT_ISSUER, Activity, Door, Identity
from imagin_gateway.keys import Keyring, Secret
from imagin_gateway.local.database import Database
from imagin_gateway.local.schema import accounts, totp_factors
from imagin_gateway.local.totp_rows import SEALED_AS
from imagin_gateway.opening import Stores, open_portals, open_stores
from imagin_gateway.operating import dependents, key_pairs, key_store
from imagin_gateway.operating.key_store import KeysRefused
from imagin_gateway.policy import siec
from imagin_gateway.settings import OidcPortal, SamlPortal, Settings
from imagin_gateway.settings.key_files import HeldKey, KeyFileWrong, KeyState, path_of, read
from tests.clock import ManualClock
from tests.local.helper import import_list
from tests.operating.house import House, named
from tests.providers.saml.forge import keys as rsa_keys
from tests.terminal import imagin_gateway

NOW = datetime(2026, 12, 14, 8, 0, tzinfo=UTC)

LIST = "Identifiant;Nom;Prénom;Courriel\nmdurand7;DURAND;Marie;marie@exemple.test\n"


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House.new(tmp_path)
    house.values["keys"] = {"folder": "cles"}
    house.values["passwords"] = {"profile": "unsafe-tests"}
    house.values |= {"development": True, "base_url": "http://localhost:8400"}
    for purpose in ("signing", "provisional", "factors"):
        key_store.make(tmp_path / "cles", purpose, NOW)
    house.save()
    return house


def versions(house: House, purpose: str) -> list[tuple[str, KeyState]]:
    return [(each.version, each.state) for each in read(house.folder / "cles", purpose) or ()]


def opened(house: House, clock: ManualClock) -> Stores:
    return open_stores(Settings.load(house.file), clock)


def person(now: datetime) -> Identity:
    return Identity(
        issuer=DIRECT_ISSUER,
        subject="mdurand7",
        door=Door.DIRECT,
        activities=frozenset({Activity.MISSIONS}),
        authenticated_at=now,
        method="password",
    )


@pytest.mark.row("KEY-04")
def test_a_key_is_replaced_under_people_who_are_logged_in_one_process_after_the_other(house: House) -> None:
    """First process, published, turned: at every moment every process reads what any other has signed."""
    clock = ManualClock(NOW)
    folder = house.folder / "cles"
    with closing(opened(house, clock)) as first:
        cookie = first.sessions.open(person(NOW))
        turned, _ = key_store.rotate(folder, "signing", NOW)
        assert not turned
        with closing(opened(house, clock)) as second:
            # A process that was restarted still signs with what the others know.
            other = second.sessions.open(person(NOW))
            assert second.sessions.look(cookie) is not None
            assert first.sessions.look(other) is not None
            turned, _ = key_store.rotate(folder, "signing", NOW)
            assert turned
            with closing(opened(house, clock)) as third:
                newest = third.sessions.open(person(NOW))
                for each in (second, third):
                    assert all(each.sessions.look(one) is not None for one in (cookie, other, newest))
                assert first.sessions.look(newest) is None  # never restarted: it was told to be, twice
    former = [version for version, state in versions(house, "signing") if state is KeyState.FORMER]
    key_store.retire(folder, "signing", frozenset(former))
    with closing(opened(house, clock)) as last:
        assert last.sessions.look(cookie) is None
        assert last.sessions.look(newest) is not None


@pytest.mark.row("KEY-04")
def test_letters_links_and_second_factors_stay_good_and_retiring_says_what_would_be_lost(house: House) -> None:
    clock = ManualClock(NOW)
    folder = house.folder / "cles"
    house.write("list.csv", LIST)
    with closing(opened(house, clock)) as before:
        (letter,) = import_list(before.direct, house.folder / "list.csv").letters
        before.sessions.open(person(NOW))
    url = Settings.load(house.file).accounts.url
    with closing(Database(url)) as database:
        with database.write() as connection:
            account = connection.execute(sa.select(accounts.c.id)).scalar_one()
            keys = Keyring(Settings.load(house.file).keys.factors)
            sealed = keys.seal(SEALED_AS, Secret("JBSWY3DPEHPK3PXP"), str(account))
            row = {"account_id": account, "secret": sealed, "step": 0, "added_at": NOW}
            connection.execute(sa.insert(totp_factors).values(row))
        for purpose in ("signing", "provisional", "factors"):
            key_store.rotate(folder, purpose, NOW, at_once=True)
        with closing(opened(house, clock)) as after:
            told: dict[str, list[dependents.Dependent]] = {}
            for purpose in ("signing", "provisional", "factors"):
                (former,) = [each for each in read(folder, purpose) or () if each.state is KeyState.FORMER]
                told[purpose] = dependents.of_key(after, database, purpose, former, NOW)
            sessions = next(each for each in told["signing"] if "sessions" in each.text)
            assert (sessions.count, sessions.until) == (1, NOW + timedelta(hours=10))
            letters, _ = told["provisional"]
            assert (letters.count, letters.until) == (1, NOW + timedelta(days=21))
            codes, _ = told["factors"]
            assert (codes.count, codes.until) == (1, None)
            # The letter opens its account though its key signs no more.
            checked = after.direct.check("mdurand7", letter.provisional, address="192.0.2.1")  # type: ignore[arg-type]  # it has one
            assert checked.must_choose
            # Time brings the end of a session and of a letter, and says so.
            clock.move(timedelta(days=22))
            for purpose in ("signing", "provisional"):
                (former,) = [each for each in read(folder, purpose) or () if each.state is KeyState.FORMER]
                left = dependents.of_key(after, database, purpose, former, clock.now())
                assert [each for each in left if not each.only_told] == []
        # The secrets of second factors change their key without their owners.
        keys = Keyring(Settings.load(house.file).keys.factors)
        (old,) = [version for version, state in versions(house, "factors") if state is KeyState.FORMER]
        assert dependents.seal_again(database, keys, old) == 1
        with database.read() as connection:
            now_sealed = connection.execute(sa.select(totp_factors.c.secret)).scalar_one()
        key_store.retire(folder, "factors", frozenset({old}))
        left_keys = Keyring(Settings.load(house.file).keys.factors)
        again = left_keys.unseal(SEALED_AS, now_sealed, str(account))
        assert again is not None
        assert again.reveal() == "JBSWY3DPEHPK3PXP"
        assert left_keys.unseal(SEALED_AS, sealed, str(account)) is None


@pytest.mark.parametrize("purpose", ["signing", "provisional", "factors"])
def test_with_nothing_to_count_a_key_is_kept_for_processes_that_were_not_restarted_yet(
    house: House, purpose: str
) -> None:
    folder = house.folder / "cles"
    key_store.rotate(folder, purpose, NOW, at_once=True)
    (former,) = [each for each in read(folder, purpose) or () if each.state is KeyState.FORMER]
    with (
        closing(opened(house, ManualClock(NOW))) as stores,
        closing(Database(stores.settings.accounts.url)) as database,
    ):

        def held(after: timedelta) -> bool:
            left = dependents.of_key(stores, database, purpose, former, NOW + after)
            return any(not each.only_told for each in left)

        # What another process signs in a moment would be worth nothing without its key.
        assert held(timedelta(minutes=59))
        assert not held(timedelta(hours=1))


def points() -> Iterator[tuple[str, int]]:
    for name in ("open", "fsync", "replace", "chown", "close"):
        for number in range(1, 3):
            yield name, number


@pytest.mark.parametrize(("call", "number"), list(points()))
def test_a_change_that_is_cut_anywhere_is_whole_or_was_never_begun(
    house: House, call: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends at each call to the system in turn: what is on disk is the keys of before, or those of after."""
    folder = house.folder / "cles"
    before = versions(house, "signing")
    script = f"""
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from imagin_gateway.operating import key_store
real, left = os.{call}, {number}
def cut(*words, **more):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), 9)
    return real(*words, **more)
os.{call} = cut
key_store.rotate(Path(sys.argv[1]), "signing", datetime.now(UTC), at_once=True)
"""
    done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, timeout=60, check=False)
    assert done.returncode in (0, -9), done.stderr
    after = versions(house, "signing")
    assert {version for version, _ in before} <= {version for version, _ in after}
    assert [state for _, state in after] in ([KeyState.CURRENT], [KeyState.FORMER, KeyState.CURRENT])
    Settings.load(house.file)
    key_store.rotate(folder, "signing", NOW, at_once=True)
    assert {path.name for path in folder.iterdir()} <= {
        ".lock",
        "signing.json",
        "provisional.json",
        "factors.json",
    }


def test_keys_are_for_their_owner_alone_and_never_shown(house: House) -> None:
    folder = house.folder / "cles"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    values = [each.secret.reveal() for purpose in ("signing", "factors") for each in read(folder, purpose) or ()]
    shown = "".join(
        run(house, *words).stdout
        for words in (["list"], ["list", "--json"], ["rotate", "signing"], ["rotate", "signing"], ["retire", "signing"])
    )
    assert "en service" in shown
    assert not any(value in shown for value in values)
    assert not any(value in repr(read(folder, "signing")) for value in values)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_keys_that_root_makes_are_of_whom_the_folder_is(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65533)
    folder = tmp_path / "cles"
    key_store.make(folder, "signing", datetime.now(UTC))
    key_store.make(folder, "signing", datetime.now(UTC))
    for path in (folder, *folder.iterdir()):
        assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65533), path


def run(house: House, *words: str) -> subprocess.CompletedProcess[str]:
    return imagin_gateway("keys", *words, cwd=house.folder, timeout=120)


def test_retiring_refuses_while_a_letter_depends_on_the_key_unless_told_to_lose_it(house: House) -> None:
    clock = ManualClock(datetime.now(UTC))
    house.write("list.csv", LIST)
    with closing(opened(house, clock)) as before:
        import_list(before.direct, house.folder / "list.csv")
    key_store.rotate(house.folder / "cles", "provisional", datetime.now(UTC), at_once=True)
    done = run(house, "retire", "provisional")
    assert done.returncode == 1
    assert "1 mots de passe provisoires" in done.stdout
    assert "jusqu’au" in done.stdout
    assert "--lose" in done.stderr
    assert len(versions(house, "provisional")) == 2
    assert run(house, "retire", "provisional", "--lose").returncode == 0
    assert len(versions(house, "provisional")) == 1


def spoil(change: Callable[[Any], None]) -> Callable[[House], None]:
    def act(house: House) -> None:
        path = path_of(house.folder / "cles", "signing")
        told = json.loads(path.read_text())
        change(told)
        path.write_text(json.dumps(told))

    return act


@pytest.mark.parametrize(
    "breaks",
    [
        spoil(lambda told: told.update(schema=9)),
        spoil(lambda told: told.update(purpose="provisional")),
        spoil(lambda told: told["keys"].clear()),
        spoil(lambda told: told["keys"][0].update(state="former")),
        spoil(lambda told: told["keys"][0].update(key="short")),
        spoil(lambda told: told["keys"][0].update(made_at="2026-01-01")),
        spoil(lambda told: told["keys"].append(told["keys"][0] | {"state": "former"})),
        lambda house: path_of(house.folder / "cles", "signing").write_text("{"),
        lambda house: path_of(house.folder / "cles", "signing").write_bytes(b"\xff"),
    ],
)
def test_a_damaged_key_file_is_told_and_nothing_starts(house: House, breaks: Callable[[House], None]) -> None:
    breaks(house)
    with pytest.raises(SettingsError, match="signing"):
        Settings.load(house.file)
    report = house.checked()
    (found,) = named(report, "keys.file")
    assert "signing.json" in found.remedy


def test_a_key_that_stands_twice_in_a_file_is_not_retired_with_its_double(house: House) -> None:
    # Two copies put together by hand: dropping the former one dropped the key in service, for good.
    spoil(lambda told: told["keys"].append(told["keys"][0] | {"state": "former"}))(house)
    file = path_of(house.folder / "cles", "signing")
    before = file.read_bytes()
    (version,) = {each["version"] for each in json.loads(before)["keys"]}
    with pytest.raises(KeyFileWrong, match="deux fois"):
        key_store.retire(house.folder / "cles", "signing", frozenset({version}))
    for command in (["retire", "signing", "--lose"], ["rotate", "signing"], ["list"]):
        told = run(house, *command)
        assert told.returncode == 1, command
        assert "deux fois" in told.stderr, command
    assert file.read_bytes() == before


def test_a_key_file_that_the_system_does_not_let_read_is_not_called_one_to_restore(house: House) -> None:
    # Somebody else's, or a failing disk: an older copy in its place would lose the keys made since.
    file = house.folder / "cles" / "signing.json"
    file.unlink()
    file.symlink_to(file.name)  # to itself: nobody can open it, not even root
    (problem,) = [each for each in refused(house).problems if each.id == "keys.file"]
    assert problem.message == "signing : le système ne laisse pas lire le fichier de clés"
    assert "restaurer" not in problem.remedy
    assert "compte du service" in problem.remedy
    told = run(house, "list")
    assert told.returncode == 1
    assert str(file) in told.stderr.replace("\n", "")
    assert "compte du service" in told.stderr


def test_the_steps_of_a_rotation_are_refused_out_of_turn(house: House) -> None:
    folder = house.folder / "cles"
    key_store.make(folder, "signing", NOW)
    with pytest.raises(KeysRefused, match="attend déjà"):
        key_store.make(folder, "signing", NOW)
    waiting = next(version for version, state in versions(house, "signing") if state is KeyState.NEXT)
    with pytest.raises(KeysRefused):
        key_store.retire(folder, "signing", frozenset({waiting}))
    with pytest.raises(KeysRefused, match="aucune clé"):
        key_store.rotate(folder, "pepper", NOW)
    keys = Settings.load(house.file).keys
    assert Keyring(keys.signing).newest == next(
        v for v, state in versions(house, "signing") if state is KeyState.CURRENT
    )


def test_keys_of_the_settings_are_taken_into_the_folder_unchanged(tmp_path: Path) -> None:
    house = House.new(tmp_path)
    house.values["keys"]["signing"] = ["a1b2c3d4e5" * 5, "f6g7h8i9j0" * 5]
    house.values["keys"]["folder"] = "cles"
    house.save()
    before = Settings.load(house.file).keys.signing
    done = run(house, "adopt", "signing")
    assert done.returncode == 0, done.stderr
    assert "l’emportent" in run(house, "rotate", "signing").stderr
    del house.values["keys"]["signing"]
    house.save()
    assert Settings.load(house.file).keys.signing == before


def test_a_pair_of_keys_for_a_portal_is_made_and_both_are_published(house: House) -> None:
    house.add_saml()
    section = Settings.load(house.save()).portals["arena-creteil"]
    assert isinstance(section, SamlPortal)
    private, public = key_pairs.make("arena-creteil", section, house.folder, datetime.now(UTC))
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    certificate = x509.load_pem_x509_certificate(public.read_bytes())
    steps = key_pairs.steps("arena-creteil", section, private, public)
    both = [line.split(" = ") for line in steps[0].lines[1:]]
    house.values["portals"]["arena-creteil"] |= {name: json.loads(value) for name, value in both}
    house.save()
    portal: Any = open_portals(Settings.load(house.file), siec())["arena-creteil"]
    published = portal.metadata(datetime.now(UTC)).body.decode()
    for each in (certificate, x509.load_pem_x509_certificate((house.folder / "saml.crt").read_bytes())):
        assert b64encode(each.public_bytes(Encoding.DER)).decode() in published
    assert len(portal._config.private_keys) == 2
    turned = [line.split(" = ") for line in steps[2].lines[1:]]
    house.values["portals"]["arena-creteil"] |= {name: json.loads(value) for name, value in turned}
    house.save()
    portal = open_portals(Settings.load(house.file), siec())["arena-creteil"]
    assert portal._config.certificates[0].public_key() == certificate.public_key()
    assert len(portal._config.private_keys) == 2


@pytest.mark.parametrize("named_before", [True, False], ids=["named", "not named"])
def test_the_first_pair_of_a_portal_is_made_while_the_settings_wait_for_it(house: House, named_before: bool) -> None:
    house.add_saml()
    section = house.values["portals"]["arena-creteil"]
    house.values["portals"]["arena-paris"] = {**section, "private_key": "paris.key"}
    del house.values["portals"]["arena-paris"]["certificate"]  # another portal that is wrong, too
    section |= {"private_key": "first.key", "certificate": "first.crt"}
    if not named_before:
        del section["private_key"], section["certificate"]
    house.save()
    told = {problem.key: problem.remedy for problem in refused(house).problems}
    assert "keys make" in told["portals.arena-paris.certificate"]
    done = run(house, "make", "arena-creteil")
    assert done.returncode == 0, done.stderr
    assert "other_private_keys" not in done.stdout
    del house.values["portals"]["arena-paris"]
    for line in done.stdout.splitlines():
        name, separator, value = line.strip().partition(" = ")
        if separator:
            section[name] = json.loads(value)
    assert (Path(section["private_key"]).name == "first.key") is named_before
    assert set(open_portals(Settings.load(house.save()), siec())) == {"arena-creteil"}
    Path(section["certificate"]).unlink()
    again = run(house, "make", "arena-creteil")
    assert again.returncode == 1
    assert f"sans {section['certificate']}" in again.stderr


@pytest.mark.parametrize("wrong", ["absent", "of another pair", "weak", "unreadable", "absent, of the next pair"])
def test_what_is_said_of_a_bad_key_of_a_portal_is_typed_as_it_is_and_overwrites_nothing(
    house: House, wrong: str
) -> None:
    house.add_saml(bits=1024 if wrong == "weak" else 3072)
    section = house.values["portals"]["arena-creteil"]
    names = ("private_key", "certificate")
    if wrong == "absent":
        section |= dict(zip(names, ("first.key", "first.crt"), strict=True))
    elif wrong == "of another pair":
        house.write("saml.crt", rsa_keys("other", 2048).certificate_pem)
    elif wrong == "unreadable":
        house.write("saml.key", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n", 0o600)
    elif wrong != "weak":
        names = ("other_private_keys", "other_certificates")
        section |= {"other_private_keys": ["next.key"], "other_certificates": ["next.crt"]}
    with pytest.raises(SettingsError) as caught:
        open_portals(Settings.load(house.save()), siec())
    (remedy,) = {problem.remedy.rpartition(" : ")[2] for problem in caught.value.problems}
    before = {path.name: path.read_bytes() for path in house.folder.glob("*.*") if path.suffix in (".key", ".crt")}
    done = imagin_gateway(*remedy.split()[1:], cwd=house.folder, timeout=120)
    assert done.returncode == 0, done.stderr
    assert before == {name: (house.folder / name).read_bytes() for name in before}
    made = [line.strip() for line in done.stdout.splitlines()[1:3]]
    for name, path in zip(names, made, strict=True):
        section[name] = [path] if wrong.endswith("next pair") else path
    assert set(open_portals(Settings.load(house.save()), siec())) == {"arena-creteil"}


def refused(house: House) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        Settings.load(house.file)
    return caught.value


def test_a_folder_of_keys_that_a_variable_names_is_that_of_the_service(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = house.folder / "elsewhere"
    elsewhere.mkdir()
    variable = {"IMAGIN_GATEWAY_KEYS__FOLDER": "theirs"}
    file = str(house.file)
    done = imagin_gateway("keys", "make", "-s", file, cwd=elsewhere, env=variable, timeout=120)
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv(*next(iter(variable.items())))
    (made,) = read(elsewhere / "theirs", "signing") or ()
    assert Settings.load(file).keys.signing == (made.secret,)


def test_the_lines_told_for_an_openid_portal_publish_both_keys_then_turn_then_leave_one(house: House) -> None:
    door, now = "arena-creteil", datetime.now(UTC)
    first = house.folder / "openid.key"
    section = {"protocol": "oidc", "issuer": "https://oidc.example", "client_id": "imagin"}
    house.values["portals"][door] = {**section, "client_secret": "x" * 40}
    alone = Settings.load(house.save()).portals[door]
    assert isinstance(alone, OidcPortal)
    made, _ = key_pairs.make(door, alone, house.folder, now)
    made.rename(first)
    begin, _ = key_pairs.steps(door, alone, first, first)
    assert begin.lines[1:] == ('client_authentication = "private_key_jwt"', f'private_key = "{first}"')
    house.values["portals"][door] = {
        **section,
        **{name: json.loads(value) for name, _, value in (line.partition(" = ") for line in begin.lines[1:])},
    }
    used = Settings.load(house.save()).portals[door]
    assert isinstance(used, OidcPortal)
    private, public = key_pairs.make(door, used, house.folder, now)
    kids = []
    for step in key_pairs.steps(door, used, private, public):
        for line in step.lines[1:]:
            name, _, value = line.partition(" = ")
            house.values["portals"][door][name] = json.loads(value)
        portal = open_portals(Settings.load(house.save()), siec())[door]
        document = portal.metadata(now)
        assert document is not None
        kids.append([each["kid"] for each in json.loads(document.body)["keys"]])
    old, new = kids[0]
    assert kids == [[old, new], [old, new], [new, old], [new, old]]


def test_a_pair_of_keys_for_proconnect_is_made_by_the_command_and_the_lines_it_tells_are_good(house: House) -> None:
    house.values["proconnect"] = {
        "enabled": True,
        "issuer": "https://proconnect.example/api/v2",
        "client_id": "imagin",
        "client_secret": "x" * 40,
    }
    house.save()
    done = run(house, "make", "proconnect")
    assert done.returncode == 0, done.stderr
    (private,) = house.folder.glob("proconnect-*.key")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert "[proconnect]" in done.stdout
    assert str(private) in done.stdout
    del house.values["proconnect"]["client_secret"]
    house.values["proconnect"] |= {"client_authentication": "private_key_jwt", "private_key": str(private)}
    assert Settings.load(house.save()).proconnect is not None
    refused = run(house, "make", "pro-connect")
    assert refused.returncode == 1
    assert "proconnect" in refused.stderr


def test_check_looks_at_each_of_our_keys_for_an_openid_portal(house: House) -> None:
    for name, bits in (("now", 3072), ("next", 2048)):
        house.write(f"{name}.key", rsa_keys(name, bits).private_pem, 0o600)
    house.values["portals"]["arena-creteil"] = {
        "protocol": "oidc",
        "issuer": "https://oidc.example",
        "client_id": "imagin",
        "client_authentication": "private_key_jwt",
        "private_key": str(house.folder / "now.key"),
        "other_private_keys": [str(house.folder / "next.key")],
    }
    house.save()
    (found,) = named(house.checked(NOW), "oidc.own_key_2048")
    assert found.key == "portals.arena-creteil.other_private_keys"


def test_the_versions_of_keys_in_files_are_those_of_the_keyring(house: House) -> None:
    (held,) = read(house.folder / "cles", "signing") or ()
    assert isinstance(held, HeldKey)
    assert held.version == Keyring(Settings.load(house.file).keys.signing).newest


def test_check_tells_a_rotation_left_halfway_an_old_key_and_a_key_in_two_places(house: House) -> None:
    folder = house.folder / "cles"
    key_store.make(folder, "signing", NOW)
    assert named(house.checked(NOW + timedelta(days=6)), "keys.waiting") == []
    (found,) = named(house.checked(NOW + timedelta(days=8)), "keys.waiting")
    assert found.remedy == "imagin-gateway keys rotate signing"
    old = named(house.checked(NOW + timedelta(days=3 * 365 + 1)), "keys.old")
    assert {each.key for each in old} == {"keys.signing", "keys.provisional", "keys.factors"}
    house.values["keys"]["factors"] = ["a1b2c3d4e5" * 5]
    path_of(folder, "signing").chmod(0o644)
    report = house.checked(NOW)
    assert [each.key for each in named(report, "keys.two_places")] == ["keys.factors"]
    assert [each.key for each in named(report, "files.secret_readable")] == ["keys.signing"]


@pytest.mark.row("KEY-04")
def test_a_key_of_its_own_makes_pseudonyms_and_is_replaced_without_losing_those_of_before(house: House) -> None:
    clock, folder = ManualClock(NOW), house.folder / "cles"
    somebody = (DIRECT_ISSUER, "mdurand7")
    with closing(opened(house, clock)) as stores:
        by_signing = stores.events.pseudonym(somebody)
    key_store.make(folder, "events", NOW)
    with closing(opened(house, clock)) as stores:
        first = stores.events.pseudonym(somebody)
    assert first != by_signing, "once there is one, `signing` makes none"
    key_store.rotate(folder, "signing", NOW, at_once=True)
    with closing(opened(house, clock)) as stores:
        assert stores.events.pseudonym(somebody) == first, "it outlives a rotation of `signing`"
    key_store.rotate(folder, "events", NOW, at_once=True)
    url = Settings.load(house.file).accounts.url
    with closing(opened(house, clock)) as stores, closing(Database(url)) as database:
        assert stores.events.pseudonym(somebody) != first
        assert first in stores.events.pseudonyms(somebody), "the former one is found while its key is held"
        (former, current) = read(folder, "events") or ()
        assert (former.state, current.state) == (KeyState.FORMER, KeyState.CURRENT)
        (told,) = dependents.of_key(stores, database, "events", former, NOW)
        assert told.only_told
        assert told.until is not None
        assert told.until > NOW + timedelta(days=365)
        (old,) = [each for each in read(folder, "signing") or () if each.state is KeyState.FORMER]
        said = [each.text for each in dependents.of_key(stores, database, "signing", old, NOW)]
        assert not [text for text in said if "pseudonymes" in text], "pseudonyms do not hang on it any more"
