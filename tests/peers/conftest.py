"""Two real peers, and a gateway before each, for all the tests of this folder; each test has browsers of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.parts import require

if TYPE_CHECKING:
    from tests.peers.browser import Browser
    from tests.peers.university import University
    from tests.peers.world import World


# Said by `.ci/run`, which runs this folder by itself first.
collect_ignore_glob = ["test_*.py"] if os.environ.get("PEERS_APART") else []


@pytest.fixture(scope="session")
def _world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    require("lemonldap")
    from tests.peers.world import opened

    with opened(tmp_path_factory.mktemp("peers")) as world:
        yield world


@pytest.fixture
def world(_world: World) -> World:
    """The world, its journal empty."""
    _world.journal.lines.clear()
    return _world


@pytest.fixture
def browser(world: World) -> Iterator[Browser]:
    """A browser that was never used."""
    with world.browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def _university(tmp_path_factory: pytest.TempPathFactory) -> Iterator[University]:
    require("simplesamlphp")
    from tests.peers.university import opened

    with opened(tmp_path_factory.mktemp("university")) as university:
        yield university


@pytest.fixture
def university(_university: University) -> Iterator[University]:
    """The identity provider that speaks SAML alone, with its usual options; the journal empty."""
    _university.journal.lines.clear()
    yield _university
    _university.provider.behave()
