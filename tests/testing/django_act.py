"""Django's own test client, in a process that Django may configure: `FOLDER`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View

from imagin_gateway import Activity, Gateway, testing
from imagin_gateway.mounts.django import SignedInMixin, signed_in


@signed_in(Activity.EXPENSES)
def expenses(request: Any) -> HttpResponse:
    return HttpResponse(request.person.subject)


def asked(request: Any) -> HttpResponse:
    return HttpResponse(request.GET["a"])


class Page(SignedInMixin, View):  # type: ignore[misc]  # Django has no types
    def get(self, request: Any) -> HttpResponse:
        return HttpResponse(request.person.subject)


class Soon(View):  # type: ignore[misc]  # Django has no types
    async def get(self, request: Any) -> HttpResponse:
        return HttpResponse(request.person.subject)


@method_decorator(signed_in(), name="dispatch")
class Decorated(Soon):
    pass


class Mixed(SignedInMixin, Soon):
    pass


urlpatterns = [
    path("async/around", signed_in()(Soon.as_view())),
    path("async/decorated", Decorated.as_view()),
    path("async/mixed", Mixed.as_view()),
    path("demande", asked),
    path("frais", expenses),
    path("page", Page.as_view()),
    path("missions", Page.as_view(activities=[Activity.MISSIONS])),
]


def plain(client: Client, gateway: Gateway) -> None:
    testing.nobody(client, gateway)
    left = client.get("/frais?a=1")
    assert (left.status_code, left.headers["Location"]) == (303, "/connexion/?next=%2Ffrais%3Fa%3D1")
    testing.sign_in(client, gateway, testing.someone("mdurand7", door="direct"))
    assert client.get("/frais").content == b"mdurand7"
    testing.sign_in(client, gateway, testing.someone("mdurand7", door="direct", activities=["marking"]))
    assert client.get("/frais").status_code == 403
    testing.nobody(client, gateway)
    assert client.get("/frais").status_code == 303


def by_class(client: Client, gateway: Gateway) -> None:
    testing.sign_in(client, gateway)
    assert client.get("/page").content == b"jdupont"
    assert client.get("/missions").status_code == 403, "what is given to as_view() counts"


def async_by_class(client: Client, browser: AsyncClient, gateway: Gateway) -> None:
    for page in ("/async/around", "/async/decorated", "/async/mixed"):
        testing.nobody(client, gateway)
        testing.nobody(browser, gateway)
        assert client.get(page).status_code == asyncio.run(browser.get(page)).status_code == 303, page
        testing.sign_in(client, gateway)
        testing.sign_in(browser, gateway)
        assert client.get(page).content == asyncio.run(browser.get(page)).content == b"jdupont", page


async def soon(client: AsyncClient, gateway: Gateway) -> None:
    testing.nobody(client, gateway)
    left = await client.get("/frais?a=%C3%A9")
    assert (left.status_code, left.headers["Location"]) == (303, "/connexion/?next=%2Ffrais%3Fa%3D%25C3%25A9")
    assert (await client.get("/frais", headers={"Accept": "application/json"})).status_code == 401
    assert (await client.get("/demande?a=é")).content == "é".encode()
    testing.sign_in(client, gateway)
    assert (await client.get("/frais")).content == b"jdupont"


def main() -> None:
    settings.configure(
        SECRET_KEY="of a test",
        ROOT_URLCONF=__name__,
        MIDDLEWARE=["imagin_gateway.mounts.django.person_middleware"],
        ALLOWED_HOSTS=["testserver"],
    )
    django.setup()
    with Gateway(testing.settings(Path(sys.argv[1])), sends_mail=False) as gateway:
        plain(Client(), gateway)
        by_class(Client(), gateway)
        async_by_class(Client(), AsyncClient(), gateway)
        asyncio.run(soon(AsyncClient(), gateway))


if __name__ == "__main__":
    main()
