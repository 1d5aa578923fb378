"""Which door: the chooser, the questions, and the end page of each door.

Nothing here has a cookie, a state or a time limit, and nothing here grants
anything: every answer is a plain GET, so Back works and the address can be sent.
"""

from __future__ import annotations

from collections.abc import Mapping

from imagin_gateway.errors import Code, RequestRefused
from imagin_gateway.exchange import Params, Response, see_other
from imagin_gateway.flows.arrival import session_cookie
from imagin_gateway.flows.doors import cards, view
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.landing import landed
from imagin_gateway.flows.last_door import last_door
from imagin_gateway.identity import Door
from imagin_gateway.pages.views import Choice, Link
from imagin_gateway.policy import Decision, FactsRefused, Question, Step


def _next_page(house: House, visit: Visit) -> str:
    """Return the page asked for, if there is one and it is allowed; it is carried along, never followed blindly."""
    asked = visit.request.query.get("next")
    page = landed(house, visit, asked)
    return page if asked and page != house.settings.landing else ""


def chooser(house: House, visit: Visit) -> Response:
    """Show the doors in plain words, for those who know, and the way to the questions, for those who do not."""
    next_page = _next_page(house, visit)
    arena = tuple(door for door in house.policy.doors if door != Door.DIRECT)
    over = visit.session is None and session_cookie(house, visit) is not None
    return house.page(
        visit,
        "chooser",
        arena=cards(house, visit, arena, next_page),
        direct=cards(house, visit, (Door.DIRECT,), next_page),
        questions_href=_question_href(house, visit, {}, next_page),
        last=last_door(house, visit, next_page),
        over=over,
        # Said once: the cookie of a session that is no more says nothing else.
        cookies=[house.no_cookie("session")] if over else (),
    )


def door(house: House, visit: Visit) -> Response:
    """Show the end page of a door."""
    info = house.policy.doors.get(visit.door)
    if info is None:
        raise RequestRefused("no such door", code=Code.NOT_FOUND)
    next_page = _next_page(house, visit)
    back = Link(house.text(visit, "frame.choose_another"), _chooser_href(house, visit, next_page))
    return house.page(visit, "door", door=view(house, visit, info, back, next_page))


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
        return see_other(_question_href(house, visit, {}, next_page))
    if step.question is not None:
        return _ask(house, visit, step, step.question, next_page, wrong=_unanswered(query, step.question))
    return _end(house, visit, step, next_page)


def _unanswered(query: Params, asked: Question) -> bool:
    return query.get("question") == asked.id and asked.id not in query


def _ask(house: House, visit: Visit, step: Step, asked: Question, next_page: str, *, wrong: bool) -> Response:
    previous = dict(list(step.answers.items())[:-1])
    if step.answers:
        back = Link(house.text(visit, "question.previous"), _question_href(house, visit, previous, next_page))
    else:
        back = Link(house.text(visit, "question.choose"), _chooser_href(house, visit, next_page))
    kept = {"next": next_page, "lang": visit.language.carried}
    hidden = {**step.answers, **{name: value for name, value in kept.items() if value}}
    said = visit.said
    return house.page(
        visit,
        "question",
        status=422 if wrong else 200,
        number=step.number,
        name=asked.id,
        question=said(asked.title),
        hint=said(asked.hint) if asked.hint else "",
        choices=[Choice(each.id, said(each.label), said(each.hint) if each.hint else "") for each in asked.answers],
        hidden=hidden,
        action=house.path("/question"),
        back=back,
        wrong=wrong,
    )


def _end(house: House, visit: Visit, step: Step, next_page: str) -> Response:
    decision = step.decision
    previous = dict(list(step.answers.items())[:-1])
    back = Link(house.text(visit, "door.change"), _question_href(house, visit, previous, next_page))
    if decision.door is not None:
        info = house.policy.door(decision.door)
        return house.page(visit, "door", door=view(house, visit, info, back, next_page, decision), decision=decision)
    return _outcome(house, visit, decision, back, next_page)


def _outcome(house: House, visit: Visit, decision: Decision, back: Link, next_page: str) -> Response:
    page = house.policy.pages[decision.page]
    texts = [visit.said(each) for each in (decision.sentence, *page.text, *decision.notes)]
    return house.page(
        visit,
        "outcome",
        title=visit.said(page.title),
        texts=list(dict.fromkeys(texts)),
        doors=cards(house, visit, page.doors, next_page),
        links=[Link(visit.said(page.instead), _question_href(house, visit, page.answers, next_page))]
        if page.instead
        else [],
        back=back,
        decision=decision,
    )


def _chooser_href(house: House, visit: Visit, next_page: str) -> str:
    return house.href(visit, "/", next=next_page)


def _question_href(house: House, visit: Visit, answers: Mapping[str, str], next_page: str) -> str:
    return house.href(visit, "/question", **answers, next=next_page)
