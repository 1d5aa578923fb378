"""The page asked for after a login: wherever a browser would go with it, that is on this site, and allowed.

The browser's reading is the URL standard's, by an implementation of browsers.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from random import Random
from typing import Any, Final

from fuzz.browser import Place, browser
from fuzz.frame import Target, any_change, demand
from imagin_gateway.flows.landing import landing
from imagin_gateway.settings import Settings

BASE: Final = "https://missions.example.fr"
ALLOWED: Final = ("/missions", "/frais/états")


def _settings() -> Settings:
    folder = tempfile.gettempdir()
    values: dict[str, Any] = {
        "base_url": BASE,
        "privacy_url": "/donnees",
        "legal_url": "/mentions",
        "accessibility_url": "/accessibilite",
        "landing": "/missions",
        "landings": ALLOWED,
        "keys": {
            "signing": ["Kq3vZ7dXw1Lh8RtB5nYc2MfJ6sPgA9eUo4"],
            "provisional": ["u2WxN8kGz5QbV1rDj7LmHs3FyC9pTa6E"],
        },
        "state": {"url": f"sqlite:///{folder}/none.db"},
        "accounts": {"url": f"sqlite:///{folder}/none.db"},
        "second_factor": {"mode": "off", "reason": "pour les attaques"},
        "mail": {"host": "smtp.example.fr", "sender": "imagin@exemple.test"},
    }
    return Settings.load(**values)


_SETTINGS: Final = _settings()


def attack(data: bytes) -> bool:
    """Ask for a page."""
    asked = data.decode("utf-8", "surrogateescape")
    found = landing(_SETTINGS, asked)
    if found != asked:
        demand(found == _SETTINGS.landing, "neither what was asked for, nor the default")
        return False
    written = [asked, *_decoded(asked)]
    for each in written:
        place = browser().resolve(each, BASE + "/connexion/direct")
        demand(place is not None, "a page that no browser can find")
        assert place is not None
        demand(place.origin == ("https:", "missions.example.fr", "") and not place.user, "the browser leaves the site")
        demand(_is_allowed(place), "a page that is not among those allowed")
    demand(not set(asked) & set("\r\n\t\x00\\ "), "a sign that splits a header, or an address")
    return asked != _SETTINGS.landing


def _decoded(asked: str) -> list[str]:
    """Return what a proxy or a host that decodes the path once, or twice, makes of it."""
    path, mark, query = re.match(r"([^?#]*)([?#]?)(.*)", asked, re.DOTALL).groups()  # type: ignore[union-attr]  # any text
    once = _percent(path)
    # Written again as such a program hands it on: only what would end the path stays encoded.
    kept = [text.replace("%", "%25").replace("?", "%3F").replace("#", "%23") for text in (once, _percent(once))]
    return [text + mark + query for text in kept]


def _percent(text: str) -> str:
    octets = re.sub(
        rb"%([0-9A-Fa-f]{2})", lambda found: bytes((int(found[1], 16),)), text.encode("utf-8", "surrogateescape")
    )
    return octets.decode("utf-8", "replace")


def _is_allowed(place: Place) -> bool:
    path = _percent(_percent(place.path))
    ours = path == "/connexion" or path.startswith("/connexion/")
    if ours:
        return path.removeprefix("/connexion") in _OUR_OWN
    return any(path == prefix or path.startswith(prefix + "/") for prefix in ALLOWED)


_OUR_OWN: Final = (
    *("/session/toutes", "/proconnect", "/assistance"),
    *("/securite", "/securite/application", "/securite/cle", "/securite/codes"),
)
"""Written again here: a page of ours that is added there must be thought of here too."""


def seeds() -> Iterator[bytes]:
    """Return pages asked for honestly, and the classics of those who are not."""
    yield from (
        *(b"/missions", b"/missions/12?onglet=a&page=2", b"/frais/%C3%A9tats/2026", b"/connexion/securite"),
        *(
            b"//evil.example",
            b"/\\evil.example",
            b"/missions/../connexion",
            b"/missions/%2e%2e/admin",
            b"/missions/%252e%252e/x",
        ),
        *(
            b"https://evil.example/missions",
            b"/missions//x",
            b"/missions\t/",
            b"/missions?next=//evil.example",
            b"/missions#x",
        ),
        *(
            b"javascript:alert(1)",
            b"/missions/%5c..",
            b"/.//missions",
            b"/missions/.%2e",
            b"/missions;/..;/x",
            b"/missions/%00",
        ),
        *(
            b"/missions%2f..%2fadmin",
            b"/%6dissions",
            b"/connexion/%2e/securite",
            b"/missions/%E2%80%AE",
            b"/missions/%ff",
        ),
    )


def mutate(data: bytes, random: Random) -> bytes:
    """Change a segment, or how it is written."""
    parts = data.split(b"/")
    place = random.randrange(len(parts))
    match random.randrange(5):
        case 0:
            parts.insert(place, random.choice(_SEGMENTS))
        case 1:
            parts[place] = any_change(parts[place], random)
        case 2:
            parts[place] = b"".join(
                b"%%%02x" % each if random.random() < 0.4 else bytes((each,)) for each in parts[place]
            )
        case 3:
            parts[place] = parts[place].replace(b"%", b"%25", 1)
        case _:
            parts[place] += random.choice((b"?", b"#", b";", b"@evil.example", b":80", b"%2f", b"%5c", b"?a=/../"))
    return b"/".join(parts)


_SEGMENTS: Final = (
    *(
        b"",
        b".",
        b"..",
        b"%2e",
        b"%2E%2e",
        b".%2e",
        b"%252e%252e",
        b"missions",
        b"connexion",
        b"securite",
        b"\\",
        b"%5c",
    ),
    *(
        b"https:",
        b"evil.example",
        b"\t",
        b"%09",
        b"%0d%0a",
        b"%00",
        "é".encode(),
        b"%c0%af",
        b"%ef%bc%8f",
        b"..;a",
        b"~",
    ),
)

TARGET: Final = Target(name="landing", attack=attack, seeds=seeds, mutate=mutate, longest=2100)
