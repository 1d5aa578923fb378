"""A Django host. Django itself has no types: what ours say stays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, assert_type

from imagin_gateway import Activity, Gateway, Identity, Settings
from imagin_gateway.mounts.django import SignedInMixin, person, signed_in
from imagin_gateway.mounts.wsgi import GatewayWSGI


@signed_in(Activity.EXPENSES)
def expenses(request: Any, year: int) -> str:
    assert_type(person(request), Identity | None)
    return f"{year}"


assert_type(expenses(object(), 2026), str)
expenses(object(), "2026")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class Missions(SignedInMixin):
    activities = (Activity.MISSIONS,)


class Wrong(SignedInMixin):
    recent = 300  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


def plain(environ: Any, start_response: Any) -> Iterable[bytes]:
    return []


application = Gateway(Settings.load("gateway.toml")).wsgi(plain)
assert_type(application, GatewayWSGI)


async def asgi(scope: Any, receive: Any, send: Any) -> None: ...


Gateway(Settings.load("gateway.toml")).wsgi(asgi)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
