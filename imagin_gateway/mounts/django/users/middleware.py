"""`request.user` and `request.auser()`: the user who stands for the person who is signed in, found when first read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction
from django.utils.decorators import sync_and_async_middleware
from django.utils.functional import SimpleLazyObject

from imagin_gateway.identity import Identity
from imagin_gateway.mounts.django.telling import telling
from imagin_gateway.mounts.django.users.models import Link, find_user, key_of
from imagin_gateway.mounts.visitor import person as person_of

LONGEST = 150
"""Names are cut to what Django's own user holds."""


@sync_and_async_middleware  # type: ignore[untyped-decorator]  # Django has no types
def user_middleware(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Give each request its user: `AnonymousUser` for nobody, for a person without a user, and for a closed user.

    Stands after Django's `AuthenticationMiddleware`, if that is there at all: the gateway's session alone decides.
    """

    def tell(request: Any) -> None:
        found: list[Any] = []

        def user() -> Any:
            if not found:
                found.append(user_of(person_of(request)))
            return found[0]

        request.user = SimpleLazyObject(user)
        request.auser = sync_to_async(user)

    return telling(get_response, tell)


def user_of(person: Identity | None) -> Any:
    """Return the user who stands for a person, made if the settings say so; `AnonymousUser` otherwise."""
    if person is None:
        return AnonymousUser()
    user = find_user(person)
    if user is None and getattr(settings, "IMAGIN_GATEWAY_CREATE_USERS", False):
        user = _made(person)
    return user or AnonymousUser()


def _made(person: Identity) -> Any:
    users = get_user_model()
    key = key_of(*person.key)
    if Link.objects.filter(key=key).exists():
        return find_user(person)  # made just now by another request; None when it is closed
    try:
        with transaction.atomic():
            # The name says nothing and is nobody's: a login of the portal could be that of an administrator.
            user = users.objects.create_user(username=f"ig-{key[:32]}")
            user.first_name, user.last_name = person.given_name[:LONGEST], person.family_name[:LONGEST]
            user.email = person.email[:254]
            user.save()
            Link.objects.create(issuer=person.issuer, subject=person.subject, user=user)
    except IntegrityError:
        return find_user(person)  # another request of the same person was first
    return user
