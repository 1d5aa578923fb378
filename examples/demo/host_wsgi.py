"""« Mes missions » under WSGI: a Flask application behind the gateway."""

from __future__ import annotations

import os

from flask import Flask, request

from examples.demo import missions
from imagin_gateway import Gateway, Settings
from imagin_gateway.mounts import visitor


def create() -> Flask:
    """Return the application, for `gunicorn "examples.demo.host_wsgi:create()"`."""
    app = Flask(__name__)

    @app.get("/")
    def home() -> str:
        return missions.home(visitor(request))

    @app.get("/missions")
    @app.get("/missions/<mission>")
    def mine(mission: str = "") -> str:
        return missions.missions(visitor(request), mission)

    @app.get("/frais")
    def expenses() -> str:
        return missions.simple("Mes frais", visitor(request))

    @app.get("/coordonnees")
    def details() -> str:
        return missions.simple("Mes coordonnées", visitor(request))

    gateway = Gateway(Settings.load(os.environ["IMAGIN_GATEWAY_FILE"]))
    app.wsgi_app = gateway.wsgi(app.wsgi_app)  # type: ignore[method-assign]  # Flask's own documented way
    return app
