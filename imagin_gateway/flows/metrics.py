"""Figures for Prometheus, and spans for OpenTelemetry: counts and times, nobody's name.

Every label has a closed set of values: doors, kinds, codes, routes, sinks. What each
process counts is added up over the workers of a server (`PROMETHEUS_MULTIPROC_DIR`);
what they share (the outbox, metadata) is asked for when the figures are read.
"""

from __future__ import annotations

import hmac
import importlib
import ipaddress
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from imagin_gateway.clock import timestamp
from imagin_gateway.errors import Code, GatewayError, Problem, SettingsError
from imagin_gateway.events import Event, EventName
from imagin_gateway.events.kinds import KINDS
from imagin_gateway.exchange import Request, Response
from imagin_gateway.flows.house import House, Visit

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

METRICS: Final = "/metriques"

PREFIX: Final = "imagin_gateway_"

_LOGINS: Final = {EventName.LOGIN, EventName.LOGIN_REFUSED, EventName.PORTAL_FAILED}
_MAILS: Final = {EventName.MAIL_SENT, EventName.MAIL_FAILED}

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure.

    Attributes:
        kind: `counter`, `gauge` or `histogram`.
        says: what it says.
        labels: each of a closed set of values.
        shared: the same for every process: asked for when read.
    """

    kind: str
    says: str
    labels: tuple[str, ...] = ()
    shared: bool = False


FIGURES: Final[dict[str, Figure]] = {
    "logins": Figure("counter", "Logins by door, outcome and reason.", ("door", "outcome", "code")),
    "events": Figure("counter", "Events by kind and outcome.", ("event", "outcome")),
    "mails": Figure("counter", "Mails by kind and outcome.", ("mail", "outcome")),
    "request_seconds": Figure("histogram", "Time to answer a request to our own pages.", ("route", "status")),
    "password_checks_waiting": Figure("gauge", "Passwords that wait for a turn to be hashed."),
    "password_checks_working": Figure("gauge", "Passwords being hashed."),
    "sessions_known": Figure("gauge", "Sessions that processes know without asking the store."),
    "session_reads": Figure("counter", "Sessions read, from the process or from the store.", ("source",)),
    "events_written": Figure("counter", "Lines written by a sink of events.", ("sink",)),
    "events_lost": Figure("counter", "Lines a sink of events could not keep.", ("sink",)),
    "event_sink_failures": Figure("counter", "Writes to a sink of events that raised.", ("sink",)),
    "event_sink_failing": Figure("gauge", "Processes for which a sink of events fails now.", ("sink",)),
    "outbox_mails": Figure("gauge", "Mails that wait to leave.", shared=True),
    "outbox_oldest_seconds": Figure("gauge", "Age of the oldest mail that waits.", shared=True),
    "metadata_age_seconds": Figure("gauge", "Time since a portal's metadata was last asked for.", ("door",), True),
    "up": Figure("gauge", "1 while a store answers.", ("part",), True),
}
"""Every figure there is: the dashboard and the documentation are held to this table."""


class Meter:
    """Counts what happens in this process.

    Args:
        house: whose events are counted.

    Raises:
        SettingsError: prometheus-client is not installed.
    """

    def __init__(self, house: House) -> None:
        try:
            self._prometheus: Any = importlib.import_module("prometheus_client")
        except ModuleNotFoundError:
            remedy = "pip install 'imagin-gateway[metrics]', ou enabled = false"
            raise SettingsError([Problem("metrics.enabled", "prometheus-client manque", remedy)]) from None
        self._house = house
        self._registry = self._prometheus.CollectorRegistry()
        self._made: dict[str, Any] = {name: self._make(name) for name, each in FIGURES.items() if not each.shared}
        self._doors = {*house.policy.doors, *house.portals}
        self._told: dict[tuple[str, str], int] = {}
        house.events.listen(self._hear)

    def _make(self, name: str) -> Any:
        figure = FIGURES[name]
        more: dict[str, Any] = {"registry": self._registry, "labelnames": figure.labels}
        if figure.kind == "histogram":
            return self._prometheus.Histogram(PREFIX + name, figure.says, buckets=BUCKETS, **more)
        if figure.kind == "gauge":
            return self._prometheus.Gauge(PREFIX + name, figure.says, multiprocess_mode="livesum", **more)
        return self._prometheus.Counter(PREFIX + name, figure.says, **more)

    def _hear(self, event: Event) -> None:
        outcome = KINDS[event.name].outcome.value
        self._made["events"].labels(event.name.value, outcome).inc()
        if event.name in _LOGINS:
            door = event.door if event.door in self._doors else "other"
            self._made["logins"].labels(door, outcome, event.code.value if event.code else "").inc()
        elif event.name in _MAILS:
            self._made["mails"].labels(str(event.detail.get("mail", "")), outcome).inc()

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        self._made["request_seconds"].labels(route, f"{status // 100}xx").observe(seconds)
        self.refresh()

    def refresh(self) -> None:
        """Take over what parts of this process counted by themselves."""
        limiter = self._house.direct.limiter
        self._made["password_checks_waiting"].set(limiter.waiting)
        self._made["password_checks_working"].set(limiter.working)
        sessions = self._house.sessions
        self._made["sessions_known"].set(sessions.known)
        for source, count in (("process", sessions.found_here), ("store", sessions.asked)):
            self._more("session_reads", source, count)
        for outlet in self._house.events.outlets:
            self._more("events_written", outlet.name, outlet.written)
            self._more("events_lost", outlet.name, outlet.lost)
            self._more("event_sink_failures", outlet.name, outlet.failures)
            self._made["event_sink_failing"].labels(outlet.name).set(int(outlet.failing))

    def _more(self, name: str, label: str, count: int) -> None:
        more = count - self._told.get((name, label), 0)
        self._told[name, label] = count
        if more > 0:
            self._made[name].labels(label).inc(more)

    def text(self) -> bytes:
        """Return every figure, of every worker, in the text form of Prometheus."""
        self.refresh()
        registry = self._registry
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            registry = self._prometheus.CollectorRegistry()
            importlib.import_module("prometheus_client.multiprocess").MultiProcessCollector(registry)
        shared = self._prometheus.CollectorRegistry()
        shared.register(_Shared(self._house))
        told: bytes = self._prometheus.generate_latest(registry) + self._prometheus.generate_latest(shared)
        return told


class _Shared:
    """What processes share, asked for when it is read. A part that does not answer is left out, and told as down."""

    def __init__(self, house: House) -> None:
        self._house = house

    def collect(self) -> Iterator[Metric]:
        """Yield the shared figures."""
        from prometheus_client.core import GaugeMetricFamily

        def gauge(name: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(PREFIX + name, FIGURES[name].says, labels=FIGURES[name].labels)

        house, now = self._house, self._house.clock.now()
        up = gauge("up")
        up.add_metric(["sessions"], float(_answers(house.state.ping)))
        mails, oldest = gauge("outbox_mails"), gauge("outbox_oldest_seconds")
        try:
            waiting, since = house.direct.outbox_depth()
            mails.add_metric([], waiting)
            oldest.add_metric([], 0 if since is None else max(0.0, timestamp(now) - timestamp(since)))
            up.add_metric(["accounts"], 1)
            yield mails
            yield oldest
        except GatewayError:
            up.add_metric(["accounts"], 0)
        yield up
        ages = gauge("metadata_age_seconds")
        for door, portal in house.portals.items():
            asked = getattr(getattr(portal, "source", None), "asked_at", None)
            if asked is not None:
                ages.add_metric([door], max(0.0, timestamp(now) - timestamp(asked)))
        yield ages


def _answers(question: Callable[[], None]) -> bool:
    try:
        question()
    except GatewayError:
        return False
    return True


class Watch:
    """Times each request to our own pages, and opens a span around it.

    Args:
        house: the rooms.

    Raises:
        SettingsError: what the settings ask for is not installed.
    """

    def __init__(self, house: House) -> None:
        wanted = house.settings.metrics
        self.meter = Meter(house) if wanted.enabled else None
        self._tracer: Any = None
        if wanted.traces:
            try:
                self._tracer = importlib.import_module("opentelemetry.trace").get_tracer("imagin_gateway")
            except ModuleNotFoundError:
                remedy = "pip install 'imagin-gateway[metrics]', ou traces = false"
                raise SettingsError([Problem("metrics.traces", "opentelemetry-api manque", remedy)]) from None

    def around(self, request: Request, route: str, door: str, answer: Callable[[Request], Response]) -> Response:
        """Answer a request, timed.

        Args:
            request: to one of our own pages.
            route: pattern of its address, "other" for what is none.
            door: in that address, if there is such a door.
            answer: answers it.
        """
        if self._tracer is None:
            return self._timed(request, route, answer)
        attributes = {"http.request.method": request.method[:16], "http.route": route}
        if door:
            attributes["imagin_gateway.door"] = door
        with self._tracer.start_as_current_span(
            f"imagin_gateway {route}", attributes=attributes, record_exception=False
        ) as span:
            response = self._timed(request, route, answer)
            span.set_attribute("http.response.status_code", response.status)
            return response

    def _timed(self, request: Request, route: str, answer: Callable[[Request], Response]) -> Response:
        if self.meter is None:
            return answer(request)
        began = time.perf_counter()
        response = answer(request)
        self.meter.answered(route, response.status, time.perf_counter() - began)
        return response


def show(house: House, visit: Visit) -> Response:
    """Return the figures to a reader of the settings; to anybody else, there is no such page."""
    wanted, request = house.settings.metrics, visit.request
    meter = house.watch.meter if house.watch is not None else None
    if meter is None or wanted.token is None:
        raise GatewayError("the figures are closed", code=Code.NOT_FOUND)
    given = request.headers.get("authorization", "")
    right = hmac.compare_digest(given.encode(), f"Bearer {wanted.token.reveal()}".encode())
    if not right or not _from_there(request.address, wanted.readers):
        raise GatewayError("not a reader of the figures", code=Code.NOT_FOUND)
    return Response(200, meter.text(), "text/plain; version=0.0.4; charset=utf-8", house.pages.bare_headers())


def _from_there(address: str, readers: tuple[str, ...]) -> bool:
    if not readers:
        return True
    try:
        here = ipaddress.ip_address(address)
    except ValueError:
        return False
    # The settings may name one as a server that listens on `::` tells who comes by IPv4.
    names = [here, ipaddress.ip_address(f"::ffff:{here}")] if here.version == 4 else [here]
    return any(name in ipaddress.ip_network(reader) for reader in readers for name in names)
