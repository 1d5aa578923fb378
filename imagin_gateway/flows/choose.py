"""Which door: the chooser, the questions, and the end page of each door.

Nothing here has a cookie, a state or a time limit, and nothing here grants
anything: every answer is a plain GET, so Back works and the address can be sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from imagin_gateway.errors import Code, RequestRefused
from imagin_gateway.exchange import Params, Response, see_other
from imagin_gateway.flows.doors import cards, view
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.landing import landing
from imagin_gateway.identity import Door
from imagin_gateway.pages.views import Choice, Link
from imagin_gateway.policy import Decision, FactsRefused, Question, Step


def _next_page(house: House, visit: Visit) -> str:
    """Return the page asked for, if there is one and it is allowed; it is carried along, never followed blindly."""
    asked = visit.request.query.get("next")
    page = landing(house.settings, asked)
    return page if asked and page != house.settings.landing else ""


def chooser(house: House, visit: Visit) -> Response:
    """Show the doors in plain words, for those who know, and the way to the questions, for those who do not."""
    next_page = _next_page(house, visit)
    arena = tuple(door for door in house.policy.doors if door != Door.DIRECT)
    return house.pages.render(
        "chooser",
        arena=cards(house, arena, next_page),
        direct=cards(house, (Door.DIRECT,), next_page),
        questions_href=_question_href(house, {}, next_page),
    )


def door(house: House, visit: Visit) -> Response:
    """Show the end page of a door."""
    info = house.policy.doors.get(visit.door)
    if info is None:
        raise RequestRefused("no such door", code=Code.NOT_FOUND)
    next_page = _next_page(house, visit)
    back = Link(house.pages.text("frame.choose_another"), _chooser_href(house, next_page))
    return house.pages.render("door", door=view(house, info, back, next_page))


def question(house: House, visit: Visit) -> Response:
    """Ask the next question, or show the door the answers lead to."""
    next_page = _next_page(house, visit)
    query = visit.request.query
    known = {each.id for each in house.policy.all_questions}
    answers = {name: value for name, value in query.items() if name in known}
    try:
        step = house.policy.interview(answers)
    except FactsRefused:
        # An address typed or mangled on its way: begin again rather than argue.
        return see_other(_question_href(house, {}, next_page))
    if step.question is not None:
        return _ask(house, step, step.question, next_page, wrong=_unanswered(query, step.question))
    return _end(house, step, next_page)


def _unanswered(query: Params, asked: Question) -> bool:
    return query.get("question") == asked.id and asked.id not in query


def _ask(house: House, step: Step, asked: Question, next_page: str, *, wrong: bool) -> Response:
    previous = dict(list(step.answers.items())[:-1])
    if step.answers:
        back = Link(house.pages.text("question.previous"), _question_href(house, previous, next_page))
    else:
        back = Link(house.pages.text("question.choose"), _chooser_href(house, next_page))
    hidden = {**step.answers, **({"next": next_page} if next_page else {})}
    return house.pages.render(
        "question",
        status=422 if wrong else 200,
        number=step.number,
        name=asked.id,
        question=asked.title.fr,
        hint=asked.hint.fr if asked.hint else "",
        choices=[Choice(each.id, each.label.fr, each.hint.fr if each.hint else "") for each in asked.answers],
        hidden=hidden,
        action=house.path("/question"),
        back=back,
        wrong=wrong,
    )


def _end(house: House, step: Step, next_page: str) -> Response:
    decision = step.decision
    previous = dict(list(step.answers.items())[:-1])
    back = Link(house.pages.text("door.change"), _question_href(house, previous, next_page))
    if decision.door is not None:
        info = house.policy.door(decision.door)
        return house.pages.render("door", door=view(house, info, back, next_page, decision))
    return _outcome(house, decision, back, next_page)


def _outcome(house: House, decision: Decision, back: Link, next_page: str) -> Response:
    page = house.policy.pages[decision.page]
    texts = [decision.sentence.fr, *(each.fr for each in page.text), *(note.fr for note in decision.notes)]
    return house.pages.render(
        "outcome",
        title=page.title.fr,
        texts=list(dict.fromkeys(texts)),
        doors=cards(house, page.doors, next_page),
        links=[Link(page.instead.fr, _question_href(house, page.answers, next_page))] if page.instead else [],
        back=back,
    )


def _chooser_href(house: House, next_page: str) -> str:
    return house.path("/") + ("?" + urlencode({"next": next_page}) if next_page else "")


def _question_href(house: House, answers: Mapping[str, str], next_page: str) -> str:
    fields = {**answers, **({"next": next_page} if next_page else {})}
    return house.path("/question") + ("?" + urlencode(fields) if fields else "")
