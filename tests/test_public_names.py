"""The names a host may write, in one place: a change here is a change of the contract (SECURITY.md)."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]

NAMES: Final = {
    "imagin_gateway": ("Activity Door Gateway GatewayError Hooks Identity Settings SettingsError"),
    "imagin_gateway.cookies": "Cookie cookies",
    "imagin_gateway.mounts": "Denied Visitor person require step_up visitor",
    "imagin_gateway.mounts.asgi": ("ASGIApp GatewayASGI HostAnswer MOST_WAITING Message Offload Receive Scope Send T"),
    "imagin_gateway.mounts.wsgi": "Environ GatewayWSGI HostAnswer StartResponse WSGIApp",
    "imagin_gateway.mounts.flask": "View asking init_app person signed_in visitor",
    "imagin_gateway.mounts.django": "SignedInMixin View person person_middleware signed_in visitor",
    "imagin_gateway.mounts.django.users": "",
    "imagin_gateway.mounts.fastapi": "Person REFUSALS SignedIn person visitor",
    "imagin_gateway.mounts.starlette": "Endpoint person signed_in visitor written",
    "imagin_gateway.mounts.litestar": "Anybody Connection Somebody person provide_person signed_in visitor",
    "imagin_gateway.testing": ("BASE_URL FakePortal Mail Mailbox ManualClock headers nobody settings sign_in someone"),
    "imagin_gateway.policy": (
        "ASK Answer Clause Contact Decision DoorInfo ELSEWHERE EndPage Facts FactsRefused Finding "
        "Flaw Mark Offer Policy Question Rule Statement Step TableRefused Text Tried load parse "
        "siec"
    ),
}


def written(module: str) -> set[str]:
    """Return what a module offers by its own text: its `__all__`, else what it defines and what it hands on (`as`)."""
    path = ROOT.joinpath(*module.split("."))
    tree = ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            names |= {each.name for each in node.names if each.name == each.asname}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found = {target.id for target in targets if isinstance(target, ast.Name)}
            if "__all__" in found and node.value is not None:
                return set(ast.literal_eval(node.value))
            names |= found
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("module", NAMES)
def test_the_public_names_of_a_module_are_these(module: str) -> None:
    assert sorted(written(module)) == NAMES[module].split()


@pytest.mark.parametrize("module", [name for name in NAMES if name != "imagin_gateway.mounts.django.users"])
def test_every_public_name_is_there(module: str) -> None:
    loaded = import_module(module)
    assert [name for name in NAMES[module].split() if not hasattr(loaded, name)] == []


def test_no_mount_is_forgotten() -> None:
    inner = {
        "asked",
        "asking",
        "cookie",
        "doorman",
        "host_request",
        "incoming",
        "mistakes",
        "own_root",
        "passage",
        "peer",
        "visitor",
    }
    here = {path.stem for path in (ROOT / "imagin_gateway" / "mounts").iterdir() if not path.name.startswith("_")}
    assert {f"imagin_gateway.mounts.{name}" for name in here - inner} <= NAMES.keys()
