"""Build the sdist, and the wheel from it, in `dist/`: `python -m scripts.build` (`make build`).

The same sources give the same bytes, wherever and whenever they are built: what is
dated in the archives carries the date of the last commit, or SOURCE_DATE_EPOCH.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent

_NO_COMMIT: Final = "1577836800"
"""First second of 2020, where sources come without their history."""


def epoch(root: Path = ROOT) -> str:
    """Return the second that archives are dated with: SOURCE_DATE_EPOCH, else the last commit's."""
    told = os.environ.get("SOURCE_DATE_EPOCH", "")
    if told:
        return told
    git = ["git", "-C", str(root), "log", "-1", "--format=%ct"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 and done.stdout.strip() else _NO_COMMIT


def build(folder: Path, root: Path = ROOT) -> tuple[Path, Path]:
    """Build into a folder without network; return the sdist and the wheel, which is made from the sdist."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(root)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch(root)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the package could not be built:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def main() -> int:
    """Build, and tell the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist")
    folder = parser.parse_args().folder
    for old in (*folder.glob("*.tar.gz"), *folder.glob("*.whl")):
        old.unlink()
    for file in build(folder):
        print(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
