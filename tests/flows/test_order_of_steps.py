"""No step is taken before those it rests on went well, whatever the ports answer and whichever of them fails.

What a journey asks of its ports is recorded, and held against a table of what each step needs before it. Answers and
outages are made by chance: the last words are always the same, nobody is let in who should not be.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagin_gateway.errors import AdmissionRefused, AnswerRefused, Code
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.keys import Secret
from imagin_gateway.local.throttle import NetworkThrottled
from imagin_gateway.state.store import Space
from tests.client import Client, Reply
from tests.flows.conftest import TheHouse, direct, open_house
from tests.flows.recorded import OUTAGES, TRUTH, Trace, Watched, WatchedDatabase
from tests.flows.test_second_factor import add_application, code

GOOD = "quatre mots bien longs"
WHO = "mdurand7"
WITH_FACTOR = "pmartin2"
PORTAL = "arena-creteil"

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TheHouse]:
    """A house with somebody who has a password, and somebody who has a second factor, too."""
    # In memory where it can be: each example waits for the disk several times, and proves nothing by it.
    memory = Path("/dev/shm")  # noqa: S108  # a folder of our own in it
    folder = Path(tempfile.mkdtemp(dir=memory)) if memory.is_dir() else tmp_path_factory.mktemp("order")
    house = open_house("wsgi", folder)
    for identifier in (WHO, WITH_FACTOR):
        client = house.client()
        page = client.follow(direct(client, identifier, house.letters[identifier]))
        assert client.submit(page, {"nouveau": GOOD, "encore": GOOD}).status == 303
        if identifier == WITH_FACTOR:
            house.letters["secret"], _codes = add_application(house, client)
    yield house
    house.gateway.close()
    shutil.rmtree(folder)


def _space(prefix: str) -> Callable[..., str]:
    spaces = {Space.FLOW: "journey", Space.REPLAY: "message"}
    return lambda space, *_, **__: f"{spaces[space]} {prefix}" if space in spaces else ""


def _refuse(error: Exception) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


@contextmanager
def watched(house: TheHouse, outages: dict[int, str] | None = None, **answers: Any) -> Iterator[Trace]:
    """Record every port of the house, and let the script answer for them."""
    names = {name.replace("_", " "): answer for name, answer in answers.items()}
    trace = Trace(outages=outages or {}, answers=names)
    gateway = house.gateway
    rooms: Any = gateway.house  # each of its ports is replaced by one that records it
    door, login = rooms.direct, rooms.direct._login
    kept = dict(vars(login))
    login.__dict__.update(
        _clients=Watched(login._clients, trace, {"knows": "browser known"}),
        _throttle=Watched(
            login._throttle,
            trace,
            {"admit": "network", "begin": "attempt", "succeeded": "success counted", "failed": "failure counted"},
        ),
        _database=WatchedDatabase(login._database, trace, "account"),
        _hasher=Watched(login._hasher, trace, {"verify": "password"}),
        _provisionals=Watched(login._provisionals, trace, {"matches": "letter"}),
    )
    factors = Watched(door.factors, trace, {"of": "factors", "prove_code": "factor"})
    desk = Watched(door, trace, {"check": "checked", "find": "account still"})
    desk.__dict__["passwords"] = Watched(
        door.passwords,
        trace,
        {"use_reset": "link used", "choose_first": "password written", "is_link_alive": "link alive"},
    )
    desk.__dict__["factors"] = factors
    state = Watched(
        rooms.state,
        trace,
        {
            "take": _space("taken"),
            "get": _space("read"),
            "put": _space("kept"),
            "put_if_absent": _space("once"),
            "ping": "store alive",
        },
    )
    sessions = Watched(rooms.sessions, trace, {"open": "session", "end": "session ended", "end_person": "others ended"})
    portals = {name: Watched(portal, trace, {"arrive": "answer verified"}) for name, portal in rooms.portals.items()}
    admission = Watched(rooms.admission, trace, {"admit": "admitted"})
    gateway.house = replace(rooms, direct=desk, state=state, sessions=sessions, portals=portals, admission=admission)
    try:
        yield trace
    finally:
        gateway.house = rooms
        login.__dict__.update(kept)


def signed_in(house: TheHouse, client: Client) -> bool:
    """Tell whether the browser's cookie opens a session, whatever the answer looked like."""
    return house.gateway.live(client.cookies, anew=True) is not None


