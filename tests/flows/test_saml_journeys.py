"""SAML through the whole house: one use, the page of each refusal, a restarted login, logout both ways."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from imagin_gateway.errors import Code, SettingsError
from imagin_gateway.flows.routes import ROUTES
from imagin_gateway.providers.saml.vocabulary import STATUS
from tests.flows.conftest import open_house, settings_of
from tests.flows.saml_house import BASE, CRETEIL, FIN, VERSAILLES, SamlHouse, answer, post, request_id, sections
from tests.providers.saml import forge, logouts
from tests.providers.saml.forge import OTHER_PORTAL, PERSON, PORTAL, keys, one
from tests.providers.saml.logouts import by_post, by_redirect
from tests.state.servers import PrivateRedis

Open = Callable[..., SamlHouse]


@pytest.fixture(params=["wsgi-sqlite", "asgi-redis"])
def opens(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Open houses with two SAML portals."""
    kind, _, engine = request.param.partition("-")
    stack = ExitStack()

    def make(**more: Any) -> SamlHouse:
        folder = tmp_path / secrets.token_hex(4)
        folder.mkdir()
        changes: dict[str, Any] = {"portals": sections(folder, **more)}
        if engine == "redis":
            server: PrivateRedis = request.getfixturevalue("redis_server")
            with server.client() as client:
                client.flushall()
            changes["state"] = {"url": server.url}
        house = open_house(kind, folder, **changes)
        stack.callback(house.gateway.close)
        return SamlHouse(house)

    with stack:
        yield make


@pytest.fixture
def saml(opens: Open) -> SamlHouse:
    return opens()


def of_idp(root: etree._Element, entity_id: str) -> None:
    for issuer in forge.every(root, "Issuer"):
        issuer.text = entity_id


@pytest.mark.row("SAM-28")
def test_a_person_lands_where_they_wanted_to_go(saml: SamlHouse) -> None:
    client = saml.house.client()
    assert client.get("/missions/7?a=b").location == "/connexion/?next=%2Fmissions%2F7%3Fa%3Db"
    to = saml.leave(client, "/missions/7%3Fa=b")
    assert client.get(post(client, answer(saml.house, in_response_to=to)).location).location == "/missions/7?a=b"


@pytest.mark.row("SAM-12")
def test_an_answer_serves_once(saml: SamlHouse) -> None:
    message = answer(saml.house)
    first, second = saml.house.client(), saml.house.client()
    assert post(first, message).status == 303
    assert post(second, message).status == 400
    assert saml.house.codes("login_refused") == [Code.REPLAYED]
    # until it would be refused by its own dates, skew included
    saml.house.clock.move(timedelta(minutes=5 + 3) - timedelta(seconds=1))
    assert post(second, message).status == 400
    saml.house.clock.move(1)
    assert post(second, message).status == 403
    assert saml.house.codes("login_refused") == [Code.REPLAYED, Code.REPLAYED, Code.SAML_TIME]


@pytest.mark.row("SAM-12")
@pytest.mark.parametrize("engine", ["sqlite", "redis"])
def test_of_twenty_at_once_in_two_processes_one_gets_in(
    tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    if engine == "redis":
        server: PrivateRedis = request.getfixturevalue("redis_server")
        with server.client() as client:
            client.flushall()
        url = server.url
    # The accounts' tables are made here, once: that is not what is raced.
    settings_of(tmp_path)
    told = {
        "settings": {
            "development": True,
            "base_url": BASE.partition("/connexion")[0],
            **dict.fromkeys(("privacy_url", "legal_url", "accessibility_url"), "/x"),
            "protect": [{"prefix": "/missions"}],
            "landings": ["/"],
            "keys": {"signing": [secrets.token_urlsafe(48)], "provisional": [secrets.token_urlsafe(48)]},
            "state": {"url": url},
            "accounts": {"url": f"sqlite:///{tmp_path}/accounts.db"},
            "mail": {"host": "127.0.0.1", "port": 9, "security": "none", "sender": "imagin@exemple.test"},
            "passwords": {"profile": "unsafe-tests"},
            "portals": sections(tmp_path),
        },
        "message": etree.tostring(answer()).decode(),
        "browsers": 10,
    }
    file = tmp_path / "told.json"
    file.write_text(json.dumps(told, default=str))
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.flows.saml_worker", str(file)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(2)
        ]
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        outcomes = Counter(line for worker in workers for line in worker.communicate()[0].split())
    assert outcomes == {"303/200": 1, "400/nobody": 19}


