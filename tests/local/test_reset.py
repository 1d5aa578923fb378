"""« Mot de passe oublié ? »: neutral, one link, one use."""

from __future__ import annotations

import ast
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagin_gateway.errors import Code, Refused, SettingsError, Unavailable
from imagin_gateway.keys import Keyring, Secret, digest, new_token
from imagin_gateway.local import reset
from imagin_gateway.local.door import LinkDead, PasswordRefused
from imagin_gateway.local.lifecycle import AccountState, Act
from imagin_gateway.local.passwords import Limiter
from imagin_gateway.local.schema import accounts, metadata, outbox, reset_requests, reset_tokens
from tests.local.conftest import Office, keys_of, settings_of, token_in
from tests.local.helper import ADDRESS, GOOD, OTHER, MailServer

Ask = Callable[[str], str]


def dead(office: Office, token: str) -> None:
    assert not office.door.passwords.is_link_alive(token)
    with pytest.raises(Refused) as caught:
        office.door.passwords.use_reset(token, OTHER, OTHER)
    assert (type(caught.value), caught.value.code) == (LinkDead, Code.LINK_DEAD)
    assert str(caught.value) == str(LinkDead())


def test_a_link_sets_a_password_and_signs_nobody_in(office: Office, reset_link: Ask) -> None:
    account = office.door.passwords.use_reset(reset_link("mdurand7"), GOOD, GOOD)
    assert account.identifier == "mdurand7"
    assert account.state is AccountState.ACTIVE
    assert not account.must_choose
    assert not office.door.check("mdurand7", GOOD, address=ADDRESS).must_choose


@pytest.mark.row("RST-01")
def test_tokens_are_distinct_of_256_bits_from_secrets_and_from_nothing_of_the_account(
    office: Office, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keyring([Secret(secrets.token_urlsafe(48))])
    drawn: list[int] = []
    real = secrets.token_urlsafe

    def watched(size: int | None = None) -> str:
        drawn.append(size or 0)
        return real(size)

    monkeypatch.setattr(secrets, "token_urlsafe", watched)
    seeds = {new_token(reset.SEED_BITS) for _ in range(10_000)}
    assert set(drawn) == {32}
    tokens = {keys.mac("reset token", seed) for seed in seeds}
    assert len(seeds) == len(tokens) == 10_000
    monkeypatch.undo()
    for _ in range(2):
        office.door.passwords.ask_reset("mdurand7", address=ADDRESS)
        office.door.deliver_due()
    first, second = (token_in(mail_server.inbox.body(place)) for place in (-2, -1))
    assert first != second
    assert len(first.partition(".")[0]) == 64


@pytest.mark.row("RST-02")
def test_a_dump_of_the_database_makes_no_link(
    office: Office, mail_server: MailServer, open_office: Callable[..., Office]
) -> None:
    office.door.passwords.ask_reset("mdurand7", address=ADDRESS)
    mail_server.stop()
    assert office.door.deliver_due() == 0
    (waiting,) = office.rows(outbox)
    (kept,) = office.rows(reset_tokens)
    dump = [str(row) for table in metadata.sorted_tables for row in office.rows(table)]
    mail_server.start()
    office.clock.move(3000)
    assert office.door.deliver_due() == 1
    token = token_in(mail_server.inbox.body())
    raw = token.partition(".")[0]
    assert office.door.passwords.is_link_alive(token)
    assert kept.sha256 == digest(raw)
    assert not [row for row in dump if raw in row or token in row]
    seed = waiting.payload.split('"')[3]
    thief = Keyring([Secret(secrets.token_urlsafe(48))])
    forged = thief.mac("reset token", seed)
    assert forged is not None
    for attempt in (seed, kept.sha256, raw, forged, thief.signer("reset link").sign(forged)):
        dead(office, attempt)
    other = open_office()
    dead(other, token)


@pytest.mark.row("RST-02")
def test_no_token_is_compared_outside_a_keyed_digest_and_a_lookup_by_hash() -> None:
    tree = ast.parse(Path(reset.__file__).read_text(encoding="utf-8"))
    compared = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops)
        and "token" in ast.unparse(node)
    ]
    assert compared
    assert all(text == "reset_tokens.c.sha256 == digest(token)" for text in compared)


@pytest.mark.row("RST-03")
def test_a_link_works_for_an_hour_to_the_second(office: Office, reset_link: Ask) -> None:
    token = reset_link("mdurand7")
    office.clock.move(3599)
    assert office.door.passwords.is_link_alive(token)
    office.clock.move(1)
    dead(office, token)
    other = reset_link("mdurand7")
    office.clock.move(3599)
    office.door.passwords.use_reset(other, GOOD, GOOD)


