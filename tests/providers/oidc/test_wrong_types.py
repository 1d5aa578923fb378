"""Every value that a portal tells, in every wrong type: refused by a code, or no value at all (row INP-09).

Nothing is guessed, nothing raises anything else, and whatever does enter is text. One rule for each member is
written here, apart from the code: REFUSED, or SKIPPED.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.exchange import Request
from imagin_gateway.providers.oidc.logout import EVENT
from imagin_gateway.providers.portal import Arrival, LogoutOrder, LogoutWay
from tests.clock import ManualClock
from tests.providers.oidc.journey import House, house, telling
from tests.providers.oidc.provider import CLIENT_ID, Answer, Document, Provider, base64url, public, rsa_key

pytestmark = pytest.mark.row("INP-09")

TEXT: Final = "x"
NUMBER: Final = 7
WRONG: Final[dict[str, Any]] = {
    "number": NUMBER,
    "nought": 0,
    "negative": -1,
    "fraction": 1.5,
    "huge": 10**300,
    "true": True,
    "false": False,
    "null": None,
    "empty list": [],
    "list": [TEXT],
    "list of lists": [[TEXT]],
    "list of nothing": [None, True, {}],
    "object": {TEXT: TEXT},
    "nested": {"a": {"b": [{"c": TEXT}]}},
    "text": TEXT,
    "empty text": "",
}


NUMBERS: Final = ("number", "nought", "negative", "fraction", "huge")


def wrong(*right: str) -> list[Any]:
    """Return every wrong value, less the kinds that are right here."""
    return [value for name, value in WRONG.items() if name not in right]


def code_of(act: Callable[[], object]) -> Code:
    with pytest.raises(AnswerRefused) as refused:
        act()
    # The refusal quotes nothing of what was told.
    assert TEXT not in str(refused.value).split()
    return refused.value.code


# --- the ID token

MOMENT: Final = ("number", "fraction")
MADE: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("iss", "aud", "azp", "exp", "iat", "nonce", "at_hash", "events"), ()),
    **dict.fromkeys(("nbf", "auth_time"), (*MOMENT, "nought")),
    "sub": ("text",),
    "acr": ("text", "empty text"),
    "amr": ("list", "empty list"),
    "sid": ("text", "empty text"),
}
"""What says how an ID token was made, and the kinds above that are right for it."""


@pytest.mark.parametrize("claim", MADE)
def test_a_claim_that_says_how_the_token_was_made(there: House, claim: str) -> None:
    for value in wrong(*MADE[claim]):
        there.provider.edit_claims = telling(**{claim: value})
        assert code_of(there.login).value.startswith("oidc."), value
    assert there.provider.count("/userinfo") == 0


PERSON: Final = ("given_name", "family_name", "email", "title", "rne", "FrEduRne", "FrEduFonctAdm", "FrEduUrlRetour")


@pytest.mark.parametrize("source", ["id_token", "userinfo"])
def test_a_claim_that_says_who_the_person_is_has_no_value(there: House, source: str) -> None:
    for value in wrong("text", "list", *NUMBERS):
        told = dict.fromkeys(PERSON, value)
        if source == "id_token":
            there.provider.edit_claims = telling(**told)
        else:
            there.provider.person.update(told)
        arrival = there.login()
        _is_text(arrival)
        assert (arrival.given_name, arrival.family_name, arrival.email) == ("", "", "")
        assert not set(PERSON) & set(arrival.attributes)


def test_a_number_is_the_text_of_it_and_a_fraction_is_no_value(there: House) -> None:
    """A code such as `codaca` comes as a text or as a number."""
    for value in (WRONG[name] for name in NUMBERS):
        there.provider.edit_claims = telling(title=value)
        arrival = there.login()
        _is_text(arrival)
        assert arrival.attributes.get("title") == (None if isinstance(value, float) else (str(value),))


def test_what_tells_people_apart_is_a_text(provider: Provider, clock: ManualClock) -> None:
    there = house(provider, clock, subject_attribute="ct-remote-user")
    for value in wrong("number", "huge", "nought", "negative", "text", "list"):
        provider.person["ct-remote-user"] = value
        assert code_of(there.login) is Code.ATTRIBUTE_MISSING


def _is_text(arrival: Arrival) -> None:
    for field in fields(arrival):
        value = getattr(arrival, field.name)
        assert value is None or isinstance(value, str | bool | datetime | tuple) or field.name == "attributes"
    for values in arrival.attributes.values():
        assert isinstance(values, tuple)
        assert all(isinstance(each, str) for each in values)


# --- the userinfo, the header of a token, the answer with the tokens


def test_the_person_of_the_userinfo(there: House) -> None:
    for value in wrong():
        there.provider.edit_userinfo = telling(sub=value)
        assert code_of(there.login) is Code.OIDC_USERINFO


@pytest.mark.parametrize("member", ["iss", "aud", "exp", "events"])
def test_a_claim_of_a_signed_userinfo(there: House, member: str) -> None:
    there.provider.signed_userinfo = True
    for value in wrong():
        there.provider.edit_userinfo = telling(**{member: value})
        assert code_of(there.login).value.startswith("oidc."), value


def _signed_as_it_is(header: Document, claims: Document) -> str:
    """Return a token with a genuine signature, whatever its header holds: the library that signs would refuse some."""
    told = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    private = rsa_key().private_key
    assert private is not None
    signature = private.sign(told.encode(), PKCS1v15(), SHA256())
    return f"{told}.{base64url(signature)}"


@pytest.mark.parametrize("member", ["alg", "typ", "kid", "crit", "b64"])
def test_a_member_of_the_header(there: House, member: str) -> None:
    there.provider.sign = _signed_as_it_is
    for value in wrong(*(("null",) if member == "kid" else ())):
        there.provider.edit_header = telling(**{member: value})
        assert code_of(there.login).value.startswith("oidc."), value
    there.provider.edit_header = lambda _header: None
    assert there.login().subject == "person-1", "it is the member, and not the signature"


@pytest.mark.parametrize("member", ["jku", "jwk", "x5u", "x5c", "x5t", "cty", "anything"])
def test_a_member_of_the_header_that_is_not_read(there: House, member: str) -> None:
    """It changes nothing; where its type is wrong even for who does not read it, the token may be refused."""
    there.provider.sign = _signed_as_it_is
    for value in wrong():
        there.provider.edit_header = telling(**{member: value})
        if member == "anything":
            assert there.login().subject == "person-1"
            continue
        try:
            assert there.login().subject == "person-1"
        except AnswerRefused as refused:
            assert refused.code is Code.OIDC_SIGNATURE  # noqa: PT017 -- either is right
    assert {seen.path for seen in there.provider.seen} <= {
        *("/.well-known/openid-configuration", "/keys", "/token", "/userinfo")
    }


@pytest.mark.parametrize("member", ["id_token", "access_token", "token_type"])
def test_a_member_of_the_answer_with_the_tokens(there: House, member: str) -> None:
    for value in wrong(*(("text",) if member == "access_token" else ())):
        there.provider.edit_tokens = telling(**{member: value})
        assert code_of(there.login) is Code.OIDC_TOKEN_RESPONSE, value


# --- what the portal publishes


@pytest.mark.parametrize(
    "member",
    [
        *("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"),
        *("end_session_endpoint", "response_types_supported"),
    ],
)
def test_a_member_of_the_discovery_document(provider: Provider, clock: ManualClock, member: str) -> None:
    for value in wrong():
        provider.edit_discovery = telling(**{member: value})
        assert code_of(house(provider, clock).login) is Code.OIDC_DISCOVERY, value


def test_only_true_announces_the_issuer_of_an_answer(provider: Provider, clock: ManualClock) -> None:
    for value in wrong("true"):
        provider.edit_discovery = telling(authorization_response_iss_parameter_supported=value)
        there = house(provider, clock)
        answer = there.leave()
        answer.pop("iss", None)
        there.come_back(answer)


def test_a_set_of_keys_that_is_none(provider: Provider, clock: ManualClock) -> None:
    for value in wrong():
        provider.replies["/keys"] = lambda value=value: Answer.json({"keys": value})  # type: ignore[misc]
        assert code_of(house(provider, clock).login) in (Code.OIDC_KEYS, Code.OIDC_SIGNATURE), value


@pytest.mark.parametrize("member", ["kty", "n", "e", "kid", "alg", "use", "key_ops", "x5c", "x5t"])
def test_a_key_with_a_wrong_member_breaks_no_other(provider: Provider, clock: ManualClock, member: str) -> None:
    others = [{**public(rsa_key("other")), member: value} for value in wrong()]
    provider.published = [*others, public(provider.key)]
    assert house(provider, clock).login().subject == "person-1"
    # ... and none of them has taken its place.
    provider.published = others
    assert code_of(house(provider, clock).login) in (Code.OIDC_SIGNATURE, Code.OIDC_KEYS)


# --- a logout

OF_LOGOUT: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("iss", "aud", "iat", "exp", "events", "nonce"), ()),
    "nbf": (*MOMENT, "nought"),
    "jti": ("text",),
    "sub": ("text",),
    "sid": ("text", "empty text"),
}


@pytest.mark.parametrize("claim", OF_LOGOUT)
def test_a_claim_of_a_logout_token(there: House, claim: str) -> None:
    for value in wrong(*OF_LOGOUT[claim]):
        with pytest.raises(AnswerRefused) as refused:
            _told(there, **{claim: value})
        assert refused.value.code.value.startswith("oidc."), value


def test_an_order_names_a_session_by_a_name_as_long_as_a_login_takes(there: House) -> None:
    longest = "x" * 2048
    frame = Request("GET", "/arena-paris/fin/cadre", urlencode({"iss": there.portal.issuer, "sid": longest}).encode())
    for order in (_told(there, sid=longest), there.portal.logout_asked(frame, LogoutWay.FRAME, there.clock.now())):
        assert order is not None
        assert order.portal_sessions == (longest,)
    with pytest.raises(AnswerRefused, match="too long"):
        _told(there, sid=longest + "x")
    with pytest.raises(AnswerRefused, match="names no session"):
        there.portal.logout_asked(
            replace(frame, query_string=frame.query_string + b"x"), LogoutWay.FRAME, there.clock.now()
        )


def _told(there: House, **claims: object) -> LogoutOrder | None:
    provider = there.provider
    now = int(provider.now.timestamp())
    plain: Document = {"iss": provider.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 120, "jti": "one"}
    plain |= {"events": {EVENT: {}}, "sub": "person-1", "sid": "session-of-the-portal"}
    token = provider.sign({"alg": provider.alg, "kid": provider.key.kid, "typ": "logout+jwt"}, {**plain, **claims})
    form = {"content-type": "application/x-www-form-urlencoded"}
    message = Request("POST", "/arena-paris/fin/canal", b"", form, f"logout_token={token}".encode())
    return there.portal.logout_asked(message, LogoutWay.CHANNEL, there.clock.now())


def test_with_nothing_wrong_they_are_taken(there: House) -> None:
    """Else all of the above would hold of a portal that refuses everything."""
    assert there.login().subject == "person-1"
    assert _told(there) is not None
    there.provider.signed_userinfo = True
    assert there.login().subject == "person-1"