def forget_failures(house: TheHouse) -> None:
    """Let the next example begin as the first one did."""
    house.clock.move(timedelta(hours=25).total_seconds())
    rooms = house.gateway.house
    for identifier in (WHO, WITH_FACTOR):
        rooms.direct._throttle.clear(identifier)
        rooms.sessions.end_person(DIRECT_ISSUER, identifier)
    house.events.clear()


def told(house: TheHouse, reply: Reply, *names: str) -> None:
    """Check what the person sees of a refusal, and that the operator reads of it."""
    assert reply.status in (400, 403, 410, 422, 429, 500, 503), reply.status
    assert reply.title, "a page with a heading"
    assert {each["event"] for each in house.events} & {*names, "request_refused", "fault"}, house.events
    assert "scripted" not in reply.text


NEEDED = {
    "attempt": ("browser known|network",),
    "account": ("attempt|failure counted|attempt refused",),
    "password": ("account",),
    "letter": ("account",),
    "checked": ("account", "attempt", "password|letter", "success counted"),
    "factors": ("checked",),
    "admitted": ("checked|factor|answer verified|password written",),
    "session": ("admitted",),
    "account still": ("session",),
    "message once": ("answer verified",),
    "journey kept": ("admitted|checked",),
}

outages = st.dictionaries(st.integers(0, 16), st.sampled_from(sorted(OUTAGES)), max_size=2)

LOGIN_ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "network": st.just(_refuse(NetworkThrottled(60))),
        "attempt": st.just(None),
        "password": st.booleans(),
        "letter": st.booleans(),
        "admitted": st.just(_refuse(AdmissionRefused(["rule"], {"fr": "Non.", "en": "No."}))),
        "account_still": st.just(None),
    },
)

EXAMPLES = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)


def ordered(trace: Trace, *, but: tuple[str, ...] = ()) -> None:
    """Hold a trace against what each step needs."""
    for name, before in NEEDED.items():
        if name not in but:
            trace.needs(name, *before, done=name == "checked")


@given(outages=outages, answers=LOGIN_ANSWERS, right=st.booleans())
@EXAMPLES
def test_no_session_without_a_rate_token_an_account_a_right_password_and_an_admission(
    whole: TheHouse, outages: dict[int, str], answers: dict[str, Any], right: bool
) -> None:
    attempt(whole, outages, answers, right=right)


@pytest.mark.parametrize("outage", sorted(OUTAGES))
def test_a_login_in_which_any_one_step_fails_lets_nobody_in_and_leaves_no_session(whole: TheHouse, outage: str) -> None:
    for number in range(20):
        trace = attempt(whole, {number: outage}, {}, right=True)
        if number >= len(trace.steps):
            break
    assert number > 10, "there was nothing to fail"


def attempt(whole: TheHouse, outages: dict[int, str], answers: dict[str, Any], *, right: bool) -> Trace:
    """Let somebody log in while the script runs, and check all that must hold whatever it says."""
    forget_failures(whole)
    client = whole.client()
    page = client.get("/connexion/direct")
    with watched(whole, outages, **answers) as trace:
        reply = client.submit(page, {"identifiant": WHO, "motdepasse": GOOD if right else GOOD[::-1]})
    trace.needs("account", "attempt" if "attempt" not in answers else "browser known|network")
    ordered(trace, but=("account", "session", "letter", "admitted"))
    trace.needs("session", "checked", "admitted")
    trace.needs("admitted", "checked")
    assert len(trace.all_of("password")) <= 1, "one attempt costs one verification"
    if signed_in(whole, client):
        for step in ("attempt", "account", "success counted", "checked", "admitted", "session", "account still"):
            assert any(each.well for each in trace.all_of(step)), f"a session without {step}: {trace.names()}"
        assert not any(step.failed for step in trace.steps)
        assert right or answers.get("password") is True
        assert answers.get("password") is not False
        assert [each["event"] for each in whole.events][-1] == "login"
    else:
        told(whole, reply, "login_refused")
        assert not client.cookies.get("ig-session")
        assert not [each for each in whole.events if each["event"] == "login"]
        if not any(step.failed for step in trace.all_of("session ended")):
            assert not whole.gateway.house.sessions.list_person(DIRECT_ISSUER, WHO), "a session nobody holds"
    # Everything was an outage of a moment: the same person comes in at once.
    forget_failures(whole)
    assert direct(client, WHO, GOOD).status == 303
    return trace