@pytest.mark.row("RST-03")
@pytest.mark.parametrize(("minutes", "accepted"), [(60, True), (24 * 60, True), (24 * 60 + 1, False), (25 * 60, False)])
def test_more_than_a_day_cannot_be_set(minutes: int, accepted: bool) -> None:
    passwords = {"profile": "unsafe-tests", "reset_minutes": minutes}
    if accepted:
        settings_of("sqlite:///x.db", passwords=passwords)
        return
    with pytest.raises(SettingsError, match="reset_minutes"):
        settings_of("sqlite:///x.db", passwords=passwords)


@pytest.mark.row("RST-04")
def test_of_twenty_uses_at_once_one_wins(office: Office, reset_link: Ask) -> None:
    token = reset_link("mdurand7")
    passwords = [Secret(f"vingt-et-une girafes {number}") for number in range(20)]

    def use(new: Secret) -> Code | None:
        try:
            office.door.passwords.use_reset(token, new, new)
        except Refused as refused:
            return refused.code
        return None

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(use, passwords))
    assert answers.count(None) == 1
    assert answers.count(Code.LINK_DEAD) == 19
    winner = passwords[answers.index(None)]
    assert not office.door.check("mdurand7", winner, address=ADDRESS).must_choose
    assert office.account("mdurand7").version == 2


