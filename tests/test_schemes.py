"""Only https addresses, and those of this machine in development, are ever built or followed (row INP-07)."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from lxml import etree

from imagin_gateway.errors import AnswerRefused, Code, PolicyError, SettingsError
from imagin_gateway.flows.landing import landing
from imagin_gateway.policy import load
from imagin_gateway.providers.attributes import map_attributes
from imagin_gateway.providers.oidc import discovery
from imagin_gateway.providers.oidc.wire import Wire
from imagin_gateway.providers.saml import source
from imagin_gateway.providers.saml.partner import MetadataRefused
from imagin_gateway.settings import Settings
from tests.ground.test_settings import GOOD
from tests.ground.test_settings import load as loaded
from tests.providers.saml import logouts
from tests.providers.saml.forge import NOW, PORTAL, SSO

HOST: Final = "idp.exemple.fr"

CORPUS: Final = (
    *(f"http://{HOST}/x", f"HTTP://{HOST}/x", f"ftp://{HOST}/x", f"gopher://{HOST}/x", f"ws://{HOST}/x"),
    *("javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", " javascript:alert(1)"),
    *("data:text/html,x", "vbscript:x", "file:///etc/passwd", f"file://{HOST}/x", f"blob:https://{HOST}/x"),
    *(
        f"//{HOST}/x",
        f"\\\\{HOST}\\x",
        f"https:{HOST}/x",
        "https:///x",
        "https://",
        "https:",
        "urn:x:y",
        "mailto:a@b.fr",
    ),
    *(f"https://{HOST}@evil.example/x", f"jar:https://{HOST}!/x", f"view-source:https://{HOST}/x", "x", ""),
)

pytestmark = pytest.mark.row("INP-07")

SCHEME_ONLY: Final = tuple(url for url in CORPUS if not url.lower().startswith("https:") and url)
"""Those whose scheme alone condemns them, wherever they stand."""


@pytest.mark.parametrize("url", CORPUS)
def test_no_endpoint_of_a_discovery_document_is_taken(url: str) -> None:
    """Nor called: the wire itself refuses."""
    called: list[object] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        called.append(request.url)
        return httpx2.Response(200)

    wire = Wire(frozenset({HOST}), plain_loopback=False, timeout=1.0, transport=httpx2.MockTransport(answer))
    issuer = f"https://{HOST}"
    good = {
        "issuer": issuer,
        **{f"{name}_endpoint": f"{issuer}/{name}" for name in ("authorization", "token", "userinfo", "end_session")},
        "jwks_uri": f"{issuer}/keys",
        "response_types_supported": ["code"],
    }
    assert discovery.read(good, issuer, wire).issuer == issuer
    for name in good:
        if name.endswith(("endpoint", "_uri")) and name != "end_session_endpoint":
            with pytest.raises(AnswerRefused):
                discovery.read({**good, name: url}, issuer, wire)
    found = None
    with contextlib.suppress(AnswerRefused):
        found = discovery.read({**good, "end_session_endpoint": url}, issuer, wire)
    assert found is None or found.end_session_endpoint is None
    with pytest.raises(AnswerRefused):
        wire.get(url, Code.OIDC_KEYS)
    assert called == []


@pytest.mark.parametrize("url", [url for url in CORPUS if url.strip()])
def test_no_address_of_saml_metadata_is_taken(url: str) -> None:
    def entity(raw: bytes) -> object:
        return source.entity(raw, PORTAL, key=None, longest=timedelta(days=30), development=False, now=NOW)

    good = logouts.metadata()
    assert SSO.encode() in good
    tree = etree.fromstring(good)
    for name in ("SingleSignOnService", "SingleLogoutService"):
        changed = etree.fromstring(good)
        for service in changed.iter(f"{{*}}{name}"):
            service.set("Location", url)
        with pytest.raises(MetadataRefused):
            entity(etree.tostring(changed))
    tree[0].set("errorURL", url)
    raw = etree.tostring(tree)
    try:
        read: Any = entity(raw)
    except MetadataRefused:
        return
    assert read.error_url == ""


@pytest.mark.parametrize("url", SCHEME_ONLY)
@pytest.mark.parametrize("key", ["base_url", "privacy_url", "legal_url", "accessibility_url"])
def test_no_address_of_the_settings_is_taken(tmp_path: Path, url: str, key: str) -> None:
    lines = [f"{key} = '{url}'" if line.startswith(f"{key} =") else line for line in GOOD.splitlines()]
    if "\t" in url:
        lines = [line.replace("'", '"').replace("\t", "\\t") for line in lines]
    with pytest.raises(SettingsError) as refused:
        loaded(tmp_path, "\n".join(lines))
    assert key in {problem.key for problem in refused.value.problems}


@pytest.mark.parametrize("url", [url for url in SCHEME_ONLY if "\t" not in url])
@pytest.mark.parametrize("development", [False, True])
def test_no_issuer_of_the_settings_is_taken_and_http_only_for_this_machine(
    tmp_path: Path, url: str, development: bool
) -> None:
    def text(issuer: str) -> str:
        base = GOOD.replace('base_url = "https://missions.example.fr"', 'base_url = "http://localhost:8000"')
        portal = f"[portals.arena-paris]\nprotocol = 'oidc'\nissuer = '{issuer}'\nclient_id = 'x'\n"
        portal += f"client_secret = '{secrets.token_urlsafe(32)}'\n"
        return ("development = true\n" + base if development else GOOD) + portal

    with pytest.raises(SettingsError) as refused:
        loaded(tmp_path, text(url))
    assert "portals.arena-paris.issuer" in {problem.key for problem in refused.value.problems}
    assert loaded(tmp_path, text(f"https://{HOST}")).portals
    if development:
        assert loaded(tmp_path, text("http://127.0.0.1:9000")).portals
    else:
        with pytest.raises(SettingsError):
            loaded(tmp_path, text("http://127.0.0.1:9000"))


@pytest.mark.parametrize("url", CORPUS)
def test_no_next_leads_there(tmp_path: Path, url: str) -> None:
    settings: Settings = loaded(tmp_path, GOOD)
    assert landing(settings, url) == "/"


@pytest.mark.parametrize("url", CORPUS)
def test_no_way_back_that_a_portal_tells_leads_there(url: str) -> None:
    mapped = map_attributes({"FrEduUrlRetour": [url]}, return_hosts=(HOST,))
    assert "FrEduUrlRetour" not in mapped.attributes


def links() -> Iterator[str]:
    yield from (url for url in SCHEME_ONLY if "\t" not in url and "\\" not in url)


@pytest.mark.parametrize("url", list(links()))
def test_no_door_of_a_policy_leads_there(tmp_path: Path, url: str) -> None:
    from importlib.resources import files

    table = files("imagin_gateway.policy").joinpath("siec.toml").read_text(encoding="utf-8")
    (tmp_path / "good.toml").write_text(table, encoding="utf-8")
    assert load(tmp_path / "good.toml").doors
    changed = table.replace('link = "https://bv.ac-paris.fr"', f'link = "{url}"', 1)
    assert changed != table
    (tmp_path / "policy.toml").write_text(changed, encoding="utf-8")
    with pytest.raises(PolicyError):
        load(tmp_path / "policy.toml")
