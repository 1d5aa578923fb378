"""Whatever a provider says: a person it proved, or a refusal with a reason of its own."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagin_gateway.errors import AnswerRefused, Code, FlowLost, GatewayError, RequestRefused
from imagin_gateway.exchange import Request
from tests.clock import ManualClock
from tests.providers.oidc.journey import House, house, new_provider
from tests.providers.oidc.provider import CLIENT_ID, Answer, base64url

EDGES = st.sampled_from([0, 1, 2**31, 253402300799, 253402300799.5, 253402300800])
"""Moments at the ends of what a date can be."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | EDGES | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)

CLAIMS = ["iss", "sub", "aud", "azp", "exp", "nbf", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"]
PERSONAL = ["events", "codaca", "ctln", "ctemail", "email", "FrEduRne", "ct-remote-user", "given_name"]

THOROUGH = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def anew() -> House:
    clock = ManualClock()
    return house(new_provider(clock), clock)


def judged(there: House) -> GatewayError | None:
    """Log in; return the refusal, which no check may have made by breaking, or None."""
    refusal: GatewayError | None = None
    try:
        arrival = there.login()
    except GatewayError as error:
        refusal = error
    else:
        assert (arrival.issuer, arrival.subject) == (there.provider.issuer, there.provider.person["sub"])
    assert refusal is None or refusal.code is not Code.MALFORMED, "a check broke"
    return refusal


@THOROUGH
@given(edits=st.dictionaries(st.sampled_from(CLAIMS + PERSONAL), JSON, min_size=1, max_size=3))
def test_any_claims(edits: dict[str, Any]) -> None:
    there = anew()
    told: dict[str, Any] = {}

    def edit(claims: dict[str, Any]) -> None:
        honest = dict(claims)
        claims.update(edits)
        told.update(honest=honest, claims=dict(claims))

    there.provider.edit_claims = edit
    if judged(there) is None:
        honest, claims = told["honest"], told["claims"]
        assert claims["iss"] == honest["iss"]
        assert claims["sub"] == honest["sub"]
        assert claims["nonce"] == honest["nonce"]
        assert claims["aud"] in (CLIENT_ID, [CLIENT_ID])
        assert claims["at_hash"] == honest["at_hash"]
        assert "events" not in claims


@THOROUGH
@given(edits=st.dictionaries(st.sampled_from(["sub", *PERSONAL]), JSON, min_size=1, max_size=3))
def test_any_userinfo(edits: dict[str, Any]) -> None:
    there = anew()
    there.provider.edit_userinfo = lambda told: told.update(edits)
    error = judged(there)
    if edits.get("sub", "person-1") != "person-1":
        assert isinstance(error, AnswerRefused)


@THOROUGH
@given(
    path=st.sampled_from(["/.well-known/openid-configuration", "/keys", "/token", "/userinfo"]),
    body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()),
    status=st.sampled_from([200, 200, 200, 201, 204, 400, 401, 404]),
    content_type=st.sampled_from(["application/json", "application/jwt", "text/html", ""]),
)
def test_any_document(path: str, body: bytes, status: int, content_type: str) -> None:
    there = anew()
    there.provider.replies[path] = lambda: Answer(status, body, content_type)
    # A key set without the key, a userinfo that is not of this person...: nothing random logs anybody in.
    assert isinstance(judged(there), AnswerRefused)


@THOROUGH
@given(
    header=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()), payload=st.binary(max_size=60)
)
def test_any_token(header: bytes, payload: bytes) -> None:
    there = anew()
    token = ".".join(map(base64url, (header, payload, b"signature")))
    there.provider.edit_tokens = lambda tokens: tokens.update(id_token=token)
    assert isinstance(judged(there), AnswerRefused)


@THOROUGH
@given(
    edits=st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5c", "x5u", "cty", "zip"]),
        JSON,
        min_size=1,
    )
)
def test_any_header_on_a_signature_that_is_not_its_own(edits: dict[str, Any]) -> None:
    there = anew()
    honest = there.provider.sign

    def edited(header: dict[str, Any], claims: dict[str, Any]) -> str:
        _, payload, signature = honest(header, claims).split(".")
        return ".".join((base64url(json.dumps({**header, **edits}).encode()), payload, signature))

    there.provider.sign = edited
    assert isinstance(judged(there), AnswerRefused)


@THOROUGH
@given(query=st.binary(max_size=80) | st.text("stacodeir=&%+;#1 ", max_size=60).map(str.encode))
def test_any_answer(query: bytes) -> None:
    there = anew()
    there.leave()
    try:
        there.portal.arrive(Request("GET", "/", query), there.memories, there.clock.now())
    except (AnswerRefused, FlowLost, RequestRefused):
        assert there.provider.count("/token") == 0
    else:
        raise AssertionError("somebody came in")
