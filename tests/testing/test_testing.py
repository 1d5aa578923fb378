"""`imagin_gateway.testing`, used as a host uses it: in its own tests, with its framework's own test client."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest

from imagin_gateway import Activity, Gateway, Identity, testing
from imagin_gateway.mounts import person
from imagin_gateway.mounts.fastapi import SignedIn
from tests.client import Client, host_wsgi, over_wsgi

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    opened: list[Gateway] = []

    def make(**changes: Any) -> Gateway:
        opened.append(Gateway(testing.settings(tmp_path, **changes), clock=testing.ManualClock(), sends_mail=False))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def browser(gateway: Gateway) -> Client:
    return Client(over_wsgi(gateway.wsgi(host_wsgi)))


def ask(client: Client, target: str) -> Any:
    return client.get(target, host="127.0.0.1")


class TestClients:
    """The test client of each framework."""

    def test_flask(self, make: Callable[..., Gateway]) -> None:
        from flask import Flask

        from imagin_gateway.mounts import flask

        app = Flask(__name__)
        gateway = make()
        flask.init_app(app, gateway)

        @app.get("/frais")
        @flask.signed_in(Activity.EXPENSES)
        def expenses() -> str:
            who = flask.person()
            return who.subject if who else ""

        client = app.test_client()
        assert client.get("/frais").status_code == 303
        assert testing.sign_in(client, gateway).subject == "jdupont"
        assert client.get("/frais").text == "jdupont"
        assert client.get("/frais", base_url=testing.BASE_URL).text == "jdupont"
        assert client.get("/connexion/session", base_url=testing.BASE_URL).status_code == 200

    def test_starlette_and_fastapi(self, make: Callable[..., Gateway]) -> None:
        from fastapi import FastAPI
        from starlette.testclient import TestClient

        api = FastAPI()

        @api.get("/frais")
        async def expenses(who: Annotated[Identity, SignedIn(Activity.EXPENSES)]) -> str:
            return who.subject

        gateway = make()
        with TestClient(gateway.asgi(api), base_url=testing.BASE_URL, follow_redirects=False) as client:
            assert client.get("/frais").status_code == 303
            testing.sign_in(client, gateway, testing.someone("mdurand7", door="direct"))
            assert client.get("/frais").json() == "mdurand7"

    def test_litestar(self, make: Callable[..., Gateway]) -> None:
        from litestar import Litestar, get
        from litestar.testing import TestClient

        from imagin_gateway.mounts.litestar import Somebody, provide_person, signed_in

        async def expenses(person: Any) -> str:
            return str(person.subject)

        expenses.__annotations__["person"] = Somebody
        handler = get("/frais", guards=[signed_in(Activity.EXPENSES)])(expenses)
        gateway = make()
        app: Any = gateway.asgi(Litestar([handler], dependencies={"person": provide_person}))
        with TestClient(app, base_url=testing.BASE_URL) as client:
            assert client.get("/frais", follow_redirects=False).status_code == 303
            testing.sign_in(client, gateway)
            assert client.get("/frais").text == "jdupont"

    def test_django(self, tmp_path: Path) -> None:
        # In a process of its own: Django is configured once.
        act = [sys.executable, "-W", "error", "-m", "tests.testing.django_act", str(tmp_path)]
        done = subprocess.run(act, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def test_any_other_client_sends_headers(self, make: Callable[..., Gateway]) -> None:
        gateway = make()
        client = browser(gateway)
        assert ask(client, "/").text == "personne"
        assert client.get("/", host="127.0.0.1", headers=testing.headers(gateway)).text != "personne"
        with pytest.raises(TypeError, match=r"testing\.headers"):
            testing.sign_in(object(), gateway)

    @pytest.mark.parametrize(
        "method",
        [
            lambda self, server_name, key, value="", **more: pytest.fail("a cookie of another name"),
            lambda self, name, value: None,
        ],
        ids=["quart", "webtest"],
    )
    def test_a_client_whose_cookies_are_set_in_another_way(
        self, make: Callable[..., Gateway], method: Callable[..., None]
    ) -> None:
        client = type("Client", (), {"set_cookie": method})()
        with pytest.raises(TypeError, match=r"testing\.headers"):
            testing.sign_in(client, make())


class TestPortal:
    """A login through a portal that is a function call."""

    @pytest.fixture
    def portal(self) -> testing.FakePortal:
        return testing.FakePortal("arena-paris")

    @pytest.fixture
    def gateway(self, make: Callable[..., Gateway], portal: testing.FakePortal) -> Gateway:
        gateway = make(portals={"arena-paris": portal.section}, protect=[{"prefix": "/missions"}])
        portal.plug(gateway)
        return gateway

    def come(self, client: Client, reply: Any) -> Any:
        while reply.status == 303:
            reply = ask(client, reply.location)
        return reply

    def leave(self, client: Client) -> str:
        location: str = ask(client, "/connexion/portail/arena-paris?next=/missions").location
        return location

    def test_the_whole_login_comes_back_to_the_page_asked_for(
        self, gateway: Gateway, portal: testing.FakePortal
    ) -> None:
        seen: list[Identity | None] = []

        def host(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            seen.append(person(environ))
            start_response("200 OK", [])
            return [environ["PATH_INFO"].encode()]

        client = Client(over_wsgi(gateway.wsgi(host)))
        back = portal.answer(self.leave(client), "jdupont", given_name="Jo", family_name="Dupont", acr="mfa")
        assert self.come(client, ask(client, back)).text == "/missions"
        (who,) = seen
        assert who is not None
        assert (who.key, who.given_name, who.acr) == ((portal.issuer, "jdupont"), "Jo", "mfa")

    def test_what_is_checked_is_checked(self, gateway: Gateway, portal: testing.FakePortal) -> None:
        client, thief = browser(gateway), browser(gateway)
        back = portal.answer(self.leave(client), "jdupont")
        assert ask(thief, back).status == 400, "the answer belongs to the browser that asked"
        back = portal.answer(self.leave(client), "jdupont", nonce="another")
        assert ask(client, back).status == 403
        assert ask(client, "/missions").status == 303

    def test_it_may_refuse_and_it_may_be_down(self, gateway: Gateway, portal: testing.FakePortal) -> None:
        client = browser(gateway)
        assert ask(client, portal.refuse(self.leave(client))).status == 403
        back = portal.answer(self.leave(client), "jdupont")
        portal.down = True
        assert ask(client, back).status == 503

    def test_an_address_that_is_not_its_own_is_not_answered(self, portal: testing.FakePortal) -> None:
        with pytest.raises(ValueError, match="not an address of the login"):
            portal.answer("https://elsewhere.example/login?response_type=code", "jdupont")

    def test_it_is_plugged_where_the_settings_name_it(
        self, make: Callable[..., Gateway], portal: testing.FakePortal
    ) -> None:
        with pytest.raises(RuntimeError, match="the settings lack this portal"):
            portal.plug(make())

    def test_a_closed_door_opens_to_nobody(self, make: Callable[..., Gateway]) -> None:
        gateway = make()
        with pytest.raises(RuntimeError, match="the door arena-paris is closed"):
            testing.sign_in(browser(gateway), gateway, testing.someone())


def test_mail_is_captured(make: Callable[..., Gateway], tmp_path: Path) -> None:
    gateway = make()
    listing = tmp_path / "list.csv"
    listing.write_text("Identifiant;Nom;Courriel\nmdurand7;DURAND;marie@exemple.test\n", encoding="utf-8")
    gateway.house.direct.lists.import_list(listing)
    mailbox = testing.Mailbox(gateway)
    assert mailbox.receive() == []
    client = browser(gateway)
    page = ask(client, "/connexion/mot-de-passe/oubli")
    client.submit(page, {"identifiant": "mdurand7"}, host="127.0.0.1")
    (mail,) = mailbox.receive()
    assert mail.to == "marie@exemple.test"
    (link,) = {link for link in mail.links if "/connexion/mot-de-passe/lien" in link}
    assert mail.html
    target = link.removeprefix(testing.BASE_URL)
    assert ask(client, target).status == 303
    assert mailbox.receive() == []
    assert mailbox.mails == [mail]


def test_the_clock_moves_everything(make: Callable[..., Gateway]) -> None:
    gateway = make(protect=[{"prefix": "/missions"}])
    client = browser(gateway)
    testing.sign_in(client, gateway)
    assert ask(client, "/missions").status == 200
    clock = gateway.house.clock
    assert isinstance(clock, testing.ManualClock)
    clock.move(timedelta(minutes=31))
    assert ask(client, "/missions").status == 303
    with pytest.raises(ValueError, match="time zone"):
        testing.ManualClock(datetime(2026, 12, 14))  # noqa: DTZ001  # the point of the test


def test_nothing_works_before_real_accounts(make: Callable[..., Gateway]) -> None:
    gateway = make(
        development=False,
        base_url="https://missions.example.fr",
        passwords={},
        mail={"host": "127.0.0.1", "sender": "i@exemple.test"},
    )
    portal = testing.FakePortal()
    acts: list[Callable[[], object]] = [
        lambda: testing.sign_in(browser(gateway), gateway),
        lambda: testing.headers(gateway),
        lambda: testing.Mailbox(gateway),
        lambda: portal.plug(gateway),
        lambda: gateway.replace_portal("arena-paris", NotImplemented),
    ]
    for act in acts:
        with pytest.raises(RuntimeError, match="development"):
            act()
