"""Redis and PostgreSQL stopped, paused, full, read-only, in a deployment at work.

What people see, what is told, what stays: each outage is watched from both sides,
by somebody who is signed in and by somebody who tries to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.deploy.stand import Site, Visitor, deployed, until
from tests.deploy.test_rolling import CHOSEN, person

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with deployed("gunicorn") as running:
        yield running


@pytest.fixture(scope="module")
def somebody(site: Site) -> Iterator[Visitor]:
    """Somebody who signed in before anything broke."""
    with person(site, "p0") as visitor:
        yield visitor


def told_since(site: Site, count: int) -> set[tuple[str, str]]:
    """Return the names and codes of the events after the first so many."""
    return {(each["event"], each.get("code", "")) for each in site.events()[count:]}


def is_let_in(site: Site, identifier: str = "p0") -> tuple[bool, Any]:
    """Try to log in with a new browser; return whether it worked, and the page."""
    with Visitor(site) as visitor:
        page = visitor.visit("/connexion/direct")
        if page.tree.xpath("//input[@name='motdepasse']"):
            page = visitor.submit({"identifiant": identifier, "motdepasse": CHOSEN})
        opened = visitor.visit("/missions").text.startswith("Bonjour")
        return opened, page


def closed(site: Site, code: str = "house.store_unavailable") -> None:
    """Check that nobody is let in: a page that says what to do, 503, an event with its code."""
    before = len(site.events())
    opened, page = is_let_in(site)
    assert not opened
    assert page.status == 503, (page.status, page.text[:300])
    assert page.title
    assert "Traceback" not in page.text
    assert ("request_refused", code) in told_since(site, before), told_since(site, before)


def well_again(site: Site, visitor: Visitor) -> None:
    """Check that all goes on by itself: who was signed in still is, and others come in."""
    until(lambda: visitor.visit("/missions").text.startswith("Bonjour"), "who was signed in still is")
    until(lambda: is_let_in(site)[0], "people come in again")


def test_redis_stopped_and_started_again_closes_the_door_and_loses_nobody(site: Site, somebody: Visitor) -> None:
    site.redis.stop()
    closed(site)
    page = somebody.visit("/missions")
    assert page.status == 503
    assert not page.text.startswith("Bonjour")
    site.redis.start()
    well_again(site, somebody)


def test_redis_paused_closes_the_door_until_it_goes_on(site: Site, somebody: Visitor) -> None:
    site.redis.pause()
    try:
        closed(site)
    finally:
        site.redis.go_on()
    well_again(site, somebody)


def test_redis_full_lets_nobody_new_in_and_whoever_is_in_can_leave(site: Site, somebody: Visitor) -> None:
    with site.redis.client() as client, person(site, "p1") as leaving:
        client.config_set("maxmemory", 1)
        try:
            closed(site)
            assert somebody.visit("/missions").text.startswith("Bonjour")
            leaving.visit("/connexion/fin")
            leaving.submit()
            until(lambda: not leaving.visit("/missions").text.startswith("Bonjour"), "they have left")
        finally:
            client.config_set("maxmemory", "1gb")
    well_again(site, somebody)


@pytest.mark.parametrize("how", ["stopped", "paused"])
def test_postgresql_away_closes_the_direct_door_and_nobody_who_is_in_notices(
    site: Site, somebody: Visitor, how: str
) -> None:
    away: Callable[[], None] = site.postgres.stop if how == "stopped" else site.postgres.pause
    back: Callable[[], None] = site.postgres.start if how == "stopped" else site.postgres.go_on
    away()
    try:
        closed(site)
        assert somebody.visit("/missions").text.startswith("Bonjour")
        with Visitor(site) as visitor:
            assert visitor.visit("/connexion/").status == 200, "the choice of a door needs no account"
    finally:
        back()
    well_again(site, somebody)


def test_postgresql_read_only_writes_no_password_and_opens_no_session_that_needed_one(
    site: Site, somebody: Visitor
) -> None:
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'imagin' AND pid <> pg_backend_pid()"
    with Visitor(site) as chooser:
        page = chooser.sign_in("p3", site.letters["p3"])
        assert page.title == "Choisissez votre mot de passe"
        site.postgres.run("ALTER DATABASE imagin SET default_transaction_read_only = on", cut)
        try:
            page = chooser.submit({"nouveau": CHOSEN, "encore": CHOSEN})
            assert page.status == 503
            assert not chooser.visit("/missions").text.startswith("Bonjour")
        finally:
            site.postgres.run(
                "SET default_transaction_read_only = off",
                "ALTER DATABASE imagin RESET default_transaction_read_only",
                cut,
            )
    with person(site, "p3") as again:
        assert again.visit("/missions").text.startswith("Bonjour"), "the letter was not lost"
    well_again(site, somebody)


def test_a_relay_that_is_down_loses_no_mail(site: Site) -> None:
    site.mail.stop()
    with person(site, "p4"), Visitor(site) as visitor:
        visitor.visit("/connexion/mot-de-passe/oubli")
        page = visitor.submit({"identifiant": "p4"})
        assert page.title == "Votre demande est enregistrée"
        until(lambda: ("p4@exemple.test",) in [tuple(row) for row in _waiting(site)], "the mail waits")
    site.mail.inbox.received.clear()
    site.mail.start()
    until(lambda: "p4@exemple.test" in {str(each["To"]) for each in site.mail.inbox.received}, "it leaves")


def _waiting(site: Site) -> list[Any]:
    return site.postgres.run("SELECT recipient FROM outbox", database="imagin")