@pytest.mark.row("SAM-18")
@pytest.mark.parametrize("second", ["AuthnFailed", "NoPassive", "RequestDenied"])
@pytest.mark.parametrize("with_assertion", [False, True])
def test_a_portal_that_says_no_is_told_in_french_and_creates_nothing(
    saml: SamlHouse, second: str, with_assertion: bool
) -> None:
    def edit(root: etree._Element) -> None:
        code = one(root, "StatusCode")
        code.set("Value", STATUS + "Responder")
        etree.SubElement(code, code.tag, Value=STATUS + second)
        if not with_assertion:
            forge.without(one(root, "Assertion"))

    client = saml.house.client()
    signed = "both" if with_assertion else "response"
    to = saml.leave(client)
    reply = post(client, answer(saml.house, edit, signed=signed, in_response_to=to))
    assert reply.status == 403
    assert reply.title == "Le portail de Créteil n’a pas confirmé la connexion"
    assert "ig-session" not in client.cookies
    assert client.get("/missions").status == 303
    (event,) = [each for each in saml.house.events if each["event"] == "login_refused"]
    assert event["code"] == Code.PORTAL_REFUSED
    assert event["detail"]["statuses"] == f"{STATUS}Responder,{STATUS}{second}"
    assert not [each for each in saml.house.events if each["event"] == "login"]


@pytest.mark.row("SAM-19")
@pytest.mark.parametrize("missing", ["ct-remote-user", "rne", "ctemail"])
@pytest.mark.parametrize("help_url", ["https://idp.ac-creteil.example/aide", "http://idp.ac-creteil.example/aide", ""])
def test_a_missing_attribute_is_told_with_somebody_to_ask(opens: Open, missing: str, help_url: str) -> None:
    published = etree.fromstring(logouts.metadata())
    if help_url:
        published[0].set("errorURL", help_url)
    saml = opens(required_attributes=["rne", "ctemail"], published=etree.tostring(published))
    client = saml.house.client()
    reply = post(client, answer(saml.house, lambda root: forge.drop_attributes(root, missing)))
    assert reply.status == 403
    assert reply.title == "Le portail n’a pas tout transmis"
    assert "imagin@siec.education.fr" in reply.text
    assert (f'href="{help_url}"' in reply.text) is help_url.startswith("https://")
    assert saml.house.codes("login_refused") == [Code.ATTRIBUTE_MISSING]
    assert [each["detail"]["missing"] for each in saml.house.events if each["event"] == "login_refused"] == [missing]
    assert post(client, answer(saml.house)).status == 303


@pytest.mark.row("SAM-23")
@pytest.mark.parametrize(("name", "value"), [("codaca", "25"), ("ctemail", "j.dupont@ac-versailles.fr")])
def test_a_door_that_speaks_for_another_academie_is_told_by_its_code(saml: SamlHouse, name: str, value: str) -> None:
    client = saml.house.client()
    wrong = answer(saml.house, lambda root: setattr(forge.value_of(root, name), "text", value))
    assert post(client, wrong).status == 403
    assert saml.house.codes("login_refused") == [Code.SCOPE_VIOLATION]
    assert client.get("/missions").status == 303


@pytest.mark.row("SAM-26")
def test_logins_are_top_level_navigations_by_post_over_https(saml: SamlHouse, tmp_path: Path) -> None:
    client = saml.house.client()
    refused = client.get(f"/connexion/portail/{CRETEIL}/acs?SAMLResponse=x")
    assert (refused.status, refused.header("allow")) == (405, "POST")
    assert client.request("PUT", f"/connexion/portail/{CRETEIL}/acs", raw=b"x").status == 405
    with pytest.raises(SettingsError, match="https"):
        settings_of(tmp_path, development=False, base_url="http://imagin.exemple.test")
    # an answer for the same address in plain http is one for another address
    message = answer(saml.house, acs_url=BASE.replace("http://", "https://") + "/acs")
    assert post(client, message).status == 403
    assert saml.house.codes("login_refused")[-1] == Code.SAML_DESTINATION
    for route in ROUTES:
        if "GET" in route.handlers:
            page = client.get("/connexion" + route.pattern.replace("{door}", CRETEIL))
            assert "<iframe" not in page.text.lower()
            if page.header("content-type").startswith("text/html"):
                assert "frame-ancestors 'none'" in page.header("content-security-policy")
                assert page.header("x-frame-options") == "DENY"


