"""Set up what a `make` target needs: `python bootstrap.py demo|dev|bench|load`. Standard library only.

Needs a Python and pip, or a Python with ensurepip; no root. Packages come from a
lock file with hashes, and nothing is compiled here. A second call sees from a
stamp that nothing changed, and does nothing. `docs/decisions/0005` says why.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PIP_FOR_OTHERS: Final = (22, 3)
"""The first pip that installs into another interpreter's environment (`--python`)."""


class CannotSetUp(Exception):
    """Something is missing here; the text says what, and how to get it."""


@dataclass(frozen=True)
class Kind:
    """One environment.

    Attributes:
        folder: where it is, from the project's root.
        lock: its packages, under `requirements/`.
        project: whether imagin_gateway itself is installed, editable.
        covers: other kinds whose packages it holds too, in the same folder.
    """

    folder: str
    lock: str
    project: bool
    covers: tuple[str, ...] = ()


KINDS: Final = {
    "demo": Kind(".venv", "demo.lock", project=True),
    "dev": Kind(".venv", "dev.lock", project=True, covers=("demo",)),
    "bench": Kind(".cache/bench-venv", "bench.lock", project=True),
    "load": Kind(".cache/load-venv", "load.lock", project=False),
}


def set_up(name: str, root: Path = ROOT) -> Path:
    """Make an environment, or see that it is as it should be; return its Python.

    Args:
        name: one of `KINDS`.
        root: the project.

    Raises:
        CannotSetUp: neither ensurepip nor pip is there, or an installation failed.
    """
    kind = KINDS[name]
    folder = root / kind.folder
    python = folder / "bin" / "python"
    stamp = folder / "set-up.json"
    sums = {each: _sum(root, KINDS[each]) for each in (name, *kind.covers)}
    kept = _read(stamp)
    usable = _works(python) and kept.get("folder", str(folder)) == str(folder)
    if usable and kept.get(name) == sums[name]:
        return python
    begin = time.monotonic()
    if not usable:
        print(f"Making {kind.folder} with Python {'.'.join(map(str, sys.version_info[:3]))}", flush=True)
        make_environment(folder)
        kept = {}
    stamp.unlink(missing_ok=True)  # cut short, it is not set up
    pip = pip_of(python)
    lock = root / "requirements" / kind.lock
    packages = sum(1 for line in lock.read_text(encoding="utf-8").splitlines() if "==" in line)
    print(f"Installing {packages} packages of requirements/{kind.lock}", flush=True)
    # The lock is the whole list. Left to look for more, pip would stop on the day a package asked for with an extra
    # (`coverage[toml]`) has a newer release than the lock's.
    _install(pip, "--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement", str(lock))
    if kind.project:
        _install(pip, "--no-deps", "--no-build-isolation", "--editable", str(root))
    _run([*pip, "check"], f"requirements/{kind.lock} lacks something: `make lock`")
    stamp.write_text(json.dumps({**kept, **sums, "folder": str(folder)}, indent=1), encoding="utf-8")
    print(f"{kind.folder} is ready ({time.monotonic() - begin:.0f} s)", flush=True)
    return python


def _sum(root: Path, kind: Kind) -> str:
    files = [root / "requirements" / kind.lock, *([root / "pyproject.toml"] if kind.project else [])]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _read(stamp: Path) -> dict[str, str]:
    try:
        kept: dict[str, str] = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept


def _works(python: Path) -> bool:
    """Tell whether the environment has its Python still, of the version it was made with."""
    code = "import sys, sysconfig, os; sys.exit(not os.path.isdir(sysconfig.get_path('purelib')))"
    try:
        return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def make_environment(folder: Path) -> None:
    if folder.resolve() in (Path(sys.prefix).resolve(), *Path(sys.executable).resolve().parents):
        raise CannotSetUp(f"{folder} must be made again, and it is the environment in use: run `deactivate` first.")
    if find_spec("ensurepip") is None and not _can_reach_out():
        _get_ensurepip()
    bare = [] if find_spec("ensurepip") else ["--without-pip"]
    _run([sys.executable, "-m", "venv", "--clear", *bare, str(folder)], "the environment could not be made")


def _can_reach_out() -> bool:
    """Tell whether this interpreter's pip can install into another environment."""
    try:
        found = tuple(int(part) for part in version("pip").split(".")[:2])
    except (PackageNotFoundError, ValueError):
        return False
    return found >= PIP_FOR_OTHERS


def _get_ensurepip() -> None:
    """Debian keeps ensurepip in a package of its own: get it as root, else say so."""
    package = f"python3.{sys.version_info[1]}-venv"
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"This Python has neither pip nor ensurepip: installing {package}", flush=True)
        apt = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
        _run([*apt, "update"], "apt-get update failed")
        _run([*apt, "install", "--yes", "--no-install-recommends", package], f"{package} could not be installed")
        return
    raise CannotSetUp(
        f"This Python ({sys.executable}) has neither pip nor ensurepip. On Debian, as root, one of:\n"
        f"    apt-get install python3-pip\n    apt-get install {package}\nThen run make again."
    )


def pip_of(python: Path) -> list[str]:
    if subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
        return [str(python), "-m", "pip"]
    if _can_reach_out():
        return [sys.executable, "-m", "pip", "--python", str(python)]
    raise CannotSetUp(f"{python.parent.parent} has no pip. Remove that folder and run make again.")


def _install(pip: Sequence[str], *words: str) -> None:
    _run([*pip, "--disable-pip-version-check", "install", "--quiet", *words], "pip could not install that")


def _run(command: Sequence[str], failure: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("PIP_USER", "PYTHONHOME")}
    environment["DEBIAN_FRONTEND"] = "noninteractive"
    if subprocess.run(command, env=environment, check=False).returncode:
        raise CannotSetUp(f"{failure} (see above): {' '.join(command)}")


def main() -> int:
    """Set up one kind from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    options = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036  # run with whatever `python3` is: say it plainly
        print(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 1
    try:
        set_up(options.kind)
    except CannotSetUp as reason:
        print(f"Set-up stopped. {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
