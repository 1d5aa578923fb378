"""Contrast, computed from the style sheet that ships (row A11-10; WCAG 2.2, 1.4.3 and 1.4.11)."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

CSS = files("imagin_gateway.pages").joinpath("styles/gateway.css").read_text(encoding="utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--ig-([a-z-]+): (#[0-9a-f]{6});", block))
    for block in re.findall(r":root \{([^}]*color|[^}]*#[^}]*)\}", CSS)[:2]
)

GROUNDS = ("page", "surface", "tint")

TEXT = [
    *((ink, ground) for ink in ("ink", "muted", "accent", "accent-strong") for ground in GROUNDS),
    *((ink, f"{kind}-tint") for ink in ("ink",) for kind in ("error", "ok", "warn")),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("error", "error-tint"),
    ("error", "surface"),
    ("error", "page"),
]

SIGNS = [
    *(("control", ground) for ground in GROUNDS),
    *(("accent", ground) for ground in GROUNDS),
    *((kind, ground) for kind in ("error", "ok", "warn") for ground in (f"{kind}-tint", "page")),
    *(("focus", ground) for ground in GROUNDS),
    ("halo", "focus"),
    ("halo", "accent"),
]


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_formula_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.row("A11-10")
@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "ground", "needed"), [(*each, 4.5) for each in TEXT] + [(*each, 3.0) for each in SIGNS]
)
def test_contrast_is_enough_in_both_schemes(tokens: dict[str, str], ink: str, ground: str, needed: float) -> None:
    assert contrast(tokens[ink], tokens[ground]) >= needed


@pytest.mark.row("A11-10")
def test_every_colour_of_the_style_sheet_is_a_token_that_both_schemes_have() -> None:
    assert LIGHT.keys() == DARK.keys()
    rules = re.sub(r":root \{[^}]*\}", "", CSS)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|\brgb|\bhsl|: (?:red|black|white)\b", rules) == []
    used = set(re.findall(r"color(?:-[a-z]+)*: var\(--ig-([a-z-]+)\)|background: var\(--ig-([a-z-]+)\)", rules))
    assert {name for pair in used for name in pair if name} <= LIGHT.keys()


def test_nothing_forces_its_way_and_no_ring_is_taken_away() -> None:
    assert "!important" not in CSS
    for rule in re.findall(r"([^{}]+)\{([^{}]*outline: none[^{}]*)\}", CSS):
        # The ring of a door surrounds its card; main is focused by the skip link alone.
        assert rule[0].strip() in ("main:focus", ".ig-door a:focus-visible")


def test_focus_is_drawn_in_the_colour_of_the_text_where_a_person_chose_colours() -> None:
    """Firefox keeps the system's Highlight beside the text and the ground that somebody chose: 1.9 to 1 on black."""
    (block,) = re.findall(r"@media \(forced-colors: active\) \{(.*?)\n\}", CSS, re.DOTALL)
    outlines = re.findall(r"outline: \dpx solid (\w+)", block)
    assert len(outlines) == 2
    assert set(outlines) == {"CanvasText"}