@pytest.mark.row("RST-04")
def test_a_use_that_fails_to_write_the_hash_leaves_the_link_and_the_other_way_round(
    office: Office, reset_link: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = reset_link("mdurand7")
    before = office.account("mdurand7")

    def broken(*_: object) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("imagin_gateway.local.outbox.add", broken)
        with pytest.raises(Unavailable):
            office.door.passwords.use_reset(token, GOOD, GOOD)
    assert office.account("mdurand7") == before
    assert office.door.passwords.is_link_alive(token)
    office.door.passwords.use_reset(token, GOOD, GOOD)
    dead(office, token)


@pytest.mark.row("RST-05")
def test_a_new_request_a_password_change_and_a_new_address_kill_earlier_links(
    office: Office, reset_link: Ask, tmp_path: Path
) -> None:
    first = reset_link("mdurand7")
    second = reset_link("mdurand7")
    dead(office, first)
    office.personalise("mdurand7")
    dead(office, second)
    third = reset_link("mdurand7")
    office.door.passwords.change("mdurand7", GOOD, OTHER, OTHER)
    dead(office, third)
    office.clock.move(3601)
    fourth = reset_link("mdurand7")
    listing = tmp_path / "moved.csv"
    listing.write_text("Identifiant;Nom;Courriel\nmdurand7;DURAND;autre@exemple.test\n", encoding="utf-8")
    office.door.lists.import_list(listing)
    dead(office, fourth)


def test_a_link_killed_while_its_mail_waits_is_never_mailed(office: Office, mail_server: MailServer) -> None:
    mail_server.stop()
    office.door.passwords.ask_reset("mdurand7", address=ADDRESS)
    office.door.deliver_due()
    office.personalise("mdurand7")
    mail_server.start()
    office.clock.move(3000)
    office.door.deliver_due()
    assert mail_server.inbox.subjects == ["Première connexion à Imagin SIEC – First sign-in to Imagin SIEC"]


def test_one_link_kills_none_of_another_account(office: Office, reset_link: Ask) -> None:
    first = reset_link("mdurand7")
    second = reset_link("pmartin2")
    office.door.passwords.use_reset(second, GOOD, GOOD)
    assert office.door.passwords.is_link_alive(first)


def test_opening_the_link_consumes_nothing(office: Office, reset_link: Ask) -> None:
    token = reset_link("mdurand7")
    for _ in range(5):
        assert office.door.passwords.is_link_alive(token)
    office.door.passwords.use_reset(token, GOOD, GOOD)


def test_a_password_refused_and_a_busy_machine_leave_the_link(office: Office, reset_link: Ask) -> None:
    token = reset_link("mdurand7")
    with pytest.raises(PasswordRefused) as caught:
        office.door.passwords.use_reset(token, Secret("court"), Secret("court"))
    assert (caught.value.code, caught.value.missing) == (Code.PASSWORD_TOO_SHORT, 10)
    limiter, office.hasher.limiter = office.hasher.limiter, Limiter(1, 0)
    with office.hasher.limiter.turn(), pytest.raises(Unavailable):
        office.door.passwords.use_reset(token, GOOD, GOOD)
    office.hasher.limiter = limiter
    office.door.passwords.use_reset(token, GOOD, GOOD)


def test_a_dead_link_costs_no_hash_and_says_nothing_of_the_password(office: Office) -> None:
    office.hasher.reset()
    with pytest.raises(LinkDead):
        office.door.passwords.use_reset("x" * 64, Secret("court"), Secret("autre"))
    assert (office.hasher.verifications, office.hasher.hashes) == (0, 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_no_text_is_a_link(office: Office, text: str) -> None:
    assert not office.door.passwords.is_link_alive(text)


def test_a_link_altered_by_one_sign_is_dead(office: Office, reset_link: Ask) -> None:
    token = reset_link("mdurand7")
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        # The last sign of base64 holds two bits that mean nothing: itsdangerous compares what is decoded.
        if place < len(token) - 1:
            assert not office.door.passwords.is_link_alive(token[:place] + other + token[place + 1 :]), place
    assert office.door.passwords.is_link_alive(token)


def test_a_signature_made_for_another_purpose_opens_nothing(office: Office, reset_link: Ask) -> None:
    raw = reset_link("mdurand7").partition(".")[0]
    signer = Keyring(office.settings.keys.signing).signer("form")
    dead(office, signer.sign(raw))


@pytest.mark.row("RST-08")
def test_asking_does_the_same_for_every_identifier(office: Office) -> None:
    """One count, one row, no look at the accounts: neither the answer nor its time can tell."""
    statements: dict[str, list[str]] = {}
    for identifier in ("mdurand7", "sansmail", "inconnu", "", "\ud800\x00"):
        seen: list[str] = []

        def watch(_c: object, _u: object, statement: str, *_: object, seen: list[str] = seen) -> None:
            seen.append(statement)

        engine = office.door._database.engine
        sa.event.listen(engine, "before_cursor_execute", watch)
        office.door.passwords.ask_reset(identifier, address=ADDRESS)
        sa.event.remove(engine, "before_cursor_execute", watch)
        statements[identifier] = [statement for statement in seen if not statement.startswith("BEGIN")]
    assert len({tuple(each) for each in statements.values()}) == 1
    assert not [text for each in statements.values() for text in each if "accounts" in text]
    assert len(office.rows(reset_requests)) == 5
    assert office.door.deliver_due() == 1
    assert not office.rows(reset_requests)
    assert [event["detail"]["mailed"] for event in office.named("reset_asked")] == [True] + [False] * 4


def test_what_is_asked_beyond_the_share_of_an_account_is_not_noted(office: Office) -> None:
    asked = [office.door._resets.ask("mdurand7", address=ADDRESS) for _ in range(5)]
    assert asked == [True, True, True, False, False]
    assert len(office.rows(reset_requests)) == 3


def test_of_a_request_no_more_is_kept_than_the_event_needs(office: Office) -> None:
    office.door.passwords.ask_reset("mdurand7", address="a" * 100, correlation="c" * 100)
    (row,) = office.rows(reset_requests)
    assert (row.address, row.correlation) == ("a" * 64, "c" * 64)


def test_a_link_lives_from_the_moment_it_is_made_whatever_becomes_of_its_mail(office: Office) -> None:
    office.door.passwords.ask_reset("mdurand7", address=ADDRESS)
    office.door._resets.answer_one()
    (row,) = office.rows(reset_tokens)
    assert row.ends_at == office.clock.now() + timedelta(hours=1)


def test_nobody_of_a_portal_receives_a_link_or_uses_one(
    office: Office, open_office: Callable[..., Office], mail_server: MailServer, reset_link: Ask
) -> None:
    token = reset_link("mdurand7")
    mail_server.inbox.received.clear()
    assert office.settings.mail is not None
    closed = open_office(
        keys=keys_of(office),
        mail=office.settings.mail.model_dump(),
        accounts={"url": office.settings.accounts.url, "portal_domains": ["exemple.test"]},
    )
    dead(closed, token)
    closed.door.passwords.ask_reset("mdurand7", address=ADDRESS)
    assert len(closed.rows(reset_requests)) == 1
    assert closed.door.deliver_due() == 0
    assert mail_server.inbox.received == []


def test_a_link_forgives_the_failures_of_its_account(office: Office, reset_link: Ask) -> None:
    token = reset_link("mdurand7")
    for _ in range(3):
        with pytest.raises(Refused):
            office.door.check("mdurand7", OTHER, address=ADDRESS)
    office.door.passwords.use_reset(token, GOOD, GOOD)
    assert office.door.check("mdurand7", GOOD, address=ADDRESS).account.identifier == "mdurand7"


@pytest.mark.row("RST-12")
def test_only_a_verified_address_receives_a_link(office: Office, mail_server: MailServer) -> None:
    with office.database.write() as connection:
        connection.execute(sa.update(accounts).values(email_verified=False))
    for identifier in ("mdurand7", "sansmail"):
        office.door.passwords.ask_reset(identifier, address=ADDRESS)
    assert office.door.deliver_due() == 0
    assert not mail_server.inbox.received
    assert not office.rows(reset_tokens)
    assert not office.rows(outbox)


def test_a_disabled_account_stays_disabled(office: Office, reset_link: Ask, mail_server: MailServer) -> None:
    token = reset_link("mdurand7")
    office.act("mdurand7", Act.DISABLE)
    dead(office, token)
    office.door.passwords.ask_reset("mdurand7", address=ADDRESS)
    assert office.door.deliver_due() == 0
    assert office.account("mdurand7").state is AccountState.DISABLED


def test_a_live_link_of_a_disabled_account_is_dead(office: Office, reset_link: Ask) -> None:
    token = reset_link("mdurand7")
    with office.database.write() as connection:
        connection.execute(sa.update(accounts).values(state=AccountState.DISABLED.value))
    assert office.rows(reset_tokens)
    dead(office, token)


def test_a_link_disabled_between_the_check_and_the_use_sets_nothing(office: Office, reset_link: Ask) -> None:
    token = reset_link("mdurand7")
    real = office.hasher.hash

    def disabled_meanwhile(password: Secret) -> str:
        office.act("mdurand7", Act.DISABLE)
        return real(password)

    office.hasher.hash = disabled_meanwhile  # type: ignore[method-assign]  # something happens meanwhile
    with pytest.raises(LinkDead):
        office.door.passwords.use_reset(token, GOOD, GOOD)
    assert office.account("mdurand7").password_hash is None


def test_a_link_whose_hour_ends_between_the_check_and_the_use_sets_nothing(office: Office, reset_link: Ask) -> None:
    token = reset_link("mdurand7")
    real = office.hasher.hash

    def late(password: Secret) -> str:
        office.clock.move(3600)
        return real(password)

    office.hasher.hash = late  # type: ignore[method-assign]  # what happens meanwhile
    with pytest.raises(LinkDead):
        office.door.passwords.use_reset(token, GOOD, GOOD)
    assert office.account("mdurand7").password_hash is None


def test_the_notice_of_a_change_tells_when_it_was(office: Office, reset_link: Ask, mail_server: MailServer) -> None:
    office.door.passwords.use_reset(reset_link("mdurand7"), GOOD, GOOD)
    mail_server.inbox.received.clear()
    office.clock.move(timedelta(hours=5))
    office.door.deliver_due()
    assert "a été changé le 14\u00a0décembre\u00a02026 à 9\u00a0h\u00a000" in mail_server.inbox.body()


def test_the_link_uses_the_configured_address(office: Office, mail_server: MailServer) -> None:
    office.door.passwords.ask_reset("mdurand7", address="evil.example")
    office.door.deliver_due()
    links = [line for line in mail_server.inbox.body().splitlines() if "://" in line]
    assert len(links) == 1
    assert links[0].startswith("http://localhost:8400/connexion/mot-de-passe/lien?jeton=")


def test_the_hour_of_a_link_begins_when_its_mail_leaves(office: Office, mail_server: MailServer) -> None:
    mail_server.stop()
    office.door.passwords.ask_reset("mdurand7", address=ADDRESS)
    for _ in range(8):
        assert office.door.deliver_due() == 0
        office.clock.move(900)
    mail_server.start()
    assert office.door.deliver_due() == 1
    office.clock.move(3599)
    office.door.passwords.use_reset(token_in(mail_server.inbox.body()), GOOD, GOOD)


def test_a_link_signed_before_a_rotation_of_keys_works_after_it(
    office: Office, reset_link: Ask, open_office: Callable[..., Office]
) -> None:
    token = reset_link("mdurand7")
    keys = office.settings.keys
    signing = [keys.signing[0].reveal(), secrets.token_urlsafe(48)]
    rotated = open_office(keys={"signing": signing, "provisional": [keys.provisional[0].reveal()]})
    rotated.door.passwords.use_reset(token, GOOD, GOOD)
