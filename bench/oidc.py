"""The answer of an OpenID provider: beside joserfc alone, beside authlib's integration, and while a provider hangs."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final, cast
from urllib.parse import urlencode

import httpx2
from joserfc import jwt
from starlette.requests import Request as StarletteRequest

from bench.frame import Report, Timing, run, timed
from imagin_gateway import Gateway, Settings
from imagin_gateway.events import CallSink
from imagin_gateway.exchange import Request
from imagin_gateway.keys import Secret
from imagin_gateway.providers.oidc.portal import OidcPortal
from imagin_gateway.providers.oidc.request import Registration
from imagin_gateway.providers.oidc.wire import Reply, Wire
from imagin_gateway.settings import OidcPortal as Section
from tests.providers.oidc.provider import CLIENT_ID, CLIENT_SECRET, Provider, public, rsa_key
from tests.providers.oidc.serving import serve

BACK: Final = "https://imagin.example/connexion/portail/arena-paris/retour"
ISSUER: Final = "https://oidc.ac-paris.example"

CALLBACKS: Final = 60
"""Logins a measure, where each has a code of its own."""

REQUESTS: Final = 600
TURNS: Final = 3
USERS: Final = 20
"""People who try the door of one provider, once a second each."""


class Stub:
    """Stands for the wire: every answer is at hand, so that what is timed is what we do with it."""

    def __init__(self, replies: dict[str, Reply]) -> None:
        self._replies = replies

    def allows(self, url: object) -> bool:
        return isinstance(url, str)

    def get(self, url: str, *_: object) -> Reply:
        return self._replies[url]

    def post(self, url: str, *_: object) -> Reply:
        return self._replies[url]

    def close(self) -> None:
        """Nothing to close."""


def _section(issuer: str) -> Section:
    return Section(
        protocol="oidc", issuer=issuer, client_id=CLIENT_ID, client_secret=Secret(CLIENT_SECRET), academie=None
    )


def _reply(document: object) -> Reply:
    return Reply(200, "application/json", json.dumps(document).encode())


def _stubbed(report: Report) -> None:
    """Time one callback, its exchange at hand: ours, joserfc's part of it, authlib's."""
    now = datetime.now(UTC)
    provider = Provider(ISSUER, now, BACK)
    nonce, access, state = secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    header = {"alg": "RS256", "typ": "JWT", "kid": provider.key.kid}
    id_token = provider.sign(header, provider.claims(nonce, access))
    tokens = {"access_token": access, "token_type": "Bearer", "id_token": id_token}
    replies = {
        f"{ISSUER}/.well-known/openid-configuration": _reply(provider.discovery()),
        f"{ISSUER}/keys": _reply(provider.keys()),
        f"{ISSUER}/token": _reply(tokens),
        f"{ISSUER}/userinfo": _reply(provider.person),
    }
    section = _section(ISSUER)
    registration = Registration(CLIENT_ID, Secret(CLIENT_SECRET), "client_secret_basic", BACK, section.scopes)
    wire = cast(Wire, Stub(replies))
    portal = OidcPortal("arena-paris", section, registration, wire, time.monotonic, lambda _: None, "")
    memory = {"door": "arena-paris", "issuer": ISSUER, "nonce": nonce, "verifier": "v" * 43}
    answer = Request("GET", "/retour", urlencode({"code": "c", "state": state, "iss": ISSUER}).encode())

    def ours() -> None:
        arrival = portal.arrive(answer, lambda _: memory, now)
        assert arrival.subject == "person-1"

    key = rsa_key()
    rules = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=30,
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": CLIENT_ID},
        nonce={"essential": True, "value": nonce},
    )

    def floor() -> None:
        rules.validate(jwt.decode(id_token, key, algorithms=["RS256"]).claims)

    bare = _without_exchange(provider, tokens, nonce, state)
    figures = _in_turn(
        {
            "floor: joserfc decode and claims": lambda: timed(floor, repeats=3, seconds=0.05),
            "ours: the whole callback": lambda: timed(ours, repeats=3, seconds=0.05),
            "authlib: the same two steps": lambda: _in_a_loop(bare),
        }
    )
    _table(report, "One callback, what the provider answers at hand (RS256)", figures, 1e6, "µs")
    best = {name: each.best for name, each in figures.items()}
    bottom, mine, _ = best.values()
    report.target("callback_to_floor", mine / bottom, 4, "x")
    bodies = {url.removeprefix(ISSUER): reply.body for url, reply in replies.items()}

    def answered(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=bodies[request.url.path], headers={"Content-Type": "application/json"})

    def streamed(request: httpx2.Request) -> httpx2.Response:
        # We read an answer as it comes, up to a limit.
        content = iter([bodies[request.url.path]])
        return httpx2.Response(200, content=content, headers={"Content-Type": "application/json"})

    transport = httpx2.MockTransport(streamed)
    whole = OidcPortal.open("arena-paris", section, redirect_uri=BACK, development=False, transport=transport)

    def ours_with_client() -> None:
        whole.arrive(answer, lambda _: memory, now)

    app = _authlib(provider.discovery(), provider.keys(), httpx2.MockTransport(answered))

    async def theirs() -> None:
        request = _request({"code": "c", "state": state}, {state: {"nonce": nonce, "redirect_uri": BACK}})
        token = await app.authorize_access_token(request)
        told = await app.userinfo(token=token)
        assert told["sub"] == token["userinfo"]["sub"] == "person-1"

    figures = _in_turn(
        {
            "ours: the whole callback": lambda: timed(ours_with_client, repeats=3, seconds=0.05),
            "authlib's Starlette integration": lambda: _in_a_loop(theirs),
        }
    )
    _table(report, "The same, with each one's HTTP client, its wire stubbed", figures, 1e6, "µs")
    mine, other = (each.best for each in figures.values())
    report.target("callback_to_authlib", mine / other, 1 / 2.5, "x")


def _without_exchange(
    provider: Provider, tokens: dict[str, Any], nonce: str, state: str
) -> Callable[[], Coroutine[Any, Any, None]]:
    """Return authlib's callback with both its calls replaced: it builds no request, and reads no answer."""
    app = _authlib(provider.discovery(), provider.keys())

    async def stubbed_tokens(**_: object) -> dict[str, Any]:
        return dict(tokens)

    async def stubbed_userinfo(**_: object) -> dict[str, Any]:
        return dict(provider.person)

    app.fetch_access_token, app.userinfo = stubbed_tokens, stubbed_userinfo

    async def theirs() -> None:
        request = _request({"code": "c", "state": state}, {state: {"nonce": nonce, "redirect_uri": BACK}})
        token = await app.authorize_access_token(request)
        told = await app.userinfo(token=token)
        assert told["sub"] == token["userinfo"]["sub"] == "person-1"

    return theirs


