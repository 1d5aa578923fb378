"""The door as the journeys use it: passwords set by one way, events, nothing secret told."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import imagin_gateway.local
from imagin_gateway.errors import Code, Refused
from imagin_gateway.keys import Secret
from imagin_gateway.local.accounts import identifier_key
from imagin_gateway.local.door import CredentialsRefused, PasswordRefused
from imagin_gateway.local.lifecycle import AccountState, Act
from imagin_gateway.local.schema import metadata
from tests.local.conftest import Office
from tests.local.helper import ADDRESS, GOOD, OTHER

ROOM = Path(imagin_gateway.local.__file__).parent

Setter = Callable[[Secret], object]


@pytest.fixture
def setters(office: Office, reset_link: Callable[..., str]) -> dict[str, Setter]:
    """Every way a password is set: first login, forced change, change, reset."""
    office.personalise("pmartin2", OTHER)
    token = reset_link("mdurand7")
    return {
        "first": lambda new: office.door.passwords.choose_first("sansmail", new, new),
        "change": lambda new: office.door.passwords.change("pmartin2", OTHER, new, new),
        "reset": lambda new: office.door.passwords.use_reset(token, new, new),
    }


WEAK = {
    "": Code.PASSWORD_MISSING,
    "court": Code.PASSWORD_TOO_SHORT,
    "x" * 1025: Code.PASSWORD_TOO_LONG,
    "jetaimepourlavie": Code.PASSWORD_COMMON,
    "azertyuiopqsdfghjklm": Code.PASSWORD_COMMON,
    "siec-imagin-2026!": Code.PASSWORD_CONTEXT,
}


@pytest.mark.row("PWD-11")
@pytest.mark.parametrize("way", ["first", "change", "reset"])
def test_every_way_calls_the_same_policy(office: Office, setters: dict[str, Setter], way: str) -> None:
    before = [office.account(identifier) for identifier in ("mdurand7", "pmartin2", "sansmail")]
    for weak, code in WEAK.items():
        with pytest.raises(PasswordRefused) as caught:
            setters[way](Secret(weak))
        assert caught.value.code is code
    assert [office.account(identifier) for identifier in ("mdurand7", "pmartin2", "sansmail")] == before
    setters[way](GOOD)


@pytest.mark.row("PWD-11")
@pytest.mark.parametrize(("way", "own"), [("first", "zoe-roux-sansmail"), ("reset", "Marie.Durand.1970")])
def test_the_names_of_the_person_are_known_to_the_policy(setters: dict[str, Setter], way: str, own: str) -> None:
    with pytest.raises(PasswordRefused) as caught:
        setters[way](Secret(own))
    assert caught.value.code is Code.PASSWORD_CONTEXT


@pytest.mark.row("PWD-11")
def test_one_function_writes_the_hash_and_takes_only_what_the_policy_passed() -> None:
    writers, makers = [], []
    for path in sorted(ROOM.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in ast.walk(function):
                # Taking a password away writes no hash: None, literally.
                if isinstance(node, ast.Dict) and any(
                    isinstance(key, ast.Constant)
                    and key.value == "password_hash"
                    and not (isinstance(value, ast.Constant) and value.value is None)
                    for key, value in zip(node.keys, node.values, strict=True)
                ):
                    writers.append(f"{path.stem}.{function.name}")
                if isinstance(node, ast.keyword) and node.arg == "password_hash":
                    writers.append(f"{path.stem}.{function.name}")
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "ChosenPassword":
                    makers.append(f"{path.stem}.{function.name}")
    assert writers == ["store.write_password"]
    # `refresh` hashes again the password that just opened the account.
    assert sorted(makers) == ["credentials.choose", "credentials.refresh"]


def test_choosing_the_first_password_is_possible_once(office: Office) -> None:
    office.personalise("mdurand7")
    with pytest.raises(Refused) as caught:
        office.door.passwords.choose_first("mdurand7", OTHER, OTHER)
    assert caught.value.code is Code.ACCOUNT_STATE
    with pytest.raises(Refused) as caught:
        office.door.passwords.choose_first("inconnu", OTHER, OTHER)
    assert caught.value.code is Code.ACCOUNT_STATE
    assert not office.door.check("mdurand7", GOOD, address=ADDRESS).must_choose


@pytest.mark.parametrize("act", [Act.LOCK, Act.DISABLE, Act.EXPIRE])
def test_an_account_closed_after_the_login_chooses_nothing(office: Office, act: Act) -> None:
    office.door.check("mdurand7", office.letters["mdurand7"], address=ADDRESS)
    office.act("mdurand7", act)
    with pytest.raises(Refused) as caught:
        office.door.passwords.choose_first("mdurand7", GOOD, GOOD)
    assert caught.value.code is Code.ACCOUNT_STATE
    assert office.account("mdurand7").password_hash is None


def test_an_account_closed_while_its_password_is_hashed_keeps_none(office: Office) -> None:
    real = office.hasher.hash

    def disabled_meanwhile(password: Secret) -> str:
        office.act("mdurand7", Act.DISABLE)
        return real(password)

    office.hasher.hash = disabled_meanwhile  # type: ignore[method-assign]  # something happens meanwhile
    with pytest.raises(Refused):
        office.door.passwords.choose_first("mdurand7", GOOD, GOOD)
    account = office.account("mdurand7")
    assert (account.state, account.password_hash) == (AccountState.DISABLED, None)


def test_two_browsers_that_choose_at_once_set_one_password(office: Office) -> None:
    from concurrent.futures import ThreadPoolExecutor

    words = [Secret(f"vingt-et-une girafes {number}") for number in range(8)]

    def choose(new: Secret) -> bool:
        try:
            office.door.passwords.choose_first("mdurand7", new, new)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(choose, words))
    assert done.count(True) == 1
    assert not office.door.check("mdurand7", words[done.index(True)], address=ADDRESS).must_choose


def test_a_required_change_must_bring_another_password(office: Office) -> None:
    office.personalise("mdurand7")
    office.act("mdurand7", Act.REQUIRE_CHANGE)
    assert office.door.check("mdurand7", GOOD, address=ADDRESS).must_choose
    with pytest.raises(PasswordRefused) as caught:
        office.door.passwords.choose_first("mdurand7", GOOD, GOOD)
    assert caught.value.code is Code.PASSWORD_SAME
    assert not office.door.passwords.choose_first("mdurand7", OTHER, OTHER).must_choose
    assert not office.door.check("mdurand7", OTHER, address=ADDRESS).must_choose


@pytest.mark.row("PWD-08")
def test_a_change_needs_the_current_password_and_a_wrong_one_counts_as_a_failure(office: Office) -> None:
    office.personalise("mdurand7")
    for _ in range(3):
        with pytest.raises(PasswordRefused) as caught:
            office.door.passwords.change("mdurand7", OTHER, Secret("une autre phrase longue"), OTHER, address=ADDRESS)
        assert caught.value.code is Code.PASSWORD_CURRENT
    with pytest.raises(PasswordRefused) as caught:
        office.door.passwords.change("mdurand7", GOOD, OTHER, OTHER, address=ADDRESS)
    assert caught.value.code is Code.PASSWORD_CURRENT
    with pytest.raises(CredentialsRefused):
        office.door.check("mdurand7", GOOD, address=ADDRESS)
    office.clock.move(10)
    office.door.passwords.change("mdurand7", GOOD, OTHER, OTHER, address=ADDRESS)
    assert not office.door.check("mdurand7", OTHER, address=ADDRESS).must_choose
    with pytest.raises(CredentialsRefused):
        office.door.check("mdurand7", GOOD, address=ADDRESS)


def test_a_change_to_the_same_password_is_refused(office: Office) -> None:
    office.personalise("mdurand7")
    with pytest.raises(PasswordRefused) as caught:
        office.door.passwords.change("mdurand7", GOOD, GOOD, GOOD)
    assert caught.value.code is Code.PASSWORD_SAME


def test_a_provisional_password_cannot_be_used_to_change(office: Office) -> None:
    with pytest.raises(Refused) as caught:
        office.door.passwords.change("mdurand7", office.letters["mdurand7"], GOOD, GOOD)
    assert caught.value.code is Code.ACCOUNT_STATE


def test_each_way_writes_its_event_and_no_event_or_log_holds_a_secret(
    office: Office, reset_link: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    office.door.passwords.choose_first("mdurand7", GOOD, GOOD, address=ADDRESS, correlation="R-1")
    office.door.passwords.change("mdurand7", GOOD, OTHER, OTHER, address=ADDRESS, correlation="R-2")
    token = reset_link("mdurand7")
    office.door.passwords.use_reset(token, GOOD, GOOD, address=ADDRESS, correlation="R-3")
    chosen = office.named("password_chosen")
    assert [event["detail"]["how"] for event in chosen] == ["first", "change", "reset"]
    assert [event["correlation"] for event in chosen] == ["R-1", "R-2", "R-3"]
    assert {event["address"] for event in chosen} == {ADDRESS}
    assert len({event["person"] for event in chosen}) == 1
    (asked,) = office.named("reset_asked")
    assert asked["person"] == chosen[0]["person"]
    logged = [record.getMessage() for record in caplog.records if record.name != "mail.log"]  # the relay's own log
    told = "".join([*office.lines, *logged])
    for secret in (GOOD.reveal(), OTHER.reveal(), token, token.partition(".")[0], "mdurand7", "exemple.test"):
        assert secret not in told
    kept = [str(row) for table in metadata.sorted_tables for row in office.rows(table)]
    assert not [row for row in kept if GOOD.reveal() in row or OTHER.reveal() in row or token in row]


def test_what_an_account_shows_holds_no_secret_and_its_repr_no_name(office: Office) -> None:
    office.personalise("mdurand7")
    view = office.door.find(" MDURAND7 ")
    assert view is not None
    assert repr(view) == "AccountView(identifier='mdurand7', state='active')"
    stored = office.account("mdurand7")
    assert stored.password_hash is not None
    assert stored.password_hash not in repr(stored)
    assert "DURAND" not in repr(stored)
    assert not hasattr(view, "password_hash")


@given(st.text(max_size=80))
def test_the_compared_form_of_an_identifier_is_stable_and_printable(typed: str) -> None:
    key = identifier_key(typed)
    assert key.isprintable()
    if key:
        assert identifier_key(key) == key or len(key) > 64
        assert identifier_key(f"  {typed}\u00a0") in (key, "")


@given(st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1, max_size=20))
def test_case_and_surrounding_spaces_do_not_tell_identifiers_apart(typed: str) -> None:
    assert identifier_key(f" {typed} ") == identifier_key(typed)
    assert identifier_key(typed.casefold()) == identifier_key(typed)


def test_accents_inner_spaces_and_neighbours_do() -> None:
    keys = {identifier_key(text) for text in ("lefevre", "lefèvre", "le fevre", "lefevre1", "lefevrel")}
    assert len(keys) == 5
    assert identifier_key("LEFE\u0300VRE") == identifier_key("lefèvre")
    assert identifier_key("x" * 64)
    assert identifier_key("x" * 65) == ""
    assert identifier_key(" " * 9000) == ""


def test_the_room_says_nothing_of_a_password_or_a_token_in_its_messages() -> None:
    """Every f-string of the room that makes an error or a log line is listed here, and holds no value from outside."""
    found: set[str] = set()
    for path in sorted(ROOM.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and node.exc is not None:
                found.update(ast.unparse(part) for part in ast.walk(node.exc) if isinstance(part, ast.JoinedStr))
    assert found == {
        "f'a password that stands alone needs {LOWEST_MINIMUM} signs or more'",
        "f'le fichier est en {told_as}{_SAVE}'",
        "f'letters of this length do not make {self.least_bits} bits'",
        'f"the passkey\'s answer is refused ({type(error).__name__})"',
    }


def test_letters_and_sheets_in_one_file_are_refused_before_the_list_is_read(office: Office, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    one, other = tmp_path / "out", tmp_path / "folder" / ".." / "out"
    with pytest.raises(ValueError, match="are the same file"):
        office.door.lists.import_list(tmp_path / "nowhere.csv", letters_to=one, sheets_to=other)
    with pytest.raises(ValueError, match="are the same file"):
        office.door.lists.reissue(["mdurand7"], letters_to=one, sheets_to=other)
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []
