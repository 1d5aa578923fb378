"""A step is its page, told otherwise: the same forms, the same fields, the same tokens, the same errors."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from imagin_gateway.pages.render import Pages
from imagin_gateway.pages.steps import STEPS
from tests.pages.conftest import LANGUAGES, pages, read, render
from tests.pages.states import STATES
from tests.steps.states import MORE

__all__ = ["pages"]

BY_BROWSER = {"refusal", "desk", "desk_account", "desk_act", "desk_letter", "logout_answer"}
"""Pages that are no step: a refusal is a problem, a help desk is for browsers, a portal is answered by a form."""


TOLD = sorted(name for name, state in STATES.items() if state.page in STEPS)


def told(pages: Pages, name: str) -> tuple[Any, Any]:
    """Return the step of a state, and the whole answer."""
    state = STATES[name]
    values = {**MORE.get(state.page, {}), **state.values}
    reply = pages.tell(state.page, language=LANGUAGES["fr"], **{"status": 403 if state.error else 200, **values})
    whole = json.loads(reply.body)
    return whole.get("again", whole), whole


def test_every_page_is_a_step_or_says_why_not() -> None:
    assert {state.page for state in STATES.values()} <= set(STEPS) | BY_BROWSER
    assert not set(STEPS) & BY_BROWSER


@pytest.mark.parametrize("name", TOLD)
def test_a_step_sends_what_its_page_sends(pages: Pages, name: str) -> None:
    step, _ = told(pages, name)
    forms = read(render(pages, name)).xpath("//main//form")
    of_page = set()
    for form in forms:
        action, method = form.get("action"), form.get("method").upper()
        fixed = {each.get("name"): each.get("value") for each in form.xpath(".//input[@type='hidden']")}
        # The answer of a device goes into a hidden field that a script fills in.
        asked = {each.get("name") for each in form.xpath(".//input[@name][not(@type='hidden')]")}
        asked |= {"code"} & {key for key, value in fixed.items() if value == ""}
        fixed = {key: value for key, value in fixed.items() if key not in asked}
        buttons = form.xpath(".//button[@name]")
        for button in [{button.get("name"): button.get("value")} for button in buttons] or [{}]:
            of_page.add((method, action, frozenset({**fixed, **button}.items()), frozenset(asked)))
    of_step = {
        (form["method"], form["action"], frozenset(form["send"].items()), frozenset(ask["name"] for ask in form["ask"]))
        for form in step["forms"].values()
    }
    if step["step"] == "sessions":
        # The button of this very session leads to the logout; the script takes the link there.
        here = next(each.handle for each in STATES[name].values["sessions"] if each.here)
        of_page = {each for each in of_page if ("fin", here) not in each[2]}
    assert of_step == of_page


@pytest.mark.parametrize("name", TOLD)
def test_a_step_is_wrong_where_its_page_is_and_says_the_same(pages: Pages, name: str) -> None:
    _, whole = told(pages, name)
    assert ("errors" in whole) == STATES[name].error
    page = read(render(pages, name))
    text = " ".join(page.find(".//main").text_content().split())
    for wrong in whole.get("errors", []):
        assert " ".join(wrong["text"].split()) in text
        assert wrong["code"].count(".") == 1
    step = whole.get("again", whole)
    if step["step"] != "session":
        heading = " ".join(page.find(".//h1").text_content().split())
        assert " ".join(step["title"].split()) == heading


@pytest.mark.parametrize("name", TOLD)
def test_no_step_says_what_its_page_does_not_link_to(pages: Pages, name: str) -> None:
    step, _ = told(pages, name)
    assert all(
        link["href"].startswith(("/", "https://", "?")) and link["label"].strip() for link in step["links"].values()
    )
    assert all(form["submit"].strip() for form in step["forms"].values())


def test_a_moment_has_its_zone(pages: Pages) -> None:
    step, _ = told(pages, next(name for name in TOLD if STATES[name].page == "session"))
    assert datetime.fromisoformat(step["ends_at"]).astimezone(UTC) == datetime(2026, 12, 14, 23, 32, tzinfo=UTC)
