"""The settings, a TOML file: whatever stands there, they load safe, or the operator is told what is wrong.

And is told without a secret: neither a refusal nor the settings themselves show a key.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

from fuzz.browser import browser
from fuzz.frame import Target, any_change, demand
from imagin_gateway.errors import SettingsError
from imagin_gateway.settings import Settings

_FILE: Final = Path(tempfile.mkdtemp(prefix="fuzz-settings-")) / "gateway.toml"
_KEYS: Final = (
    "Kq3vZ7dXw1Lh8RtB5nYc2MfJ6sPgA9eUo4Ti0u2WxN8kGz5Q",
    "u2WxN8kGz5QbV1rDj7LmHs3FyC9pTa6EeXo4RiKq3vZ7dXw1",
    "D4r8TnB2sXv6LkQ9wZc1JfY5hMg3PaU7eRoi0KtCxqWzE8Vb",
)
_HERE: Final = ("localhost", "127.0.0.1", "[::1]")


def attack(data: bytes) -> bool:
    """Load a file as settings."""
    _FILE.write_bytes(data)
    try:
        settings = Settings.load(_FILE)
    except SettingsError as refused:
        demand(bool(refused.problems), "refused without a reason")
        _check_hidden(str(refused) + repr(refused))
        raise
    finally:
        _FILE.unlink()
    _check_hidden(repr(settings) + str(settings))
    _hold(settings)
    return True


def _check_hidden(told: str) -> None:
    demand(not any(key[:20] in told for key in _KEYS), "a secret is shown")


def _hold(settings: Settings) -> None:
    place = browser().resolve(settings.base_url)
    demand(place is not None, "an address that no browser can read")
    assert place is not None
    local = settings.development and place.host in _HERE
    demand(place.protocol == "https:" or (local and place.protocol == "http:"), "passwords in the clear")
    demand(local or not settings.development, "development in front of the public")
    demand((place.user, place.path, place.query, place.fragment) == ("", "/", "", ""), "more than a host")
    for uses in (settings.keys.signing, settings.keys.provisional, settings.keys.factors):
        demand(all(len(key.reveal().encode()) >= 32 for key in uses), "a short key")
    landing = browser().resolve(settings.landing, settings.base_url)
    demand(landing is not None and landing.origin == place.origin, "people land elsewhere")
    demand(settings.mount_path.startswith("/") and settings.mount_path != "/", "mounted over the whole site")
    factor = settings.second_factor
    demand(settings.development or (factor is not None and (factor.on or bool(factor.reason))), "no word on a factor")
    lives = settings.sessions
    demand(lives.idle_minutes > 0 and lives.absolute_hours > 0, "sessions without an end")


def seeds() -> Iterator[bytes]:
    """Return a file of each kind."""
    signing, provisional, factors = _KEYS
    shared = f"""
privacy_url = "/donnees"
legal_url = "/mentions"
accessibility_url = "https://exemple.test/accessibilite"
trusted_proxies = 1
landings = ["/", "/missions"]
protect = [{{prefix = "/missions", activity = "missions"}}]
[keys]
signing = ["{signing}"]
provisional = ["{provisional}"]
factors = ["{factors}"]
[state]
url = "sqlite:///state.db"
[accounts]
url = "sqlite:///accounts.db"
[mail]
host = "smtp.example.fr"
sender = "imagin@exemple.test"
[sessions]
idle_minutes = 30
absolute_hours = 10
[second_factor]
mode = "optional"
[events]
path = "-"
"""
    portals = """
[portals.arena-creteil]
protocol = "saml"
metadata = "creteil.xml"
portal_entity_id = "https://idp.ac-creteil.example"
private_key = "saml.key"
certificate = "saml.crt"
academie = 24
[portals.arena-paris]
protocol = "oidc"
issuer = "https://oidc.ac-paris.example"
client_id = "imagin"
client_secret = "a-secret-of-the-client"
academie = 1
[portals.arena-versailles]
protocol = "link"
"""
    yield ('base_url = "https://missions.example.fr"\n' + shared).encode()
    yield ('development = true\nbase_url = "http://localhost:8000"\n' + shared).encode()
    yield ('base_url = "https://missions.example.fr"\n' + shared + portals).encode()
    yield f'base_url = "ftp://a"\nunknown = "{signing}"\n[keys]\nsigning = "{signing}"\nprovisional = [1]\n'.encode()


def mutate(data: bytes, random: Random) -> bytes:
    """Change a line: its value, its name, its place."""
    lines = data.split(b"\n")
    place = random.randrange(len(lines))
    name, mark, value = lines[place].partition(b" = ")
    match random.randrange(6):
        case 0:
            del lines[place]
        case 1:
            lines.insert(random.randrange(len(lines) + 1), lines[place])
        case 2:
            lines[place] = random.choice(lines).partition(b" = ")[0] + mark + value
        case 3:
            lines[place] = name + mark + random.choice(_VALUES)
        case 4:
            lines[place] = name + mark + re.sub(rb"[^\"]+", lambda found: any_change(found[0], random), value, count=1)
        case _:
            lines[place] = any_change(lines[place], random)
    return b"\n".join(lines)


_VALUES: Final = (
    *(
        b'""',
        b"true",
        b"0",
        b"-1",
        b"1e9",
        b"[]",
        b"{}",
        b"[[1]]",
        b"2026-01-01",
        b'"file:/etc/hostname"',
        b'"env:HOME"',
    ),
    *(
        b'"https://a@b"',
        b'"https://evil.example\\\\@good"',
        b'"//evil"',
        b'"/\\\\evil"',
        b'"\\u0000"',
        b"[" * 60,
        b"nan",
    ),
    *(
        b'"https://missions.example.fr#"',
        b'"http://localhost.evil.example"',
        b'"http://127.1"',
        b'"HTTPS://Missions.Example.FR"',
    ),
)

TARGET: Final = Target(name="settings_file", attack=attack, seeds=seeds, mutate=mutate, refusals=(SettingsError,))
