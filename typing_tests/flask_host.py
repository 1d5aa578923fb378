"""A Flask host."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_type

from flask import Blueprint, Flask

from imagin_gateway import Activity, Gateway, Identity, Settings
from imagin_gateway.mounts import Visitor
from imagin_gateway.mounts.flask import asking, init_app, person, signed_in, visitor

app = Flask(__name__)
init_app(app, Gateway(Settings.load("gateway.toml")))
init_app(Gateway(Settings.load("gateway.toml")), app)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

assert_type(person(), Identity | None)
assert_type(visitor(), Visitor)


@app.get("/frais/<int:year>")
@signed_in(Activity.EXPENSES, recent=timedelta(minutes=5), strength=["mfa"])
def expenses(year: int) -> str:
    return f"{year}"


# The view keeps its own type.
assert_type(expenses(2026), str)
expenses("2026")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

signed_in(recent=300)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

blueprint = Blueprint("frais", __name__)
blueprint.before_request(asking("expenses"))
