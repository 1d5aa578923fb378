"""docs/reference/ways-in.md lists every way to a session, and every address: there is no other (row DOC-02)."""

from __future__ import annotations

import ast
import base64
import re
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import imagin_gateway
from imagin_gateway import Gateway
from imagin_gateway.flows.routes import ROUTES, find
from scripts.reference.pages import DOCS
from scripts.reference.ways_in import AGAIN, WAYS
from tests.client import Client, host_asgi, over_asgi
from tests.flows.conftest import settings_of

PACKAGE = Path(imagin_gateway.__file__).parent
PAGE = (DOCS / "reference/ways-in.md").read_text(encoding="utf-8")


def functions() -> dict[str, set[str]]:
    """Return, by function of the flows (`module.name`), the names of our own functions that it calls or hands over."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in sorted((PACKAGE / "flows").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        known = {node.name: f"{file.stem}.{node.name}" for node in tree.body if isinstance(node, ast.FunctionDef)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                module = (node.module or "").rpartition(".")[2]
                known |= {each.asname or each.name: f"{module}.{each.name}" for each in node.names}
        for function in tree.body:
            if isinstance(function, ast.FunctionDef):
                found[f"{file.stem}.{function.name}"] = _called(function, known)
    return found


def _called(function: ast.FunctionDef, known: dict[str, str]) -> set[str]:
    called = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id in known:
            called.add(known[node.id])
        elif isinstance(node, ast.Attribute):
            of = node.value
            if isinstance(of, ast.Attribute) and of.attr == "sessions" and node.attr == "open":
                called.add("OPEN")
            elif isinstance(of, ast.Name) and of.id in known:
                called.add(f"{of.id}.{node.attr}")
    return called


def openers() -> set[str]:
    """Return every function of the flows from which the opening of a session can be reached."""
    calls, reaching = functions(), {"OPEN"}
    while more := {name for name, called in calls.items() if called & reaching} - reaching:
        reaching |= more
    return reaching - {"OPEN"}


@pytest.mark.row("DOC-02")
def test_the_addresses_that_open_sessions_are_those_listed() -> None:
    able = openers()
    assert len(able) > 8
    opening = {
        route.pattern
        for route in ROUTES
        for handler in route.handlers.values()
        if f"{handler.__module__.rpartition('.')[2]}.{handler.__name__}" in able
    }
    assert opening == {way.opens for way in WAYS} | set(AGAIN)


@pytest.mark.row("DOC-02")
def test_sessions_are_opened_by_the_flows_alone() -> None:
    calling = [
        str(file.relative_to(PACKAGE))
        for file in sorted(PACKAGE.rglob("*.py"))
        if re.search(r"sessions\.open\(", file.read_text(encoding="utf-8"))
    ]
    assert calling == ["flows/arrival.py", "flows/direct_login.py", "testing/people.py"]


@pytest.mark.row("DOC-02")
def test_the_addresses_are_those_listed() -> None:
    listed = set(re.findall(r"^\| `(/[^`]*)` \| ([A-Z]+) \|", PAGE.partition("## Every address")[2], re.MULTILINE))
    assert listed == {(route.pattern, method) for route in ROUTES for method in route.handlers}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    gateway = Gateway(settings_of(tmp_path_factory.mktemp("house")), sends_mail=False)
    return Client(over_asgi(gateway.asgi(host_asgi)))


@pytest.mark.row("DOC-02")
@given(path=st.text(st.sampled_from("abdehinoprstx-/._1"), min_size=1, max_size=20))
def test_what_is_not_listed_is_not_there(client: Client, path: str) -> None:
    if find("/" + path) is None:
        assert client.get(f"/connexion/{path}").status in (404, 400)


@pytest.mark.row("DOC-02")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Basic " + base64.b64encode(b"admin:admin").decode()),
        ("Authorization", "Bearer " + "a" * 40),
        ("X-Remote-User", "admin"),
        ("Remote-User", "admin"),
        ("X-Forwarded-User", "admin"),
        ("ct-remote-user", "jdupont"),
        ("Cookie", "__Host-ig-session=admin"),
    ],
)
def test_no_header_signs_anybody_in(client: Client, name: str, value: str) -> None:
    assert client.get("/missions", headers=[(name, value)]).status == 303
    for user in ("admin", "root", "test", "demo", "imagin"):
        assert client.get(f"/missions?user={user}&login={user}&key={user}").status == 303
