"""The answer, before anything of it is used: state, issuer, error, code."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from imagin_gateway.errors import AnswerRefused, Code, FlowLost, GatewayError, RequestRefused, Unavailable
from imagin_gateway.exchange import Request
from imagin_gateway.providers.oidc.portal import OidcPortal
from tests.clock import ManualClock
from tests.providers.oidc.journey import DOOR, ISSUER, REDIRECT_URI, House, configured, house, new_provider
from tests.providers.oidc.provider import Provider


def refused(call: Callable[[], object]) -> GatewayError:
    """Return how a call is refused."""
    with pytest.raises(GatewayError) as caught:
        call()
    return caught.value


def calls(provider: Provider) -> int:
    """Return how many requests with a code or a token the provider saw."""
    return provider.count("/token") + provider.count("/userinfo")


# --- state


def test_a_good_answer_is_the_person_it_names(there: House) -> None:
    arrival = there.login()
    assert (arrival.issuer, arrival.subject, arrival.method) == (ISSUER, "person-1", "oidc")
    assert arrival.solicited


@pytest.mark.parametrize("state", [None, "", "x" * 257])
def test_without_a_state_nothing_is_looked_up_nor_asked(there: House, state: str | None) -> None:
    answer = there.leave()
    del answer["state"]
    error = refused(lambda: there.come_back(answer if state is None else {**answer, "state": state}))
    assert (type(error), error.code) == (AnswerRefused, Code.OIDC_STATE)
    assert there.memories.asked == []
    assert calls(there.provider) == 0


def test_a_state_of_nobody_is_refused_and_nothing_is_asked(there: House) -> None:
    answer = there.leave()
    error = refused(lambda: there.come_back({**answer, "state": "A" * 43}))
    assert (type(error), error.code) == (FlowLost, Code.FLOW_UNKNOWN)
    assert calls(there.provider) == 0


def test_a_state_is_good_once(there: House) -> None:
    answer = there.leave()
    there.come_back(answer)
    before = calls(there.provider)
    assert isinstance(refused(lambda: there.come_back(answer)), FlowLost)
    assert calls(there.provider) == before


def test_the_state_is_spent_by_whatever_comes_with_it(there: House) -> None:
    answer = there.leave()
    refused(lambda: there.come_back({**answer, "iss": "https://evil.example"}))
    assert isinstance(refused(lambda: there.come_back(answer)), FlowLost)


def test_the_state_comes_before_every_other_check(there: House) -> None:
    wrong = {"state": "unknown", "iss": "https://evil.example", "error": "access_denied", "code": ""}
    assert isinstance(refused(lambda: there.come_back(wrong)), FlowLost)
    assert there.memories.asked == ["unknown"]
    assert there.provider.seen == []


def test_a_memory_of_another_protocol_is_no_memory(there: House) -> None:
    answer = there.leave()
    there.memories.kept[answer["state"]] = {"request": "id-of-a-saml-request"}
    assert isinstance(refused(lambda: there.come_back(answer)), FlowLost)
    assert calls(there.provider) == 0


def test_an_answer_by_post_is_not_read(there: House) -> None:
    answer = there.leave()
    error = refused(lambda: there.come_back(answer, method="POST"))
    assert (type(error), error.code) == (RequestRefused, Code.METHOD_NOT_ALLOWED)
    assert there.memories.asked == []


@pytest.mark.parametrize("repeated", ["state", "code", "iss"])
def test_a_repeated_parameter_is_refused_before_the_state_is_spent(there: House, repeated: str) -> None:
    answer = there.leave()
    query = "&".join(f"{name}={value}" for name, value in [*answer.items(), (repeated, answer[repeated])])
    request = Request("GET", "/", query.encode())
    error = refused(lambda: there.portal.arrive(request, there.memories, there.clock.now()))
    assert error.code is Code.PARAMETER_REPEATED
    assert there.memories.asked == []


# --- issuer of the answer (RFC 9207)


@pytest.mark.row("OID-18")
@pytest.mark.parametrize(
    "iss", ["https://evil.example", ISSUER + "/", ISSUER.upper(), ISSUER.replace("https", "http"), "", ISSUER + "%20"]
)
@pytest.mark.parametrize("announced", [True, False])
def test_an_answer_of_another_issuer_is_refused_and_no_token_asked(
    provider: Provider, clock: ManualClock, iss: str, announced: bool
) -> None:
    provider.edit_discovery = lambda document: document.update(authorization_response_iss_parameter_supported=announced)
    there = house(provider, clock)
    answer = there.leave()
    error = refused(lambda: there.come_back({**answer, "iss": iss}))
    assert error.code is Code.OIDC_ISSUER
    assert calls(provider) == 0


@pytest.mark.row("OID-18")
def test_an_answer_that_does_not_say_its_issuer_though_announced_is_refused(there: House) -> None:
    answer = there.leave()
    del answer["iss"]
    assert refused(lambda: there.come_back(answer)).code is Code.OIDC_ISSUER
    assert calls(there.provider) == 0


@pytest.mark.row("OID-18")
def test_an_error_that_does_not_say_its_issuer_though_announced_is_refused_as_such(there: House) -> None:
    state = there.leave()["state"]
    assert refused(lambda: there.come_back({"state": state, "error": "access_denied"})).code is Code.OIDC_ISSUER


@pytest.mark.row("OID-18")
@pytest.mark.parametrize("announced", [False, None, "true", 1])
def test_a_provider_that_does_not_announce_it_may_leave_the_issuer_out(
    provider: Provider, clock: ManualClock, announced: object
) -> None:
    provider.edit_discovery = lambda document: document.update(authorization_response_iss_parameter_supported=announced)
    there = house(provider, clock)
    answer = there.leave()
    answer.pop("iss", None)
    assert there.come_back(answer).subject == "person-1"


@pytest.mark.row("OID-18")
def test_mix_up_the_code_of_one_provider_never_reaches_the_other(clock: ManualClock) -> None:
    honest, evil = new_provider(clock), new_provider(clock, "https://evil.example")
    there = house(honest, clock)
    elsewhere = house(evil, clock)
    answer = there.leave()
    # The person began at the evil provider, which sent them on to the honest one.
    began = elsewhere.leave()
    error = refused(lambda: elsewhere.come_back({**answer, "state": began["state"]}))
    assert error.code is Code.OIDC_ISSUER
    assert calls(honest) == calls(evil) == 0


# --- cross-delivery


def test_an_answer_delivered_at_another_portal_is_refused_and_no_token_asked(clock: ManualClock) -> None:
    paris, versailles = new_provider(clock), new_provider(clock, "https://oidc.ac-versailles.example")
    versailles.redirect_uri = REDIRECT_URI.replace("paris", "versailles")
    one, other = house(paris, clock), house(versailles, clock)
    other.memories = one.memories  # a memory that does not tell portals apart
    other.portal.depart(clock.now())
    answer = one.leave()
    for delivered in (answer, {**answer, "iss": versailles.issuer}):
        one.memories.kept[answer["state"]] = one.memories.kept.get(answer["state"]) or {
            "door": DOOR,
            "issuer": ISSUER,
            "nonce": "n",
            "verifier": "v",
        }
        assert refused(lambda delivered=delivered: other.come_back(delivered)).code is Code.ROUTE_MISMATCH  # type: ignore[misc]  # default binds the loop variable
    assert calls(paris) == calls(versailles) == 0


def test_two_doors_of_one_issuer_do_not_take_each_others_answers(there: House, provider: Provider) -> None:
    twin = OidcPortal.open(
        "arena-creteil",
        configured(),
        redirect_uri=REDIRECT_URI.replace("paris", "creteil"),
        development=False,
        transport=provider.transport(),
    )
    answer = there.leave()
    there.portal = twin
    assert refused(lambda: there.come_back(answer)).code is Code.ROUTE_MISMATCH
    assert calls(provider) == 0


# --- errors and codes


@pytest.mark.parametrize(
    ("error", "statuses"),
    [
        ("access_denied", ("access_denied",)),
        ("login_required", ("login_required",)),
        ("<script>alert(1)</script>", ()),
        ("x" * 65, ()),
        ("a\r\nb", ()),
        ("", ()),
    ],
)
def test_an_error_is_told_by_its_name_and_its_description_is_not_kept(
    there: House, error: str, statuses: tuple[str, ...]
) -> None:
    state = there.leave()["state"]
    answer = {"state": state, "iss": ISSUER, "error": error, "error_description": "<b>canary</b>", "code": "abc"}
    caught = refused(lambda: there.come_back(answer))
    assert isinstance(caught, AnswerRefused)
    assert caught.code is Code.PORTAL_REFUSED
    assert caught.statuses == statuses
    assert "canary" not in f"{caught!r} {caught} {vars(caught)}"
    assert calls(there.provider) == 0


@pytest.mark.parametrize("error", ["server_error", "temporarily_unavailable"])
def test_an_error_of_the_portal_itself_is_an_outage(there: House, error: str) -> None:
    state = there.leave()["state"]
    with pytest.raises(Unavailable) as unavailable:
        there.come_back({"state": state, "iss": ISSUER, "error": error})
    assert unavailable.value.code is Code.PORTAL_UNAVAILABLE
    # Only once it is known whose answer it is.
    assert refused(lambda: there.come_back({"iss": ISSUER, "error": error})).code is Code.OIDC_STATE
    state = there.leave()["state"]
    answer = {"state": state, "iss": "https://evil.example", "error": error}
    assert refused(lambda: there.come_back(answer)).code is Code.OIDC_ISSUER
    assert calls(there.provider) == 0


@pytest.mark.parametrize("code", [None, "", "a\x1fb", "é", "x" * 4097])
def test_an_answer_without_a_usable_code_is_refused(there: House, code: str | None) -> None:
    answer = there.leave()
    del answer["code"]
    error = refused(lambda: there.come_back(answer if code is None else {**answer, "code": code}))
    assert error.code is Code.OIDC_CODE
    assert calls(there.provider) == 0


def test_a_bare_code_that_nobody_asked_for_is_refused(there: House) -> None:
    assert refused(lambda: there.come_back({"code": "abc", "iss": ISSUER})).code is Code.OIDC_STATE
    assert there.provider.seen == []


def test_a_failure_of_our_memory_is_passed_on_as_it_is(there: House) -> None:
    answer = there.leave()
    request = Request("GET", "/", f"state={answer['state']}&code=x".encode())

    def broken(_: str) -> dict[str, str]:
        raise FlowLost("another browser", code=Code.FLOW_OTHER_BROWSER)

    error = refused(lambda: there.portal.arrive(request, broken, there.clock.now()))
    assert error.code is Code.FLOW_OTHER_BROWSER
