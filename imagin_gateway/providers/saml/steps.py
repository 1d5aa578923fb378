"""The steps an answer goes through, by name: for the operator who must explain what happened last night."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Step(StrEnum):
    """In the order in which they are taken."""

    BASE64 = "base64"
    XML = "xml"
    SCHEMA = "schema"
    SHAPE = "shape"
    SPEAKER = "speaker"
    RESPONSE_SIGNATURE = "response_signature"
    DECRYPTION = "decryption"
    ASSERTION_SIGNATURE = "assertion_signature"
    VERSION = "version"
    ISSUER = "issuer"
    STATUS = "status"
    DESTINATION = "destination"
    ISSUED = "issued"
    CONFIRMATION = "confirmation"
    RECIPIENT = "recipient"
    CONFIRMATION_TIME = "confirmation_time"
    CONDITIONS = "conditions"
    AUDIENCE = "audience"
    CONDITIONS_TIME = "conditions_time"
    AUTHENTICATION = "authentication"
    CONTEXT = "context"
    IN_RESPONSE_TO = "in_response_to"
    PERSON = "person"


Begin = Callable[[Step], None]
"""Told as each step begins: the last one told is the one that refuses."""


def silently(step: Step) -> None:
    """Tell nobody: what a login does."""
