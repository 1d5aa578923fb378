"""What the documentation site is made of, besides the pages under docs: a hook of MkDocs (see mkdocs.yml).

Pages that stand at the root of the repository are pages of the site too; a link to a
file that is none is told by its name; decisions are listed by their numbers.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from posixpath import dirname, normpath, relpath
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).resolve().parent.parent

FROM_ROOT: Final = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md", "security.md": "SECURITY.md"}
"""Pages of the site that are files of the root, where those who have the sources look for them."""

DECISIONS: Final = "decisions"

INDEX: Final = f"{DECISIONS}/index.md"

_LINK: Final = re.compile(r"(?<!!)\[([^\]]+)\]\(([^()\s]+)\)")

# What is not of the site's own is a warning, and a warning stops a strict build.
_log = logging.getLogger("mkdocs.hooks.documents")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Write what can be listed into the navigation: decisions, and pages that no part names."""
    docs = Path(config.docs_dir)
    there = {str(file.relative_to(docs)) for file in docs.rglob("*.md")} | {*FROM_ROOT, INDEX}
    nav = config.nav or []
    for part in nav:
        if isinstance(part, dict) and part.get("Decisions") == DECISIONS:
            part["Decisions"] = [INDEX, *decisions(docs)]
    if others := sorted(there - set(_named(nav))):
        nav.append({"Others": others})
    config.nav = nav
    return config


def decisions(docs: Path) -> list[str]:
    """Return the decisions, by their numbers."""
    return sorted(f"{DECISIONS}/{file.name}" for file in (docs / DECISIONS).glob("[0-9]*.md"))


def decisions_index(docs: Path) -> str:
    """Return the page that lists the decisions: the number, what is decided."""
    lines = ["# Decisions", "", "Choices that somebody will question, each with its reasons and its price.", ""]
    for name in decisions(docs):
        title = (docs / name).read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        lines.append(f"- [{title}]({name.removeprefix(DECISIONS + '/')})")
    return "\n".join(lines) + "\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that do not stand under docs."""
    for name, source in FROM_ROOT.items():
        files.append(File.generated(config, name, content=_from_root((ROOT / source).read_text(encoding="utf-8"))))
    files.append(File.generated(config, INDEX, content=decisions_index(Path(config.docs_dir))))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Mend the links that leave docs: to a page of the root, to its page here; to any other file, to its name."""
    here = page.file.src_uri

    def mended(found: re.Match[str]) -> str:
        text, target = found[1], found[2]
        path, _, anchor = target.partition("#")
        if not path or re.match(r"[a-z]+:", path) or path.startswith("/"):
            return found[0]
        meant = normpath(f"docs/{dirname(here)}/{path}")
        if meant.startswith("docs/"):
            return found[0]
        if not (ROOT / meant).exists():
            _log.warning("%s: link to %s, which does not exist", here, meant)
        for name, source in FROM_ROOT.items():
            if meant == source:
                return f"[{text}]({relpath(name, dirname(here) or '.')}{'#' + anchor if anchor else ''})"
        return f"{text} (`{meant}`)" if meant not in text else f"`{meant}`"

    return _outside_code(markdown, mended)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Say which pages are in French (WCAG 3.1.2)."""
    return f'<div lang="fr">{html}</div>' if page.file.src_uri.startswith("fr/") else html


def _from_root(markdown: str) -> str:
    """Return a page of the root as if it stood in docs."""

    def mended(found: re.Match[str]) -> str:
        text, target = found[1], found[2]
        if re.match(r"[a-z]+:|#|/", target):
            return found[0]
        return f"[{text}]({target.removeprefix('docs/')})" if target.startswith("docs/") else f"[{text}](../{target})"

    return _outside_code(markdown, mended)


def _outside_code(markdown: str, mended: Any) -> str:
    parts = re.split(r"(^```.*?^```)", markdown, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if part.startswith("```") else _LINK.sub(mended, part) for part in parts)


def _named(nav: Any) -> list[str]:
    """Return every page that a navigation names."""
    if isinstance(nav, str):
        return [nav]
    if isinstance(nav, dict):
        return [name for part in nav.values() for name in _named(part)]
    return [name for part in nav or () for name in _named(part)]
