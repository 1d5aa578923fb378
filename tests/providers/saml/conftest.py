"""A portal opened towards an honest identity provider, by what it must sign."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from imagin_gateway.providers.saml.portal import SamlPortalClient
from tests.providers.saml.journey import House, house

Open = Callable[..., House]


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Open:
    """Open a portal with settings of the test's own; one that never changes, so it is opened once."""
    kept: dict[str, SamlPortalClient] = {}

    def call(**more: object) -> House:
        key = repr(sorted(more.items()))
        if key not in kept:
            kept[key] = house(tmp_path_factory.mktemp("portal"), **more).portal  # type: ignore[arg-type]  # by name
        return House(kept[key])

    return call


@pytest.fixture
def there(opened: Open) -> House:
    """A portal that must sign its Response, as by default."""
    return opened()


@pytest.fixture
def by_assertion(opened: Open) -> House:
    """A portal that must sign its Assertion."""
    return opened(require_signed="assertion")