@pytest.mark.row("SAM-14")
@pytest.mark.row("SAM-13")
def test_an_answer_to_a_request_that_we_do_not_know_is_not_taken_for_one_that_nobody_asked_for(saml: SamlHouse) -> None:
    client = saml.house.client()
    assert post(client, answer(saml.house, in_response_to="_unknown")).status == 400
    assert saml.house.codes("login_refused") == [Code.FLOW_UNKNOWN]
    assert client.get("/missions").status == 303


def test_our_logo_is_where_our_metadata_says(saml: SamlHouse) -> None:
    client = saml.house.client()
    metadata = etree.fromstring(client.get(f"/connexion/portail/{CRETEIL}/metadata").body)
    address = one(metadata, "Logo").text or ""
    reply = client.get(address.partition("8400")[2])
    assert (reply.status, reply.header("content-type")) == (200, "image/svg+xml")
    assert etree.fromstring(reply.body).tag == "{http://www.w3.org/2000/svg}svg"
    assert reply.header("cross-origin-resource-policy") == "cross-origin", "the portal's page shows it"
    assert "sandbox" in reply.header("content-security-policy")
    assert one(metadata, "PrivacyStatementURL").text == BASE.partition("/connexion")[0] + "/donnees"


# --- the safer way: what nobody asked for begins a login here


def test_an_answer_nobody_asked_for_begins_a_login_here(opens: Open) -> None:
    saml = opens(unsolicited_restarts=True)
    client = saml.house.client()
    message = answer(saml.house)
    reply = post(client, message, relay="/missions/9")
    assert reply.status == 303
    assert reply.location.startswith(forge.SSO)
    assert "ig-session" not in client.cookies
    assert "ig-arrival" not in client.cookies
    to = logouts.carried(reply.location)[0].get("ID", "")
    landed = post(client, answer(saml.house, in_response_to=to))
    assert client.get(landed.location).location == "/missions/9"
    assert client.get("/missions/9").text.startswith(f"{CRETEIL}|{PERSON.login}|")
    # the first answer is worth nothing any more
    assert post(saml.house.client(), message).status == 400
    assert saml.house.codes("login_refused") == [Code.REPLAYED]


def test_a_portal_that_cannot_answer_us_is_not_asked_in_circles(opens: Open) -> None:
    saml = opens(unsolicited_restarts=True)
    client = saml.house.client()
    assert post(client, answer(saml.house)).status == 303
    again = post(client, answer(saml.house))
    assert again.status == 403
    assert saml.house.codes("login_refused") == [Code.UNSOLICITED]
    (mark,) = {line for line in client.jar_log if "restarted" in line}
    assert "Max-Age=60" in mark


def test_a_bad_answer_begins_nothing(opens: Open) -> None:
    saml = opens(unsolicited_restarts=True)
    client = saml.house.client()
    for message in (answer(saml.house, signed="nothing"), answer(saml.house, key=keys("attacker"))):
        assert post(client, message).status == 403
    assert not saml.house.codes("login_started")
    with pytest.raises(SettingsError, match="unsolicited_restarts"):
        opens(unsolicited=False, unsolicited_restarts=True)


# --- logout


