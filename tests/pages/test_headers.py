"""The security headers of pages, of bare answers and of assets (rows WEB-01 to WEB-06)."""

from __future__ import annotations

import pytest

from imagin_gateway.pages.headers import bare_headers, security_headers
from imagin_gateway.pages.render import Pages
from tests.pages.conftest import read, render, settings
from tests.pages.states import STATES

CREATED = "https://portail.exemple.test"


def policy_of(response_headers: object) -> dict[str, str]:
    text = dict(response_headers)["Content-Security-Policy"]  # type: ignore[call-overload]  # pairs
    return dict(part.split(" ", 1) for part in text.split("; "))


@pytest.mark.row("WEB-02")
@pytest.mark.parametrize("name", STATES)
def test_a_page_has_a_policy_with_a_nonce_of_its_own(pages: Pages, name: str) -> None:
    nonces = set()
    for _ in range(2):
        response = render(pages, name)
        policy = policy_of(response.headers)
        assert policy.pop("script-src") not in nonces
        nonces.add(policy_of(response.headers)["script-src"])
        assert policy == {
            "default-src": "'none'",
            "style-src": "'self'",
            "img-src": "'none'",
            "form-action": "'self'",
            "frame-ancestors": "'none'",
            "base-uri": "'none'",
            "object-src": "'none'",
        }
        for nonce in read(response).xpath("//script/@nonce"):
            assert policy_of(response.headers)["script-src"] == f"'nonce-{nonce}'"
            assert len(nonce) >= 22
    assert len(nonces) == 2


def test_only_pages_with_a_form_to_send_have_a_script_and_each_such_form_has_one(pages: Pages) -> None:
    """Ours, by which a form goes once, or that of the passkey, which sends its own form itself."""
    asked, needed = set(), set()
    for name, state in STATES.items():
        page = read(render(pages, name))
        asked |= {(state.page, src.rpartition("/")[2].partition("-")[0]) for src in page.xpath("//script/@src")}
        for form in page.xpath("//form[@method='post']"):
            script = "pages" if form.get("data-passkey") is None else "passkey"
            needed.add((state.page, script))
            assert page.xpath("//script[contains(@src, $name)]", name=f"/{script}-"), name
    assert asked == needed


def test_a_form_may_lead_to_the_portals_it_names_and_nowhere_else(pages: Pages) -> None:
    response = render(pages, "logout", form_targets=[CREATED + "/sso?x=1", CREATED])
    assert policy_of(response.headers)["form-action"] == f"'self' {CREATED}"


@pytest.mark.parametrize(
    "target",
    [
        "javascript:x",
        "//x",
        "/x",
        "https:",
        "https://a;b",
        "https://a b",
        "https://*",
        "https://u@x",
        "https://a,b",
        "x",
    ],
)
def test_a_form_target_that_is_no_address_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="address"):
        security_headers(settings(), nonce="n", form_targets=[target])


@pytest.mark.parametrize("kind", ["page", "bare", "asset"])
def test_every_answer_is_isolated_and_under_https_asks_for_https(pages: Pages, kind: str) -> None:
    asset = pages.asset(pages.style_path.removeprefix("/connexion"))
    assert asset is not None
    headers = {"page": render(pages, "login").headers, "bare": pages.bare_headers(), "asset": asset.headers}[kind]
    names = [name for name, _ in headers]
    assert len(names) == len(set(names))
    told = dict(headers)
    assert told["X-Content-Type-Options"] == "nosniff"
    assert told["Referrer-Policy"] == "no-referrer"
    assert told["Cross-Origin-Opener-Policy"] == told["Cross-Origin-Resource-Policy"] == "same-origin"
    assert told["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert (told["Cache-Control"] == "no-store") is (kind != "asset")
    assert not [name for name in names if name.lower().startswith("access-control")]


def test_hsts_is_not_sent_over_plain_http() -> None:
    plain = settings(development=True, base_url="http://127.0.0.1:8400")
    assert "Strict-Transport-Security" not in dict(bare_headers(plain))


def test_a_page_keeps_the_headers_status_and_cookies_it_is_given(pages: Pages) -> None:
    response = render(pages, "logout", status=418, headers=[("Retry-After", "5")])
    assert response.status == 418
    assert ("Retry-After", "5") in response.headers
    assert ("Content-Type", "text/html; charset=utf-8") in response.header_lines()
