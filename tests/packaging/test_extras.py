"""Without an extra, whoever needs it is told which one, and how it is installed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from imagin_gateway import SettingsError, extras, testing

ROOT = Path(__file__).resolve().parents[2]
WEB = ("flask", "django", "fastapi", "starlette", "litestar")


def without(module: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter where a module cannot be imported."""
    code = f"import sys; sys.modules[{module!r}] = None; {code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)


def test_the_list_is_the_package_s_own() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert extras.EXTRAS.keys() == project["optional-dependencies"].keys() - {"demo"}
    assert not [name for name in extras.EXTRAS if extras.absent(name)]


@pytest.mark.parametrize("name", WEB)
def test_a_mount_without_its_framework_names_the_extra(name: str) -> None:
    done = without(name, f"import imagin_gateway.mounts.{name}")
    last = done.stderr.strip().splitlines()[-1]
    assert last == (
        f"ModuleNotFoundError: this part of imagin_gateway needs the extra {name!r}: "
        f"pip install 'imagin-gateway[{name}]'"
    )


def test_what_a_framework_itself_lacks_is_said_in_its_own_words() -> None:
    done = without("werkzeug", "import imagin_gateway.mounts.flask")
    assert done.returncode == 1
    assert "werkzeug" in done.stderr.strip().splitlines()[-1]
    assert "extra" not in done.stderr.strip().splitlines()[-1]


def test_the_command_line_names_its_extra() -> None:
    done = without("typer", "from imagin_gateway.cli.main import main; main()")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "La ligne de commande demande un complément : pip install 'imagin-gateway[cli]'\n"


@pytest.mark.parametrize(
    ("module", "changes", "key", "extra"),
    [
        ("webauthn", {"second_factor": {"mode": "optional"}}, "second_factor.mode", "second-factor"),
        ("pyotp", {"second_factor": {"mode": "required"}}, "second_factor.mode", "second-factor"),
        ("psycopg", {"accounts": {"url": "postgresql+psycopg://h/b"}}, "accounts.url", "postgresql"),
    ],
)
def test_settings_that_ask_for_an_extra_are_refused_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, changes: dict[str, object], key: str, extra: str
) -> None:
    keys = {
        name: [name + "abcdefghijklmnopqrstuvwxyz0123456789ABCDEF"] for name in ("signing", "provisional", "factors")
    }
    testing.settings(tmp_path, keys=keys, **changes)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SettingsError) as refused:
        testing.settings(tmp_path, keys=keys, **changes)
    (problem,) = refused.value.problems
    assert (problem.key, problem.remedy) == (key, f"pip install 'imagin-gateway[{extra}]'")
