"""One contract for all portals: what people and hosts may count on, whatever the protocol, the mount and the store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagin_gateway.errors import Code
from imagin_gateway.identity import Identity
from tests.client import Client
from tests.flows.conftest import TheHouse, direct, house, redis_server  # noqa: F401  # fixtures
from tests.portals.speakers import HERE, PERSON, SPEAKERS, THERE, Speaker

Speaking = Callable[..., Speaker]


@pytest.fixture(params=sorted(SPEAKERS))
def speaking(request: pytest.FixtureRequest, house: TheHouse, tmp_path: Path) -> Speaking:  # noqa: F811
    """Return what opens the two doors of a protocol, with changes to the section of the first."""

    def speak(**section: Any) -> Speaker:
        folder = tmp_path / "portals"
        folder.mkdir()
        return SPEAKERS[request.param](house, folder, **section)

    return speak


def identity(speaker: Speaker, client: Client) -> Identity:
    """Return whom the host would read."""
    cookie = client.cookies["ig-session"]
    session = speaker.house.gateway.house.sessions.resolve(cookie)
    assert session is not None
    return session.identity


def refused(speaker: Speaker, client: Client) -> str:
    """Check that nobody is in; return the reason code the operator sees."""
    assert not speaker.is_in(client)
    assert "ig-session" not in client.cookies
    return speaker.house.codes("login_refused")[-1]


@pytest.mark.row("RTE-06")
def test_the_page_first_asked_for_is_where_people_land(speaking: Speaking) -> None:
    speaker = speaking()
    client = speaker.house.client()
    first = client.get("/missions/5?mois=12&x=a%20b")
    assert first.status == 303
    door = client.get(first.location).tree.xpath(f"//a[contains(@href, '/acces/{HERE}')]/@href")[0]
    leaving = client.get(door).tree.xpath(f"//a[contains(@href, '/portail/{HERE}')]/@href")[0]
    sent = speaker.answer(client.get(leaving).location, PERSON)
    arrived = client.get(speaker.deliver(client, sent).location)
    assert arrived.location == "/missions/5?mois=12&x=a%20b"
    assert client.get(arrived.location).text == f"{HERE}|elefevre1|Élodie Lefèvre"


def test_a_page_elsewhere_is_not_where_people_land(speaking: Speaking) -> None:
    speaker = speaking()
    for page in ("https://evil.example/", "//evil.example", "/\\evil.example", "/connexion/fin"):
        assert speaker.login(speaker.house.client(), page).location == "/"


@pytest.mark.row("RTE-09")
def test_the_same_person_is_told_in_the_same_words(speaking: Speaking) -> None:
    speaker = speaking(required_attributes=("ctemail", "rne"))
    client = speaker.house.client()
    speaker.login(client)
    who = identity(speaker, client)
    assert (who.subject, who.door, who.method) == ("elefevre1", HERE, speaker.method)
    assert (who.family_name, who.given_name, who.email) == ("Lefèvre", "Élodie", "elodie.lefevre@exemple.test")
    assert {activity.value for activity in who.activities} == {"missions", "expenses", "marking"}
    kept = {name: values for name, values in PERSON.items() if name != "employeeNumber"}
    assert dict(who.attributes) == kept
    assert "01E9501234ABC" not in "".join(speaker.house.lines)


@pytest.mark.row("RTE-03")
def test_another_identifier_is_another_person_whatever_the_mail(speaking: Speaking) -> None:
    speaker = speaking()
    people = []
    for subject in ("elefevre1", "elefevre2", "ELEFEVRE1"):
        client = speaker.house.client()
        speaker.login(client, changes={"ct-remote-user": (subject,)})
        people.append(identity(speaker, client).key)
    assert people[0] == people[2]
    assert people[0] != people[1]


@pytest.mark.row("RTE-02")
def test_a_login_that_began_towards_one_door_ends_at_no_other(speaking: Speaking) -> None:
    speaker = speaking()
    client = speaker.house.client()
    sent = speaker.answer(speaker.leave(client).location, PERSON)
    assert speaker.deliver(client, sent.at(THERE)).status in (400, 403)
    assert refused(speaker, client)
    # ... and what the other door's portal says is worth nothing here
    other = speaker.answer(speaker.leave(client, door=THERE).location, {**PERSON, "codaca": ("1",)}, THERE)
    here = other.path.replace(f"/{THERE}/", f"/{HERE}/")
    crossed = speaker.deliver(client, type(other)(other.method, here, other.fields, other.headers))
    assert crossed.status in (400, 403)
    assert refused(speaker, client)


def test_an_answer_is_worth_nothing_the_second_time(speaking: Speaking) -> None:
    speaker = speaking()
    client, thief = speaker.house.client(), speaker.house.client()
    sent = speaker.answer(speaker.leave(client).location, PERSON)
    kept = dict(client.cookies)
    assert speaker.deliver(client, sent).status == 303
    client.cookies = dict(kept)
    assert speaker.deliver(client, sent).status == 400
    thief.cookies = dict(kept)
    assert speaker.deliver(thief, sent).status == 400
    assert refused(speaker, thief) in (Code.FLOW_UNKNOWN, Code.REPLAYED)


def test_an_answer_is_worth_nothing_in_another_browser(speaking: Speaking) -> None:
    speaker = speaking()
    client, thief = speaker.house.client(), speaker.house.client()
    sent = speaker.answer(speaker.leave(client).location, PERSON)
    assert speaker.deliver(thief, sent).status == 400
    assert refused(speaker, thief) == Code.FLOW_OTHER_BROWSER


def test_an_answer_that_comes_too_late_is_worth_nothing(speaking: Speaking) -> None:
    speaker = speaking()
    client = speaker.house.client()
    sent = speaker.answer(speaker.leave(client).location, PERSON)
    speaker.house.clock.move(601)
    assert speaker.deliver(client, sent).status in (400, 403)
    assert refused(speaker, client)


def test_a_missing_attribute_is_named_in_french_and_nobody_enters(speaking: Speaking) -> None:
    speaker = speaking(required_attributes=("ctemail",))
    client = speaker.house.client()
    reply = speaker.login(client, changes={"ctemail": ()})
    assert (reply.status, reply.title) == (403, "Le portail n’a pas tout transmis")
    assert "votre adresse électronique" in reply.text
    assert refused(speaker, client) == Code.ATTRIBUTE_MISSING
    event = next(each for each in speaker.house.events if each["event"] == "login_refused")
    assert event["detail"]["missing"] == "ctemail"


@pytest.mark.parametrize("told", [(), ("",), ("X",), ("01E9501234ABC",)])
def test_without_an_identifier_to_rely_on_nobody_enters(speaking: Speaking, told: tuple[str, ...]) -> None:
    speaker = speaking()
    client = speaker.house.client()
    assert speaker.login(client, changes={"ct-remote-user": told}).status == 403
    assert refused(speaker, client) in (Code.ATTRIBUTE_MISSING, Code.HEADER_EMPTY)


@pytest.mark.parametrize("changes", [{"codaca": ("1",)}, {"ctemail": ("x@ac-paris.fr",)}, {"codaca": ("?",)}])
def test_a_portal_speaks_for_its_own_academie_alone(speaking: Speaking, changes: dict[str, Any]) -> None:
    speaker = speaking()
    client = speaker.house.client()
    assert speaker.login(client, changes=changes).status == 403
    assert refused(speaker, client) == Code.SCOPE_VIOLATION


@pytest.mark.row("RTE-08")
def test_a_portal_that_is_switched_off_stops_at_once(speaking: Speaking) -> None:
    speaker = speaking()
    inside, client = speaker.house.client(), speaker.house.client()
    speaker.login(inside)
    assert speaker.is_in(inside)
    sent = speaker.answer(speaker.leave(client).location, PERSON)
    del speaker.house.gateway.house.portals[HERE]  # type: ignore[attr-defined]  # a dict
    assert speaker.deliver(client, sent).status == 404
    assert speaker.leave(client).status == 404
    assert not speaker.is_in(client)
    assert not speaker.is_in(inside)


@pytest.mark.row("LOG-09")
def test_a_portal_that_is_down_closes_its_own_door_alone(speaking: Speaking) -> None:
    speaker = speaking()
    inside, client = speaker.house.client(), speaker.house.client()
    speaker.login(inside)
    speaker.take_down()
    speaker.house.clock.move(1799)
    assert speaker.is_in(inside)
    speaker.house.gateway.house.sessions.flush()
    speaker.house.clock.move(1799)
    assert speaker.is_in(inside)
    speaker.house.clock.move(10)
    reply = speaker.leave(client)
    if speaker.method == "oidc":
        assert (reply.status, reply.title) == (503, "Le portail de Créteil ne répond pas")
        assert reply.header("retry-after")
    else:
        # ... whose silence only the browser could notice: we lead there, and nobody comes back
        assert reply.status == 303
    assert not speaker.is_in(client)
    assert speaker.leave(client, door=THERE).status == 303
    assert client.get("/connexion/").status == 200
    page = client.follow(direct(client, "mdurand7", speaker.house.letters["mdurand7"]))
    assert page.title == "Choisissez votre mot de passe"


@pytest.mark.row("LGO-01")
@pytest.mark.row("LGO-14")
def test_logging_out_ends_ours_first_and_says_what_stays_open(speaking: Speaking) -> None:
    speaker = speaking()
    client = speaker.house.client()
    speaker.login(client)
    held = dict(client.cookies)
    reply = client.submit(client.get("/connexion/fin"), {})
    assert (reply.status, reply.header("clear-site-data")) == (303, '"cache", "storage"')
    assert "ig-session" not in client.cookies
    if reply.location.startswith("https://"):
        assert speaker.method == "oidc"
        reply = client.get(f"/connexion/portail/{HERE}/fin")  # the portal's answer, without what would prove it
    page = client.follow(reply)
    assert page.title == "Votre session Imagin SIEC est terminée"
    assert "reste ouvert" in page.text
    client.cookies = held
    assert not speaker.is_in(client)


def test_a_new_login_is_a_new_session_and_ends_the_old_one(speaking: Speaking) -> None:
    speaker = speaking()
    client = speaker.house.client()
    speaker.login(client)
    old = client.cookies["ig-session"]
    speaker.login(client)
    assert client.cookies["ig-session"] != old
    assert speaker.house.gateway.house.sessions.resolve(old) is None


def test_what_a_portal_says_never_stands_in_a_cookie_or_an_event(speaking: Speaking) -> None:
    speaker = speaking()
    client = speaker.house.client()
    speaker.login(client)
    told = "".join(client.jar_log) + "".join(speaker.house.lines)
    for word in ("elefevre1", "Lefèvre", "Lef", "exemple.test", "0750001U"):
        assert word not in told
