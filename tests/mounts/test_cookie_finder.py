"""The short way to a cookie finds nothing that the long way would not."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imagin_gateway.exchange import parse_cookies
from imagin_gateway.mounts.cookie import CookieFinder

NAME = "__Host-ig-session"
VALUE = "ab.cd"
finder = CookieFinder(NAME, len(VALUE))

WELL_FORMED = st.text("abcd.", min_size=len(VALUE), max_size=len(VALUE))
PIECES = st.sampled_from(
    [
        NAME,
        NAME[7:],
        NAME.lower(),
        "=",
        f"{NAME}=",
        f"{NAME} =",
        f"{NAME}={VALUE}",
        f"; {NAME}={VALUE}",
        f"x{NAME}={VALUE}",
        VALUE,
        "dcdcd",
        ";",
        "; ",
        " ;",
        " ",
        "\t",
        '"',
        ",",
        "a=b",
        "é",
        "\x00",
        "\n",
        "\xa0",
    ]
)
HEADERS = st.lists(PIECES | WELL_FORMED | st.text(max_size=3), max_size=8).map("".join) | st.text(max_size=60)


def is_well_formed(value: str) -> bool:
    """As the registry asks of a cookie before it counts for anything."""
    return len(value) == len(VALUE) and set(value) <= set("abcd.")


@given(header=HEADERS)
@example(header=f"{NAME}={VALUE}; {NAME}={VALUE}")
@example(header=f"{NAME}={VALUE}; {NAME} =dcdcd")
@example(header=f'a="; {NAME}={VALUE}')
@example(header=f"; {NAME}={VALUE}")
@example(header=f"\t; {NAME}={VALUE}")
def test_what_it_finds_is_what_the_whole_header_says(header: str) -> None:
    found = finder.find(header)
    if found is not None and is_well_formed(found):
        assert parse_cookies(header).get(NAME) == found


@given(
    before=st.lists(st.sampled_from(["a=b", "consent=1", "ig=2"]), max_size=3), value=WELL_FORMED, after=st.booleans()
)
def test_it_finds_the_cookie_of_a_plain_browser(before: list[str], value: str, after: bool) -> None:
    header = "; ".join([*before, f"{NAME}={value}", *(["z=1"] if after else [])])
    assert finder.find(header) == value == parse_cookies(header)[NAME]


@pytest.mark.parametrize(
    "header",
    [
        f"{NAME}={VALUE}; {NAME}=dcdcd",
        f"{NAME}=dcdcd; {NAME}={VALUE}",
        f"{NAME}={VALUE};{NAME}=",
        f"x{NAME}={VALUE}",
        f"a=b,{NAME}={VALUE}",
        f"{NAME}={VALUE}x",
        f"{NAME}=ab.c",
        f"{NAME}=a; b=cd",
        f"{NAME.upper()}={VALUE}",
        f"a={NAME}={VALUE}",
        "",
    ],
)
def test_what_is_not_plain_is_left_to_the_long_way(header: str) -> None:
    assert finder.find(header) is None
