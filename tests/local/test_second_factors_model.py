"""The life of second factors, in any order: a model beside the real thing, on SQLite."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path

import pyotp
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from imagin_gateway.events import CallSink, EventLog
from imagin_gateway.keys import Keyring, Secret
from imagin_gateway.local.door import DirectDoor
from imagin_gateway.local.factors import FactorRefused
from imagin_gateway.local.lifecycle import TransitionRefused
from imagin_gateway.state.sqlite import SqliteStateStore
from tests import accounts_file
from tests.clock import ManualClock
from tests.local.conftest import LIST, settings_of
from tests.local.helper import GOOD, OTHER, import_list

WHO = "mdurand7"


class Life(RuleBasedStateMachine):
    """One account: what its owner, its thief and the help desk may do to it."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        self.clock = ManualClock()
        settings = settings_of(f"sqlite:///{accounts_file.put(folder / 'accounts.db')}")
        self.state = SqliteStateStore(folder / "state.db")
        events = EventLog(CallSink(lambda _: None), self.clock, Keyring(settings.keys.signing))
        self.door = DirectDoor.open(settings, self.state, self.clock, events)
        (folder / "list.csv").write_text(LIST, encoding="utf-8")
        import_list(self.door, folder / "list.csv")
        self.door.passwords.choose_first(WHO, GOOD, GOOD)
        self.password = GOOD
        self.secret = ""
        self.codes: set[str] = set()
        self.dead: set[str] = set()
        self.taken = -1
        self.required = False

    def teardown(self) -> None:
        self.door.close()
        self.state.close()
        self._folder.cleanup()

    @property
    def version(self) -> int:
        found = self.door.find(WHO)
        assert found is not None
        return found.version

    def step(self) -> int:
        return int(self.clock.now().timestamp()) // 30

    def prove(self, by: str, code: str, version: int | None = None) -> bool:
        # Delays are tried elsewhere: here each try is the first.
        self.door._throttle.clear(f"{WHO}\x00second factor")
        call = getattr(self.door.factors, by)
        try:
            call(WHO, Secret(code), version=self.version if version is None else version, address="", tell={})
        except FactorRefused:
            return False
        return True

    @rule(seconds=st.integers(0, 95))
    def time_goes_by(self, seconds: int) -> None:
        self.clock.move(seconds)

    @rule()
    def an_application_is_added_or_replaced(self) -> None:
        self.door._throttle.clear(f"{WHO}\x00second factor")
        before = self.version
        sealed, secret, _ = self.door.factors.new_secret(WHO)
        code = pyotp.TOTP(secret.reveal()).at(self.clock.now())
        added = self.door.factors.add_totp(WHO, sealed, Secret(code), version=before, address="", tell={})
        assert self.version > before
        self.secret, self.taken = secret.reveal(), self.step()
        assert bool(added.codes) is not bool(self.codes)
        self.codes |= {each.reveal() for each in added.codes}

    @precondition(lambda self: self.secret)
    @rule(drift=st.integers(-4, 4))
    def a_code_is_tried(self, drift: int) -> None:
        step = self.step() + drift
        opened = self.prove("prove_code", pyotp.TOTP(self.secret).generate_otp(step))
        # A code of another step may by chance be that of a nearer one: never in practice.
        if abs(drift) > 1 or step <= self.taken:
            assert not opened
        if opened:
            self.taken = step

    @precondition(lambda self: self.secret)
    @rule()
    def a_code_is_proved_with_an_old_version(self) -> None:
        code = pyotp.TOTP(self.secret).generate_otp(self.step())
        assert not self.prove("prove_code", code, self.version - 1)

    @precondition(lambda self: self.codes)
    @rule()
    def a_recovery_code_is_used_twice(self) -> None:
        code = self.codes.pop()
        assert self.prove("prove_recovery", code)
        self.dead.add(code)
        assert not self.prove("prove_recovery", code)

    @precondition(lambda self: self.dead)
    @rule()
    def a_dead_code_opens_nothing(self) -> None:
        assert not self.prove("prove_recovery", next(iter(self.dead)))

    @rule()
    def a_guess_opens_nothing(self) -> None:
        assert not self.prove("prove_recovery", secrets.token_urlsafe(11))

    @precondition(lambda self: self.secret)
    @rule()
    def recovery_codes_are_made_again(self) -> None:
        self.dead |= self.codes
        self.codes = {each.reveal() for each in self.door.factors.new_codes(WHO, tell={})}

    @rule()
    def the_application_is_removed(self) -> None:
        try:
            self.door.factors.remove(WHO, "totp", tell={})
        except FactorRefused:
            assert not self.secret or self.required
            return
        assert self.secret
        assert not self.required
        self._gone()

    @rule()
    def the_help_desk_clears_everything(self) -> None:
        before = self.version
        assert self.door.factors.remove_all(WHO, actor="assistance") is not None
        assert self.version > before
        self._gone()

    def _gone(self) -> None:
        self.secret, self.taken = "", -1
        self.dead |= self.codes
        self.codes = set()

    @rule(required=st.booleans())
    def a_factor_is_demanded_or_not(self, required: bool) -> None:
        self.door.factors.require(WHO, required, actor="bureau")
        self.required = required

    @rule()
    def the_password_is_changed(self) -> None:
        new = OTHER if self.password == GOOD else GOOD
        self.door._throttle.clear(WHO)
        self.door.passwords.change(WHO, self.password, new, new)
        self.password = new

    @rule()
    def an_account_that_does_not_exist_changes_nothing(self) -> None:
        try:
            self.door.factors.remove("inconnu", "totp", tell={})
        except (FactorRefused, TransitionRefused):
            return
        raise AssertionError("a factor of nobody was removed")

    @invariant()
    def what_is_shown_is_what_is_there(self) -> None:
        view = self.door.factors.of(WHO)
        assert (view.totp is not None) is bool(self.secret)
        assert view.recovery_left == len(self.codes)
        assert view.required is self.required
        assert view.any or not view.recovery_left


Life.TestCase.settings = hypothesis_settings(max_examples=12, stateful_step_count=20, deadline=None)
TestLife = Life.TestCase
