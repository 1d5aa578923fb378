"""Passkeys at the door itself: made, used, alone or after a password, refused, counted, and taken away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from imagin_gateway.errors import Code, Unavailable
from imagin_gateway.keys import Secret, new_token
from imagin_gateway.local.door import NetworkThrottled, TransitionRefused
from imagin_gateway.local.factors import Enrolled, FactorKind, FactorRefused, FactorsView, StepProved
from imagin_gateway.local.lifecycle import Act
from imagin_gateway.local.recovery import HOW_MANY
from imagin_gateway.local.schema import passkeys
from imagin_gateway.local.second_factors import SecondFactors
from imagin_gateway.local.throttle import NETWORK_FAILURES
from tests.authenticator import Device
from tests.local.conftest import Office, keys_of
from tests.local.helper import ADDRESS

TELL = {"address": ADDRESS, "correlation": "R-2222-3333"}


def device(**more: Any) -> Device:
    return Device("http://localhost:8400", "localhost", **more)


def version(office: Office, identifier: str = "mdurand7") -> int:
    return office.account(identifier).version


def enrol(office: Office, held: Device, identifier: str = "mdurand7", name: str = "Téléphone") -> Enrolled:
    challenge = Secret(new_token(256))
    answer = Secret(held.make(office.door.factors.to_make_passkey(identifier, challenge)))
    told: dict[str, Any] = {"version": version(office, identifier), "address": ADDRESS, "tell": TELL}
    return office.door.factors.add_passkey(identifier, answer, challenge, name, **told)


def prove(office: Office, held: Device, identifier: str = "mdurand7", **more: Any) -> StepProved:
    challenge = Secret(new_token(256))
    answer = Secret(held.use(office.door.factors.to_use_passkey(identifier, challenge)))
    told = {"version": version(office, identifier), "address": ADDRESS, "tell": TELL, **more}
    return office.door.factors.prove_passkey(identifier, answer, challenge, **told)


def alone(office: Office, held: Device, address: str = ADDRESS) -> StepProved:
    challenge = Secret(new_token(256))
    answer = Secret(held.use(office.door.factors.to_use_passkey(None, challenge)))
    return office.door.factors.prove_passkey_alone(answer, challenge, address=address)


def code(call: Callable[[], object]) -> Code:
    with pytest.raises(FactorRefused) as refused:
        call()
    return refused.value.code


def test_a_passkey_is_the_second_step_and_is_seen(office: Office) -> None:
    office.personalise("mdurand7")
    held = device()
    added = enrol(office, held, name=" Mon\tclé\x00 d’" + "é" * 60)
    assert len(added.codes) == HOW_MANY
    view = office.door.factors.of("mdurand7")
    (seen,) = view.passkeys
    assert (view.totp, view.recovery_left, view.required) == (None, HOW_MANY, False)
    assert seen.name == "Mon clé d’" + "é" * 30
    assert (seen.added_at, seen.used_at) == (office.clock.now(), None)
    office.clock.move(60)
    proved = prove(office, held)
    assert (proved.kind, proved.recovery_left) == (FactorKind.PASSKEY, HOW_MANY)
    assert office.door.factors.of("mdurand7").passkeys[0].used_at == office.clock.now()
    (event,) = office.named("factor_added")
    assert event["detail"] == {"kind": "passkey"}


def test_a_passkey_alone_says_who_it_is_and_that_its_owner_was_checked(office: Office) -> None:
    office.personalise("mdurand7")
    held = device()
    enrol(office, held)
    proved = alone(office, held)
    assert (proved.account.identifier, proved.kind, proved.recovery_left) == (
        "mdurand7",
        FactorKind.PASSKEY,
        HOW_MANY,
    )
    assert proved.amr == (*prove(office, held).amr, "user")


def test_a_passkey_of_nobody_of_another_and_of_a_closed_account_open_nothing(office: Office) -> None:
    for who in ("mdurand7", "pmartin2"):
        office.personalise(who)
    mine, theirs, nobodys = device(), device(), device()
    enrol(office, mine)
    enrol(office, theirs, "pmartin2")
    assert code(lambda: alone(office, nobodys)) is Code.FACTOR_UNKNOWN
    assert code(lambda: prove(office, nobodys)) is Code.FACTOR_UNKNOWN
    assert code(lambda: prove(office, theirs)) is Code.FACTOR_UNKNOWN
    lying = device(key=mine.key, credential=mine.credential, handle=theirs.handle, count=5)
    assert code(lambda: prove(office, lying)) is Code.FACTOR_UNKNOWN
    office.act("mdurand7", Act.DISABLE)
    assert code(lambda: alone(office, mine)) is Code.FACTOR_UNKNOWN
    office.clock.move(timedelta(minutes=10))
    assert code(lambda: prove(office, mine)) is Code.FACTOR_GONE
    assert alone(office, theirs).account.identifier == "pmartin2"


@pytest.mark.row("RTE-04")
def test_a_passkey_alone_is_no_back_door_for_who_must_enter_by_a_portal(
    office: Office, open_office: Callable[..., Office]
) -> None:
    office.personalise("mdurand7")
    held = device()
    enrol(office, held)
    closed, other = (
        open_office(keys=keys_of(office), accounts={"url": office.settings.accounts.url, "portal_domains": [domain]})
        for domain in ("exemple.test", "autre.test")
    )
    assert code(lambda: alone(closed, held)) is Code.FACTOR_UNKNOWN
    assert alone(other, held).account.identifier == "mdurand7"


def test_a_network_that_shows_too_many_false_passkeys_waits(office: Office) -> None:
    office.personalise("mdurand7")
    held = device()
    enrol(office, held)
    for _ in range(NETWORK_FAILURES):
        assert code(lambda: alone(office, device())) is Code.FACTOR_UNKNOWN
    with pytest.raises(NetworkThrottled):
        alone(office, held)
    assert alone(office, held, address="198.51.100.7").account.identifier == "mdurand7"


def test_a_try_that_the_database_did_not_answer_is_no_try(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.personalise("mdurand7")
    held = device()
    enrol(office, held)
    with monkeypatch.context() as down:
        down.setattr(office.door.factors._database, "write", _down)
        for _ in range(12):
            with pytest.raises(Unavailable):
                prove(office, held)
    assert prove(office, held).kind is FactorKind.PASSKEY


def _down() -> None:
    raise Unavailable("the accounts database does not answer")


def test_a_device_that_was_copied_is_told_by_its_count(office: Office) -> None:
    office.personalise("mdurand7")
    held = device()
    enrol(office, held)
    copied = device(key=held.key, credential=held.credential, handle=held.handle, count=held.count)
    prove(office, held)
    prove(office, held)
    assert code(lambda: prove(office, copied)) is Code.FACTOR_COUNTER


def test_ten_passkeys_are_held_and_no_eleventh(office: Office) -> None:
    office.personalise("mdurand7")
    devices = [device() for _ in range(11)]
    for number, held in enumerate(devices[:10]):
        enrol(office, held, name=f"n{number}")
        office.clock.move(1)
    assert code(lambda: enrol(office, devices[10])) is Code.FACTOR_LIMIT
    assert [seen.name for seen in office.door.factors.of("mdurand7").passkeys] == [f"n{n}" for n in range(10)]


def test_a_passkey_has_one_owner(office: Office) -> None:
    for who in ("mdurand7", "pmartin2"):
        office.personalise(who)
    held = device()
    enrol(office, held)
    for who in ("mdurand7", "pmartin2"):
        assert code(lambda who=who: enrol(office, held, who)) is Code.FACTOR_ANSWER  # type: ignore[misc]
    assert len(office.rows(passkeys)) == 1


def test_a_passkey_is_removed_by_its_handle_and_by_no_other(office: Office) -> None:
    for who in ("mdurand7", "pmartin2"):
        office.personalise(who)
    first, second, theirs = device(), device(), device()
    for held in (first, second):
        enrol(office, held)
    enrol(office, theirs, "pmartin2")
    factors = office.door.factors
    one, other = (seen.handle for seen in factors.of("mdurand7").passkeys)
    foreign = factors.of("pmartin2").passkeys[0].handle
    assert len({one, other, foreign, first.handle}) == 4
    for handle in ("", "totp", "x", foreign):
        assert code(lambda handle=handle: factors.remove("mdurand7", handle, tell=TELL)) is Code.FACTOR_GONE  # type: ignore[misc]
    before = version(office)
    assert factors.remove("mdurand7", one, tell=TELL).version == before + 1
    assert code(lambda: prove(office, first)) is Code.FACTOR_UNKNOWN
    assert prove(office, second).recovery_left == HOW_MANY
    factors.remove("mdurand7", other, tell=TELL)
    assert factors.of("mdurand7") == FactorsView(None, (), 0, False)
    assert [event["detail"] for event in office.named("factor_removed")] == [
        {"kind": "passkey", "left": 1},
        {"kind": "passkey", "left": 0},
    ]
    assert prove(office, theirs, "pmartin2").account.identifier == "pmartin2"


def test_all_go_at_once_and_only_as_they_were_looked_at(office: Office) -> None:
    for who in ("mdurand7", "pmartin2"):
        office.personalise(who)
    mine, theirs = device(), device()
    enrol(office, mine)
    enrol(office, theirs, "pmartin2")
    stale = version(office) - 1
    with pytest.raises(TransitionRefused) as refused:
        office.door.factors.remove_all("mdurand7", actor="x", version=stale)
    assert refused.value.code is Code.DESK_STALE
    assert office.door.factors.of("mdurand7").any
    assert office.door.factors.remove_all("mdurand7", actor="x", version=version(office)) is not None
    assert not office.door.factors.of("mdurand7").any
    assert alone(office, theirs).account.identifier == "pmartin2"


# who is not there, and what is switched off


def test_nobody_has_no_factor_and_is_asked_for_none(office: Office, open_office: Callable[..., Office]) -> None:
    assert office.door.factors.of("inconnu") == FactorsView(None, (), 0, False)
    challenge = Secret(new_token(256))
    for call in (
        lambda: office.door.factors.to_make_passkey("inconnu", challenge),
        lambda: office.door.factors.to_use_passkey("inconnu", challenge),
        lambda: office.door.factors.new_secret("inconnu"),
    ):
        assert code(call) is Code.FACTOR_GONE
    strict = open_office(second_factor={"mode": "required"})
    assert strict.door.factors.of("inconnu") == FactorsView(None, (), 0, True)


def test_without_its_keys_nothing_is_added_nor_proved(office: Office) -> None:
    office.personalise("mdurand7")
    held = device()
    added = enrol(office, held)
    door = office.door
    off = SecondFactors(
        office.database,
        office.state,
        None,
        door._throttle,
        door._clients,
        door.factors.ceremonies,
        office.clock,
        office.log,
        service="Imagin",
        required=False,
        wake=lambda: None,
    )
    told: dict[str, Any] = {"version": version(office), "address": ADDRESS, "tell": TELL}
    challenge = Secret(new_token(256))
    calls: list[Callable[[], object]] = [
        lambda: off.new_secret("mdurand7"),
        lambda: off.prove_code("mdurand7", Secret("000000"), **told),
        lambda: off.prove_recovery("mdurand7", added.codes[0], **told),
        lambda: off.prove_passkey(
            "mdurand7", Secret(held.use(off.to_use_passkey("mdurand7", challenge))), challenge, **told
        ),
        lambda: off.new_codes("mdurand7", tell=TELL),
    ]
    for call in calls:
        assert code(call) is Code.FACTOR_OFF
    assert office.door.factors.of("mdurand7").recovery_left == HOW_MANY, "nothing was used up"


# too many tries, where they lock


def test_a_lock_is_told_once_and_only_of_an_account_that_can_be_locked(
    office: Office, open_office: Callable[..., Office]
) -> None:
    office.personalise("mdurand7")
    held = device()
    enrol(office, held)
    changes = {"profile": "unsafe-tests", "attempts": "lock", "lock_after": 4}
    locking = open_office(keys=keys_of(office), passwords=changes)
    office.personalise("pmartin2")
    office.act("pmartin2", Act.DISABLE)
    for who in ("mdurand7", "inconnu", "pmartin2"):
        for _ in range(6):
            with pytest.raises((FactorRefused, NetworkThrottled)):
                locking.door.factors.prove_code(who, Secret("000000"), version=0, address=ADDRESS, tell=TELL)
    (event,) = locking.named("account_locked")
    assert (event["address"], event["correlation"]) == (ADDRESS, "R-2222-3333")
    assert locking.account("mdurand7").state.value == "locked"
    assert code(lambda: prove(locking, held)) in (Code.FACTOR_TOO_MANY, Code.FACTOR_GONE)
    with locking.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(passkeys)).scalar_one() == 1
