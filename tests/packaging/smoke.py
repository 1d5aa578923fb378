"""Uses the installed package as a stranger would: `python smoke.py [EXTRA...]`, the extras that are installed.

Run by the interpreter of a clean environment, from any folder but the project's: it imports nothing of the tests. A
fault is an exception.
"""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

WEB = ("flask", "django", "fastapi", "starlette", "litestar")
WSGI: dict[str, Any] = {"wsgi.version": (1, 0), "wsgi.url_scheme": "http", "SERVER_NAME": "127.0.0.1"}


def is_installed() -> None:
    """It is the installed one, whole, of one version, and typed."""
    import imagin_gateway

    where = Path(str(imagin_gateway.__file__)).parent
    assert where.parent.name == "site-packages", where
    assert imagin_gateway.__version__ == version("imagin-gateway")
    package = files("imagin_gateway")
    for name in ("py.typed", "pages/texts/fr.toml", "pages/templates/base.html", "pages/styles/gateway.css"):
        assert package.joinpath(name).is_file(), name


def decides() -> None:
    """The policy alone: nothing else is loaded."""
    code = (
        "import sys; from imagin_gateway.policy import Facts, siec; print(siec().decide(Facts()).sentence.fr);"
        "assert not {'pydantic', 'jinja2', 'sqlalchemy', 'lxml'} & set(sys.modules)"
    )
    assert _run("-c", code).stdout.strip()


def says_what_is_missing(extras: Iterable[str]) -> None:
    """A framework's mount without its extra, and settings that ask for one: told with the line that installs it."""
    from imagin_gateway import SettingsError, testing

    here = set(extras) | ({"starlette"} if {"fastapi"} & set(extras) else set())
    for name in WEB:
        try:
            importlib.import_module(f"imagin_gateway.mounts.{name}")
        except ModuleNotFoundError as error:
            assert name not in here, error
            assert f"pip install 'imagin-gateway[{name}]'" in str(error), error
        else:
            assert name in here, f"the mount of {name} came without {name}"
    asked: dict[str, dict[str, Any]] = {
        "second-factor": {"second_factor": {"mode": "required"}},
        "postgresql": {"accounts": {"url": "postgresql+psycopg://nobody@127.0.0.1:9/nowhere"}},
    }
    for extra, changes in asked.items():
        keys = {"signing": ["s1" + "abcdefghij" * 5], "provisional": ["p1" + "klmnopqrst" * 5]}
        keys["factors"] = ["f1" + "uvwxyz0123" * 5]
        with tempfile.TemporaryDirectory() as folder:
            try:
                testing.settings(Path(folder), keys=keys, **changes)
            except SettingsError as error:
                assert extra not in here, error
                assert f"pip install 'imagin-gateway[{extra}]'" in str(error), error
            else:
                assert extra in here, f"settings that need {extra} were taken without it"


def stands_before(mount: Callable[[Any], Callable[[str], tuple[int, str]]]) -> None:
    """The gateway before a host: tables are made, pages written, a protected address refused."""
    from imagin_gateway import Gateway, testing

    with tempfile.TemporaryDirectory() as name:
        settings = testing.settings(Path(name), protect=[{"prefix": "/espace"}])
        with Gateway(settings, sends_mail=False) as gateway:
            get = mount(gateway)
            assert get("/") == (200, "Bonjour"), get("/")
            assert get("/espace")[0] == 303
            status, page = get("/connexion/")
            assert status == 200, status
            assert "<html" in page
            style = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
            assert get(style)[0] == 200, style
            assert get("/connexion/nulle-part")[0] == 404


def runs_migrations() -> None:
    """The tables of the accounts, made by the migrations that the package carries."""
    from imagin_gateway.local.migrate import REVISIONS, upgrade_accounts

    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "accounts.db"
        upgrade_accounts(f"sqlite:///{file}")
        import sqlite3

        with sqlite3.connect(file) as base:
            assert base.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISIONS[-1],)]
        base.close()


