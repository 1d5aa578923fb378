"""The gateway in a Django project: `request.person`, a decorator and a mixin, under WSGI and ASGI.

::

    # wsgi.py, or the same with asgi
    application = gateway.wsgi(get_wsgi_application())

    # settings.py
    MIDDLEWARE = ["imagin_gateway.mounts.django.person_middleware", ...]


    # views.py
    @signed_in(Activity.MISSIONS)
    def missions(request: HttpRequest) -> HttpResponse:
        return HttpResponse(f"Missions de {request.person.display_name}")

A Django user for each person is the affair of `imagin_gateway.mounts.django.users`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from datetime import timedelta
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, ClassVar, TypeVar

from imagin_gateway.exchange import Response
from imagin_gateway.extras import needs
from imagin_gateway.identity import Activity
from imagin_gateway.mounts.asked import Asked, asked
from imagin_gateway.mounts.asking import examine
from imagin_gateway.mounts.django.telling import telling
from imagin_gateway.mounts.mistakes import AROUND_A_CLASS
from imagin_gateway.mounts.visitor import person as person
from imagin_gateway.mounts.visitor import visitor as visitor

with needs("django"):
    from django.http import HttpResponse
    from django.utils.decorators import sync_and_async_middleware
    from django.views import View as BaseView

View = TypeVar("View", bound=Callable[..., Any])


@sync_and_async_middleware  # type: ignore[untyped-decorator]  # Django has no types
def person_middleware(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Give each request `request.person` (an `Identity`, or None) and `request.visitor`. Waits for nothing.

    Raises:
        RuntimeError: at the first request, when the gateway is not mounted around the project.
    """
    return telling(get_response, _tell)


def _tell(request: Any) -> None:
    request.visitor = visitor(request)
    request.person = request.visitor.person


def signed_in(
    *activities: Activity | str, recent: timedelta | None = None, strength: Collection[str] = ()
) -> Callable[[View], View]:
    """Protect a view, plain or async.

    Args:
        activities: each must be open to the person.
        recent: longest time since the person last proved who they are.
        strength: values of `acr` or `amr`, one of which must have been reached.

    Raises:
        TypeError, ValueError: what is asked makes no sense; told when the view is defined.
    """
    what = asked(activities, recent, strength)

    def decorate(view: View) -> View:
        if isinstance(view, type):
            instead = f"write class {view.__name__}(SignedInMixin, ...)"
            raise TypeError(AROUND_A_CLASS.format(name=view.__name__, instead=instead))
        if iscoroutinefunction(view):

            @wraps(view)
            async def guarded(request: Any, *args: Any, **named: Any) -> Any:
                refused = _refused(request, what)
                return await view(request, *args, **named) if refused is None else refused

        else:

            @wraps(view)
            def guarded(request: Any, *args: Any, **named: Any) -> Any:
                refused = _refused(request, what)
                return view(request, *args, **named) if refused is None else refused

        return guarded  # type: ignore[return-value]  # same parameters

    return decorate


class SignedInMixin:
    """Protects a class-based view; stands first among its bases.

    Attributes:
        activities, recent, strength: as for `signed_in`, of the class or given to `as_view()`; nonsense is told there,
            and so is a class in which a view stands before this one, which would protect nothing.
    """

    activities: ClassVar[Collection[Activity | str]] = ()
    recent: ClassVar[timedelta | None] = None
    strength: ClassVar[Collection[str]] = ()

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        _asked_of(cls, {})
        order = cls.__mro__
        if BaseView in order and order.index(BaseView) < order.index(SignedInMixin):
            # Django's `dispatch` hands on to no other: nobody would be asked anything.
            raise TypeError(
                f"SignedInMixin protects nothing behind a view: write class {cls.__name__}(SignedInMixin, ...)"
            )

    @classmethod
    def as_view(cls, **given: Any) -> Any:
        """Return the view, as Django does; what is given stands for what the class says."""
        _asked_of(cls, given)
        return super().as_view(**given)  # type: ignore[misc]  # View's

    def dispatch(self, request: Any, *args: Any, **named: Any) -> Any:
        """Answer for the gateway, or go on with the view."""
        refused = _refused(request, _asked_of(self, {}))
        return super().dispatch(request, *args, **named) if refused is None else refused  # type: ignore[misc]  # View's


def _asked_of(view: Any, given: Mapping[str, Any]) -> Asked:
    return asked(*(given.get(name, getattr(view, name)) for name in ("activities", "recent", "strength")))


class _Refusal(HttpResponse):  # type: ignore[misc]  # Django has no types
    """An answer that may be awaited: the `dispatch` of an async view is a plain function whose result Django awaits."""

    def __await__(self) -> Generator[None, None, _Refusal]:
        yield from ()
        return self


def _refused(request: Any, what: Asked) -> Any:
    found = examine(request, what)
    if not isinstance(found, Response):
        # A view that asked for somebody has them, whether or not the middleware was thought of.
        _tell(request)
        return None
    answer = _Refusal(found.body, status=found.status)
    for name, value in found.header_lines():
        answer.headers[name] = value
    return answer
