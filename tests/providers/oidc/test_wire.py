"""Calls to the provider over real sockets: they end, whatever is at the other end."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from imagin_gateway.errors import AnswerRefused, Code, Unavailable
from imagin_gateway.providers.oidc.bounded import BoundedTransport
from imagin_gateway.providers.oidc.wire import MAX_ANSWER_BYTES, Wire
from tests.clock import ManualClock
from tests.providers.oidc.provider import Answer, Provider
from tests.providers.oidc.serving import over_a_socket, serve

WELL_KNOWN = "/.well-known/openid-configuration"

SHORT = 0.3
"""Seconds an exchange may take in the tests that wait for its end."""

ENDPOINTS = [
    (WELL_KNOWN, Code.OIDC_DISCOVERY),
    ("/keys", Code.OIDC_KEYS),
    ("/token", Code.OIDC_TOKEN_RESPONSE),
    ("/userinfo", Code.OIDC_USERINFO),
]


@pytest.fixture
def served(provider: Provider) -> Iterator[Provider]:
    with serve(provider):
        yield provider


@contextlib.contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Accept connections and let `talk` answer them; give the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError, OSError):
                    connection, _ = listening.accept()
                    with connection:
                        connection.settimeout(2)
                        talk(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            stop.set()
            thread.join()


# --- it works


def test_a_login_over_a_socket(served: Provider, clock: ManualClock) -> None:
    there = over_a_socket(served, clock)
    assert there.login().subject == "person-1"
    assert there.login().given_name == "Élodie"
    there.portal.close()


def test_one_portal_serves_many_threads(served: Provider, clock: ManualClock) -> None:
    there = over_a_socket(served, clock)
    answers = [there.leave() for _ in range(24)]
    with ThreadPoolExecutor(8) as pool:
        assert [arrival.subject for arrival in pool.map(there.come_back, answers)] == ["person-1"] * 24
    assert served.count(WELL_KNOWN) == served.count("/keys") == 1
    there.portal.close()


def test_a_cookie_of_one_login_does_not_travel_with_the_next(served: Provider, clock: ManualClock) -> None:
    there = over_a_socket(served, clock)
    served.replies[WELL_KNOWN] = lambda: _with_cookie(Answer.json(served.discovery()))
    there.login()
    there.login()
    assert not any("cookie" in seen.headers for seen in served.seen)
    there.portal.close()


def _with_cookie(answer: Answer) -> Answer:
    answer.headers["Set-Cookie"] = "session=of-somebody; Path=/"
    return answer


def test_a_proxy_of_the_environment_is_not_used(
    served: Provider, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    there = over_a_socket(served, clock)
    there.login()
    there.portal.close()


# --- redirects, sizes, encodings


@pytest.mark.row("OID-28")
@pytest.mark.parametrize(("path", "code"), ENDPOINTS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(served: Provider, clock: ManualClock, path: str, code: Code, status: int) -> None:
    there = over_a_socket(served, clock)
    served.replies[path] = lambda: Answer(status, headers={"Location": f"{served.issuer}/elsewhere"})
    with pytest.raises(AnswerRefused) as refused:
        there.login()
    assert refused.value.code is code
    assert served.count("/elsewhere") == 0
    there.portal.close()


@pytest.mark.row("OID-28")
@pytest.mark.parametrize(("path", "code"), ENDPOINTS)
def test_an_answer_of_fifty_megabytes_is_not_read(served: Provider, clock: ManualClock, path: str, code: Code) -> None:
    sent: list[int] = []

    def large() -> Iterator[bytes]:
        for _ in range(50 * 16):
            sent.append(1 << 16)
            yield b" " * (1 << 16)

    there = over_a_socket(served, clock)
    served.replies[path] = lambda: Answer(body=large())
    with pytest.raises(AnswerRefused) as refused:
        there.login()
    assert refused.value.code is code
    there.portal.close()
    assert sum(sent) < 50 * 1024 * 1024  # the rest found nobody to read it


@pytest.mark.row("OID-28")
def test_an_answer_of_a_megabyte_is_read(served: Provider, clock: ManualClock) -> None:
    there = over_a_socket(served, clock)
    document = Answer.json(served.discovery()).body
    assert isinstance(document, bytes)
    for size, read in ((MAX_ANSWER_BYTES, True), (MAX_ANSWER_BYTES + 1, False)):
        served.replies[WELL_KNOWN] = lambda size=size: Answer(body=document.ljust(size))  # type: ignore[misc]  # default binds the loop variable
        clock.move(timedelta(hours=1))
        if read:
            there.leave()
        else:
            with pytest.raises(AnswerRefused):
                there.leave()
    there.portal.close()


def test_a_length_that_is_announced_is_not_believed(clock: ManualClock, provider: Provider) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}")

    with raw_server(talk) as port:
        provider.issuer = f"http://localhost:{port}"
        there = over_a_socket(provider, clock, seconds=SHORT)
        with pytest.raises(Unavailable):
            there.leave()
        there.portal.close()


def test_a_compressed_answer_is_refused_without_being_inflated(served: Provider, clock: ManualClock) -> None:
    there = over_a_socket(served, clock)
    bomb = gzip.compress(b" " * 10_000_000)
    served.replies[WELL_KNOWN] = lambda: Answer(body=bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(AnswerRefused) as refused:
        there.leave()
    assert refused.value.code is Code.OIDC_DISCOVERY
    assert served.seen[0].headers["accept-encoding"] == "identity"
    there.portal.close()


def test_an_answer_that_says_it_is_encoded_is_not_read_as_it_stands(served: Provider, clock: ManualClock) -> None:
    there = over_a_socket(served, clock)
    served.replies[WELL_KNOWN] = lambda: Answer(
        body=Answer.json(served.discovery()).body, headers={"Content-Encoding": "br"}
    )
    with pytest.raises(AnswerRefused):
        there.leave()
    there.portal.close()


# --- slowness: these tests end because the exchanges do


def forever() -> Iterator[bytes]:
    """One byte now and then, as long as somebody reads."""
    never = threading.Event()
    for _ in itertools.count():
        yield b" "
        never.wait(SHORT / 10)


@pytest.mark.row("OID-28")
@pytest.mark.parametrize("path", [path for path, _ in ENDPOINTS])
@pytest.mark.fault
def test_a_body_that_drips_for_ever_ends_with_the_time_allowed(served: Provider, clock: ManualClock, path: str) -> None:
    there = over_a_socket(served, clock, seconds=SHORT)
    served.replies[path] = lambda: Answer(body=forever())
    with pytest.raises(Unavailable) as unavailable:
        there.login()
    assert unavailable.value.code is Code.PORTAL_UNAVAILABLE
    there.portal.close()


@pytest.mark.row("OID-28")
@pytest.mark.parametrize("drip", [b"", b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"])
@pytest.mark.fault
def test_headers_that_never_end_end_with_the_time_allowed(provider: Provider, clock: ManualClock, drip: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        never = threading.Event()
        if drip.startswith(b"X"):
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for _ in range(1000):
            if drip:
                connection.sendall(drip if drip.startswith(b"X") else b"H")
            elif connection.recv(1) == b"":
                return
            never.wait(SHORT / 10)

    with raw_server(talk) as port:
        provider.issuer = f"http://localhost:{port}"
        there = over_a_socket(provider, clock, seconds=SHORT)
        with pytest.raises(Unavailable):
            there.leave()
        there.portal.close()


@pytest.mark.row("OID-28")
@pytest.mark.fault
def test_a_handshake_that_never_ends_ends_with_the_time_allowed(provider: Provider, clock: ManualClock) -> None:
    def talk(connection: socket.socket) -> None:
        while connection.recv(4096):
            pass

    with raw_server(talk) as port:
        provider.issuer = f"https://localhost:{port}"
        there = over_a_socket(provider, clock, seconds=SHORT)
        with pytest.raises(Unavailable):
            there.leave()
        there.portal.close()


@pytest.mark.fault
def test_a_connection_that_breaks_is_a_failure_of_the_portal(provider: Provider, clock: ManualClock) -> None:
    with raw_server(lambda connection: None) as port:
        provider.issuer = f"http://localhost:{port}"
        there = over_a_socket(provider, clock)
        with pytest.raises(Unavailable):
            there.leave()
        there.portal.close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.fault
def test_nobody_there_is_a_failure_of_the_portal(provider: Provider, clock: ManualClock, host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    provider.issuer = f"http://{host}:{port}"
    there = over_a_socket(provider, clock)
    with pytest.raises(Unavailable) as unavailable:
        there.leave()
    assert unavailable.value.__cause__ is None
    assert unavailable.value.__context__ is None  # nothing of the request hangs from it
    there.portal.close()


@contextlib.contextmanager
def nobody_answers(address: str, port: int) -> Iterator[None]:
    """Leave whoever connects there without a word: nobody accepts, and the queue is full."""
    with socket.socket() as listening, contextlib.ExitStack() as waiting:
        listening.bind((address, port))
        listening.listen(0)
        for _ in range(3):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex((address, port))
        yield


@pytest.mark.skipif(sys.platform != "linux", reason="needs 127.0.0.2, and a queue that says nothing once it is full")
@pytest.mark.fault
def test_an_address_that_says_nothing_leaves_time_for_the_next_one(
    served: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *more: Any, **named: Any) -> list[Any]:
        addresses = ("127.0.0.2", "127.0.0.1") if host == "localhost" else (host,)
        return [found for each in addresses for found in real(each, port, *more, **named)]

    transport, took = BoundedTransport(2), []
    with nobody_answers("127.0.0.2", urlsplit(served.issuer).port or 0), monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        for _ in range(2):
            began = time.monotonic()
            asked = httpx2.Request("GET", served.issuer + WELL_KNOWN, headers={"Connection": "close"})
            with contextlib.closing(transport.handle_request(asked)) as answer:
                assert answer.status_code == 200
                answer.read()
            took.append(time.monotonic() - began)
    transport.close()
    # Half of the time, then none: the address that answered goes first.
    assert 1 <= took[0] < 2
    assert took[1] < 1


def test_a_host_that_has_no_address_is_a_failure_of_the_portal(provider: Provider, clock: ManualClock) -> None:
    provider.issuer = "https://oidc.invalid"
    there = over_a_socket(provider, clock)
    with pytest.raises(Unavailable):
        there.leave()
    there.portal.close()


def test_whoever_waits_for_the_same_document_does_not_wait_in_line(provider: Provider, clock: ManualClock) -> None:
    connections: list[int] = []

    def talk(connection: socket.socket) -> None:
        connections.append(1)
        while connection.recv(4096):
            pass

    with raw_server(talk) as port:
        provider.issuer = f"http://localhost:{port}"
        there = over_a_socket(provider, clock, seconds=SHORT)

        def leave(_: int) -> bool:
            with pytest.raises(Unavailable):
                there.portal.depart(clock.now())
            return True

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(leave, range(40)))
        there.portal.close()
    assert len(connections) == 1


# --- addresses


@pytest.mark.row("OID-28")
@pytest.mark.parametrize("url", ["https://evil.example/", "http://op.example/", "https://op.example:1@evil.example/"])
def test_nothing_is_sent_to_an_address_that_is_not_the_portals(url: str) -> None:
    def never(_: object) -> object:
        raise AssertionError("a request left")

    wire = Wire(
        frozenset({"op.example"}),
        plain_loopback=False,
        timeout=1,
        transport=httpx2.MockTransport(never),  # type: ignore[arg-type]  # never answers
    )
    with pytest.raises(AnswerRefused) as refused:
        wire.get(url, Code.OIDC_DISCOVERY)
    assert refused.value.code is Code.OIDC_DISCOVERY
    with pytest.raises(AnswerRefused):
        wire.post(url, Code.OIDC_TOKEN_RESPONSE, "a=b", {})
    wire.close()


@pytest.mark.row("OID-28")
@pytest.mark.parametrize("source", ["id_token", "userinfo"])
def test_claims_held_elsewhere_are_not_fetched(served: Provider, clock: ManualClock, source: str) -> None:
    elsewhere = {
        "_claim_names": {"codaca": "src1", "email": "src2"},
        "_claim_sources": {
            "src1": {"endpoint": f"{served.issuer}/claims", "access_token": "x"},
            "src2": {"JWT": "eyJhbGciOiJub25lIn0.e30."},
        },
    }
    edit = lambda told: told.update(elsewhere)  # noqa: E731  # one place
    if source == "id_token":
        served.edit_claims = edit
    else:
        served.edit_userinfo = edit
    there = over_a_socket(served, clock)
    arrival = there.login()
    assert served.count("/claims") == 0
    assert arrival.email == "elodie.lefevre@ac-paris.fr"
    assert not any("claim" in name for name in arrival.attributes)
    there.portal.close()
