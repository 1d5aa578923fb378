"""No bound, no lock and nothing installed lets a version in that is known to be vulnerable (row DOC-05)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from imagin_gateway.operating.advisories import Advisory, advisories, normalised
from imagin_gateway.operating.findings import Severity
from tests.operating.house import House, named

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))

pytestmark = pytest.mark.row("DOC-05")


def requirements(project: str) -> Iterator[Requirement]:
    """Yield what a host may install: the package's own needs and those of its extras."""
    table = tomllib.loads(project)["project"]
    for each in (*table["dependencies"], *(one for extra in table["optional-dependencies"].values() for one in extra)):
        if not each.startswith("imagin-gateway["):
            yield Requirement(each)


def lowest(requirement: Requirement) -> str:
    """Return the lowest version that a requirement lets in."""
    (bound,) = [each.version for each in requirement.specifier if each.operator == ">="]
    return bound


def too_low(project: str) -> list[str]:
    """Return the bounds that let a vulnerable version in, whichever it is: the lowest, or one above it."""
    found = []
    for requirement in requirements(project):
        for each in advisories().listed:
            if each.package == normalised(requirement.name):
                edges = {lowest(requirement), *re.findall(r"[\d.]+(?:[ab]\d+)?", " ".join(each.affected))}
                inside = [edge for edge in edges if requirement.specifier.contains(edge, prereleases=True)]
                found += [f"{requirement}: {each.id}" for edge in inside if each.reaches(edge)]
    return found


def locked(lock: str) -> list[tuple[str, str]]:
    return re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock, re.MULTILINE)


def vulnerable(lock: str) -> list[str]:
    return [f"{name} {version}: {each.id}" for name, version in locked(lock) for each in advisories().of(name, version)]


# --- the gate


def test_no_bound_lets_a_vulnerable_version_in() -> None:
    assert too_low((ROOT / "pyproject.toml").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_no_lock_holds_a_vulnerable_version(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert locked(text)
    assert vulnerable(text) == []


def test_every_library_was_looked_for() -> None:
    """A new one stands in the list, or among those of which nothing is known; so does each that is here no more."""
    ours = {normalised(each.name) for each in requirements((ROOT / "pyproject.toml").read_text(encoding="utf-8"))}
    of_the_demonstration = {"aiosmtpd", "gunicorn", "uvicorn"}
    known = advisories().packages | advisories().none_found
    assert ours - of_the_demonstration == known
    assert not advisories().packages & advisories().none_found


def test_every_entry_can_be_followed_to_what_was_published() -> None:
    assert advisories().looked_over >= date(2026, 11, 26)
    names = [each.id for each in advisories().listed]
    assert len(set(names)) == len(names)
    for each in advisories().listed:
        assert re.fullmatch(r"CVE-\d{4}-\d+|GHSA(-\w{4}){3}|PYSEC-\d{4}-\d+", each.id)
        assert each.package == normalised(each.package)
        assert each.affected
        assert all(SpecifierSet(one) for one in each.affected)
        assert each.what
        assert each.source.startswith("https://")


# --- attacks on the gate


@pytest.mark.parametrize("advisory", advisories().listed, ids=lambda each: f"{each.package}-{each.id}")
def test_a_vulnerable_version_is_seen_at_every_door(advisory: Advisory) -> None:
    for one in advisory.affected:
        inside = next(v for v in _near(one) if SpecifierSet(one).contains(v, prereleases=True))
        assert advisory in advisories().of(advisory.package.upper().replace("-", "_"), inside)
        assert any(advisory.id in each for each in vulnerable(f"{advisory.package}=={inside} \\\n"))
        loose = f'[project]\ndependencies = ["{advisory.package}>={inside}"]\n[project.optional-dependencies]\n'
        assert any(advisory.id in each for each in too_low(loose))


def _near(affected: str) -> Iterator[str]:
    """Yield versions about the edges of a range: one of them is in it."""
    for edge in re.findall(r"[\d.]+(?:[ab]\d+)?", affected):
        yield edge
        parts = list(Version(edge).release)
        for place in reversed(range(len(parts))):
            if parts[place]:
                yield ".".join(str(each) for each in (*parts[:place], parts[place] - 1))


def test_the_edges_are_those_that_were_published() -> None:
    known = advisories()
    assert [each.id for each in known.of("Flask", "3.1.2")] == ["CVE-2026-27205"]
    assert known.of("flask", "3.1.3") == ()
    assert [each.id for each in known.of("joserfc", "1.6.6")] == ["CVE-2026-48990", "CVE-2026-119284"]
    assert [each.id for each in known.of("joserfc", "1.3.5")] == ["CVE-2026-48990", "CVE-2026-119284"]
    assert known.of("joserfc", "1.7.6") == ()
    assert known.of("pydantic_settings", "2.11.0") == ()
    assert known.of("pydantic.settings", "2.14.1") != ()


@pytest.mark.parametrize("version", ["1.0.0rc1", "0.50.0.post1", "0.50.0+local.1", "not a version"])
def test_neither_a_suffix_nor_nonsense_gets_past(version: str) -> None:
    assert advisories().of("starlette", version) != ()


# --- what is installed


def test_check_names_an_installed_version_that_is_vulnerable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House.new(tmp_path)
    (fine,) = named(house.checked(), "libraries.versions")
    assert fine.severity is Severity.OK
    older = tmp_path / "older"
    (older / "joserfc-1.6.5.dist-info").mkdir(parents=True)
    (older / "joserfc-1.6.5.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: joserfc\nVersion: 1.6.5\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(older))
    report = house.checked()
    (finding,) = named(report, "libraries.vulnerable")
    assert finding.severity is Severity.FATAL
    assert "joserfc 1.6.5" in finding.text
    assert "CVE-2026-48990" in finding.text
    assert finding.remedy == "pip install --upgrade joserfc"
    assert report.exit_code == 2
    assert not [each for each in report.findings if each.id == "libraries.versions"]
