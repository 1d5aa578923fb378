"""What is told to whom: a fault to the person by a reference alone, and no secret to any log."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

import pytest

from imagin_gateway.errors import Code
from imagin_gateway.events import EventName
from imagin_gateway.flows.routes import ROUTES
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.keys import MASK
from tests.flows.conftest import TheHouse, sign_in

INSIDE = "SELECT secret FROM accounts; /srv/app/gateway.py line 7; 10.1.2.3; imagin-gateway 0.1.0"


def _boom(*_args: object) -> None:
    raise RuntimeError(INSIDE)


@pytest.mark.row("LOG-08")
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_fault_in_any_route_is_told_by_its_reference_alone(
    kind: str, make_house: Callable[..., TheHouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = make_house(kind, metrics={"enabled": True, "token": "t" * 9 + "0123456789abcdefghijklmnop"})
    tried = 0
    for route in ROUTES:
        for method in route.handlers:
            monkeypatch.setitem(route.handlers, method, _boom)
            path = "/connexion" + route.pattern.replace("{door}", "arena-creteil").replace("{step}", "suite")
            reply = house.client().request(method, path)
            assert reply.status == 500, (method, path)
            event = house.events[-2] if house.events[-1]["event"] != "fault" else house.events[-1]
            assert (event["event"], event["code"], event["detail"]) == ("fault", Code.FAULT, {"type": "RuntimeError"})
            assert event["correlation"] in reply.text, (method, path)
            told = reply.text + str(reply.headers)
            assert not re.search(r"SELECT|/srv/|10\.1\.2\.3|0\.1\.0|Traceback|RuntimeError|line 7", told), (
                method,
                path,
            )
            tried += 1
    assert tried >= len(ROUTES)
    assert INSIDE not in "".join(house.lines)


def test_no_secret_of_a_login_is_in_an_event_a_log_at_debug_or_a_repr(
    make_house: Callable[..., TheHouse], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    house = make_house()
    keys = house.gateway.settings.keys
    secrets = {key.reveal() for name in ("signing", "provisional", "factors") for key in getattr(keys, name)}
    wrong, chosen = "Canari-Refusé-4711-mauvais", "Canari choisi quatre mots rares"
    client = house.client()
    client.submit(client.get("/connexion/direct"), {"identifiant": "mdurand7", "motdepasse": wrong})
    client.submit(client.get("/connexion/direct"), {"identifiant": "mdurand7", "motdepasse": house.letters["mdurand7"]})
    client.submit(client.get("/connexion/mot-de-passe"), {"nouveau": chosen, "encore": chosen})
    client.submit(house.client().get("/connexion/mot-de-passe/oubli"), {"identifiant": "mdurand7"})
    portal = house.client()
    sign_in(house, portal, "jdupont", sid="canari-session-du-portail", relay="canari-relais")
    secrets |= {wrong, chosen, house.letters["mdurand7"], "canari-session-du-portail"}
    secrets |= {token for mail in house.mailed() for token in re.findall(r"jeton=(\S+)", mail.text)}
    for each in (client, portal):
        secrets |= {value for name, value in _cookies(each).items() if name.endswith(("session", "browser"))}
    assert len(secrets) >= 9
    stores = repr(house.gateway.house) + repr(house.gateway.settings) + repr(house.gateway.house.direct)
    everything = caplog.text + "".join(house.lines) + stores + "".join(capfd.readouterr())
    for secret in secrets:
        for form in (secret, secret.replace("-", "")):
            assert form not in everything, f"a secret of {len(secret)} signs is told"
    assert MASK in repr(keys)


def _cookies(client: object) -> dict[str, str]:
    cookies = getattr(client, "cookies", {})
    return {name: str(value).split(";")[0].strip('"') for name, value in dict(cookies).items() if len(str(value)) > 20}


def test_each_act_of_authentication_is_one_event_with_all_that_is_known_of_it(
    make_house: Callable[..., TheHouse],
) -> None:
    house = make_house()
    del house.events[:]
    client = house.client()
    form = {"identifiant": "MDurand7 ", "motdepasse": "faux"}
    client.submit(client.get("/connexion/direct"), form)
    client.submit(client.get("/connexion/direct"), {**form, "motdepasse": house.letters["mdurand7"]})
    chosen = "quatre mots tout a fait rares"
    client.submit(client.get("/connexion/mot-de-passe"), {"nouveau": chosen, "encore": chosen})
    client.submit(client.get("/connexion/fin"), {})
    portal = house.client()
    sign_in(house, portal, "jdupont")
    portal.submit(portal.get("/connexion/fin"), {})
    assert [each["event"] for each in house.events] == [
        *("login_refused", "login", "password_chosen", "login", "logout"),
        *("login_started", "login", "logout"),
    ]
    marie = house.gateway.house.events.pseudonym((DIRECT_ISSUER, "mdurand7"))
    assert {each["person"] for each in house.events[:5]} == {marie}
    for each in house.events:
        assert re.fullmatch(r"2026-12-14T08:00:00\.\d{3}Z", each["time"])
        assert each["door"] in ("direct", "arena-creteil")
        if each["event"] in (EventName.LOGIN, EventName.LOGIN_REFUSED, EventName.LOGOUT):
            assert each["address"] == client.address
            assert re.fullmatch(r"R-[2-9A-Z]{4}-[2-9A-Z]{4}", each["correlation"])
            assert each["person"]
    methods = [each["method"] for each in house.events if each["event"] in ("login", "login_refused")]
    assert methods == ["password", "provisional-password", "password", "saml"]
    assert house.events[0]["code"] == Code.CREDENTIALS
