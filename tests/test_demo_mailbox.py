"""The demonstration's mailbox."""

from __future__ import annotations

import smtplib
from datetime import UTC, datetime
from email.message import EmailMessage
from zoneinfo import ZoneInfo

from examples.demo.mailbox import Mailbox
from examples.demo.ports import free_ports


def test_the_hour_of_a_mail_is_that_of_paris_as_in_its_text() -> None:
    (port,) = free_ports(1)
    mailbox = Mailbox(port)
    mailbox.start()
    try:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "a@exemple.test", "b@exemple.test", "Objet"
        message.set_content("Bonjour,")
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as relay:
            relay.send_message(message)
    finally:
        mailbox.stop()
    (mail,) = mailbox.mails()
    assert mail.received.utcoffset() == datetime.now(UTC).astimezone(ZoneInfo("Europe/Paris")).utcoffset()
