"""Trusted headers past a real Apache: people enter, and nobody smuggles anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from imagin_gateway.errors import Code
from tests.agent.apache import apache, login
from tests.agent.stand import ENTRY, Stand, standing
from tests.agent.test_headers_behind_nginx import ELODIE, FORGED, PROMISED
from tests.parts import require

AT_THE_PORTAL = login("elefevre1")


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def stand(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    require("apache")
    promised = PROMISED if request.param == "wsgi" else {}
    with standing(tmp_path_factory.mktemp(request.param), request.param, section=promised, behind=apache) as opened:
        yield opened


def test_whom_the_agent_knows_enters_with_every_attribute_and_accents(stand: Stand) -> None:
    assert stand.enter([AT_THE_PORTAL]).text == ELODIE


def test_whom_the_agent_does_not_know_is_asked_to_log_in_there(stand: Stand) -> None:
    assert stand.enter().status == 401
    assert stand.enter(["ct-remote-user: x"]).status == 401


def test_a_person_of_another_academie_does_not_enter(stand: Stand) -> None:
    assert stand.enter([login("pmartin")]).status == 403
    assert stand.codes()[-1] == Code.SCOPE_VIOLATION


def test_a_client_cannot_have_the_proxy_drop_what_the_agent_wrote(stand: Stand) -> None:
    """A proxy must drop the headers that `Connection` names (RFC 9110 §7.6.1): a posting that bars somebody, say."""
    for named in ("rne, FrEduRne", "codaca", "X-Imagin-Gateway-Secret", "ct-remote-user"):
        assert stand.enter([AT_THE_PORTAL, f"Connection: close, {named}"]).text == ELODIE


@pytest.mark.parametrize("lines", FORGED, ids=repr)
def test_nothing_smuggled_makes_somebody(stand: Stand, lines: str) -> None:
    told = [lines.format(secret=stand.secret)]
    nobody = stand.enter(told)
    assert nobody.status in (0, 400, 401, 403), nobody.text
    elodie = stand.enter([*told, AT_THE_PORTAL])
    assert elodie.status in (0, 400, 401, 403) or elodie.text == ELODIE
    assert "root" not in nobody.text + elodie.text
    for target in ("/", "/missions", ENTRY.replace("entree", "retour"), "/connexion/session"):
        elsewhere = stand.send(target, [*told, AT_THE_PORTAL])
        assert "root" not in elsewhere.text
        assert "ig-session" not in elsewhere.cookies
        seen = elsewhere.headers.get("x-seen", "")
        assert not any(name in seen for name in ("REMOTE_USER", "SECRET", "CODACA"))


@pytest.mark.parametrize(
    "target",
    [
        ENTRY + "/../../../../missions",
        ENTRY + "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/missions",
        "/" + ENTRY,
        ENTRY.replace("/", "//"),
        ENTRY.replace("entree", "%65ntree"),
        ENTRY.replace("entree", "ENTREE"),
        ENTRY + "%00",
        ENTRY + "x",
        ENTRY + "%2f",
        ENTRY.replace("entree", "retour"),
        f"/missions?{ENTRY}",
        f"/missions;{ENTRY}",
    ],
)
def test_no_other_way_of_writing_a_path_passes_the_agent_without_a_login(stand: Stand, target: str) -> None:
    """Apache and the application must not read a path in two ways: one would ask for no login, the other believe."""
    for lines in (["ct-remote-user: root", "codaca: 1"], []):
        reply = stand.send(target, lines)
        assert reply.status in (303, 400, 401, 403, 404) or reply.text == "personne"
        assert not {"ig-arrival", "ig-session"} & reply.cookies.keys()
