"""What the load run says of memory: whole blocks of Argon2 are told apart from what grows."""

from __future__ import annotations

import pytest

from scripts.load import BLOCK, blocks, growth


def series(*used: float) -> list[tuple[float, float]]:
    return [(float(number), each) for number, each in enumerate(used)]


def test_a_block_that_is_kept_is_no_growth_and_is_counted() -> None:
    flat = [100.0] * 30 + [100.0 + BLOCK] * 40 + [100.0 + 2 * BLOCK] * 30
    assert growth(series(*flat)) == 0
    assert blocks(series(*flat)) == 2


@pytest.mark.parametrize("step", [0.2, 1.0, 9.0])
def test_what_grows_little_by_little_is_growth(step: float) -> None:
    leak = [100 + step * number for number in range(100)]
    assert growth(series(*leak)) == pytest.approx(step * 79)
    assert blocks(series(*leak)) == 0


def test_what_the_start_takes_is_no_growth() -> None:
    assert growth(series(*[20.0, 60.0, 100.0], *[100.5] * 97)) == 0
