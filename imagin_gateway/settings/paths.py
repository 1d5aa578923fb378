"""Prefixes of paths, as settings write them and as requests are compared with them."""

from __future__ import annotations

from imagin_gateway.problems import wrong


def checked_prefix(prefix: str) -> str:
    """Return a prefix of paths as paths arrive: decoded, without a final slash, with nothing that never matches."""
    if prefix[:1] != "/":
        raise wrong("un préfixe commence par « / »", 'par exemple "/missions"')
    if not prefix.isprintable() or set(prefix) & set("?#*%\\{}<> "):
        raise wrong("un préfixe est un chemin tel quel, sans « * », « % », « ? » ni espace", 'par exemple "/missions"')
    kept = prefix.rstrip("/") or "/"
    if any(part in ("", ".", "..") for part in kept.split("/")[1:]) and kept != "/":
        raise wrong("un préfixe n'a ni « // », ni « . », ni « .. »", 'par exemple "/missions"')
    return kept


def under(path: str, prefix: str) -> bool:
    """Tell whether `path` is `prefix` or below it, by whole segments."""
    return path == prefix or path.startswith(prefix.rstrip("/") + "/")
