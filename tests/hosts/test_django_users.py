"""A Django user for each person: found by issuer and subject, and by nothing else. In a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ACTS = Path(__file__).with_name("django_users_acts.py")
ROOT = ACTS.parent.parent.parent


def act(name: str, folder: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "tests.hosts.django_users_acts", name, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr


def test_the_migration_is_the_model(tmp_path: Path) -> None:
    act("migration", tmp_path)


def test_a_person_without_a_user_is_nobody_to_django_unless_users_are_made(tmp_path: Path) -> None:
    act("made", tmp_path)


def test_the_same_words_under_another_issuer_are_another_person(tmp_path: Path) -> None:
    act("issuers", tmp_path)


def test_an_administrator_is_never_found_by_a_login_or_a_mail(tmp_path: Path) -> None:
    act("takeover", tmp_path)


def test_a_closed_user_stays_closed(tmp_path: Path) -> None:
    act("closed", tmp_path)


def test_two_requests_at_once_make_one_user(tmp_path: Path) -> None:
    act("race", tmp_path)


def test_requests_carry_their_user_under_wsgi_and_asgi(tmp_path: Path) -> None:
    act("requests", tmp_path)


def test_without_the_gateway_or_its_middleware_a_project_finds_what_the_documentation_says(tmp_path: Path) -> None:
    act("without", tmp_path)
