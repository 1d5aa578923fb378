"""A migration and a new release while people are at work: nobody is refused, nobody logs in again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deploy.next_release import REVISION
from tests.deploy.stand import ROOT, Site, Visitor, deployed, until
from tests.deploy.traffic import Traffic
from tests.local.helper import GOOD

CHOSEN = GOOD.reveal()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with deployed("gunicorn") as running:
        yield running


def person(site: Site, identifier: str) -> Visitor:
    """Return somebody who came by letter, chose a password, and is signed in."""
    visitor = Visitor(site)
    assert visitor.sign_in(identifier, site.letters[identifier]).title == "Choisissez votre mot de passe"
    assert visitor.submit({"nouveau": CHOSEN, "encore": CHOSEN}).text.startswith("Bonjour")
    return visitor


def works(visitor: Visitor) -> Callable[[], str]:
    """Return what somebody who is signed in does again and again."""

    def ask() -> str:
        page = visitor.visit("/missions")
        return "" if page.text.startswith("Bonjour") else f"{page.status} {page.title or page.text[:80]}"

    return ask


def logs_in(site: Site, identifier: str) -> Callable[[], str]:
    """Return what somebody does who logs in again and again, each time with a new browser."""

    def ask() -> str:
        with Visitor(site) as visitor:
            page = visitor.sign_in(identifier, CHOSEN)
            return "" if page.text.startswith("Bonjour") else f"login: {page.status} {page.title or page.text[:80]}"

    return ask


def later_upgrade(site: Site) -> subprocess.CompletedProcess[str]:
    settings = site.environment["IMAGIN_SETTINGS"]
    command = [sys.executable, "-m", "tests.deploy.next_release", "accounts", "upgrade", "--settings", settings]
    return subprocess.run(command, cwd=ROOT, env=site.environment, capture_output=True, text=True, check=False)


@pytest.mark.fault
def test_a_migration_then_one_worker_after_the_other_and_nobody_notices(site: Site) -> None:
    people = [person(site, "p0"), person(site, "p1")]
    before = site.pids()
    with Traffic(works(people[0]), works(people[1]), logs_in(site, "p0")) as traffic:
        done = later_upgrade(site)
        assert done.returncode == 0, done.stderr
        # The database is ahead of every worker: they serve, and write.
        so_far = traffic.done
        until(lambda: traffic.done > so_far + 20, "this release works on the later schema")
        with person(site, "p2") as somebody:
            assert works(somebody)() == ""
        Path(site.environment["IMAGIN_SETTINGS"]).with_name("later").touch()
        site.reload()
        until(lambda: len(site.pids()) == site.workers and not site.pids() & before, "every worker is another")
        so_far = traffic.done
        until(lambda: traffic.done > so_far + 20, "the later release serves")
    assert traffic.troubles == {}
    (found,) = site.postgres.run("SELECT version_num FROM alembic_version", database="imagin")
    assert tuple(found) == (REVISION,)
    for visitor in people:
        assert works(visitor)() == ""
        visitor.close()


def test_this_release_does_not_start_on_the_later_schema_and_says_what_to_do(site: Site) -> None:
    refused = site.command("check", check=False)
    assert refused.returncode != 0
    assert "plus récente" in refused.stdout + refused.stderr
    assert "restaurer une sauvegarde" in refused.stdout + refused.stderr