@pytest.mark.row("LGO-01")
@pytest.mark.row("LGO-12")
def test_ending_here_sends_the_name_as_it_came_after_ours_has_ended(saml: SamlHouse) -> None:
    client = saml.house.client()
    saml.sign_in(client, name_id="_name-é", session="_index-1")
    cookies = dict(client.cookies)
    reply = saml.end(client)
    root, _ = logouts.carried(reply.location)
    assert reply.location.startswith(logouts.SLO + "?")
    told = one(root, "NameID")
    assert (told.text, forge.attributes(told)) == (
        "_name-é",
        {"Format": logouts.TRANSIENT, "SPNameQualifier": BASE + "/metadata"},
    )
    assert one(root, "SessionIndex").text == "_index-1"
    client.cookies = {**cookies, **{name: value for name, value in client.cookies.items() if "flow" in name}}
    assert client.get("/missions").status == 303
    back = logouts.response(request_id(reply.location), at=saml.house.clock.now(), Destination=BASE + "/fin")
    page = client.follow(saml.bring(client, by_redirect(back)))
    assert (page.status, page.title) == (200, "Votre session Imagin SIEC est terminée")
    assert "reste ouvert" not in page.text


@pytest.mark.row("LGO-12")
def test_a_session_that_ends_by_itself_tells_the_portal_nothing(
    saml: SamlHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = saml.house.client()
    saml.sign_in(client)
    sent: list[str] = []
    portal = saml.house.gateway.house.portals[CRETEIL]
    real = portal.depart_logout

    def watched(*args: Any) -> Any:
        sent.append("asked")
        return real(*args)

    monkeypatch.setattr(portal, "depart_logout", watched)
    saml.house.clock.move(timedelta(minutes=30))
    assert client.get("/missions").status == 303
    assert saml.end(client).location == "/connexion/fin/faite"
    assert sent == []
    saml.sign_in(client)
    assert saml.end(client).location.startswith(logouts.SLO)
    assert sent


def order(saml: SamlHouse, name: str, *sessions: str, edit: forge.Edit | None = None, **more: Any) -> etree._Element:
    from imagin_gateway.providers.saml.name_id import NameId

    known = NameId(name, format=logouts.TRANSIENT, sp_name_qualifier=BASE + "/metadata")
    at = more.pop("at", saml.house.clock.now())
    return logouts.request(edit, name=known, sessions=sessions, at=at, **{"Destination": BASE + "/fin", **more})


@pytest.mark.row("LGO-13")
@pytest.mark.parametrize("qualified", [{}, {"NameQualifier": PORTAL}, {"SPNameQualifier": BASE + "/metadata"}])
def test_an_order_may_leave_out_what_the_login_said_of_the_name_and_say_what_it_left_out(
    saml: SamlHouse, qualified: dict[str, str]
) -> None:
    """Core §8.3.7, §8.3.8: who is meant is the same; told that it is done, it must be."""

    def spell(root: etree._Element) -> None:
        name = one(root, "NameID")
        del name.attrib["SPNameQualifier"]
        for attribute, value in qualified.items():
            name.set(attribute, value)

    client = saml.house.client()
    saml.sign_in(client, name_id="_n", session="_1")
    reply = saml.bring(saml.house.client(), by_redirect(order(saml, "_n", "_1", edit=spell)))
    assert reply.location.startswith(logouts.SLO)
    assert client.get("/missions").status == 303
    told = [each for each in saml.house.events if each["event"] == "logout_by_portal"]
    assert (len(told), told[0]["detail"]["ended"]) == (1, 1)
    assert told[0]["person"]


@pytest.mark.row("LGO-13")
@pytest.mark.parametrize("make", [by_redirect, by_post])
def test_the_portal_ends_what_it_names_and_gets_a_signed_answer(saml: SamlHouse, make: Any) -> None:
    first, second, other = (saml.house.client() for _ in range(3))
    saml.sign_in(first, name_id="_n", session="_1")
    saml.sign_in(second, name_id="_n", session="_2")
    saml.sign_in(other, name_id="_o", session="_1")
    frame = saml.house.client()
    reply = saml.bring(frame, make(order(saml, "_n", "_2"), relay="state"))
    assert reply.status == 303
    assert reply.location.startswith(logouts.SLO_ANSWER + "?SAMLResponse=")
    root, fields = logouts.carried(reply.location)
    assert one(root, "StatusCode").get("Value") == STATUS + "Success"
    assert fields["RelayState"] == "state"
    assert [each.get("/missions").status for each in (first, second, other)] == [200, 303, 200]
    assert saml.bring(frame, make(order(saml, "_n"))).status == 303
    assert [each.get("/missions").status for each in (first, second, other)] == [303, 303, 200]
    ended = [each["detail"]["ended"] for each in saml.house.events if each["event"] == "logout_by_portal"]
    assert ended == [1, 1]


def other_issuer(root: etree._Element) -> None:
    of_idp(root, OTHER_PORTAL)


@pytest.mark.row("LGO-13")
@pytest.mark.parametrize("make", [by_redirect, by_post])
def test_an_order_that_is_not_right_leaves_the_session(saml: SamlHouse, make: Any) -> None:
    client, frame = saml.house.client(), saml.house.client()
    saml.sign_in(client, name_id="_n", session="_1")
    used = order(saml, "_n", "_9")
    assert saml.bring(frame, make(used)).status == 303
    for seal in used.findall(forge.ds("Signature")):
        used.remove(seal)
    old = saml.house.clock.now() - timedelta(minutes=9)
    for message, code in (
        (make(order(saml, "_n"), signed=False), Code.SAML_UNSIGNED),
        (make(order(saml, "_n"), key=keys("attacker")), Code.SAML_SIGNATURE),
        (make(order(saml, "_n", edit=other_issuer), key=keys("other")), None),
        (make(used), Code.REPLAYED),
        (make(order(saml, "_n", at=old)), Code.SAML_TIME),
    ):
        page = saml.bring(frame, message)
        assert page.status in {400, 403}
        assert page.title == "La demande de fin de session n’est pas valable"
        assert code in {None, saml.house.codes("logout_refused")[-1]}
    # the other portal, at its own address, in its own name: it has no session of that name
    theirs = order(saml, "_n", edit=other_issuer, Destination=BASE.replace(CRETEIL, VERSAILLES) + "/fin")
    query = by_redirect(theirs, key=keys("other")).query_string.decode()
    assert frame.get(f"/connexion/portail/{VERSAILLES}/fin?{query}").status == 303
    assert client.get("/missions").status == 200
    ended = [each["detail"]["ended"] for each in saml.house.events if each["event"] == "logout_by_portal"]
    assert ended == [0, 0]


@pytest.mark.row("LGO-13")
def test_a_portal_that_takes_posts_alone_gets_a_page_with_a_button(opens: Open) -> None:
    saml = opens(published=logouts.metadata((logouts.POST, logouts.SLO, None)))
    client = saml.house.client()
    saml.sign_in(client, name_id="_n", session="_1")
    page = saml.bring(client, by_post(order(saml, "_n"), relay="state"))
    assert page.status == 200
    assert page.title == "Fin de la session en cours"
    form = page.tree.xpath("//form[@method='post']")[0]
    assert form.get("action") == logouts.SLO
    assert page.field("RelayState") == "state"
    assert page.field("SAMLResponse")
    assert "form-action 'self' https://idp.ac-creteil.example;" in page.header("content-security-policy")
    assert "ig-session" not in client.cookies
    assert client.get("/missions").status == 303


def test_a_login_answer_at_the_logout_address_and_the_other_way_round(saml: SamlHouse) -> None:
    client = saml.house.client()
    fields = {"SAMLResponse": forge.posted(answer(saml.house)).form["SAMLResponse"]}
    page = client.follow(client.post(FIN, fields))
    assert page.title == "Votre session Imagin SIEC est terminée"
    assert saml.house.codes("logout_refused") == [Code.SAML_SHAPE]
    logout = by_post(logouts.response("_x", Destination=BASE + "/acs"))
    refused = client.post(f"/connexion/portail/{CRETEIL}/acs", {"SAMLResponse": logout.form["SAMLResponse"]})
    assert refused.status == 403
    assert saml.house.codes("login_refused") == [Code.SAML_SHAPE]


def test_nothing_of_a_message_stands_in_an_event(saml: SamlHouse) -> None:
    client = saml.house.client()
    saml.sign_in(client, name_id="_name-of-somebody", session="_index-of-somebody")
    saml.bring(client, by_redirect(order(saml, "_name-of-somebody"), relay="relay-of-somebody"))
    lines = "".join(saml.house.lines)
    assert not re.search("of-somebody|" + PERSON.login, lines)
