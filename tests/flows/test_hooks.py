"""The host's hooks: called once, contained, and never more powerful than a refusal."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from imagin_gateway import Hooks, Identity
from imagin_gateway.flows import hooks as module
from tests.client import Client, host_asgi, host_wsgi, over_asgi, over_wsgi
from tests.flows.conftest import TheHouse, direct, make_house, redis_server, sign_in  # noqa: F401 (fixtures)

GOOD = "girafe mandarine orage clavier"


@pytest.fixture(params=["wsgi", "asgi"])
def hooked(request: pytest.FixtureRequest, make_house: Callable[..., TheHouse]) -> Callable[..., TheHouse]:  # noqa: F811
    def make(**hooks: Any) -> TheHouse:
        opened = make_house(request.param)
        opened.gateway.house = replace(opened.gateway.house, hooks=Hooks(**hooks))
        return opened

    return make


def signed_in(client: Client) -> bool:
    return client.get("/missions").status == 200


class Boom(Exception):
    """What a host may raise."""


def boom(_: Identity) -> None:
    raise Boom("with a secret: hunter2")


def test_each_is_called_once_with_the_person(hooked: Callable[..., TheHouse]) -> None:
    heard: list[tuple[str, str]] = []

    def hear(name: str) -> Callable[[Identity], None]:
        return lambda who: heard.append((name, who.subject))

    house = hooked(before_admission=hear("before"), after_login=hear("in"), after_logout=hear("out"))
    client = house.client()
    sign_in(house, client, "jdupont")
    assert heard == [("before", "jdupont"), ("in", "jdupont")]
    client.submit(client.get("/connexion/fin"), {})
    assert heard[2:] == [("out", "jdupont")]


def test_at_the_direct_door_a_login_is_told_when_it_is_whole(hooked: Callable[..., TheHouse]) -> None:
    heard: list[str] = []
    house = hooked(
        after_login=lambda who: heard.append(who.subject), after_logout=lambda who: heard.append("out " + who.subject)
    )
    client = house.client()
    direct(client, "mdurand7", house.letters["mdurand7"])
    client.submit(client.get("/connexion/fin"), {})
    choose = direct(client, "mdurand7", house.letters["mdurand7"])
    assert heard == [], "a session that may only choose a password is no login yet, and its end no logout"
    client.follow(client.submit(client.follow(choose), {"nouveau": GOOD, "encore": GOOD}))
    assert heard == ["mdurand7"]


@pytest.mark.parametrize("verdict", ["Revenez demain.", {"fr": "Revenez demain.", "en": "Come back tomorrow."}])
def test_a_refusal_is_told_to_the_person_and_opens_nothing(hooked: Callable[..., TheHouse], verdict: Any) -> None:
    logged: list[Identity] = []
    house = hooked(before_admission=lambda _: verdict, after_login=logged.append)
    client = house.client()
    page = sign_in(house, client, "jdupont")
    assert page.status == 403
    assert "Revenez demain." in page.text
    assert not signed_in(client)
    assert logged == []
    assert house.events[-1]["code"] == "admission.refused"
    assert house.events[-1]["detail"]["rules"] == "host-hook"


@pytest.mark.parametrize(
    "wrong", [boom, lambda _: False, lambda _: True, lambda _: 3, lambda _: {"fr": 3}, lambda: None]
)
def test_a_hook_that_fails_before_admission_lets_nobody_in(hooked: Callable[..., TheHouse], wrong: Any) -> None:
    house = hooked(before_admission=wrong)
    ways: list[Callable[[Client], Any]] = [
        lambda client: sign_in(house, client, "jdupont"),
        lambda client: direct(client, "mdurand7", house.letters["mdurand7"]),
    ]
    for come in ways:
        client = house.client()
        page = come(client)
        assert page.status == 403
        assert not signed_in(client)
    failed = [each for each in house.events if each["event"] == "hook_failed"]
    assert [each["detail"]["hook"] for each in failed] == ["before_admission"] * 2
    assert "hunter2" not in "".join(house.lines)


def test_a_hook_that_fails_after_a_login_or_a_logout_undoes_nothing(hooked: Callable[..., TheHouse]) -> None:
    house = hooked(after_login=boom, after_logout=boom)
    client = house.client()
    sign_in(house, client, "jdupont")
    assert signed_in(client)
    done = client.submit(client.get("/connexion/fin"), {})
    assert done.status == 303
    assert not signed_in(client)
    assert [each["detail"]["hook"] for each in house.events if each["event"] == "hook_failed"] == [
        "after_login",
        "after_logout",
    ]


def test_what_is_no_function_is_told_when_it_is_given() -> None:
    with pytest.raises(TypeError, match="after_login is a function, not str"):
        Hooks(after_login="notify")  # type: ignore[arg-type]  # the point of the test


class TestCoroutines:
    """Hooks that only an event loop can run."""

    @pytest.fixture
    def house(self, make_house: Callable[..., TheHouse]) -> TheHouse:  # noqa: F811
        return make_house("asgi")

    @pytest.fixture
    def loop(self) -> Iterator[asyncio.AbstractEventLoop]:
        """The loop of a server, in a thread of its own as far as the hooks are concerned."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        yield loop
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def test_they_run_in_the_loop_of_the_server(self, house: TheHouse) -> None:
        heard: list[tuple[str, bool]] = []

        async def hear(who: Identity) -> None:
            await asyncio.sleep(0)
            heard.append((who.subject, threading.current_thread() is threading.main_thread()))

        house.gateway.house = replace(house.gateway.house, hooks=Hooks(after_login=hear))
        sign_in(house, Client(over_asgi(house.gateway.asgi(host_asgi))), "jdupont")
        assert heard == [("jdupont", True)]

    def test_an_object_that_is_called_and_awaited_is_one_too(self) -> None:
        class Hook:
            async def __call__(self, who: Identity) -> None: ...

        assert Hooks(after_login=Hook(), after_logout=boom).coroutines == ("after_login",)

    def test_under_wsgi_they_are_refused_when_the_gateway_is_mounted(self, house: TheHouse) -> None:
        async def hear(who: Identity) -> None: ...

        house.gateway.house = replace(house.gateway.house, hooks=Hooks(after_login=hear))
        with pytest.raises(TypeError, match="hooks after_login: write them as plain functions"):
            over_wsgi(house.gateway.wsgi(host_wsgi))
        with pytest.raises(TypeError, match="leave `offload` out"):
            house.gateway.asgi(host_asgi, offload=lambda call: call())

    def test_one_that_hangs_counts_as_failed(
        self, house: TheHouse, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "PATIENCE", 0.05)
        ended: list[str] = []

        async def hang(who: Identity) -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

        token = module.LOOP.set(loop)
        try:
            Hooks(after_login=hang).logged_in(_somebody(house), house.gateway.house.events)
        finally:
            module.LOOP.reset(token)
        assert house.events[-1]["detail"] == {"hook": "after_login", "type": "TimeoutError"}
        end = time.monotonic() + 10
        while not ended and time.monotonic() < end:
            time.sleep(0.01)
        assert ended == ["cancelled"]


def _somebody(house: TheHouse) -> Identity:
    client = house.client()
    sign_in(house, client, "jdupont")
    session = house.gateway.session(client.cookies)
    assert session is not None
    return session.identity
