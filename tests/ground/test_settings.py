"""The configuration: everything wrong is told at once, and nothing weak is taken."""

from __future__ import annotations

import re
import secrets
import traceback
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from imagin_gateway.errors import SettingsError
from imagin_gateway.settings import HeaderPortal, OidcPortal, SamlPortal, Settings, under
from tests.flows.conftest import settings_of

KEY = secrets.token_urlsafe(48)
OTHER = secrets.token_urlsafe(48)

GOOD = f"""
base_url = "https://missions.example.fr"
privacy_url = "/donnees"
legal_url = "/mentions"
accessibility_url = "/accessibilite"
[keys]
signing = ["{KEY}"]
provisional = ["{OTHER}"]
[state]
url = "sqlite:///state.db"
[accounts]
url = "sqlite:///accounts.db"
[second_factor]
mode = "off"
reason = "décidé pour les essais"
[mail]
host = "smtp.example.fr"
sender = "imagin@exemple.test"
"""


def load(folder: Path, text: str) -> Settings:
    file = folder / "gateway.toml"
    file.write_text(text, encoding="utf-8")
    return Settings.load(file)


def problems(folder: Path, text: str) -> dict[str, str]:
    with pytest.raises(SettingsError) as refused:
        load(folder, text)
    return {problem.key: f"{problem.message} → {problem.remedy}" for problem in refused.value.problems}


def test_good_settings_load_and_paths_are_taken_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    settings = load(tmp_path, GOOD)
    assert settings.state.url == f"sqlite:///{tmp_path}/state.db"
    assert settings.cookie_name("session") == "__Host-ig-session"
    assert settings.url("/direct") == "https://missions.example.fr/connexion/direct"
    assert settings.host == "missions.example.fr"


def test_every_problem_is_told_at_once_with_what_to_write(tmp_path: Path) -> None:
    broken = """
base_ur = "https://x.fr"
base_url = "http://x.fr"
mount_path = "connexion/"
landing = "//evil.example"
privacy_url = "javascript:x"
[keys]
signing = ["short"]
[state]
url = "memcached://x"
[accounts]
url = "mysql://x"
[sessions]
idle_minutes = 1500
absolute_hours = "dix"
idle_minute = 3
[mail]
host = "x"
sender = "a@b.fr, c@d.fr"
[portals.arena-paris]
protocol = "oidc"
issuer = "https://x.fr"
leeway_seconds = 900
[portals.arena-creteil]
protocol = "samle"
[portals.arena-versailles]
enabled = true
"""
    told = problems(tmp_path, broken)
    assert set(told) == {
        "base_ur",
        "base_url",
        "mount_path",
        "landing",
        "privacy_url",
        "legal_url",
        "accessibility_url",
        "keys.signing",
        "keys.provisional",
        "state.url",
        "accounts.url",
        "sessions.idle_minutes",
        "sessions.absolute_hours",
        "sessions.idle_minute",
        "mail.sender",
        "portals.arena-paris.client_id",
        "portals.arena-paris.client_secret",
        "portals.arena-paris.leeway_seconds",
        "portals.arena-creteil.protocol",
        "portals.arena-versailles.protocol",
    }
    assert "vouliez-vous écrire « base_url » ?" in told["base_ur"]
    assert "idle_minutes" in told["sessions.idle_minute"]
    assert "secrets.token_urlsafe" in told["keys.signing"]
    assert "au plus 1440" in told["sessions.idle_minutes"]


FACTORS = secrets.token_urlsafe(48)


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("", "second_factor"),
        ('[second_factor]\nmode = "off"\n', "second_factor.reason"),
        ('[second_factor]\nmode = "off"\nreason = "  "\n', "second_factor.reason"),
        ('[second_factor]\nmode = "off"\nreason = "x"\npasskey_alone = true\n', "second_factor.mode"),
        ('[second_factor]\nmode = "off"\nreason = "x"\ntrusted_days = 3\n', "second_factor.mode"),
        ('[second_factor]\nmode = "none"\n', "second_factor.mode"),
        ('[second_factor]\nmode = "optional"\n', "keys.factors"),
        ('[second_factor]\nmode = "optional"\ntrusted_days = 31\n', "second_factor.trusted_days"),
    ],
)
def test_a_second_factor_is_decided_in_writing(tmp_path: Path, section: str, key: str) -> None:
    assert set(problems(tmp_path, re.sub(r"\[second_factor\][^\[]*", section, GOOD))) == {key}


