"""Secrets that do not print, and signatures that mean one thing."""

from __future__ import annotations

import pickle
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagin_gateway.keys import Keyring, Secret, digest, key_version, new_token

OLD, NEW, FOREIGN = (Secret(secrets.token_urlsafe(48)) for _ in range(3))


def test_a_secret_does_not_print() -> None:
    secret = Secret("canary")
    for told in (repr(secret), str(secret), f"{secret}", f"{secret:>20}", repr([secret]), "%s" % secret):  # noqa: UP031
        assert "canary" not in told
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert secret == Secret("canary")
    assert secret != Secret("other")
    assert secret != "canary"


@pytest.mark.row("SES-16")
def test_a_signature_holds_while_its_key_is_in_the_ring_and_for_its_purpose_only() -> None:
    signed = Keyring([OLD]).signer("session").sign("id")
    rotated = Keyring([OLD, NEW])
    assert rotated.signer("session").unsign(signed) == "id"
    assert rotated.signer("reset link").unsign(signed) is None
    assert rotated.signer("form").unsign(signed) is None
    assert Keyring([NEW]).signer("session").unsign(signed) is None
    assert Keyring([FOREIGN]).signer("session").unsign(signed) is None
    assert Keyring([NEW]).signer("session").unsign(rotated.signer("session").sign("id")) == "id"


@given(st.data())
def test_no_changed_signature_is_taken(data: st.DataObject) -> None:
    signer = Keyring([OLD]).signer("session")
    signed = signer.sign("identifier")
    place = data.draw(st.integers(0, len(signed) - 1))
    sign = data.draw(st.characters(exclude_characters=signed[place]))
    changed = signed[:place] + sign + signed[place + 1 :]
    value = signer.unsign(changed)
    # the last sign of base64 carries unused bits: another spelling of the same signature may be read
    assert value is None or (value == "identifier" and place == len(signed) - 1)


@pytest.mark.row("SES-16", "KEY-04")
def test_a_code_is_found_again_by_the_version_of_its_key() -> None:
    ring = Keyring([OLD])
    mac, version = ring.mac("provisional", "value"), ring.newest
    rotated = Keyring([OLD, NEW])
    assert rotated.mac("provisional", "value", version) == mac
    assert rotated.mac("provisional", "value") != mac
    assert rotated.mac("other use", "value", version) != mac
    assert Keyring([NEW]).mac("provisional", "value", version) is None
    assert OLD.reveal() not in version
    assert version == key_version(OLD)


@pytest.mark.row("KEY-01")
def test_tokens_are_unpredictable_and_long_enough() -> None:
    tokens = {new_token(128) for _ in range(10_000)}
    assert len(tokens) == 10_000
    assert min(len(token) for token in tokens) >= 22
    with pytest.raises(ValueError, match="128"):
        new_token(64)


@pytest.mark.row("KEY-01")
def test_no_room_makes_its_tokens_with_random_or_uuid() -> None:
    import ast
    from pathlib import Path

    import imagin_gateway

    for file in Path(imagin_gateway.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {"random", "uuid", "pickle"} & set(names), file


def test_a_digest_tells_nothing_back() -> None:
    assert digest("a") != "a"
    assert len(digest("a")) == 64


def test_empty_rings_and_purposes_are_programming_errors() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Keyring([])
    with pytest.raises(ValueError, match="purpose"):
        Keyring([OLD]).signer("")
