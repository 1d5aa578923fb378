"""The second step of a login: after the password, before any session exists.

What waits is kept on our side for a few minutes, and belongs to the browser that proved
the password. It is taken away by the step that succeeds, by too many that fail, and by
anything that changes the account meanwhile.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from imagin_gateway.clock import timestamp
from imagin_gateway.errors import Code, FlowLost
from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response, SetCookie, see_other
from imagin_gateway.flows import trusted_computer
from imagin_gateway.flows.attempts import attempt
from imagin_gateway.flows.client import client_of
from imagin_gateway.flows.forms import form_token, posted
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.identity import DIRECT_ISSUER, Door
from imagin_gateway.keys import Secret, digest, new_token
from imagin_gateway.local.door import AccountView, FactorRefused
from imagin_gateway.local.factors import StepProved
from imagin_gateway.state.store import Space

WAITING: Final = timedelta(minutes=5)
"""How long the second step may take."""

MOST_TRIES: Final = 5
"""Tries of one step, after which the password is asked for again."""

TICKET: Final = "step"
"""Use of the cookie that ties what waits to its browser."""

_METHODS: Final = {"code": "totp", "secours": "recovery-code", "cle": "passkey"}
"""How events name the means of a second step."""

Finish = Callable[[House, Visit, AccountView, str, bool, tuple[str, ...]], Response]
"""Goes on once the step is done: account, page, whether a password must be chosen, and what the step adds to `amr`."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A login whose password was proved.

    Attributes:
        identifier: of the account.
        version: of the account then: anything that changes it ends this login.
        next: page to go to.
        must_choose: a password must be chosen first.
        browser: digest of the browser's own name.
    """

    identifier: str
    version: int
    next: str
    must_choose: bool
    browser: str


def begin(house: House, visit: Visit, account: AccountView, next_page: str, *, must_choose: bool) -> Response:
    """Keep a login whose password was proved, and ask for the second step. No session is opened."""
    ticket = new_token()
    kept = {
        "identifier": account.identifier,
        "version": account.version,
        "next": next_page,
        "must_choose": must_choose,
        "browser": digest(visit.browser),
    }
    house.keep(digest(ticket), kept, WAITING)
    person = (DIRECT_ISSUER, account.identifier)
    visit.event(house, EventName.SECOND_STEP_ASKED, door=Door.DIRECT, method="password", strength="pwd", person=person)
    cookie = house.cookie(TICKET, ticket, max_age=int(WAITING.total_seconds()))
    return see_other(house.path("/etape"), cookie)


def _ticket(house: House, visit: Visit) -> str:
    ticket = visit.request.cookies.get(house.settings.cookie_name(TICKET), "")
    if not ticket:
        raise FlowLost("this browser waits for no second step", code=Code.FLOW_UNKNOWN)
    return digest(ticket)


def _waiting(house: House, visit: Visit, step: dict[str, object] | None) -> Waiting:
    if step is None or not {"identifier", "version", "next", "must_choose", "browser"} <= step.keys():
        raise FlowLost("no second step waits under this ticket", code=Code.FLOW_UNKNOWN)
    waiting = Waiting(
        str(step["identifier"]),
        int(str(step["version"])),
        str(step["next"]),
        step["must_choose"] is True,
        str(step["browser"]),
    )
    if visit.new_browser or not hmac.compare_digest(waiting.browser, digest(visit.browser)):
        raise FlowLost("the password was proved in another browser", code=Code.FLOW_OTHER_BROWSER)
    return waiting


def show(house: House, visit: Visit) -> Response:
    """Ask for a code of the application, a passkey, or a recovery code."""
    key = _ticket(house, visit)
    waiting = _waiting(house, visit, house.peek(key))
    return _page(house, visit, key, waiting, means=visit.request.query.get("moyen", ""))


def _page(
    house: House,
    visit: Visit,
    key: str,
    waiting: Waiting,
    *,
    means: str = "",
    refused: FactorRefused | None = None,
    missing: bool = False,
) -> Response:
    factors, recovery = house.direct.factors.of(waiting.identifier), means == "secours"
    return house.page(
        visit,
        "second_step",
        status=403 if refused else 422 if missing else 200,
        action=house.path("/etape"),
        csrf=form_token(house, visit, key),
        recovery=recovery,
        by_passkey=means == "cle",
        application=factors.totp is not None,
        passkey=new_challenge(house, key, waiting.identifier) if factors.passkeys and not recovery else "",
        recovery_left=factors.recovery_left,
        trusted_days=house.settings.factors.trusted_days,
        refused=refused.code.value.removeprefix("factor.") if refused else "missing" if missing else "",
        minutes=abs(refused.minutes) if refused else 0,
        other_href=house.path("/etape") + ("" if recovery else "?moyen=secours"),
        again_href=house.path("/direct"),
    )


def new_challenge(house: House, key: str, identifier: str | None) -> str:
    """Return what a page asks of a passkey, in JSON: its challenge is good once, for what waits under `key` alone."""
    challenge = new_token(256)
    house.keep(_challenge_key(key), {"challenge": challenge}, WAITING)
    return house.direct.factors.to_use_passkey(identifier, Secret(challenge))


def take_challenge(house: House, key: str) -> Secret:
    """Use the challenge of a page up. Raises `FactorRefused` when it was used, replaced, or is too old."""
    kept = house.take(_challenge_key(key))
    if kept is None:
        raise FactorRefused(Code.FACTOR_CHALLENGE, "the challenge was used already, or is too old")
    return Secret(str(kept.get("challenge", "")))


def _challenge_key(key: str) -> str:
    return digest(f"challenge\x00{key}")


def submit(house: House, visit: Visit, finish: Finish) -> Response:
    """Check the step; the login goes on, once, in the browser in which it began."""
    # The form first: what comes from another site is told nothing, not even that nothing waits.
    ticket = visit.request.cookies.get(house.settings.cookie_name(TICKET), "")
    form = posted(house, visit, digest(ticket) if ticket else "")
    key = _ticket(house, visit)
    waiting = _waiting(house, visit, house.peek(key))
    means = form.get("moyen", "")
    person = (DIRECT_ISSUER, waiting.identifier)
    typed = Secret(form.get("secours" if means == "secours" else "code", ""))
    if means != "cle" and not typed.reveal().strip():
        # Nobody tried anything: it must not count, nor be told as wrong.
        return _page(house, visit, key, waiting, means=means, missing=True)
    method = _METHODS.get(means, "")
    try:
        with attempt(EventName.SECOND_STEP_REFUSED, Door.DIRECT, method, strength="pwd", person=person):
            proved = _prove(house, visit, key, waiting, means, typed)
    except FactorRefused as refused:
        visit.event(
            house,
            EventName.SECOND_STEP_REFUSED,
            refused.code,
            door=Door.DIRECT,
            method=method,
            strength="pwd",
            person=person,
            detail={"means": means if means in _METHODS else "", "reason": str(refused)},
        )
        if refused.code in (Code.FACTOR_GONE, Code.FACTOR_OFF):
            house.take(key)
            raise over("the account changed during the second step", refused.code) from None
        if _tries(house, key) >= MOST_TRIES:
            house.take(key)
            raise over("too many tries of one second step", Code.FACTOR_TOO_MANY) from None
        return _page(house, visit, key, waiting, means=means, refused=refused)
    if house.take(key) is None:
        raise FlowLost("the second step was done already", code=Code.REPLAYED)
    cookies: list[SetCookie] = [house.no_cookie(TICKET)]
    if form.get(trusted_computer.FIELD) == "oui" and house.settings.factors.trusted_days:
        cookies.append(trusted_computer.trust(house, visit, proved.account))
    done = finish(house, visit, proved.account, waiting.next, waiting.must_choose, proved.amr)
    return done.adding(cookies=cookies)


def over(message: str, code: Code) -> FlowLost:
    """Return the end of a step whose refusal was told by an event already: one act, one event."""
    lost = FlowLost(message, code=code)
    lost.told = True
    return lost


def _prove(house: House, visit: Visit, key: str, waiting: Waiting, means: str, typed: Secret) -> StepProved:
    factors, request = house.direct.factors, visit.request
    tell = {"address": request.address, "correlation": request.correlation}
    identifier, version, address = waiting.identifier, waiting.version, request.address
    client = client_of(house, visit)
    if means == "cle":
        challenge = take_challenge(house, key)
        return factors.prove_passkey(
            identifier, typed, challenge, version=version, address=address, tell=tell, client=client
        )
    prove = factors.prove_recovery if means == "secours" else factors.prove_code
    return prove(identifier, typed, version=version, address=address, tell=tell, client=client)


def _tries(house: House, key: str) -> int:
    now = timestamp(house.clock.now())
    ends = now + WAITING.total_seconds()
    return house.state.increment(Space.COUNTER, digest(f"second step\x00{key}"), expires_at=ends, now=now)
