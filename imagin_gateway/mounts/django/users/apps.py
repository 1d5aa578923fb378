"""The Django application."""

from __future__ import annotations

from django.apps import AppConfig


class UsersConfig(AppConfig):  # type: ignore[misc]  # Django has no types
    """Links of people to users."""

    name = "imagin_gateway.mounts.django.users"
    label = "imagin_gateway_users"
    default_auto_field = "django.db.models.BigAutoField"