def _authlib(
    discovery: dict[str, Any], keys: dict[str, Any] | None, transport: httpx2.MockTransport | None = None
) -> Any:
    """Return authlib's client, with its defaults; documents at hand if they are given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from authlib.integrations.starlette_client import OAuth
    oauth = OAuth()
    client = {"name": "p", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    scopes: dict[str, Any] = {"scope": "openid profile email", "code_challenge_method": "S256"}
    # Its Basic header does not encode a secret as RFC 6749 §2.3.1 wants, and the suite's provider reads it so.
    scopes["token_endpoint_auth_method"] = "client_secret_post"
    if transport is not None:
        scopes["transport"] = transport
    if keys is None:
        address = f"{discovery['issuer']}/.well-known/openid-configuration"
        oauth.register(**client, server_metadata_url=address, client_kwargs=scopes)
    else:
        document = {name: value for name, value in discovery.items() if name != "id_token_signing_alg_values_supported"}
        more = {"jwks": keys, "_loaded_at": time.time()}
        oauth.register(**client, client_kwargs=scopes, **document, **more)
    return oauth.create_client("p")


def _request(query: dict[str, str], states: dict[str, dict[str, Any]]) -> StarletteRequest:
    kept = {f"_state_p_{state}": {"data": data, "exp": time.time() + 600} for state, data in states.items()}
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": [], "session": kept}
    return StarletteRequest({**scope, "query_string": urlencode(query).encode()})


def _in_turn(measures: dict[str, Callable[[], Timing]], rounds: int = 8) -> dict[str, Timing]:
    """Measure each in turn, several times, so that a slow moment of the machine falls on all of them."""
    found: dict[str, list[Timing]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure_one in measures.items():
            found[name].append(measure_one())
    return {name: _together(told) for name, told in found.items()}


def _together(told: list[Timing]) -> Timing:
    return Timing(
        min(each.best for each in told), median(each.middle for each in told), sum(each.repeats for each in told)
    )


def _in_a_loop(call: Callable[[], Coroutine[Any, Any, None]], repeats: int = 3, number: int = 100) -> Timing:
    """Time a coroutine inside one event loop, which a server has running anyway."""

    async def measure() -> list[float]:
        found = []
        for _ in range(repeats):
            begin = time.perf_counter()
            for _ in range(number):
                await call()
            found.append((time.perf_counter() - begin) / number)
        return found

    return Timing.of(asyncio.run(measure()))


def _table(report: Report, title: str, figures: dict[str, Timing], scale: float, unit: str) -> None:
    first = next(iter(figures.values())).best
    rows = [(name, each.best * scale, each.middle * scale, each.best / first) for name, each in figures.items()]
    report.table(title, ("what", unit, "median", "x first"), rows)


def _over_loopback(report: Report) -> None:
    """Time callbacks with a provider on loopback: one client and one TLS context kept, or new ones each time."""
    provider = Provider("", datetime.now(UTC), BACK)
    provider.published = [public(rsa_key())]
    # authlib takes a token with a minute left for an expired one.
    provider.edit_tokens = lambda tokens: tokens.update(expires_in=600)
    with serve(provider):
        portal = OidcPortal.open("arena-paris", _section(provider.issuer), redirect_uri=BACK, development=True)
        ours: list[float] = []
        for _ in range(CALLBACKS + 1):
            now = provider.now = datetime.now(UTC)
            departure = portal.depart(now)
            answer = Request("GET", "/retour", urlencode(provider.authorize(departure.url)).encode())
            memory = departure.memory
            begin = time.perf_counter()
            portal.arrive(answer, lambda _, memory=memory: memory, now)  # type: ignore[misc]  # bound now
            ours.append(time.perf_counter() - begin)
        portal.close()
        theirs = asyncio.run(_authlib_callbacks(provider))
    # The first of each opens connections and reads the provider's documents.
    figures = {"ours, one client kept": Timing.of(ours[1:]), "authlib's defaults": Timing.of(theirs[1:])}
    _table(report, "One callback, a provider on loopback", figures, 1e3, "ms")
    report.target("loopback_to_authlib", min(ours[1:]) / min(theirs[1:]), 1 / 5, "x")


async def _authlib_callbacks(provider: Provider) -> list[float]:
    app = _authlib({"issuer": provider.issuer}, None)
    found = []
    for _ in range(CALLBACKS // 3 + 1):
        provider.now = datetime.now(UTC)
        leaving = _request({}, {})
        redirect = await app.authorize_redirect(leaving, BACK)
        answer = provider.authorize(redirect.headers["location"])
        answer.pop("iss", None)
        request = _request(answer, {})
        request.scope["session"] = leaving.session
        begin = time.perf_counter()
        token = await app.authorize_access_token(request)
        told = await app.userinfo(token=token)
        found.append(time.perf_counter() - begin)
        assert told["sub"] == token["userinfo"]["sub"]
    return found


@contextmanager
def _hanging() -> Iterator[str]:
    """Listen on loopback, and never say a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(512)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _while_one_hangs(report: Report) -> None:
    """Time what people of the other doors wait: nobody at a door, a crowd at it, and the same crowd when it hangs."""
    provider = Provider("", datetime.now(UTC), BACK)
    found: dict[str, list[float]] = {"nobody": [], "answers": [], "hangs": []}
    tried: dict[str, int] = {"answers": 0, "hangs": 0}
    with ExitStack() as stack:
        stack.enter_context(serve(provider))
        issuers = {"answers": provider.issuer, "hangs": stack.enter_context(_hanging())}
        gateways = {}
        for name, issuer in issuers.items():
            settings = _settings(Path(stack.enter_context(tempfile.TemporaryDirectory())), issuer)
            gateway = Gateway(settings, sink=CallSink(lambda _: None), sends_mail=False)
            gateways[name] = stack.enter_context(gateway)
        asyncio.run(_in_three_ways(gateways, found, tried))
    rows = [
        ("nobody is at the door", median(found["nobody"]) * 1e3, _late(found["nobody"]) * 1e3),
        (
            f"{USERS} people are at it, its provider answers",
            median(found["answers"]) * 1e3,
            _late(found["answers"]) * 1e3,
        ),
        (f"{USERS} people are at it, its provider hangs", median(found["hangs"]) * 1e3, _late(found["hangs"]) * 1e3),
    ]
    report.table("A page of another door, through the whole gateway (ASGI)", ("while", "median ms", "95th"), rows)
    report.table("Meanwhile, at that door", ("its provider", "requests answered"), list(tried.items()))
    # The crowd itself costs what its requests cost, whatever the provider does: what the hang adds is the question.
    report.target("others_while_one_hangs", median(found["hangs"]) / median(found["answers"]), 1.1, "x")


