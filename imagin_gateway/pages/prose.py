"""Texts in which some words are links: the address of the contact, the name of a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from imagin_gateway.pages.views import Link


def prose(text: str, links: Iterable[Link] = (), codes: Iterable[str] = ()) -> Markup:
    """Return `text`, escaped, where every whole word that is the label of a link leads where it says.

    Texts thus stay whole sentences in the catalogues and in the policy: no piece of
    one is glued to another around a tag.

    Args:
        text: as written.
        links: their labels are sought in the text.
        codes: what is to be read sign by sign, such as a reference.
    """
    tags = {link.label: Markup('<a href="{}">{}</a>').format(link.href, link.label) for link in links if link.label}
    tags.update({code: Markup('<span class="ig-code">{}</span>').format(code) for code in codes if code})
    if not tags:
        return escape(text)
    longest_first = sorted(tags, key=len, reverse=True)
    pattern = re.compile(r"(?<!\w)(" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")
    pieces = pattern.split(text)
    return Markup("").join(tags[piece] if number % 2 else escape(piece) for number, piece in enumerate(pieces))


def unmentioned(links: Iterable[Link], texts: Sequence[str]) -> list[Link]:
    """Return the links that no text names, so that a page lists them by themselves."""
    return [link for link in links if not any(link.label in text for text in texts)]
