"""The tests of a host."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, assert_type

from imagin_gateway import Gateway, Identity, Settings, testing


def test_expenses(tmp_path: Path, client: Any) -> None:
    clock = testing.ManualClock()
    settings = testing.settings(tmp_path, protect=[{"prefix": "/missions"}])
    assert_type(settings, Settings)
    gateway = Gateway(settings, clock=clock, sends_mail=False)
    who = testing.someone("mdurand7", door="direct", activities=["missions"])
    assert_type(who, Identity)
    assert_type(testing.sign_in(client, gateway, who), Identity)
    assert_type(testing.headers(gateway), dict[str, str])
    clock.move(timedelta(hours=1))
    clock.move("one hour")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    testing.someone(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    testing.settings("folder")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
