"""What the token endpoint answers."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.keys import Secret
from tests.clock import ManualClock
from tests.providers.oidc.journey import ABSENT, House, house, telling
from tests.providers.oidc.provider import CLIENT_ID, CLIENT_SECRET, Answer, Document, Provider, sign


@pytest.mark.parametrize(
    "tokens",
    [
        {"id_token": ABSENT},
        {"id_token": None},
        {"id_token": ""},
        {"id_token": 5},
        {"id_token": ["a.b.c"]},
        {"id_token": "not a token"},
        {"id_token": "é.é.é"},
        {"id_token": "a.b"},
        {"id_token": "a.b.c.d.e"},
        {"id_token": ".."},
        {"id_token": "x" * 300_000},
        {"access_token": ABSENT},
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "a\r\nX-Injected: 1"},
        {"access_token": "a b"},
        {"token_type": ABSENT},
        {"token_type": "DPoP"},
        {"token_type": ["Bearer"]},
        {"error": "invalid_grant"},
    ],
)
def test_a_token_response_that_is_none_is_refused(there: House, tokens: dict[str, object]) -> None:
    there.provider.edit_tokens = telling(**tokens)
    with pytest.raises(AnswerRefused) as refused:
        there.login()
    assert refused.value.code is Code.OIDC_TOKEN_RESPONSE
    assert there.provider.count("/userinfo") == 0


def test_the_type_of_the_access_token_is_bearer_in_any_case(there: House) -> None:
    there.provider.edit_tokens = telling(token_type="bEARER")
    assert there.login().subject == "person-1"


def test_a_payload_that_repeats_a_claim_is_refused(provider: Provider, there: House) -> None:
    provider.sign = lambda header, claims: sign(header, b'{"sub":"person-1","sub":"person-2"}', provider.key)
    with pytest.raises(AnswerRefused) as refused:
        there.login()
    assert refused.value.code is Code.OIDC_TOKEN_RESPONSE


@pytest.mark.parametrize("status", [201, 206, 400, 401, 403])
def test_tokens_that_come_with_a_refusal_are_not_used(there: House, status: int) -> None:
    answer = there.leave()
    seen: list[Document] = []
    there.provider.edit_tokens = lambda tokens: seen.append(dict(tokens))
    honest = there.provider.handle("POST", "/token", *_copied(there, answer))
    assert honest.status == 200
    there.provider.replies["/token"] = lambda: Answer.json(seen[0], status)
    with pytest.raises(AnswerRefused) as refused:
        there.come_back(answer)
    assert refused.value.code is Code.OIDC_TOKEN_RESPONSE


def _copied(there: House, answer: dict[str, str]) -> tuple[dict[str, str], str]:
    """Return the headers and the body of the token request that this answer leads to."""
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": there.provider.redirect_uri,
        "code_verifier": there.memories.kept[answer["state"]]["verifier"],
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }
    return {}, urlencode(form)


def test_a_wrong_client_secret_is_told_by_the_name_of_the_error(provider: Provider, clock: ManualClock) -> None:
    there = house(provider, clock, client_secret=Secret("wrong"))
    with pytest.raises(AnswerRefused) as refused:
        there.login()
    assert (refused.value.code, refused.value.statuses) == (Code.OIDC_TOKEN_RESPONSE, ("invalid_client",))


PAGE = b"<!doctype html><p>Unauthorized"


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Answer(401, PAGE, "text/html"), "401"),
        (Answer(403, b""), "403"),
        (Answer.json({"message": "no"}, 400), "400"),
        (Answer.json({"error": "Un mot de passe ?"}, 401), "401"),
        (Answer.json({"error": "invalid_client"}, 401), "invalid_client"),
    ],
)
def test_a_refusal_in_words_of_the_providers_own_is_told_by_its_status(there: House, reply: Answer, told: str) -> None:
    """RFC 6749 §5.2 wants JSON; a server before the provider, or its framework, answers a page."""
    there.provider.replies["/token"] = lambda: reply
    with pytest.raises(AnswerRefused, match="refuses the code") as refused:
        there.login()
    assert (refused.value.code, refused.value.statuses) == (Code.OIDC_TOKEN_RESPONSE, (told,))


def test_a_success_that_is_a_page_is_not_a_refusal(there: House) -> None:
    there.provider.replies["/token"] = lambda: Answer(200, PAGE, "text/html")
    with pytest.raises(AnswerRefused, match="not a JSON object") as refused:
        there.login()
    assert (refused.value.code, refused.value.statuses) == (Code.OIDC_TOKEN_RESPONSE, ())


def test_a_token_that_is_encrypted_is_told_as_that(there: House) -> None:
    """RFC 7516 §7.1: five parts. What a client is registered for; nothing here reads it."""
    there.provider.edit_tokens = telling(id_token="a.b.c.d.e")
    with pytest.raises(AnswerRefused, match="encrypted") as refused:
        there.login()
    assert refused.value.code is Code.OIDC_TOKEN_RESPONSE
