"""A clock, an honest provider, and a portal opened towards it."""

from __future__ import annotations

import pytest

from tests.clock import ManualClock
from tests.providers.oidc.journey import House, house, new_provider
from tests.providers.oidc.provider import Provider


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def provider(clock: ManualClock) -> Provider:
    return new_provider(clock)


@pytest.fixture
def there(provider: Provider, clock: ManualClock) -> House:
    """A portal that expects RS256, towards an honest provider in memory."""
    return house(provider, clock)
