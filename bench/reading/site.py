"""The small site of the throughput: one page of a Starlette or a Flask application, with or without the gateway.

`BENCH_SITE` says where the state is ("" for the bare application, `IDLE_THREAD` for that with a second thread). The
page shows twenty missions of the person, through a template of Jinja: some dozens of microseconds, which is little
for a page of an application that has a database. It is nobody else's, so the application forbids to store it, with the
gateway and without: both send the same bytes.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Final

from jinja2 import DictLoader, Environment

from bench.reading import ours
from bench.reading.ours import IDLE_THREAD, PROTECTED, WHO
from imagin_gateway.mounts import person

_TEMPLATE: Final = """<!doctype html><html lang="fr"><title>Mes missions</title><h1>Missions de {{ who }}</h1><table>
{% for each in missions %}<tr><td>{{ each.number }}</td><td>{{ each.place }}</td><td>{{ each.day }}</td></tr>
{% endfor %}</table></html>"""

_PRIVATE: Final = {"Cache-Control": "no-store"}

_page: Final = Environment(loader=DictLoader({"page": _TEMPLATE}), autoescape=True).get_template("page")

_MISSIONS: Final = [
    {"number": each, "place": "Lycée d'Arsonval & annexes", "day": f"2026-06-{each + 1:02}"} for each in range(20)
]


def _shown(who: str) -> str:
    return _page.render(who=who, missions=_MISSIONS)


def _state() -> tuple[Path, str] | None:
    told = os.environ["BENCH_SITE"]
    if told == IDLE_THREAD:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    folder, _, url = told.partition(" ")
    return (Path(folder), url) if url else None


def starlette_site() -> Any:
    """Return the ASGI application, for `uvicorn --factory`."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import HTMLResponse
    from starlette.routing import Route

    async def bare(request: Request) -> HTMLResponse:
        return HTMLResponse(_shown(WHO), headers=_PRIVATE)

    async def reading(request: Request) -> HTMLResponse:
        who = person(request)
        return HTMLResponse(_shown(who.subject if who else "nobody"), headers=_PRIVATE)

    where = _state()
    if where is None:
        return Starlette(routes=[Route(PROTECTED, bare)])
    return ours.gateway(*where).asgi(Starlette(routes=[Route(PROTECTED, reading)]))


def flask_site() -> Any:
    """Return the WSGI application, for `gunicorn 'bench.reading.site:flask_site()'`."""
    from flask import Flask, request

    def bare() -> tuple[str, dict[str, str]]:
        return _shown(WHO), _PRIVATE

    def reading() -> tuple[str, dict[str, str]]:
        who = person(request)
        return _shown(who.subject if who else "nobody"), _PRIVATE

    app = Flask("site")
    where = _state()
    if where is None:
        app.add_url_rule(PROTECTED, view_func=bare, endpoint="bare")
    else:
        app.add_url_rule(PROTECTED, view_func=reading, endpoint="reading")
        app.wsgi_app = ours.gateway(*where).wsgi(app.wsgi_app)  # type: ignore[method-assign]  # as Flask's docs say
    return app