def test_the_key_of_second_factors_is_its_own(tmp_path: Path) -> None:
    asked = re.sub(r"\[second_factor\][^\[]*", '[second_factor]\nmode = "required"\n', GOOD)
    keyed = asked.replace("[state]", f'factors = ["{FACTORS}"]\n[state]')
    assert load(tmp_path, keyed).factors.mode == "required"
    assert "keys.factors" in problems(tmp_path, keyed.replace(FACTORS, OTHER))
    assert "keys.factors" in problems(tmp_path, keyed.replace(FACTORS, "courte"))


@pytest.mark.row("KEY-03")
@pytest.mark.parametrize(
    "keys",
    [
        "[]",
        '[""]',
        '["short"]',
        '["' + "a" * 31 + '"]',
        '["' + "ab" * 40 + '"]',
        '["change-me-change-me-change-me-change-me"]',
        '["this-is-an-example-of-a-key-0123456789"]',
        f'["{KEY}", "{KEY}"]',
        f'["{OTHER}"]',  # the key of another use
    ],
)
def test_no_weak_example_or_repeated_key_is_taken(tmp_path: Path, keys: str) -> None:
    told = problems(tmp_path, GOOD.replace(f'["{KEY}"]', keys))
    assert set(told) & {"keys.signing", "keys.provisional"}
    assert "secrets.token_urlsafe" in str(told) or "une clé par usage" in str(told) or "garder chaque clé" in str(told)


@pytest.mark.row("KEY-03")
def test_a_key_of_32_bytes_is_long_enough(tmp_path: Path) -> None:
    key = secrets.token_hex(16)
    assert len(key) == 32
    load(tmp_path, GOOD.replace(f'["{KEY}"]', f'["{key}"]'))


@pytest.mark.row("KEY-03")
def test_a_missing_key_has_no_default(tmp_path: Path) -> None:
    assert "keys" in problems(tmp_path, GOOD.replace("[keys]", "[klés]").replace("klés", "kles"))


def test_a_refusal_never_shows_a_secret(tmp_path: Path) -> None:
    canary = "canary-" + secrets.token_hex(4)
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, GOOD.replace(f'["{KEY}"]', f'["{canary}"]') + '[portals.x]\nprotocol="oidc"\nclient_secret=3\n')
    told = "".join(traceback.format_exception(refused.value)) + repr(refused.value)
    assert canary not in told
    assert refused.value.__cause__ is None
    settings = load(tmp_path, GOOD)
    assert KEY not in repr(settings)
    assert KEY not in str(settings)
    assert KEY not in settings.model_dump_json(fallback=str)


@pytest.mark.row("KEY-06")
@pytest.mark.parametrize("url", ["https://missions.example.fr", "http://192.0.2.1", "http://localhost.evil.example"])
def test_development_mode_refuses_a_public_host_name(tmp_path: Path, url: str) -> None:
    text = "development = true\n" + GOOD.replace("https://missions.example.fr", url)
    assert "base_url" in problems(tmp_path, text)


@pytest.mark.row("KEY-06")
def test_development_mode_is_loud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from imagin_gateway import Gateway
    from imagin_gateway.events import CallSink

    lines: list[str] = []
    with caplog.at_level("WARNING"):
        Gateway(settings_of(tmp_path), sink=CallSink(lines.append)).close()
    assert "DÉVELOPPEMENT" in caplog.text
    assert '"development_mode"' in lines[0]


@pytest.mark.parametrize("given", ["gateway.toml", Path("gateway.toml"), None, {}])
def test_a_gateway_made_of_anything_else_says_what_to_write(given: Any) -> None:
    from imagin_gateway import Gateway

    with pytest.raises(
        TypeError, match=r'^a Gateway is made of Settings: Gateway\(Settings\.load\("gateway\.toml"\)\)$'
    ):
        Gateway(given)


@pytest.mark.row("DPO-02")
def test_without_the_data_notice_nothing_starts(tmp_path: Path) -> None:
    assert "privacy_url" in problems(tmp_path, GOOD.replace('privacy_url = "/donnees"', ""))


@pytest.mark.row("SES-07")
@pytest.mark.row("SES-08")
def test_session_limits_have_ceilings(tmp_path: Path) -> None:
    for longer in ("idle_minutes = 61", "absolute_hours = 25"):
        assert "sans raison écrite" in problems(tmp_path, GOOD + f"[sessions]\n{longer}\n")["sessions.reason"]
    reasoned = load(tmp_path, GOOD + '[sessions]\nidle_minutes = 61\nabsolute_hours = 25\nreason = "veille"\n')
    assert reasoned.sessions.idle_minutes == 61
    assert load(tmp_path, GOOD).sessions.idle_minutes == 30
    assert load(tmp_path, GOOD).sessions.absolute_hours == 10


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGIN_GATEWAY_CONTACT", "ailleurs@exemple.test")
    monkeypatch.setenv("IMAGIN_GATEWAY_SESSIONS__IDLE_MINUTES", "10")
    settings = load(tmp_path, GOOD)
    assert settings.contact == "ailleurs@exemple.test"
    assert settings.sessions.idle_minutes == 10


