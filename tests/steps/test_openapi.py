"""The document in the package: of this very code, complete, and true for the gateway that prints it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from imagin_gateway.cli.root import app
from imagin_gateway.errors import Code
from imagin_gateway.flows.routes import ROUTES
from imagin_gateway.openapi import openapi
from imagin_gateway.pages.steps import STEPS
from tests.flows.conftest import TheHouse, make_house
from tests.steps.conforming import document
from tests.steps.openapi import FILE, OPERATIONS, TYPES, told_routes, written
from tests.steps.openapi import document as made

__all__ = ["make_house"]


def test_the_file_is_what_the_code_says() -> None:
    told = FILE.read_text(encoding="utf-8")
    assert told == written(made()), "python -m tests.steps.openapi"


def test_every_route_is_described_but_those_for_browsers_and_portals() -> None:
    described = {(pattern, method.upper()) for pattern, path in document()["paths"].items() for method in path} - {
        (pattern, "PARAMETERS") for pattern in document()["paths"]
    }
    assert described == {(route.pattern, method) for route in told_routes() for method in route.handlers}
    left = [route for route in ROUTES if not route.tells and not route.for_machines]
    assert all(
        route.pattern.startswith(("/portail/{door}/", "/assistance")) or route.pattern == "/refus" for route in left
    )


def test_a_body_is_what_its_form_takes() -> None:
    for route in told_routes():
        if "POST" in route.handlers:
            schema = document()["paths"][route.pattern]["post"]["requestBody"]["content"]["application/json"]["schema"]
            assert set(schema["properties"]) == {"formulaire", *(route.takes or ())}
        else:
            assert route.takes is None, route.pattern


def test_every_step_every_code_and_every_example_is_there_and_fits() -> None:
    told = document()
    assert set(TYPES) == set(STEPS)
    assert {step for each in OPERATIONS.values() for _, steps, _ in each.values() for step in steps} == {*STEPS, "go"}
    assert told["components"]["schemas"]["Code"]["enum"] == sorted(code.value for code in Code)
    for name, example in told["components"]["examples"].items():
        schema = {"go": "Go", "again": "Problem", "refusal": "Refusal"}.get(name) or TYPES[name].__name__
        whole = {"$ref": f"#/components/schemas/{schema}", "components": told["components"]}
        assert [error.message for error in Draft202012Validator(whole).iter_errors(example["value"])] == []
    text = json.dumps(told)
    assert all(text.count(f'"#/components/schemas/{name}"') for name in told["components"]["schemas"])


def test_it_is_openapi() -> None:
    """By the meta-schema of OpenAPI 3.1 that the checker of schemas brings, every reference resolved."""
    import schemathesis

    schema = schemathesis.openapi.from_dict(openapi())
    schema.validate()
    assert len(list(schema.get_all_operations())) == sum(len(route.handlers) for route in told_routes())


@pytest.mark.parametrize("mount", ["/connexion", "/entree/siec"])
def test_it_says_where_this_gateway_stands(make_house: Callable[..., TheHouse], mount: str) -> None:
    house = make_house(mount_path=mount)
    told = openapi(house.gateway.settings)
    assert told["servers"] == [{"url": f"http://127.0.0.1:8400{mount}"}]


def test_the_command_prints_it(tmp_path: Any) -> None:
    file = tmp_path / "gateway.toml"
    signing, provisional = secrets.token_urlsafe(48), secrets.token_urlsafe(48)
    file.write_text(
        'base_url = "https://imagin.exemple.test"\nmount_path = "/porte"\nprivacy_url = "/d"\nlegal_url = "/l"\n'
        'accessibility_url = "/a"\nsecond_factor = { mode = "off", reason = "a test" }\n'
        'state = { url = "sqlite:///state.db" }\naccounts = { url = "sqlite:///accounts.db" }\n'
        'mail = { host = "mail.exemple.test", sender = "imagin@exemple.test" }\n[keys]\n'
        f'signing = ["{signing}"]\nprovisional = ["{provisional}"]\n',
        encoding="utf-8",
    )
    done = CliRunner().invoke(app, ["openapi", "--settings", str(file)])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["servers"] == [{"url": "https://imagin.exemple.test/porte"}]
    assert not (tmp_path / "accounts.db").exists()
