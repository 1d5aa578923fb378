"""A page of the host asks for a recent, or a stronger, login; the person comes back to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from imagin_gateway.errors import Code
from imagin_gateway.mounts import person, step_up
from imagin_gateway.providers.portal import ENTRY
from tests.client import Client, over_asgi, over_wsgi
from tests.flows.conftest import TheHouse, sign_in
from tests.flows.test_direct_journeys import GOOD, personalised

PROTECT = [
    {"prefix": "/missions"},
    {"prefix": "/paiement", "recent_minutes": 5},
    {"prefix": "/signature", "strength": ["mfa", "https://refeds.org/profile/mfa"]},
]


@pytest.fixture(params=["wsgi", "asgi"])
def strict(request: pytest.FixtureRequest, make_house: Callable[..., TheHouse]) -> TheHouse:
    return make_house(request.param, protect=PROTECT, second_factor={"mode": "off", "reason": "one factor alone"})


@pytest.mark.row("SES-19")
def test_an_old_login_is_sent_to_confirm_and_comes_back_under_a_new_id(strict: TheHouse) -> None:
    client = personalised(strict)
    former = client.cookies["ig-session"]
    assert client.get("/paiement").status == 200
    strict.clock.move(timedelta(minutes=5))
    assert client.get("/paiement").status == 200
    strict.clock.move(1)
    sent = client.get("/paiement/7?b=c")
    assert sent.location == "/connexion/confirmer?next=%2Fpaiement%2F7%3Fb%3Dc"
    assert client.get("/missions").status == 200
    page = client.follow(sent)
    assert page.title.startswith("Confirmez que c’est vous")
    assert page.tree.xpath("//input[@autocomplete='username']/@value") == ["mdurand7"]
    back = client.submit(page, {"motdepasse": GOOD})
    assert back.location == "/paiement/7?b=c"
    assert client.follow(back).status == 200
    thief = strict.client()
    thief.cookies["ig-session"] = former
    assert thief.get("/missions").status == 303


def test_no_password_typed_is_told_so_and_is_no_try(strict: TheHouse) -> None:
    client = personalised(strict)
    strict.clock.move(timedelta(minutes=6))
    page = client.follow(client.get("/paiement"))
    for _ in range(6):
        empty = client.submit(page, {"motdepasse": ""})
        assert empty.status == 422
        assert "Tapez votre mot de passe." in empty.tree.xpath("//*[@role='alert']")[0].text_content()
    assert strict.codes("confirmation_refused") == []
    assert client.submit(page, {"motdepasse": GOOD}).location == "/paiement"


@pytest.mark.row("SES-19")
def test_a_wrong_password_confirms_nothing_counts_and_keeps_the_session(strict: TheHouse) -> None:
    client = personalised(strict)
    strict.clock.move(timedelta(minutes=6))
    page = client.follow(client.get("/paiement"))
    failed = client.submit(page, {"motdepasse": "un autre mot de passe"})
    assert failed.status == 403
    assert failed.tree.xpath("//*[@role='alert']")
    assert client.get("/paiement").status == 303
    assert client.get("/missions").status == 200
    (event,) = [each for each in strict.events if each["event"] == "confirmation_refused"]
    assert event["code"] == Code.CREDENTIALS.value
    for _ in range(4):
        failed = client.submit(failed, {"motdepasse": "un autre mot de passe"})
    assert client.submit(failed, {"motdepasse": GOOD}).status == 403, "as any attempt, it is throttled"


@pytest.mark.row("SES-19")
def test_a_login_that_is_recent_and_too_weak_is_told_so_instead_of_going_round(strict: TheHouse) -> None:
    client = personalised(strict)
    assert client.get("/missions").status == 200
    refused = client.follow(client.get("/signature"))
    assert refused.status == 403
    assert refused.title.startswith("Cette page demande une connexion plus sûre")
    strict.clock.move(timedelta(minutes=2))
    page = client.follow(client.get("/signature"))
    assert page.title.startswith("Confirmez que c’est vous")
    back = client.follow(client.submit(page, {"motdepasse": GOOD}))
    assert back.status == 403
    assert "session.too_weak" in strict.codes("request_refused")


def test_a_post_is_not_replayed_and_a_script_is_told_what_to_do(strict: TheHouse) -> None:
    client = personalised(strict)
    strict.clock.move(timedelta(minutes=6))
    assert client.post("/paiement", {"a": "b"}).location == "/connexion/confirmer?next=%2F"
    reply = client.get("/paiement", headers={"Accept": "application/json"})
    assert reply.status == 403
    assert '"confirm": "/connexion/confirmer"' in reply.text


def test_a_portal_is_asked_anew_for_those_who_came_by_it(strict: TheHouse) -> None:
    client = strict.client()
    sign_in(strict, client, "jdupont", door="arena-paris")
    strict.clock.move(timedelta(minutes=6))
    page = client.follow(client.get("/paiement"))
    (leave,) = page.tree.xpath("//a[contains(@href, '/portail/')]/@href")
    assert leave == "/connexion/portail/arena-paris?next=%2Fpaiement&anew=1"
    client.get(leave)
    portal = strict.portals["arena-paris"]
    assert portal.anew[-1]
    reply = client.get(f"/connexion/portail/arena-paris/retour?who=jdupont&to={portal.left[-1].correlation}")
    assert client.follow(reply).status == 200
    assert client.post("/connexion/confirmer", {"motdepasse": "x"}).status == 403


@pytest.mark.parametrize(
    "asked", ["https://evil.example", "//evil.example", "/connexion/fin", "/connexion/mot-de-passe"]
)
def test_it_leads_back_to_this_site_only(strict: TheHouse, asked: str) -> None:
    client = personalised(strict)
    strict.clock.move(timedelta(minutes=6))
    page = client.get("/connexion/confirmer?next=" + asked)
    assert client.submit(page, {"motdepasse": GOOD}).location == "/"


def test_nobody_confirms_anything(strict: TheHouse) -> None:
    client = strict.client()
    assert client.get("/connexion/confirmer?next=/paiement").location == "/connexion/?next=%2Fpaiement"
    assert client.post("/connexion/confirmer", {"motdepasse": GOOD}).status == 403


@pytest.mark.row("SES-19")
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_route_of_the_host_asks_by_itself(kind: str, make_house: Callable[..., TheHouse]) -> None:
    house = make_house(kind)
    asked: dict[str, Any] = {"within": timedelta(minutes=5)}

    def answer(place: Any) -> tuple[str, str]:
        where = step_up(place, **asked)
        return (where, "303 See Other") if where else (str(person(place)), "200 OK")

    def wsgi(environ: Any, start_response: Any) -> list[bytes]:
        text, status = answer(environ)
        start_response(status, [("Location", text)] if status[0] == "3" else [])
        return [text.encode()]

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        text, status = answer(scope)
        headers = [(b"location", text.encode())] if status[0] == "3" else []
        await send({"type": "http.response.start", "status": int(status[:3]), "headers": headers})
        await send({"type": "http.response.body", "body": text.encode()})

    gateway = house.gateway
    mount = over_wsgi(gateway.wsgi(wsgi)) if kind == "wsgi" else over_asgi(gateway.asgi(asgi))
    client = Client(mount)
    assert client.get("/v%C3%A9rifier?x=%26").location == "/connexion/?next=%2Fv%25C3%25A9rifier%3Fx%3D%2526"
    sign_in(house, client, "jdupont")
    assert client.get("/v%C3%A9rifier").status == 200
    house.clock.move(timedelta(minutes=6))
    sent = client.get("/v%C3%A9rifier?x=%26")
    assert sent.location == "/connexion/confirmer?next=%2Fv%25C3%25A9rifier%3Fx%3D%2526"
    asked.update(within=None, strength=["mfa"])
    assert client.get("/autre").location == "/connexion/confirmer?next=%2Fautre"


@pytest.mark.row("SES-19")
def test_a_portal_that_does_not_tell_when_it_checked_the_credentials_proves_nothing_recent(strict: TheHouse) -> None:
    strict.portals["arena-paris"].tells_proof = False
    client = strict.client()
    sign_in(strict, client, "jdupont", door="arena-paris")
    assert client.get("/missions").status == 200
    assert client.get("/paiement").location.startswith("/connexion/confirmer")
    assert client.get("/connexion/session/toutes").location.startswith("/connexion/confirmer")


def test_who_came_by_a_portal_that_can_prove_nothing_recent_is_told_so_at_once(strict: TheHouse) -> None:
    client = strict.client()
    sign_in(strict, client, "jdupont", door="arena-paris")
    strict.portals["arena-paris"].answer_method = ENTRY
    strict.clock.move(timedelta(minutes=6))
    refused = client.follow(client.get("/paiement"))
    assert refused.status == 403
    assert refused.title.startswith("Cette page demande une connexion plus sûre")


def test_a_password_confirms_nothing_for_somebody_who_came_by_a_portal(strict: TheHouse) -> None:
    personalised(strict)
    client = strict.client()
    sign_in(strict, client, "mdurand7", door="arena-creteil")
    before = client.cookies["ig-session"]
    page = client.get("/connexion/session")
    reply = client.post("/connexion/confirmer", {"formulaire": page.field("formulaire"), "motdepasse": GOOD})
    assert reply.status == 400
    assert client.cookies["ig-session"] == before
    assert client.get("/missions").text.startswith("arena-creteil|mdurand7")
