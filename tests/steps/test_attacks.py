"""What somebody tries by JSON: another site, another type, another token, another order, another place to land."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pyotp
import pytest

from imagin_gateway.flows.routes import ROUTES
from imagin_gateway.local.passwords import Hasher
from tests.flows.conftest import TheHouse
from tests.flows.test_direct_journeys import GOOD, personalised
from tests.steps.conftest import SAME, Script, script
from tests.steps.test_journeys import _step_begun

LOGIN = "/connexion/direct"


@pytest.fixture
def house(make_house: Callable[..., TheHouse]) -> TheHouse:
    return make_house("wsgi")


def logged_in(house: TheHouse) -> Script:
    personalised(house)
    page = script(house)
    assert page.enter("mdurand7", GOOD)["by"] == "navigation"
    return page


def alive(page: Script) -> bool:
    return bool(page.get("/connexion/session").get("step") == "session")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://127.0.0.1:8401"},
    ],
)
def test_another_site_ends_no_session_even_with_the_token(house: TheHouse, headers: dict[str, str]) -> None:
    page = logged_in(house)
    step = page.get("/connexion/fin")
    told = page.post("/connexion/fin", step["forms"]["logout"]["send"], **headers)
    assert (page.status, told["code"]) == (403, "request.cross_site")
    assert alive(page)


def test_that_it_is_json_from_here_proves_nothing_without_the_token(house: TheHouse) -> None:
    page = logged_in(house)
    for sent in ({}, {"formulaire": ""}, {"formulaire": "x.y"}):
        told = page.post("/connexion/fin", sent, Origin=house.gateway.settings.base_url)
        assert (page.status, told["code"]) == (403, "request.form_expired")
    assert alive(page)


@pytest.mark.parametrize("kind", ["text/plain", "text/plain; application/json", "multipart/form-data", "", "*/*"])
def test_json_in_another_type_is_not_read(house: TheHouse, kind: str) -> None:
    """A page of another site can send those without asking the browser first."""
    page = logged_in(house)
    send = page.get("/connexion/fin")["forms"]["logout"]["send"]
    told = page.post("/connexion/fin", send, **{"Content-Type": kind})
    assert (page.status, told["code"]) == (415, "request.media_type")
    assert alive(page)


def test_json_smuggled_in_a_form_is_a_form_without_token(house: TheHouse) -> None:
    page = logged_in(house)
    send = page.get("/connexion/fin")["forms"]["logout"]["send"]
    told = page.post(
        "/connexion/fin",
        json.dumps({**send, "x": "="}).encode(),
        **{"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert (page.status, told["code"]) == (403, "request.form_expired")
    assert alive(page)


def test_a_token_is_good_in_its_browser_and_for_what_it_was_made(house: TheHouse) -> None:
    page, secret, _, step = _step_begun(house)
    code = pyotp.TOTP(secret).at(house.clock.now())
    general = page.get(LOGIN)["forms"]["login"]["send"]["formulaire"]
    of_step = step["forms"]["code"]["send"]["formulaire"]
    told = page.post("/connexion/etape", {"formulaire": general, "moyen": "code", "code": code})
    assert (page.status, told["code"]) == (403, "request.form_expired")
    told = page.post(LOGIN, {"formulaire": of_step, "identifiant": "mdurand7", "motdepasse": GOOD})
    assert (page.status, told["code"]) == (403, "request.form_expired")
    # Signed by us for another purpose: the cookie of a known browser, the address of a refusal.
    for signed in page.client.cookies.values():
        assert page.post(LOGIN, {"formulaire": signed})["code"] == "request.form_expired"
    other = script(house)
    other.get(LOGIN)
    told = other.post(LOGIN, {"formulaire": general, "identifiant": "mdurand7", "motdepasse": GOOD})
    assert (other.status, told["code"]) == (403, "request.form_expired")


def test_no_step_is_done_before_the_one_before_it(house: TheHouse) -> None:
    personalised(house)
    page = script(house)
    assert page.get("/connexion/etape")["code"] == "flow.unknown"
    token = page.get(LOGIN)["forms"]["login"]["send"]["formulaire"]
    for path, sent in (
        ("/connexion/etape", {"moyen": "code", "code": "123456"}),
        ("/connexion/mot-de-passe", {"nouveau": GOOD, "encore": GOOD}),
        ("/connexion/session", {}),
        ("/connexion/confirmer", {"motdepasse": GOOD}),
        ("/connexion/adresse", {"courriel": "a@b.test", "actuel": GOOD}),
        ("/connexion/arrivee", {}),
    ):
        page.post(path, {"formulaire": token, **sent})
        assert page.status in (400, 403), path
        assert not any("session" in name for name in page.client.cookies)


def test_a_second_step_is_done_once_and_in_its_own_browser(house: TheHouse) -> None:
    page, secret, _, step = _step_begun(house)
    code = pyotp.TOTP(secret).at(house.clock.now())
    thief = script(house)
    thief.get(LOGIN)
    cookie = next(name for name in page.client.cookies if name.endswith("step"))
    thief.client.cookies[cookie] = page.client.cookies[cookie]
    stolen = thief.post("/connexion/etape", {**step["forms"]["code"]["send"], "code": code})
    assert (thief.status, stolen["code"]) == (403, "request.form_expired")
    assert page.send(step, "code", code=code)["by"] == "navigation"
    page.send(step, "code", code=code)
    assert page.status in (400, 403)


@pytest.mark.parametrize(
    "asked",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "/%2f/evil.example",
        "javascript:alert(1)",
        "/../x\n",
    ],
)
def test_no_answer_leads_to_another_site(house: TheHouse, asked: str) -> None:
    personalised(house)
    page = script(house)
    step = page.get(LOGIN)
    sent = {**step["forms"]["login"]["send"], "next": asked, "identifiant": "mdurand7", "motdepasse": GOOD}
    assert page.post(LOGIN, sent) == {"step": "go", "to": "/", "by": "navigation"}
    query = urlencode({"next": asked})
    assert "evil" not in json.dumps(page.get(f"/connexion/?{query}"))
    assert "evil" not in json.dumps(page.get(f"/connexion/confirmer?{query}"))


def test_an_unknown_account_answers_as_a_wrong_password_byte_for_byte_at_one_verification(
    house: TheHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    personalised(house)
    counted: list[int] = []
    verify = Hasher.verify

    def counting(self: Hasher, *args: Any, **named: Any) -> bool:
        counted.append(1)
        return verify(self, *args, **named)

    monkeypatch.setattr(Hasher, "verify", counting)
    page = script(house)
    step = page.get(LOGIN)
    bodies, costs, heads = [], [], []
    for identifier in ("mdurand7", "pmartin2", "zqwxk999"):
        counted.clear()
        told = page.send(step, "login", identifiant=identifier, motdepasse="mauvais mot de passe")
        assert (page.status, told["code"]) == (403, "direct.credentials")
        bodies.append(page.last.body.replace(identifier.encode(), b"-"))
        costs.append(len(counted))
        heads.append(sorted(name for name, _ in page.last.headers))
        assert b"mauvais" not in page.last.body
    assert len(set(bodies)) == 1
    assert costs == [1, 1, 1]
    assert heads[0] == heads[1] == heads[2]


def test_tries_by_script_and_by_form_are_counted_together(house: TheHouse) -> None:
    personalised(house)
    page = script(house)
    told = page.enter("mdurand7", "mauvais")
    for _ in range(60):
        if page.status == 429:
            break
        told = page.enter("mdurand7", "mauvais")
    assert (page.status, told["code"]) == (429, "direct.network_throttled")
    assert int(page.last.header("retry-after")) > 0
    form = house.client()
    answer = form.submit(form.get(LOGIN), {"identifiant": "mdurand7", "motdepasse": GOOD})
    assert answer.status == 429


WRONG_BODIES = [
    (b"{", 400, "request.malformed"),
    (b'{"identifiant":"a","identifiant":"b"}', 400, "request.parameter_repeated"),
    (b'{"identifiant":1}', 400, "request.field_type"),
    (b'{"identifiant":{"$ne":""}}', 400, "request.field_type"),
    (b'{"admin":"true"}', 400, "request.field_unknown"),
    (b'{"a":"' + b"x" * 70_000 + b'"}', 413, "request.too_large"),
    (b'{"a":"' + b"x" * 1_000_000 + b'"}', 413, "request.too_large"),
]


def test_a_wrong_body_is_a_problem_that_says_what_is_wrong(house: TheHouse) -> None:
    page = script(house)
    page.get(LOGIN)
    for sent, status, code in WRONG_BODIES:
        told = page.post(LOGIN, sent)
        assert (page.status, told["code"]) == (status, code)
        assert told["reason"]
        assert told["detail"]


def test_json_is_taken_where_it_says_and_nowhere_else(house: TheHouse) -> None:
    page = script(house)
    page.get(LOGIN)
    for route in ROUTES:
        if "POST" not in route.handlers:
            continue
        path = "/connexion" + route.pattern.replace("{door}", "arena-creteil")
        reply = page.client.request("POST", path, raw=b'{"nowhere":"x"}', headers=SAME)
        if route.takes is None:
            assert reply.status in (400, 403, 404, 415), (route.pattern, reply.text)
            assert b"nowhere" not in reply.body
        elif route.pattern == "/arrivee":
            # Without the ticket of a portal nothing is read at all.
            assert json.loads(reply.body)["code"] == "flow.unknown"
        else:
            assert json.loads(reply.body)["code"] == "request.field_unknown", route.pattern
