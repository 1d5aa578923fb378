"""Health and figures: what the machine that watches is told, while everything else is down, and by whom it is read."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from imagin_gateway.cli.metrics import DASHBOARD
from imagin_gateway.errors import Code, SettingsError, Unavailable
from imagin_gateway.events import Event, EventName
from imagin_gateway.exchange import Request
from imagin_gateway.flows import readiness
from imagin_gateway.flows.metrics import FIGURES, PREFIX
from imagin_gateway.local import migrate
from tests.flows.conftest import TheHouse, settings_of, sign_in

TOKEN = secrets.token_urlsafe(32)
OPEN = {"metrics": {"enabled": True, "token": TOKEN}}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def down(*_args: object) -> None:
    raise Unavailable("the store at 10.1.2.3 does not answer")


def of(house: TheHouse, path: str, **headers: str) -> Any:
    """Ask as a probe does: by the machine's address, without a cookie."""
    return house.client().get(path, headers={"Host": "10.0.0.9:8000", **headers})


def parts(house: TheHouse) -> tuple[int, dict[str, str]]:
    reply = of(house, "/connexion/sante/pret")
    assert reply.header("cache-control") == "no-store"
    return reply.status, json.loads(reply.text)["parts"]


def break_store(house: TheHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ping", "get", "put", "take"):
        monkeypatch.setattr(house.gateway.house.state, name, down)


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_living_asks_no_store_and_being_ready_names_the_part_that_is_missing(
    kind: str, make_house: Callable[..., TheHouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "FRESH", 0.0)
    house = make_house(kind)
    assert parts(house) == (200, {"sessions": "ok", "accounts": "ok", "events": "ok"})
    break_store(house, monkeypatch)
    monkeypatch.setattr(type(house.gateway.house.direct), "check_schema", down)
    alive = of(house, "/connexion/sante")
    assert (alive.status, json.loads(alive.text)) == (200, {"alive": True})
    status, told = parts(house)
    assert (status, told) == (503, {"sessions": "down", "accounts": "down", "events": "ok"})
    assert "10.1.2.3" not in of(house, "/connexion/sante/pret").text
    assert not alive.header("set-cookie")


def test_a_schema_of_another_release_is_told_and_a_part_that_hangs_is_waited_for_a_moment_only(
    make_house: Callable[..., TheHouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "FRESH", 0.0)
    house = make_house()
    with house.gateway.house.direct._database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0003'")
    assert parts(house) == (503, {"sessions": "ok", "accounts": "migration", "events": "ok"})
    with house.gateway.house.direct._database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = ?", (migrate.REVISIONS[-1],))
    monkeypatch.setattr(readiness, "PATIENCE", 0.1)
    go = threading.Event()
    monkeypatch.setattr(house.gateway.house.state, "ping", go.wait)
    before = threading.active_count()
    for _ in range(5):
        assert parts(house)[1]["sessions"] == "slow"
    assert threading.active_count() <= before + 2
    go.set()


@pytest.mark.row("LOG-11")
def test_a_sink_that_fails_raises_the_health_flag_and_keeps_nobody_out(
    make_house: Callable[..., TheHouse],
) -> None:
    house = make_house()

    def full(_line: str) -> None:
        raise OSError(28, "No space left on device")

    (outlet,) = house.gateway.house.events.outlets
    works = outlet.sink
    outlet.sink = type("Full", (), {"write": lambda _self, line: full(line)})()
    assert sign_in(house, house.client(), "jdupont").status == 200
    assert parts(house) == (200, {"sessions": "ok", "accounts": "ok", "events": "failing"})
    outlet.sink = works
    house.gateway.house.events.emit(Event(name=EventName.LOGOUT))
    assert parts(house)[1]["events"] == "ok"
    assert "login" in [each["event"] for each in house.events], "written late, not lost"


def test_under_asgi_the_probe_is_answered_while_every_thread_waits_for_a_login(
    make_house: Callable[..., TheHouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = make_house("asgi")
    go = threading.Event()
    monkeypatch.setattr("imagin_gateway.mounts.asgi.MOST_WAITING", 0)
    for _ in range(40):
        house.gateway.threads.submit(go.wait)
    try:
        assert of(house, "/connexion/sante").status == 200
        assert of(house, "/connexion/sante/pret").status == 200
        assert house.client().get("/connexion/").status == 503
    finally:
        go.set()


def samples(house: TheHouse) -> dict[str, list[Any]]:
    reply = of(house, "/connexion/metriques", **BEARER)
    assert reply.status == 200
    found: dict[str, list[Any]] = {}
    for family in text_string_to_metric_families(reply.text):
        for sample in family.samples:
            found.setdefault(sample.name.removeprefix(PREFIX), []).append(sample)
    return found


def test_figures_count_logins_by_door_and_reason_and_hold_nothing_of_a_person(
    make_house: Callable[..., TheHouse],
) -> None:
    house = make_house(**OPEN)
    sign_in(house, house.client(), "jdupont")
    client = house.client()
    client.submit(client.get("/connexion/direct"), {"identifiant": "mdurand7", "motdepasse": "mauvais"})
    client.get("/connexion/nulle-part/jdupont")
    told = samples(house)
    logins = {(s.labels["door"], s.labels["outcome"], s.labels["code"]): s.value for s in told["logins_total"]}
    assert logins == {("arena-creteil", "done", ""): 1, ("direct", "refused", "direct.credentials"): 1}
    routes = {s.labels["route"] for s in told["request_seconds_count"]}
    assert {"/direct", "/portail/{door}/acs", "other"} <= routes
    text = of(house, "/connexion/metriques", **BEARER).text
    for private in ("jdupont", "mdurand7", "192.0.2", "127.0.0.1", "R-", *(e.get("person", "-") for e in house.events)):
        if private != "-":
            assert private not in text, private
    assert {sample.labels["part"]: sample.value for sample in told["up"]} == {"sessions": 1, "accounts": 1}
    assert told["outbox_mails"][0].value == 0
    names = {re.sub(r"_(total|created|bucket|count|sum)$", "", name) for name in told}
    assert names <= set(FIGURES)


def test_figures_are_closed_to_whoever_is_not_a_reader(make_house: Callable[..., TheHouse], tmp_path: Path) -> None:
    closed = make_house()
    assert of(closed, "/connexion/metriques", **BEARER).status == 404
    house = make_house(**OPEN)
    for header in ({}, {"Authorization": "Bearer x"}, {"Authorization": TOKEN}, {"Authorization": "Bearer \u00e9"}):
        reply = of(house, "/connexion/metriques", **header)
        assert (reply.status, reply.text) == (404, "")
    assert set(house.codes("request_refused")) == {Code.NOT_FOUND}
    assert TOKEN not in "".join(house.lines)
    elsewhere = make_house(metrics={**OPEN["metrics"], "readers": ["10.0.0.0/8"]})
    assert of(elsewhere, "/connexion/metriques", **BEARER).status == 404
    there = make_house(metrics={**OPEN["metrics"], "readers": ["2001:db8::/32", "::ffff:192.0.2.7"]})
    assert of(there, "/connexion/metriques", **BEARER).status == 200
    for wrong in ({"enabled": True}, {"enabled": True, "token": "short"}, {"readers": ["nowhere"]}):
        with pytest.raises(SettingsError):
            settings_of(tmp_path, metrics=wrong)
    assert TOKEN not in repr(house.gateway.settings)


def test_figures_tell_an_outage_instead_of_failing(
    make_house: Callable[..., TheHouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = make_house(**OPEN)
    break_store(house, monkeypatch)
    monkeypatch.setattr(type(house.gateway.house.direct), "outbox_depth", down)
    told = samples(house)
    assert {sample.labels["part"]: sample.value for sample in told["up"]} == {"sessions": 0, "accounts": 0}
    assert "outbox_mails" not in told


def test_the_figures_of_several_workers_are_added_up(tmp_path: Path) -> None:
    script = """
import os, secrets, sys
from pathlib import Path
from imagin_gateway import Gateway
from imagin_gateway.events import CallSink, Event, EventName
from imagin_gateway.exchange import Request
from tests.flows.conftest import settings_of
token = "t" * 10 + secrets.token_urlsafe(32)
folder = Path(sys.argv[1])
gateway = Gateway(settings_of(folder, metrics={"enabled": True, "token": token}), sink=CallSink(lambda line: None))
for _ in range(3):
    child = os.fork()
    if not child:
        gateway.house.events.emit(Event(name=EventName.LOGIN, door="direct"))
        os._exit(0)
    os.waitpid(child, 0)
request = Request(method="GET", path="/metriques", headers={"authorization": "Bearer " + token})
print(gateway.handle(request).body.decode())
"""
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env={"PROMETHEUS_MULTIPROC_DIR": str(metrics), "PATH": "/usr/bin:/bin", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert 'imagin_gateway_logins_total{code="",door="direct",outcome="done"} 3.0' in ran.stdout
    assert 'imagin_gateway_up{part="accounts"} 1.0' in ran.stdout


def test_a_span_tells_route_and_status_and_nothing_of_a_person(make_house: Callable[..., TheHouse]) -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    house = make_house(metrics={"traces": True})
    assert house.gateway.house.watch is not None
    house.gateway.house.watch._tracer = provider.get_tracer("imagin_gateway")
    sign_in(house, house.client(), "jdupont")
    told = {span.name: dict(span.attributes or {}) for span in exporter.get_finished_spans()}
    assert told["imagin_gateway /portail/{door}/acs"] == {
        "http.request.method": "POST",
        "http.route": "/portail/{door}/acs",
        "imagin_gateway.door": "arena-creteil",
        "http.response.status_code": 303,
    }
    assert "jdupont" not in str([span.to_json() for span in exporter.get_finished_spans()])
    provider.shutdown()


def test_what_does_not_count_imports_nothing_and_wraps_nothing(make_house: Callable[..., TheHouse]) -> None:
    assert make_house().gateway.house.watch is None
    script = (
        "import sys, imagin_gateway.gateway; print([m for m in sys.modules if m.startswith(('prometheus', 'opentel'))])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_every_query_of_the_dashboard_asks_for_figures_that_exist() -> None:
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    assert len(queries) >= 10
    asked = {name for query in queries for name in re.findall(rf"{PREFIX}(\w+)", query)}
    exist = set()
    for name, figure in FIGURES.items():
        exist |= {"counter": {f"{name}_total"}, "gauge": {name}, "histogram": {f"{name}_bucket", f"{name}_count"}}[
            figure.kind
        ]
    assert asked <= exist
    assert {re.sub(r"_(total|bucket|count)$", "", name) for name in asked} == set(FIGURES), "each figure is shown"
    for query in queries:
        for name, labels in re.findall(rf"{PREFIX}(\w+)\{{([^}}]*)\}}", query):
            known = FIGURES[re.sub(r"_(total|bucket|count)$", "", name)].labels
            assert set(re.findall(r"(\w+) ?(?:=~|!=|!~|=)", labels)) <= {*known, "job"}, query
        for grouped in re.findall(r"by \(([^)]*)\)", query):
            names = re.findall(rf"{PREFIX}(\w+)", query)
            labels_of = {
                label for name in names for label in FIGURES[re.sub(r"_(total|bucket|count)$", "", name)].labels
            }
            assert {each.strip() for each in grouped.split(",")} <= labels_of | {"le"}, query


def test_living_is_answered_in_the_event_loop_itself(make_house: Callable[..., TheHouse]) -> None:
    house = make_house("asgi")
    threads: list[str] = []
    handle = house.gateway.handle

    def noted(request: Request) -> Any:
        threads.append(threading.current_thread().name)
        return handle(request)

    house.gateway.handle = noted  # type: ignore[method-assign]  # to see where it runs
    of(house, "/connexion/sante")
    of(house, "/connexion/sante/pret")
    assert not threads[0].startswith("imagin-gateway")
    assert threads[1].startswith("imagin-gateway-watching")