@given(outages=outages, factor=st.sampled_from([TRUTH, "refused"]), taken=st.sampled_from([TRUTH, None]))
@EXAMPLES
def test_with_a_second_factor_no_session_before_it_was_proved_and_its_ticket_taken(
    whole: TheHouse, outages: dict[int, str], factor: Any, taken: Any
) -> None:
    forget_failures(whole)
    client = whole.client()
    with watched(whole) as first:
        page = client.follow(direct(client, WITH_FACTOR, GOOD))
    assert "session" not in first.names(), "a password alone opened a session"
    first.needs("journey kept", "checked", "factors")
    typed = code(whole, whole.letters["secret"])
    answers = {"journey_taken": taken} if taken is not TRUTH else {}
    if factor == "refused":
        from imagin_gateway.local.factors import FactorRefused

        answers["factor"] = _refuse(FactorRefused(Code.FACTOR_CODE, "scripted"))
    with watched(whole, outages, **answers) as trace:
        reply = client.submit(page, {"code": typed})
    trace.needs("factor", "journey read")
    trace.needs("journey taken", "factor") if factor is TRUTH else None
    trace.needs("session", "factor", "journey taken", "admitted")
    if signed_in(whole, client):
        assert factor is TRUTH
        assert taken is TRUTH
        assert not any(step.failed for step in trace.steps)
    else:
        told(whole, reply, "second_step_refused", "login_refused")
        assert not client.cookies.get("ig-session")


PORTAL_ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "answer_verified": st.sampled_from(
            [
                _refuse(AnswerRefused(Code.SAML_SIGNATURE, "scripted")),
                _refuse(RuntimeError("scripted")),
            ]
        ),
        "message_once": st.just(False),
        "admitted": st.just(_refuse(AdmissionRefused(["rule"], {"fr": "Non.", "en": "No."}))),
    },
)


@given(
    outages=outages,
    answers=PORTAL_ANSWERS,
    later=outages,
    taken=st.sampled_from([TRUTH, None]),
    number=st.uuids(),
)
@EXAMPLES
def test_nothing_of_a_portals_answer_is_used_before_it_is_verified_and_seen_for_the_first_time(
    whole: TheHouse, outages: dict[int, str], answers: dict[str, Any], later: dict[int, str], taken: Any, number: Any
) -> None:
    forget_failures(whole)
    client, portal = whole.client(), whole.portals[PORTAL]
    client.get(f"/connexion/portail/{PORTAL}?next=/missions")
    fields = {"who": f"p{number.hex}", "to": portal.left[-1].correlation, "id": number.hex}
    with watched(whole, outages, **answers) as trace:
        reply = client.post(f"/connexion/portail/{PORTAL}/acs", fields, headers={"Origin": portal.issuer})
    trace.needs("message once", "answer verified")
    trace.needs("admitted", "answer verified", "message once")
    trace.needs("journey kept", "answer verified", "message once", "admitted")
    assert "session" not in trace.names(), "an answer opens no session by itself"
    assert not signed_in(whole, client)
    if reply.status != 303:
        told(whole, reply, "login_refused", "portal_failed")
        assert "ig-arrival" not in client.cookies
        return
    assert not answers
    with watched(whole, later, **({} if taken is TRUTH else {"journey_taken": taken})) as second:
        reply = client.get(reply.location)
    second.needs("session", "journey read", "journey taken")
    if signed_in(whole, client):
        assert taken is TRUTH
        assert len(second.all_of("session")) == 1
    else:
        told(whole, reply, "login_refused", "portal_failed")
        assert not whole.gateway.house.sessions.list_person(portal.issuer, fields["who"])


