"""A person with a browser, without the browser: navigations, forms and cookies over verified TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx2
from lxml import html

from tests.peers.cookies import Cookies, site

MAX_REDIRECTS = 12


@dataclass(frozen=True)
class Form:
    """A form of a page, as it would be sent untouched."""

    method: str
    action: str
    fields: dict[str, str] = field(repr=False)


@dataclass(frozen=True)
class Page:
    """What the browser shows."""

    url: str
    status: int
    headers: httpx2.Headers
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        return self.body.decode()

    def _tree(self) -> html.HtmlElement:
        return html.document_fromstring(self.body or b"<html/>", parser=html.HTMLParser(encoding="utf-8"))

    def link(self, part: str) -> str:
        """Return the address of the first link that holds `part`."""
        found = [str(each.get("href")) for each in self._tree().iter("a") if part in (each.get("href") or "")]
        assert found, f"no link to {part} at {self.url}"
        return urljoin(self.url, found[0])

    def form(self, *names: str) -> Form:
        """Return the first form that has fields of these names."""
        for each in self._tree().iter("form"):
            fields = {
                one.get("name"): one.get("value") or ""
                for one in each.xpath(".//input[@name]")
                if one.get("type") not in ("submit", "checkbox", "radio")
            }
            if set(names) <= set(fields):
                action = urljoin(self.url, each.get("action") or "")
                return Form((each.get("method") or "get").upper(), action, fields)
        raise AssertionError(
            f"no form with {names} at {self.url}: {' '.join(self._tree().text_content().split())[:400]}"
        )


class Browser:
    """Opens pages, follows redirects, sends forms; its cookies obey the rules of browsers.

    Args:
        believed: the authorities it believes.
    """

    def __init__(self, believed: ssl.SSLContext) -> None:
        self.cookies = Cookies()
        self.trail: list[tuple[str, str, int]] = []
        # The cookies are ours to judge: the client must not have a jar of its own.
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._client = httpx2.Client(verify=believed, trust_env=False, cookies=no_cookies, timeout=20)
        self._page: Page | None = None

    @property
    def page(self) -> Page:
        """What it shows now."""
        assert self._page is not None, "nothing is open"
        return self._page

    def open(self, url: str, *, follow: bool = True) -> Page:
        """Type an address."""
        return self._go("GET", url, None, initiator=None, follow=follow)

    def click(self, part: str) -> Page:
        """Click the first link of the page shown whose address holds `part`."""
        return self._go("GET", self.page.link(part), None, initiator=self.page.url)

    def send(self, form: Form, *, follow: bool = True, **typed: str) -> Page:
        """Send a form of the page shown, with what was typed."""
        fields = {**form.fields, **typed}
        return self._go(form.method, form.action, fields, initiator=self.page.url, follow=follow)

    def _go(
        self, method: str, url: str, fields: dict[str, str] | None, *, initiator: str | None, follow: bool = True
    ) -> Page:
        for _ in range(MAX_REDIRECTS):
            page = self._send(method, url, fields, initiator)
            self.trail.append((method, url, page.status))
            self._page = page
            location = page.headers.get("location")
            if not follow or location is None or page.status not in (301, 302, 303):
                return page
            method, url, fields = "GET", urljoin(url, location), None
        raise AssertionError(f"redirects without end: {self.trail[-MAX_REDIRECTS:]}")

    def _send(self, method: str, url: str, fields: dict[str, str] | None, initiator: str | None) -> Page:
        headers = {"Accept": "text/html,application/xhtml+xml", "Accept-Language": "fr"}
        headers["Sec-Fetch-Mode"], headers["Sec-Fetch-Dest"] = "navigate", "document"
        headers["Sec-Fetch-Site"] = _relation(initiator, url)
        if cookie := self.cookies.header(method, url, initiator):
            headers["Cookie"] = cookie
        if method == "POST" and initiator is not None:
            parts = urlsplit(initiator)
            hidden = self._page is not None and self._page.headers.get("referrer-policy") == "no-referrer"
            headers["Origin"] = "null" if hidden else f"{parts.scheme}://{parts.netloc}"
        if method == "POST":
            answer = self._client.post(url, data=fields, headers=headers)
        else:
            answer = self._client.get(url, params=fields or None, headers=headers)
        for line in answer.headers.get_list("set-cookie"):
            self.cookies.set(url, line)
        return Page(str(answer.url), answer.status_code, answer.headers, answer.content)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _relation(initiator: str | None, url: str) -> str:
    if initiator is None:
        return "none"
    here, there = urlsplit(initiator), urlsplit(url)
    if (here.scheme, here.netloc) == (there.scheme, there.netloc):
        return "same-origin"
    return "same-site" if site(initiator) == site(url) else "cross-site"
