"""A mailbox that captures what the gateway would send."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import EmailMessage
from types import TracebackType

from imagin_gateway.gateway import Gateway
from imagin_gateway.testing.surroundings import only_in_development


@dataclass(frozen=True)
class Mail:
    """One mail.

    Attributes:
        to: its recipient.
        subject: in words.
        text: its plain part.
        html: its other part, or "".
    """

    to: str
    subject: str
    text: str
    html: str

    @property
    def links(self) -> list[str]:
        """The addresses in the text, in order."""
        return re.findall(r"https?://[^\s>)]+", self.text)


class Mailbox:
    """Receives, in this process, what waits to be sent. The gateway is built with `sends_mail=False`.

    Args:
        gateway: whose mail it is.

    Raises:
        RuntimeError: its settings are not those of development.
    """

    def __init__(self, gateway: Gateway) -> None:
        only_in_development(gateway)
        self._gateway = gateway
        self.mails: list[Mail] = []
        """Every mail so far, the oldest first."""

    def receive(self) -> list[Mail]:
        """Deliver what is due, and return the new mails, the oldest first."""
        before = len(self.mails)
        self._gateway.house.direct.deliver_due(self)
        return self.mails[before:]

    def send(self, message: EmailMessage) -> None:
        """Take a message, as a relay does."""
        plain, html = message.get_body(("plain",)), message.get_body(("html",))
        self.mails.append(
            Mail(
                str(message["To"]),
                str(message["Subject"]),
                plain.get_content() if plain else "",
                html.get_content() if html else "",
            )
        )

    def __enter__(self) -> Mailbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A mailbox stays open."""
