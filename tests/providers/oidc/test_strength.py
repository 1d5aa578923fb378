"""How strongly, and how long ago, somebody was authenticated: asked for, then checked on what came back."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.portal import Arrival
from tests.clock import ManualClock
from tests.providers.oidc.journey import ABSENT, House, house, refusal, telling
from tests.providers.oidc.provider import Provider


def asking(provider: Provider, clock: ManualClock, **config: Any) -> House:
    return house(provider, clock, **config)


def asked(there: House) -> dict[str, list[str]]:
    return parse_qs(urlsplit(there.portal.depart(there.clock.now()).url).query)


@pytest.mark.row("OID-26")
@pytest.mark.parametrize("told", [ABSENT, "eidas0", "", "EIDAS2", "eidas2 "])
def test_another_context_class_or_none_is_too_weak(provider: Provider, clock: ManualClock, told: object) -> None:
    there = asking(provider, clock, required_acr=("eidas2", "eidas3"))
    provider.edit_claims = telling(acr=told)
    assert refusal(there) is Code.OIDC_STRENGTH


@pytest.mark.parametrize(
    ("acr", "amr", "statuses"),
    [("eidas1", ["otp"], ("eidas1",)), (ABSENT, ["otp"], ()), ("eidas2", ["pwd", "sms"], ("pwd", "sms"))],
)
def test_what_was_proved_instead_is_told(
    provider: Provider, clock: ManualClock, acr: object, amr: list[str], statuses: tuple[str, ...]
) -> None:
    there = asking(provider, clock, required_acr=("eidas2",), required_amr=("otp",))
    provider.edit_claims = telling(acr=acr, amr=amr)
    with pytest.raises(AnswerRefused) as refused:
        there.login()
    assert (refused.value.code, refused.value.statuses) == (Code.OIDC_STRENGTH, statuses)


@pytest.mark.row("OID-26")
@pytest.mark.parametrize("told", ["eidas2", "eidas3"])
def test_one_of_the_context_classes_is_enough(provider: Provider, clock: ManualClock, told: str) -> None:
    there = asking(provider, clock, required_acr=("eidas2", "eidas3"))
    provider.edit_claims = telling(acr=told)
    assert there.login().acr == told


@pytest.mark.row("OID-26")
@pytest.mark.parametrize("told", [ABSENT, [], ["pwd"], ["otp"], ["PWD", "OTP"]])
def test_a_method_that_is_not_told_was_not_used(provider: Provider, clock: ManualClock, told: object) -> None:
    there = asking(provider, clock, required_amr=("pwd", "otp"))
    provider.edit_claims = telling(amr=told)
    assert refusal(there) is Code.OIDC_STRENGTH
    provider.edit_claims = telling(amr=["otp", "pwd", "mfa"])
    assert there.login().amr == ("otp", "pwd", "mfa")


@pytest.mark.row("OID-26")
@pytest.mark.parametrize("age", [0, 1, 300])
def test_max_age_is_asked_for_and_the_time_of_authentication_is_checked(
    provider: Provider, clock: ManualClock, age: int
) -> None:
    there = asking(provider, clock, max_age_seconds=age, leeway_seconds=30)
    assert asked(there)["max_age"] == [str(age)]
    now = int(clock.now().timestamp())
    for told in (ABSENT, now - age - 31, now - 86400):
        provider.edit_claims = telling(auth_time=told)
        assert refusal(there) is Code.OIDC_RECENCY
    provider.edit_claims = telling(auth_time=now + 31)
    assert refusal(there) is Code.OIDC_TIME
    for told in (now, now - age, now - age - 30):
        provider.edit_claims = telling(auth_time=told)
        assert there.login().authenticated_at.timestamp() == told


@pytest.mark.row("OID-26")
def test_what_is_not_required_may_be_absent(there: House) -> None:
    there.provider.edit_claims = telling(acr=ABSENT, amr=ABSENT, auth_time=ABSENT)
    arrival = there.login()
    assert (arrival.acr, arrival.amr) == (None, ())
    assert "max_age" not in asked(there)
    assert "acr_values" not in asked(there)
    assert "claims" not in asked(there)


@pytest.mark.row("OID-26")
def test_context_classes_are_asked_for_in_the_way_of_the_provider(provider: Provider, clock: ManualClock) -> None:
    there = asking(provider, clock, acr_values=("eidas2", "eidas1"))
    assert asked(there)["acr_values"] == ["eidas2 eidas1"]
    there = asking(provider, clock, acr_values=("eidas2", "eidas1"), acr_request="claims")
    (claims,) = asked(there)["claims"]
    assert json.loads(claims) == {"id_token": {"acr": {"essential": True, "values": ["eidas2", "eidas1"]}}}
    assert "acr_values" not in asked(there)


@pytest.mark.parametrize(("configured", "told"), [(0, "0"), (10, "10"), (3600, "30")])
def test_asked_anew_the_age_is_never_more_than_that_of_the_settings(
    provider: Provider, clock: ManualClock, configured: int, told: str
) -> None:
    there = asking(provider, clock, max_age_seconds=configured)
    url = there.portal.depart(there.clock.now(), anew=True).url
    assert parse_qs(urlsplit(url).query)["max_age"] == [told]


@pytest.mark.row("OID-26", "SES-19")
def test_asked_anew_the_provider_must_tell_that_it_checked_the_credentials_since(there: House) -> None:
    asked_anew = parse_qs(urlsplit(there.portal.depart(there.clock.now(), anew=True).url).query)
    assert (asked_anew["prompt"], asked_anew["max_age"]) == (["login"], ["30"])
    assert "prompt" not in asked(there)

    def login_anew(told: object) -> Arrival:
        there.provider.now = there.clock.now()
        departure = there.portal.depart(there.clock.now(), anew=True)
        there.memories.keep(departure)
        there.provider.edit_claims = telling(auth_time=told)
        answer = there.provider.authorize(departure.url)
        there.clock.move(60)
        return there.come_back(answer)

    for late in (ABSENT, -31, -3600):
        now = int(there.clock.now().timestamp())
        with pytest.raises(AnswerRefused) as refused:
            login_anew(now + late if isinstance(late, int) else late)
        assert refused.value.code is Code.OIDC_RECENCY
    now = int(there.clock.now().timestamp())
    arrival = login_anew(now + 10)
    assert arrival.proved_at is not None
    assert arrival.proved_at.timestamp() == now + 10


def test_a_provider_that_tells_no_time_of_authentication_proves_none(there: House) -> None:
    there.provider.edit_claims = telling(auth_time=ABSENT)
    assert there.login().proved_at is None
