"""Flask: `gunicorn "examples.hosts.flask_app:create()"`."""

from __future__ import annotations

import os
from datetime import timedelta

from flask import Flask, Response

from imagin_gateway import Activity, Gateway, Settings
from imagin_gateway.mounts.flask import asking, init_app, person, signed_in


def create() -> Flask:
    app = Flask(__name__)
    init_app(app, Gateway(Settings.load(os.environ["IMAGIN_GATEWAY_FILE"])))

    @app.get("/")
    def home() -> str:
        who = person()
        return f"Bonjour {who.display_name}" if who else "Bonjour"

    @app.route("/espace", methods=["GET", "POST"])
    @signed_in()
    def space() -> str:
        return f"Espace de {_name()}"

    @app.get("/missions")
    @signed_in(Activity.MISSIONS)
    def missions() -> str:
        return f"Missions de {_name()}"

    @app.get("/frais")
    @signed_in(Activity.EXPENSES)
    async def expenses() -> str:
        return f"Frais de {_name()}"

    @app.get("/sensible")
    def sensitive() -> str | Response:
        refused = asking(recent=timedelta(minutes=5))()
        return refused or f"Sensible : {_name()}"

    return app


def _name() -> str:
    who = person()
    return who.display_name if who else ""
