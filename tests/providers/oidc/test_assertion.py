"""Proving who we are with a key: what the provider gets, and what it never gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey, RSAKey

from imagin_gateway.errors import AnswerRefused, Code, SettingsError
from imagin_gateway.providers.oidc.assertion import AssertionSigner
from tests.clock import ManualClock
from tests.providers.oidc.journey import House, house
from tests.providers.oidc.provider import Document, Provider, ec_key, rsa_key


def pem(folder: Path, key: RSAKey | ECKey) -> Path:
    file = folder / "client.pem"
    file.write_bytes(key.as_pem(private=True))
    return file


def by_key(provider: Provider, clock: ManualClock, file: Path, algorithm: str = "RS256") -> House:
    """Open a portal that proves itself with a key, and register its key set as an administrator would."""
    there = house(
        provider,
        clock,
        client_authentication="private_key_jwt",
        client_secret=None,
        private_key=file,
        private_key_algorithm=algorithm,
    )
    published = there.portal.metadata(clock.now())
    assert published is not None
    assert published.content_type == "application/jwk-set+json"
    provider.client_keys = json.loads(published.body)
    return there


@pytest.mark.row("OID-01")
@pytest.mark.parametrize(("algorithm", "key"), [("RS256", rsa_key()), ("PS256", rsa_key()), ("ES256", ec_key())])
def test_a_login_with_a_key_instead_of_a_secret(
    provider: Provider, clock: ManualClock, tmp_path: Path, algorithm: str, key: RSAKey | ECKey
) -> None:
    there = by_key(provider, clock, pem(tmp_path, key), algorithm)
    assert there.login().subject == "person-1"
    clock.move(3600)
    there.login()
    assert len({each["jti"] for each in provider.assertions}) == 2
    seen = provider.last("/token")
    assert "client_secret" not in seen.form
    assert "authorization" not in seen.headers
    assert all("client_assertion" not in each.query for each in provider.seen)


@pytest.mark.row("OID-01")
def test_by_default_the_secret_stands_in_the_header_and_in_no_address(there: House) -> None:
    arrival = there.login()
    assert (arrival.issuer, arrival.subject) == (there.provider.issuer, "person-1")
    assert there.provider.last("/token").headers["authorization"].startswith("Basic ")
    for seen in there.provider.seen:
        assert "secret" not in seen.query
        assert "secret" not in seen.path


def test_the_published_set_holds_the_public_half_only(provider: Provider, clock: ManualClock, tmp_path: Path) -> None:
    by_key(provider, clock, pem(tmp_path, ec_key()), "ES256")
    assert provider.client_keys is not None
    (told,) = provider.client_keys["keys"]
    assert {"kty", "crv", "x", "y", "kid", "use", "alg"} == set(told)


@pytest.mark.parametrize("kid", [None, "x"], ids=["same name", "other name"])
def test_a_key_that_is_not_the_registered_one_proves_nothing(
    provider: Provider, clock: ManualClock, tmp_path: Path, kid: str | None
) -> None:
    there = by_key(provider, clock, pem(tmp_path, ec_key()), "ES256")
    assert provider.client_keys is not None
    named = kid or provider.client_keys["keys"][0]["kid"]
    provider.client_keys = {"keys": [{**ec_key("other").as_dict(private=False), "kid": named}]}
    with pytest.raises(AnswerRefused) as refused:
        there.login()
    assert (refused.value.code, refused.value.statuses) == (Code.OIDC_TOKEN_RESPONSE, ("invalid_client",))


def test_an_assertion_is_worth_nothing_the_second_time(provider: Provider, clock: ManualClock, tmp_path: Path) -> None:
    there = by_key(provider, clock, pem(tmp_path, ec_key()), "ES256")
    there.login()
    old = provider.last("/token").form
    again = provider.handle("POST", "/token", {}, "&".join(f"{name}={value}" for name, value in old.items()))
    assert again.status == 401


SMALL = rsa.generate_private_key(public_exponent=65537, key_size=1024).private_bytes(  # noqa: S505  # to be refused
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)


@pytest.mark.parametrize(
    ("content", "algorithm"),
    [
        (b"", "RS256"),
        (b"canary-not-a-key", "RS256"),
        (ec_key().as_pem(private=True), "RS256"),
        (rsa_key().as_pem(private=True), "ES256"),
        (ECKey.generate_key("P-384").as_pem(private=True), "ES256"),
        (rsa_key().as_pem(private=False), "RS256"),
        (SMALL, "RS256"),
    ],
    ids=["empty", "text", "curve", "RSA", "other curve", "public", "small"],
)
def test_a_file_that_is_no_fitting_private_key_stops_the_start(tmp_path: Path, content: bytes, algorithm: str) -> None:
    file = tmp_path / "client.pem"
    file.write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        AssertionSigner.read("arena-paris", file, algorithm)
    (problem,) = refused.value.problems
    assert problem.key == "portals.arena-paris.private_key"
    assert "canary" not in str(refused.value)


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        AssertionSigner.read("arena-paris", tmp_path / "none.pem", "RS256")


def test_the_key_does_not_show(tmp_path: Path) -> None:
    signer = AssertionSigner.read("arena-paris", pem(tmp_path, ec_key()), "ES256")
    assert "key" not in repr(signer)
    document: Document = dict(signer.published())
    assert "d" not in document["keys"][0]


class TestReplacingTheKey:
    """Old and new are published together: whichever the provider has read, no login fails on the way."""

    def files(self, folder: Path) -> tuple[Path, Path]:
        old, new = folder / "old.pem", folder / "new.pem"
        old.write_bytes(rsa_key("old").as_pem(private=True))
        new.write_bytes(ec_key("new").as_pem(private=True))
        return old, new

    def opened(self, provider: Provider, clock: ManualClock, key: Path, alg: str, *others: Path) -> House:
        return house(
            provider,
            clock,
            client_authentication="private_key_jwt",
            client_secret=None,
            private_key=key,
            private_key_algorithm=alg,
            other_private_keys=others,
        )

    def keys_of(self, there: House, clock: ManualClock) -> Document:
        published = there.portal.metadata(clock.now())
        assert published is not None
        found: Document = json.loads(published.body)
        return found

    @pytest.mark.row("OID-01")
    def test_a_login_works_at_each_step_with_the_set_read_before_it_and_after_it(
        self, provider: Provider, clock: ManualClock, tmp_path: Path
    ) -> None:
        old, new = self.files(tmp_path)
        steps = [
            self.opened(provider, clock, old, "RS256"),
            self.opened(provider, clock, old, "RS256", new),
            self.opened(provider, clock, new, "ES256", old),
            self.opened(provider, clock, new, "ES256"),
        ]
        sets = [self.keys_of(each, clock) for each in steps]
        assert [len(each["keys"]) for each in sets] == [1, 2, 2, 1]
        for number, there in enumerate(steps):
            for known in sets[max(0, number - 1) : number + 1]:
                provider.client_keys = known
                assert there.login().subject == "person-1"
        provider.client_keys = sets[0]
        with pytest.raises(AnswerRefused):
            steps[2].login()  # in one step, a provider that keeps our set would refuse everybody

    def test_the_one_that_signs_stands_first_each_once_and_no_private_half_leaves(
        self, provider: Provider, clock: ManualClock, tmp_path: Path
    ) -> None:
        old, new = self.files(tmp_path)
        told = self.keys_of(self.opened(provider, clock, new, "ES256", old, new, old), clock)["keys"]
        assert [(each["kty"], each.get("alg")) for each in told] == [("EC", "ES256"), ("RSA", None)]
        assert len({each["kid"] for each in told}) == 2
        assert not any({"d", "p", "q", "dp", "dq", "qi"} & set(each) for each in told)

    @pytest.mark.parametrize("content", [b"", b"no key", rsa_key("old").as_pem(private=False)])
    def test_one_that_is_no_private_key_stops_the_start(
        self, provider: Provider, clock: ManualClock, tmp_path: Path, content: bytes
    ) -> None:
        old, new = self.files(tmp_path)
        new.write_bytes(content)
        with pytest.raises(SettingsError, match="other_private_keys"):
            self.opened(provider, clock, old, "RS256", new)
        with pytest.raises(SettingsError, match="other_private_keys"):
            self.opened(provider, clock, old, "RS256", tmp_path / "absent.pem")

    def test_one_beside_a_secret_stops_the_start(self, provider: Provider, clock: ManualClock, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="other_private_keys"):
            house(provider, clock, other_private_keys=self.files(tmp_path))
