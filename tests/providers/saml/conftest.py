"""A portal opened towards an honest identity provider, by what it must sign."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.providers.saml.journey import House, house

Open = Callable[..., House]


@pytest.fixture
def there(tmp_path: Path) -> House:
    """A portal that must sign its Response, as by default."""
    return house(tmp_path)


@pytest.fixture
def by_assertion(tmp_path: Path) -> House:
    """A portal that must sign its Assertion."""
    return house(tmp_path, require_signed="assertion")


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Opens a portal with settings of the test's own."""

    def call(**more: object) -> House:
        return house(tmp_path, **more)  # type: ignore[arg-type]  # settings by name

    return call
