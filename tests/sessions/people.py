"""Who signs in during the tests, and a store that counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from imagin_gateway.identity import Activity, Identity
from imagin_gateway.state.store import StateStore

PARIS = "https://paris.example/idp"


def person(subject: str = "mdurand7", *, issuer: str = PARIS, door: str = "arena-paris") -> Identity:
    return Identity(
        issuer=issuer,
        subject=subject,
        door=door,
        activities=frozenset({Activity.MISSIONS, Activity.MARKING}),
        authenticated_at=datetime(2026, 12, 14, 7, 59, tzinfo=UTC),
        method="saml",
        acr="urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
        amr=("pwd",),
        family_name="Durand",
        given_name="Marie",
        email="marie.durand@exemple.test",
        attributes={"codaca": ("01",), "rne": ("0750001A", "0750002B")},
    )


class CountingStore:
    """Passes every call on and remembers its name; may be told to do something before one of them."""

    def __init__(self, store: object) -> None:
        self._store = store
        self.calls: list[str] = []
        self.before: dict[str, Callable[[], object]] = {}

    @property
    def as_store(self) -> StateStore:
        return cast(StateStore, self)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def call(*args: object, **kwargs: object) -> object:
            self.calls.append(name)
            if name in self.before:
                self.before[name]()
            return method(*args, **kwargs)

        return call
