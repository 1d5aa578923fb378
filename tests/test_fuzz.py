"""The kept inputs of every target, a second of changes around them, and targets that do find something.

Guided fuzzing is `make fuzz`, by hand and by night; here stands what it once found worth keeping.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import parse_qsl

import pytest
from lxml import etree

from fuzz import engines, saml_logout, saml_response
from fuzz.__main__ import TARGETS
from fuzz.frame import CORPUS, Finding, Target, changed, demand, judge, kept
from fuzz.json_changes import base64url
from imagin_gateway import exchange
from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.flows import landing
from imagin_gateway.local import list_reader
from imagin_gateway.mounts.cookie import CookieFinder
from imagin_gateway.providers import fredu, header
from imagin_gateway.providers.oidc import claims, keyset
from imagin_gateway.providers.oidc.signed import Verifier
from imagin_gateway.providers.oidc.wire import Wire
from imagin_gateway.providers.saml import documents, profile, signature, source
from imagin_gateway.settings import whole

MOST_KEPT = 2 * 1024 * 1024


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_found_among_the_kept_inputs_and_around_them(name: str) -> None:
    target = engines.target(name)
    count, accepted = engines.replay(target)
    assert count >= 2
    assert accepted, "else the target would attack a door that is always shut"
    judged, _ = engines.blind(target, seed=0, seconds=1.0)
    assert judged >= 3


def test_what_is_kept_is_small_and_of_a_target() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} <= set(TARGETS)
    assert sum(file.stat().st_size for file in CORPUS.rglob("*") if file.is_file()) < MOST_KEPT


def signed_by_nobody(seal: Any, keys: object) -> bytes:
    """What `signed_bytes` would be without its checks."""
    copied = signature._apart(seal)
    parent = copied.getparent()
    assert parent is not None
    signature._take_out(copied, parent)
    canonical: bytes = etree.tostring(parent, method="c14n", exclusive=True)
    return canonical


def quietly(*_args: object, **_more: object) -> None:
    """Check nothing."""


def a_response(change: Callable[[bytes], bytes], byte: int = 8) -> bytes:
    """Return an honest answer, changed before the portal signs it."""
    seed = next(data for data in saml_response.seeds() if data[0] == byte)
    return seed[:5] + change(seed[5:])


def already_signed(change: Callable[[bytes], bytes]) -> bytes:
    """Return an answer changed after the portal signed it."""
    seed = next(data for data in saml_response.seeds() if data[0] == 0)
    return seed[:5] + change(seed[5:])


def elsewhere(content: bytes) -> bytes:
    return content.replace(b'Recipient="https://imagin.example', b'Recipient="https://evil.example')


BROKEN: dict[str, tuple[str, object, str, object, bytes]] = {
    "a signature that nobody made": (
        *("saml_response", signature, "signed_bytes", signed_by_nobody),
        already_signed(lambda content: content.replace(b">jmartin", b">admin").replace(b"_session", b"_other")),
    ),
    "an answer for another recipient": (
        *("saml_response", profile, "check_recipient", quietly),
        a_response(elsewhere),
    ),
    "an answer for another audience": (
        *("saml_response", profile, "check_audience", quietly),
        a_response(lambda content: content.replace(b"/metadata</saml:Audience>", b"/other</saml:Audience>")),
    ),
    "an answer that is over": (
        *("saml_response", profile, "_check_window", quietly),
        a_response(lambda content: content.replace(b'NotOnOrAfter="2026-12-14T', b'NotOnOrAfter="2026-12-13T')),
    ),
    "an order that nobody signed": (
        *("saml_logout", signature.VerificationKey, "verifies_octets", lambda *_: True),
        next(data for data in saml_logout.seeds() if data[0] == 0).replace(b"&Signature=", b"&Signature=AAAA"),
    ),
    "metadata that nobody signed": (
        *("saml_metadata", source, "proved", lambda raw, *_: documents.parse(raw, documents.METADATA)),
        b"\x01" + next(data for data in engines.target("saml_metadata").seeds() if data[0] == 0)[1:],
    ),
    "a token that nobody signed": (
        *("oidc_tokens", Verifier, "_any", lambda *_: True),
        next(data for data in engines.target("oidc_tokens").seeds() if data[0] == 0)[:-8] + b"AAAAAAAA",
    ),
    "a token for another": (
        *("oidc_tokens", claims, "check_audience", quietly),
        next(data for data in engines.target("oidc_tokens").seeds() if data[0] == 2).replace(b'"imagin"', b'"other"'),
    ),
    "an endpoint elsewhere": (
        *("oidc_documents", Wire, "allows", lambda *_: True),
        [*engines.target("oidc_documents").seeds()][1].replace(b"//oidc.ac-paris.example/auth", b"//evil.example/auth"),
    ),
    "a weak key": (
        *("oidc_documents", keyset, "_sound", lambda _: True),
        b'\x00{"keys": [{"kty": "RSA", "n": "'
        + base64url(bytes(range(129, 257 - 1)) + b"\x01").encode()
        + b'", "e": "AQAB"}]}',
    ),
    "a stranger's headers": (
        *("arena", header, "check_proof", quietly),
        [*engines.target("arena").seeds()][2],
    ),
    "a school that does not exist": (
        *("arena", fredu, "is_uai", lambda _: True),
        b"\x01FrEduRne: 0750001A$UAJ$PU$ENS$0750001A$T3$LYC$300",
    ),
    "two cookies of one name": (
        *("cookies", CookieFinder, "find", lambda _self, text: text.partition("__Host-ig-session=")[2][:87]),
        b"__Host-ig-session=@1@; __Host-ig-session=@2@",
    ),
    "two values of one field": (
        *(
            "forms",
            exchange.Params,
            "parse",
            classmethod(lambda cls, raw: cls(dict(parse_qsl(raw.decode())).items())),
        ),
        b"\na=1&a=2",
    ),
    "a name that cannot be seen": (
        *("convocations", list_reader, "_wrong", lambda *_: None),
        "Identifiant;Nom\nmdurand7;DU\u202eRAND\n".encode(),
    ),
    "no word on a second factor": (
        *("settings_file", whole, "problems_together", lambda _: []),
        next(iter(engines.target("settings_file").seeds())).partition(b"[second_factor]")[0],
    ),
    "another site": (
        *("landing", landing, "_is_allowed", lambda *_: True),
        b"//evil.example/missions",
    ),
}


# The library that reads keys warns of weak ones; it is we who refuse them.
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("broken", BROKEN)
def test_a_target_finds_what_a_check_that_is_gone_would_let_through(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, place, attribute, instead, data = BROKEN[broken]
    target = engines.target(name)
    assert not judge(target, data), "it is accepted even with the check"
    monkeypatch.setattr(place, attribute, instead)
    with pytest.raises(Finding):
        judge(target, data)


def a_target(attack: Callable[[bytes], bool]) -> Target:
    return Target(name="none", attack=attack, seeds=lambda: [b"a"], refusals=(AnswerRefused,))


def test_what_is_not_declared_is_a_finding_and_so_is_a_check_that_breaks() -> None:
    def breaks(_: bytes) -> bool:
        raise AnswerRefused(Code.MALFORMED, "the answer could not be checked")

    with pytest.raises(Finding):
        judge(a_target(breaks), b"a")
    with pytest.raises(ZeroDivisionError):
        judge(a_target(lambda data: 1 // (len(data) - 1) > 0), b"a")


def test_an_input_that_takes_long_or_much_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter((0.0, 2.3, 10.0, 12.1, 20.0, 22.2))
    monkeypatch.setattr(time, "process_time", lambda: next(times))
    with pytest.raises(Finding, match=r"took 2\.1 s"):
        judge(a_target(lambda _: True), b"a")
    once = iter((0.0, 2.3, 10.0, 10.1, 20.0, 22.2))
    monkeypatch.setattr(time, "process_time", lambda: next(once))
    assert judge(a_target(lambda _: True), b"a"), "slow a single time: something else was"
    monkeypatch.undo()
    with pytest.raises(Finding, match="MiB"):
        judge(a_target(lambda _: bool(bytearray(600 << 20))), b"a")


def test_a_blind_finding_is_kept_and_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(engines, "FOUND", tmp_path)

    def attack(data: bytes) -> bool:
        demand(data == b"a", "another byte")
        return True

    with pytest.raises(Finding) as caught:
        engines.blind(a_target(attack), seed=7)
    assert "seed 7" in caught.value.__notes__[0]
    assert (tmp_path / "none-findings" / "000").read_bytes() != b"a"


def test_changes_are_the_same_for_the_same_seed_and_never_too_long() -> None:
    target = engines.target("forms")
    inputs = kept(target)
    made = [[changed(target, inputs, random) for _ in range(50)] for random in (Random(3), Random(3))]  # noqa: S311
    assert made[0] == made[1]
    assert all(len(data) <= target.longest for data in made[0])


def test_few_inputs_reach_what_many_reach() -> None:
    target = engines.target("landing")
    many = [b"/missions/a", b"/missions/b", b"/missions/%", b"/" + b"a" * 2050, b"/" + b"b" * 2060]
    few = engines.chosen(target, many)
    assert len(few) < len(many)
    reached = engines.modules_reached(target, [*target.seeds(), *few])
    assert reached["flows/landing.py"] == engines.modules_reached(target, [*target.seeds(), *many])["flows/landing.py"]
