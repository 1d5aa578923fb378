"""The generated pages are those of today, and say what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from imagin_gateway import Settings
from imagin_gateway.errors import Code, SettingsError
from imagin_gateway.events import EventName
from scripts.reference import codes, commands, events, settings
from scripts.reference.advice import FAMILIES, OF_CODES, OF_EVENTS
from scripts.reference.markdown import first_sentence, spoken, table
from scripts.reference.pages import DOCS, MODULES


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.PAGE)
def test_the_page_is_current(module: Any) -> None:
    file = DOCS / module.PAGE
    assert file.exists(), "run: make reference"
    assert file.read_text(encoding="utf-8") == module.text(), "run: make reference"


def test_every_page_of_the_folder_is_generated() -> None:
    there = {f"reference/{file.name}" for file in (DOCS / "reference").glob("*.md")}
    assert there == {module.PAGE for module in MODULES}


def test_a_cell_cannot_break_its_table() -> None:
    assert table(["a"], [["one | two\nthree"]]).splitlines()[-1] == "| one \\| two three |"
    assert spoken(3600) == "3,600"


# -- settings


def test_every_setting_is_told_with_a_meaning() -> None:
    page = settings.text()
    lacking = []
    for key, model, name in settings.every_key():
        assert any(told in page for told in (f"| `{name}` |", f"## `[{name}]`", f"[[{name}]]", f"[{name}.")), key
        field = model.model_fields[name]
        section = any(True for _ in settings._models(field.annotation))
        if not section and name != "protocol" and not settings.meaning(model, name):
            lacking.append(key)
    assert lacking == [], "say, in a literal below the field, what it means"


ONLY_IN_DEVELOPMENT: dict[str, dict[str, Any]] = {
    "base_url": {"base_url": "http://127.0.0.1:8000"},
    "second_factor": {"second_factor": None},
    "passwords.profile": {"passwords": {"profile": "unsafe-tests"}},
    "mail.security": {"mail": {"host": "smtp.example.fr", "security": "none", "sender": "a@example.fr"}},
    "portals.*.issuer": {
        "portals": {
            "arena-paris": {
                "protocol": "oidc",
                "issuer": "http://127.0.0.1:9000",
                "client_id": "x",
                "client_secret": "s" * 20 + "0123456789abcdefgh",
            }
        }
    },
}


@pytest.mark.parametrize("key", settings.DEVELOPMENT)
def test_what_development_changes_is_so(tmp_path: Path, key: str) -> None:
    keys = {
        "signing": ["s" * 10 + "igning-0123456789-abcdef-0123"],
        "provisional": ["p" * 10 + "rovisional-0123456789-abcdef"],
    }
    good = {
        "base_url": "https://example.fr",
        "privacy_url": "/d",
        "legal_url": "/l",
        "accessibility_url": "/a",
        "state": {"url": f"sqlite:///{tmp_path}/state.db"},
        "accounts": {"url": f"sqlite:///{tmp_path}/accounts.db"},
        "second_factor": {"mode": "off", "reason": "a test"},
        "mail": {"host": "127.0.0.1", "security": "none", "sender": "a@example.fr"},
        "keys": keys,
    }
    changed = {**good, **ONLY_IN_DEVELOPMENT[key]}
    Settings.load(**good)
    Settings.load(
        **{
            **changed,
            "development": True,
            "base_url": changed["base_url"].replace("https://example.fr", "http://localhost"),
        }
    )
    with pytest.raises(SettingsError) as refused:
        Settings.load(**changed)
    pattern = key.replace(".", r"\.").replace(r"*", r"[\w-]+")
    assert [problem for problem in refused.value.problems if re.fullmatch(pattern, problem.key)], refused.value


# -- commands


def test_every_command_says_what_it_does() -> None:
    silent = [name for name, command in commands.commands() if not first_sentence(command.help)]
    assert silent == [], "begin the function of each with a docstring, in French: --help and the reference show it"


# -- codes and events


def test_every_code_has_its_row() -> None:
    page = codes.text()
    for code in Code:
        assert page.count(f"\n| `{code.value}` |") == 1, code
    assert set(OF_CODES) <= {code.value for code in Code}
    assert {code.value.partition(".")[0] for code in Code} == set(FAMILIES) == set(codes.HEADINGS)


def test_whoever_is_answered_is_told_something_in_both_languages() -> None:
    for code in Code:
        status, event, key = codes.told(code)
        if status != "none":
            assert event, code
            assert re.fullmatch(r"\*fr\*: .+<br>\*en\*: .+", codes.sentences(key)), (code, key)
        for name in filter(None, event.split(", ")):
            assert name in set(EventName), (code, name)


@pytest.mark.row("DOC-06")
def test_every_event_and_every_field_of_one_is_told() -> None:
    page = events.text()
    for name in EventName:
        assert page.count(f"\n| `{name.value}` |") >= 1, name
    assert set(OF_EVENTS) <= {name.value for name in EventName}
    assert list(events.field_list()) == re.findall(r"^\| `(\w+)` \|", page.partition("## Kinds")[0], re.MULTILINE)


# -- commands


def test_every_command_is_told() -> None:
    page = commands.text()
    found = dict(commands.commands())
    assert {"check", "accounts show", "policy explain"} <= set(found)
    for name in found:
        assert f"\n## `{name}`\n" in page
