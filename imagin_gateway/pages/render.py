"""From values to a page: Jinja2 with everything escaped, and the security headers."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import jinja2

from imagin_gateway.exchange import Response, SetCookie
from imagin_gateway.keys import new_token
from imagin_gateway.pages.headers import Header, bare_headers, page_headers
from imagin_gateway.pages.texts import NBSP, Catalogue, languages
from imagin_gateway.settings import Settings

PARIS: Final = ZoneInfo("Europe/Paris")

_ASSETS: Final = {"gateway.css": "text/css; charset=utf-8", "reveal.js": "text/javascript; charset=utf-8"}

_MONTHS: Final = (
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()
)  # fmt: skip


def spoken_moment(moment: datetime) -> str:
    """Return a moment as people say it here: « 14 décembre 2026 à 14 h 32 »."""
    local = moment.astimezone(PARIS)
    day = "1er" if local.day == 1 else str(local.day)
    return f"{day} {_MONTHS[local.month - 1]} {local.year} à {spoken_hour(moment)}"


def spoken_hour(moment: datetime) -> str:
    """Return the hour: « 14 h 32 »."""
    local = moment.astimezone(PARIS)
    return f"{local.hour}{NBSP}h{NBSP}{local.minute:02}"


class _Asset:
    def __init__(self, name: str) -> None:
        self.body = files("imagin_gateway.pages").joinpath("styles", name).read_bytes()
        stem, _, end = name.partition(".")
        self.path = f"/{stem}-{hashlib.sha256(self.body).hexdigest()[:8]}.{end}"
        self.integrity = "sha384-" + base64.b64encode(hashlib.sha384(self.body).digest()).decode()
        self.content_type = _ASSETS[name]


class Pages:
    """Makes every page.

    Args:
        settings: of the gateway.
        overrides: folder whose templates replace ours, by name.
    """

    def __init__(self, settings: Settings, overrides: Path | None = None) -> None:
        self._settings = settings
        self._catalogues = {language: Catalogue.load(language) for language in languages()}
        self._style, self._script = _Asset("gateway.css"), _Asset("reveal.js")
        ours = jinja2.PackageLoader("imagin_gateway.pages")
        loader = ours if overrides is None else jinja2.ChoiceLoader([jinja2.FileSystemLoader(overrides), ours])
        self._environment = jinja2.Environment(
            loader=loader,
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters["moment"] = spoken_moment
        self._environment.filters["hour"] = spoken_hour

    def text(self, key: str, language: str = "fr", **params: object) -> str:
        """Return a text of the catalogue."""
        return self._catalogues[language](key, **params)

    def attribute_name(self, name: str, language: str = "fr") -> str:
        """Return what an attribute is called by people: « votre adresse électronique »."""
        catalogue = self._catalogues[language]
        key = f"attribute.{name.lower()}"
        return catalogue(key) if key in catalogue else catalogue("attribute.other")

    def bare_headers(self) -> list[Header]:
        """Return the headers of an answer that is no page."""
        return bare_headers(self._settings)

    def asset(self, path: str) -> Response | None:
        """Return the style sheet or the script at this path below the mount path, or None."""
        for asset in (self._style, self._script):
            if path == asset.path:
                kept = [header for header in self.bare_headers() if header[0] != "Cache-Control"]
                headers = [("Cache-Control", "public, max-age=31536000, immutable"), *kept]
                return Response(200, asset.body, asset.content_type, headers)
        return None

    def render(
        self,
        page: str,
        *,
        status: int = 200,
        language: str = "fr",
        form_targets: Sequence[str] = (),
        headers: Sequence[Header] = (),
        cookies: Sequence[SetCookie] = (),
        **values: object,
    ) -> Response:
        """Return a page. A value the template needs and does not get is an error, never a blank."""
        nonce = new_token(128)
        mount = self._settings.mount_path
        body = self._environment.get_template(f"{page}.html").render(
            t=self._catalogues[language],
            language=language,
            nonce=nonce,
            house=self._settings,
            home=mount + "/",
            style={"path": mount + self._style.path, "integrity": self._style.integrity},
            script={"path": mount + self._script.path, "integrity": self._script.integrity},
            **values,
        )
        all_headers = [*page_headers(self._settings, nonce, form_targets), *headers]
        return Response(status, body.encode(), headers=all_headers, cookies=cookies)
