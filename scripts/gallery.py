"""Take the pictures of docs/gallery.md: `python -m scripts.gallery` (`make gallery`).

Every page in every state, by Chromium, from the same values that the tests read. Of
states that differ by their words alone one is shown; the list names them all.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from imagin_gateway.pages.render import Pages
from tests.pages.conftest import read, render, settings, words
from tests.pages.served import OPTIONS, served
from tests.pages.states import ENGLISH, STATES
from tests.parts import PARTS, program

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
PICTURES: Final = DOCS / "gallery"
LIST: Final = DOCS / "gallery.md"

QUALITY: Final = 25
"""Of WebP, in percent: text stays sharp, and the whole stays small enough for a repository."""

HEAD: Final = """# What people see

Every page in every state, with made-up values. `make gallery` takes the pictures again; look at what changed before
you keep it. A host may change any of it: templates, texts and theme.
"""


@dataclass(frozen=True)
class View:
    """How a page is looked at."""

    name: str
    width: int
    scheme: str
    said: str


PHONE: Final = View("320", 320, "light", "a phone, 320 pixels wide")
TABLET: Final = View("768", 768, "dark", "a tablet, 768 pixels wide, dark")
DESK: Final = View("1280", 1280, "light", "a desk, 1280 pixels wide")


def shown() -> dict[str, list[str]]:
    """Return the states a picture is taken of, each with those that look the same but for their words."""
    pages = Pages(settings())
    by_shape: dict[tuple[object, ...], str] = {}
    found: dict[str, list[str]] = {}
    for name in STATES:
        elements = read(render(pages, name)).iter()
        shape = tuple((each.tag, *sorted(each.attrib), each.get("class")) for each in elements)
        found.setdefault(by_shape.setdefault(shape, name), []).append(name)
    return found


MAIN: Final = {"chooser", "question", "door", "login"}
"""Pages that nearly everybody sees: on a tablet too, in the dark."""


def views(name: str) -> tuple[View, ...]:
    """Return how a state is shown: the first of each page on a phone and on a desk, the others on a phone."""
    page = STATES[name].page
    if name != next(each for each, state in STATES.items() if state.page == page):
        return (PHONE,)
    return (PHONE, TABLET, DESK) if page in MAIN else (PHONE, DESK)


def listed() -> str:
    """Return the page of the documentation."""
    pages = Pages(settings())
    lines = [HEAD]
    page = ""
    for name, alike in sorted(shown().items(), key=lambda item: list(STATES).index(item[0])):
        if STATES[name].page != page:
            page = STATES[name].page
            lines += [f"## `{page}`", ""]
        title = words(read(render(pages, name)).find(".//title")).removesuffix(" – Imagin SIEC")
        others = f" (and {', '.join(f'`{each}`' for each in alike[1:])})" if alike[1:] else ""
        lines += [f"`{name}`{others}: {title}", ""]
        lines += [f"![{title}: {view.said}](gallery/{name}-{view.name}.webp)" for view in views(name)]
        lines.append("")
    lines += ["## In English", ""]
    for name in ENGLISH:
        title = words(read(render(pages, name, "en")).find(".//title")).removesuffix(" – Imagin SIEC")
        lines += [f"`{name}`: {title}", "", f"![{title}: {PHONE.said}](gallery/{name}-{PHONE.name}.webp)", ""]
    return "\n".join(lines)


def pictures() -> Iterator[tuple[str, View]]:
    """Return what is photographed: a state, and how."""
    for name in shown():
        for view in views(name):
            yield name, view
    for name in ENGLISH:
        yield name, PHONE


def take(browser: Any, address: str) -> None:
    """Take every picture, and remove those of pages that are gone."""
    wanted = {f"{name}-{view.name}.webp" for name, view in pictures()}
    PICTURES.mkdir(exist_ok=True)
    for old in PICTURES.iterdir():
        if old.name not in wanted:
            old.unlink()
    for view in (PHONE, TABLET, DESK):
        size = {"width": view.width, "height": 600}
        context = browser.new_context(viewport=size, color_scheme=view.scheme)
        page = context.new_page()
        camera = context.new_cdp_session(page)
        for name, asked in pictures():
            if asked is view:
                page.goto(f"{address}/{name}")
                # The foot is the same everywhere: the first page shows it.
                end = "html" if name == next(iter(STATES)) else "main"
                height = page.evaluate("e => document.querySelector(e).getBoundingClientRect().bottom", end)
                area = {"x": 0, "y": 0, "width": view.width, "height": height, "scale": 1}
                how = {"format": "webp", "quality": QUALITY, "clip": area, "captureBeyondViewport": True}
                taken = camera.send("Page.captureScreenshot", how)["data"]
                (PICTURES / f"{name}-{view.name}.webp").write_bytes(base64.b64decode(taken))
        context.close()


def main() -> int:
    """Take the pictures and write the list."""
    if reason := PARTS["chromium"].missing():
        print(f"{reason}: `make parts` gets it", file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright

    with served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(program("chromium")), args=OPTIONS)
        take(browser, address)
        browser.close()
    LIST.write_text(listed(), encoding="utf-8")
    size = sum(each.stat().st_size for each in PICTURES.iterdir())
    print(f"{len(list(PICTURES.iterdir()))} pictures, {size // 1024} kB, in {PICTURES.relative_to(DOCS.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
