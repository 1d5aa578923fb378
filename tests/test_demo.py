"""The demonstration: its mailbox, and its end."""

from __future__ import annotations

import os
import signal
import smtplib
import subprocess
import sys
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
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


def test_it_stops_however_often_it_is_told_to(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[1])
    command = [sys.executable, "-u", "-m", "examples.demo", "--free-ports"]
    with subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": root}, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            assert running.stdout is not None
            while "Ctrl-C" not in (line := running.stdout.readline()):
                assert line
            for _ in range(2000):
                # Until it is gone: a second one within the handler of the first is what must be borne.
                running.send_signal(signal.SIGTERM)
                running.send_signal(signal.SIGINT)
            told, _ = running.communicate(timeout=60)
        finally:
            running.kill()
    assert "Arrêt." in told
