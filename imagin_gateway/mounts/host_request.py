"""A request to a page of the host, read from an ASGI scope or a WSGI environ into the one form flows know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote

from imagin_gateway.exchange import Request
from imagin_gateway.mounts.incoming import PATH, client_address

_PATH_SIGNS: Final = "/:@!$&'()*+,;=-._~"
_QUERY_SIGNS: Final = "".join(map(chr, range(0x21, 0x7F))).replace("\\", "")
_WRITTEN: Final = re.compile(f"[A-Za-z0-9%{re.escape(_PATH_SIGNS)}]+")


def scope_headers(scope: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers of an ASGI scope, by lower-case name."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        # HTTP/2 may split Cookie; everything else repeated is one list (RFC 9110 §5.3).
        joint = "; " if name == "cookie" else ", "
        headers[name] = headers[name] + joint + value if name in headers else value
    return headers


def scope_path(scope: Mapping[str, Any]) -> str:
    """Return the path a browser asked for: below a `root_path`, some servers tell the rest alone."""
    known: str | None = scope.get(PATH)
    if known is not None:
        return known
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    return path if not root or path == root or path.startswith(root + "/") else root + path


def environ_headers(environ: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers of a WSGI environ, by lower-case name."""
    headers = {
        name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name.startswith("HTTP_")
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = str(environ[name])
    return headers


def environ_path(environ: Mapping[str, Any]) -> str:
    """Return the path a browser asked for (PEP 3333: bytes read as latin-1)."""
    root: str = environ.get("SCRIPT_NAME", "")
    rest: str = environ.get("PATH_INFO", "")
    # gunicorn takes the prefix off the beginning of a name, too; Werkzeug answers the rest as if a slash came first.
    raw = f"{root.rstrip('/')}/{rest}" if root and rest and rest[0] != "/" else root + rest
    return raw.encode("latin-1", "replace").decode("utf-8", "replace") or "/"


def written_path(place: Mapping[str, Any]) -> str:
    """Return the path as the browser wrote it, where the server tells; else written anew, from what was read of it.

    Written anew, `%2F` is a slash, and what is no UTF-8 is lost. What the server tells counts only as another
    writing of the path that was judged.
    """
    if "wsgi.version" in place:
        # gunicorn's word, and that of mod_wsgi, uWSGI and waitress; both hold the query.
        path = environ_path(place)
        told = str(place.get("RAW_URI") or place.get("REQUEST_URI") or "").partition("?")[0]
    else:
        path, told = scope_path(place), (place.get("raw_path") or b"").decode("latin-1")
    return told if _WRITTEN.fullmatch(told) and unquote(told) == path else quote(path, safe=_PATH_SIGNS)


def written_query(query: bytes) -> str:
    """Return a query and its question mark, "" for none, as it may stand in an address of ours.

    A browser leaves a backslash as it is in a query (URL Standard, query percent-encode set), and other clients
    leave accents; where a login comes back to has neither.
    """
    return f"?{quote(query, safe=_QUERY_SIGNS)}" if query else ""


def host_request(place: Mapping[str, Any], trusted_proxies: int) -> Request:
    """Return the request of a scope or an environ, without its body: that is the host's."""
    if "wsgi.version" in place:
        headers, path = environ_headers(place), environ_path(place)
        method: str = place["REQUEST_METHOD"]
        query = place.get("QUERY_STRING", "").encode("latin-1", "replace")
        peer = place.get("REMOTE_ADDR", "")
    else:
        headers, path = scope_headers(place), scope_path(place)
        method = place.get("method", "GET")
        query = place.get("query_string", b"")
        peer = (place.get("client") or ("",))[0]
    address = client_address(peer, headers.get("x-forwarded-for", ""), trusted_proxies)
    return Request(method, path, query, headers, address=address, written=written_path(place))
