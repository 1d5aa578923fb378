"""Every code block of the documentation is run or checked; one that cannot be says why, and is counted."""

from __future__ import annotations

import ast
import re
import secrets
import shlex
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from examples.demo.portals.saml_messages import KeyPair, metadata
from imagin_gateway import Settings, testing
from imagin_gateway.policy import siec
from imagin_gateway.policy.admission import parse_admission
from scripts.reference.commands import commands
from tests.docs.blocks import ELSEWHERE, NOT_RUN, ROOT, Block, blocks, of_page

ALL = blocks()


def of(*languages: str) -> list[Block]:
    return [
        block
        for block in ALL
        if block.language in languages and not block.reason and (block.page, block.language) not in ELSEWHERE
    ]


def test_every_block_is_run_or_says_why_not() -> None:
    run = {"python", "toml", "sh"}
    here = {block.language for block in ALL if (block.page, block.language) not in ELSEWHERE}
    assert here <= run | set(NOT_RUN)
    counted = Counter(
        "run by a test of its room"
        if (block.page, block.language) in ELSEWHERE
        else "run here"
        if block.language in run and not block.reason
        else "not run"
        for block in ALL
    )
    assert counted["run here"] > 30
    marked = [str(block) for block in ALL if block.reason]
    assert len(marked) <= 6, f"blocks marked as not run: {marked}"
    for test in set(ELSEWHERE.values()):
        assert (ROOT / test).exists(), test


PAIRS = [
    (french, english[1])
    for french in sorted((ROOT / "docs" / "fr").glob("*.md"))
    if (english := re.search(r"^English: \[[^]]*\]\(\.\./([a-z-]+\.md)\)", french.read_text(encoding="utf-8"), re.M))
]


@pytest.mark.parametrize(("french", "english"), PAIRS, ids=lambda value: getattr(value, "stem", value))
def test_what_is_copied_from_a_page_in_french_is_what_is_tried_in_english(french: Path, english: str) -> None:
    """A configuration that is mended in one language and not in the other opens a door in the other."""

    def told(page: Path) -> list[tuple[str, list[str]]]:
        found = []
        for block in of_page(page):
            lines = [re.sub(r"\s*#.*", "", line) for line in block.text.splitlines()]
            # Commands have examples of their own in each language: files, dates, addresses.
            told = [" ".join(line.split()[:3]) for line in lines] if block.language == "sh" else lines
            found.append((block.language, told))
        return found

    assert told(french) == told(ROOT / "docs" / english)


# -- settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that settings name."""
    made = tmp_path_factory.mktemp("settings")
    ours, theirs = KeyPair.new("gateway"), KeyPair.new("portal")
    (made / "gateway.key").write_bytes(ours.private_pem)
    (made / "gateway.crt").write_bytes(ours.certificate_pem)
    entity_id = "https://portal.example.fr/saml/metadata"
    (made / "creteil.xml").write_bytes(metadata(entity_id, "https://portal.example.fr/saml/sso", [theirs]))
    (rules,) = [block.text for block in ALL if block.page == "docs/policy.md" and block.language == "toml"]
    (made / "admission.toml").write_text(rules, encoding="utf-8")
    return made


BASE = """
base_url = "https://missions.example.fr"
privacy_url = "/d"
legal_url = "/l"
accessibility_url = "/a"
state = { url = "sqlite:///state.db" }
accounts = { url = "sqlite:///accounts.db" }
second_factor = { mode = "off", reason = "an example" }
mail = { host = "127.0.0.1", security = "none", sender = "imagin@exemple.test" }
[keys]
signing = ["env:GATEWAY_SIGNING"]
provisional = ["env:GATEWAY_PROVISIONAL"]
factors = ["env:GATEWAY_FACTORS"]
"""

