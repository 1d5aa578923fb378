"""From values to a page: everything escaped, every address checked, and the security headers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from imagin_gateway.errors import Problem, SettingsError
from imagin_gateway.exchange import Response, SetCookie
from imagin_gateway.keys import new_token
from imagin_gateway.pages.assets import Asset, host_logo, host_style
from imagin_gateway.pages.headers import Header, asset_headers, bare_headers, logo_headers, security_headers
from imagin_gateway.pages.language import Language
from imagin_gateway.pages.prose import prose
from imagin_gateway.pages.spoken import Spoken
from imagin_gateway.pages.steps import STEPS
from imagin_gateway.pages.steps.say import Say
from imagin_gateway.pages.steps.shape import Problem as StepProblem
from imagin_gateway.pages.steps.shape import Told
from imagin_gateway.pages.templating import words
from imagin_gateway.pages.texts import Catalogue
from imagin_gateway.pages.views import Link, Translation
from imagin_gateway.settings import Settings

LOGO_PATH: Final = "/logo.svg"
"""Below the mount path; portals keep this address in the metadata they have of us."""


@dataclass(frozen=True, slots=True)
class Site:
    """What every page may say of this service. Templates get this, and never the settings and their keys."""

    home: str
    contact: Link
    controller: str
    privacy_url: str
    legal_url: str
    accessibility: str
    accessibility_url: str
    idle_minutes: int
    reset_minutes: int
    style_path: str
    style_integrity: str
    theme_path: str
    theme_integrity: str
    script_path: str
    script_integrity: str
    passkey_path: str
    passkey_integrity: str


def _checked(found: Asset | Problem) -> Asset:
    if isinstance(found, Problem):
        raise SettingsError([found])
    return found


class Pages:
    """Makes every page.

    Args:
        settings: of the gateway.
        overrides: folder of the host whose templates stand in for ours, by name; by default the one of the settings.

    Raises:
        SettingsError: with what is wrong in the files of the host, see `templating.words`.
    """

    def __init__(self, settings: Settings, overrides: Path | None = None) -> None:
        self._settings = settings
        look = settings.appearance
        found = words(overrides or look.templates, look.texts)
        self._templates = found.templates
        self._catalogues: dict[str, Catalogue] = {code: found.catalogues[code] for code in settings.languages}
        self._spoken = {language: Spoken(texts) for language, texts in self._catalogues.items()}
        self._style = Asset.of("gateway.css", "text/css; charset=utf-8")
        self._script = Asset.of("pages.js", "text/javascript; charset=utf-8")
        self._theme = _checked(host_style(look.style)) if look.style else None
        self._passkey_script = Asset.of("passkey.js", "text/javascript; charset=utf-8")
        self._logo = _checked(host_logo(look.logo)) if look.logo else Asset.of("logo.svg", "image/svg+xml")
        self._session_script = Asset.of("session.js", "text/javascript; charset=utf-8")
        site = Site(
            home=settings.mount_path + "/",
            contact=Link(settings.contact, f"mailto:{settings.contact}"),
            controller=settings.controller,
            privacy_url=settings.privacy_url,
            legal_url=settings.legal_url,
            accessibility="",
            accessibility_url=settings.accessibility_url,
            idle_minutes=settings.sessions.idle_minutes,
            reset_minutes=settings.passwords.reset_minutes,
            style_path=self.style_path,
            style_integrity=self._style.integrity,
            theme_path=settings.mount_path + self._theme.path if self._theme else "",
            theme_integrity=self._theme.integrity if self._theme else "",
            script_path=self.script_path,
            script_integrity=self._script.integrity,
            passkey_path=self.passkey_script_path,
            passkey_integrity=self._passkey_script.integrity,
        )
        mention = "frame.mention." + settings.accessibility.partition(" ")[0]
        self._sites = {
            language: replace(site, accessibility=texts(mention)) for language, texts in self._catalogues.items()
        }

        self._says = {
            language: Say(
                texts,
                self._spoken[language],
                contact=settings.contact,
                controller=settings.controller,
                reset_minutes=settings.passwords.reset_minutes,
            )
            for language, texts in self._catalogues.items()
        }

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages a page can be asked in, the default first."""
        return tuple(self._catalogues)

    @property
    def style_path(self) -> str:
        """Where the style sheet is served, mount path included; a new one at each version."""
        return self._settings.mount_path + self._style.path

    @property
    def script_path(self) -> str:
        """Where the script is served, mount path included; a new one at each version."""
        return self._settings.mount_path + self._script.path

    @property
    def passkey_script_path(self) -> str:
        """Where the script that asks for passkeys is served, mount path included; a new one at each version."""
        return self._settings.mount_path + self._passkey_script.path

    @property
    def session_script_path(self) -> str:
        """Where the script for the pages of the host is served, mount path included; a new one at each version."""
        return self._settings.mount_path + self._session_script.path

    def text(self, key: str, language: str, **params: object) -> str:
        """Return a text of the catalogue. Raises `LookupError` when the key or a parameter lacks."""
        return self._catalogues[language](key, **params)

    def plain(self, key: str) -> bytes:
        """Return a text in every language, a line each: for answers that are no page, and given before one is read."""
        return "\n".join(catalogue(f"plain.{key}") for catalogue in self._catalogues.values()).encode()

    def catalogue(self, language: str) -> Catalogue:
        """Return the texts of a language."""
        return self._catalogues[language]

    def spoken(self, language: str) -> Spoken:
        """Return what says moments and durations in a language."""
        return self._spoken[language]

    def attribute_name(self, name: str, language: str) -> str:
        """Return what people call an attribute: « votre adresse électronique »."""
        catalogue = self._catalogues[language]
        key = f"attribute.{name.lower()}"
        return catalogue(key if key in catalogue else "attribute.other")

    def bare_headers(self) -> list[Header]:
        """Return the headers of an answer that is not a page."""
        return bare_headers(self._settings)

    def asset(self, path: str) -> Response | None:
        """Return the style sheet or a script served at this path below the mount path, or None."""
        for asset in (self._style, self._theme, self._script, self._session_script, self._passkey_script):
            if asset is not None and path == asset.path:
                return Response(200, asset.body, asset.content_type, asset_headers(self._settings))
        if path == LOGO_PATH:
            return Response(200, self._logo.body, self._logo.content_type, logo_headers(self._settings))
        return None

    def render(
        self,
        page: str,
        *,
        language: Language,
        status: int = 200,
        form_targets: Sequence[str] = (),
        headers: Sequence[Header] = (),
        cookies: Sequence[SetCookie] = (),
        **values: object,
    ) -> Response:
        """Return a page.

        Args:
            page: name of its template.
            language: one of `languages`, and where this page stands in the others.
            status: HTTP status.
            form_targets: configured portals to which a form of this page may lead.
            headers: more headers.
            cookies: cookies to set.
            values: what the template shows; one that it needs and does not get is an error, never a blank.

        Raises:
            jinja2.UndefinedError: a value lacks.
            ValueError: an address is none a page may link to.
        """
        nonce = new_token(128)
        texts, spoken = self._catalogues[language.code], self._spoken[language.code]
        site = self._sites[language.code]
        if language.carried:
            site = replace(site, home=f"{site.home}?lang={language.carried}")
        body = self._templates.get_template(f"{page}.html").render(
            **values,
            t=texts,
            # A sentence in which the contact's address, and the links given, can be followed.
            linked=lambda text, links=(), codes=(): prose(text, [site.contact, *links], codes),
            spoken=spoken,
            site=site,
            language=language.code,
            page_name=page,
            translations=[
                Translation(other, self._catalogues[other]("language.name"), href)
                for other, href in language.switch.items()
            ],
            nonce=nonce,
        )
        security = security_headers(self._settings, nonce=nonce, form_targets=form_targets)
        return Response(
            status, body.encode(), headers=(*security, *self.spoken_in(language.code), *headers), cookies=cookies
        )

    def tells(self, page: str) -> bool:
        """Tell whether a page can be told to a script."""
        return page in STEPS

    def tell(
        self,
        page: str,
        *,
        language: Language,
        status: int = 200,
        cookies: Sequence[SetCookie] = (),
        form_targets: Sequence[str] = (),
        **values: object,
    ) -> Response:
        """Return a page as a step in JSON: the same values, for a script that shows them itself.

        Args:
            page: name of a page that has a step, see `tells`.
            language: as for `render`.
            status: of a step that is shown again, because something was wrong in it.
            cookies: cookies to set.
            form_targets: for pages alone.
            values: what the template would show.
        """
        del form_targets
        told = STEPS[page](self._says[language.code], values)
        step = told.step if isinstance(told, Told) else told
        kind, body = "application/json", msgspec.json.encode(step)
        if isinstance(told, Told) and told.wrong:
            first = told.wrong[0]
            kind = "application/problem+json"
            body = msgspec.json.encode(
                StepProblem(
                    title=told.wrong_title,
                    status=status,
                    detail=first.text,
                    code=first.code,
                    errors=told.wrong,
                    again=told.step,
                )
            )
        headers = (*self.bare_headers(), *self.spoken_in(language.code))
        return Response(status, body, kind, headers=headers, cookies=cookies)

    def spoken_in(self, language: str) -> list[Header]:
        """Return the headers that say in which language an answer is, and on what that and its form depend."""
        vary = "Accept, Accept-Language, Cookie" if len(self._catalogues) > 1 else "Accept"
        return [("Content-Language", language), ("Vary", vary)]
