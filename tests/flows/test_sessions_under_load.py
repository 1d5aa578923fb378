"""Many requests at once, on each mount and each store: nothing of a session is lost, and nothing personal leaks."""

from __future__ import annotations

import base64
import binascii
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from tests.client import Client, Reply
from tests.flows.conftest import TheHouse, direct, sign_in
from tests.flows.test_direct_journeys import GOOD, personalised

ISSUER = "https://arena-creteil.example/idp"
AT_ONCE = 12


def twin(house: TheHouse, client: Client) -> Client:
    """Return another connection of the same browser: under ASGI, a client is used by one thread at a time."""
    other = house.client()
    other.cookies.update(client.cookies)
    return other


@pytest.mark.row("SES-20")
def test_logins_at_once_are_each_a_session(house: TheHouse) -> None:
    clients = [house.client() for _ in range(AT_ONCE)]
    barrier = Barrier(AT_ONCE)
    personalised(house)

    def come_in(client: Client) -> int:
        page = client.get("/connexion/direct")
        barrier.wait()
        status: int = client.submit(page, {"identifiant": "mdurand7", "motdepasse": GOOD}).status
        return status

    with ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = list(pool.map(come_in, clients))
    # Attempts that are under way count, and hashing is bounded: some may be told no, and have no session.
    assert set(statuses) <= {303, 403, 503}
    entered = [client for client, status in zip(clients, statuses, strict=True) if status == 303]
    assert entered
    assert len({client.cookies["ig-session"] for client in entered}) == len(entered)
    assert all(client.get("/missions").status == 200 for client in entered)
    sessions = house.gateway.house.sessions.list_person("urn:imagin-gateway:direct", "mdurand7")
    assert len(sessions) == len(entered) + 1


@pytest.mark.row("SES-20")
def test_requests_extensions_and_flushes_at_once_keep_the_latest_moment(house: TheHouse) -> None:
    client = house.client()
    sign_in(house, client, "jdupont")
    house.clock.move(timedelta(minutes=5))
    registry = house.gateway.house.sessions
    barrier = Barrier(AT_ONCE)

    def act(number: int) -> int:
        mine = twin(house, client)
        page = mine.get("/connexion/session")
        barrier.wait()
        for _ in range(5):
            if number % 3 == 0:
                registry.flush()
            reply = mine.submit(page, {}) if number % 3 == 1 else mine.get("/missions")
            if reply.status not in (200, 303):
                return reply.status
        return 200

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert set(pool.map(act, range(AT_ONCE))) == {200}
    registry.flush()
    (session,) = registry.list_person(ISSUER, "jdupont")
    assert session.last_seen == house.clock.now()
    house.clock.move(timedelta(minutes=29, seconds=59))
    assert client.get("/missions").status == 200


@pytest.mark.row("SES-20")
def test_a_logout_among_many_requests_ends_the_session_for_all_of_them(house: TheHouse) -> None:
    client = house.client()
    sign_in(house, client, "jdupont")
    registry = house.gateway.house.sessions
    barrier = Barrier(AT_ONCE)

    def act(number: int) -> int:
        mine = twin(house, client)
        page = mine.get("/connexion/fin") if number == 0 else None
        barrier.wait()
        if page is not None:
            mine.submit(page, {})
        for _ in range(10):
            mine.get("/missions")
            if number == 1:
                registry.flush()
        status: int = mine.get("/missions").status
        return status

    with ThreadPoolExecutor(AT_ONCE) as pool:
        last = list(pool.map(act, range(AT_ONCE)))
    assert last[0] == 303, "the one who ended it is out at once"
    assert client.get("/missions").status == 303
    assert registry.list_person(ISSUER, "jdupont") == []
    registry.flush()
    assert registry.list_person(ISSUER, "jdupont") == []


class Recorder(Client):
    """A browser that keeps every answer."""

    replies: list[Reply]

    def request(self, *words: object, **more: object) -> Reply:
        reply: Reply = super().request(*words, **more)  # type: ignore[arg-type]  # passed on
        self.__dict__.setdefault("replies", []).append(reply)
        return reply


def readings(value: str) -> str:
    """Return a cookie's value, and whatever can be decoded from it."""
    found = [value]
    for part in re.split(r"[.~|:]", value):
        for altchars in (b"-_", b"+/"):
            try:
                found.append(base64.b64decode(part + "=" * (-len(part) % 4), altchars, validate=True).decode("latin-1"))
            except (binascii.Error, ValueError):
                continue
    return "\n".join(found).lower()


@pytest.mark.row("SES-05")
def test_no_cookie_tells_of_the_person_and_no_page_nor_address_of_the_session(house: TheHouse) -> None:
    client = house.client()
    recorder = Recorder(client.mount)
    page = recorder.follow(direct(recorder, "mdurand7", house.letters["mdurand7"], "/missions/3"))
    recorder.follow(recorder.submit(page, {"nouveau": GOOD, "encore": GOOD}))
    for path in ("/connexion/session", "/connexion/session/toutes", "/connexion/mot-de-passe", "/connexion/fin"):
        recorder.get(path)
    recorder.get("/connexion/session", headers={"Accept": "application/json"})
    sign_in(house, recorder, "jean.dupont", next_page="/missions")
    recorder.follow(recorder.submit(recorder.get("/connexion/fin"), {}))
    cookies = [line for reply in recorder.replies for line in reply.all("set-cookie")]
    values = [line.partition("=")[2].partition(";")[0] for line in cookies]
    ids = {value.partition(".")[0] for line, value in zip(cookies, values, strict=True) if "ig-session=" in line} - {
        "",
        '""',
    }
    assert len(ids) >= 3
    for value in values:
        told = readings(value)
        assert not any(word in told for word in ("mdurand", "durand", "marie", "dupont", "exemple", "arena", "direct"))
    for reply in recorder.replies:
        assert not any(each in reply.text or each in reply.header("location") for each in ids)
        assert "localStorage" not in reply.text
        assert "sessionStorage" not in reply.text
