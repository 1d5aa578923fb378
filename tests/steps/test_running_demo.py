"""The demonstration at work, under uvicorn and gunicorn, asked by machine for all that the document describes.

Requests are made from the document: good ones, wrong ones, as a stranger and as somebody signed in, with tokens of the
forms and without. Whatever comes back must be told of in the document: status, type, headers, members; never a fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as running
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from examples.demo.stage import Stage
from imagin_gateway.openapi import openapi

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

GOOD = "quatre mots sans aucun lien"

EXAMPLES = 4
"""Of each operation, in each way: the whole stays under a minute on two cores."""

SPARED = {"/fin", "/session/toutes", "/mot-de-passe", "/mot-de-passe/nouveau"}
"""Forms that somebody who is signed in does not send: the session would be over."""


class Person:
    """A script in one browser."""

    def __init__(self, stage: Stage) -> None:
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["Accept"] = "application/json"
        self._base = stage.url("/connexion")
        self.sent: dict[str, dict[str, str]] = {}

    def get(self, path: str) -> Any:
        return self.http.get(self._base + path, timeout=30).json()

    def send(self, step: Any, form: str, **filled: str) -> Any:
        told = step["forms"][form]
        action = told["action"].removeprefix("/connexion")
        return self.http.post(self._base + action, json={**told["send"], **filled}, timeout=30).json()

    def fields(self, path: str) -> dict[str, str]:
        """Return what the form of a step sends back, asked for once."""
        if path not in self.sent:
            forms = self.get(path).get("forms") or {}
            self.sent[path] = next(iter(forms.values()))["send"] if forms else {}
        return self.sent[path]


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    host: Literal["asgi", "wsgi"] = request.param
    with Stage(tmp_path_factory.mktemp("demo"), host=host) as stage:
        yield stage


def signed_in(stage: Stage) -> Person:
    """Return somebody of the direct door, by the whole way in."""
    person, letter = Person(stage), stage.letter("surveillant")
    told = person.send(person.get("/direct"), "login", identifiant=letter.identifier, motdepasse=letter.password)
    assert told == {"step": "go", "to": "/connexion/mot-de-passe", "by": "request"}, told
    told = person.send(person.get("/mot-de-passe"), "password", nouveau=GOOD, encore=GOOD)
    assert told == {"step": "go", "to": "/missions", "by": "navigation"}, told
    return person


def test_the_way_in_and_out_by_json(demo: Stage) -> None:
    """The main journey, at the real servers: refused, in, prolonged, out."""
    person, letter = Person(demo), demo.letter("inspecteur général")
    refused = person.send(person.get("/direct"), "login", identifiant=letter.identifier, motdepasse="faux")
    assert (refused["status"], refused["code"]) == (403, "direct.credentials")
    told = person.send(refused["again"], "login", identifiant=letter.identifier, motdepasse=letter.password)
    assert told["to"] == "/connexion/mot-de-passe"
    assert person.send(person.get("/mot-de-passe"), "password", nouveau=GOOD, encore=GOOD)["to"] == "/missions"
    assert person.send(person.get("/session"), "extend")["step"] == "session"
    assert person.send(person.get("/fin"), "logout")["to"] == "/connexion/fin/faite"
    assert person.get("/session")["status"] == 401


def test_whatever_is_asked_is_answered_as_the_document_says(demo: Stage) -> None:
    schema = schemathesis.openapi.from_dict(openapi())
    people = {"stranger": Person(demo), "signed in": signed_in(demo)}
    asked: list[tuple[str, str, int]] = []

    def attempt(operation: Any, who: str, mode: GenerationMode) -> None:
        person = people[who]

        @running(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode), ours=st.booleans())
        def once(case: Any, ours: bool) -> None:
            if ours and isinstance(case.body, dict):
                case.body = {**case.body, **person.fields(operation.path)}
            answer = case.call(base_url=demo.url("/connexion"), session=person.http)
            asked.append((operation.path, operation.method, answer.status_code))
            more = [negative_data_rejection] if mode is GenerationMode.NEGATIVE and operation.method == "post" else []
            case.validate_response(answer, checks=[*CHECKS, *more])

        once()

    for found in schema.get_all_operations():
        operation = cast(Any, found).ok()
        for who in people:
            if who == "stranger" or operation.path not in SPARED:
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    if mode is GenerationMode.POSITIVE or operation.method == "post":
                        attempt(operation, who, mode)
    statuses = {status for _, _, status in asked}
    # It got somewhere: steps, refusals of every kind, and the session still there.
    assert {200, 400, 401, 403, 404} <= statuses
    assert people["signed in"].get("/session")["step"] == "session"
    reached = {(path, method) for path, method, status in asked if status == 200}
    assert {("/direct", "get"), ("/session", "post"), ("/question", "get"), ("/portail/{door}", "get")} <= reached


def test_a_method_that_does_nothing_says_which_do(demo: Stage) -> None:
    person = Person(demo)
    for path, told in openapi()["paths"].items():
        for method in {"get", "post", "put", "delete", "patch"} - set(told):
            answer = person.http.request(method, demo.url("/connexion" + path.format(door="direct")), timeout=30)
            assert answer.status_code == 405, (method, path)
            assert answer.json()["code"] == "request.method_not_allowed"
            assert {each.lower() for each in answer.headers["Allow"].split(", ")} - {"head"} == set(told) - {
                "parameters"
            }


def test_the_events_tell_no_fault(demo: Stage) -> None:
    """Last: nothing above broke anything inside."""
    events = (Path(demo.folder) / "events.jsonl").read_text(encoding="utf-8")
    assert '"house.fault"' not in events
    assert "Traceback" not in demo.log_tail()
