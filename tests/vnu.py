"""The Nu HTML Checker, the validator behind the W3C's own service: a jar from the npm registry, run by Java.

The jar goes into the project's `.cache`; its SHA-256 is pinned here with its version.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

VERSION: Final = "26.9.27"
SHA256: Final = "22f15dd39a33bed929d2a5c0cddf5946849a647eca9272bf4d5d00bc7e7a4d47"

FOLDER: Final = Path(__file__).resolve().parents[1] / ".cache" / "vnu" / VERSION
JAR: Final = FOLDER / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"
CHECKED: Final = FOLDER / "sha256"
"""Holds the digest once it was found right, so that 30 MB are not read again at each run."""


class NotInstalled(Exception):
    """The validator could not be had; the text says why."""


def missing() -> str | None:
    """Return why pages cannot be validated here, or None."""
    if shutil.which("java") is None:
        return "there is no program java"
    whole = JAR.exists() and CHECKED.exists() and CHECKED.read_text(encoding="ascii") == SHA256
    return None if whole else "the validator was not downloaded"


def install() -> None:
    """Get the jar. Raises `NotInstalled` when npm is not there, fails, or brings something else."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotInstalled("there is no program npm")
    FOLDER.mkdir(parents=True, exist_ok=True)
    options = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(
        [npm, "install", "--prefix", FOLDER, *options, f"vnu-jar@{VERSION}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode or not JAR.exists():
        raise NotInstalled(f"npm did not bring it: {' | '.join(done.stderr.splitlines()[-3:])}")
    if hashlib.sha256(JAR.read_bytes()).hexdigest() != SHA256:
        raise NotInstalled("npm brought another file than the one pinned in tests/vnu.py")
    CHECKED.write_text(SHA256, encoding="ascii")


@dataclass(frozen=True)
class Message:
    """What the validator says of a page: its file, whether it is an error or a warning, and the words."""

    file: str
    kind: str
    text: str


def validate(files: Iterable[Path]) -> list[Message]:
    """Return everything the validator says of these pages in one run; informations included."""
    java = ["java", "-Xss4m", "-XX:TieredStopAtLevel=1", "-jar", str(JAR)]
    done = subprocess.run(
        [*java, "--format", "json", "--stdout", "--exit-zero-always", *map(str, files)],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    said = json.loads(done.stdout)["messages"]
    return [
        Message(Path(each.get("url", "")).name, each.get("subType", each["type"]), each["message"]) for each in said
    ]
