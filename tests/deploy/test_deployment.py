"""The deployment page, tried: whole journeys through the very files it shows, while workers are replaced, and after."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.deploy.stand import Site, Visitor, deployed, until
from tests.deploy.traffic import Traffic
from tests.local.helper import GOOD

CHOSEN = GOOD.reveal()
OTHER = "encore une autre phrase longue"


@pytest.fixture(scope="module", params=["gunicorn", "uvicorn"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Everything, once for each server."""
    with deployed(request.param) as running:
        yield running


@pytest.fixture
def visitor(site: Site) -> Iterator[Visitor]:
    with Visitor(site) as opened:
        yield opened


@pytest.fixture(scope="module")
def somebody(site: Site) -> Iterator[Callable[[], tuple[str, Visitor]]]:
    """Give a person who has chosen a password and is signed in; another one each time."""
    left = iter(sorted(site.letters))
    opened: list[Visitor] = []

    def next_one() -> tuple[str, Visitor]:
        identifier = next(left)
        visitor = Visitor(site)
        opened.append(visitor)
        page = visitor.sign_in(identifier, site.letters[identifier])
        assert page.title == "Choisissez votre mot de passe", page.text
        page = visitor.submit({"nouveau": CHOSEN, "encore": CHOSEN})
        assert page.text.startswith("Bonjour Jo NOM"), page.text
        return identifier, visitor

    yield next_one
    for visitor in opened:
        visitor.close()


Somebody = Callable[[], tuple[str, Visitor]]


def seen(visitor: Visitor) -> str:
    """Ask for the page of somebody who is signed in; tell what is wrong with it."""
    page = visitor.visit("/missions")
    return "" if page.text.startswith("Bonjour") else f"{page.status} {page.title or page.text[:80]}"


def test_a_first_login_a_forgotten_password_and_a_logout_go_through_every_worker(
    site: Site, somebody: Somebody
) -> None:
    identifier, visitor = somebody()
    pids: set[str] = set()

    def every_worker() -> bool:
        page = visitor.visit("/missions")
        assert page.text.startswith("Bonjour"), page.text
        pids.add(page.text.split("(")[1])
        return len(pids) == site.workers

    until(every_worker, "every worker knows the session")
    with Visitor(site) as other:
        other.visit("/connexion/direct")
        other.click("Mot de passe oublié")
        other.submit({"identifiant": identifier})
        site.mail.inbox.received.clear()
        until(lambda: any("mot-de-passe/lien" in _text(each) for each in site.mail.inbox.received), "the mail came")
        body = next(_text(each) for each in site.mail.inbox.received if "mot-de-passe/lien" in _text(each))
        link = next(word for word in body.split() if "mot-de-passe/lien" in word)
        assert link.startswith(site.url), "the link is of the public address"
        other.open(link)
        page = other.submit({"nouveau": OTHER, "encore": OTHER})
        assert page.status == 200
        assert other.sign_in(identifier, CHOSEN).status == 403
        assert other.sign_in(identifier, OTHER).text.startswith("Bonjour")
        # Whatever worker answers: the lag is a second at most.
        until(lambda: "Bonjour" not in visitor.visit("/missions").text, "the other session is over")
        for _ in range(8 * site.workers):
            assert "Bonjour" not in visitor.visit("/missions").text
        copied = dict(other.cookies)
        other.visit("/connexion/fin")
        other.submit()
    with Visitor(site) as thief:
        for name, value in copied.items():
            thief.set_cookie(name, value, host="localhost")
        until(lambda: "Bonjour" not in thief.visit("/missions").text, "the session that was left is over")
        for _ in range(8 * site.workers):
            assert "Bonjour" not in thief.visit("/missions").text


def _text(message: object) -> str:
    part = message.get_body(("plain",))  # type: ignore[attr-defined]  # an EmailMessage
    return str(part.get_content())


