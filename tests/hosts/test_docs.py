"""The page for host developers: its code runs, in ten lines or about, and does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from imagin_gateway import Gateway, testing
from tests.client import Client, over_asgi, over_wsgi

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/hosts.md").read_text(encoding="utf-8")

SETTINGS = """
development = true
base_url = "http://127.0.0.1"
privacy_url = "/d"
legal_url = "/l"
accessibility_url = "/a"
second_factor = {{ mode = "off", reason = "a test" }}
state = {{ url = "sqlite:///state.db" }}
accounts = {{ url = "sqlite:///accounts.db" }}
mail = {{ host = "127.0.0.1", security = "none", sender = "imagin@exemple.test" }}
keys = {{ signing = ["{signing}"], provisional = ["{provisional}"] }}
"""


def code(title: str) -> list[str]:
    """Return the code under a heading."""
    (part,) = re.findall(rf"^##+ {re.escape(title)}\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return re.findall(r"```python\n(.*?)```", part, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    text = SETTINGS.format(
        signing="s" * 20 + "igning-0123456789-abcdef", provisional="p" * 20 + "rov-0123456789-abcdef"
    )
    (tmp_path / "gateway.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run code as a module would, and close the gateways it makes."""
    made: list[Gateway] = []
    begin = Gateway.__init__

    def noted(self: Gateway, *args: Any, **named: Any) -> None:
        begin(self, *args, **named)
        made.append(self)

    monkeypatch.setattr(Gateway, "__init__", noted)

    def run(source: str) -> tuple[dict[str, Any], Gateway]:
        module = ModuleType("of_the_page")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(source, "hosts.md", "exec"), vars(module))  # noqa: S102  # our own page
        return vars(module), made[-1]

    yield run
    for each in made:
        each.close()


@pytest.mark.parametrize(
    ("title", "over", "limit"),
    [
        ("Flask", over_wsgi, 10),
        ("FastAPI", over_asgi, 10),
        ("Starlette", over_asgi, 10),
        ("Litestar", over_asgi, 10),
        ("WSGI or ASGI alone", over_wsgi, 10),
    ],
)
def test_ten_lines_make_a_protected_page(
    folder: Path, run: Any, title: str, over: Callable[..., Any], limit: int
) -> None:
    (source,) = code(title)
    assert len([line for line in source.splitlines() if line.strip()]) <= limit
    names, gateway = run(source)
    app = names["app"]
    client = Client(over(getattr(app, "wsgi_app", app) if title == "Flask" else app))
    left = client.get("/frais", host="127.0.0.1")
    assert (left.status, left.location) == (303, "/connexion/?next=%2Ffrais")
    assert client.get(left.location, host="127.0.0.1").status == 200
    testing.sign_in(client, gateway)
    assert "Frais de Jo DUPONT" in client.get("/frais", host="127.0.0.1").text


def test_ten_lines_of_django(folder: Path) -> None:
    """And a view that asked for somebody has them, though nobody thought of the middleware."""
    mounted, view = code("Django")
    assert len([line for line in (mounted + view).splitlines() if line.strip()]) <= 10
    (folder / "pages.py").write_text(view + "\nfrom django.urls import path\nurlpatterns = [path('frais', expenses)]\n")
    act = f"""
import django
from django.conf import settings
settings.configure(ROOT_URLCONF="pages", SECRET_KEY="of a test", ALLOWED_HOSTS=["*"], MIDDLEWARE=[])
{mounted}
from imagin_gateway import testing
from tests.client import Client, over_wsgi
client = Client(over_wsgi(application))
left = client.get("/frais", host="127.0.0.1")
assert (left.status, left.location) == (303, "/connexion/?next=%2Ffrais"), left
testing.sign_in(client, application._gateway)
assert client.get("/frais", host="127.0.0.1").text == "Frais de Jo DUPONT"
application._gateway.close()
"""
    path = {"PYTHONPATH": f"{ROOT}:{folder}"}
    done = subprocess.run(
        [sys.executable, "-c", act], capture_output=True, text=True, check=False, cwd=folder, env=path
    )
    assert done.returncode == 0, done.stderr


def test_the_hook_refuses_as_it_says(folder: Path, run: Any) -> None:
    (source,) = code("Hooks")
    names, _ = run(source)
    assert names["not_yet"](testing.someone()) == "Ouverture le 14 décembre."
    assert names["not_yet"](testing.someone(door="direct")) is None


def test_the_test_it_shows_passes(tmp_path: Path, run: Any) -> None:
    (source,) = code("Tests of your own")
    names: dict[str, Any] = {}
    exec(compile(source, "hosts.md", "exec"), names)  # noqa: S102  # our own page
    names["test_expenses"](tmp_path)


def test_every_name_it_tells_exists() -> None:
    from imagin_gateway.mounts import django, fastapi, flask

    for module, names in ((flask, ["asking"]), (fastapi, ["Person", "REFUSALS"]), (django, ["SignedInMixin"])):
        for name in names:
            assert hasattr(module, name)
            assert f"`{name}" in PAGE or f"{name}(" in PAGE or f"={name}" in PAGE
