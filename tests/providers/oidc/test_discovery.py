"""What the provider publishes about itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from imagin_gateway.errors import AnswerRefused, Code, GatewayError, Unavailable
from imagin_gateway.providers.oidc import discovery
from tests.clock import ManualClock
from tests.providers.oidc.journey import ISSUER, House, house, new_provider
from tests.providers.oidc.provider import Answer, Document, Provider

WELL_KNOWN = "/.well-known/openid-configuration"


def refusal(provider: Provider, clock: ManualClock, edit: Callable[[Document], object]) -> GatewayError:
    """Return how a departure is refused when the provider publishes this."""
    provider.edit_discovery = edit
    with pytest.raises(GatewayError) as refused:
        house(provider, clock).portal.depart(clock.now())
    return refused.value


@pytest.mark.row("OID-12")
@pytest.mark.parametrize(
    "issuer",
    [
        ISSUER + "/",
        ISSUER.upper(),
        ISSUER.replace("paris", "Paris"),
        ISSUER.replace("https", "http"),
        "https://evil.example",
        ISSUER + ".evil.example",
        ISSUER + ":443",
        ISSUER + "/#",
        "",
        None,
        [ISSUER],
        {"a": ISSUER},
    ],
)
def test_the_document_of_another_issuer_is_refused(provider: Provider, clock: ManualClock, issuer: object) -> None:
    error = refusal(provider, clock, lambda document: document.update(issuer=issuer))
    assert (type(error), error.code) == (AnswerRefused, Code.OIDC_DISCOVERY)


@pytest.mark.row("OID-12")
def test_a_document_without_issuer_is_refused(provider: Provider, clock: ManualClock) -> None:
    assert refusal(provider, clock, lambda document: document.pop("issuer")).code is Code.OIDC_DISCOVERY


@pytest.mark.row("OID-12")
@pytest.mark.parametrize(
    ("issuer", "expected"),
    [
        ("https://op.example", "https://op.example/.well-known/openid-configuration"),
        ("https://op.example/", "https://op.example/.well-known/openid-configuration"),
        ("https://op.example/realms/paris", "https://op.example/realms/paris/.well-known/openid-configuration"),
    ],
)
def test_the_document_comes_from_the_configured_issuer(clock: ManualClock, issuer: str, expected: str) -> None:
    assert discovery.address(issuer) == expected
    provider = new_provider(clock, issuer)
    assert house(provider, clock).login().issuer == issuer
    assert provider.seen[0].path == WELL_KNOWN


@pytest.mark.row("OID-12")
@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"])
@pytest.mark.parametrize(
    "url",
    [
        "http://oidc.ac-paris.example/x",
        "https://evil.example/x",
        "https://oidc.ac-paris.example.evil.example/x",
        "https://oidc.ac-paris.example@evil.example/x",
        "https://user:pw@oidc.ac-paris.example/x",
        "https://oidc.ac-paris.example\\@evil.example/x",
        "https://evil.example\\.oidc.ac-paris.example/x",
        "https://oidc.ac-paris.example/x#y",
        "https://oidc.ac-paris.example/a b",
        "https://oidc.ac-paris.example/\r\nX: y",
        "https://oidc.ac-paris.example:99999/x",
        "https://[::1",
        "https://169.254.169.254/latest/meta-data",
        "http://localhost/x",
        "//oidc.ac-paris.example/x",
        "/x",
        "file:///etc/passwd",
        "javascript:alert(1)//oidc.ac-paris.example",
        "https://oidc.ac-paris.example/" + "x" * 2048,
        "https://oïdc.ac-paris.example/x",
        "",
        None,
        5,
        ["https://oidc.ac-paris.example/x"],
    ],
)
def test_an_endpoint_that_is_not_an_https_address_of_the_portal_is_refused(
    provider: Provider, clock: ManualClock, name: str, url: object
) -> None:
    error = refusal(provider, clock, lambda document: document.update({name: url}))
    assert (type(error), error.code) == (AnswerRefused, Code.OIDC_DISCOVERY)


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_an_endpoint_that_a_login_needs_must_be_there(provider: Provider, clock: ManualClock, name: str) -> None:
    assert refusal(provider, clock, lambda document: document.pop(name)).code is Code.OIDC_DISCOVERY


def test_another_host_of_the_portal_is_allowed_by_name_only(provider: Provider, clock: ManualClock) -> None:
    provider.edit_discovery = lambda document: document.update(
        authorization_endpoint="https://Login.ac-paris.example/a"
    )
    there = house(provider, clock, other_hosts=("login.ac-paris.example",))
    assert there.portal.depart(clock.now()).url.startswith("https://Login.ac-paris.example/a?")
    with pytest.raises(AnswerRefused):
        house(provider, clock, other_hosts=("ac-paris.example",)).portal.depart(clock.now())


@pytest.mark.parametrize("types", [["id_token"], ["code id_token"], "code", None, {"code": 1}])
def test_a_provider_without_the_code_flow_is_refused(provider: Provider, clock: ManualClock, types: object) -> None:
    error = refusal(provider, clock, lambda document: document.update(response_types_supported=types))
    assert error.code is Code.OIDC_DISCOVERY


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{", b"\xff\xfe", b'{"issuer":1,"issuer":2}', b'{"a":NaN}', b'{"a":-1e999}', b"[" * 100_000],
)
def test_a_document_that_is_not_a_json_object_is_refused(provider: Provider, clock: ManualClock, body: bytes) -> None:
    provider.replies[WELL_KNOWN] = lambda: Answer(body=body)
    assert refusal(provider, clock, lambda _: None).code is Code.OIDC_DISCOVERY


@pytest.mark.parametrize(
    ("status", "unavailable"), [(404, False), (401, False), (204, False), (500, True), (429, True)]
)
def test_a_document_that_is_not_there_is_refused_and_a_failure_is_one(
    provider: Provider, clock: ManualClock, status: int, unavailable: bool
) -> None:
    provider.replies[WELL_KNOWN] = lambda: Answer(status)
    error = refusal(provider, clock, lambda _: None)
    assert isinstance(error, Unavailable) is unavailable
    assert error.code is (Code.PORTAL_UNAVAILABLE if unavailable else Code.OIDC_DISCOVERY)


def test_the_document_is_read_once_an_hour(there: House) -> None:
    for _ in range(12):
        there.login()
        there.clock.move(timedelta(minutes=5))
    assert there.provider.count(WELL_KNOWN) == 1
    there.login()
    assert there.provider.count(WELL_KNOWN) == 2


def test_a_document_that_turns_bad_is_not_replaced_by_the_old_one(there: House) -> None:
    there.login()
    there.provider.edit_discovery = lambda document: document.update(issuer="https://evil.example")
    there.clock.move(timedelta(hours=1))
    with pytest.raises(AnswerRefused) as refused:
        there.login()
    assert refused.value.code is Code.OIDC_DISCOVERY


@pytest.mark.fault
def test_a_clock_that_is_set_back_does_not_freeze_the_document(there: House) -> None:
    there.login()
    there.clock.move(timedelta(days=-1))
    there.login()
    assert there.provider.count(WELL_KNOWN) == 2


def test_what_the_document_says_of_algorithms_changes_nothing(provider: Provider, clock: ManualClock) -> None:
    provider.edit_discovery = lambda document: document.update(id_token_signing_alg_values_supported=["none"])
    house(provider, clock).login()


@pytest.mark.fault
def test_an_answer_that_finds_the_provider_down_makes_it_unavailable(provider: Provider, clock: ManualClock) -> None:
    there, elsewhere = house(provider, clock), house(provider, clock)  # two processes of one application
    elsewhere.memories = there.memories
    answer = there.leave()
    provider.replies[WELL_KNOWN] = lambda: Answer(503)
    with pytest.raises(Unavailable):
        elsewhere.come_back(answer)
