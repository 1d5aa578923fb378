"""Handing mail to the SMTP relay, over verified TLS."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from types import TracebackType
from typing import Any, Final, NoReturn, Protocol

from imagin_gateway.local.mail_texts import MailText
from imagin_gateway.local.outbox import is_address
from imagin_gateway.settings import Mail

SENDER_NAME: Final = "Imagin SIEC"

END_OF_DATA_SECONDS: Final = 600.0
"""How long a relay may take to answer for a message it was given whole."""


class MailRefused(Exception):
    """The relay refuses this mail for good, or it must not be sent."""


class MailDeferred(Exception):
    """The relay wants this mail later."""


class RelayUnavailable(Exception):
    """The relay takes no mail now, from anybody."""


def build(text: MailText, *, sender: str, contact: str, recipient: str, message_id: str, at: datetime) -> EmailMessage:
    """Return a message to one person.

    Raises:
        MailRefused: the recipient is not one plain address.
    """
    if not is_address(recipient):
        raise MailRefused("not one plain address")
    local, _, domain = sender.rpartition("@")
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(SENDER_NAME, local, domain)
    message["To"] = recipient
    message["Reply-To"] = contact
    message["Subject"] = text.subject
    message["Date"] = at
    message["Message-ID"] = f"<{message_id}@{domain}>"
    # Nobody's absence message answers us (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = "fr, en"
    message.set_content(text.body, cte="quoted-printable")
    if text.html:
        message.add_alternative(text.html, subtype="html", cte="quoted-printable")
    return message


def _trusted(settings: Mail) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=None if settings.ca_file is None else str(settings.ca_file))


class _Patience(smtplib.SMTP):
    """Waits longer for the one answer after which a message is the relay's, and no more ours.

    Given up too early, a message that the relay has taken would be sent again (RFC 5321 §4.5.3.2.6: ten minutes).
    """

    def data(self, msg: Any) -> tuple[int, bytes]:
        if self.sock is not None:
            self.sock.settimeout(END_OF_DATA_SECONDS)
        try:
            return super().data(msg)
        finally:
            if self.sock is not None:
                self.sock.settimeout(self.timeout)


class _Patient(_Patience):
    """In clear, or made secret by STARTTLS."""


class _PatientTLS(_Patience, smtplib.SMTP_SSL):
    """Secret from the first byte."""


class Takes(Protocol):
    """What takes mails, one after the other, in a block."""

    def send(self, message: EmailMessage) -> None: ...
    def __enter__(self) -> Takes: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Relay:
    """One connection to the relay, opened at the first mail, closed with the block.

    Args:
        settings: where and how; the certificate is always verified, and without TLS nothing is said.
        trust: certificates to trust, when not the system's.
    """

    def __init__(self, settings: Mail, trust: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._trust = trust
        self._connection: smtplib.SMTP | None = None

    def send(self, message: EmailMessage) -> None:
        """Hand over one message.

        Raises:
            MailRefused: the relay refuses it for good (5xx to the recipient or to the message).
            MailDeferred: the relay wants it later (4xx to the recipient or to the message).
            RelayUnavailable: anything else.
        """
        try:
            if self._connection is None:
                self._connection = self._open()
            self._connection.send_message(message, self._settings.sender, [str(message["To"])])
        except smtplib.SMTPRecipientsRefused as error:
            codes = {code for code, _ in error.recipients.values()}
            self._give_up(error, MailRefused if min(codes) >= 500 else MailDeferred)
        except smtplib.SMTPDataError as error:
            self._give_up(error, MailRefused if error.smtp_code >= 500 else MailDeferred)
        except (OSError, smtplib.SMTPException) as error:
            self._give_up(error, RelayUnavailable)

    def _give_up(self, error: Exception, told: type[Exception]) -> NoReturn:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        # The relay's words may quote the address: only the kind of the error goes on.
        raise told(type(error).__name__) from None

    def _open(self) -> smtplib.SMTP:
        settings, timeout = self._settings, self._settings.timeout_seconds
        connection: smtplib.SMTP
        trust = None if settings.security == "none" else self._trust or _trusted(settings)
        if settings.security == "tls":
            connection = _PatientTLS(settings.host, settings.port, timeout=timeout, context=trust)
        else:
            connection = _Patient(settings.host, settings.port, timeout=timeout)
        try:
            if settings.security == "starttls":
                # Raises if the relay does not offer it: never in clear.
                connection.starttls(context=trust)
            if settings.username:
                connection.login(settings.username, settings.password.reveal())
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Say goodbye, if there is anybody."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                connection.quit()

    def __enter__(self) -> Relay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
