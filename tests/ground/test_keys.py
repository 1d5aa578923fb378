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


def test_a_secret_is_compared_counted_and_emptied_like_its_value() -> None:
    assert {Secret("a"), Secret("a"), Secret("b")} == {Secret("b"), Secret("a")}
    assert hash(Secret("a")) != hash("a")
    assert (bool(Secret("a")), bool(Secret(""))) == (True, False)
    assert Secret("a").__eq__("a") is NotImplemented
    assert (str(Secret("a")), f"{Secret('a'):>10}") == ("********", "  ********")


FORMER, PRESENT = (Secret(f"une clé d'essai, {age}, de plus de 32 octets") for age in ("ancienne", "nouvelle"))


@pytest.mark.row("KEY-04")
def test_what_a_release_wrote_the_next_one_reads() -> None:
    """Databases and cookies hold these forms: another derivation would make them unreadable, all at once."""
    ring = Keyring([FORMER, PRESENT])
    assert ring.versions == ("0d1b5abc", "ae3c4679")
    assert ring.newest == "ae3c4679"
    assert ring.mac("usage", "texte") == "87d44815d08fa96e13eb2edc514f4fc25a0809246b308b48df7459419af21d38"
    former = "b1c3147e77313ea051e38845eb5e4d6398687ea1bb81825e8b77ac47b4f9639b"
    assert ring.mac("usage", "texte", "0d1b5abc") == former
    for sealed in (
        "ae3c4679.AAECAwQFBgcICQoLH1Xw4vbt0RfdilsBwXpt1_bMqGtbqZ4T",
        "0d1b5abc.AAECAwQFBgcICQoLBK55gsx-ik2YcnEEM6FOYNpFTxmL6JHL",
    ):
        assert ring.unseal("usage", sealed, "à qui") == Secret("texte é")
        assert ring.is_newest(sealed) is sealed.startswith("ae3c4679")
    for signed in (
        "texte.bhk5zlg6QILGY2-kQtRbWgiEm4mhgR71_t7ZVDuln0E",
        "texte.DE3al7KwJYnlgkrGIfewVezsnflRU5NS68-xBnD9JDU",
    ):
        assert ring.signer("usage").unsign(signed) == "texte"


@pytest.mark.row("KEY-04")
def test_what_is_sealed_opens_for_its_purpose_and_its_owner_alone_while_its_key_is_held() -> None:
    ring = Keyring([OLD, NEW])
    sealed = ring.seal("totp", Secret("graine"), "marie")
    assert ring.unseal("totp", sealed, "marie") == Secret("graine")
    assert sealed != ring.seal("totp", Secret("graine"), "marie")
    assert ring.is_newest(sealed) is True
    assert Keyring([OLD, NEW, FOREIGN]).is_newest(sealed) is False
    assert Keyring([FOREIGN, NEW]).unseal("totp", sealed, "marie") == Secret("graine")
    for other in (
        ring.unseal("recovery", sealed, "marie"),
        ring.unseal("totp", sealed, "paul"),
        ring.unseal("totp", sealed[:-2] + ("A" if sealed[-2] != "A" else "B") + sealed[-1], "marie"),
        ring.unseal("totp", sealed[:20], "marie"),
        ring.unseal("totp", sealed.partition(".")[0], "marie"),
        ring.unseal("totp", "", "marie"),
        Keyring([OLD]).unseal("totp", sealed, "marie"),
    ):
        assert other is None
    assert (len(new_token()), len(new_token(128))) == (43, 22)


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
