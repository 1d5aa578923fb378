"""Django in one file: `gunicorn "examples.hosts.django_project:create_wsgi()"`, or `create_asgi` under uvicorn."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from imagin_gateway import Activity, Gateway, Settings
from imagin_gateway.mounts.django import SignedInMixin, signed_in


def home(request: HttpRequest) -> HttpResponse:
    who = request.person
    return HttpResponse(f"Bonjour {who.display_name}" if who else "Bonjour")


@csrf_exempt  # type: ignore[untyped-decorator]  # Django has no types; a form of this page would have a token
@signed_in()
def space(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"Espace de {request.person.display_name}")


@signed_in(Activity.MISSIONS)
async def missions(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"Missions de {request.person.display_name}")


class Expenses(SignedInMixin, View):  # type: ignore[misc]  # Django has no types
    activities = (Activity.EXPENSES,)

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(f"Frais de {request.person.display_name}")


class Sensitive(SignedInMixin, View):  # type: ignore[misc]  # Django has no types
    recent = timedelta(minutes=5)

    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(f"Sensible : {request.person.display_name}")


urlpatterns = [
    path("", home),
    path("espace", space),
    path("missions", missions),
    path("frais", Expenses.as_view()),
    path("sensible", Sensitive.as_view()),
]


def _configured() -> Gateway:
    settings.configure(
        SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY", "only for this example, which keeps nothing of its own"),
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],  # the gateway's own pages check the name; a project names its hosts here
        MIDDLEWARE=["imagin_gateway.mounts.django.person_middleware"],
    )
    django.setup()
    return Gateway(Settings.load(os.environ["IMAGIN_GATEWAY_FILE"]))


def create_wsgi() -> Any:
    gateway = _configured()
    return gateway.wsgi(get_wsgi_application())


def create_asgi() -> Any:
    gateway = _configured()
    return gateway.asgi(get_asgi_application())
