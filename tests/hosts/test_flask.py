"""What templates of a Flask application are told."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, render_template_string

from imagin_gateway import Gateway, testing
from imagin_gateway.mounts.flask import init_app

TOLD = "{{ person.subject if person else 'personne' }} {{ visitor.logout_path }}"


def test_templates_know_who_is_there_and_are_rendered_where_nobody_can_be(tmp_path: Path) -> None:
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: render_template_string(TOLD))
    with Gateway(testing.settings(tmp_path), sends_mail=False) as gateway:
        init_app(app, gateway)
        client = app.test_client()
        assert client.get("/").text == "personne /connexion/fin"
        testing.sign_in(client, gateway)
        assert client.get("/").text == "jdupont /connexion/fin"
        for context in (app.app_context(), app.test_request_context()):
            with context:
                assert render_template_string(TOLD) == "personne "
