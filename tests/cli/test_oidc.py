"""`imagin-gateway oidc check`: everything a provider gets wrong is told in words, at once."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from imagin_gateway.providers.oidc import bounded
from imagin_gateway.providers.oidc.checkup import Finding, Verdict, examine
from imagin_gateway.providers.oidc.wire import Wire
from tests.cli.test_commands import SETTINGS, Operator, operator  # noqa: F401  # a fixture
from tests.providers.oidc.journey import configured
from tests.providers.oidc.provider import CLIENT_SECRET, Answer, Document, Provider, ec_key, public, rsa_key
from tests.providers.oidc.serving import serve

NOW = datetime.now(UTC)


@pytest.fixture
def provider() -> Iterator[Provider]:
    served = Provider("", NOW, "http://127.0.0.1:8400/connexion/portail/arena-paris/retour")
    with serve(served):
        yield served


def checked(operator: Operator, provider: Provider, more: str = "", *words: str) -> subprocess.CompletedProcess[str]:  # noqa: F811
    """Run the command against the provider."""
    file = operator.folder / "gateway.toml"
    text = file.read_text(encoding="utf-8").replace("http://127.0.0.1:1/", provider.issuer)
    file.write_text(text + more, encoding="utf-8")
    return operator.run("oidc", "check", *words)


def test_a_good_provider_is_said_to_be_good(operator: Operator, provider: Provider) -> None:  # noqa: F811
    provider.edit_discovery = lambda told: told.update(
        code_challenge_methods_supported=["S256"],
        token_endpoint_auth_methods_supported=["client_secret_basic"],
        backchannel_logout_supported=True,
    )
    done = checked(operator, provider, "unsolicited = true\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "à corriger" not in done.stdout
    for line in (
        f"bon          émetteur : {provider.issuer}",
        "bon          signature : RS256",
        "bon          clés : 1 utilisable",
        "bon          PKCE : S256",
    ):
        assert line in done.stdout
    base = "http://127.0.0.1:8400/connexion/portail/arena-paris"
    for path in ("/retour", "/fin", "/fin/canal", "/fin/cadre", "/initier"):
        assert f" {base}{path}\n" in done.stdout
    assert CLIENT_SECRET not in done.stdout + done.stderr
    assert "/token" not in [seen.path for seen in provider.seen]


def test_everything_wrong_is_told_at_once(operator: Operator, provider: Provider) -> None:  # noqa: F811
    def spoil(told: Document) -> None:
        told["issuer"] += "/"
        told["userinfo_endpoint"] = "https://evil.example/userinfo"
        told["id_token_signing_alg_values_supported"] = ["HS256", "\x1b[31mnone"]
        told["token_endpoint_auth_methods_supported"] = ["private_key_jwt"]
        told["response_types_supported"] = ["token"]
        told["code_challenge_methods_supported"] = ["plain"]
        del told["token_endpoint"]

    provider.edit_discovery = spoil
    provider.published = [public(ec_key())]
    done = checked(operator, provider)
    assert done.returncode == 1
    wrong = [
        line.split(":")[0].split("à corriger")[1].strip() for line in done.stdout.splitlines() if "à corriger" in line
    ]
    assert wrong == [
        "émetteur",
        "token_endpoint",
        "userinfo_endpoint",
        "connexion",
        "PKCE",
        "authentification du client",
        "signature",
        "clés",
    ]
    assert "\x1b" not in done.stdout


def test_a_provider_that_is_down_has_a_code_of_its_own(operator: Operator) -> None:  # noqa: F811
    done = operator.run("oidc", "check", "arena-paris")
    assert done.returncode == 4
    assert "sans réponse découverte" in done.stdout


def test_a_door_that_is_not_one_is_named(operator: Operator) -> None:  # noqa: F811
    done = operator.run("oidc", "check", "arena-creteil")
    assert (done.returncode, "portes : arena-paris" in done.stderr) == (1, True)


def found(provider: Provider, now: datetime = NOW, **config: object) -> dict[str, Finding]:
    """Look at a provider in memory."""
    section = configured(provider.issuer, **config)
    wire = Wire(frozenset({"oidc.ac-paris.example"}), plain_loopback=False, timeout=5, transport=provider.transport())
    return {each.subject: each for each in examine(section, wire, now)}


@pytest.fixture
def there() -> Provider:
    return Provider("https://oidc.ac-paris.example", NOW, "https://imagin.example/retour")


@pytest.mark.parametrize(("seconds", "verdict"), [(0, "bon"), (30, "bon"), (32, "à corriger"), (-3600, "à corriger")])
def test_a_clock_that_differs_is_told(there: Provider, seconds: int, verdict: str) -> None:
    shown = NOW.replace(microsecond=0) + timedelta(seconds=seconds)
    document = there.discovery()

    def reply() -> Answer:
        answer = Answer.json(document)
        answer.headers["Date"] = shown.strftime("%a, %d %b %Y %H:%M:%S GMT")
        return answer

    there.replies["/.well-known/openid-configuration"] = reply
    assert found(there, NOW.replace(microsecond=0))["horloge"].verdict == verdict


@pytest.mark.parametrize("told", ["", "hier", "Fri, 31 Dec 9999 23:59:59 -2300"])
def test_a_provider_that_does_not_tell_the_time_leaves_a_doubt(there: Provider, told: str) -> None:
    document = there.discovery()
    there.replies["/.well-known/openid-configuration"] = lambda: Answer(
        body=json.dumps(document).encode(), headers={"Date": told}
    )
    assert found(there)["horloge"].verdict is Verdict.DOUBT


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (lambda: Answer(404), Verdict.WRONG),
        (lambda: Answer(302, headers={"Location": "https://evil.example/"}), Verdict.WRONG),
        (lambda: Answer(200, b"<html>"), Verdict.WRONG),
        (lambda: Answer(200, b"x" * (1 << 20) + b"x"), Verdict.WRONG),
        (lambda: Answer(503), Verdict.SILENT),
    ],
)
@pytest.mark.parametrize(("path", "subject"), [("/.well-known/openid-configuration", "découverte"), ("/keys", "clés")])
def test_a_document_that_cannot_be_had_is_told(
    there: Provider, reply: Callable[[], Answer], verdict: Verdict, path: str, subject: str
) -> None:
    there.replies[path] = reply
    assert found(there)[subject].verdict is verdict


@pytest.mark.parametrize(
    ("why", "told"),
    [
        (bounded.TOO_LONG, "à temps (timeout_seconds)"),
        (bounded.NO_ADDRESS, "le DNS"),
        (bounded.NOBODY, "rien n'écoute"),
        (bounded.EXPIRED, "n'est pas valable à ce jour"),
        (bounded.OTHER_HOST, "à un autre nom"),
        (bounded.UNKNOWN_AUTHORITY, "ca_file"),
        (bounded.CERTIFICATE, "n'est pas reconnu"),
        (bounded.NO_TLS, "ne parle pas TLS"),
        (bounded.BROKEN, "se rompt"),
    ],
)
def test_why_a_provider_does_not_answer_is_told(there: Provider, why: str, told: str) -> None:
    def fail() -> Answer:
        raise bounded.Unreached(why)

    there.replies["/.well-known/openid-configuration"] = fail
    assert told in found(there)["découverte"].text


def test_a_provider_that_says_it_is_unavailable_is_not_taken_for_one_that_is_silent(there: Provider) -> None:
    there.replies["/keys"] = lambda: Answer(503)
    assert found(there)["clés"].text == "le portail répond qu'il est indisponible"


def test_two_keys_of_which_one_has_no_name_are_told(there: Provider) -> None:
    nameless = {name: value for name, value in public(rsa_key("two")).items() if name != "kid"}
    there.published = [public(rsa_key()), nameless]
    assert found(there)["clés"].verdict is Verdict.WRONG


def test_a_key_without_a_name_that_is_alone_of_its_kind_is_good(there: Provider) -> None:
    there.published = [
        {name: value for name, value in public(key).items() if name != "kid"} for key in (rsa_key(), ec_key())
    ]
    assert found(there, algorithms=("RS256", "ES256"))["clés"].verdict is Verdict.GOOD
    there.published.append(public(rsa_key("two")))
    assert found(there, algorithms=("RS256", "ES256"))["clés"].verdict is Verdict.WRONG


def test_a_context_class_that_nobody_offers_is_told(there: Provider) -> None:
    there.edit_discovery = lambda told: told.update(acr_values_supported=["eidas1"], scopes_supported=["openid"])
    looked = found(there, required_acr=("eidas2",))
    assert looked["acr"].verdict is Verdict.WRONG
    assert "profile, email" in looked["portées"].text
    assert "acr" not in found(there, required_acr=("eidas1",))


def test_a_context_class_that_is_asked_for_and_not_required_is_told(there: Provider) -> None:
    looked = found(there, acr_values=("eidas1",))["acr"]
    assert looked.verdict is Verdict.DOUBT
    assert "required_acr" in looked.text
    assert "acr" not in found(there, acr_values=("eidas1",), required_acr=("eidas1",))


@pytest.mark.parametrize("name", ["require_pushed_authorization_requests", "require_signed_request_object"])
def test_a_provider_that_demands_what_we_never_do_is_told(there: Provider, name: str) -> None:
    there.edit_discovery = lambda told: told.update({name: True})
    assert found(there)["demande"].verdict is Verdict.WRONG
    there.edit_discovery = lambda told: told.update({name: False})
    assert "demande" not in found(there)


def test_an_answer_that_the_provider_does_not_give_so_is_told(there: Provider) -> None:
    there.edit_discovery = lambda told: told.pop("response_modes_supported", None)
    assert "réponse" not in found(there)
    assert found(there, response_mode="form_post")["réponse"].verdict is Verdict.DOUBT
    there.edit_discovery = lambda told: told.update(response_modes_supported=["form_post"])
    assert found(there)["réponse"].verdict is Verdict.WRONG
    assert "réponse" not in found(there, response_mode="form_post")


def test_an_assertion_that_the_provider_would_not_read_is_told(there: Provider, tmp_path: Path) -> None:
    ours: dict[str, Any] = {"client_authentication": "private_key_jwt", "private_key": tmp_path / "key.pem"}
    there.edit_discovery = lambda told: told.update(token_endpoint_auth_signing_alg_values_supported=["ES256"])
    assert "ES256" in found(there, **ours)["signature du client"].text
    assert "signature du client" not in found(there, **ours, private_key_algorithm="ES256")
    assert "signature du client" not in found(there)


def test_a_request_for_classes_that_the_provider_may_not_read_is_told(there: Provider) -> None:
    asked: dict[str, Any] = {"acr_values": ("eidas1",), "required_acr": ("eidas1",), "acr_request": "claims"}
    assert "claims" in found(there, **asked)["acr"].text
    there.edit_discovery = lambda told: told.update(claims_parameter_supported=True)
    assert "acr" not in found(there, **asked)


def test_how_a_provider_tells_of_its_logouts_is_told(there: Provider) -> None:
    # Some tell of them and do not announce it.
    assert "n'annonce pas" in found(there)["fin de session"].text
    there.edit_discovery = lambda told: told.update(frontchannel_logout_supported=True)
    assert "navigateur" in found(there)["fin de session"].text
    there.edit_discovery = lambda told: told.update(backchannel_logout_supported=True)
    assert found(there)["fin de session"].verdict is Verdict.GOOD


def test_the_name_the_provider_gives_itself_is_told(there: Provider) -> None:
    there.edit_discovery = lambda told: told.update(issuer="https://oidc.ac-paris.example/")
    assert found(there)["émetteur"].text.endswith(" : https://oidc.ac-paris.example/")
    for unfit in ("\x1b[31m", 7, "x" * 2049):
        there.edit_discovery = partial(dict.update, issuer=unfit)
        assert found(there)["émetteur"].text.endswith("au signe près")


def test_settings_that_are_wrong_end_as_everywhere(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(SETTINGS, encoding="utf-8")
    assert Operator(tmp_path).run("oidc", "check").returncode == 3
