"""Trusted headers past a real proxy: people enter, and nobody smuggles anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from imagin_gateway.errors import Code
from tests.agent.stand import AGENT, DOOR, ENTRY, Stand, standing
from tests.parts import require

AT_THE_PORTAL = {"arena": "jeton-elodie"}
ELODIE = "arena-paris|elefevre1|Élodie Lefèvre"

PROMISED = {"wsgi_server_drops_underscores": True}

FORGED = [
    "ct-remote-user: root",
    "CT-REMOTE-USER: root",
    "ct_remote_user: root",
    "CT_REMOTE_USER: root",
    "ct-remote_user: root",
    "ct-remote-user:root\r\nct-remote-user:root",
    "ct-remote-user: elefevre1\r\nct_remote_user: root",
    "ct-remote-user : root",
    "ct-remote-user\t: root",
    " ct-remote-user: root",
    "X-Any: a\r\n ct-remote-user: root",
    "X-Any: a\r\n\tct-remote-user: root",
    "X-Any: a\rct-remote-user: root",
    "X-Any: a\nct-remote-user: root",
    "ct-remote-user\x00: root",
    "ct-remote-user: root\r\nX-Forwarded-For: 127.0.0.2",
    "ct-remote-user: root\r\nForwarded: for=127.0.0.2",
    "X-Imagin-Gateway-Secret: {secret}\r\nct-remote-user: root",
    "x_imagin_gateway_secret: {secret}\r\nct_remote_user: root",
    "codaca: 1\r\nctln: root\r\nfredurne: x\r\nfred_urne: x",
    "Connection: close, ct-remote-user\r\nct_remote_user: root",
    "Remote-User: root\r\nX-Remote-User: root\r\nAuthorization: Basic cm9vdDpyb290",
]


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def stand(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    require("nginx")
    promised = PROMISED if request.param == "wsgi" else {}
    with standing(tmp_path_factory.mktemp(request.param), request.param, section=promised) as opened:
        yield opened


def test_whom_the_agent_knows_enters_with_accents_and_the_page_first_asked_for(stand: Stand) -> None:
    assert stand.enter(cookies=AT_THE_PORTAL).text == ELODIE
    leaving = stand.send(f"/connexion/portail/{DOOR}?next=/missions/5", cookies=AT_THE_PORTAL)
    assert leaving.status == 303
    assert ENTRY in leaving.location
    held = {**AT_THE_PORTAL, **leaving.cookies}
    reply = stand.send(leaving.location.partition(f":{stand.front}")[2], cookies=held)
    arrived = stand.send(reply.location, cookies={**held, **reply.cookies})
    assert arrived.location == "/missions/5"


def test_whom_the_agent_does_not_know_does_not_enter(stand: Stand) -> None:
    reply = stand.enter()
    assert (reply.status, stand.codes()[-1]) == (403, Code.HEADER_EMPTY)
    assert stand.enter(cookies={"arena": "unknown"}).status == 403


def test_a_person_of_another_academie_does_not_enter(stand: Stand) -> None:
    assert stand.enter(cookies={"arena": "jeton-paul"}).status == 403
    assert stand.codes()[-1] == Code.SCOPE_VIOLATION


@pytest.mark.row("RTE-09")
@pytest.mark.parametrize("lines", FORGED, ids=repr)
def test_nothing_smuggled_makes_somebody(stand: Stand, lines: str) -> None:
    told = [lines.format(secret=stand.secret)]
    nobody = stand.enter(told)
    assert nobody.status in (0, 400, 403), nobody.text
    elodie = stand.enter(told, cookies=AT_THE_PORTAL)
    assert elodie.status in (0, 400, 403) or elodie.text == ELODIE
    assert "root" not in nobody.text + elodie.text
    for target in ("/", "/missions", f"/connexion/portail/{DOOR}/retour", "/connexion/session", "/connexion/arrivee"):
        elsewhere = stand.send(target, told, cookies=AT_THE_PORTAL)
        assert "root" not in elsewhere.text
        assert "ig-session" not in elsewhere.cookies
        seen = elsewhere.headers.get("x-seen", "")
        assert "REMOTE_USER" not in seen
        assert "SECRET" not in seen
        assert "CODACA" not in seen


@pytest.mark.parametrize(
    "target",
    [
        ENTRY + "/../../../../missions",
        ENTRY + "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/missions",
        "/missions/../connexion/portail/arena-paris/retour",
        "/" + ENTRY,
        ENTRY + "%00",
        ENTRY + "x",
        ENTRY.replace("entree", "retour"),
        ENTRY.replace(DOOR, "arena-creteil"),
        f"/missions?{ENTRY}",
        f"/missions;{ENTRY}",
    ],
)
def test_no_other_way_of_writing_a_path_opens_a_session(stand: Stand, target: str) -> None:
    for cookies in ({}, AT_THE_PORTAL):
        reply = stand.send(target, cookies=cookies)
        assert reply.status in (303, 400, 403, 404) or reply.text == "personne"
        assert not {"ig-arrival", "ig-session"} & reply.cookies.keys()


def test_one_request_hidden_in_another_does_not_pass(stand: Stand) -> None:
    host = f"Host: 127.0.0.1:{stand.front}"
    hidden = (
        f"GET {ENTRY} HTTP/1.1\r\n{host}\r\nX-Imagin-Gateway-Secret: {stand.secret}\r\nct-remote-user: root\r\n\r\n"
    )
    for framing in (
        f"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
        f"Transfer-Encoding: chunked\r\nContent-Length: {len(hidden) + 5}\r\n\r\n0\r\n\r\n{hidden}",
        f"Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n{hidden}",
        f"Content-Length: 0\r\nContent-Length: {len(hidden)}\r\n\r\n{hidden}",
        f"Content-Length: 0\r\nConnection: close\r\n\r\n{hidden}",
    ):
        reply = stand.raw(f"POST /connexion/direct HTTP/1.1\r\n{host}\r\n{framing}".encode())
        assert "root" not in reply.text
        assert "ig-arrival" not in reply.text
        assert "ig-arrival" not in reply.cookies
    assert stand.enter(cookies=AT_THE_PORTAL).text == ELODIE


def test_straight_to_the_server_the_secret_does_not_suffice(stand: Stand) -> None:
    lines = [f"X-Imagin-Gateway-Secret: {stand.secret}", "ct-remote-user: root", "codaca: 1"]
    more = ["X-Forwarded-For: 127.0.0.2", "X-Real-IP: 127.0.0.2", "Forwarded: for=127.0.0.2"]
    for told in (lines, lines + more):
        assert stand.send(ENTRY, told, port=stand.back).status == 403
        assert stand.codes()[-1] == Code.HEADER_PEER


def test_from_the_address_of_the_proxy_the_address_does_not_suffice(stand: Stand) -> None:
    lines = ["ct-remote-user: root", "codaca: 1"]
    for told in (lines, [*lines, f"X-Imagin-Gateway-Secret: {stand.secret[:-1]}"]):
        assert stand.send(ENTRY, told, port=stand.back, source=AGENT).status == 403
        assert stand.codes()[-1] == Code.HEADER_SECRET


@pytest.mark.parametrize(
    "lines",
    [
        ["ct_remote_user: root"],
        ["ct-remote-user: elefevre1", "ct_remote_user: root"],
        ["ct_remote_user: root", "ct-remote-user: elefevre1"],
        ["ct-remote-user: elefevre1", "ct-remote-user: root"],
        ["ct-remote-user: elefevre1,root"],
        ["ct-remote-user: elefevre1", "coda_ca: 1"],
    ],
    ids=repr,
)
def test_even_a_proxy_that_lets_things_through_makes_nobody_else(stand: Stand, lines: list[str]) -> None:
    """Straight to the server from the declared address, with the secret: as a careless proxy would pass things on."""
    told = [f"X-Imagin-Gateway-Secret: {stand.secret}", "codaca: 1", *lines]
    reply = stand.send(ENTRY, told, port=stand.back, source=AGENT)
    if reply.status == 303:
        assert "ct-remote-user: elefevre1" in lines
        held = {**reply.cookies}
        arrived = stand.send(reply.location, cookies=held)
        page = stand.send("/missions", cookies={**held, **arrived.cookies})
        assert page.text.startswith("arena-paris|elefevre1|")
    else:
        assert reply.status == 403
        assert stand.codes()[-1] in (Code.HEADER_AMBIGUOUS, Code.HEADER_EMPTY)


def test_a_proxy_that_passes_underscores_on_is_refused_as_a_whole(tmp_path: Path) -> None:
    require("nginx")
    with standing(tmp_path, "asgi", more="underscores_in_headers on;") as careless:
        assert careless.enter(cookies=AT_THE_PORTAL).text == ELODIE
        assert careless.enter(["ct_remote_user: root"], cookies=AT_THE_PORTAL).status == 403
        assert careless.codes() == [Code.HEADER_AMBIGUOUS]
        assert careless.enter(["ct_remote_user: root"]).status == 403


def test_under_wsgi_nobody_enters_without_the_operators_promise(tmp_path: Path) -> None:
    require("nginx")
    with standing(tmp_path, "wsgi") as unsaid:
        assert unsaid.enter(cookies=AT_THE_PORTAL).status == 403
        assert unsaid.codes() == [Code.HEADER_AMBIGUOUS]


def test_the_proxy_may_show_a_certificate_instead(tmp_path: Path) -> None:
    require("nginx")
    with standing(tmp_path, "wsgi", certificate=True, section=PROMISED) as shown:
        assert shown.enter(cookies=AT_THE_PORTAL).text == ELODIE
        assert shown.enter(["ct-remote-user: root"]).status == 403
