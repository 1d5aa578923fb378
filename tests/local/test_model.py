"""The life of accounts, driven at random against a model that knows nothing of the code but its table."""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from imagin_gateway.errors import ImportRefused, Refused
from imagin_gateway.events import CallSink, EventLog
from imagin_gateway.keys import Keyring, Secret
from imagin_gateway.local import store
from imagin_gateway.local.accounts import Account
from imagin_gateway.local.database import Database
from imagin_gateway.local.door import CredentialsRefused, DirectDoor
from imagin_gateway.local.lifecycle import AccountState
from imagin_gateway.local.schema import accounts
from imagin_gateway.state.sqlite import SqliteStateStore
from tests import accounts_file
from tests.clock import ManualClock
from tests.local.conftest import settings_of
from tests.local.helper import CountingHasher, import_list

S = AccountState

PEOPLE = ("anne", "basile")

DAYS = 21


@dataclass
class Model:
    """What one person can do, told in the words of the issue."""

    state: AccountState | None = None
    letter: Secret | None = None
    letter_ends: datetime | None = None
    password: Secret | None = None
    links: set[str] = field(default_factory=set)

    def settle(self, now: datetime) -> None:
        """Let time pass."""
        if self.state is S.PROVISIONAL and self.letter_ends is not None and now >= self.letter_ends:
            self.state = S.EXPIRED

    @property
    def opens(self) -> Secret | None:
        """What opens the account, if anything does."""
        if self.state is S.PROVISIONAL:
            return self.letter
        return self.password if self.state in (S.ACTIVE, S.CHANGE_REQUIRED) else None

    def choose(self, password: Secret) -> None:
        self.state, self.password, self.letter = S.ACTIVE, password, None
        self.links.clear()


