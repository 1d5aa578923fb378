"""Who is measured: each builds, in a process of its own, a page without sessions and the same page with them.

Both pages belong to one framework and answer the same bytes; what the second one
costs more is what the session adds. Every library is set up as its documentation
says, and where a choice was open, by the faster one; what was chosen stands
beside it. The imports are inside, because each process has one candidate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.reading import ours
from bench.reading.drive import AsgiPage, Page, Reply, WsgiPage
from bench.reading.ours import OPEN, PROTECTED, WHO

KEY: Final = "a key of the benches, which protects nothing: 0123456789"


@dataclass(frozen=True)
class Pair:
    """The page without sessions and the page with them.

    Attributes:
        bare: without.
        full: with; its request carries the cookie of somebody signed in, except for an anonymous one.
        answers: what the page with sessions says to it.
        close: what to call at the end.
    """

    bare: Page
    full: Page
    answers: str = WHO
    close: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Place:
    """What a candidate may use: a folder of its own, an empty Redis server, an event loop."""

    folder: Path
    redis: str
    runner: asyncio.Runner


@dataclass(frozen=True)
class Candidate:
    """One line of the table.

    Attributes:
        build: makes the two pages.
        beside: name of the application both pages belong to.
        note: what was chosen.
    """

    build: Callable[[Place], Pair]
    beside: str
    note: str = ""


def _ours(kind: str, engine: str, *, somebody: bool = True) -> Callable[[Place], Pair]:
    def build(place: Place) -> Pair:
        state = place.redis if engine == "redis" else f"sqlite:///{place.folder}/state.db"
        front = ours.gateway(place.folder, state)
        path = PROTECTED if somebody else OPEN
        cookie = ours.signed_in(front) if somebody else ""
        answers = WHO if somebody else "nobody"
        bare: Page
        full: Page
        if kind == "asgi":
            bare = AsgiPage(place.runner, ours.raw_asgi, path, cookie)
            full = AsgiPage(place.runner, front.asgi(ours.reading_asgi), path, cookie)
        else:
            bare = WsgiPage(ours.raw_wsgi, path, cookie)
            full = WsgiPage(front.wsgi(ours.reading_wsgi), path, cookie)
        return Pair(bare, full, answers, front.close)

    return build


def _signed_in(page: Page) -> str:
    """Sign in through a page of the application; return the Cookie header it leads to."""
    cookies = page.once().cookies
    assert cookies, "the login gave no cookie"
    return cookies


async def _answer(send: Any, text: str) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text.encode()})


async def _session_asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    if scope["path"] == "/login":
        scope["session"]["user"] = WHO
    await _answer(send, scope["session"].get("user", "nobody"))


def _starlette(place: Place) -> Pair:
    from starlette.middleware.sessions import SessionMiddleware

    app = SessionMiddleware(_session_asgi, KEY, https_only=True)
    cookie = _signed_in(AsgiPage(place.runner, app, "/login"))
    return Pair(
        AsgiPage(place.runner, ours.raw_asgi, PROTECTED, cookie), AsgiPage(place.runner, app, PROTECTED, cookie)
    )


def _starsessions(place: Place) -> Pair:
    from redis.asyncio import Redis
    from starlette.requests import HTTPConnection
    from starsessions import SessionMiddleware, load_session  # type: ignore[import-not-found]  # a peer
    from starsessions.stores.redis import RedisStore  # type: ignore[import-not-found]  # a peer

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await load_session(HTTPConnection(scope))
            await _session_asgi(scope, receive, send)

    app = SessionMiddleware(inside, store=RedisStore(connection=Redis.from_url(place.redis)), lifetime=36_000)
    cookie = _signed_in(AsgiPage(place.runner, app, "/login"))
    return Pair(
        AsgiPage(place.runner, ours.raw_asgi, PROTECTED, cookie), AsgiPage(place.runner, app, PROTECTED, cookie)
    )


def _litestar(store: str) -> Callable[[Place], Pair]:
    def build(place: Place) -> Pair:
        from litestar import Litestar, MediaType, Request, get
        from litestar.middleware.session.client_side import CookieBackendConfig
        from litestar.middleware.session.server_side import ServerSideSessionConfig
        from litestar.stores.redis import RedisStore
        from redis.asyncio import Redis

        async def bare() -> str:
            return WHO

        async def login(request: Any) -> str:
            request.set_session({"user": WHO})
            return WHO

        async def who(request: Any) -> str:
            user: str = request.session.get("user", "nobody")
            return user

        for asks in (login, who):
            asks.__annotations__["request"] = Request
        for handler in (bare, login, who):
            handler.__annotations__["return"] = str
        text: dict[str, Any] = {"media_type": MediaType.TEXT}
        without = Litestar([get(PROTECTED, **text)(bare)])
        config = (
            ServerSideSessionConfig(secure=True) if store == "redis" else CookieBackendConfig(secret=KEY.encode()[:32])
        )
        stores: Any = {"sessions": RedisStore(Redis.from_url(place.redis))} if store == "redis" else {}
        app = Litestar(
            [get("/login", **text)(login), get(PROTECTED, **text)(who)], middleware=[config.middleware], stores=stores
        )
        cookie = _signed_in(AsgiPage(place.runner, app, "/login"))
        return Pair(AsgiPage(place.runner, without, PROTECTED, cookie), AsgiPage(place.runner, app, PROTECTED, cookie))

    return build


def _flask_pair(prepare: Callable[[Any], object], login: Callable[[], str], who: Callable[[], str]) -> Pair:
    from flask import Flask

    without = Flask("without")
    without.add_url_rule(PROTECTED, view_func=lambda: WHO, endpoint="bare")
    app = Flask("with")
    app.config.update(SECRET_KEY=KEY, SESSION_COOKIE_SECURE=True)
    prepare(app)
    app.add_url_rule("/login", view_func=login, endpoint="login")
    app.add_url_rule(PROTECTED, view_func=who, endpoint="who")
    cookie = _signed_in(WsgiPage(app, "/login"))
    return Pair(WsgiPage(without, PROTECTED, cookie), WsgiPage(app, PROTECTED, cookie))


def _in_session() -> tuple[Callable[[], str], Callable[[], str]]:
    from flask import session

    def login() -> str:
        session["user"] = WHO
        return WHO

    return login, lambda: str(session.get("user", "nobody"))


def _flask(place: Place) -> Pair:
    return _flask_pair(lambda app: None, *_in_session())


def _flask_login(place: Place) -> Pair:
    from flask_login import LoginManager, UserMixin, current_user, login_user  # type: ignore[import-not-found]  # a peer

    class User(UserMixin):  # type: ignore[misc]  # of a peer
        id = WHO

    users = {WHO: User()}

    def prepare(app: Any) -> None:
        manager = LoginManager(app)
        manager.user_loader(users.get)

    def login() -> str:
        login_user(users[WHO])
        return WHO

    return _flask_pair(prepare, login, lambda: current_user.id if current_user.is_authenticated else "nobody")


def _flask_session(refresh: bool) -> Callable[[Place], Pair]:
    def build(place: Place) -> Pair:
        from flask_session import Session  # type: ignore[import-not-found]  # a peer
        from redis import Redis

        def prepare(app: Any) -> None:
            app.config.update(
                SESSION_TYPE="redis",
                SESSION_REDIS=Redis.from_url(place.redis),
                SESSION_REFRESH_EACH_REQUEST=refresh,
            )
            Session(app)

        return _flask_pair(prepare, *_in_session())

    return build


def _django(user_row: bool) -> Callable[[Place], Pair]:
    def build(place: Place) -> Pair:
        import django
        from django.conf import settings

        import_urls = type("urls", (), {"urlpatterns": []})
        settings.configure(
            SECRET_KEY=KEY,
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=import_urls,
            INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
            MIDDLEWARE=[],
            DATABASES={
                "default": {
                    "ENGINE": "django.db.backends.sqlite3",
                    "NAME": str(place.folder / "django.db"),
                    "CONN_MAX_AGE": None,  # connections are kept, not made anew for each request
                }
            },
            CACHES={
                "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": place.redis},
            },
            SESSION_ENGINE="django.contrib.sessions.backends.cached_db",
            SESSION_COOKIE_SECURE=True,
            USE_TZ=True,
            LOGGING_CONFIG=None,
        )
        django.setup()
        from django.contrib.auth import get_user_model, login
        from django.core.management import call_command
        from django.core.wsgi import get_wsgi_application
        from django.http import HttpResponse
        from django.urls import path

        call_command("migrate", verbosity=0)
        users = get_user_model().objects
        person = users.filter(username=WHO).first() or users.create(username=WHO)

        def signs_in(request: Any) -> Any:
            if user_row:
                login(request, person, backend="django.contrib.auth.backends.ModelBackend")
            else:
                request.session["user"] = WHO
            return HttpResponse(WHO)

        def who(request: Any) -> Any:
            if user_row:
                return HttpResponse(request.user.get_username() or "nobody")
            return HttpResponse(request.session.get("user", "nobody"))

        import_urls.urlpatterns = [  # type: ignore[attr-defined]  # a module made above
            path("bare", lambda request: HttpResponse(WHO)),
            path("login", signs_in),
            path(PROTECTED[1:], who),
        ]
        without = get_wsgi_application()
        settings.MIDDLEWARE = [
            "django.contrib.sessions.middleware.SessionMiddleware",
            *(["django.contrib.auth.middleware.AuthenticationMiddleware"] if user_row else []),
        ]
        app = get_wsgi_application()
        cookie = _signed_in(WsgiPage(app, "/login"))
        return Pair(WsgiPage(without, "/bare", cookie), WsgiPage(app, PROTECTED, cookie))

    return build


CANDIDATES: Final = {
    "ASGI, SQLite": Candidate(_ours("asgi", "sqlite"), "ASGI"),
    "ASGI, Redis": Candidate(_ours("asgi", "redis"), "ASGI"),
    "ASGI, anonymous": Candidate(_ours("asgi", "redis", somebody=False), "ASGI", "no cookie, a page open to all"),
    "Starlette SessionMiddleware": Candidate(_starlette, "ASGI"),
    "starsessions, Redis": Candidate(_starsessions, "ASGI"),
    "Litestar, cookie": Candidate(_litestar("cookie"), "Litestar"),
    "Litestar, Redis": Candidate(_litestar("redis"), "Litestar"),
    "WSGI, SQLite": Candidate(_ours("wsgi", "sqlite"), "WSGI"),
    "WSGI, Redis": Candidate(_ours("wsgi", "redis"), "WSGI"),
    "WSGI, anonymous": Candidate(_ours("wsgi", "redis", somebody=False), "WSGI", "no cookie, a page open to all"),
    "Flask session": Candidate(_flask, "Flask"),
    "Flask session + Flask-Login": Candidate(_flask_login, "Flask", "the user comes from a dictionary"),
    "Flask-Session, Redis": Candidate(_flask_session(refresh=True), "Flask", "as it comes"),
    "Flask-Session, Redis, no refresh": Candidate(_flask_session(refresh=False), "Flask"),
    "Django cached_db, Redis": Candidate(_django(user_row=False), "Django"),
    "Django cached_db, Redis, + user": Candidate(_django(user_row=True), "Django", "request.user, a row of SQLite"),
}
"""By name; those without the name of a library are the gateway's."""


def check(reply: Reply, expected: str) -> None:
    """Raise unless a page said what it should: a read that is not authenticated measures nothing."""
    if reply.status != 200 or reply.body.decode() != expected:
        raise AssertionError(f"the page answered {reply.status} {reply.body[:80]!r} where {expected!r} was expected")