def test_variables_that_are_not_json_are_all_told_by_name_and_show_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGIN_GATEWAY_PROTECT", "/missions")
    monkeypatch.setenv("IMAGIN_GATEWAY_KEYS__SIGNING", KEY)
    told = problems(tmp_path, GOOD)
    assert "IMAGIN_GATEWAY_PROTECT n'est pas du JSON" in told["protect"]
    assert "IMAGIN_GATEWAY_KEYS__SIGNING n'est pas du JSON" in told["keys.signing"]
    assert KEY not in str(told)
    monkeypatch.delenv("IMAGIN_GATEWAY_KEYS__SIGNING")
    monkeypatch.setenv("IMAGIN_GATEWAY_PROTECT", "[" * 9000)
    assert "n'est pas du JSON" in problems(tmp_path, GOOD)["protect"]


def test_a_value_of_another_type_is_told_with_what_to_write(tmp_path: Path) -> None:
    told = problems(tmp_path, GOOD.replace('"https://missions.example.fr"', "5").replace(f'["{KEY}"]', f'"{KEY}"'))
    assert '"https://imagin' in told["base_url"]
    assert "keys make" in told["keys.signing"]
    assert '["..."]' in problems(tmp_path, 'languages = "fr"' + GOOD)["languages"]


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://Missions.exemple.test:443", "https://missions.exemple.test"),
        ("https://missions.exemple.test:8443/", "https://missions.exemple.test:8443"),
        ("https://missions.exemple.test:", "https://missions.exemple.test"),
        ("https://[2001:DB8::7]:443", "https://[2001:db8::7]"),
    ],
)
def test_our_address_is_kept_as_browsers_write_it(tmp_path: Path, address: str, kept: str) -> None:
    assert load(tmp_path, GOOD.replace("https://missions.example.fr", address)).base_url == kept


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("https://épreuves.exemple.test", '"https://xn--preuves-9xa.exemple.test"'),
        ("https://missions.exemple.test:http", "illisible"),
        ("https://missions.exemple.test:99999", "illisible"),
        ("https://[2001:db8::7", "illisible"),
        ("https://:mot@missions.exemple.test", "autre chose"),
        ("https://missions exemple.test", "n'en est pas un"),
        ("https://*.exemple.test", "n'en est pas un"),
        ("https://missions.exemple.test.", "n'en est pas un"),
    ],
)
def test_an_address_that_no_request_would_come_to_is_refused(tmp_path: Path, address: str, words: str) -> None:
    assert words in problems(tmp_path, GOOD.replace("https://missions.example.fr", address))["base_url"]


@pytest.mark.parametrize("path", ["/a/../b", "/a//b", "/a\\u0007", "/é", "/a b", "/{a}", "/a?b", "a", "/"])
def test_a_mount_path_that_no_browser_asks_for_is_refused(tmp_path: Path, path: str) -> None:
    assert '"/connexion"' in problems(tmp_path, f'mount_path = "{path}"' + GOOD)["mount_path"]


def test_an_issuer_that_is_no_address_is_told(tmp_path: Path) -> None:
    portal = '[portals.arena-paris]\nprotocol = "oidc"\nissuer = "https://[x"\nclient_id = "a"\nclient_secret = "b"\n'
    assert "adresse" in problems(tmp_path, GOOD + portal)["portals.arena-paris.issuer"]


def test_a_slip_in_the_key_of_a_portal_or_in_a_list_is_told_with_the_nearest(tmp_path: Path) -> None:
    slips = """
[portals.arena-paris]
protocol = "oidc"
client_secre = "x"
private_kez = "x"
[portals.arena-creteil]
protocol = "header"
client_secre = "x"
[proconnect]
isuer = "x"
[[protect]]
prefx = "/missions"
"""
    told = problems(tmp_path, GOOD + slips)
    assert "« client_secret »" in told["portals.arena-paris.client_secre"]
    assert "« private_key »" in told["portals.arena-paris.private_kez"]
    assert "client_secret" not in told["portals.arena-creteil.client_secre"]
    assert "« issuer »" in told["proconnect.isuer"]
    assert "« prefix »" in told["protect.0.prefx"]