def has_commands(extras: Iterable[str]) -> None:
    """`imagin-gateway --help`, or which extra it lacks."""
    code = (
        "import sys; from importlib.metadata import entry_points as points; sys.argv[1:] = ['--help'];"
        "(point,) = points(group='console_scripts', name='imagin-gateway'); point.load()()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if "cli" in extras:
        assert done.returncode == 0, done.stderr
        assert "convocations" in done.stdout
    else:
        assert done.returncode == 2, done
        assert "pip install 'imagin-gateway[cli]'" in done.stderr


# --- hosts


def plain_wsgi(gateway: Any) -> Callable[[str], tuple[int, str]]:
    def host(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"Bonjour"]

    return _wsgi(gateway.wsgi(host))


def plain_asgi(gateway: Any) -> Callable[[str], tuple[int, str]]:
    async def host(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"Bonjour"})

    return _asgi(gateway.asgi(host))


def flask(gateway: Any) -> Callable[[str], tuple[int, str]]:
    import flask

    from imagin_gateway.mounts.flask import init_app

    app = flask.Flask("host")
    init_app(app, gateway)
    app.add_url_rule("/", view_func=lambda: "Bonjour")
    return _wsgi(app)


def django(gateway: Any) -> Callable[[str], tuple[int, str]]:
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import path

    class Urls:
        urlpatterns = (path("", lambda request: HttpResponse("Bonjour")),)

    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=Urls, MIDDLEWARE=["imagin_gateway.mounts.django.person_middleware"]
    )
    return _wsgi(gateway.wsgi(get_wsgi_application()))


def fastapi(gateway: Any) -> Callable[[str], tuple[int, str]]:
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse

    from imagin_gateway.mounts.fastapi import Person

    app = FastAPI()

    async def hello(person: Any) -> PlainTextResponse:
        return PlainTextResponse("Bonjour" if person is None else person.display_name)

    hello.__annotations__.update({"person": Person, "return": PlainTextResponse})
    app.get("/")(hello)
    return _asgi(gateway.asgi(app))


def starlette(gateway: Any) -> Callable[[str], tuple[int, str]]:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    return _asgi(gateway.asgi(Starlette(routes=[Route("/", lambda request: PlainTextResponse("Bonjour"))])))


def litestar(gateway: Any) -> Callable[[str], tuple[int, str]]:
    from litestar import Litestar, get

    from imagin_gateway.mounts.litestar import provide_person

    async def hello() -> str:
        return "Bonjour"

    hello.__annotations__["return"] = str
    app = Litestar([get("/", media_type="text/plain")(hello)], dependencies={"person": provide_person})
    return _asgi(gateway.asgi(app))


def _wsgi(app: Any) -> Callable[[str], tuple[int, str]]:
    def get(path: str) -> tuple[int, str]:
        import io

        said: list[int] = []

        def start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], None]:
            said.append(int(status[:3]))
            return lambda _: None

        environ = {**WSGI, "REQUEST_METHOD": "GET", "PATH_INFO": path, "SCRIPT_NAME": "", "HTTP_HOST": "127.0.0.1"}
        environ |= {"QUERY_STRING": "", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "192.0.2.1"}
        environ |= {"wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr}
        body = b"".join(app(environ, start_response)).decode()
        return said[-1], body

    return get


def _asgi(app: Any) -> Callable[[str], tuple[int, str]]:
    async def asked(path: str) -> tuple[int, str]:
        said: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            said.append(message)

        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "path": path,
        }
        scope |= {"raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http"}
        scope |= {"headers": [(b"host", b"127.0.0.1")], "client": ("192.0.2.1", 4), "server": ("127.0.0.1", 80)}
        await app(scope, receive, send)
        body = b"".join(message.get("body", b"") for message in said)
        return int(said[0]["status"]), body.decode()

    return lambda path: asyncio.run(asked(path))


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def main(extras: list[str]) -> None:
    """All of it, with what is installed."""
    is_installed()
    decides()
    says_what_is_missing(extras)
    for mount in (plain_wsgi, plain_asgi, *(globals()[name] for name in WEB if name in extras)):
        stands_before(mount)
    runs_migrations()
    has_commands(extras)


if __name__ == "__main__":
    main(sys.argv[1:])
