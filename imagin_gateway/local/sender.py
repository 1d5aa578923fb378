"""The sender of mail: in a thread of the process, or once from the command line."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from imagin_gateway.clock import Clock
from imagin_gateway.errors import Code, GatewayError
from imagin_gateway.events import Event, EventLog, EventName
from imagin_gateway.keys import Secret
from imagin_gateway.local.addresses import Addresses
from imagin_gateway.local.mail_kinds import MailKind
from imagin_gateway.local.mail_texts import MailText, compose
from imagin_gateway.local.mailer import MailDeferred, MailRefused, Relay, RelayUnavailable, Takes, build
from imagin_gateway.local.outbox import GIVE_UP, Outbox, Waiting
from imagin_gateway.local.reset import Resets
from imagin_gateway.local.telling import Telling
from imagin_gateway.settings import Mail

POLL_SECONDS: Final = 5.0
"""How often the thread looks for mail it was not woken for: retries, and what other processes wrote."""

PURGE_EVERY: Final = timedelta(hours=1)

_log = logging.getLogger("imagin_gateway.local")


class Sender:
    """Answers requests for links and delivers the outbox.

    Args:
        outbox: mails that wait.
        resets: requests that wait, and the links of mails that leave.
        addresses: the codes of mails that leave.
        mail: the relay.
        contact: address people write to.
        host: name of our site.
        link: gives the address of the page a token opens.
        clock: the time.
        events: what happened.
        trust: certificates to trust, when not the system's.
        forget: forgets what other parts of the room have kept too long; called now and then.
    """

    def __init__(
        self,
        outbox: Outbox,
        resets: Resets,
        addresses: Addresses,
        mail: Mail,
        *,
        contact: str,
        host: str,
        link: Callable[[Secret], str],
        clock: Clock,
        events: EventLog,
        trust: ssl.SSLContext | None = None,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        self._outbox = outbox
        self._resets = resets
        self._addresses = addresses
        self._mail = mail
        self._contact = contact
        self._host = host
        self._link = link
        self._clock = clock
        self._events = events
        self._telling = Telling(events)
        self._trust = trust
        self._forget = forget
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._purged: datetime | None = None

    # -- once ----------------------------------------------------------------

    def deliver_due(self, relay: Takes | None = None) -> int:
        """Deliver what is due, and return how many mails left.

        Several senders may run at once: each mail is claimed by one.

        Args:
            relay: takes the mails; by default that of the settings.

        Raises:
            Unavailable: the accounts database does not answer. What was claimed is tried again later.
        """
        while (answered := self._resets.answer_one()) is not None:
            self._telling(
                EventName.RESET_ASKED,
                answered.key,  # of what was typed, as for a refused login: with an account or without
                address=answered.address,
                correlation=answered.correlation,
                detail={"mailed": answered.mailed},
            )
        self._purge()
        sent = 0
        with relay or Relay(self._mail, self._trust) as taking:
            while (waiting := self._outbox.claim(self._clock.now())) is not None:
                try:
                    sent += self._deliver(taking, waiting)
                except RelayUnavailable:
                    break
        return sent

    def _purge(self) -> None:
        """Forget links and codes that ended long ago: no mail that waits can carry them any more."""
        now = self._clock.now()
        if self._purged is None or now - self._purged >= PURGE_EVERY:
            self._purged = now
            self._outbox.purge(now)
            self._forget()

    def _deliver(self, relay: Takes, waiting: Waiting) -> bool:
        text = self._text(waiting)
        if text is None:
            # The link was killed while its mail waited.
            self._outbox.remove(waiting)
            return False
        now = self._clock.now()
        try:
            relay.send(
                build(
                    text,
                    sender=self._mail.sender,
                    contact=self._contact,
                    recipient=waiting.recipient,
                    message_id=waiting.message_id,
                    at=now,
                )
            )
        except (MailRefused, MailDeferred, RelayUnavailable) as error:
            over = isinstance(error, MailRefused) or now - waiting.created_at >= GIVE_UP
            if over:
                self._outbox.remove(waiting)
            else:
                self._outbox.postpone(waiting, now)
            self._tell(EventName.MAIL_FAILED, waiting, error=str(error)[:80], given_up=over)
            if isinstance(error, RelayUnavailable):
                raise
            return False
        self._outbox.remove(waiting)
        self._tell(EventName.MAIL_SENT, waiting)
        return True

    def _text(self, waiting: Waiting) -> MailText | None:
        """Return the words of a mail, made as it leaves; None if what it carries was killed while it waited."""
        kind, payload = waiting.kind, waiting.payload
        if kind is MailKind.RESET:
            found = self._resets.link_token(payload)
            return None if found is None else self._compose(kind, found[1], link=self._link(found[0]))
        if kind in (MailKind.ADDRESS_CODE_NEW, MailKind.ADDRESS_CODE_FORMER):
            found = self._addresses.code(kind, payload)
            return None if found is None else self._compose(kind, found[1], code=found[0].reveal())
        return self._compose(kind, datetime.fromisoformat(payload["at"]), failures=payload.get("failures", ""))

    def _compose(self, kind: MailKind, moment: datetime, **more: str) -> MailText:
        return compose(kind, moment=moment, contact=self._contact, host=self._host, **more)

    def _tell(self, name: EventName, waiting: Waiting, **more: str | bool) -> None:
        detail = {"mail": waiting.kind.value, "attempt": waiting.attempts, **more}
        self._telling(name, waiting.identifier, detail=detail)

    # -- in a thread ---------------------------------------------------------

    def start(self) -> None:
        """Deliver from a thread of this process, until `stop`. Does nothing if it already runs."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="imagin-gateway-mail", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Tell the thread that there is something to do."""
        self._woken.set()

    def stop(self, timeout: float = 10.0) -> None:
        """Let the thread end its mail and go. `timeout` is in seconds."""
        self._stopping.set()
        self._woken.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                self.deliver_due()
            except GatewayError as error:
                _log.warning("mail waits: %s", error)
            except Exception:
                # The thread must outlive what nobody foresaw: people wait for their links.
                _log.exception("mail could not be delivered")
                self._events.emit(Event(name=EventName.FAULT, code=Code.FAULT, detail={"where": "mail"}))
            self._woken.wait(POLL_SECONDS)
