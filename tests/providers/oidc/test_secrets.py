"""Nothing that opens a door is told to a log, an error, or whoever prints an object."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator

import pytest

from imagin_gateway.errors import GatewayError
from imagin_gateway.keys import Secret
from imagin_gateway.providers.oidc.request import Registration, Ticket, Tokens
from imagin_gateway.providers.oidc.signed import Signed
from imagin_gateway.providers.oidc.wire import Reply
from tests.clock import ManualClock
from tests.providers.oidc.journey import House, house
from tests.providers.oidc.provider import CLIENT_SECRET, Answer, Provider, rsa_key, sign
from tests.providers.oidc.serving import over_a_socket, serve


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """Everything any library logs, at its most talkative."""
    with caplog.at_level(logging.NOTSET):
        for name in ("authlib", "joserfc", "httpx2", "httpcore2", "imagin_gateway"):
            logging.getLogger(name).setLevel(logging.DEBUG)
        try:
            yield lambda: "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
        finally:
            for name in ("authlib", "joserfc", "httpx2", "httpcore2", "imagin_gateway"):
                logging.getLogger(name).setLevel(logging.NOTSET)


def secrets_of(there: House, answer: dict[str, str], memory: dict[str, str]) -> list[str]:
    """Return every secret of a login that was made."""
    tokens = list(there.provider.access)
    assert tokens
    return ["canary-", CLIENT_SECRET, answer["state"], answer["code"], memory["nonce"], memory["verifier"], *tokens]


def test_a_login_over_a_socket_logs_no_secret(
    provider: Provider, clock: ManualClock, logged: Callable[[], str]
) -> None:
    id_tokens: list[str] = []
    provider.edit_tokens = lambda tokens: id_tokens.append(tokens["id_token"])
    with serve(provider):
        there = over_a_socket(provider, clock)
        answer = there.leave()
        memory = dict(there.memories.kept[answer["state"]])
        there.come_back(answer)
        there.portal.close()
    text = logged()
    assert "send_request_headers" in text  # the libraries did talk
    for secret in [*secrets_of(there, answer, memory), *id_tokens, id_tokens[0].split(".")[2]]:
        assert secret not in text


@pytest.mark.parametrize("failure", ["signature", "claims", "token", "userinfo", "unavailable", "crash"])
def test_a_refusal_tells_no_secret(
    provider: Provider, clock: ManualClock, logged: Callable[[], str], failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = house(provider, clock)
    match failure:
        case "signature":
            provider.sign = lambda header, claims: sign(header, claims, rsa_key("attacker"))
        case "claims":
            provider.edit_claims = lambda claims: claims.update(iss="canary-issuer")
        case "token":
            provider.edit_tokens = lambda tokens: tokens.update(error="canary-error", error_description="canary-text")
        case "userinfo":
            provider.edit_userinfo = lambda claims: claims.update(sub="canary-subject")
        case "unavailable":
            provider.replies["/userinfo"] = lambda: Answer(503, b"canary-body")
        case _:

            def crash(*_: object) -> None:
                raise RuntimeError("canary-crash")

            monkeypatch.setattr("imagin_gateway.providers.oidc.portal.check_id_token", crash)
    answer = there.leave()
    memory = dict(there.memories.kept[answer["state"]])
    with pytest.raises(GatewayError) as caught:
        there.come_back(answer)
    error: BaseException | None = caught.value
    told = "".join(traceback.format_exception(caught.value)) + logged()
    while error is not None:
        told += f"{error!r} {error} {vars(error)}"
        error = error.__cause__ or error.__context__
    for secret in secrets_of(there, answer, memory):
        assert secret not in told


def test_what_breaks_a_check_is_a_refusal(
    there: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("canary-key")

    monkeypatch.setattr("imagin_gateway.providers.oidc.claims.check_subject", broken)
    with caplog.at_level(logging.DEBUG), pytest.raises(GatewayError) as caught:
        there.login()
    assert caught.value.__context__ is None
    assert "KeyError" in caplog.text
    assert "canary" not in caplog.text


def test_no_object_of_a_login_prints_what_it_holds(there: House) -> None:
    secret = Secret("canary")
    for thing in (
        Ticket("canary", "canary", "canary"),
        Tokens(secret, secret),
        Registration("us", secret, "client_secret_post", "https://x", ("openid",)),
        Signed("RS256", {"sub": "canary"}),
        Reply(200, "application/json", b"canary"),
        there.portal,
        there.login(),
    ):
        assert "canary" not in f"{thing!r} {thing}"


@pytest.mark.row("OID-24")
def test_an_arrival_holds_no_token(there: House) -> None:
    answer = there.leave()
    memory = dict(there.memories.kept[answer["state"]])
    arrival = there.come_back(answer)
    held = str({name: getattr(arrival, name) for name in arrival.__slots__})
    for secret in secrets_of(there, answer, memory):
        assert secret not in held


@pytest.mark.row("OID-24")
def test_no_secret_stands_in_an_address(there: House) -> None:
    answer = there.leave()
    memory = dict(there.memories.kept[answer["state"]])
    there.come_back(answer)
    for seen in there.provider.seen:
        assert seen.query == ""
        assert not any(secret in seen.path for secret in secrets_of(there, answer, memory))
