"""What a page is to a script: its words, what may be sent from it, where it leads. The types are the documentation."""

from __future__ import annotations

from typing import Literal

import msgspec


class Link(msgspec.Struct, frozen=True):
    """Where a person may go on: a path of this site, or an http or mail address."""

    label: str
    href: str


class Choice(msgspec.Struct, frozen=True):
    """One answer of a question."""

    value: str
    label: str
    hint: str = ""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One thing the person fills in.

    Attributes:
        name: under which it is sent.
        kind: what to show; `passkey` is what the device answers to `options`, as JSON text.
        label, hint: in the language of the answer.
        autocomplete: token of HTML for password managers; "" for none.
        value: what stands in the field already.
        required: nothing is done without it.
        choices: of a `choice`, or the one value of a `box`.
        options: of a `passkey`: `PublicKeyCredentialRequestOptions` or `...CreationOptions`, JSON of WebAuthn §5.1.
    """

    name: str
    kind: Literal["text", "digits", "email", "password", "choice", "box", "passkey"]
    label: str
    hint: str = ""
    autocomplete: str = ""
    value: str = ""
    required: bool = True
    choices: tuple[Choice, ...] = ()
    options: msgspec.Raw | None = None


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """What may be sent.

    Attributes:
        method: `POST` takes one JSON object of texts, `GET` a query string.
        action: path of this site.
        send: to be sent back unchanged, the token of the form included.
        ask: to be filled in.
        submit: what the button says.
    """

    method: Literal["GET", "POST"] = "POST"
    action: str
    send: dict[str, str]
    ask: tuple[Ask, ...] = ()
    submit: str


class Wrong(msgspec.Struct, frozen=True):
    """What is wrong in what was sent: a stable code, the field (`null` when it is none alone), a sentence."""

    code: str
    field: str | None
    text: str


class Step(msgspec.Struct, frozen=True, kw_only=True, tag_field="step"):
    """What every step says.

    Attributes:
        title: heading.
        texts: sentences to read, in order.
        forms: what may be sent, by a stable name.
        links: where one may go on, by a stable name.
    """

    title: str
    texts: tuple[str, ...] = ()
    forms: dict[str, Form] = {}
    links: dict[str, Link] = {}


class Go(msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="go"):
    """This step is done, and the next stands elsewhere; what a page answers by 303.

    Attributes:
        to: a path of this site, or the address of a portal.
        by: `request` when the next step is asked for in JSON too, `navigation` when the browser must go there.
    """

    to: str
    by: Literal["request", "navigation"]


class Told(msgspec.Struct, frozen=True):
    """A step, and what was wrong in the one before, if it is shown again.

    Attributes:
        wrong_title: what happened, in words; "" when nothing is wrong.
        wrong: in order; empty when nothing is wrong.
    """

    step: Step
    wrong_title: str = ""
    wrong: tuple[Wrong, ...] = ()


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent is refused (RFC 9457); the step stands in `again`, ready to be sent once more.

    Attributes:
        title: what happened.
        status: HTTP status.
        detail: why, in a sentence.
        code: stable.
        errors: everything that is wrong.
        again: the step, with a new token.
    """

    type: Literal["about:blank"] = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    errors: tuple[Wrong, ...]
    again: Step