AGENT = """
[portals.arena-paris]
protocol = "header"
issuer = "https://bv.ac-paris.fr"
proxies = ["10.0.0.5"]
secrets = ["env:AGENT_SECRET"]
"""


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return two tables in one, sections together."""
    both = dict(one)
    for key, value in other.items():
        both[key] = merged(both[key], value) if isinstance(value, dict) and isinstance(both.get(key), dict) else value
    return both


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_settings_are_taken_by_the_real_settings(block: Block, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tomllib.loads(block.text)
    if "assistance" in told or ("admission" in told and isinstance(told["admission"], list)):
        parse_admission(block.text, siec())
        return
    if set(told) & {"frame", "host"}:
        return  # a catalogue of the host: tests/pages/test_overrides.py
    base = tomllib.loads(BASE + (AGENT if set(told) == {"wsgi_server_drops_underscores"} else ""))
    if "wsgi_server_drops_underscores" in told:
        told = {"portals": {"arena-paris": told}}
    for name in set(re.findall(r"env:(\w+)", block.text + BASE + AGENT)):
        monkeypatch.setenv(name, secrets.token_urlsafe(48))
    monkeypatch.chdir(folder)
    settings = Settings.load(**merged(base, told))
    assert settings.base_url


# -- commands


@cache
def known() -> dict[str, Any]:
    return dict(commands())


def lines(block: Block) -> list[str]:
    """Return the commands of a block: comments gone, continued lines joined, `a && b` apart."""
    text = re.sub(r"\\\n\s*", " ", block.text)
    found = [
        part.strip()
        for line in text.splitlines()
        for part in re.split(r"&&|\|", re.split(r" #| [12]?>{1,2} ", line)[0])
    ]
    return [line for line in found if line and not line.startswith("#")]


def parsed(words: list[str]) -> None:
    """Parse a command of ours as the command line does, and run nothing."""
    name = next((" ".join(words[:size]) for size in (2, 1) if " ".join(words[:size]) in known()), None)
    assert name, f"no such command: {' '.join(words)}"
    rest = words[len(name.split()) :]
    options = {spelt: each for each in known()[name].params for spelt in (*each.opts, *each.secondary_opts)}
    for word in rest:
        if word.startswith("-") and word != "-":
            assert word.partition("=")[0] in options, f"{name} has no option {word}"
    taking = {spelt for spelt, each in options.items() if spelt.startswith("-") and not getattr(each, "is_flag", False)}
    arguments = [w for n, w in enumerate(rest) if not w.startswith("-") and (n == 0 or rest[n - 1] not in taking)]
    takes = [each for each in known()[name].params if each.param_type_name == "argument"]
    needed = [each for each in takes if each.required]
    many = any(each.nargs == -1 for each in takes)
    assert len(needed) <= len(arguments), f"{name} needs {len(needed)} arguments"
    assert many or len(arguments) <= len(takes), f"{name} takes {len(takes)} arguments: {arguments}"


@pytest.mark.parametrize("block", of("sh"), ids=str)
def test_commands_are_those_of_the_real_command_line(block: Block) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    extras = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    )
    for line in lines(block):
        words = shlex.split(line)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if words[:1] == ["make"]:
            assert {word for word in words[1:] if "=" not in word} <= targets, line
        elif words[:1] == ["imagin-gateway"]:
            parsed(words[1:])
        elif named := re.search(r"imagin-gateway\[([\w,-]+)\]", line):
            assert set(named[1].split(",")) <= extras, line
        elif code := re.search(r"python -c '([^']+)'", line):
            compile(code[1], str(block), "exec")


@pytest.mark.parametrize(
    "wrong",
    ["accounts shwo x", "accounts show", "accounts show a b", "sessions list --dor direct", "convocations import"],
)
def test_a_command_that_does_not_exist_would_be_seen(wrong: str) -> None:
    with pytest.raises(AssertionError):
        parsed(wrong.split())


INLINE = sorted(
    {
        (str(page.relative_to(ROOT)), found)
        for page in (ROOT / "docs").rglob("*.md")
        if "decisions" not in page.parts
        for found in re.findall(r"`imagin-gateway ([a-z][^`]*)`", page.read_text(encoding="utf-8"))
    }
)


@pytest.mark.parametrize(("page", "command"), INLINE, ids=str)
def test_a_command_within_a_sentence_exists(page: str, command: str) -> None:
    words = command.split()
    assert any(" ".join(words[:size]) in known() for size in (2, 1)) or words[0] in {n.split()[0] for n in known()}
    if len(words) > 2:
        name = next(" ".join(words[:size]) for size in (2, 1) if " ".join(words[:size]) in known())
        spelt = {each for parameter in known()[name].params for each in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= spelt


# -- Python


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_python_runs(block: Block, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    tree = ast.parse(block.text)
    imports: list[ast.stmt] = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(imports, []), str(block), "exec"), {})  # noqa: S102  # our own pages
    if not block.title and "Settings.load(" not in block.text:
        names: dict[str, Any] = {"identity": testing.someone()}
        for each in of("python"):  # a page goes on where it stopped
            if each.page == block.page and each.line <= block.line and not each.title:
                exec(compile(each.text, str(each), "exec"), names)  # noqa: S102  # our own pages