@given(outages=outages)
@EXAMPLES
def test_a_link_is_used_only_with_the_store_of_sessions_alive_and_ends_them(
    whole: TheHouse, outages: dict[int, str]
) -> None:
    forget_failures(whole)
    rooms = whole.gateway.house
    client, signed = whole.client(), whole.client()
    assert direct(signed, WHO, GOOD).status == 303
    rooms.direct.passwords.order_link(WHO, actor="cli:marie")
    answered = rooms.direct._resets.answer_one()
    assert answered is not None
    assert answered.mailed
    payload = _payload(whole)
    made = rooms.direct._resets.link_token(payload)
    assert made is not None
    page = client.follow(client.get("/connexion/mot-de-passe/lien?jeton=" + made[0].reveal()))
    whole.events.clear()
    with watched(whole, outages) as trace:
        reply = client.submit(page, {"nouveau": GOOD, "encore": GOOD})
    trace.needs("link used", "store alive")
    trace.needs("others ended", "link used")
    assert "session" not in trace.names(), "a link signs nobody in"
    assert not signed_in(whole, client)
    used = any(step.well for step in trace.all_of("link used"))
    assert used == (not rooms.direct.passwords.is_link_alive(made[0].reveal()))
    if not used:
        assert signed_in(whole, signed), "nothing was done, and somebody was thrown out"
        told(whole, reply, "password_refused", "reset_link_refused")


def _payload(house: TheHouse) -> dict[str, str]:
    import sqlalchemy as sa

    from imagin_gateway.local.schema import outbox

    with house.gateway.house.direct._database.read() as connection:
        rows = connection.execute(sa.select(outbox.c.payload).where(outbox.c.kind == "reset").order_by(outbox.c.id))
        raw = [row.payload for row in rows][-1]
    payload: dict[str, str] = json.loads(raw) if isinstance(raw, str) else raw
    return payload


@given(outages=outages)
@EXAMPLES
def test_a_first_password_is_written_before_a_full_session_and_never_without_the_others_ending(
    whole: TheHouse, outages: dict[int, str]
) -> None:
    forget_failures(whole)
    rooms = whole.gateway.house
    letter = rooms.direct.desk.reissue(WHO, actor="cli:marie", replace=True)
    assert letter is not None
    assert letter.provisional is not None
    client = whole.client()
    page = client.follow(direct(client, WHO, letter.provisional.reveal()))
    whole.events.clear()
    with watched(whole, outages) as trace:
        reply = client.submit(page, {"nouveau": GOOD, "encore": GOOD})
    trace.needs("password written", "store alive")
    trace.needs("others ended", "password written")
    trace.needs("session", "password written", "others ended", "admitted")
    live = whole.gateway.live(client.cookies, anew=True)
    if live is not None and not live.session.restricted:
        assert any(step.well for step in trace.all_of("password written"))
    written = any(step.well for step in trace.all_of("password written"))
    if not written:
        told(whole, reply, "password_refused")
        assert live is None or live.session.restricted == "first-password"
        assert rooms.direct.check(WHO, letter.provisional, address="192.0.2.7").must_choose, "the letter is lost"
        account = rooms.direct.find(WHO)
        assert account is not None
        rooms.direct.passwords.choose_first(WHO, Secret(GOOD), Secret(GOOD), version=account.version)


def test_what_is_watched_is_what_the_journeys_use(whole: TheHouse) -> None:
    """The recorder sees each step of an honest login: a test above cannot pass because it saw nothing."""
    forget_failures(whole)
    client = whole.client()
    page = client.get("/connexion/direct")
    with watched(whole) as trace:
        assert client.submit(page, {"identifiant": WHO, "motdepasse": GOOD}).status == 303
    proved = ["browser known", "network", "attempt", "account", "password", "letter", "account", "success counted"]
    # "written" is the mail about a browser nobody had seen.
    told_of = ["account written", "checked"]
    assert trace.names() == [*proved, *told_of, "factors", "factors", "admitted", "session", "account still"]