def _late(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]


async def _in_three_ways(gateways: dict[str, Gateway], found: dict[str, list[float]], tried: dict[str, int]) -> None:
    async def host(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    apps = {name: gateway.asgi(host) for name, gateway in gateways.items()}
    for app in apps.values():
        await _pages(app, 50)
    # In turn, so that a slow moment of the machine falls on all of them.
    for _ in range(TURNS):
        for name, app in apps.items():
            found["nobody"] += await _pages(app, REQUESTS // (2 * TURNS))
            async with _crowd(app) as count:
                await asyncio.sleep(1.5)
                found[name] += await _pages(app, REQUESTS // TURNS)
            tried[name] += count()


@asynccontextmanager
async def _crowd(app: Any) -> AsyncIterator[Callable[[], int]]:
    """Let people try the door, each once a second, until the block ends."""
    tried = 0
    stop = asyncio.Event()

    async def insist(number: int) -> None:
        nonlocal tried
        await asyncio.sleep(number / USERS)
        while not stop.is_set():
            await _get(app, "/connexion/portail/arena-paris", f"192.0.2.{number}")
            tried += 1
            await asyncio.sleep(1)

    crowd = [asyncio.create_task(insist(number)) for number in range(USERS)]
    try:
        yield lambda: tried
    finally:
        stop.set()
        await asyncio.gather(*crowd)


async def _pages(app: Any, number: int) -> list[float]:
    found = []
    for _ in range(number):
        begin = time.perf_counter()
        assert await _get(app, "/connexion/direct", "198.51.100.7") == 200
        found.append(time.perf_counter() - begin)
        await asyncio.sleep(0.01)
    return found


async def _get(app: Any, path: str, address: str) -> int:
    status = 0
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "client": (address, 1)}
    scope["headers"] = [(b"host", b"127.0.0.1:8400")]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    await app(scope, receive, send)
    return status


def _settings(folder: Path, issuer: str) -> Settings:
    return Settings.load(
        development=True,
        base_url="http://127.0.0.1:8400",
        privacy_url="/donnees",
        legal_url="/mentions",
        accessibility_url="/accessibilite",
        keys={"signing": [secrets.token_urlsafe(48)], "provisional": [secrets.token_urlsafe(48)]},
        state={"url": f"sqlite:///{folder}/state.db"},
        accounts={"url": f"sqlite:///{folder}/accounts.db"},
        mail={"host": "127.0.0.1", "port": 9, "security": "none", "sender": "imagin@exemple.test"},
        passwords={"profile": "unsafe-tests"},
        portals={
            "arena-paris": {"protocol": "oidc", "issuer": issuer, "client_id": "x", "client_secret": "y" * 40},
        },
    )


def measure(report: Report) -> None:
    """Measure the callback, the callback over loopback, and the other doors while a provider hangs."""
    _stubbed(report)
    _over_loopback(report)
    _while_one_hangs(report)


if __name__ == "__main__":
    run("oidc", measure)
