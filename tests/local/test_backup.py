"""A copy of the accounts taken while they are used, and put back: what comes back with it, and how it is made harmless.

The commands are those of the deployment page, word for word but for the paths.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from imagin_gateway.keys import Secret
from imagin_gateway.local.door import CredentialsRefused
from tests.deploy.postgres import tool
from tests.local.conftest import Office, keys_of
from tests.local.helper import ADDRESS, GOOD, OTHER

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")


def opens(office: Office, identifier: str, password: Secret) -> bool:
    office.clock.move(25 * 3600)
    try:
        office.door.check(identifier, password, address=ADDRESS)
    except CredentialsRefused:
        return False
    return True


def copied(url: str, folder: Path) -> Path:
    """Take a copy as the page says."""
    if url.startswith("sqlite"):
        (statement,) = re.findall(r"VACUUM INTO '[^']+'", PAGE)
        copy = folder / "copy.db"
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.execute(re.sub(r"'[^']+'", f"'{copy}'", statement))
        return copy
    plain = url.replace("postgresql+psycopg://", "postgresql://")
    environment = {**os.environ, "IMAGIN_DATABASE": plain, "PATH": f"{tool('pg_dump').parent}:/usr/bin:/bin"}
    done = subprocess.run(
        [ROOT / "examples/deploy/backup.sh", folder], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (copy,) = folder.glob("imagin-*.dump")
    assert copy.stat().st_mode & 0o777 == 0o600
    return copy


def restored(copy: Path, url: str, folder: Path, fresh: Callable[[], str]) -> str:
    """Put a copy back, in a database of its own; return its address."""
    if url.startswith("sqlite"):
        target = folder / "restored.db"
        target.write_bytes(copy.read_bytes())
        return f"sqlite:///{target}"
    target_url = fresh()
    (words,) = re.findall(r"pg_restore (.*) --dbname=\S+ \S+$", PAGE, re.MULTILINE)
    plain = target_url.replace("postgresql+psycopg://", "postgresql://")
    subprocess.run([tool("pg_restore"), *words.split(), f"--dbname={plain}", copy], check=True)
    return target_url


@pytest.fixture
def fresh(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Make a database without tables, on PostgreSQL."""
    return lambda: str(request.getfixturevalue("postgres").make())


def test_what_an_older_copy_brings_back_is_dead_once_the_page_has_been_followed(
    office: Office,
    open_office: Callable[..., Office],
    accounts_url: str,
    reset_link: Callable[[str], str],
    tmp_path: Path,
    fresh: Callable[[], str],
) -> None:
    """The letter used since, the password left since, the link used since: all of them are back in an older copy."""
    office.personalise("pmartin2", OTHER)
    link = reset_link("pmartin2")
    folder = tmp_path / "copies"
    folder.mkdir()
    copy = copied(accounts_url, folder)
    letter = office.letters["mdurand7"]
    office.personalise("mdurand7")
    office.door.passwords.use_reset(link, GOOD, GOOD)
    assert not opens(office, "pmartin2", OTHER)
    assert not opens(office, "mdurand7", letter)

    url = restored(copy, accounts_url, tmp_path, fresh)
    back = open_office(keys=keys_of(office), accounts={"url": url})
    # This is why the page says what it says.
    assert opens(back, "pmartin2", OTHER)
    assert opens(back, "mdurand7", letter)
    assert "imagin-gateway accounts leak --letters" in PAGE
    back.door.leaks.answer(letters=True, actor="cli:root")
    assert not opens(back, "mdurand7", letter), "a letter that was used opens nothing"
    assert not back.door.passwords.is_link_alive(link), "a link that was used opens nothing"
    checked = back.door.check("pmartin2", OTHER, address=ADDRESS)
    assert checked.must_choose, "a password that was left opens one page: where another one is chosen"


def test_a_copy_is_whole_and_of_one_moment(
    office: Office,
    open_office: Callable[..., Office],
    accounts_url: str,
    tmp_path: Path,
    fresh: Callable[[], str],
) -> None:
    office.personalise("mdurand7")
    folder = tmp_path / "copies"
    folder.mkdir()
    copy = copied(accounts_url, folder)
    back = open_office(keys=keys_of(office), accounts={"url": restored(copy, accounts_url, tmp_path, fresh)})
    assert opens(back, "mdurand7", GOOD)
    assert opens(back, "pmartin2", office.letters["pmartin2"])
    other = open_office(accounts={"url": back.settings.accounts.url})
    assert not opens(other, "pmartin2", office.letters["pmartin2"]), "without its key a letter is worth nothing"
    assert opens(other, "mdurand7", GOOD), "a chosen password needs no key, unless there is a pepper"


def test_a_copy_of_sqlite_put_back_after_a_crash_is_what_is_served(tmp_path: Path) -> None:
    """A process that was killed leaves part of its writes beside the file: over it, a copy is no database any more."""
    held, copies = tmp_path / "held", tmp_path / "copies"
    held.mkdir()
    copies.mkdir()
    name = re.findall(r"VACUUM INTO '.*/([^/']+)'", PAGE)[0]
    writer = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.executescript("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t (x);")
db.execute("INSERT INTO t VALUES ('in the copy')")
db.commit()
db.execute("VACUUM INTO ?", sys.argv[2:])
db.executemany("INSERT INTO t VALUES (?)", [("later" * 100,)] * 500)
db.commit()
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", writer, held / name, copies / name], check=False)
    (held / "etat.db").touch()
    block = next(block for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "avant-copie" in block)
    lines = [line for line in block.splitlines() if line.startswith(("cd ", "mkdir ", "mv ", "install "))]
    script = "\n".join(lines).replace("/var/lib/imagin", str(held)).replace("/var/backups/imagin", str(copies))
    subprocess.run(["sh", "-euc", script.replace("-o imagin -g imagin ", "")], check=True)
    with closing(sqlite3.connect(held / name)) as back:
        assert back.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert back.execute("SELECT x FROM t").fetchall() == [("in the copy",)]
    assert (held / name).stat().st_mode & 0o777 == 0o600
    assert not (held / "etat.db").exists(), "the sessions of before are none"


def test_what_cannot_be_read_again_is_no_copy(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "pg_dump").write_text(
        '#!/bin/sh\nfor each; do case $each in --file=*) echo cut > "${each#--file=}";; esac; done\n'
    )
    (programs / "pg_dump").chmod(0o755)
    environment: dict[str, Any] = {"PATH": f"{programs}:{tool('pg_restore').parent}:/usr/bin:/bin"}
    done = subprocess.run(
        [ROOT / "examples/deploy/backup.sh", tmp_path], env=environment, capture_output=True, check=False
    )
    assert done.returncode != 0
    assert not list(tmp_path.glob("imagin-*.dump"))
