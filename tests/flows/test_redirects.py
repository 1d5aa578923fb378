"""A landing page that is refused: a person goes on, the operator is told, and a scanner fills no log (row LOG-05)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest

from imagin_gateway.errors import Code
from imagin_gateway.flows.seldom import MOST, WINDOW, Seldom
from imagin_gateway.local.throttle import NETWORK_FAILURES
from tests.client import Client
from tests.flows.conftest import TheHouse, direct, open_house
from tests.flows.saml_house import answer, post, sections
from tests.flows.test_direct_journeys import GOOD, personalised
from tests.providers.saml.forge import keys, value_of

EVIL = "https://evil.example/canari"
NOW = datetime(2026, 12, 14, 8, tzinfo=UTC)
MakeHouse = Callable[..., TheHouse]


def refusals(house: TheHouse) -> list[dict[str, object]]:
    return [each for each in house.events if each["event"] == "redirect_refused"]


@pytest.mark.row("LOG-05")
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
@pytest.mark.parametrize(
    "path",
    [
        *("/", "/question", "/acces/direct", "/acces/arena-creteil", "/direct"),
        *("/portail/arena-creteil", "/portail/arena-paris"),
    ],
)
def test_a_page_elsewhere_is_told_by_its_own_code_and_nothing_of_it(
    kind: str, path: str, make_house: MakeHouse
) -> None:
    house = make_house(kind)
    client = house.client()
    for asked in (EVIL, "//evil.example/canari", "/\\evil.example/canari", "javascript:canari()"):
        del house.events[:]
        house.clock.move(WINDOW)
        reply = client.get(f"/connexion{path}?next={quote(asked)}")
        assert reply.status in (200, 303)
        assert "canari" not in reply.text + str(reply.headers), "it is carried no further"
        (event,) = refusals(house)
        assert (event["code"], event["address"]) == (Code.REDIRECT.value, client.address)
        assert event["correlation"]
        assert "canari" not in "".join(house.lines)
    del house.events[:]
    client.get(f"/connexion{path}?next=/missions")
    client.get(f"/connexion{path}?next=")
    client.get(f"/connexion{path}")
    assert refusals(house) == []


def test_it_is_told_wherever_it_comes_in_and_leads_to_the_usual_page(make_house: MakeHouse) -> None:
    house = make_house()

    def told_once() -> None:
        assert [each["code"] for each in refusals(house)] == [Code.REDIRECT.value]
        del house.events[:]
        house.clock.move(WINDOW)

    client = personalised(house)
    del house.events[:]
    house.clock.move(WINDOW)
    browser = house.client()
    page = browser.get("/connexion/direct")
    assert browser.submit(page, {"identifiant": "mdurand7", "motdepasse": GOOD, "next": EVIL}).location == "/"
    told_once()
    confirm = client.get(f"/connexion/confirmer?next={EVIL}")
    told_once()
    del house.events[:]
    assert client.submit(confirm, {"motdepasse": GOOD, "next": EVIL}).location == "/"
    (event,) = refusals(house)
    assert event["person"], "somebody who is signed in is told by their pseudonym"
    told_once()
    unsolicited = house.client()
    fields = {"who": "jdupont", "to": "", "relay": EVIL}
    reply = unsolicited.post("/connexion/portail/arena-creteil/acs", fields)
    assert unsolicited.get(reply.location).location == "/"
    told_once()


def test_a_scanner_fills_no_log_and_is_counted(make_house: MakeHouse) -> None:
    house = make_house()

    def scan(client: Client, times: int) -> None:
        for _ in range(times):
            client.get(f"/connexion/?next={EVIL}")

    scan(house.client(), 30)
    assert len(refusals(house)) == 1
    scan(house.client(address="192.0.2.8"), 1)
    assert refusals(house)[1]["detail"] == {"untold": 29}
    for number in range(3 * MOST):
        scan(house.client(address=f"198.51.100.{number}"), 1)
    assert len(refusals(house)) == MOST
    house.clock.move(WINDOW)
    scan(house.client(), 1)
    assert refusals(house)[-1]["detail"] == {"untold": 2 * MOST + 2}


def test_it_needs_no_store(make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    house = make_house()
    monkeypatch.setattr(house.gateway.house.state, "increment", None)
    monkeypatch.setattr(house.gateway.house.state, "put", None)
    assert house.client().get(f"/connexion/?next={EVIL}").status == 200
    assert len(refusals(house)) == 1


def test_a_clock_that_steps_back_silences_nobody() -> None:
    seldom = Seldom()
    assert seldom.due("a", NOW) == 0
    assert seldom.due("a", NOW + timedelta(minutes=9)) is None
    assert seldom.due("a", NOW - timedelta(days=1)) == 1


# --- every control, each by its code

OF_CONTROL: Final = {
    "signature": {Code.SAML_SIGNATURE, Code.SAML_UNSIGNED, Code.OIDC_SIGNATURE},
    "replay": {Code.REPLAYED, Code.FACTOR_USED},
    "state": {Code.FLOW_UNKNOWN, Code.FLOW_OTHER_BROWSER, Code.SAML_IN_RESPONSE_TO, Code.OIDC_STATE},
    "csrf": {Code.FORM_EXPIRED, Code.CROSS_SITE},
    "throttle": {Code.THROTTLED, Code.NETWORK_THROTTLED, Code.FACTOR_TOO_MANY, Code.DESK_TOO_MANY},
    "scope": {Code.SCOPE_VIOLATION},
    "redirect": {Code.REDIRECT},
}

OF_NO_REQUEST: Final = {Code.SETTINGS, Code.POLICY}
"""Codes of errors by which nothing starts: caught by their class."""


@pytest.mark.row("LOG-05")
def test_each_control_refuses_by_an_event_with_a_code_of_its_own(tmp_path: Path) -> None:
    house = open_house("wsgi", tmp_path, portals=sections(tmp_path))
    found: dict[str, tuple[str, str]] = {}

    def refused(control: str, act: Callable[[], object]) -> None:
        before = len(house.events)
        act()
        (event,) = house.events[before:]
        found[control] = (event["event"], event["code"])

    free, client = answer(house), house.client()
    refused("signature", lambda: post(client, answer(house, key=keys("attacker"))))
    assert post(client, free).status == 303
    refused("replay", lambda: post(house.client(), free))
    refused("state", lambda: post(house.client(), answer(house, in_response_to="_" + "0" * 32)))
    refused("csrf", lambda: client.post("/connexion/direct", {"identifiant": "mdurand7", "motdepasse": "x"}))
    scope = answer(house, lambda root: setattr(value_of(root, "codaca"), "text", "25"))
    refused("scope", lambda: post(house.client(), scope))
    refused("redirect", lambda: client.get(f"/connexion/?next={EVIL}"))
    for _ in range(NETWORK_FAILURES):
        house.gateway.house.direct._throttle.failed_from(client.address, house.clock.now())
    refused("throttle", lambda: direct(house.client(), "mdurand7", "x"))
    house.gateway.close()
    assert found == {
        "signature": ("login_refused", Code.SAML_SIGNATURE),
        "replay": ("login_refused", Code.REPLAYED),
        "state": ("login_refused", Code.FLOW_UNKNOWN),
        "csrf": ("request_refused", Code.FORM_EXPIRED),
        "throttle": ("login_refused", Code.NETWORK_THROTTLED),
        "scope": ("login_refused", Code.SCOPE_VIOLATION),
        "redirect": ("redirect_refused", Code.REDIRECT),
    }
    assert set(found) == set(OF_CONTROL)
    assert all(code in OF_CONTROL[control] for control, (_, code) in found.items())
    codes = [code for each in OF_CONTROL.values() for code in each]
    assert len(codes) == len(set(codes)), "one code, one control"


@pytest.mark.row("LOG-05")
def test_every_code_is_asserted_by_some_test() -> None:
    root = Path(__file__).parents[1]
    texts = "".join(
        each.read_text(encoding="utf-8") for each in root.rglob("test_*.py") if each.name != Path(__file__).name
    )
    silent = {
        code for code in Code if not re.search(rf"\bCode\.{code.name}\b", texts) and f'"{code.value}"' not in texts
    }
    assert silent == OF_NO_REQUEST
