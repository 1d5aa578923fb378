"""The style sheet and the one script: ours, named after their content, checked by the browser (row WEB-11)."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Final

from imagin_gateway.errors import Problem

MAX_STYLE_BYTES: Final = 256 * 1024

MAX_LOGO_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Asset:
    """A file served to browsers.

    Attributes:
        name: where it is served, below the mount path: it changes with the content.
        integrity: what the page says of it, so that nothing else runs or styles (ASVS 3.6.1).
    """

    path: str
    body: bytes = field(repr=False)
    content_type: str
    integrity: str

    @classmethod
    def of(cls, name: str, content_type: str) -> Asset:
        """Read a file of the package, e.g. ``gateway.css``, served as ``/gateway-1a2b3c4d.css``."""
        return cls.made(name, files("imagin_gateway.pages").joinpath("styles", name).read_bytes(), content_type)

    @classmethod
    def made(cls, name: str, body: bytes, content_type: str) -> Asset:
        """Name a file after its content."""
        stem, _, kind = name.partition(".")
        return cls(
            path=f"/{stem}-{hashlib.sha256(body).hexdigest()[:8]}.{kind}",
            body=body,
            content_type=content_type,
            integrity="sha384-" + base64.b64encode(hashlib.sha384(body).digest()).decode("ascii"),
        )


_ESCAPE: Final = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))")


def _spelt(found: re.Match[str]) -> str:
    """Return what an escape of CSS stands for: `\\75rl(` is `url(` (CSS Syntax, §4.3.7)."""
    if found[1] is None:
        return found[2]
    code = int(found[1], 16)
    return chr(code) if 0 < code <= 0x10FFFF else "\ufffd"


def host_style(file: Path) -> Asset | Problem:
    """Return the style sheet of a host, or what is wrong with it.

    The policy of our pages lets it fetch nothing: better told at the start than seen as a page without its font.
    """
    key = "appearance.style"
    body = _read(file, MAX_STYLE_BYTES)
    if isinstance(body, str):
        return Problem(key, body, "donner une feuille de style")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return Problem(key, "la feuille de style n'est pas en UTF-8", "l'enregistrer en UTF-8")
    bare = _ESCAPE.sub(_spelt, re.sub(r"/\*.*?(?:\*/|\Z)", "", text, flags=re.DOTALL))
    if re.search(r"@import|@font-face|url\s*\(|src\s*\(|image-set\s*\(", bare, re.IGNORECASE):
        return Problem(
            key, "la feuille de style va chercher un autre fichier", "rien que des règles, sans url() ni @import"
        )
    return Asset.made("theme.css", body, "text/css; charset=utf-8")


def host_logo(file: Path) -> Asset | Problem:
    """Return the logo of a host, or what is wrong with it. It is served where nothing in it can run."""
    body = _read(file, MAX_LOGO_BYTES)
    if isinstance(body, str):
        return Problem("appearance.logo", body, "donner un fichier SVG")
    if b"<svg" not in body[:2000]:
        return Problem("appearance.logo", "ce n'est pas un fichier SVG", "donner un fichier SVG")
    return Asset.made("logo.svg", body, "image/svg+xml")


def _read(file: Path, most: int) -> bytes | str:
    """Return what a file holds, or what is wrong with it."""
    try:
        with file.open("rb") as opened:
            body = opened.read(most + 1)
    except OSError:
        return "ce fichier ne peut pas être lu"
    return body if len(body) <= most else f"ce fichier dépasse {most // 1024} Kio"
