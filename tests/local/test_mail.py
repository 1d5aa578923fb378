"""Mail: nothing lost, nothing sent twice by two senders, nothing in clear, no secret but the link."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from imagin_gateway.errors import SettingsError
from imagin_gateway.local.door import DirectDoor
from imagin_gateway.local.mail_kinds import MailKind
from imagin_gateway.local.mail_texts import MailText, compose
from imagin_gateway.local.mailer import MailRefused, Relay, RelayUnavailable, build
from imagin_gateway.local.outbox import GIVE_UP, LEASE, Outbox, add, is_address
from imagin_gateway.local.provisional import canonical
from imagin_gateway.local.schema import accounts, outbox
from imagin_gateway.settings import Mail
from tests.local.conftest import Office, settings_of, token_in
from tests.local.helper import ADDRESS, GOOD, OTHER, Inbox, MailServer

NARROW = "\u00a0"


# -- the texts ---------------------------------------------------------------


@pytest.mark.parametrize("kind", MailKind)
def test_every_mail_is_in_french_then_in_english_and_says_whom_to_write_to(kind: MailKind) -> None:
    moment = datetime(2026, 12, 14, 14, 10, tzinfo=UTC)
    text = compose(kind, moment=moment, contact="imagin@exemple.test", host="imagin.exemple.test", link="https://x/y")
    assert len(text.subject.split(" – ")) == 2
    french, _, english = text.body.partition("--- English ---")
    assert french.startswith("Bonjour,\n")
    assert "Personne du SIEC ne vous demandera votre mot de passe." in french
    assert "Nobody at SIEC will ask for your password." in english
    assert f"15{NARROW}h{NARROW}10" in french
    assert "3:10 pm" in english
    assert "imagin@exemple.test" in french
    assert "imagin@exemple.test" in english
    assert "{" not in text.body
    assert "'" not in french
    for mark in "?!;»":
        for place, sign in enumerate(french):
            assert sign != mark or french[place - 1] == NARROW, french[place - 5 : place + 1]


def test_the_end_of_a_link_is_a_day_and_an_hour_since_a_link_may_last_a_day() -> None:
    moment = datetime(2026, 12, 14, 14, 10, tzinfo=UTC)
    body = compose(MailKind.RESET, moment=moment, contact="c@e.fr", host="h", link="https://x/y").body
    assert f"le 14{NARROW}décembre{NARROW}2026 avant 15{NARROW}h{NARROW}10 (heure de Paris)" in body
    assert "before 3:10 pm on 14 December 2026 (Paris time)" in body


def test_dates_are_those_of_paris_in_words() -> None:
    midnight = datetime(2026, 7, 31, 22, 5, tzinfo=UTC)
    text = compose(MailKind.PASSWORD_CHANGED, moment=midnight, contact="c@e.fr", host="h")
    assert f"le 1er{NARROW}août{NARROW}2026 à 0{NARROW}h{NARROW}05" in text.body
    assert "on 1 August 2026 at 12:05 am" in text.body


# -- what is sent ------------------------------------------------------------


def test_a_reset_mail_has_one_link_and_neither_name_nor_identifier(office: Office, mail_server: MailServer) -> None:
    office.door.passwords.ask_reset("mdurand7", address=ADDRESS)
    assert office.door.deliver_due() == 1
    (message,) = mail_server.inbox.received
    assert str(message["From"]) == "Imagin SIEC <imagin@exemple.test>"
    assert str(message["To"]) == "marie.durand@exemple.test"
    assert str(message["Reply-To"]) == "imagin@siec.education.fr"
    assert str(message["Auto-Submitted"]) == "auto-generated"
    assert str(message["Subject"]) == "Choisir un nouveau mot de passe – Choose a new password"
    assert str(message["Message-ID"]).endswith("@exemple.test>")
    assert message.get_content_type() == "multipart/alternative"
    assert mail_server.inbox.recipients == [["marie.durand@exemple.test"]]
    body = mail_server.inbox.body()
    assert body.count("http") == 1
    assert not [word for word in ("mdurand7", "DURAND", "Marie", "Durand") if word in body]
    assert f"avant 10{NARROW}h{NARROW}00 (heure de Paris)" in body


@pytest.mark.row("RST-11")
def test_no_mail_holds_a_password(office: Office, mail_server: MailServer) -> None:
    office.personalise("mdurand7")
    office.door.passwords.change("mdurand7", GOOD, OTHER, OTHER)
    office.door.passwords.ask_reset("pmartin2", address=ADDRESS)
    office.door.deliver_due()
    office.door.passwords.use_reset(token_in(mail_server.inbox.body()), GOOD, GOOD)
    office.door.deliver_due()
    assert sorted(mail_server.inbox.subjects) == [
        "Choisir un nouveau mot de passe – Choose a new password",
        "Première connexion à Imagin SIEC – First sign-in to Imagin SIEC",
        "Votre mot de passe a été changé – Your password was changed",
        "Votre mot de passe a été changé – Your password was changed",
    ]
    words = [GOOD.reveal(), OTHER.reveal(), *(value.reveal() for value in office.letters.values())]
    words += [canonical(word) for word in words]
    for place, message in enumerate(mail_server.inbox.received):
        told = f"{message.items()} {mail_server.inbox.body(place)}"
        assert not [word for word in words if word in told]


NOT_ADDRESSES = [
    "a@b.fr\r\nBcc: c@d.fr",
    "a@b.fr\nTo: c@d.fr",
    "a@b.fr\r",
    "a@b.fr, c@d.fr",
    "a@b.fr;c@d.fr",
    "a@b.fr c@d.fr",
    "<a@b.fr>",
    "Marie <a@b.fr>",
    '"a b"@c.fr',
    "a@b@c.fr",
    "a@[127.0.0.1]",
    "a@b.fr\x00",
    "a@b",
    "@b.fr",
    "a@",
    "",
    "é@b.fr",
    "a@bé.fr",
    "a..b@c.fr",
    ".a@c.fr",
    "a@-c.fr",
    "a@c-.fr",
    "a@c..fr",
    f"{'a' * 65}@b.fr",
    f"a@{'b' * 250}.fr",
]


@pytest.mark.row("RST-11")
@pytest.mark.parametrize("address", NOT_ADDRESSES)
def test_what_is_not_one_plain_address_makes_no_message(address: str) -> None:
    assert not is_address(address)
    at, text = datetime(2026, 12, 14, tzinfo=UTC), MailText("s", "b")
    with pytest.raises(MailRefused):
        build(text, sender="a@b.fr", contact="a@b.fr", recipient=address, message_id="x", at=at)


@pytest.mark.row("RST-11")
def test_an_account_whose_address_is_not_one_plain_address_receives_nothing(
    office: Office, mail_server: MailServer
) -> None:
    for address in NOT_ADDRESSES:
        if "\x00" in address:
            continue
        with office.database.write() as connection:
            connection.execute(sa.update(accounts).values(email=address))
        office.door.passwords.ask_reset("mdurand7", address=ADDRESS)
        assert office.door.deliver_due() == 0
        office.clock.move(1800)
    assert not office.rows(outbox)
    assert not mail_server.inbox.received


@pytest.mark.parametrize(
    "address", ["a@b.fr", "marie.durand@ac-paris.fr", "o'neil+x@sous.domaine.exemple.test", f"{'a' * 64}@b.fr"]
)
def test_plain_addresses_are_accepted(address: str) -> None:
    assert is_address(address)


@given(st.text(max_size=80))
def test_an_accepted_address_has_one_at_and_no_sign_a_relay_could_misread(text: str) -> None:
    if is_address(text):
        assert text.count("@") == 1
        assert text.isascii()
        assert text.isprintable()
        assert not set(text) & set(' ,;:<>()[]"\\')


def test_a_long_hostile_address_is_judged_at_once() -> None:
    assert not is_address("a." * 500_000 + "@" + "b." * 500_000)


def test_a_contact_or_sender_that_is_no_address_stops_the_start(open_office: Callable[..., Office]) -> None:
    with pytest.raises(SettingsError, match="contact"):
        open_office(contact="imagin@siec.education.fr\r\nBcc: x@y.fr")


# -- notices -----------------------------------------------------------------


def test_a_first_password_and_a_change_are_told_to_the_person(office: Office, mail_server: MailServer) -> None:
    office.personalise("mdurand7")
    assert office.door.deliver_due() == 1
    assert mail_server.inbox.subjects == ["Première connexion à Imagin SIEC – First sign-in to Imagin SIEC"]
    office.door.passwords.change("mdurand7", GOOD, OTHER, OTHER)
    assert office.door.deliver_due() == 1
    assert mail_server.inbox.subjects[-1] == "Votre mot de passe a été changé – Your password was changed"
    assert "http" not in mail_server.inbox.body()
    assert "localhost:8400" in mail_server.inbox.body()
    office.personalise("sansmail")
    assert office.door.deliver_due() == 0


# -- relays that fail --------------------------------------------------------


@pytest.mark.fault
def test_a_relay_that_is_down_for_an_hour_loses_nothing_and_gets_each_mail_once(
    office: Office, mail_server: MailServer
) -> None:
    mail_server.stop()
    office.personalise("mdurand7")
    office.door.passwords.ask_reset("pmartin2", address=ADDRESS)
    for _ in range(120):
        assert office.door.deliver_due() == 0
        office.clock.move(30)
    assert len(office.rows(outbox)) == 2
    failures = office.named("mail_failed")
    assert failures
    assert not any(event["detail"]["given_up"] for event in failures)
    assert len(failures) < 30
    mail_server.start()
    office.clock.move(900)
    assert office.door.deliver_due() == 2
    assert office.door.deliver_due() == 0
    assert sorted(mail_server.inbox.subjects) == [
        "Choisir un nouveau mot de passe – Choose a new password",
        "Première connexion à Imagin SIEC – First sign-in to Imagin SIEC",
    ]
    assert not office.rows(outbox)


@pytest.mark.fault
def test_a_relay_that_is_down_is_asked_once_however_many_mails_wait(office: Office, mail_server: MailServer) -> None:
    mail_server.stop()
    for identifier in ("mdurand7", "pmartin2"):
        office.personalise(identifier)
    assert office.door.deliver_due() == 0
    assert len(office.named("mail_failed")) == 1
    mail_server.start()
    assert office.door.deliver_due() == 1
    office.clock.move(15)
    assert office.door.deliver_due() == 1


def test_a_relay_that_wants_one_mail_later_gets_it_later_and_the_others_now(
    office: Office, mail_server: MailServer
) -> None:
    mail_server.inbox.answer_to_recipient = "451 later"
    office.personalise("mdurand7")
    office.personalise("pmartin2")
    assert office.door.deliver_due() == 0
    assert [event["detail"]["error"] for event in office.named("mail_failed")] == ["SMTPRecipientsRefused"] * 2
    mail_server.inbox.answer_to_recipient = "250 OK"
    assert office.door.deliver_due() == 0
    office.clock.move(15)
    assert office.door.deliver_due() == 2


@pytest.mark.parametrize("stage", ["answer_to_recipient", "answer_to_message"])
def test_a_relay_that_refuses_for_good_is_not_asked_again(office: Office, mail_server: MailServer, stage: str) -> None:
    setattr(mail_server.inbox, stage, "550 no such mailbox marie.durand@exemple.test")
    office.personalise("mdurand7")
    assert office.door.deliver_due() == 0
    assert not office.rows(outbox)
    (event,) = office.named("mail_failed")
    assert event["detail"]["given_up"]
    assert "exemple.test" not in "".join(office.lines)


@pytest.mark.fault
@pytest.mark.row("DPO-04")
def test_a_mail_that_cannot_leave_for_two_days_is_given_up_with_an_event(
    office: Office, mail_server: MailServer
) -> None:
    mail_server.stop()
    office.personalise("mdurand7")
    office.door.deliver_due()
    office.clock.move(GIVE_UP)
    office.door.deliver_due()
    assert not office.rows(outbox)
    assert office.named("mail_failed")[-1]["detail"]["given_up"]


def test_retries_wait_longer_and_longer_a_quarter_of_an_hour_at_most(office: Office, mail_server: MailServer) -> None:
    mail_server.stop()
    office.personalise("mdurand7")
    waits = []
    for _ in range(12):
        before = office.clock.now()
        office.door.deliver_due()
        (row,) = office.rows(outbox)
        waits.append((row.due_at - before).total_seconds())
        office.clock.move(row.due_at - before)
    assert waits[:7] == [15, 30, 60, 120, 240, 480, 900]
    assert set(waits[7:]) == {900}


def test_a_mail_sent_again_has_the_same_message_id(office: Office, mail_server: MailServer) -> None:
    office.personalise("mdurand7")
    queue = Outbox(office.database)
    with pytest.MonkeyPatch.context() as patch:
        # The sender dies between the relay's answer and its note.
        patch.setattr(Outbox, "remove", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            office.door.deliver_due()
    assert queue.claim(office.clock.now()) is None
    office.clock.move(LEASE)
    assert office.door.deliver_due() == 1
    first, second = mail_server.inbox.received
    assert first["Message-ID"] == second["Message-ID"]
    assert not office.rows(outbox)


# -- several senders ---------------------------------------------------------


def test_a_sender_taken_for_dead_changes_nothing_of_the_mail_another_has_taken(office: Office) -> None:
    office.personalise("mdurand7")
    queue = Outbox(office.database)
    first = queue.claim(office.clock.now())
    assert first is not None
    assert queue.claim(office.clock.now()) is None
    office.clock.move(LEASE)
    second = queue.claim(office.clock.now())
    assert second is not None
    (before,) = office.rows(outbox)
    queue.postpone(first, office.clock.now())
    queue.remove(first)
    assert office.rows(outbox) == [before]
    queue.remove(second)
    assert not office.rows(outbox)


def test_senders_at_work_together_send_each_mail_once(
    office: Office, mail_server: MailServer, open_office: Callable[..., Office]
) -> None:
    count = 40
    account = office.account("mdurand7")
    with office.database.write() as connection:
        for _ in range(count):
            add(connection, MailKind.FIRST_CONNECTION, account, {"at": "2026-12-14T08:00:00+00:00"}, office.clock.now())
    mail = {"host": "127.0.0.1", "port": mail_server.port, "security": "none", "sender": "imagin@exemple.test"}
    doors = [office.door, *(open_office(mail=mail).door for _ in range(3))]
    with ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(lambda door: door.deliver_due(), doors))
    assert sum(sent) == count
    identities = [str(message["Message-ID"]) for message in mail_server.inbox.received]
    assert len(identities) == len(set(identities)) == count


def test_the_thread_sends_when_woken_and_stops(office: Office, mail_server: MailServer) -> None:
    before = threading.active_count()
    office.door.start_sender()
    office.door.start_sender()
    assert threading.active_count() == before + 1
    office.door.passwords.ask_reset("mdurand7", address=ADDRESS)
    waited = threading.Event()
    for _ in range(200):
        if office.named("mail_sent"):
            break
        waited.wait(0.05)
    assert len(mail_server.inbox.received) == 1
    office.door.stop_sender()
    assert threading.active_count() == before


@pytest.mark.fault
def test_the_thread_outlives_a_dead_database_and_what_nobody_foresaw(
    office: Office, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from imagin_gateway.errors import Unavailable
    from imagin_gateway.local.reset import Resets

    troubles: list[Exception] = [Unavailable("dead"), ZeroDivisionError()]
    answer = Resets.answer_one
    seen = threading.Event()

    def troubled(self: Resets) -> object:
        if troubles:
            raise troubles.pop(0)
        seen.set()
        return answer(self)

    monkeypatch.setattr(Resets, "answer_one", troubled)
    monkeypatch.setattr("imagin_gateway.local.sender.POLL_SECONDS", 0.01)
    office.door.start_sender()
    assert seen.wait(10)
    office.door.stop_sender()
    assert len(office.named("fault")) == 1
    assert "mail waits" in caplog.text


# -- TLS and authentication --------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine and its key, in one folder."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return folder


def server_context(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


@pytest.fixture
def secure_server(authority: Path) -> Iterator[MailServer]:
    """A relay that takes mail after STARTTLS and authentication only."""
    accepted = AuthResult(success=True)
    refused = AuthResult(success=False, handled=False)
    logins: list[tuple[str, str]] = []

    def authenticate(server: object, session: object, envelope: object, mechanism: str, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        logins.append((data.login.decode(), data.password.decode()))
        return accepted if logins[-1] == ("imagin", "secret du relais") else refused

    server = MailServer(
        tls_context=server_context(authority),
        require_starttls=True,
        auth_required=True,
        authenticator=authenticate,
    )
    server.inbox.logins = logins
    yield server
    server.stop()


def relay_of(server: MailServer, security: str = "starttls", **more: object) -> Mail:
    values = {"host": "localhost", "port": server.port, "security": security, "sender": "imagin@exemple.test"}
    return settings_of("sqlite:///x.db", mail={**values, **more}).mail


def message(recipient: str = "marie@exemple.test") -> object:
    text = MailText("Essai", "Bonjour")
    at = datetime(2026, 12, 14, tzinfo=UTC)
    return build(
        text, sender="imagin@exemple.test", contact="imagin@exemple.test", recipient=recipient, message_id="x", at=at
    )


@pytest.mark.row("KEY-05")
def test_mail_leaves_over_verified_tls_with_authentication(secure_server: MailServer, authority: Path) -> None:
    trust = ssl.create_default_context(cafile=str(authority / "cert.pem"))
    settings = relay_of(secure_server, username="imagin", password="secret du relais")
    with Relay(settings, trust) as relay:
        relay.send(message())  # type: ignore[arg-type]  # an EmailMessage
        relay.send(message("paul@exemple.test"))  # type: ignore[arg-type]  # an EmailMessage
    assert secure_server.inbox.recipients == [["marie@exemple.test"], ["paul@exemple.test"]]
    assert secure_server.inbox.logins == [("imagin", "secret du relais")]


@pytest.mark.row("KEY-05")
def test_a_relay_whose_certificate_is_not_trusted_gets_neither_password_nor_mail(secure_server: MailServer) -> None:
    settings = relay_of(secure_server, username="imagin", password="secret du relais")
    with Relay(settings) as relay, pytest.raises(RelayUnavailable, match="SSLCertVerificationError"):
        relay.send(message())  # type: ignore[arg-type]  # an EmailMessage
    assert not secure_server.inbox.logins
    assert not secure_server.inbox.received


def test_a_relay_that_does_not_offer_tls_gets_nothing(mail_server: MailServer) -> None:
    with Relay(relay_of(mail_server)) as relay, pytest.raises(RelayUnavailable, match="SMTPNotSupportedError"):
        relay.send(message())  # type: ignore[arg-type]  # an EmailMessage
    assert not mail_server.inbox.received


def test_a_wrong_relay_password_is_told_without_it(secure_server: MailServer, authority: Path) -> None:
    trust = ssl.create_default_context(cafile=str(authority / "cert.pem"))
    settings = relay_of(secure_server, username="imagin", password=secrets.token_urlsafe(12))
    with Relay(settings, trust) as relay, pytest.raises(RelayUnavailable) as caught:
        relay.send(message())  # type: ignore[arg-type]  # an EmailMessage
    assert str(caught.value) == "SMTPAuthenticationError"
    assert settings.password.reveal() not in repr(caught.value)


def test_mail_leaves_over_tls_from_the_first_byte(authority: Path) -> None:
    import asyncio

    from aiosmtpd.smtp import SMTP

    from tests.local.helper import Inbox

    inbox, ready = Inbox(), threading.Event()
    loop = asyncio.new_event_loop()
    ports: list[int] = []

    def serve() -> None:
        asyncio.set_event_loop(loop)
        context = server_context(authority)
        server = loop.run_until_complete(
            loop.create_server(lambda: SMTP(inbox, hostname="localhost"), "localhost", 0, ssl=context)
        )
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        loop.run_forever()
        server.close()
        loop.run_until_complete(server.wait_closed())

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(10)
    values = {"host": "localhost", "port": ports[0], "security": "tls", "sender": "imagin@exemple.test"}
    trust = ssl.create_default_context(cafile=str(authority / "cert.pem"))
    with Relay(settings_of("sqlite:///x.db", mail=values).mail, trust) as relay:
        relay.send(message())  # type: ignore[arg-type]  # an EmailMessage
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()
    assert len(inbox.received) == 1


def test_a_relay_is_trusted_by_the_certificate_the_settings_name(secure_server: MailServer, authority: Path) -> None:
    own = relay_of(secure_server, username="imagin", password="secret du relais", ca_file=str(authority / "cert.pem"))
    with Relay(own) as relay:
        relay.send(message())  # type: ignore[arg-type]  # an EmailMessage
    assert secure_server.inbox.recipients == [["marie@exemple.test"]]


# -- HTML --------------------------------------------------------------------


@pytest.mark.parametrize("kind", MailKind)
def test_the_html_says_the_same_words_and_fetches_nothing(kind: MailKind) -> None:
    moment = datetime(2026, 12, 14, 14, 10, tzinfo=UTC)
    link = "https://imagin.exemple.test/lien?jeton=a&b=<c>"
    text = compose(kind, moment=moment, contact="c&c@exemple.test", host="h", link=link, code="482913", failures="4")
    tree: Any = html.document_fromstring(text.html)
    words = [" ".join(each.text_content().split()) for each in tree.xpath("//p")]
    plain = [" ".join(paragraph.split()) for paragraph in text.body.replace("--- English ---", "").split("\n\n")]
    assert words == [paragraph for paragraph in plain if paragraph]
    assert tree.xpath("//@href") == ([link] if kind is MailKind.RESET else [])
    assert not tree.xpath("//img | //@src | //script | //link | //@background")
    assert [each.get("lang") for each in tree.xpath("//div[@lang]")] == ["fr", "en"]
    assert "url(" not in text.html


def test_a_mail_goes_in_both_forms_and_the_token_is_the_same(office: Office, mail_server: MailServer) -> None:
    office.door.passwords.ask_reset("mdurand7", address=ADDRESS)
    office.door.deliver_due()
    (received,) = mail_server.inbox.received
    assert [part.get_content_type() for part in received.iter_parts()] == ["text/plain", "text/html"]
    token = token_in(mail_server.inbox.body())
    assert mail_server.inbox.body(kind="html").count(token) == 2
    # No line is longer than a relay must take (RFC 5321 §4.5.3.1.6).
    assert max(len(line) for line in received.as_bytes().splitlines()) <= 998


# -- a relay that is slow ----------------------------------------------------


def slow_office(open_office: Callable[..., Office], server: MailServer, tmp_path: Path) -> Office:
    from tests.local.helper import import_list

    mail = {
        "host": "127.0.0.1",
        "port": server.port,
        "security": "none",
        "sender": "imagin@exemple.test",
        "timeout_seconds": 0.3,
    }
    office = open_office(mail=mail)
    listing = tmp_path / "one.csv"
    listing.write_text("Identifiant;Nom;Courriel\nmdurand7;D;marie.durand@exemple.test\n", encoding="utf-8")
    for letter in import_list(office.door, listing).letters:
        assert letter.provisional is not None
        office.letters[letter.identifier] = letter.provisional
    office.personalise("mdurand7")
    return office


@pytest.mark.fault
def test_a_relay_slow_to_answer_for_a_message_it_has_taken_gets_it_once(
    open_office: Callable[..., Office], tmp_path: Path
) -> None:
    """Its answer comes long after the time-out of everything else: given up, the mail would leave twice."""

    class Slow(Inbox):
        async def handle_DATA(self, *words: Any) -> str:  # noqa: N802 -- aiosmtpd's name
            answer = await super().handle_DATA(*words)
            await asyncio.sleep(1)
            return answer

    server = MailServer(Slow())
    try:
        office = slow_office(open_office, server, tmp_path)
        assert office.door.deliver_due() == 1
        office.clock.move(3600)
        assert office.door.deliver_due() == 0
        assert len(server.inbox.received) == 1
    finally:
        server.stop()


@pytest.mark.fault
def test_a_relay_slow_to_take_a_recipient_is_left_and_gets_the_mail_later_once(
    open_office: Callable[..., Office], tmp_path: Path
) -> None:
    class Slow(Inbox):
        wait = 1.0

        async def handle_RCPT(self, *words: Any) -> str:  # noqa: N802 -- aiosmtpd's name
            await asyncio.sleep(self.wait)
            return await super().handle_RCPT(*words)

    inbox = Slow()
    server = MailServer(inbox)
    try:
        office = slow_office(open_office, server, tmp_path)
        assert office.door.deliver_due() == 0
        (failed,) = office.named("mail_failed")
        assert not failed["detail"]["given_up"]
        inbox.wait = 0
        office.clock.move(15)
        assert office.door.deliver_due() == 1
        assert len(inbox.received) == 1
    finally:
        server.stop()


@pytest.mark.parametrize(
    "act",
    [
        lambda door: door.passwords.ask_reset("mdurand7", address=ADDRESS),
        lambda door: door.passwords.order_link("mdurand7", actor="cli:zoe"),
        lambda door: door.passwords.change("mdurand7", GOOD, OTHER, OTHER, address=ADDRESS),
        lambda door: door.address.ask("mdurand7", GOOD, "neuve@exemple.test", address=ADDRESS),
        lambda door: door.links.make("mdurand7", "https://proconnect.example", "of-marie"),
        lambda door: door.links.remove("mdurand7", "https://proconnect.example.before"),
        lambda door: door.desk.reissue("mdurand7", actor="cli:zoe", replace=True),
    ],
    ids=["link", "link-ordered", "password", "address", "linked", "unlinked", "letter"],
)
def test_the_sender_is_woken_for_each_mail_that_somebody_waits_for(
    office: Office, act: Callable[[DirectDoor], object]
) -> None:
    office.personalise("mdurand7")
    office.door.links.make("mdurand7", "https://proconnect.example.before", "of-marie-before")
    office.door.deliver_due()
    woken = office.door._sender._woken
    woken.clear()
    act(office.door)
    assert woken.is_set()
