"""The demonstration's mailbox: a real SMTP server, and a page that shows what it received."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import escape
from typing import Final
from zoneinfo import ZoneInfo

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

_PARIS: Final = ZoneInfo("Europe/Paris")  # as the mails themselves tell the time, wherever the machine is
_LINK = re.compile(r"https?://[^\s<>\"]+")

_PAGE = """<!doctype html>
<html lang="fr"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Courriels envoyés – démonstration</title>
<style>body {{ font-family: system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem }}
article {{ border: 1px solid #66747a; border-radius: .4rem; padding: 1rem; margin: 1rem 0 }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere }}</style></head>
<body><main><h1>Courriels envoyés</h1><p>Tout ce que la passerelle envoie arrive ici. <a href="">Actualiser</a></p>
{mails}</main></body></html>"""


@dataclass(frozen=True)
class Mail:
    """One mail received."""

    to: str
    subject: str
    text: str
    received: datetime


class Mailbox:
    """Receives mails on a loopback port, and shows them.

    Args:
        smtp_port: where the gateway sends.
    """

    def __init__(self, smtp_port: int) -> None:
        self._mails: list[Mail] = []
        self._lock = threading.Lock()
        self._smtp_port = smtp_port
        self._controller: Controller | None = None

    def start(self) -> None:
        """Begin to receive."""
        self._controller = Controller(self, hostname="127.0.0.1", port=self._smtp_port)
        self._controller.start()

    def stop(self) -> None:
        """Stop receiving; what was received stays."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's name)
        message = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        assert isinstance(message, EmailMessage)  # noqa: S101 (policy.default makes these)
        body = message.get_body(("plain",))
        mail = Mail(
            to=", ".join(envelope.rcpt_tos),
            subject=str(message["subject"]),
            text=str(body.get_content()) if body else "",
            received=datetime.now(_PARIS),
        )
        with self._lock:
            self._mails.append(mail)
        return "250 OK"

    def mails(self) -> list[Mail]:
        """Return what was received, the newest first."""
        with self._lock:
            return self._mails[::-1]

    def page(self) -> Starlette:
        """Return the web page over it; `/mails.json` gives the same to programs."""

        async def show(request: Request) -> HTMLResponse:
            mails = "".join(
                f"<article><h2>{escape(mail.subject)}</h2><p>À : {escape(mail.to)}, {mail.received:%H h %M}</p>"
                f"<pre>{_linked(mail.text)}</pre></article>"
                for mail in self.mails()
            )
            return HTMLResponse(_PAGE.format(mails=mails or "<p>Aucun courriel pour l’instant.</p>"))

        async def listing(request: Request) -> JSONResponse:
            return JSONResponse([{"to": m.to, "subject": m.subject, "text": m.text} for m in self.mails()])

        return Starlette(routes=[Route("/", show), Route("/mails.json", listing)])


def _linked(text: str) -> str:
    return _LINK.sub(lambda found: f'<a href="{found[0]}">{found[0]}</a>', escape(text))