@pytest.mark.parametrize("path", ["e-{date}.jsonl", "{day}-{day}.jsonl", "e-{day.jsonl"])
def test_events_go_where_they_can_be_found_again(tmp_path: Path, path: str) -> None:
    assert "seul {day}" in problems(tmp_path, GOOD + f'[events]\npath = "{path}"\n')["events.path"]


@pytest.mark.parametrize("host", ["", "smtp://relais.exemple.test", "relais.exemple.test:587", "re lais", "relais,x"])
def test_a_relay_is_a_name_or_an_address_alone(tmp_path: Path, host: str) -> None:
    assert "mail.port" in problems(tmp_path, GOOD.replace("smtp.example.fr", host))["mail.host"]


@pytest.mark.parametrize("host", ["localhost", "10.0.0.1", "::1", "2001:db8::7", "relais_1.exemple.test"])
def test_a_relay_may_be_near(tmp_path: Path, host: str) -> None:
    assert load(tmp_path, GOOD.replace("smtp.example.fr", host)).mail.host == host


@pytest.mark.parametrize(
    "address", ["@", "imagin@", "é@exemple.test", "a@b.test\\u0000", "a b@c.test", "A <a@b.test>", "a@b@c.test"]
)
def test_who_mails_come_from_and_who_helps_are_one_plain_address(tmp_path: Path, address: str) -> None:
    told = problems(tmp_path, f'contact = "{address}"' + GOOD.replace("imagin@exemple.test", address))
    assert {"contact", "mail.sender"} <= set(told)


def test_a_secret_may_stand_in_the_environment_or_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    secret = tmp_path / "secret"
    secret.write_text(OTHER + "\n")
    text = GOOD.replace(f'["{KEY}"]', '["env:A_KEY"]').replace(f'["{OTHER}"]', f'["file:{secret}"]')
    settings = load(tmp_path, text)
    assert settings.keys.signing[0].reveal() == KEY
    assert settings.keys.provisional[0].reveal() == OTHER
    monkeypatch.delenv("A_KEY")
    secret.unlink()
    told = problems(tmp_path, text)
    assert "A_KEY" in str(told)
    assert "ne peut pas être lu" in str(told)


