"""What `test_django_users` does in a process of its own, which Django may configure: `NAME FOLDER`."""

from __future__ import annotations

import asyncio
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command

from imagin_gateway.identity import Identity


def person(subject: str = "jdupont", issuer: str = "https://a.example", email: str = "jo@exemple.test") -> Identity:
    return Identity(
        issuer=issuer,
        subject=subject,
        door="arena-paris",
        activities=frozenset(),
        authenticated_at=datetime(2026, 12, 1, tzinfo=UTC),
        method="oidc",
        given_name="Jo",
        family_name="Dupont",
        email=email,
    )


def migration() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def made() -> None:
    from imagin_gateway.mounts.django.users.middleware import user_of
    from imagin_gateway.mounts.django.users.models import Link

    settings.IMAGIN_GATEWAY_CREATE_USERS = False
    assert user_of(person()).is_anonymous
    assert user_of(None).is_anonymous
    settings.IMAGIN_GATEWAY_CREATE_USERS = True
    user = user_of(person())
    assert user == user_of(person(email="another@exemple.test"))
    assert (user.first_name, user.last_name, user.email) == ("Jo", "Dupont", "jo@exemple.test")
    assert not user.has_usable_password()
    assert not user.is_staff
    assert not user.is_superuser
    assert Link.objects.count() == 1
    settings.IMAGIN_GATEWAY_CREATE_USERS = False
    assert user_of(person()) == user, "who has a user keeps it"


def issuers() -> None:
    from imagin_gateway.mounts.django.users.middleware import user_of

    assert user_of(person()) != user_of(person(issuer="https://b.example"))
    assert user_of(person("a", 'x", "y')) != user_of(person('y", "a', "x"))


def takeover() -> None:
    from django.contrib.auth import get_user_model

    from imagin_gateway.mounts.django.users.middleware import user_of

    users = get_user_model().objects
    admin = users.create_superuser("jdupont", "jo@exemple.test", "a long enough password")
    assert user_of(person()) != admin
    assert user_of(person("https://a.example jdupont")) != admin


def closed() -> None:
    from imagin_gateway.mounts.django.users.middleware import user_of

    user = user_of(person())
    user.is_active = False
    user.save()
    assert user_of(person()).is_anonymous


def race() -> None:
    from django.db import connection

    from imagin_gateway.mounts.django.users.middleware import user_of
    from imagin_gateway.mounts.django.users.models import Link

    found: list[Any] = []
    start = threading.Barrier(4)

    def ask() -> None:
        start.wait()
        try:
            found.append(user_of(person()).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 4
    assert len(set(found)) == 1, found
    assert Link.objects.count() == 1


def requests() -> None:
    from django.test import AsyncRequestFactory, RequestFactory

    from imagin_gateway.mounts.django import person_middleware
    from imagin_gateway.mounts.django.users.middleware import user_middleware
    from imagin_gateway.mounts.incoming import KEY
    from imagin_gateway.mounts.visitor import Visitor

    seen: list[Any] = []
    here = Visitor(person(), None, "/connexion/", "/connexion/fin")

    def view(request: Any) -> None:
        seen.append((request.person.subject, request.user.get_username(), request.user.is_authenticated))

    async def async_view(request: Any) -> None:
        user = await request.auser()
        seen.append((request.person.subject, user.get_username(), user.is_authenticated))

    request = RequestFactory().get("/")
    request.META[KEY] = here
    person_middleware(user_middleware(view))(request)
    request = AsyncRequestFactory().get("/")
    request.scope[KEY] = here
    asyncio.run(person_middleware(user_middleware(async_view))(request))
    assert seen[0] == seen[1]
    assert seen[0][0] == "jdupont"
    assert seen[0][2] is True


def without() -> None:
    """As the table of mistakes in docs/hosts.md says it."""
    from django.template import Context, Engine
    from django.test import RequestFactory

    from imagin_gateway.mounts.django import person as person_of
    from imagin_gateway.mounts.django import person_middleware
    from imagin_gateway.mounts.incoming import KEY
    from imagin_gateway.mounts.visitor import Visitor

    request = RequestFactory().get("/")
    for tell in (person_of, person_middleware(lambda _request: None)):
        try:
            tell(request)
        except RuntimeError as error:
            assert "application = gateway.wsgi(get_wsgi_application()) in the wsgi.py that" in str(error)  # noqa: PT017  # no pytest in this process
        else:
            raise AssertionError("the gateway is not there")
    request.META[KEY] = Visitor(person(), None, "/connexion/", "/connexion/fin")
    assert not hasattr(request, "person")
    page = Engine().from_string("[{{ request.person }}]")
    assert page.render(Context({"request": request})) == "[]"
    assert person_of(request) == person()
    person_middleware(lambda _request: None)(request)
    assert request.person == person()


def main() -> None:
    name, folder = sys.argv[1:]
    settings.configure(
        SECRET_KEY="of a test",
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "imagin_gateway.mounts.django.users"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(Path(folder) / "django.db"),
                "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE"},
            }
        },
        IMAGIN_GATEWAY_CREATE_USERS=True,
        USE_TZ=True,
    )
    django.setup()
    call_command("migrate", verbosity=0)
    {each.__name__: each for each in (migration, made, issuers, takeover, closed, race, requests, without)}[name]()


if __name__ == "__main__":
    main()
