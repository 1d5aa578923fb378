"""Get what the tests need beside Python packages: `python -m scripts.parts install` (`make parts`).

As root, packages come by apt, and no service is started. What cannot be had is
said plainly; under `CI=true` that is a failure. Quick when all is there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.parts import PARTS, Part, strict

ROOT: Final = Path(__file__).resolve().parent.parent
LOG: Final = ROOT / ".cache" / "parts.log"
DOORKEEPER: Final = Path("/usr/sbin/policy-rc.d")


class Failed(Exception):
    """apt did not do it; the text says why."""


@contextmanager
def no_service_starts() -> Iterator[None]:
    """Keep Debian from starting a server because its package was installed."""
    if DOORKEEPER.exists():
        yield
        return
    DOORKEEPER.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    DOORKEEPER.chmod(0o755)
    try:
        yield
    finally:
        DOORKEEPER.unlink()


def apt_install(packages: Iterable[str]) -> None:
    """Install Debian packages, as root, without a question.

    Raises:
        Failed: with the last lines of apt.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("w", encoding="utf-8") as log, no_service_starts():
        for words in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
            done = subprocess.run(
                ["apt-get", "--quiet", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                check=False,
            )
            # One source of the machine may be out of reach without harm: the installation tells.
            if done.returncode and words[0] == "install":
                last = LOG.read_text(encoding="utf-8", errors="replace").splitlines()[-3:]
                raise Failed(f"apt-get install failed: {' | '.join(last)} (see {LOG.relative_to(ROOT)})")


def install() -> int:
    """Get every missing part that can be had here; 1 when one cannot, under `CI=true`."""
    wanted = [part for part in PARTS.values() if part.missing()]
    by_apt = [part for part in wanted if part.apt]
    troubles: dict[str, str] = {}
    if by_apt and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = sorted({package for part in by_apt for package in part.apt})
        print(f"Installing with apt: {' '.join(packages)}", flush=True)
        try:
            apt_install(packages)
        except Failed as failure:
            troubles |= {part.name: str(failure) for part in by_apt}
    for part in wanted:
        if part.fetch:
            print(f"Getting {part.what}", flush=True)
            try:
                part.fetch()
            except Exception as failure:  # said below, and a failure under CI=true
                troubles[part.name] = str(failure)
    return tell(wanted, troubles)


def tell(wanted: Iterable[Part], troubles: dict[str, str]) -> int:
    """Say what is still missing, why, and how to get it."""
    still = [(part, reason) for part in wanted if (reason := part.missing())]
    for part, reason in still:
        print(f"Missing: {part.what}: {troubles.get(part.name, reason)}.\n    Get it: {part.command}")
    if still:
        print("The tests that need them " + ("fail under CI=true." if strict() else "are skipped, and say so."))
    return 1 if still and strict() else 0


def main() -> int:
    """Install the parts, or list them."""
    parser = argparse.ArgumentParser(prog="python -m scripts.parts", description=__doc__)
    parser.add_argument("act", choices=("install", "list"))
    options = parser.parse_args()
    if options.act == "install":
        return install()
    for part in PARTS.values():
        print(f"{part.name:<13} {part.missing() or 'there':<60} {part.what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
