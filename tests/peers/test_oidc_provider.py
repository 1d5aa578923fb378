"""A second real OpenID provider, certified, the strict way: our key, a posted answer, signed userinfo and logout."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, Key, RSAKey

from imagin_gateway import Gateway, Settings
from imagin_gateway.errors import Code
from imagin_gateway.identity import Door
from imagin_gateway.providers.oidc.checkup import Verdict
from imagin_gateway.providers.oidc.portal import OidcPortal
from tests.parts import require
from tests.peers.authority import Authority, key_pair
from tests.peers.browser import Browser, Page
from tests.peers.names import free_port, resolving_to_loopback
from tests.peers.oidc_provider import HOST, OidcProvider
from tests.peers.served import Served, host
from tests.peers.world import OURS, Addresses, Journal

pytestmark = pytest.mark.peer

DOOR = Door.PARIS
PAUL = {"family_name": "MARTIN", "given_name": "Paul", "email": "pmartin@ac-paris.fr"}


@dataclass(frozen=True)
class Strict:
    """The provider, our gateway before a host, and what it told."""

    provider: OidcProvider
    gateway: Gateway
    authority: Authority
    at: Addresses
    journal: Journal

    def who(self, browser: Browser) -> dict[str, Any] | None:
        """Return whom the host takes this browser for, or None."""
        told: dict[str, Any] = json.loads(browser.open(f"{self.at.ours}/").text)
        return told.get("person")

    def told(self, event: str) -> list[dict[str, Any]]:
        """Return the events of one name since the test began."""
        return [each for each in map(json.loads, self.journal.lines) if each["event"] == event]


def signing(name: str) -> list[dict[str, Any]]:
    """Return private keys for a provider, of both families."""
    made: dict[str, Key] = {f"rsa-{name}": RSAKey.generate_key(2048), f"ec-{name}": ECKey.generate_key("P-256")}
    return [{**key.as_dict(private=True), "kid": kid, "use": "sig"} for kid, key in made.items()]


@contextmanager
def opened(folder: Path) -> Iterator[Strict]:
    """Open everything in an empty folder, and close it."""
    authority, port = Authority(folder / "authority"), free_port()
    (folder / "gateway.key").write_text(key_pair("gateway")[0])
    ours = f"https://{OURS}:{port}"
    base = f"{ours}/connexion/portail/{DOOR}"
    client = {
        "client_id": "imagin",
        "redirect_uris": [f"{base}/retour"],
        "response_types": ["code"],
        "grant_types": ["authorization_code"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": f"{base}/metadata",
        "userinfo_signed_response_alg": "ES256",
        "post_logout_redirect_uris": [f"{base}/fin"],
        "backchannel_logout_uri": f"{base}/fin/canal",
        "backchannel_logout_session_required": True,
    }
    people, keys = {"pmartin": PAUL}, signing("1")
    with (
        resolving_to_loopback(HOST, OURS),
        OidcProvider(
            folder / "provider", authority, people, port=free_port(), client=OURS, clients=[client], keys=keys
        ) as provider,
    ):
        section = {
            "protocol": "oidc",
            "academie": 1,
            "issuer": provider.issuer,
            "client_id": "imagin",
            "client_authentication": "private_key_jwt",
            "private_key": folder / "gateway.key",
            "algorithms": ["RS256", "ES256"],
            "response_mode": "form_post",
            "ca_file": authority.root,
        }
        settings = Settings.load(
            base_url=ours,
            landing="/missions",
            privacy_url="/donnees",
            legal_url="/mentions",
            accessibility_url="/accessibilite",
            protect=[{"prefix": "/missions"}],
            keys={name: [secrets.token_urlsafe(48)] for name in ("signing", "provisional")},
            state={"url": f"sqlite:///{folder / 'state.db'}"},
            accounts={"url": f"sqlite:///{folder / 'accounts.db'}"},
            second_factor={"mode": "off", "reason": "a portal alone"},
            mail={"host": "127.0.0.1", "port": 9, "security": "none", "sender": "imagin@exemple.test"},
            portals={DOOR: section},
        )
        journal = Journal()
        with Gateway(settings, sink=journal) as gateway:
            served = Served(gateway.asgi(host), port, authority.server(OURS))
            served.start()
            try:
                yield Strict(provider, gateway, authority, Addresses(ours, provider.url), journal)
            finally:
                served.stop()


@pytest.fixture(scope="module")
def _strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strict]:
    require("oidc_provider")
    with opened(tmp_path_factory.mktemp("strict")) as strict:
        yield strict


@pytest.fixture
def strict(_strict: Strict) -> Strict:
    """The provider and the gateway, the journal empty."""
    _strict.journal.lines.clear()
    return _strict


@pytest.fixture
def browser(strict: Strict) -> Iterator[Browser]:
    """A browser that was never used."""
    with Browser(strict.authority.believed()) as browser:
        yield browser


def posted(browser: Browser) -> Page:
    """Send the answer, which the page of the provider does by itself."""
    return browser.send(browser.page.form("state"))


def signed_in(strict: Strict, browser: Browser, leave: str) -> Page:
    """Leave, give a name, agree if that is asked, and come back."""
    browser.open(leave)
    browser.send(browser.page.form("login", "password"), login="pmartin", password="any")
    if "/interaction/" in browser.page.url:
        browser.send(browser.page.form("prompt"))
    page = posted(browser)
    who = strict.who(browser)
    assert who is not None, (strict.journal.lines, strict.provider.log())
    assert {name: who[name] for name in PAUL} == PAUL
    return page


@pytest.mark.row("OID-26")
def test_our_key_a_posted_answer_and_a_userinfo_signed_otherwise_than_the_id_token(
    strict: Strict, browser: Browser
) -> None:
    page = signed_in(strict, browser, strict.at.leave(DOOR, "/missions/12"))
    assert page.url == f"{strict.at.ours}/missions/12"
    # The provider remembers the browser: asked anew, it wants the credentials again all the same.
    page = signed_in(strict, browser, f"{strict.at.leave(DOOR, '/missions/13')}&anew=1")
    assert page.url == f"{strict.at.ours}/missions/13"


@pytest.mark.row("OID-21")
def test_who_does_not_agree_there_does_not_come_in_here(strict: Strict, browser: Browser) -> None:
    browser.open(strict.at.leave(DOOR))
    browser.click("/abort")
    assert posted(browser).status == 403
    (event,) = strict.told("login_refused")
    assert (event["code"], event["detail"]["statuses"]) == (Code.PORTAL_REFUSED, "access_denied")


@pytest.mark.row("LGO-02")
def test_a_logout_that_begins_here_ends_the_providers_session_too(strict: Strict, browser: Browser) -> None:
    signed_in(strict, browser, strict.at.leave(DOOR))
    browser.open(f"{strict.at.ours}/connexion/fin")
    browser.send(browser.page.form("formulaire"))
    assert browser.page.url.startswith(f"{strict.provider.url}session/end?id_token_hint=")
    page = browser.send(browser.page.form("xsrf"), logout="yes")
    assert page.url == f"{strict.at.ours}/connexion/fin/faite"
    assert strict.who(browser) is None
    # It asks for a name again.
    browser.open(strict.at.leave(DOOR))
    browser.page.form("login", "password")


@pytest.mark.row("LGO-04", "LGO-09")
def test_a_logout_there_ends_that_session_here_by_a_logout_token(strict: Strict, browser: Browser) -> None:
    signed_in(strict, browser, strict.at.leave(DOOR))
    with Browser(strict.authority.believed()) as other:
        signed_in(strict, other, strict.at.leave(DOOR))
        browser.open(f"{strict.provider.url}session/end")
        browser.send(browser.page.form("xsrf"), logout="yes")
        assert strict.who(browser) is None, strict.provider.log()
        assert strict.who(other) is not None
    assert [each["detail"]["ended"] for each in strict.told("logout_by_portal")] == [1]


@pytest.mark.row("OID-14")
def test_a_change_of_its_keys_is_followed_at_the_next_login(strict: Strict, browser: Browser) -> None:
    strict.provider.change_keys(*signing("2"))
    signed_in(strict, browser, strict.at.leave(DOOR))
    assert strict.told("login_refused") == []


def test_the_check_up_finds_it_fit(strict: Strict) -> None:
    portal = strict.gateway.house.portals[DOOR]
    assert isinstance(portal, OidcPortal)
    found = portal.check_up(datetime.now(UTC))
    assert [each for each in found if each.verdict is not Verdict.GOOD] == []
