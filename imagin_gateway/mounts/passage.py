"""What is known of a path, worked out once for each that is asked for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from imagin_gateway.identity import Activity
from imagin_gateway.mounts.asked import Asked
from imagin_gateway.settings import Protected, Settings, under

MOST_KEPT: Final = 4096
LONGEST_KEPT: Final = 512
"""Paths come from outside: so many, of so many characters, are remembered."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One path.

    Attributes:
        path: decoded.
        below: what stands below the gateway's mount path; None when the path is the host's.
        unreadable: no honest browser sends it.
        asked: what the settings ask for, all of it, of who is signed in.
        activities: asked for, at hand.
        open: the host's, readable, and asks for nothing.
        simple: the host's, readable, and asks for nothing beyond a session and activities.
    """

    path: str
    below: str | None
    unreadable: bool
    asked: Asked
    activities: frozenset[Activity]
    open: bool
    simple: bool


class Passages(dict[str, Passage]):
    """The paths of one gateway: `passages[path]` is what is known of a path. Safe to share between threads.

    A dictionary, so that finding a path again takes no call of Python's.

    Args:
        settings: where the gateway stands, and what it protects.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    def __missing__(self, path: str) -> Passage:
        """Work out what is to be known of a path, and remember it."""
        passage = self._read(path)
        if len(path) <= LONGEST_KEPT:
            if len(self) >= MOST_KEPT:
                self.clear()
            self[path] = passage
        return passage

    def _read(self, path: str) -> Passage:
        below, odd = self._below(path), unreadable(path)
        parts = protections(self._settings, path)
        recent = [part.recent for part in parts if part.recent is not None]
        asked = Asked(
            frozenset(part.activity for part in parts if part.activity is not None),
            min(recent, default=None),
            tuple(frozenset(part.strength) for part in parts if part.strength),
        )
        host = below is None and not odd
        return Passage(
            path=path,
            below=below,
            unreadable=odd,
            asked=asked,
            activities=asked.activities,
            open=host and not parts,
            simple=host and asked.recent is None and not asked.strength,
        )

    def _below(self, path: str) -> str | None:
        mount = self._settings.mount_path
        if path == mount:
            return "/"
        return path[len(mount) :] if path.startswith(mount + "/") else None


def unreadable(path: str) -> bool:
    """Tell whether a path is one that no honest browser sends, and that routers read in different ways.

    Dot segments are resolved before sending (RFC 3986 §6.2.2.3). Some routers resolve them again, some strip
    leading slashes or add one, and a pattern that ends with `$` takes a final line break for nothing: what is
    one page to the host would be another to us. Refused, protected or not.
    """
    return (
        not path.startswith("/")
        or path.startswith("//")
        or "\\" in path
        or any(unicodedata.category(sign) in ("Cc", "Zl", "Zp") for sign in path)
        or any(part in (".", "..") for part in path.split("/"))
    )


def protections(settings: Settings, path: str) -> tuple[Protected, ...]:
    """Return what protects a path of the host: the longest prefix that holds it.

    Some hosts take several slashes for one. Both readings count, each with its own longest prefix.
    """
    found: list[Protected] = []
    readings: Collection[str] = dict.fromkeys((path, re.sub("/+", "/", path)))
    for reading in readings:
        fitting = [part for part in settings.protect if under(reading, part.prefix)]
        found += [max(fitting, key=lambda part: len(part.prefix))] if fitting else []
    return tuple(dict.fromkeys(found))