def test_files_of_secrets_and_keys_of_proconnect_are_taken_from_the_folder_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "secret").write_text(OTHER)
    service = """
[proconnect]
issuer = "https://proconnect.example"
client_id = "imagin"
client_authentication = "private_key_jwt"
private_key = "now.key"
other_private_keys = ["next.key"]
"""
    settings = load(tmp_path, GOOD.replace(f'["{OTHER}"]', '["file:secret"]') + service)
    assert settings.keys.provisional[0].reveal() == OTHER
    assert settings.proconnect is not None
    assert settings.proconnect.private_key == tmp_path / "now.key"
    assert settings.proconnect.other_private_keys == (tmp_path / "next.key",)
    assert "ne peut pas être lu" in str(problems(tmp_path, GOOD.replace(f'["{OTHER}"]', '["file:\\u0000"]')))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"base_url = ", "TOML illisible .à la fin : une valeur est illisible"),
        (b"a = 1\na = 2\n", "TOML illisible .ligne 2, colonne 6 : une clé est écrite deux fois"),
        (b"[a]\n[b]\n[a]\n", "ligne 3, colonne 3 : une section est écrite deux fois"),
        (b'a = "b\nc = 1\n', "ligne 1, colonne 7 : un signe est interdit, ou un guillemet manque"),
        (b"a = b\n", "une valeur est illisible ; un texte s'écrit entre guillemets"),
        (b"a\n", "il manque « = » après une clé"),
        (b"a = 1 2\n", "un signe de trop après une valeur"),
        (b"a = [1\n", "n'est pas fermée"),
        (b'a = "C:\\x"\n', "s'écrit « .. » dans un texte"),
        (b"a = 2026-02-30\n", "une date n'existe pas"),
        (b"[a\n", "il manque « ] »"),
        (b"= 1\n", "ni une clé, ni une section"),
        (b"\xff\xfe", "UTF-8"),
        (None, "il n'y a pas de fichier /.*/gateway.toml"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_words(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "gateway.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=words):
        Settings.load(file)


@pytest.mark.parametrize("change", [{"passwords": {"profile": "unsafe-tests"}}, {"mail": {"security": "none"}}])
def test_what_suits_tests_only_is_refused_elsewhere(tmp_path: Path, change: dict[str, Any]) -> None:
    ((section, values),) = change.items()
    lines = "".join(f'{key} = "{value}"\n' for key, value in values.items())
    text = GOOD.replace("[mail]\n", f"[mail]\n{lines}") if section == "mail" else GOOD + f"[{section}]\n{lines}"
    assert f"{section}.{next(iter(values))}" in problems(tmp_path, text)


def test_prefixes_hold_whole_segments() -> None:
    assert under("/missions", "/missions")
    assert under("/missions/1", "/missions")
    assert not under("/missionsx", "/missions")
    assert under("/anything", "/")


@pytest.mark.parametrize(
    "prefix", ["missions", "/missions/*", "/%6dissions", "/missions?x", "/a//b", "/a/../b", "/./a", "/a\\\\b"]
)
def test_a_prefix_that_would_protect_nothing_is_refused(tmp_path: Path, prefix: str) -> None:
    assert "protect.0.prefix" in problems(tmp_path, f'protect = [{{ prefix = "{prefix}" }}]\n' + GOOD)


def test_a_prefix_without_its_slash_is_told_as_such(tmp_path: Path) -> None:
    told = problems(tmp_path, 'protect = [{ prefix = "frais" }]\n' + GOOD)
    assert "commence par « / »" in told["protect.0.prefix"]


def test_a_relative_path_is_told_as_it_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers are started from elsewhere: the name alone would not say where one looked."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=f"{tmp_path}/gateway.toml"):
        Settings.load("gateway.toml")


def test_a_final_slash_changes_nothing_to_a_prefix(tmp_path: Path) -> None:
    settings = load(tmp_path, 'protect = [{ prefix = "/missions/" }, { prefix = "/" }]\n' + GOOD)
    assert [part.prefix for part in settings.protect] == ["/missions", "/"]


def test_a_database_address_does_not_print(tmp_path: Path) -> None:
    text = GOOD.replace("sqlite:///accounts.db", "postgresql+psycopg://u:canary@h/b")
    assert "canary" not in repr(load(tmp_path, text))


@pytest.mark.parametrize("value", ["[" * 9000, "9" * 5000], ids=["nested", "long"])
def test_a_value_beyond_measure_is_a_problem_of_the_settings_and_not_a_fault(tmp_path: Path, value: str) -> None:
    """Found by fuzzing: what the reader of TOML cannot hold is not always told as an error of TOML."""
    assert "démesurée" in problems(tmp_path, f"a = {value}\n{GOOD}")["(fichier)"]


@pytest.mark.row("KEY-05")
@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require"])
@pytest.mark.parametrize("address", ["u:p@base.example.fr/b?sslmode={}", "/b?host=base.example.fr&sslmode={}"])
def test_a_database_elsewhere_is_never_believed_unverified(tmp_path: Path, mode: str, address: str) -> None:
    def with_mode(mode: str, address: str = address) -> str:
        return GOOD.replace("sqlite:///accounts.db", "postgresql+psycopg://" + address.format(mode))

    assert "verify-full" in problems(tmp_path, with_mode(mode))["accounts.url"]
    assert not load(tmp_path, with_mode("verify-full")).accounts.unverified
    assert not load(tmp_path, with_mode(mode, "u:p@127.0.0.1/b?sslmode={}")).accounts.unverified


@pytest.mark.row("KEY-05")
def test_no_setting_switches_verification_off(tmp_path: Path) -> None:
    """Every setting by its name, and the values that would: refused outside development."""

    def names(section: Any, before: str = "") -> set[str]:
        found = set()
        for name, field in section.model_fields.items():
            found.add(before + name)
            for part in (field.annotation, *get_args(field.annotation)):
                if isinstance(part, type) and issubclass(part, BaseModel):
                    found |= names(part, f"{before}{name}.")
        return found

    portals = {name for kind in (SamlPortal, OidcPortal, HeaderPortal) for name in names(kind)}
    suspicious = {
        name
        for name in names(Settings) | portals
        if re.search(r"verif|insecure|unsafe|check_host|ssl|tls|trust_any|skip", name.rpartition(".")[2])
    }
    assert suspicious == set()
    for old, new in (
        ('host = "smtp.example.fr"', 'host = "smtp.example.fr"\nsecurity = "none"'),
        ("sqlite:///state.db", "rediss://redis.example.fr?ssl_cert_reqs=none"),
        ("sqlite:///state.db", "rediss://redis.example.fr?ssl_check_hostname=false"),
        ('base_url = "https:', 'base_url = "http:'),
    ):
        assert problems(tmp_path, GOOD.replace(old, new))
