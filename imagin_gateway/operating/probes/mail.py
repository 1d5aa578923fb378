"""The relay of the mails: everything but sending one, unless a mail is asked for."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Iterator
from typing import Final

from imagin_gateway.operating.findings import Finding, fatal, good, warning
from imagin_gateway.operating.ground import Ground
from imagin_gateway.operating.probes.reaching import certificate, end_of, why

_RELAY: Final = "relais de courrier"


def look(ground: Ground) -> Iterator[Finding]:
    """Connect, make it secret, log in, name the sender, and leave."""
    from imagin_gateway.local.mailer import _trusted
    from imagin_gateway.local.outbox import is_address

    mail = ground.settings.mail
    subject = f"{_RELAY} {mail.host}:{mail.port}"
    for key, address in (("mail.sender", mail.sender), ("contact", ground.settings.contact)):
        if not is_address(address):
            yield fatal(
                "mail.address", subject, "ce n’est pas une adresse électronique", '"imagin@siec.education.fr"', key
            )
    trust: ssl.SSLContext | None = None
    if mail.security != "none":
        try:
            trust = _trusted(mail)
        except (OSError, ssl.SSLError):
            text = "ce fichier d’autorités ne peut pas être lu, ou n’est pas en PEM"
            yield fatal("mail.ca_file", subject, text, "le certificat de l’autorité du relais, en PEM", "mail.ca_file")
            return
    timeout = min(ground.timeout, mail.timeout_seconds)
    relay: smtplib.SMTP | None = None
    try:
        if mail.security == "tls":
            relay = smtplib.SMTP_SSL(mail.host, mail.port, timeout=timeout, context=trust)
        else:
            relay = smtplib.SMTP(mail.host, mail.port, timeout=timeout)
        yield from _spoken(ground, relay, trust, subject)
    except smtplib.SMTPServerDisconnected:
        text = "le relais raccroche, ou n’est pas un relais SMTP à ce port"
        yield fatal(
            "mail.hung_up", subject, text, "vérifier mail.port et mail.security (587 starttls, 465 tls)", "mail.port"
        )
    except smtplib.SMTPException as error:
        text = f"le relais refuse la conversation ({type(error).__name__})"
        yield fatal("mail.refused", subject, text, "demander à qui l’exploite", "mail.host")
    except OSError as error:
        told = why(error)
        yield fatal(
            f"mail.{told.name}",
            subject,
            told.text,
            told.remedy,
            "mail.ca_file" if "ca_file" in told.remedy else "mail.host",
        )
    finally:
        if relay is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                relay.close()


def _spoken(ground: Ground, relay: smtplib.SMTP, trust: ssl.SSLContext | None, subject: str) -> Iterator[Finding]:
    mail = ground.settings.mail
    relay.ehlo_or_helo_if_needed()
    if mail.security == "starttls":
        if not relay.has_extn("starttls"):
            text = "le relais n’offre pas STARTTLS : aucun courriel ne partira"
            yield fatal(
                "mail.no_starttls",
                subject,
                text,
                'l’activer au relais, ou security = "tls" et le port 465',
                "mail.security",
            )
            return
        relay.starttls(context=trust)
        relay.ehlo_or_helo_if_needed()
    yield from certificate("mail", subject, end_of(relay.sock), ground.now, "mail.host")
    if mail.username:
        try:
            relay.login(mail.username, mail.password.reveal())
        except smtplib.SMTPAuthenticationError:
            text = "le relais refuse ce nom ou ce mot de passe"
            yield fatal(
                "mail.login",
                subject,
                text,
                "mail.username et mail.password, tels que donnés par le relais",
                "mail.password",
            )
            return
        except smtplib.SMTPNotSupportedError:
            text = "le relais ne demande pas de mot de passe, ou pas de cette façon"
            yield fatal("mail.login_unwanted", subject, text, "enlever mail.username et mail.password", "mail.username")
            return
    code, _ = relay.mail(mail.sender)
    relay.rset()
    if code == 530:
        text = "le relais demande un nom et un mot de passe"
        yield fatal("mail.login_wanted", subject, text, "écrire mail.username et mail.password", "mail.username")
        return
    if code >= 400:
        text = f"le relais refuse l’expéditeur {mail.sender} ({code})"
        yield fatal("mail.sender", subject, text, "une adresse que ce relais accepte d’envoyer", "mail.sender")
        return
    if not ground.mail_to:
        yield good(
            "mail.relay", subject, "connexion, secret et expéditeur acceptés ; aucun courriel envoyé", "mail.host"
        )
        return
    yield from _sent(ground, relay, subject)


def _sent(ground: Ground, relay: smtplib.SMTP, subject: str) -> Iterator[Finding]:
    from imagin_gateway.keys import new_token
    from imagin_gateway.local.mail_texts import MailText
    from imagin_gateway.local.mailer import MailRefused, build

    settings = ground.settings
    host = settings.host
    text = MailText(
        "Imagin SIEC : courriel d’essai / test mail",
        f"Ce courriel d’essai vient de {host}. Il ne demande rien.\n\n"
        f"This test mail comes from {host}. It asks for nothing.\n",
    )
    try:
        message = build(
            text,
            sender=settings.mail.sender,
            contact=settings.contact,
            recipient=ground.mail_to,
            message_id=f"check-{new_token()}",
            at=ground.now,
        )
        relay.send_message(message, settings.mail.sender, [ground.mail_to])
    except MailRefused:
        yield fatal(
            "mail.recipient", subject, "l’adresse de --mail-to n’est pas une adresse simple", "--mail-to nom@exemple.fr"
        )
    except smtplib.SMTPException as error:
        yield fatal(
            "mail.recipient",
            subject,
            f"le relais refuse le courriel d’essai ({type(error).__name__})",
            "ses journaux le disent",
        )
    else:
        yield good(
            "mail.sent", subject, f"courriel d’essai remis au relais pour {ground.mail_to} : vérifier qu’il arrive"
        )
        if settings.mail.security == "none" and not settings.development:
            yield warning(
                "mail.plain", subject, "il est parti en clair jusqu’au relais", 'security = "starttls"', "mail.security"
            )
