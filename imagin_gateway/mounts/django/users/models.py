"""Which user stands for which person."""

from __future__ import annotations

import hashlib
import json
from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from imagin_gateway.identity import Identity


def key_of(issuer: str, subject: str) -> str:
    """Return the key of a person: any length of issuer and subject fits in an index."""
    return hashlib.sha256(json.dumps([issuer, subject]).encode()).hexdigest()


class Link(models.Model):  # type: ignore[misc]  # Django has no types
    """One person, and the user who stands for them."""

    key = models.CharField(max_length=64, unique=True, editable=False)
    issuer = models.TextField()
    subject = models.TextField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="imagin_gateway_links")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[Any]] = []

    def save(self, *args: Any, **named: Any) -> None:
        """Write it; the key is worked out, never given."""
        self.key = key_of(self.issuer, self.subject)
        super().save(*args, **named)

    def __str__(self) -> str:
        return f"{self.issuer} {self.key[:8]}"


def find_user(person: Identity) -> Any:
    """Return the active user who stands for a person, or None. One query."""
    link = Link.objects.select_related("user").filter(key=key_of(*person.key)).first()
    if link is None or (link.issuer, link.subject) != person.key or not link.user.is_active:
        return None
    return link.user
