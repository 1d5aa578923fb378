"""What the clean environments are given suffices for the tests that run there, so that `make pythons` does not rot."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from scripts.clean import SUPPORTED, TOOLS, WHOLE

ROOT = Path(__file__).resolve().parents[2]
BROUGHT = {"markupsafe", "pydantic-core", "cbor2"}
"""What Jinja, pydantic and webauthn always bring along."""


def _imported(file: Path) -> set[str]:
    """Return the modules that are imported when the file is: not those that a function asks for."""
    found: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytest_plugins":
            found |= set(ast.literal_eval(node.value))
    return found


def _file(module: str) -> Path | None:
    path = ROOT / module.replace(".", "/")
    return next((each for each in (path.with_suffix(".py"), path / "__init__.py") if each.exists()), None)


def _third_party(files: list[Path]) -> set[str]:
    """Return the distributions that these files import, and whatever of ours they import."""
    seen: set[Path] = set()
    names: set[str] = set()
    while files:
        file = files.pop()
        if file in seen:
            continue
        seen.add(file)
        for module in _imported(file):
            top = module.partition(".")[0]
            if ours := _file(module):
                files.append(ours)
            elif top not in sys.stdlib_module_names and not (ROOT / top).is_dir():
                names.add(top)
    known = packages_distributions()
    return {_plain(known[name][0]) for name in names}


def _plain(distribution: str) -> str:
    return re.split(r"[\[<>=~ ]", distribution)[0].lower().replace("_", "-")


def test_every_library_that_the_tests_under_another_python_import_is_installed_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    there = {_plain(each) for each in (*asked, *TOOLS)} | BROUGHT
    chosen = [file for folder in WHOLE for file in (ROOT / folder).rglob("*.py")]
    lacking = _third_party([ROOT / "tests" / "conftest.py", *chosen]) - there
    assert not lacking, f"scripts/clean.py: TOOLS lacks {sorted(lacking)}"


def test_what_is_claimed_is_what_is_tried() -> None:
    """A classifier for a version that `make pythons` does not look for would be a promise nobody keeps."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    prefix = "Programming Language :: Python :: 3."
    claimed = {each.rpartition(" ")[2] for each in project["classifiers"] if each.startswith(prefix)}
    assert claimed == {"3.11", "3.12", "3.13"}
    assert claimed <= set(SUPPORTED)
