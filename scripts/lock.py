"""Write the lock files again: `python -m scripts.lock` (`make lock`). Every version, with its hashes.

The demonstration's lock takes the versions of the development lock, so both can
share one environment. No registry, option or path of the machine that wrote
them stays in the files.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent

HEADER: Final = """\
# Every package with its version and hashes, for Python 3.11 and newer.
# Written by `make lock` from {sources}; not to be edited.
"""

LEFT_OUT: Final = ("#", "imagin-gateway @")
"""Comments may name this machine's paths; the package itself is installed apart, editable."""


@dataclass(frozen=True)
class Lock:
    """One lock file, and what goes into it.

    Attributes:
        name: `requirements/NAME.in` becomes `requirements/NAME.lock`.
        extras: of the package itself.
        within: another lock, whose versions are taken.
        project: what the package itself needs goes in, too.
    """

    name: str
    extras: tuple[str, ...]
    within: str | None = None
    project: bool = True

    @property
    def sources(self) -> list[str]:
        return [*(["pyproject.toml"] if self.project else []), f"requirements/{self.name}.in"]

    @property
    def file(self) -> Path:
        return ROOT / "requirements" / f"{self.name}.lock"


LOCKS: Final = (
    Lock("dev", extras=("cli", "demo", "postgresql", "second-factor", "django", "fastapi", "litestar", "metrics")),
    Lock("demo", extras=("cli", "demo", "second-factor"), within="dev"),
    Lock("bench", extras=("demo", "postgresql", "second-factor"), within="dev"),
    Lock("load", extras=(), project=False),
)


def write(lock: Lock, *, upgrade: bool) -> None:
    """Resolve one lock and write it."""
    quiet = ("--quiet", "--no-header", "--no-annotate")
    unsaid = ("--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links", "--no-emit-options")
    command = [sys.executable, "-m", "piptools", "compile", *quiet, *unsaid]
    command += ["--generate-hashes", "--strip-extras", "--allow-unsafe", "--resolver=backtracking"]
    command += ["--pip-args=--only-binary :all:"]  # as the set-up installs
    command += [f"--extra={extra}" for extra in lock.extras]
    command += [f"--constraint=requirements/{lock.within}.lock"] if lock.within else []
    command += ["--upgrade"] if upgrade else []
    command += [f"--output-file={lock.file.relative_to(ROOT)}", *lock.sources]
    print(f"{lock.file.relative_to(ROOT)} ...", end=" ", flush=True)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:  # only then: it always warns of the package itself, which has no hash and is taken out below
        sys.exit(f"no lock could be made:\n{done.stdout}{done.stderr}")
    pins = [
        line for line in lock.file.read_text(encoding="utf-8").splitlines() if line and not line.startswith(LEFT_OUT)
    ]
    header = HEADER.format(sources=" and ".join(lock.sources))
    lock.file.write_text(header + "\n".join(pins) + "\n", encoding="utf-8")
    print(f"{sum('==' in line for line in pins)} packages", flush=True)


def main() -> int:
    """Write all locks, or those named; versions move only with `--upgrade`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="dev, demo, bench, load; all of them by default")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    options = parser.parse_args()
    for lock in LOCKS:
        if not options.names or lock.name in options.names:
            write(lock, upgrade=options.upgrade)
    return 0


if __name__ == "__main__":
    sys.exit(main())
