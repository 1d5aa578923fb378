"""The house keeps its own promises: what it loads, ships, exports, imports, and says of itself."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, Final

import pytest

import imagin_gateway

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGE: Final = ROOT / "imagin_gateway"
PROTOCOLS: Final = {
    *("saml2", "xmlsec", "lxml"),
    *("authlib", "joserfc", "httpx2"),
    *("sqlalchemy", "alembic", "redis", "jinja2"),
}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]  # type: ignore[no-any-return]


def files() -> Iterator[Path]:
    """Every file of the project: neither caches nor environments."""
    for file in ROOT.rglob("*"):
        folders = file.relative_to(ROOT).parts[:-1]
        hidden = any(part.startswith(".") and part != ".ci" for part in folders)
        made = {"__pycache__", "node_modules", "dist", "build", "site"} & set(folders)
        if file.is_file() and not hidden and not made:
            yield file


def added_by(statement: str) -> set[str]:
    """The top-level modules that a statement adds to a bare interpreter."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return {name.partition(".")[0] for name in done.stdout.split()}


# --- what importing costs


@pytest.mark.parametrize(
    "statement", ["import imagin_gateway", "from imagin_gateway import Activity, Door, GatewayError, Identity"]
)
def test_importing_the_package_loads_no_protocol_library(statement: str) -> None:
    assert added_by(statement) & PROTOCOLS == set()


def test_the_policy_needs_nothing_but_the_standard_library() -> None:
    added = added_by("from imagin_gateway.policy import Facts, siec; siec().decide(Facts())")
    assert {name for name in added if name not in sys.stdlib_module_names} == {"imagin_gateway"}


# --- what hosts may rely on


def test_the_public_names_are_these() -> None:
    names = ["Activity", "Door", "Gateway", "GatewayError", "Hooks", "Identity", "Settings", "SettingsError"]
    assert imagin_gateway.__all__ == names
    assert all(getattr(imagin_gateway, name).__name__ == name for name in names if name != "Door")
    assert set(names) <= set(dir(imagin_gateway))
    with pytest.raises(AttributeError, match="has no attribute 'Door2'"):
        imagin_gateway.__getattr__("Door2")


def test_the_version_is_one() -> None:
    assert imagin_gateway.__version__ == installed("imagin-gateway")
    # Written once: the rest reads it there.
    assert "version" in project()["dynamic"]


# --- what is shipped


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_wheel_carries_the_whole_package_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
    ours = {str(file.relative_to(ROOT)) for file in files() if PACKAGE in file.parents}
    assert shipped == ours
    assert {"imagin_gateway/py.typed", "imagin_gateway/policy/siec.toml"} <= shipped


def test_the_sdist_carries_what_a_wheel_is_made_of(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "imagin_gateway/py.typed"} <= names
    assert not any(name.startswith(("tests/", ".", "examples/")) for name in names if name != ".gitignore")


# --- how it is built


def test_imports_point_one_way() -> None:
    command = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([command, "--no-cache"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\$", text, re.MULTILINE))


@pytest.mark.parametrize("lock", ["demo.lock", "dev.lock", "bench.lock", "load.lock"])
def test_a_lock_holds_versions_and_hashes_only(lock: str) -> None:
    lines = (ROOT / "requirements" / lock).read_text(encoding="utf-8").splitlines()
    shape = re.compile(r"# .*|[a-z0-9-]+==[\w.+!]+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [line for line in lines if not shape.fullmatch(line)] == []
    assert pins(lock)


def test_the_demonstration_and_development_share_one_environment() -> None:
    assert pins("demo.lock").items() <= pins("dev.lock").items()


def test_every_dependency_is_locked() -> None:
    wanted = {re.split(r"[\[>=<~! ]", each, maxsplit=1)[0] for each in project()["dependencies"]}
    assert wanted <= pins("demo.lock").keys()


# --- what it says of itself


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_the_readme_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {"demo", "test"} <= set(re.findall(r"^make (\S+)", text, re.MULTILINE))


def documents() -> list[Path]:
    return [file for file in files() if file.suffix == ".md"]


@pytest.mark.parametrize("document", documents(), ids=lambda file: str(file.relative_to(ROOT)))
def test_what_a_document_points_to_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z-]+)|^make ([a-z-]+)", text, re.MULTILINE))
    assert {one or other for one, other in named} <= targets()
    links = (link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link)
    assert [link for link in links if link and not (document.parent / link).exists()] == []


def test_every_target_is_in_the_help() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert phony is not None
    assert {name for name in phony[1].split() if not name.startswith("set-up-")} == targets()


def test_no_file_names_a_path_of_one_machine_or_a_registry() -> None:
    # The letters in brackets keep this file from holding what it looks for.
    folder = r"(?<![\w.$})])/(?:w[o]rk|r[o]ot|h[o]me|[U]sers)/|\.\./sh[a]red"
    host = r"py[p]i\.org|python[h]osted|(?:deb|security)\.d[e]bian|np[m]js"
    private = re.compile(f"{folder}|{host}")
    found = []
    for file in files():
        text = file.read_bytes().decode("utf-8", "replace")
        found += [f"{file.relative_to(ROOT)}: {match[0]}" for match in private.finditer(text)]
    assert found == []


def test_the_files_that_begin_first_exist() -> None:
    from tests.conftest import LONGEST

    assert [name for name in LONGEST if not (ROOT / "tests" / name).is_file()] == []


def test_the_page_of_the_libraries_names_each() -> None:
    page = (ROOT / "docs" / "libraries.md").read_text(encoding="utf-8")
    named = {re.split(r"[\[>=<]", each)[0] for each in project()["dependencies"]}
    told = {name for line in page.splitlines() if line.startswith("| ") for name in line.split("|")[1].split(", ")}
    assert named <= {name.strip() for name in told}
