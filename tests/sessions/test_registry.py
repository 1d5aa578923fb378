"""Opening, reading and ending sessions, on both engines, with a clock that moves."""

from __future__ import annotations

import os
import pickle
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from string import ascii_letters, digits
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagin_gateway.clock import timestamp
from imagin_gateway.errors import Code, Refused, SettingsError, Unavailable
from imagin_gateway.keys import Keyring, Secret, digest
from imagin_gateway.sessions import reader
from imagin_gateway.sessions.registry import SessionRegistry
from imagin_gateway.sessions.session import FIRST_PASSWORD
from imagin_gateway.settings import Sessions
from imagin_gateway.state import open_store
from imagin_gateway.state.store import Space, StateStore, Swap
from tests.clock import ManualClock
from tests.flows.conftest import settings_of
from tests.sessions.conftest import ABSOLUTE, IDLE
from tests.sessions.people import PARIS, CountingStore, person
from tests.state.servers import PrivateRedis

SECOND = timedelta(seconds=1)


def session_id(cookie: str) -> str:
    return cookie.partition(".")[0]


def test_a_session_opened_is_the_one_read(registry: SessionRegistry, clock: ManualClock) -> None:
    cookie = registry.open(person())
    session = registry.resolve(cookie)
    assert session is not None
    assert session.identity == person()
    assert session.created_at == session.last_seen == clock.now()
    told = (session.restricted, session.portal_session, session.name_id, session.logout_hint, session.device)
    assert told == ("", "", "", "", "")
    assert (session.address, session.ends_at) == ("", None)


@pytest.mark.row("SES-14")
def test_the_record_keeps_the_source_the_portal_s_session_the_time_and_the_strength(registry: SessionRegistry) -> None:
    cookie = registry.open(person(), portal_session="_index", name_id="_name")
    session = registry.resolve(cookie)
    assert session is not None
    assert (session.issuer, session.door, session.method) == (PARIS, "arena-paris", "saml")
    assert (session.portal_session, session.name_id) == ("_index", "_name")
    assert session.authenticated_at == person().authenticated_at
    assert (session.acr, session.amr) == (person().acr, person().amr)


def test_the_figures_of_reading_are_those_that_the_documents_tell(
    counted: CountingStore, keyring: Keyring, clock: ManualClock
) -> None:
    assert (timedelta(seconds=15), 500, "session") == (reader.GRAIN, reader.BATCH, reader.PURPOSE)
    plain = reader.SessionReader(counted.as_store, keyring, clock, IDLE, ABSOLUTE)
    assert (plain.found_here, plain.asked, plain.known) == (0, 0, 0)
    assert counted.calls == [], "without a cache, nothing is watched"
    plain.close()


@pytest.mark.parametrize(("raw", "moment"), [(None, 0.0), (b"", 0.0), (b"x", 0.0), (b"12.5", 12.5), (b"7", 7.0)])
def test_a_moment_that_cannot_be_read_is_none(raw: bytes | None, moment: float) -> None:
    assert reader.moment_of(raw) == moment


NEIGHBOURS = ("x", "x*", "x%", "x_", "[x]", "{x}", "x:y", "x:", ":x", 'x", "y', "x\x00", "X", "х", "x" * 4000)


@pytest.mark.row("INP-06", "RTE-03")
@pytest.mark.parametrize("ended", NEIGHBOURS)
def test_ending_one_ends_no_neighbour_whatever_their_names_are(registry: SessionRegistry, ended: str) -> None:
    """By person, by portal's session and by NameID; an issuer's end is not a subject's beginning."""
    people = [person(each, issuer=issuer) for each in NEIGHBOURS for issuer in (PARIS, PARIS + each)]
    cookies = [registry.open(each, portal_session=each.subject, name_id=each.subject) for each in people]

    def live() -> list[tuple[str, str]]:
        found = (registry.resolve(cookie) for cookie in cookies)
        return [session.person for session in found if session is not None]

    left = [each.key for each in people]
    assert live() == left
    for end, issuer in (
        (registry.end_person, PARIS),
        (registry.end_portal_session, PARIS + ended),
    ):
        assert end(issuer, ended) == 1
        left.remove((issuer, ended))
        assert live() == left
    assert registry.end_name_id(PARIS, ended) == 0, "it was that session"
    assert registry.end_name_id(PARIS, NEIGHBOURS[NEIGHBOURS.index(ended) - 1]) == 1
    assert registry.end_door(ended) == 0
    assert len(live()) == len(left) - 1


