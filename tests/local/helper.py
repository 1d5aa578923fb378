"""Parts the tests of this room share: a hasher that counts, a mail server that can be told what to answer."""

from __future__ import annotations

import email
import socket
import threading
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from argon2 import PasswordHasher

from imagin_gateway.keys import Keyring, Secret
from imagin_gateway.local.door import DirectDoor, ImportReport, Letter
from imagin_gateway.local.passwords import Hasher

GOOD = Secret("quatre vaches bleues dansent")

OTHER = Secret("le tracteur rouge du voisin")

ADDRESS = "192.0.2.7"


@dataclass
class Imported:
    """What an import did, and the letters that came out of it."""

    report: ImportReport
    letters: list[Letter]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.report, name)


def import_list(door: DirectDoor, path: Path, **more: Any) -> Imported:
    """Import a list as an office that wants its letters does."""
    letters: list[Letter] = []
    return Imported(door.lists.import_list(path, each=letters.append, **more), letters)


class CountingArgon2:
    """The real Argon2, which counts what it computes."""

    def __init__(self, real: PasswordHasher) -> None:
        self._real = real
        self._lock = threading.Lock()
        self.verifications = 0
        self.hashes = 0

    def verify(self, encoded: str, password: str) -> bool:
        with self._lock:
            self.verifications += 1
        return self._real.verify(encoded, password)

    def hash(self, password: str) -> str:
        with self._lock:
            self.hashes += 1
        return self._real.hash(password)

    def check_needs_rehash(self, encoded: str) -> bool:
        return self._real.check_needs_rehash(encoded)


class CountingHasher(Hasher):
    """The real hasher around the Argon2 that counts."""

    def __init__(self, profile: str = "unsafe-tests", pepper: Keyring | None = None) -> None:
        super().__init__(profile, pepper=pepper)
        self.counts = CountingArgon2(self._argon2)
        self._argon2 = self.counts  # type: ignore[assignment]  # has the three methods that are used

    @property
    def verifications(self) -> int:
        return self.counts.verifications

    @property
    def hashes(self) -> int:
        return self.counts.hashes

    def reset(self) -> None:
        self.counts.verifications = self.counts.hashes = 0


class Inbox:
    """What a real SMTP server received, and what it answers."""

    def __init__(self) -> None:
        self.received: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.logins: list[tuple[str, str]] = []
        self.answer_to_recipient = "250 OK"
        self.answer_to_message = "250 OK"

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.answer_to_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer_to_recipient

    async def handle_DATA(  # noqa: N802 -- aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.answer_to_message.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            message = email.message_from_bytes(content, policy=default)
            assert isinstance(message, EmailMessage)
            self.received.append(message)
            self.recipients.append(list(envelope.rcpt_tos))
        return self.answer_to_message

    @property
    def subjects(self) -> list[str]:
        return [str(message["Subject"]) for message in self.received]

    def body(self, index: int = -1, kind: str = "plain") -> str:
        part = self.received[index].get_body((kind,))
        assert part is not None
        content = part.get_content()
        assert isinstance(content, str)
        return content


class MailServer:
    """A real SMTP server of this machine, with its inbox; it can be stopped and started again."""

    def __init__(self, inbox: Inbox | None = None, **options: Any) -> None:
        self.inbox = inbox or Inbox()
        self._options = options
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._controller: Controller | None = None
        self.start()

    def start(self) -> None:
        self._controller = Controller(self.inbox, hostname="127.0.0.1", port=self.port, **self._options)
        self._controller.start()

    def stop(self) -> None:
        controller, self._controller = self._controller, None
        if controller is not None:
            controller.stop()
