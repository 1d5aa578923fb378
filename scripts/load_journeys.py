"""What people do under load, for locust (`make load` starts it): whole journeys by the direct door, again and again.

Run by the load tool, in its own environment: nothing of the package is imported here.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from locust import HttpUser, between, task

PEOPLE = iter(json.loads(Path(os.environ["LOAD_LETTERS"]).read_text(encoding="utf-8")).items())
CHOSEN = "quatre vaches bleues dansent"
PAGES = 10
ACTION = re.compile(r'<form[^>]*action="([^"]+)"')
HIDDEN = re.compile(r'<input[^>]*type="hidden"[^>]*>')


def fields(page: str) -> dict[str, str]:
    """Return the hidden fields of a page."""
    found = {}
    for tag in HIDDEN.findall(page):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name:
            found[name[1]] = value[1] if value else ""
    return found


class Person(HttpUser):  # type: ignore[misc]  # locust is in another environment than mypy
    """Comes by letter once, then logs in, reads ten pages, leaves, and comes back."""

    wait_time = between(0.5, 1.5)

    def on_start(self) -> None:
        """Take a letter, and believe the deployment's own authority."""
        self.client.verify = os.environ["LOAD_AUTHORITY"]
        self.client.trust_env = False
        self.identifier, letter = next(PEOPLE)
        self.password = letter
        self.first = True

    def ask(self, name: str, method: str, path: str, holds: str, **more: Any) -> str:
        """Send one request, and count it as an error unless its answer holds what a person would see."""
        with self.client.request(method, path, name=name, catch_response=True, **more) as reply:
            if reply.status_code != 200 or holds not in reply.text:
                reply.failure(f"{reply.status_code}, without {holds!r}")
            return str(reply.text)

    @task  # type: ignore[untyped-decorator]  # likewise
    def journey(self) -> None:
        """One visit, from the first page to the last."""
        page = self.ask("1 login page", "GET", "/connexion/direct?next=/missions", "motdepasse")
        told = {**fields(page), "identifiant": self.identifier, "motdepasse": self.password}
        if self.first:
            page = self.ask("2a login by letter", "POST", "/connexion/direct", "nouveau", data=told)
            told = {**fields(page), "nouveau": CHOSEN, "encore": CHOSEN}
            self.ask("2b first password", "POST", "/connexion/mot-de-passe", "Bonjour", data=told)
            self.first, self.password = False, CHOSEN
        else:
            self.ask("2 login by password", "POST", "/connexion/direct", "Bonjour", data=told)
        for _ in range(PAGES):
            self.ask("3 a page", "GET", "/missions", "Bonjour")
            self.wait()
        held = self.client.cookies.get_dict()
        page = self.ask("4 leaving, asked", "GET", "/connexion/fin", "<form")
        action = ACTION.search(page)
        self.ask("5 leaving", "POST", action[1] if action else "/connexion/fin", "<h1", data=fields(page))
        # Who copied the cookie is nobody now: here at once, in the other workers within a second.
        self.wait()
        self.client.cookies.update(held)
        with self.client.get("/missions", name="6 after leaving", catch_response=True) as reply:
            if "Bonjour" in reply.text:
                reply.failure("a session that was left still opens")
        self.client.cookies.clear()
