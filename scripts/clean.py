"""The wheel in clean environments: `python -m scripts.clean` (`make wheel-check`), and under every Python here with
`--pythons` (`make pythons`).

What is installed is what a stranger gets: the built wheel and its dependencies, in the locked versions, by pip; each
extra alone. Nothing of the project's folder can be imported there.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from scripts import sbom
from scripts.bootstrap import make_environment, pip_of
from scripts.build import build

ROOT: Final = Path(__file__).resolve().parent.parent
WORK: Final = ROOT / ".cache" / "clean"
SMOKE: Final = ROOT / "tests" / "packaging" / "smoke.py"

SUPPORTED: Final = ("3.11", "3.12", "3.13", "3.14")

TOOLS: Final = (
    *("pytest", "pytest-xdist", "hypothesis", "httpx", "html5lib"),
    *("jsonschema-rs", "psutil", "aiosmtpd", "werkzeug"),
)
"""What the tests below ask for, beside the package."""

QUICK: Final = ("tests/policy",)
WHOLE: Final = ("tests/policy", "tests/ground", "tests/providers", "tests/sessions", "tests/local", "tests/mounts")


class Failed(Exception):
    """Something does not hold; the text says what."""


def extras() -> list[str]:
    """Return the extras that a host may ask for: every one but the demonstration's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [name for name in project["optional-dependencies"] if name != "demo"]


def pythons() -> dict[str, Path | None]:
    """Return the interpreter of each supported version, None where there is none: on the path, or among pyenv's."""
    return {version: _python(version) for version in SUPPORTED}


def _python(version: str) -> Path | None:
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    named = [
        found
        for place in os.environ.get("PATH", "").split(os.pathsep)
        if (found := shutil.which(f"python{version}", path=place))
    ]
    kept = sorted(root.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)
    for candidate in (*kept, *map(Path, named)):
        # A shim answers on the path for versions that are not there, or not chosen.
        code = "import sys; print(sys.executable, '%d.%d' % sys.version_info[:2])"
        done = subprocess.run([candidate, "-c", code], capture_output=True, text=True, check=False)
        told = done.stdout.split()
        if done.returncode == 0 and told[-1:] == [version]:
            return Path(told[0])
    return None


class Environment:
    """A clean environment of one interpreter.

    Args:
        name: of its folder.
        python: the interpreter it is made with; this one by default.
        upon: another environment, whose packages are there too: only what they lack is installed.
        by: another environment, whose pip installs here: nothing is there but what is asked for, not even pip.
    """

    def __init__(
        self,
        name: str,
        python: Path | None = None,
        upon: Environment | None = None,
        by: Environment | None = None,
    ) -> None:
        self.folder = WORK / name
        self.python = self.folder / "bin" / "python"
        if (other := upon or by) is not None:
            _run([other.python, "-m", "venv", "--without-pip", self.folder], "no environment could be made")
            self._pip = [str(other.python), "-m", "pip", "--python", str(self.python)]
            if upon is not None:
                (self._site / "upon.pth").write_text(f"{upon._site}\n", encoding="utf-8")
            return
        if python is None:
            make_environment(self.folder)
        else:
            _run([python, "-m", "venv", self.folder], f"no environment could be made with {python}")
        self._pip = pip_of(self.python)

    @property
    def _site(self) -> Path:
        (found,) = (self.folder / "lib").glob("python*/site-packages")
        return found

    def install(self, *words: str) -> None:
        """Install with pip, in the versions of the development lock."""
        only = ("--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "--constraint", str(_locked()))
        _run([*self._pip, "install", *only, *words], f"pip could not install {' '.join(words)}")

    def smoke(self, *with_extras: str) -> None:
        """Use what is installed, as a stranger would."""
        _run(
            [self.python, "-W", "error", SMOKE, *with_extras],
            f"the installed package, with {with_extras or 'no extra'}",
        )

    def test(self, chosen: Sequence[str]) -> str:
        """Run tests of ours on what is installed; return pytest's last line."""
        copy = self.folder / "copy"
        shutil.copytree(ROOT, copy, ignore=_left_out)
        last = _run(
            [self.python, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *chosen], "tests failed", copy
        )
        return last.strip().splitlines()[-1]


def _locked() -> Path:
    file = WORK / "versions.txt"
    lock = (ROOT / "requirements" / "dev.lock").read_text(encoding="utf-8")
    file.write_text("\n".join(re.findall(r"^\S+==\S+", lock, re.MULTILINE)), encoding="utf-8")
    return file


def _left_out(folder: str, names: Iterable[str]) -> set[str]:
    hidden = {name for name in names if name.startswith(".") or name in ("__pycache__", "dist", "build", "site")}
    return hidden | ({"imagin_gateway"} if Path(folder) == ROOT else set())


def _run(command: Sequence[str | Path], failure: str, folder: Path = WORK) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{failure}:\n{done.stdout[-6000:]}{done.stderr[-6000:]}")
    return done.stdout


def each_extra(wheel: Path) -> None:
    """Install the wheel, then each extra alone beside it, and use them."""
    base = Environment("base")
    base.install(str(wheel))
    base.smoke()
    _say("no extra")

    def alone(extra: str) -> None:
        here = Environment(f"with-{extra}", upon=base)
        here.install(f"imagin-gateway[{extra}] @ {wheel.as_uri()}")
        here.smoke(extra)
        _say(extra)

    def together() -> None:
        here = Environment("together", by=base)
        here.install(f"imagin-gateway[{','.join(extras())}] @ {wheel.as_uri()}")
        here.smoke(*extras())
        listed = sbom.write(here.python, WORK / "sbom")
        _say(f"every extra together; {listed} packages in the bill of materials")

    with ThreadPoolExecutor(2) as pool:
        longest = pool.submit(together)
        list(pool.map(alone, extras()))
        longest.result()


def each_python(wheel: Path, *, quick: bool) -> None:
    """Install the wheel with its extras under each interpreter here, and run a part of the tests on it."""
    found = pythons()
    absent = [version for version, python in found.items() if python is None]
    wanted = extras()
    for version, python in found.items():
        if python is None or (quick and version == f"{sys.version_info[0]}.{sys.version_info[1]}"):
            continue
        here = Environment(f"python{version}", python)
        here.install(f"imagin-gateway[{','.join(wanted)}] @ {wheel.as_uri()}", *TOOLS)
        here.smoke(*wanted)
        _say(f"Python {version} ({python}): {here.test(QUICK if quick else WHOLE)}")
    if absent:
        print(f"Not found here, so not tried: Python {', '.join(absent)}.")


_began = time.monotonic()


def _say(what: str) -> None:
    print(f"{time.monotonic() - _began:5.0f} s  {what}", flush=True)


def main() -> int:
    """Try it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pythons", action="store_true", help="under every interpreter here, instead of each extra")
    parser.add_argument("--sbom", type=Path, metavar="FOLDER", help="only write the bill of materials there")
    parser.add_argument("--quick", action="store_true", help="with --pythons: the other interpreters, and fewer tests")
    options = parser.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    try:
        _, wheel = build(WORK / "dist")
        if options.sbom:
            whole = Environment("sbom", by=Environment("pip"))
            whole.install(f"imagin-gateway[{','.join(extras())}] @ {wheel.as_uri()}")
            print(f"{options.sbom / sbom.FILE}: {sbom.write(whole.python, options.sbom)} packages")
        elif options.pythons:
            each_python(wheel, quick=options.quick)
        else:
            each_extra(wheel)
    except (Failed, sbom.Incomplete) as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
