"""A person with a browser, without the browser: cookies, links, forms, over HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
from lxml import html


class Lost(Exception):
    """The person does not find what they look for on the page."""


@dataclass
class Page:
    """What the browser shows."""

    url: str
    status: int
    text: str
    headers: httpx2.Headers
    tree: Any = field(repr=False)

    @property
    def title(self) -> str:
        """The first heading, as people read it."""
        heading = self.tree.find(".//h1")
        return "" if heading is None else " ".join(heading.text_content().split())

    def by_id(self, name: str) -> str:
        """Return the text of the element with this id."""
        found = self.tree.xpath("//*[@id=$name]", name=name)
        if not found:
            raise Lost(f"rien ne porte l'id {name!r} sur {self.url} ({self.title})")
        return " ".join(found[0].text_content().split())

    def says(self, words: str) -> bool:
        """Tell whether these words stand on the page, whatever the spaces and apostrophes."""
        return _plain(words) in _plain(self.tree.text_content())


def _plain(text: str) -> str:
    return " ".join(text.replace("’", "'").replace("\u00a0", " ").replace("\u202f", " ").split())


class Browser:
    """Opens pages, follows redirects, clicks, fills in and submits; keeps cookies as a browser does."""

    def __init__(self) -> None:
        self._client = httpx2.Client(follow_redirects=False, timeout=20, trust_env=False)
        self.page: Page | None = None
        self.trail: list[tuple[str, int, str]] = []

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self._client.cookies.jar}

    def set_cookie(self, name: str, value: str, host: str = "127.0.0.1") -> None:
        """Put a cookie back, as somebody who copied it would."""
        self._client.cookies.set(name, value, domain=host, path="/")

    def open(self, url: str) -> Page:
        """Type an address."""
        return self._go("GET", url, {}, origin=None)

    @property
    def current(self) -> Page:
        if self.page is None:
            raise Lost("aucune page n'est ouverte")
        return self.page

    def click(self, words: str) -> Page:
        """Follow the first link whose text holds these words."""
        for link in self.current.tree.iter("a"):
            if _plain(words) in _plain(link.text_content()) and link.get("href"):
                return self._go("GET", urljoin(self.current.url, link.get("href")), {}, origin=self.current.url)
        raise Lost(f"pas de lien « {words} » sur {self.current.url} ({self.current.title})")

    def choose(self, words: str) -> Page:
        """Tick the radio button with this label and go on."""
        for label in self.current.tree.iter("label"):
            if _plain(words) in _plain(label.text_content()):
                choice = self.current.tree.xpath("//input[@id=$id]", id=label.get("for"))[0]
                return self.submit({choice.get("name"): choice.get("value")})
        raise Lost(f"pas de réponse « {words} » sur {self.current.url} ({self.current.title})")

    def submit(self, fields: dict[str, str] | None = None, *, form: int = 0) -> Page:
        """Fill in a form of the page and send it."""
        forms = self.current.tree.xpath("//form")
        if len(forms) <= form:
            raise Lost(f"pas de formulaire sur {self.current.url} ({self.current.title})")
        chosen = forms[form]
        values: dict[str, str] = {}
        for field_ in chosen.xpath(".//input[@name]"):
            if field_.get("type") in ("radio", "checkbox", "submit"):
                continue
            values[field_.get("name")] = field_.get("value") or ""
        unknown = set(fields or {}) - set(values) - {r.get("name") for r in chosen.xpath(".//input[@name]")}
        if unknown:
            raise Lost(f"pas de champ {', '.join(sorted(unknown))} sur {self.current.url}")
        values.update(fields or {})
        target = urljoin(self.current.url, chosen.get("action") or "")
        return self._go((chosen.get("method") or "get").upper(), target, values, origin=self.current.url)

    def _go(self, method: str, url: str, values: dict[str, str], *, origin: str | None) -> Page:
        for _ in range(12):
            response = self._send(method, url, values, origin)
            self.trail.append((method, response.status_code, url))
            if response.status_code in (301, 302, 303, 307, 308):
                url = urljoin(url, response.headers["location"])
                method, values = ("GET", {}) if response.status_code == 303 or method == "POST" else (method, {})
                continue
            text = response.text
            tree = html.document_fromstring(text.encode() or b"<html/>", parser=html.HTMLParser(encoding="utf-8"))
            self.page = Page(url, response.status_code, text, response.headers, tree)
            return self.page
        raise Lost(f"trop de redirections vers {url}")

    def _send(self, method: str, url: str, values: dict[str, str], origin: str | None) -> httpx2.Response:
        headers = {"Accept": "text/html,application/xhtml+xml", "Accept-Language": "fr"}
        if origin is not None:
            here, there = urlsplit(origin), urlsplit(url)
            same = (here.scheme, here.netloc) == (there.scheme, there.netloc)
            headers["Sec-Fetch-Site"] = "same-origin" if same else "same-site"
            if method == "POST":
                # Our pages ask for no referrer, and browsers then hide the origin of a form.
                headers["Origin"] = "null" if same else f"{here.scheme}://{here.netloc}"
        if method == "POST":
            return self._client.post(url, data=values, headers=headers)
        return self._client.get(url, params=values or None, headers=headers)