class TestId:
    @pytest.mark.row("SES-01")
    def test_ten_thousand_ids_are_distinct_and_have_256_bits(self, keyring: Keyring, clock: ManualClock) -> None:
        registry = SessionRegistry(CountingStore(NullStore()).as_store, keyring, clock, IDLE, ABSOLUTE)
        ids = {session_id(registry.open(person())) for _ in range(10_000)}
        assert len(ids) == 10_000
        assert {len(one) for one in ids} == {43}  # 256 bits, six a character

    @pytest.mark.row("SES-01")
    def test_the_id_is_what_secrets_gave(self, registry: SessionRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
        given_out = "A" * 43
        monkeypatch.setattr(secrets, "token_urlsafe", lambda size: given_out if size == 32 else None)
        assert session_id(registry.open(person())) == given_out

    @pytest.mark.row("SES-01")
    def test_an_id_the_browser_chose_is_never_adopted(self, registry: SessionRegistry, keyring: Keyring) -> None:
        chosen = "B" * 43
        # Not even one that we signed: it opens nothing, and the login that follows does not take it up.
        for planted in (chosen, f"{chosen}.{'A' * 43}", keyring.signer("session").sign(chosen)):
            assert registry.resolve(planted) is None
            cookie = registry.open(person(), replaces=planted)
            assert session_id(cookie) != chosen
            assert registry.resolve(planted) is None

    def test_the_store_holds_the_digest_of_the_id_and_never_the_id(
        self, registry: SessionRegistry, store: StateStore, clock: ManualClock
    ) -> None:
        cookie = registry.open(person())
        records = store.find(Space.SESSION, "all", now=timestamp(clock.now()))
        assert [record.key for record in records] == [digest(session_id(cookie))]
        assert session_id(cookie).encode() not in records[0].value

    def test_no_cookie_holds_personal_data(self, registry: SessionRegistry) -> None:
        cookie = registry.open(person())
        assert len(cookie) == 87
        assert "mdurand" not in cookie.lower()


class TestSignature:
    @pytest.mark.row("SES-02")
    def test_every_bit_flip_is_anonymous_without_a_store_call(
        self, registry: SessionRegistry, counted: CountingStore
    ) -> None:
        cookie = registry.open(person())
        counted.calls.clear()
        for place, character in enumerate(cookie):
            for bit in range(8):
                flipped = cookie[:place] + chr(ord(character) ^ (1 << bit)) + cookie[place + 1 :]
                assert registry.resolve(flipped) is None
                assert registry.end(flipped) is None
        assert counted.calls == []
        assert registry.resolve(cookie) is not None

    @pytest.mark.row("SES-02")
    def test_another_key_or_another_purpose_is_anonymous_without_a_store_call(
        self, registry: SessionRegistry, counted: CountingStore, keyring: Keyring
    ) -> None:
        name = session_id(registry.open(person()))
        counted.calls.clear()
        other = Keyring([Secret("another key than the one of the tests")])
        assert registry.resolve(other.signer("session").sign(name)) is None
        for purpose in ("form", "reset", "reset link", "Session", "session "):
            assert registry.resolve(keyring.signer(purpose).sign(name)) is None
        assert counted.calls == []

    @pytest.mark.row("SES-02")
    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(cookie=st.text() | st.text("AQgw-_.09", min_size=80, max_size=95))
    def test_any_other_text_is_anonymous_without_a_store_call(
        self, registry: SessionRegistry, counted: CountingStore, cookie: str
    ) -> None:
        assert registry.resolve(cookie) is None
        assert registry.end(cookie) is None
        assert counted.calls == []

    @pytest.mark.parametrize("change", ["{} ", " {}", "{}\n", "{}=", "{}A", '"{}"', "{}.", ".{}", "{}\x00"])
    def test_a_cookie_has_one_spelling(self, registry: SessionRegistry, counted: CountingStore, change: str) -> None:
        cookie = registry.open(person())
        counted.calls.clear()
        assert registry.resolve(change.format(cookie)) is None
        assert counted.calls == []

    @pytest.mark.row("SES-02")
    def test_no_other_last_character_will_do(self, registry: SessionRegistry, counted: CountingStore) -> None:
        # Two of its six bits are padding: a decoder that ignores them would take four spellings for one signature.
        cookie = registry.open(person())
        counted.calls.clear()
        for character in set(ascii_letters + digits + "-_") - {cookie[-1]}:
            assert registry.resolve(cookie[:-1] + character) is None
        assert counted.calls == []

    @pytest.mark.row("SES-02")
    def test_the_record_alone_decides(
        self, registry: SessionRegistry, store: StateStore, keyring: Keyring, clock: ManualClock
    ) -> None:
        cookie = registry.open(person())
        assert registry.resolve(cookie) is not None
        store.delete(Space.SESSION, digest(session_id(cookie)))
        assert registry.resolve(cookie) is None
        other = SessionRegistry(store, keyring, clock, IDLE, ABSOLUTE)
        assert other.resolve(cookie) is None

    @pytest.mark.row("SES-16")
    def test_an_old_key_s_cookie_lives_as_long_as_the_key_is_in_the_ring(
        self, store: StateStore, clock: ManualClock
    ) -> None:
        old, new = Secret("the old key, 32 bytes at the very least"), Secret("the new key, 32 bytes at the very least")
        before = SessionRegistry(store, Keyring([old]), clock, IDLE, ABSOLUTE)
        overlap = SessionRegistry(store, Keyring([old, new]), clock, IDLE, ABSOLUTE)
        after = SessionRegistry(store, Keyring([new]), clock, IDLE, ABSOLUTE)
        first, second = before.open(person()), overlap.open(person())
        assert overlap.resolve(first) is not None
        assert overlap.resolve(second) is not None
        assert after.resolve(first) is None
        assert after.resolve(second) is not None
        assert before.resolve(second) is None
        for registry in (before, overlap, after):
            registry.close()

    @pytest.mark.row("SES-16")
    @pytest.mark.parametrize("purpose", ["form", "reset", "reset link", "event pseudonym"])
    def test_what_is_signed_for_another_use_is_no_session_cookie(
        self, registry: SessionRegistry, keyring: Keyring, purpose: str
    ) -> None:
        cookie = registry.open(person())
        assert registry.resolve(keyring.signer(purpose).sign(session_id(cookie))) is None
        assert keyring.signer(purpose).unsign(cookie) is None


class TestLimits:
    @pytest.mark.row("SES-07")
    def test_the_default_is_30_minutes_and_more_than_one_hour_wants_a_reason(self, tmp_path: Path) -> None:
        assert Sessions().idle == timedelta(minutes=30)
        assert settings_of(tmp_path, sessions={"idle_minutes": 60}).sessions.idle == timedelta(hours=1)
        with pytest.raises(SettingsError, match="plus de 60 minutes"):
            settings_of(tmp_path, sessions={"idle_minutes": 61, "absolute_hours": 24, "reason": "  "})
        reasoned = {"idle_minutes": 61, "absolute_hours": 24, "reason": "salle de correction surveillée"}
        assert settings_of(tmp_path, sessions=reasoned).sessions.idle == timedelta(minutes=61)

    @pytest.mark.row("SES-07")
    def test_a_session_ends_at_its_idle_limit(self, registry: SessionRegistry, clock: ManualClock) -> None:
        cookie = registry.open(person())
        clock.move(IDLE - SECOND)
        assert registry.resolve(cookie) is not None
        clock.move(IDLE - SECOND)
        assert registry.resolve(cookie) is not None
        clock.move(IDLE)
        assert registry.resolve(cookie) is None
        clock.move(SECOND)
        assert registry.resolve(cookie) is None

    @pytest.mark.row("SES-07")
    def test_a_session_ends_at_its_idle_limit_whoever_saw_the_last_request(
        self, registry: SessionRegistry, store: StateStore, keyring: Keyring, clock: ManualClock
    ) -> None:
        other = SessionRegistry(store, keyring, clock, IDLE, ABSOLUTE)
        cookie = registry.open(person())
        clock.move(IDLE - SECOND)
        assert registry.resolve(cookie) is not None
        registry.flush()
        clock.move(IDLE - SECOND)
        assert other.resolve(cookie) is not None
        other.flush()
        clock.move(IDLE)
        assert registry.resolve(cookie) is None
        assert other.resolve(cookie) is None
        other.close()

    @pytest.mark.row("SES-08")
    def test_the_default_is_10_hours_and_more_than_24_wants_a_reason(self, tmp_path: Path) -> None:
        assert Sessions().absolute == timedelta(hours=10)
        assert settings_of(tmp_path, sessions={"absolute_hours": 24}).sessions.absolute == timedelta(hours=24)
        with pytest.raises(SettingsError, match="plus de 24 heures"):
            settings_of(tmp_path, sessions={"absolute_hours": 25})
        reasoned = {"absolute_hours": 48, "reason": "épreuves de deux jours"}
        assert settings_of(tmp_path, sessions=reasoned).sessions.absolute == timedelta(hours=48)

    @pytest.mark.row("A11-13")
    def test_fewer_than_ten_extensions_want_a_reason(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="moins de 10 prolongations"):
            settings_of(tmp_path, sessions={"idle_minutes": 30, "absolute_hours": 4})
        assert settings_of(tmp_path, sessions={"idle_minutes": 24, "absolute_hours": 4}).sessions.idle_minutes == 24

    @pytest.mark.row("SES-08")
    def test_a_request_every_minute_does_not_move_the_absolute_limit(
        self, registry: SessionRegistry, clock: ManualClock
    ) -> None:
        start = clock.now()
        cookie = registry.open(person())
        while clock.now() < start + ABSOLUTE - timedelta(minutes=1):
            clock.move(60)
            assert registry.resolve(cookie) is not None
            registry.flush()
        clock.move(59)
        assert registry.resolve(cookie) is not None
        clock.move(SECOND)
        assert registry.resolve(cookie) is None
        registry.flush()
        clock.move(SECOND)
        assert registry.resolve(cookie) is None

    @pytest.mark.row("SES-14")
    def test_the_portal_s_limit_of_5_minutes_beats_our_30(self, registry: SessionRegistry, clock: ManualClock) -> None:
        end = clock.now() + timedelta(minutes=5)
        cookie = registry.open(person(), ends_at=end)
        clock.move(timedelta(minutes=5) - SECOND)
        session = registry.resolve(cookie)
        assert session is not None
        assert session.absolute_end == session.ends_at == end
        clock.move(SECOND)
        assert registry.resolve(cookie) is None

    def test_the_portal_s_limit_never_lengthens_ours(self, registry: SessionRegistry, clock: ManualClock) -> None:
        cookie = registry.open(person(), ends_at=clock.now() + timedelta(days=30))
        session = registry.resolve(cookie)
        assert session is not None
        assert session.absolute_end == clock.now() + ABSOLUTE

    @pytest.mark.parametrize("ago", [timedelta(0), SECOND])
    def test_a_portal_s_session_already_over_opens_nothing(
        self, registry: SessionRegistry, counted: CountingStore, clock: ManualClock, ago: timedelta
    ) -> None:
        with pytest.raises(Refused) as caught:
            registry.open(person(), ends_at=clock.now() - ago)
        assert caught.value.code is Code.SESSION_ENDED
        assert counted.calls == []

    @pytest.mark.row("SES-08")
    def test_shorter_limits_count_for_the_sessions_already_open(
        self, registry: SessionRegistry, store: StateStore, keyring: Keyring, clock: ManualClock
    ) -> None:
        cookie = registry.open(person())
        stricter = SessionRegistry(store, keyring, clock, timedelta(minutes=5), timedelta(minutes=10))
        clock.move(timedelta(minutes=5) - SECOND)
        assert stricter.resolve(cookie) is not None
        clock.move(timedelta(minutes=5) - SECOND)
        assert stricter.resolve(cookie) is not None
        clock.move(2 * SECOND)
        assert stricter.resolve(cookie) is None
        stricter.close()

    def test_a_naive_moment_is_refused(self, registry: SessionRegistry, clock: ManualClock) -> None:
        with pytest.raises(TypeError):
            registry.open(person(), ends_at=clock.now().replace(tzinfo=None))


class TestReplacing:
    def test_the_former_session_dies_with_the_login_that_replaces_it(self, registry: SessionRegistry) -> None:
        former = registry.open(person(), restricted=FIRST_PASSWORD)
        cookie = registry.open(person(), replaces=former)
        assert session_id(former) != session_id(cookie)
        assert registry.resolve(former) is None
        session = registry.resolve(cookie)
        assert session is not None
        assert session.restricted == ""

    def test_a_former_session_seen_a_moment_ago_stays_dead(self, registry: SessionRegistry) -> None:
        former = registry.open(person())
        registry.resolve(former)
        registry.open(person(), replaces=former)
        registry.flush()
        assert registry.resolve(former) is None

    def test_a_cookie_that_is_not_ours_ends_nothing(self, registry: SessionRegistry, counted: CountingStore) -> None:
        victim = registry.open(person("victim"))
        counted.calls.clear()
        registry.open(person(), replaces=session_id(victim))
        registry.open(person(), replaces=session_id(victim) + "." + "A" * 43)
        registry.open(person(), replaces="")
        assert counted.calls == ["put", "put", "put"]
        assert registry.resolve(victim) is not None


class TestReading:
    def test_a_plain_read_is_one_look_up_and_no_write(self, registry: SessionRegistry, counted: CountingStore) -> None:
        cookie = registry.open(person())
        counted.calls.clear()
        for _ in range(50):
            assert registry.resolve(cookie) is not None
        assert counted.calls == ["get"] * 50

    @pytest.mark.row("SES-17")
    def test_pickle_bytes_in_the_store_are_no_session(
        self, registry: SessionRegistry, store: StateStore, clock: ManualClock
    ) -> None:
        cookie = registry.open(person())
        now = timestamp(clock.now())
        raw = pickle.dumps(Bomb())
        overwrite(store, digest(session_id(cookie)), raw, now)
        assert registry.resolve(cookie) is None
        assert registry.list_person(PARIS, "mdurand7") == []
        registry.flush()
        assert registry.end(cookie) is None
        assert Bomb.exploded is False

    def test_an_unreadable_record_stops_neither_the_others_nor_the_flush(
        self, registry: SessionRegistry, store: StateStore, clock: ManualClock
    ) -> None:
        broken, whole = registry.open(person()), registry.open(person())
        now = timestamp(clock.now())
        registry.resolve(broken)
        registry.resolve(whole)
        overwrite(store, digest(session_id(broken)), b"{", now)
        clock.move(60)
        registry.resolve(whole)
        registry.flush()
        assert [session.last_seen for session in registry.list_person(PARIS, "mdurand7")] == [clock.now()]
        assert registry.end_person(PARIS, "mdurand7") >= 1


def overwrite(store: StateStore, key: str, raw: bytes, now: float) -> None:
    old = store.get(Space.SESSION, key, now=now)
    assert old is not None
    assert store.swap(Space.SESSION, [Swap(key, old, raw, now + 60)], now=now) == [True]


class Bomb:
    exploded = False

    def __reduce__(self) -> tuple[object, ...]:
        return (setattr, (Bomb, "exploded", True))


class NullStore:
    def put(self, *args: object, **kwargs: object) -> None:
        """Keep nothing."""


class TestEnding:
    def test_logging_out_ends_that_session_and_tells_which(self, registry: SessionRegistry) -> None:
        cookie, other = registry.open(person()), registry.open(person())
        ended = registry.end(cookie)
        assert ended is not None
        assert ended.identity == person()
        assert registry.resolve(cookie) is None
        assert registry.end(cookie) is None
        assert registry.resolve(other) is not None

    def test_a_person_s_sessions_end_and_nobody_else_s(self, registry: SessionRegistry) -> None:
        mine = [registry.open(person()), registry.open(person(door="arena-creteil"))]
        others = [
            registry.open(person("mdurand8")),
            registry.open(person(issuer="https://creteil.example/idp")),
            registry.open(person("7", issuer=PARIS + "mdurand")),
        ]
        assert registry.end_person(PARIS, "mdurand7") == 2
        assert [registry.resolve(cookie) for cookie in mine] == [None, None]
        assert None not in [registry.resolve(cookie) for cookie in others]
        assert registry.end_person(PARIS, "mdurand7") == 0

    def test_a_portal_s_session_ends_what_it_opened(self, registry: SessionRegistry) -> None:
        mine = registry.open(person(), portal_session="_1")
        other_session = registry.open(person(), portal_session="_2")
        other_issuer = registry.open(person(issuer="https://creteil.example/idp"), portal_session="_1")
        none = registry.open(person())
        assert registry.end_portal_session(PARIS, "_1") == 1
        assert registry.end_portal_session(PARIS, "") == 0
        assert registry.resolve(mine) is None
        assert None not in [registry.resolve(cookie) for cookie in (other_session, other_issuer, none)]

    def test_a_door_s_sessions_end(self, registry: SessionRegistry) -> None:
        paris, direct = registry.open(person()), registry.open(person("x", door="direct"))
        assert registry.end_door("arena-paris") == 1
        assert registry.resolve(paris) is None
        assert registry.resolve(direct) is not None

    def test_every_session_ends(self, registry: SessionRegistry) -> None:
        cookies = [registry.open(person(str(number))) for number in range(5)]
        assert registry.end_all() == 5
        assert [registry.resolve(cookie) for cookie in cookies] == [None] * 5

    def test_a_handle_ends_its_session(self, registry: SessionRegistry) -> None:
        cookies = [registry.open(person()) for _ in range(3)]
        handles = [session.handle for session in registry.list_person(PARIS, "mdurand7")]
        assert len(set(handles)) == 3
        ended = registry.end_handle(handles[1], person=(PARIS, "mdurand7"))
        assert ended is not None
        assert ended.handle == handles[1]
        assert [registry.resolve(cookie) is None for cookie in cookies] == [False, True, False]
        assert registry.end_handle(handles[1]) is None
        assert registry.end_handle(handles[0]) is not None

    def test_nobody_ends_another_person_s_session_by_its_handle(self, registry: SessionRegistry) -> None:
        cookie = registry.open(person("victim"))
        handle = registry.list_person(PARIS, "victim")[0].handle
        assert registry.end_handle(handle, person=(PARIS, "mdurand7")) is None
        assert registry.end_handle(handle, person=("https://creteil.example/idp", "victim")) is None
        assert registry.resolve(cookie) is not None

    def test_a_handle_says_nothing_of_the_id(self, registry: SessionRegistry) -> None:
        cookie = registry.open(person())
        session = registry.resolve(cookie)
        assert session is not None
        assert len(session.handle) == 16
        assert session.handle not in digest(session_id(cookie))
        assert session.handle not in cookie

    @pytest.mark.parametrize("handle", ["", "x", "0" * 15, "0" * 17, "A" * 16, "all", "0123456789abcde\n", "*" * 16])
    def test_what_is_no_handle_never_reaches_the_store(
        self, registry: SessionRegistry, counted: CountingStore, handle: str
    ) -> None:
        assert registry.end_handle(handle) is None
        assert counted.calls == []

    def test_a_person_s_list_holds_the_live_sessions_oldest_first(
        self, registry: SessionRegistry, clock: ManualClock
    ) -> None:
        registry.open(person())
        clock.move(IDLE - timedelta(minutes=1))
        second = registry.open(person())
        registry.open(person("somebody else"))
        assert len(registry.list_person(PARIS, "mdurand7")) == 2
        clock.move(timedelta(minutes=1))
        assert [one.created_at for one in registry.list_person(PARIS, "mdurand7")] == [
            clock.now() - timedelta(minutes=1)
        ]
        registry.end(second)
        assert registry.list_person(PARIS, "mdurand7") == []

    def test_the_lists_of_a_door_and_of_all_hold_the_live_sessions_oldest_first(
        self, registry: SessionRegistry, clock: ManualClock
    ) -> None:
        for subject, door in (("a", "arena-paris"), ("b", "direct"), ("c", "arena-paris")):
            registry.open(person(subject, door=door))
            clock.move(SECOND)
        assert [one.subject for one in registry.list_door("arena-paris")] == ["a", "c"]
        assert [one.subject for one in registry.list_all()] == ["a", "b", "c"]
        assert registry.list_door("arena-creteil") == []
        clock.move(IDLE - 2 * SECOND)
        assert [one.subject for one in registry.list_all()] == ["c"]

    def test_a_session_ended_while_many_read_it_stays_ended(self, registry: SessionRegistry) -> None:
        for _ in range(10):
            cookie = registry.open(person())
            barrier = Barrier(9)

            def read(cookie: str = cookie, barrier: Barrier = barrier) -> None:
                barrier.wait()
                for _ in range(10):
                    registry.resolve(cookie)
                registry.flush()

            with ThreadPoolExecutor(8) as pool:
                readers = [pool.submit(read) for _ in range(8)]
                barrier.wait()
                registry.end_person(PARIS, "mdurand7")
                for reader in readers:
                    reader.result()
            registry.flush()
            assert registry.resolve(cookie) is None


class TestOutage:
    @pytest.mark.fault
    def test_no_store_no_session_and_nobody_is_authenticated(self, keyring: Keyring, clock: ManualClock) -> None:
        server = PrivateRedis()
        server.start()
        try:
            store = open_store(server.url)
            registry = SessionRegistry(store, keyring, clock, IDLE, ABSOLUTE)
            cookie = registry.open(person())
            clock.move(1)
            assert registry.resolve(cookie) is not None
            server.stop()
            for call in (
                lambda: registry.resolve(cookie),
                lambda: registry.end(cookie),
                lambda: registry.open(person()),
                lambda: registry.end_person(PARIS, "mdurand7"),
                lambda: registry.list_person(PARIS, "mdurand7"),
                registry.flush,
            ):
                with pytest.raises(Unavailable) as caught:
                    call()
                assert caught.value.code is Code.STORE_UNAVAILABLE
            server.start()
            assert registry.resolve(cookie) is None
            registry.close()
            store.close()
        finally:
            server.close()

    @pytest.mark.fault
    def test_a_damaged_file_authenticates_nobody(self, tmp_path: Path, keyring: Keyring, clock: ManualClock) -> None:
        store = open_store(f"sqlite:///{tmp_path}/state.db")
        registry = SessionRegistry(store, keyring, clock, IDLE, ABSOLUTE)
        cookie = registry.open(person())
        store.close()
        for file in tmp_path.iterdir():
            file.write_bytes(os.urandom(8192))
        with pytest.raises(Unavailable):
            registry.resolve(cookie)
        registry.close()


def test_the_names_of_keys_and_indexes_hold_nothing_that_came_from_outside(
    redis_server: PrivateRedis, keyring: Keyring, clock: ManualClock
) -> None:
    store = open_store(redis_server.url)
    with redis_server.client() as client:
        client.flushall()
        registry = SessionRegistry(store, keyring, clock, IDLE, ABSOLUTE)
        hostile = "*\r\nFLUSHALL\r\n'; DROP TABLE record; --"
        registry.open(person(hostile, issuer=hostile, door=hostile), portal_session=hostile, name_id=hostile)
        names = sorted(key.decode().removeprefix("{imagin-gateway}:") for key in client.scan_iter())
        shapes = [":".join(part if len(part) < 16 else "#" for part in name.split(":")) for name in names]
        assert shapes == [
            "index:session:all",
            "index:session:door:#",
            "index:session:handle:#",
            "index:session:name:#",
            "index:session:person:#",
            "index:session:portal:#",
            "number",
            "session:#",
        ]
        assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789:") for name in names)
        assert registry.end_person(hostile, hostile) == 1
        registry.close()
    store.close()


@pytest.mark.parametrize(("portal", "life"), [(None, 2 * IDLE), (timedelta(minutes=5), timedelta(minutes=5))])
def test_the_store_drops_a_record_nobody_can_use_any_more(
    registry: SessionRegistry, store: StateStore, clock: ManualClock, portal: timedelta | None, life: timedelta
) -> None:
    registry.open(person(), ends_at=clock.now() + portal if portal else None)
    end = timestamp(clock.now() + life)
    assert len(store.find(Space.SESSION, "all", now=end - 1)) == 1
    assert store.find(Space.SESSION, "all", now=end) == []


def test_a_name_id_ends_its_sessions_and_session_indexes_narrow_it_down(registry: SessionRegistry) -> None:
    name = "<NameID>n1</NameID>"
    cookies = [registry.open(person(), portal_session=f"_{number}", name_id=name) for number in range(3)]
    other = registry.open(person(), portal_session="_0", name_id="<NameID>n2</NameID>")
    elsewhere = registry.open(person(issuer="https://creteil.example/idp"), portal_session="_0", name_id=name)
    assert registry.end_name_id(PARIS, name, ["_0", "_9"]) == 1
    assert [registry.resolve(cookie) is None for cookie in cookies] == [True, False, False]
    assert registry.end_name_id(PARIS, "<NameID>unknown</NameID>") == 0
    assert registry.end_name_id(PARIS, name) == 2
    assert all(registry.resolve(cookie) is None for cookie in cookies)
    assert registry.resolve(other) is not None
    assert registry.resolve(elsewhere) is not None


def test_a_session_opened_without_a_session_index_is_any_of_its_name_id(registry: SessionRegistry) -> None:
    name = "<NameID>n1</NameID>"
    untold, told = (registry.open(person(), portal_session=index, name_id=name) for index in ("", "_0"))
    other = registry.open(person(), name_id="<NameID>n2</NameID>")
    assert [each.portal_session for each in registry.list_name_id(PARIS, name, ["_9"])] == [""]
    assert registry.end_name_id(PARIS, name, ["_9"]) == 1
    assert [registry.resolve(each) is None for each in (untold, told, other)] == [True, False, False]
