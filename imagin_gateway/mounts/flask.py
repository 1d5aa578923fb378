"""The gateway in a Flask application: mounted, read, asked.

::

    app = Flask(__name__)
    init_app(app, Gateway(Settings.load("gateway.toml")))


    @app.get("/missions")
    @signed_in(Activity.MISSIONS)
    def missions() -> str:
        return f"Missions de {person().display_name}"
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar

from imagin_gateway.exchange import Response
from imagin_gateway.extras import needs
from imagin_gateway.gateway import Gateway
from imagin_gateway.identity import Activity, Identity
from imagin_gateway.mounts.asked import asked
from imagin_gateway.mounts.asking import examine
from imagin_gateway.mounts.incoming import KEY
from imagin_gateway.mounts.mistakes import AROUND_A_CLASS
from imagin_gateway.mounts.visitor import Visitor
from imagin_gateway.mounts.visitor import visitor as visitor_of

with needs("flask"):
    import flask

View = TypeVar("View", bound=Callable[..., Any])


def init_app(app: flask.Flask, gateway: Gateway) -> None:
    """Mount the gateway around an application; its templates get `person` and `visitor`.

    Both are None in a template that no request asks for, such as that of a mail.

    Raises:
        RuntimeError: the gateway is mounted there already.
    """
    app.wsgi_app = gateway.wsgi(app.wsgi_app)  # type: ignore[method-assign]  # Flask's own documented way
    app.context_processor(_for_templates)


def _for_templates() -> dict[str, Any]:
    # Mail is written by commands and tasks, in the context of the application or in one made by hand.
    if not flask.has_request_context() or KEY not in flask.request.environ:
        return {"person": None, "visitor": None}
    return {"person": person(), "visitor": visitor()}


def visitor() -> Visitor:
    """Return the visitor of the current request. Raises `RuntimeError` where the gateway is not mounted."""
    return visitor_of(flask.request)


def person() -> Identity | None:
    """Return who is signed in, or None. Raises `RuntimeError` where the gateway is not mounted."""
    return visitor().person


def signed_in(
    *activities: Activity | str, recent: timedelta | None = None, strength: Collection[str] = ()
) -> Callable[[View], View]:
    """Protect a view. Stands below the route's own decorator, above those that change what the view answers.

    Args:
        activities: each must be open to the person.
        recent: longest time since the person last proved who they are.
        strength: values of `acr` or `amr`, one of which must have been reached.

    Raises:
        TypeError, ValueError: what is asked makes no sense; told when the view is defined.
    """
    ask = asking(*activities, recent=recent, strength=strength)

    def decorate(view: View) -> View:
        if isinstance(view, type):
            raise TypeError(AROUND_A_CLASS.format(name=view.__name__, instead="write decorators = [signed_in()] in it"))

        @wraps(view)
        def guarded(*args: Any, **named: Any) -> Any:
            refused = ask()
            return flask.current_app.ensure_sync(view)(*args, **named) if refused is None else refused

        return guarded  # type: ignore[return-value]  # same parameters

    return decorate


def asking(
    *activities: Activity | str, recent: timedelta | None = None, strength: Collection[str] = ()
) -> Callable[[], flask.Response | None]:
    """Return what protects every view of a blueprint: `blueprint.before_request(asking(Activity.MISSIONS))`.

    Args and Raises: as for `signed_in`.
    """
    what = asked(activities, recent, strength)

    def ask() -> flask.Response | None:
        found = examine(flask.request, what)
        return _written(found) if isinstance(found, Response) else None

    return ask


def _written(response: Response) -> flask.Response:
    return flask.Response(response.body, response.status, response.header_lines())
