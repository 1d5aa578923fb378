"""No refresh token is ever asked for, kept or used: a session of ours does not outlive its own limits.

This is why the checklist's row on refreshed tokens is written down as not applying.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import imagin_gateway
from imagin_gateway.errors import SettingsError
from tests.clock import ManualClock
from tests.providers.oidc.journey import House, house
from tests.providers.oidc.provider import Provider


def test_offline_access_stops_the_start(provider: Provider, clock: ManualClock) -> None:
    with pytest.raises(SettingsError) as refused:
        house(provider, clock, scopes=("openid", "offline_access"))
    assert [problem.key for problem in refused.value.problems] == ["portals.arena-paris.scopes"]


def test_a_refresh_token_that_comes_anyway_is_thrown_away(there: House) -> None:
    there.provider.edit_tokens = lambda tokens: tokens.update(refresh_token="canary-refresh")
    arrival = there.login()
    kept = [getattr(arrival, name) for name in type(arrival).__slots__]
    assert "canary-refresh" not in repr(kept)
    assert all("refresh" not in seen.body for seen in there.provider.seen)


def test_no_code_of_ours_knows_the_grant() -> None:
    folder = Path(imagin_gateway.__file__).parent
    for file in folder.rglob("*.py"):
        assert not re.search(r"grant_type.*refresh|refresh_token[\"']", file.read_text(encoding="utf-8")), file
