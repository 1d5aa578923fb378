"""What is refused before a portal opens."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, unquote_plus

import httpx2
import pytest

from imagin_gateway.errors import AnswerRefused, SettingsError
from imagin_gateway.keys import Secret
from imagin_gateway.providers.oidc.portal import OidcPortal
from imagin_gateway.providers.portal import Portal
from tests.clock import ManualClock
from tests.providers.oidc.journey import DOOR, ISSUER, REDIRECT_URI, House, configured, house
from tests.providers.oidc.provider import CLIENT_ID, CLIENT_SECRET, Provider


def opened(*, redirect_uri: str = REDIRECT_URI, development: bool = False, **config: Any) -> OidcPortal:
    return OidcPortal.open(
        DOOR,
        configured(**config),
        redirect_uri=redirect_uri,
        development=development,
        transport=httpx2.MockTransport(lambda _: httpx2.Response(500)),
    )


def keys(**more: Any) -> list[str]:
    """Return the keys of the problems found."""
    with pytest.raises(SettingsError) as refused:
        opened(**more)
    return [problem.key for problem in refused.value.problems]


@pytest.mark.row("OID-12")
@pytest.mark.parametrize(
    "issuer",
    [
        "http://oidc.ac-paris.example",
        "http://localhost:8000",
        "ftp://oidc.ac-paris.example",
        "oidc.ac-paris.example",
        "https://",
        "https://user:pw@oidc.ac-paris.example",
        "https://oidc.ac-paris.example#x",
        "https://oidc.ac-paris.example?x=y",
        "https://oidc.ac-paris.example?",
        "https://oïdc.ac-paris.example",
        "https://oidc ac-paris.example",
        "https://oidc..ac-paris.example",
        f"https://{'o' * 64}.ac-paris.example",
        "https://oidc.ac-paris.example/\x00",
        "https://oidc.ac-paris.example/\t",
        "",
    ],
)
def test_an_issuer_that_is_not_an_https_address_is_refused(issuer: str) -> None:
    assert set(keys(issuer=issuer)) == {f"portals.{DOOR}.issuer"}


@pytest.mark.parametrize("issuer", ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000"])
def test_in_development_this_machine_may_be_called_in_clear(issuer: str) -> None:
    opened(issuer=issuer, development=True)


def test_in_development_another_machine_is_not_called_in_clear() -> None:
    assert keys(issuer="http://oidc.ac-paris.example", development=True) == [f"portals.{DOOR}.issuer"]


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"client_id": ""}, "client_id"),
        ({"client_id": "a\nb"}, "client_id"),
        ({"client_secret": Secret("")}, "client_secret"),
        ({"scopes": ("profile",)}, "scopes"),
        ({"scopes": ()}, "scopes"),
        ({"scopes": ("openid profile",)}, "scopes"),
        ({"scopes": ("openid", "")}, "scopes"),
        ({"algorithms": ()}, "algorithms"),
        ({"other_hosts": ("https://x.example",)}, "other_hosts"),
        ({"other_hosts": ("x..example",)}, "other_hosts"),
        ({"other_hosts": ("x" * 64 + ".example",)}, "other_hosts"),
        ({"subject_attribute": "eduPersonPrincipalName"}, "domains"),
        ({"subject_attribute": "employeeNumber"}, "subject_attribute"),
        ({"subject_attribute": " "}, "subject_attribute"),
        ({"attributes": {"email": ("courriel",)}}, "attributes"),
        ({"attributes": {"CTEMAIL": ("courriel",)}}, "attributes"),
        ({"other_hosts": ("*.example",)}, "other_hosts"),
        ({"other_hosts": ("",)}, "other_hosts"),
    ],
)
def test_each_problem_is_told_under_its_key(config: dict[str, Any], key: str) -> None:
    assert set(keys(**config)) == {f"portals.{DOOR}.{key}"}


@pytest.mark.parametrize("redirect_uri", ["http://imagin.example/retour", "https://imagin.example/#x", "/retour"])
def test_a_return_address_in_clear_is_refused(redirect_uri: str) -> None:
    assert keys(redirect_uri=redirect_uri) == ["base_url"]


def test_every_problem_is_told_at_once_and_no_secret_with_them() -> None:
    with pytest.raises(SettingsError) as refused:
        opened(issuer="http://x.example", client_id="", scopes=(), algorithms=(), redirect_uri="http://y.example")
    assert len(refused.value.problems) == 5
    assert CLIENT_SECRET not in str(refused.value)


def test_a_portal_is_what_the_journeys_expect(there: House, clock: ManualClock) -> None:
    portal: Portal = there.portal
    assert (portal.door, portal.issuer, portal.answer_method) == (DOOR, ISSUER, "GET")
    assert portal.metadata(clock.now()) is None


@pytest.mark.parametrize("authentication", ["client_secret_basic", "client_secret_post"])
def test_the_client_shows_its_secret_in_the_configured_way_only(
    provider: Provider, clock: ManualClock, authentication: str
) -> None:
    there = house(provider, clock, client_authentication=authentication)
    there.login()
    seen = provider.last("/token")
    if authentication == "client_secret_basic":
        assert seen.headers["authorization"].startswith("Basic ")
        assert "client_secret" not in seen.form
    else:
        assert "authorization" not in seen.headers
        assert (seen.form["client_id"], seen.form["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)
    assert all(CLIENT_SECRET not in other.query for other in provider.seen)


@pytest.mark.parametrize("decoded", [unquote, unquote_plus])
def test_a_secret_is_read_whichever_way_the_provider_decodes_it(
    provider: Provider, clock: ManualClock, decoded: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 6749 §2.3.1 wants a form's encoding, where a space is `+`; Authlib and pyop take that for a plus sign."""
    name, secret = "urn:a+b%c/d", "p+s :%/ss&=é~*'()"
    monkeypatch.setattr("tests.providers.oidc.provider.CLIENT_ID", name)
    there = house(provider, clock, client_id=name, client_secret=Secret(secret))
    with pytest.raises(AnswerRefused):
        there.login()  # this one knows another secret
    told = provider.last("/token").headers["authorization"].removeprefix("Basic ")
    assert [decoded(part) for part in base64.b64decode(told).decode("ascii").split(":")] == [name, secret]


@pytest.mark.parametrize("authentication", ["none", "client_secret_jwt", "tls_client_auth"])
def test_no_other_authentication_can_be_configured(authentication: str) -> None:
    with pytest.raises(ValueError, match="literal_error"):
        configured(client_authentication=authentication)
