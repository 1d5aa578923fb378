"""What is remembered of paths and of header names: bounded, and never another verdict than without memory."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagin_gateway.mounts import passage as passages
from imagin_gateway.mounts.incoming import HeaderUses, is_identity_header
from imagin_gateway.mounts.passage import LONGEST_KEPT, MOST_KEPT, Passages
from imagin_gateway.mounts.wsgi import GatewayWSGI
from tests.flows.conftest import make_house, settings_of

__all__ = ["make_house"]

SEGMENTS = st.sampled_from(
    ["missions", "coordonnees", "connexion", "", ".", "..", "a", "missionsx", "é", "\\", "\n", "Missions", "%2e"]
)
PATHS = st.lists(SEGMENTS, max_size=5).map(lambda parts: "/" + "/".join(parts)) | st.text(max_size=20)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Any:
    protect = [
        {"prefix": "/missions"},
        {"prefix": "/missions/recent", "recent_minutes": 5},
        {"prefix": "/coordonnees", "activity": "personal-data"},
    ]
    folder: Path = tmp_path_factory.mktemp("settings")
    return settings_of(folder, protect=protect)


def test_a_verdict_is_the_same_remembered_or_not(settings: Any) -> None:
    remembering = Passages(settings)

    @given(paths=st.lists(PATHS, min_size=1, max_size=5))
    def same(paths: list[str]) -> None:
        for path in paths * 2:
            assert remembering[path] == Passages(settings)[path]
            assert remembering[path].path == path

    same()


def test_no_more_paths_are_remembered_than_fit(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = passages.unreadable

    def noted(path: str) -> bool:
        read.append(path)
        return original(path)

    monkeypatch.setattr(passages, "unreadable", noted)
    remembering = Passages(settings)
    for number in range(3 * MOST_KEPT):
        assert not remembering[f"/missions/{number}"].open
        assert len(remembering) <= MOST_KEPT
    read.clear()
    assert remembering["/missions/x"] is remembering["/missions/x"]
    assert read == ["/missions/x"]
    longest = "/" + "x" * (LONGEST_KEPT - 1)
    assert remembering[longest] is remembering[longest]
    read.clear()
    long = "/missions/" + "x" * LONGEST_KEPT
    for _ in range(3):
        assert not remembering[long].open
    assert read == [long] * 3


SPELLINGS = sorted(
    {
        "".join(parts)
        for joint in ("-", "_")
        for words in (
            ("remote", "user"),
            ("x", "forwarded", "user"),
            ("ct", "remote", "user"),
            ("ssl", "client", "cert"),
        )
        for parts in [[joint.join(words)]]
    }
    | {"Remote-User", "REMOTE_USER", "rEmOtE-uSeR", "x-Remote_user", "frEduRne", "CN", "imagin_gateway", "X-Imagin-a"}
)


@pytest.mark.row("RTE-09")
@pytest.mark.parametrize("full", [False, True])
def test_hostile_spellings_are_seen_however_much_is_remembered(full: bool) -> None:
    uses = HeaderUses()
    if full:
        for number in range(2 * HeaderUses.MOST_KEPT):
            assert uses.read([(b"x-name-%d" % number, b"")]) == ("", False)
            assert len(uses._plain) <= HeaderUses.MOST_KEPT
    for spelling, _ in product(SPELLINGS, range(2)):
        assert uses.read([(b"accept", b"*/*"), (spelling.encode(), b"root")]) == ("", True), spelling
        assert uses.pretends(spelling.encode())


@given(names=st.lists(st.sampled_from([each.encode() for each in SPELLINGS]) | st.binary(max_size=30), max_size=12))
def test_what_was_read_before_changes_no_verdict(names: list[bytes]) -> None:
    uses = HeaderUses()
    for name in names * 2:
        if name.lower() != b"cookie":
            assert uses.read([(name, b"v")]) == ("", is_identity_header(name.decode("latin-1")))


def test_long_names_are_not_remembered() -> None:
    uses = HeaderUses()
    uses.read([(b"x" * (HeaderUses.LONGEST_KEPT + 1), b""), (b"y" * HeaderUses.LONGEST_KEPT, b"")])
    assert uses._plain == {b"y" * HeaderUses.LONGEST_KEPT}


@pytest.mark.parametrize(
    ("lines", "cookies"),
    [
        ([(b"cookie", b"a=1")], "a=1"),
        ([(b"Cookie", b"a=1"), (b"COOKIE", b"b=2"), (b"cookie", b"c=3")], "a=1; b=2; c=3"),
        ([(b"cookie2", b"a=1"), (b"x-cookie", b"b=2")], ""),
    ],
)
def test_every_cookie_header_is_read_again_and_again(lines: list[tuple[bytes, bytes]], cookies: str) -> None:
    uses = HeaderUses()
    for _ in range(3):
        assert uses.read(lines) == (cookies, False)


@pytest.mark.row("RTE-09")
def test_under_wsgi_nothing_hostile_gets_in_however_much_is_remembered(make_house: Any) -> None:
    house = make_house("wsgi")
    seen: dict[str, Any] = {}

    def host(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.clear()
        seen.update(environ)
        start_response("200 OK", [])
        return [b""]

    app: GatewayWSGI = house.gateway.wsgi(host)
    plain = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_NAME": "a"}
    for number in range(2 * HeaderUses.MOST_KEPT):
        list(app({**plain, f"HTTP_X_NAME_{number}": "kept"}, lambda *_: None))
        assert seen[f"HTTP_X_NAME_{number}"] == "kept"
        assert len(app._plain) <= HeaderUses.MOST_KEPT
    for spelling in (*SPELLINGS, "REMOTE_USER"):
        name = "HTTP_" + spelling.upper().replace("-", "_")
        hostile = {**plain, name: "root", "REMOTE_USER": "root", "AUTH_TYPE": "Basic", "imagin_gateway": "root"}
        for _ in range(2):
            list(app(dict(hostile), lambda *_: None))
            assert name not in seen
            assert "REMOTE_USER" not in seen
            assert seen["imagin_gateway"] != "root"
