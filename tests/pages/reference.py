"""The lists of docs/pages.md, made from the templates and the style sheet.

`python -m tests.pages.reference` writes them again; a test compares.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Final

from jinja2 import meta

import imagin_gateway.pages
from imagin_gateway.pages.render import Site
from imagin_gateway.pages.templating import words
from tests.pages.states import STATES

ROOM = Path(imagin_gateway.pages.__file__).parent

DOC = Path(__file__).parents[2] / "docs" / "pages.md"

ALWAYS: Final = {
    "t": 'a text by its key: `t("login.submit")`; `t.fullest(key)` takes the `_full` one when all it asks for is known',
    "linked": "a sentence in which the contact's address, and the links given, can be followed",
    "spoken": "`spoken.moment(...)`, `spoken.day(...)`, `spoken.hour(...)`, `spoken.duration(minutes)`",
    "site": "what every page may say of the service, see below",
    "language": "code of the language: `fr`",
    "translations": "the same page in the other languages: `language`, `name`, `href`; empty when there is none",
    "page_name": "name of the template, without its ending",
    "nonce": "of this answer; a script without it does not run",
    "link": "`link(label, href)`; refuses an address that is none",
    "host_of": "host of an address, or the empty text for one of ours",
    "unmentioned": "links that no text names",
}

BLOCKS: Final = {
    "ig-page": "body; with `ig-page--` and the name of the template",
    "ig-wrap": "what holds the width: in the header, in the footer, `main` itself",
    "ig-skip": "link to the content, seen when it has the focus",
    "ig-header": "frame, above",
    "ig-brand": "name of the service, and where",
    "ig-language": "link to the other language",
    "ig-footer": "frame, below: help, accessibility, personal data, legal notice",
    "ig-back": "link back, first of a page",
    "ig-lead": "what the page is about",
    "ig-section": "a part of a page",
    "ig-message": "a message; `--ok` done, `--warn` mind, `--error` what is wrong in a form",
    "ig-doors": "list of doors; `--2`, `--3` on one line",
    "ig-door": "one door; `--quiet` is the way to the questions",
    "ig-leave": "the button that leaves, and the address it leads to",
    "ig-facts": "what an end page says, block by block",
    "ig-fact": "one of them",
    "ig-not": "what the credentials are not, what the door does not offer",
    "ig-steps": "what to do, in order",
    "ig-list": "what there is, in no order",
    "ig-links": "list of links",
    "ig-host": "host of a link to another site",
    "ig-form": "form to fill in",
    "ig-act": "form that is a button or two",
    "ig-ask": "form of a question",
    "ig-field": "label, hint, error and input",
    "ig-required": "« (obligatoire) »",
    "ig-hint": "hint of a field",
    "ig-error": "error of a field",
    "ig-input": "the input itself",
    "ig-after": "what stands under a field: show the password, forgotten",
    "ig-reveal": "button that shows what is typed",
    "ig-step": "number of a question",
    "ig-choices": "answers of a question",
    "ig-choice": "one answer",
    "ig-or": "« ou », before the last answer",
    "ig-actions": "buttons of a page",
    "ig-button": "a button, or a link that looks like one; `--second` is the lesser one",
    "ig-alone": "a link that stands alone",
    "ig-beside": "form and help, side by side where there is room",
    "ig-help": "that help",
    "ig-aside": "what is good to know, apart",
    "ig-details": "facts of a session",
    "ig-events": "last events of an account, at the help desk",
    "ig-sessions": "list of sessions",
    "ig-tag": "« cette session »",
    "ig-when": "when an event happened",
    "ig-code": "what is read sign by sign: an address, a reference",
    "ig-codes": "recovery codes, one a line",
    "ig-picture": "the code to scan",
    "ig-unseen": "for screen readers and password managers alone",
}
"""What each class is for. A modifier (`--`) is told with its block."""


def templates() -> dict[str, str]:
    """Return the templates, by name."""
    return {file.name: file.read_text(encoding="utf-8") for file in sorted((ROOM / "templates").glob("*.html"))}


def hooks() -> dict[str, set[str]]:
    """Return the classes that stand in the templates, modifiers apart, and where."""
    found: dict[str, set[str]] = defaultdict(set)
    sources = {**templates(), **{file.name: file.read_text(encoding="utf-8") for file in ROOM.glob("*.py")}}
    for name, source in sources.items():
        for classes in re.findall(r'class[a-z]*="([^"]*)"', source):
            for each in re.findall(r"ig-[a-z0-9]+(?:-[a-z0-9]+)*", classes):
                found[each].add(name)
    return dict(found)


def properties() -> list[tuple[str, str]]:
    """Return the custom properties of the theme, in the order of the style sheet."""
    first = (ROOM / "styles" / "gateway.css").read_text(encoding="utf-8").split("}", 1)[0]
    return re.findall(r"(--ig-[a-z0-9-]+): ([^;]+);", first)


def values(name: str, source: str) -> list[str]:
    """Return the values that a journey gives a template and that it shows, besides those that every one has."""
    asked = meta.find_undeclared_variables(words(None, None).templates.parse(source))
    given = {value for state in STATES.values() if f"{state.page}.html" == name for value in state.values}
    return sorted(asked & given)


def lists() -> dict[str, str]:
    """Return each list, by the name of its marks in the document."""
    pages = [(name, source) for name, source in templates().items() if name not in ("base.html", "parts.html")]
    return {
        "always": _table("value", "what it is", [(f"`{name}`", told) for name, told in ALWAYS.items()]),
        "site": ", ".join(f"`{name}`" for name in Site.__dataclass_fields__),
        "templates": _table(
            "template",
            "values",
            [
                (f"`{name}`", ", ".join(f"`{each}`" for each in values(name, source)) or "none")
                for name, source in pages
            ],
        ),
        "hooks": _table("class", "what it is", [(f"`{name}`", told) for name, told in BLOCKS.items()]),
        "properties": _table("property", "ours", [(f"`{name}`", f"`{value}`") for name, value in properties()]),
    }


def _table(first: str, second: str, rows: list[tuple[str, str]]) -> str:
    return "\n".join([f"| {first} | {second} |", "| --- | --- |", *(f"| {one} | {other} |" for one, other in rows)])


def written(document: str) -> str:
    """Return the document with every list made again."""
    for name, text in lists().items():
        marks = re.compile(rf"(<!-- {name} -->\n)[\s\S]*?(<!-- /{name} -->)")
        assert marks.search(document), f"docs/pages.md has no place for {name}"
        document = marks.sub(lambda found, text=text: f"{found[1]}{text}\n{found[2]}", document)  # type: ignore[misc]
    return document


if __name__ == "__main__":
    DOC.write_text(written(DOC.read_text(encoding="utf-8")), encoding="utf-8")
