"""What the provider tells beyond the ID token."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from joserfc import jwe

from imagin_gateway.errors import AnswerRefused, Code, Unavailable
from imagin_gateway.providers.oidc.userinfo import about_the_person
from tests.clock import ManualClock
from tests.providers.oidc.journey import House, house
from tests.providers.oidc.provider import CLIENT_ID, Answer, Document, Provider, base64url, rsa_key, sign, unsigned


def refusal(there: House) -> Code:
    with pytest.raises(AnswerRefused) as refused:
        there.login()
    return refused.value.code


@pytest.fixture(params=["json", "jwt"])
def told(request: pytest.FixtureRequest, provider: Provider, clock: ManualClock) -> House:
    """A portal whose provider answers as JSON, then as a signed token."""
    provider.signed_userinfo = request.param == "jwt"
    return house(provider, clock)


@pytest.mark.row("OID-24")
def test_the_access_token_stands_in_the_authorization_header_and_nowhere_else(told: House) -> None:
    told.login()
    seen = told.provider.last("/userinfo")
    token = seen.headers["authorization"].removeprefix("Bearer ")
    assert token in told.provider.access
    assert (seen.method, seen.query, seen.body) == ("GET", "", "")
    assert not any(token in f"{other.query}{other.body}{other.headers}" for other in told.provider.seen[:-1])


@pytest.mark.row("OID-10")
@pytest.mark.parametrize("sub", ["person-2", "PERSON-1", "person-1 ", "", None, 1, ["person-1"]])
def test_the_userinfo_of_somebody_else_is_refused(told: House, sub: object) -> None:
    told.provider.edit_userinfo = lambda claims: claims.update(sub=sub)
    assert refusal(told) is Code.OIDC_USERINFO


@pytest.mark.row("OID-10")
def test_a_userinfo_that_names_nobody_is_refused(told: House) -> None:
    told.provider.edit_userinfo = lambda claims: claims.pop("sub")
    assert refusal(told) is Code.OIDC_USERINFO


@pytest.mark.row("OID-10")
def test_an_access_token_that_is_not_the_one_of_the_id_token_is_never_used(told: House) -> None:
    told.provider.edit_claims = lambda claims: claims.update(at_hash=base64url(b"x" * 16))
    assert refusal(told) is Code.OIDC_AT_HASH
    assert told.provider.count("/userinfo") == 0


@pytest.mark.row("OID-15")
def test_both_sources_give_the_same_person(provider: Provider, clock: ManualClock) -> None:
    arrivals = []
    for in_the_token in (True, False):
        provider.id_token_tells_the_person = in_the_token
        provider.edit_discovery = lambda document, gone=in_the_token: gone and document.pop("userinfo_endpoint")  # type: ignore[misc]  # default binds the loop variable
        arrivals.append(house(provider, clock).login())
    assert provider.count("/userinfo") == 1
    told = [replace(arrival, logout_hint="") for arrival in arrivals]  # the ID tokens themselves are two
    assert told[0] == told[1]
    assert arrivals[0].family_name == "Lefèvre"


def test_what_was_signed_comes_before_what_was_not(provider: Provider, there: House) -> None:
    provider.id_token_tells_the_person = True
    provider.edit_userinfo = lambda claims: claims.update(email="another@ac-paris.fr")
    assert there.login().email == "elodie.lefevre@ac-paris.fr"


def test_the_userinfo_cannot_speak_about_the_token(provider: Provider, there: House) -> None:
    provider.edit_claims = lambda claims: [claims.pop(name) for name in ("acr", "amr", "sid", "auth_time")]
    provider.edit_userinfo = lambda claims: claims.update(
        acr="eidas3", amr=["mfa"], sid="x", auth_time=1, iss="https://evil.example", nonce="n"
    )
    arrival = there.login()
    assert (arrival.acr, arrival.amr, arrival.portal_session) == (None, (), "")
    assert arrival.authenticated_at == there.clock.now()
    assert not {"acr", "amr", "sid", "iss", "nonce", "aud"} & arrival.attributes.keys()


def test_claims_about_the_token_are_not_about_the_person() -> None:
    token = {"iss": "i", "sub": "s", "nonce": "n", "events": {}, "sid": "x", "_claim_sources": {}, "ctln": "Lefèvre"}
    assert about_the_person(token, {"aud": "a", "acr": "b", "_claim_names": {}, "ctfn": "Élodie"}) == {
        "ctln": "Lefèvre",
        "ctfn": "Élodie",
    }


@pytest.mark.parametrize(
    "answer",
    [
        Answer(401, b'{"error":"invalid_token"}'),
        Answer(204),
        Answer(body=b""),
        Answer(body=b"[]"),
        Answer(body=b"null"),
        Answer(body=b'{"sub":"person-1"', content_type="application/json"),
        Answer(body=b'{"sub":"x","sub":"person-1"}'),
        Answer(body=b'{"sub":"person-1"}', content_type="text/html"),
        Answer(body=b'{"sub":"person-1"}', content_type=""),
        Answer(body=b'{"sub":"person-1"}', content_type="application/jwt"),
        Answer(body="é.é.é".encode(), content_type="application/jwt"),
    ],
)
def test_a_userinfo_that_is_none_is_refused(there: House, answer: Answer) -> None:
    there.provider.replies["/userinfo"] = lambda: answer
    assert refusal(there) is Code.OIDC_USERINFO


def test_a_userinfo_that_is_encrypted_or_refused_is_told_as_that(there: House) -> None:
    """Core §5.3.2 has it signed, encrypted, or both, as the client was registered."""
    encrypted = jwe.encrypt_compact({"alg": "RSA-OAEP", "enc": "A128GCM"}, b'{"sub":"person-1"}', rsa_key("ours"))
    there.provider.replies["/userinfo"] = lambda: Answer(body=encrypted.encode(), content_type="application/jwt")
    with pytest.raises(AnswerRefused, match="is encrypted") as refused:
        there.login()
    assert refused.value.code is Code.OIDC_USERINFO
    there.provider.replies["/userinfo"] = lambda: Answer(403)
    with pytest.raises(AnswerRefused) as refused:
        there.login()
    assert (refused.value.code, refused.value.statuses) == (Code.OIDC_USERINFO, ("403",))


def test_a_userinfo_that_fails_makes_the_portal_unavailable(there: House) -> None:
    there.provider.replies["/userinfo"] = lambda: Answer(500)
    with pytest.raises(Unavailable):
        there.login()


def test_parameters_of_the_content_type_do_not_matter(there: House) -> None:
    there.provider.replies["/userinfo"] = lambda: Answer(
        body=b'{"sub":"person-1"}', content_type="Application/JSON; charset=UTF-8"
    )
    assert there.login().email == ""


# --- as a signed token


@pytest.fixture
def signed(provider: Provider, clock: ManualClock) -> House:
    provider.signed_userinfo = True
    return house(provider, clock)


def userinfo_only(there: House, call: Any) -> None:
    """Let the ID token be honest, and the userinfo be signed by `call`."""
    honest = there.provider.sign

    def signing(header: Document, claims: Document) -> str:
        return str(honest(header, claims) if "nonce" in claims else call(header, claims))

    there.provider.sign = signing


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (unsigned, Code.OIDC_ALGORITHM),
        (lambda header, claims: sign(header, claims, rsa_key("attacker")), Code.OIDC_SIGNATURE),
        (lambda header, claims: sign({**header, "typ": "at+jwt"}, claims, rsa_key()), Code.OIDC_TOKEN_TYPE),
        (lambda header, claims: sign({**header, "alg": "PS256"}, claims, rsa_key()), Code.OIDC_ALGORITHM),
        (lambda header, claims: sign(header, b"[]", rsa_key()), Code.OIDC_USERINFO),
    ],
    ids=["unsigned", "another key", "another type", "another algorithm", "no object"],
)
def test_a_signed_userinfo_is_verified_as_an_id_token_is(signed: House, call: Any, code: Code) -> None:
    userinfo_only(signed, call)
    assert refusal(signed) is code


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "other"},
        {"aud": ["other"]},
        {"aud": None},
        {"aud": {CLIENT_ID: 1}},
    ],
)
def test_a_signed_userinfo_of_another_issuer_or_for_another_client_is_refused(
    signed: House, claims: dict[str, Any]
) -> None:
    signed.provider.edit_userinfo = lambda told: told.update(claims)
    assert refusal(signed) is Code.OIDC_USERINFO


@pytest.mark.parametrize("name", ["iss", "aud"])
def test_a_signed_userinfo_need_not_repeat_by_whom_and_for_whom_it_is(signed: House, name: str) -> None:
    signed.provider.edit_userinfo = lambda told: told.pop(name)
    assert signed.login().subject


def test_a_signed_userinfo_that_has_expired_is_refused(signed: House) -> None:
    signed.provider.edit_userinfo = lambda told: told.update(exp=signed.clock.now().timestamp() - 30)
    assert refusal(signed) is Code.OIDC_TIME


def test_a_token_of_events_is_not_a_userinfo(signed: House) -> None:
    signed.provider.edit_userinfo = lambda told: told.update(events={})
    assert refusal(signed) is Code.OIDC_TOKEN_TYPE