def test_what_comes_from_outside_is_neither_an_address_nor_a_person_and_no_secret_is_logged(
    site: Site, somebody: Somebody
) -> None:
    _identifier, visitor = somebody()
    with site.client() as client:
        forged = {"X-Forwarded-For": "203.0.113.7", "Remote-User": "root", "X-Forwarded-Host": "evil.example"}
        assert client.get("/connexion/rien", headers=forged).status_code == 404
        event = [each for each in site.events() if each["event"] == "request_refused"][-1]
        assert event["address"] == "127.0.0.1"
        assert client.get("/missions", headers=forged).status_code == 303
        assert client.get("/connexion/", headers={"Host": "evil.example"}).status_code in (400, 421)
        client.get("/connexion/mot-de-passe/lien?jeton=" + "x" * 60)
    log = (site.folder / "imagin.log").read_text()
    assert "/connexion/mot-de-passe/lien" in log
    assert "jeton" not in log
    assert "?" not in re.sub(r'"[^"]*$', "", log)
    cookies = visitor._client.cookies.jar
    assert {cookie.name for cookie in cookies if cookie.secure} >= {"__Host-ig-session"}
    import httpx2

    plain = httpx2.get(f"http://127.0.0.1:{site.plain_port}/missions", trust_env=False)
    assert (plain.status_code, plain.headers["location"]) == (301, site.url + "/missions")


@pytest.mark.fault
def test_what_is_only_to_be_watched_stops_no_start_and_what_is_wrong_does(site: Site) -> None:
    # Nobody answers at our own address yet when the unit starts, and something to watch is no reason to stay down.
    unit = "imagin.service" if site.kind == "gunicorn" else "imagin-uvicorn.service"
    (site.folder / "web.sock").rename(site.folder / "away.sock")
    try:
        looked = site.before_start(unit)
    finally:
        (site.folder / "away.sock").rename(site.folder / "web.sock")
    assert (looked.returncode, looked.stdout.split()[0]) == (0, "ATTENTION"), looked.stdout
    looked = site.before_start(unit, IMAGIN_GATEWAY_SESSIONS__IDLE_MINUTES="many")
    assert (looked.returncode == 0, looked.stdout.split()[0]) == (False, "CRITIQUE"), looked.stdout


def test_a_reload_replaces_every_worker_and_nobody_is_refused(site: Site, somebody: Somebody) -> None:
    people = [somebody()[1] for _ in range(2)]
    before = site.pids()
    with Traffic(*[lambda each=each: seen(each) for each in people]) as traffic:
        site.reload()
        until(lambda: len(site.pids()) == site.workers and not site.pids() & before, "every worker is another")
        so_far = traffic.done
        until(lambda: traffic.done > so_far + 20, "the new ones serve")
    assert traffic.troubles == {}


@pytest.mark.fault
def test_a_worker_killed_under_load_loses_nobody_and_is_replaced(site: Site, somebody: Somebody) -> None:
    people = [somebody()[1] for _ in range(2)]
    before = site.pids()
    victim = min(before)
    with Traffic(*[lambda each=each: seen(each) for each in people]) as traffic:
        until(lambda: traffic.done > 10, "people are at work")
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(site.pids()) == site.workers and victim not in site.pids(), "it is replaced")
        so_far = traffic.done
        until(lambda: traffic.done > so_far + 20, "all is well again")
    # What it was about to answer may be lost, no more than one page each; nginx asks another for it.
    assert sum(traffic.troubles.values()) <= len(people), traffic.troubles
    assert [seen(each) for each in people] == ["", ""]


def test_the_figures_add_up_what_every_worker_counted_whichever_answers(site: Site, somebody: Somebody) -> None:
    somebody()
    with Visitor(site) as wrong:
        wrong.sign_in("p0", "not the password of anybody")
    told = [each for each in site.events() if each["event"] in ("login", "login_refused")]
    expected = Counter(
        f'imagin_gateway_logins_total{{code="{each.get("code", "")}",door="direct",'
        f'outcome="{"done" if each["event"] == "login" else "refused"}"}}'
        for each in told
    )
    assert len(expected) >= 2
    for _ in range(4 * site.workers):
        found = site.figures()
        counted = {name: value for name, value in found.items() if name.startswith("imagin_gateway_logins_total")}
        # Workers that were replaced or killed in the tests above had counted too.
        assert counted == expected
    with site.client() as client:
        assert client.get("/connexion/metriques").status_code == 404
