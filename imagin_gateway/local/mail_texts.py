"""A mail is written: its words, filled in, as text and as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from markupsafe import Markup

from imagin_gateway.local.dates import PARIS, day_in_english, day_in_french, time_in_english, time_in_french
from imagin_gateway.local.mail_kinds import MailKind
from imagin_gateway.local.mail_words import CATALOGUE, END


@dataclass(frozen=True, slots=True)
class MailText:
    """One mail, ready to be addressed.

    Attributes:
        subject: in French, then in English.
        body: French, then English.
        html: the same words, for readers that prefer it: no image, nothing fetched.
    """

    subject: str
    body: str = field(repr=False)
    html: str = field(repr=False, default="")


def compose(
    kind: MailKind,
    *,
    moment: datetime,
    contact: str,
    host: str,
    link: str = "",
    code: str = "",
    failures: str = "",
) -> MailText:
    """Return the words of a mail.

    Args:
        kind: which one.
        moment: what it speaks of: the end of the link or of the code, or when the thing happened.
        contact: address to write to.
        host: name of our site, without scheme.
        link: for `RESET` alone.
        code: for the two `ADDRESS_CODE`.
        failures: how many, for `AFTER_FAILURES`.
    """
    subject, french, english = CATALOGUE[kind]
    local = moment.astimezone(PARIS)
    words = {
        "contact": contact,
        "host": host,
        "link": link,
        "code": code,
        "failures": failures,
        "heure": time_in_french(local),
        "time": time_in_english(local),
        "date": day_in_french(local.date()),
        "day": day_in_english(local.date()),
    }
    in_french = _paragraphs("Bonjour,\n\n" + french + END[0], words)
    in_english = _paragraphs(english + END[1], words)
    body = "\n\n".join([*in_french, "--- English ---", *in_english]) + "\n"
    html = _HTML.format(
        subject=subject,
        french=Markup("").join(_html(text, link, code) for text in in_french),
        english=Markup("").join(_html(text, link, code) for text in in_english),
    )
    return MailText(subject, body, str(html))


def _paragraphs(text: str, words: Mapping[str, str]) -> list[str]:
    return [paragraph.format(**words) for paragraph in text.split("\n\n")]


_HTML: Final = Markup(
    """\
<!doctype html>
<html lang="fr"><head><meta charset="utf-8"><title>{subject}</title></head>
<body style="margin:0;padding:16px;background:#ffffff;color:#182226;font-family:Arial,sans-serif;font-size:16px;\
line-height:1.5"><div style="max-width:36em;margin:0 auto">
<div lang="fr">
{french}</div>
<hr style="border:0;border-top:1px solid #66747a">
<div lang="en">
{english}</div>
</div></body></html>
"""
)


def _html(paragraph: str, link: str, code: str) -> Markup:
    if link and paragraph == link:
        style = "color:#0f5563;overflow-wrap:anywhere"
        return Markup('<p><a style="{}" href="{}">{}</a></p>\n').format(style, link, link)
    if code and paragraph == code:
        style = "font-family:monospace;font-size:24px;letter-spacing:2px"
        return Markup('<p style="{}">{}</p>\n').format(style, code)
    lines = Markup("<br>\n").join(paragraph.split("\n"))
    return Markup("<p>{}</p>\n").format(lines)
