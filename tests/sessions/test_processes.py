"""Three processes, a whole gateway in each: what one of them ends, none of them believes longer than it says."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagin_gateway.state.sqlite_watch import PART_OF_A_LAG
from imagin_gateway.state.watch import DEFAULT_LAG
from tests.sessions.served import Process
from tests.state.doors import LISTENER, TELLER, Door
from tests.state.servers import PrivateRedis

SLACK = 2.0
"""Seconds that a loaded machine may add to one request of a test; the lag itself is not stretched."""


@pytest.fixture
def server() -> Iterator[PrivateRedis]:
    started = PrivateRedis()
    try:
        started.start()
        yield started
    finally:
        started.close()


@pytest.fixture
def door(server: PrivateRedis) -> Iterator[Door]:
    opened = Door(server.folder / "door", str(server.folder / "s"))
    yield opened
    opened.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., list[Process]]]:
    started: list[Process] = []

    def start_all(*urls: str) -> list[Process]:
        key = secrets.token_urlsafe(48)
        for number, url in enumerate(urls):
            started.append(Process(tmp_path / f"p{number}", url, key))
        return started

    yield start_all
    for process in started:
        process.close()


@pytest.mark.parametrize("cut", [(), (LISTENER,), (LISTENER, TELLER)])
@pytest.mark.parametrize("end", ["end", "end_all"])
def test_on_redis_nobody_believes_it_longer_than_the_lag(
    server: PrivateRedis, door: Door, start: Callable[..., list[Process]], cut: tuple[str, ...], end: str
) -> None:
    one, two, deaf = start(server.url, server.url, door.url)
    cookie = one.ask("open")
    for process in (one, two, deaf):
        assert process.ask(f"know {cookie}") == "True"
    for process in (two, deaf):
        process.send(f"believe {cookie}")
    door.swallow(cut)
    ended = float(one.ask(f"{end} {cookie}"))
    assert one.ask(f"visit {cookie}") == "False", "where it ended, it is over at once"
    for process in (two, deaf):
        believed = float(process.answer()) - ended
        assert believed <= DEFAULT_LAG + SLACK
        assert process.ask(f"visit {cookie}") == "False"
    door.let_through(cut)
    again = one.ask("open")
    for process in (one, two, deaf):
        assert process.ask(f"know {again}") == "True"
        assert process.ask(f"visit {cookie}") == "False"


@pytest.mark.parametrize("end", ["end", "end_all"])
def test_on_a_file_nobody_believes_it_longer_than_a_small_part_of_the_lag(
    tmp_path: Path, start: Callable[..., list[Process]], end: str
) -> None:
    one, two, three = processes = start(*[f"sqlite:///{tmp_path}/state.db"] * 3)
    for _ in range(5):
        cookie = two.ask("open")
        for process in processes:
            assert process.ask(f"know {cookie}") == "True"
        one.ask(f"{end} {cookie}")
        time.sleep(DEFAULT_LAG * PART_OF_A_LAG)
        assert [process.ask(f"visit {cookie}") for process in (one, two, three)] == ["False"] * 3
