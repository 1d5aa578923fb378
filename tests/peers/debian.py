"""Debian packages in a folder of our own: nothing of the system is changed, and no root is needed.

apt resolves and downloads, with lists and cache of its own; `dpkg-deb` unpacks.
No package script runs, so no service starts. Standard library only: this runs
before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SYSTEM_SOURCES: Final = Path("/etc/apt/sources.list.d")
KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class NotInstalled(Exception):
    """The packages cannot be had; the text says why and what to do."""


@dataclass(frozen=True)
class Unpacked:
    """Packages of one Debian release, unpacked under `folder`.

    Attributes:
        what: they bring.
        module: that gets them by hand, with `main`.
        folder: where everything goes: lists, archives, and the tree itself.
        codename: the release the packages are made for.
        packages: names as apt takes them, `name` or `name/suite`.
    """

    what: str
    module: str
    folder: Path
    codename: str
    packages: tuple[str, ...]

    @property
    def root(self) -> Path:
        """Where `/` of the packages is."""
        return self.folder / "root"

    @property
    def _seal(self) -> Path:
        return self.folder / "complete"

    @property
    def _wanted(self) -> str:
        return hashlib.sha256("\n".join((self.codename, *self.packages)).encode()).hexdigest()

    def obstacle(self) -> str | None:
        """Return why this machine can never have them, or None."""
        try:
            found = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
        except OSError:
            found = ""
        if found != self.codename:
            return f"it needs the packages of Debian 12 ({self.codename}); this is another system"
        lacking = [program for program in ("apt-get", "dpkg-deb") if shutil.which(program) is None]
        return f"it needs the programs {' and '.join(lacking)}" if lacking else None

    def is_complete(self) -> bool:
        """Tell whether everything was unpacked, for this very list of packages."""
        return self._seal.is_file() and self._seal.read_text() == self._wanted

    def missing(self) -> str | None:
        """Return why they cannot be used here, or None."""
        if obstacle := self.obstacle():
            return obstacle
        return None if self.is_complete() else f"it was not downloaded (python -m {self.module} install)"

    def install(self) -> None:
        """Get them; nothing of the system is changed. Quick when they are there.

        Raises:
            NotInstalled: with the reason.
        """
        if not self.is_complete():
            self.unpack()

    def main(self, words: Sequence[str]) -> int:
        """Run `install` or `check`."""
        if list(words) not in (["install"], ["check"]):
            print(f"python -m {self.module} install|check", file=sys.stderr)  # noqa: T201
            return 2
        try:
            if words[0] == "install":
                self.install()
        except NotInstalled as error:
            print(f"{self.what}: {error}", file=sys.stderr)  # noqa: T201
            return 1
        reason = self.missing()
        print(f"{self.what}: {reason or 'ready'}")  # noqa: T201
        return 1 if reason else 0

    def unpack(self) -> None:
        """Download and unpack what the system lacks.

        Raises:
            NotInstalled: another system, no network, or no such package.
        """
        if obstacle := self.obstacle():
            raise NotInstalled(obstacle)
        shutil.rmtree(self.folder, ignore_errors=True)
        options = self._options()
        # One of the machine's own sources may be out of reach without harm: the download tells.
        self._run(["apt-get", *options, "update"], check=False)
        self._run(["apt-get", *options, "--download-only", "--no-install-recommends", "install", *self.packages])
        archives = sorted((self.folder / "cache" / "archives").glob("*.deb"))
        for archive in archives:
            self._run(["dpkg-deb", "--extract", str(archive), str(self.root)])
            archive.unlink()
        shutil.rmtree(self.folder / "lists")
        shutil.rmtree(self.folder / "cache")
        self._seal.write_text(self._wanted)

    def _options(self) -> list[str]:
        for needed in ("lists/partial", "cache/archives/partial", "sources", "root"):
            (self.folder / needed).mkdir(parents=True)
        sources = self.folder / "sources"
        for file in SYSTEM_SOURCES.glob("*") if SYSTEM_SOURCES.is_dir() else ():
            (sources / file.name).symlink_to(file)
        (sources / "peers-backports.list").write_text(
            f"deb [signed-by={KEYRING}] {_mirror()} {self.codename}-backports main\n"
        )
        settings = {
            "Dir::Etc::sourceparts": sources,
            "Dir::State::lists": self.folder / "lists",
            "Dir::Cache": self.folder / "cache",
            # The system's dpkg is only read; its lock belongs to root.
            "Debug::NoLocking": 1,
            "APT::Sandbox::User": "root",
        }
        return ["--quiet", "--yes", *(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))]

    def _run(self, command: Sequence[str], *, check: bool = True) -> None:
        with (self.folder / "install.log").open("a") as log:
            log.write(f"$ {' '.join(command)}\n")
            log.flush()
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
            done = subprocess.run(command, stdout=log, stderr=log, env=environment, check=False)
        if check and done.returncode:
            tail = " | ".join((self.folder / "install.log").read_text(errors="replace").splitlines()[-3:])
            raise NotInstalled(f"{command[0]} failed ({tail}); see {self.folder / 'install.log'}")


def _mirror() -> str:
    """Return the archive of Debian that this machine uses. Raises `NotInstalled` when it uses none."""
    told = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)"], capture_output=True, text=True, check=False
    )
    for line in told.stdout.splitlines():
        mirror = line.strip().rstrip("/")
        if mirror.endswith("/debian"):
            return mirror
    raise NotInstalled("no archive of Debian stands in this machine's apt sources")


def libraries(root: Path) -> str:
    """Return where a program under `root` finds its libraries, as `LD_LIBRARY_PATH` says it."""
    return _joined(
        [root / "usr" / "lib", *(root / "usr" / "lib").glob("*-linux-gnu*"), *(root / "lib").glob("*-linux-gnu*")]
    )


def perl_environment(root: Path) -> dict[str, str]:
    """Return the environment in which Perl and its libraries are those under `root`, before the system's."""
    modules = [
        root / "usr" / "share" / "perl5",
        *(root / "usr" / "lib").glob("*/perl5/5.*"),
        *(root / "usr" / "lib").glob("*/perl-base"),
        *(root / "usr" / "share" / "perl").glob("5.*"),
        *(root / "usr" / "lib").glob("*/perl/5.*"),
    ]
    return {"PERL5LIB": _joined(modules), "LD_LIBRARY_PATH": libraries(root)}


def _joined(paths: Sequence[Path]) -> str:
    # Some of them are links to others.
    return ":".join(dict.fromkeys(str(path.resolve()) for path in paths))


def program(root: Path, name: str) -> str:
    """Return a program of the packages, or the system's."""
    own = root / "usr" / "bin" / name
    return str(own) if own.exists() else f"/usr/bin/{name}"
