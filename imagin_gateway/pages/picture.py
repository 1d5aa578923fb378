"""A text as a picture that a telephone reads (QR): in the page itself, so that no other address ever holds it."""

from __future__ import annotations

from markupsafe import Markup


def picture(text: str) -> Markup:
    """Return the picture, as SVG to put into a page. It holds the text: it goes nowhere else."""
    import segno

    made = segno.make(text, error="m", micro=False)
    # Dark on light whatever the scheme of the page: readers expect it.
    svg = made.svg_inline(scale=4, border=4, dark="#000", light="#fff", svgclass="ig-picture", lineclass=None)
    return Markup(svg)  # noqa: S704  # nosec B704  # made of squares by the library, and of nothing that came from outside
