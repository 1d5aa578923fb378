"""What the README says works: its commands exist, its settings load, its code runs."""

from __future__ import annotations

import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from examples.demo.portals.saml_messages import KeyPair, metadata
from imagin_gateway.cli.root import app
from tests.client import Client, over_asgi

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the reader would have it: the README's settings, with the files and secrets they name."""
    (settings,) = blocks("toml")
    (tmp_path / "gateway.toml").write_text(settings, encoding="utf-8")
    ours, theirs = KeyPair.new("gateway"), KeyPair.new("portal")
    (tmp_path / "gateway.key").write_bytes(ours.private_pem)
    (tmp_path / "gateway.key").chmod(0o600)
    (tmp_path / "gateway.crt").write_bytes(ours.certificate_pem)
    entity_id = "https://portal.example.fr/saml/metadata"
    (tmp_path / "creteil.xml").write_bytes(metadata(entity_id, "https://portal.example.fr/saml/sso", [theirs]))
    for name in ("GATEWAY_SIGNING", "GATEWAY_PROVISIONAL", "GATEWAY_FACTORS", "PARIS_SECRET"):
        monkeypatch.setenv(name, secrets.token_urlsafe(48))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_settings_of_the_readme_are_good(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "imagin_gateway.cli.main", "check", "--offline"],
        capture_output=True,
        text=True,
        check=False,
    )
    # The keys of this test are short: good enough for today, and told.
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert "À CORRIGER" not in done.stdout
    assert "arena-creteil : saml" in done.stdout
    assert "arena-paris : oidc" in done.stdout
    assert "arena-versailles : lien vers https://id.ac-versailles.fr" in done.stdout


def test_ten_lines_mount_the_gateway(folder: Path) -> None:
    mounted, read, alone = blocks("python")
    assert len([line for line in mounted.splitlines() if line.strip()]) <= 13
    names: dict[str, Any] = {}
    exec(compile(mounted, "README.md", "exec"), names)  # noqa: S102 (our own README)
    try:
        client = Client(over_asgi(names["app"]))
        assert client.get("/", host="missions.example.fr").text == "Bonjour "
        assert client.get("/missions", host="missions.example.fr").status == 303
        assert client.get("/connexion/", host="missions.example.fr").title == "Accéder à Imagin SIEC"
        left = client.get("/connexion/portail/arena-creteil", host="missions.example.fr")
        assert left.location.startswith("https://portal.example.fr/saml/sso?SAMLRequest=")
    finally:
        names["gateway"].close()
    assert "person.can(Activity.MISSIONS)" in read
    exec(compile(alone, "README.md", "exec"), {"print": lambda text: text})  # noqa: S102 (our own README)


def test_the_commands_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for words in set(re.findall(r"^imagin-gateway ([a-z]+(?: [a-z]+)?)", README, re.MULTILINE)):
        assert CliRunner().invoke(app, [*words.split(), "--help"]).exit_code == 0, words


def test_every_room_of_the_map_is_there() -> None:
    table = README.partition("## Map of the rooms")[2]
    named = set(re.findall(r"`([a-z_]+(?:\.py|/))`", table.partition("Imports point")[0]))
    there = {
        entry.name + ("/" if entry.is_dir() else "")
        for entry in (ROOT / "imagin_gateway").iterdir()
        if not entry.name.startswith("_") and entry.name != "py.typed"
    }
    assert there <= named | {"saml/", "oidc/"}
    assert named - {"saml/", "oidc/"} <= there
