"""Any sequence of logins, requests, revocations and waits, over three processes' registries, against a model.

Two of them remember what they read, much or little; the third asks the store. What ends elsewhere is over at once
where the store is a file; where it is Redis, as soon as that process was told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from imagin_gateway.keys import Keyring, Secret
from imagin_gateway.sessions.registry import SessionRegistry
from imagin_gateway.state import open_store
from tests.clock import ManualClock
from tests.sessions.people import person
from tests.state.servers import until

IDLE = timedelta(minutes=3)
ABSOLUTE = timedelta(minutes=12)
GRAIN = timedelta(seconds=15)
STEP = timedelta(seconds=5)

ISSUERS = st.sampled_from(["https://paris.example", "https://creteil.example"])
SUBJECTS = st.sampled_from(["a", "b"])
DOORS = st.sampled_from(["arena-paris", "direct"])
PORTAL_SESSIONS = st.sampled_from(["", "_1", "_2"])
SIDES = st.sampled_from([0, 1, 2])
LAG = 0.5


@dataclass
class Known:
    issuer: str
    subject: str
    door: str
    portal_session: str
    end: datetime
    requests: list[tuple[int, datetime]]
    handle: str = ""
    ended: bool = False

    def is_over(self, now: datetime) -> bool:
        """Never late: ended, past its end, or without a request by anybody within the idle limit."""
        return self.ended or now >= self.end or all(now - at >= IDLE for _, at in self.requests)

    def is_live(self, side: int, now: datetime) -> bool:
        """Never early: a request this side saw, or that any side saw one grain ago, keeps it."""
        known_here = [at for by, at in self.requests if by == side or now - at >= GRAIN]
        return not self.ended and now < self.end and any(now - at < IDLE for at in known_here)


@dataclass
class Model:
    sessions: dict[str, Known] = field(default_factory=dict)

    def end(self, ended: int, now: datetime, which: Callable[[Known], bool]) -> None:
        """Note that the sessions `which` picks were ended, and that as many records went as can be."""
        matching = [known for known in self.sessions.values() if which(known) and not known.ended]
        assert sum(not known.is_over(now) for known in matching) <= ended <= len(matching)
        for known in matching:
            known.ended = True


def believes(side: SessionRegistry) -> bool:
    """Tell whether a process believes what it knows, if it ever does."""
    return side._watch is None or side._watch.current()


def knows_the_end(side: SessionRegistry, cookie: str) -> bool:
    return believes(side) and side.glance(cookie) is None and believes(side)


def machine(fresh_url: Callable[[], str], cached: int) -> type[RuleBasedStateMachine]:
    class Sessions(RuleBasedStateMachine):
        cookies: Bundle[str] = Bundle("cookies")

        def __init__(self) -> None:
            super().__init__()
            self.clock = ManualClock()
            self.model = Model()
            keyring = Keyring([Secret("one key for both, long enough for a key")])
            url = fresh_url()
            # A file tells at the next question when it is asked at each: nothing may then be late.
            self.at_once = url.startswith("sqlite:")
            lag = 0.0 if self.at_once else LAG
            self.stores = [open_store(url) for _ in range(3)]
            self.sides = [
                # The machine flushes as the threads would, by the clock it moves.
                SessionRegistry(store, keyring, self.clock, IDLE, ABSOLUTE, grain=GRAIN, cached=size, lag=lag)
                for store, size in zip(self.stores, (cached, cached, 0), strict=True)
            ]
            for side in self.sides:
                side._seen._stop.set()
                until(partial(believes, side), "what is read may be believed")
            self.flushed = [self.clock.now()] * 3

        def teardown(self) -> None:
            for registry, store in zip(self.sides, self.stores, strict=True):
                registry.close()
                store.close()

        def told(self, cookies: Iterable[str]) -> None:
            """Wait until every side knows that these are over; where the store is a file, it knows at once."""
            for side in [] if self.at_once else self.sides:
                for cookie in cookies:
                    until(partial(knows_the_end, side, cookie), "the end was told")

        @rule(steps=st.integers(min_value=1, max_value=50))
        def time_passes(self, steps: int) -> None:
            for _ in range(steps):
                self.clock.move(STEP)
                for number, registry in enumerate(self.sides):
                    if self.clock.now() - self.flushed[number] >= GRAIN:
                        registry.flush()
                        self.flushed[number] = self.clock.now()

        @rule(side=SIDES)
        def flush(self, side: int) -> None:
            self.sides[side].flush()
            self.flushed[side] = self.clock.now()

        def opened(self, side: int, issuer: str, subject: str, door: str, portal: str, **more: object) -> str:
            now = self.clock.now()
            cookie = self.sides[side].open(
                person(subject, issuer=issuer, door=door),
                portal_session=portal,
                **more,  # type: ignore[arg-type]  # the callers give what `open` takes
            )
            ends_at = more.get("ends_at")
            end = min(now + ABSOLUTE, ends_at) if isinstance(ends_at, datetime) else now + ABSOLUTE
            assert cookie not in self.model.sessions
            self.model.sessions[cookie] = Known(issuer, subject, door, portal, end, [(each, now) for each in range(3)])
            return cookie

        @rule(
            target=cookies,
            side=SIDES,
            issuer=ISSUERS,
            subject=SUBJECTS,
            door=DOORS,
            portal=PORTAL_SESSIONS,
            minutes=st.none() | st.integers(min_value=1, max_value=20),
            asking=st.lists(SIDES, max_size=4),
        )
        def login(
            self,
            side: int,
            issuer: str,
            subject: str,
            door: str,
            portal: str,
            minutes: int | None,
            asking: list[int],
        ) -> str:
            ends_at = None if minutes is None else self.clock.now() + timedelta(minutes=minutes)
            cookie = self.opened(side, issuer, subject, door, portal, ends_at=ends_at)
            for asked in asking * 2:
                self.request(asked, cookie)
            return cookie

        @rule(target=cookies, side=SIDES, former=cookies, issuer=ISSUERS, subject=SUBJECTS)
        def login_again(self, side: int, former: str, issuer: str, subject: str) -> str:
            cookie = self.opened(side, issuer, subject, "direct", "", replaces=former)
            self.model.sessions[former].ended = True
            self.told([former])
            return cookie

        @rule(side=SIDES, cookie=cookies)
        def request(self, side: int, cookie: str) -> None:
            known, now = self.model.sessions[cookie], self.clock.now()
            session = self.sides[side].resolve(cookie)
            if known.is_over(now):
                assert session is None
            if known.is_live(side, now):
                assert session is not None
            if session is not None:
                assert session.person == (known.issuer, known.subject)
                assert session.door == known.door
                known.handle = session.handle
                known.requests.append((side, now))

        @rule(sides=st.lists(SIDES, min_size=1, max_size=4))
        def everybody_asks(self, sides: list[int]) -> None:
            """Whatever a process can remember, it does."""
            for side in sides * 2:
                for cookie in self.model.sessions:
                    self.request(side, cookie)

        @invariant()
        def what_is_over_is_remembered_by_nobody(self) -> None:
            now = self.clock.now()
            for cookie, known in self.model.sessions.items():
                if known.is_over(now):
                    assert [side for side in range(3) if self.sides[side].glance(cookie) is not None] == []

        @rule(side=SIDES, cookie=cookies, place=st.integers(min_value=0, max_value=86), bit=st.integers(0, 6))
        def forged_request(self, side: int, cookie: str, place: int, bit: int) -> None:
            forged = cookie[:place] + chr(ord(cookie[place]) ^ (1 << bit)) + cookie[place + 1 :]
            assert self.sides[side].resolve(forged) is None

        @rule(side=SIDES, cookie=consumes(cookies))
        def logout(self, side: int, cookie: str) -> None:
            self.sides[side].end(cookie)
            self.model.sessions[cookie].ended = True
            assert self.sides[side].resolve(cookie) is None
            self.told([cookie])

        @rule(side=SIDES, cookie=cookies)
        def end_handle(self, side: int, cookie: str) -> None:
            known, now = self.model.sessions[cookie], self.clock.now()
            if known.handle:
                ended = self.sides[side].end_handle(known.handle)
                assert ended is not None or not known.is_live(side, now)
                assert ended is None or not known.is_over(now)
                known.ended = known.ended or ended is not None
                self.told([cookie] if ended is not None else [])

        def many_ended(self, side: int, ended: int, which: Callable[[Known], bool]) -> None:
            """Note it; where they were ended, nobody is signed in any more, also before anybody else was told."""
            self.model.end(ended, self.clock.now(), which)
            cookies = [cookie for cookie, known in self.model.sessions.items() if which(known)]
            assert [cookie for cookie in cookies if self.sides[side].glance(cookie) is not None] == []
            self.told(cookies)

        @rule(side=SIDES, issuer=ISSUERS, subject=SUBJECTS)
        def end_person(self, side: int, issuer: str, subject: str) -> None:
            ended = self.sides[side].end_person(issuer, subject)
            self.many_ended(side, ended, lambda known: (known.issuer, known.subject) == (issuer, subject))

        @rule(side=SIDES, issuer=ISSUERS, portal=st.sampled_from(["_1", "_2"]))
        def end_portal_session(self, side: int, issuer: str, portal: str) -> None:
            ended = self.sides[side].end_portal_session(issuer, portal)
            self.many_ended(side, ended, lambda known: (known.issuer, known.portal_session) == (issuer, portal))

        @rule(side=SIDES, door=DOORS)
        def end_door(self, side: int, door: str) -> None:
            self.many_ended(side, self.sides[side].end_door(door), lambda known: known.door == door)

        @rule(side=SIDES, sure=st.integers(0, 3))
        def end_all(self, side: int, sure: int) -> None:
            if sure:
                return
            self.many_ended(side, self.sides[side].end_all(), lambda known: True)

        @rule(side=SIDES, issuer=ISSUERS, subject=SUBJECTS)
        def list_person(self, side: int, issuer: str, subject: str) -> None:
            for session in self.sides[side].list_person(issuer, subject):
                assert session.person == (issuer, subject)
                assert self.clock.now() < session.absolute_end

    return Sessions


@pytest.mark.parametrize("cached", [1, 3, 100])
def test_three_registries_on_one_store_do_what_the_model_says(fresh_url: Callable[[], str], cached: int) -> None:
    run_state_machine_as_test(
        machine(fresh_url, cached), settings=settings(deadline=None, max_examples=40, stateful_step_count=40)
    )