class Lives(RuleBasedStateMachine):
    """Every act, by everybody, at any time."""

    url = ""
    links: Bundle[tuple[str, str]] = Bundle("links")

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        folder = Path(self.folder.name)
        url = self.url or f"sqlite:///{accounts_file.put(folder / 'accounts.db')}"
        self.clock = ManualClock()
        made = settings_of(url)
        events = EventLog(CallSink(lambda line: None), self.clock, Keyring(made.keys.signing))
        self.state = SqliteStateStore(folder / "state.db")
        self.door = DirectDoor.open(made, self.state, self.clock, events, hasher=CountingHasher())
        self.database = Database(url)
        with self.database.write() as connection:
            connection.execute(accounts.delete())
        self.models = {who: Model() for who in PEOPLE}
        self.words = (Secret(f"vingt-et-une girafes {number}") for number in itertools.count())

    def teardown(self) -> None:
        self.door.close()
        self.database.close()
        self.state.close()
        self.folder.cleanup()

    def account(self, who: str) -> Account | None:
        with self.database.read() as connection:
            return store.find(connection, who)

    def model(self, who: str) -> Model:
        model = self.models[who]
        model.settle(self.clock.now())
        # The throttle has its own tests: here nobody waits.
        self.door._throttle.clear(who)
        return model

    who = st.sampled_from(PEOPLE)

    # -- the office ----------------------------------------------------------

    def _listing(self, who: str) -> Path:
        path = Path(self.folder.name) / "list.csv"
        path.write_text(f"Identifiant;Nom;Courriel\n{who};X;{who}@exemple.test\n", encoding="utf-8")
        return path

    def _printed(self, model: Model, letters: list[Any]) -> None:
        for letter in letters:
            if letter.provisional is not None:
                model.state, model.letter = S.PROVISIONAL, letter.provisional
                model.letter_ends = self.clock.now() + timedelta(days=DAYS)

    @rule(who=who, again=st.booleans())
    def import_list(self, who: str, again: bool) -> None:
        model = self.model(who)
        before, had = model.state, model.password is not None
        done = import_list(self.door, self._listing(who), reissue=again)
        expected = before is None or (
            not had and (before in (S.EXPIRED, S.LOCKED) or (again and before is S.PROVISIONAL))
        )
        assert done.report.issued == expected
        self._printed(model, done.letters)

    @rule(who=who)
    def import_without_letters(self, who: str) -> None:
        model = self.model(who)
        assert self.door.lists.import_list(self._listing(who)).issued == 0
        if model.state is None:
            model.state = S.EXPIRED

    @rule(who=who)
    def reissue(self, who: str) -> None:
        model = self.model(who)
        letters: list[Any] = []
        possible = model.password is None and model.state in (S.PROVISIONAL, S.EXPIRED, S.LOCKED)
        try:
            self.door.lists.reissue([who], each=letters.append)
        except ImportRefused:
            assert not possible
        else:
            assert possible
            self._printed(model, letters)

    @rule(who=who)
    def disable(self, who: str) -> None:
        model = self.model(who)
        try:
            done = self.door.disable(who)
        except Refused:
            assert model.state is S.DISABLED
            return
        assert (done is None) == (model.state is None)
        if done is not None:
            model.state = S.DISABLED
            model.links.clear()

    @rule(who=who)
    def enable(self, who: str) -> None:
        model = self.model(who)
        try:
            done = self.door.enable(who)
        except Refused:
            assert model.state is not S.DISABLED
            return
        assert (done is None) == (model.state is None)
        if done is not None:
            model.state, model.password, model.letter = S.EXPIRED, None, None

    @rule(who=who)
    def require_change(self, who: str) -> None:
        model = self.model(who)
        done = self.door.require_change([who], actor="")
        assert bool(done.changed) == (model.state is S.ACTIVE)
        if done.changed:
            model.state = S.CHANGE_REQUIRED

    # -- the person, and whoever tries ---------------------------------------

    @rule(who=who)
    def come_in_and_choose(self, who: str) -> None:
        model = self.model(who)
        if model.opens is None:
            return
        checked = self.door.check(who, model.opens, address="192.0.2.1")
        assert checked.must_choose == (model.state in (S.PROVISIONAL, S.CHANGE_REQUIRED))
        if checked.must_choose:
            new = next(self.words)
            self.door.passwords.choose_first(who, new, new, version=checked.account.version)
            model.choose(new)

    @rule(who=who)
    def change(self, who: str) -> None:
        model = self.model(who)
        new = next(self.words)
        current = model.opens or Secret("ce n'est pas le bon mot")
        try:
            self.door.passwords.change(who, current, new, new, address="192.0.2.1")
        except Refused:
            assert model.state is not S.ACTIVE
        else:
            assert model.state is S.ACTIVE
            model.choose(new)

    @rule(who=who)
    def fail_a_hundred_times(self, who: str) -> None:
        model = self.model(who)
        for _ in range(100):
            self.door._throttle.failed(who, self.clock.now())
        with pytest.raises(CredentialsRefused):
            self.door.check(who, Secret("ce n'est pas le bon mot"), address="192.0.2.2")
        self.door._throttle.clear(who)
        if model.state not in (None, S.DISABLED):
            model.state = S.LOCKED

    @rule(target=links, who=who)
    def ask_for_a_link(self, who: str) -> tuple[str, str]:
        model = self.model(who)
        self.door._resets.note(who)
        answered = self.door._resets.answer_one()
        assert answered is not None
        asked = model.state is not None and model.state is not S.DISABLED
        # Made by a list, so with an address.
        assert answered.mailed == asked
        if not asked:
            return who, ""
        with self.database.write() as connection:
            from imagin_gateway.local.schema import outbox

            row = connection.execute(
                outbox.select().where(outbox.c.kind == "reset").order_by(outbox.c.id.desc())
            ).first()
            connection.execute(outbox.delete())
        assert row is not None
        import json

        token = self.door._resets.link_token(json.loads(row.payload))
        assert token is not None
        model.links = {token[0].reveal()}
        return who, token[0].reveal()

    @rule(link=links)
    def use_a_link(self, link: tuple[str, str]) -> None:
        who, token = link
        model = self.model(who)
        new = next(self.words)
        alive = token in model.links and model.state is not S.DISABLED
        assert self.door.passwords.is_link_alive(token) == alive
        try:
            self.door.passwords.use_reset(token, new, new)
        except Refused:
            assert not alive
        else:
            assert alive
            model.choose(new)

    @rule(hours=st.sampled_from([0.2, 0.9, 30, 15 * 24]))
    def time_passes(self, hours: float) -> None:
        self.clock.move(timedelta(hours=hours))
        if hours > 0.5:
            # More than an hour since any of them, whatever came before: links are short.
            self.clock.move(timedelta(hours=1))
            for model in self.models.values():
                model.links.clear()

    # -- what always holds ---------------------------------------------------

    @invariant()
    def the_code_knows_what_the_model_knows(self) -> None:
        if not hasattr(self, "models"):
            return
        for who in PEOPLE:
            model = self.model(who)
            found = self.door.find(who)
            assert (None if found is None else found.state) == model.state
            account = self.account(who)
            if account is not None:
                assert account.password_hash is None or account.provisional_mac is None

    @invariant()
    def only_what_opens_the_account_opens_it(self) -> None:
        if not hasattr(self, "models"):
            return
        for who in PEOPLE:
            model = self.model(who)
            for secret in {model.letter, model.password} - {None, model.opens}:
                assert secret is not None
                with pytest.raises(CredentialsRefused):
                    self.door.check(who, secret, address="192.0.2.3")
                self.door._throttle.clear(who)
            if model.opens is not None:
                assert self.door.check(who, model.opens, address="192.0.2.1").account.identifier == who


@pytest.fixture
def network_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network ever waits: the machine tries more than any school does."""
    monkeypatch.setattr("imagin_gateway.local.throttle.NETWORK_FAILURES", 10**9)
    monkeypatch.setattr("imagin_gateway.local.throttle.ALARM_FAILURES", 10**9)


@pytest.mark.usefixtures("network_of_its_own")
@pytest.mark.parametrize(("engine", "examples"), [("sqlite", 25), ("postgresql", 10)])
def test_whatever_happens_accounts_live_as_the_model_says(
    request: pytest.FixtureRequest, engine: str, examples: int
) -> None:
    class On(Lives):
        url = request.getfixturevalue("postgres").empty() if engine == "postgresql" else ""

    run_state_machine_as_test(
        On,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
