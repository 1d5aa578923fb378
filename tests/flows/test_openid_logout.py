"""OpenID Connect logout: begun here, told from server to server, told in a frame."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from imagin_gateway.errors import Code, Unavailable
from tests.client import Client
from tests.flows.conftest import TheHouse
from tests.flows.openid import DOOR, FIN, ISSUER, OpenId
from tests.providers.oidc.provider import CLIENT_ID, Answer, Document, Provider, base64url, rsa_key, sign, unsigned

EVENT = "http://schemas.openid.net/event/backchannel-logout"


class TestBegunHere:
    """RP-Initiated Logout 1.0."""

    @pytest.mark.row("LGO-01")
    def test_the_record_is_gone_before_the_browser_leaves(self, house: TheHouse) -> None:
        there = OpenId.open(house)
        client = there.sign_in()
        held = dict(client.cookies)
        reply = there.leave(client)
        assert reply.location.startswith(f"{ISSUER}/end?")
        assert "ig-session" not in client.cookies
        client.cookies = held
        assert not there.is_in(client)

    @pytest.mark.row("LGO-02")
    def test_the_provider_gets_our_id_token_our_address_and_a_random_state(self, house: TheHouse) -> None:
        there = OpenId.open(house)
        states = set()
        for _ in range(2):
            client = there.sign_in()
            back = there.provider.end_session(there.leave(client).location, f"http://127.0.0.1:8400{FIN}")
            states.add(parse_qs(urlsplit(back).query)["state"][0])
            page = client.follow(client.get(back.removeprefix("http://127.0.0.1:8400")))
            assert (page.status, page.title) == (200, "Votre session Imagin SIEC est terminée")
            assert "reste ouvert" not in page.text
        assert len(states) == 2
        assert there.provider.ended[0]["id_token_hint"] != there.provider.ended[1]["id_token_hint"]

    @pytest.mark.row("LGO-03")
    @pytest.mark.parametrize("query", ["", "?state=", "?state=" + "x" * 43, "?state=" + "x" * 999, "?state=a&state=b"])
    def test_a_return_with_another_state_or_none_says_the_session_is_over(self, house: TheHouse, query: str) -> None:
        there = OpenId.open(house)
        client = there.sign_in()
        there.leave(client)
        reply = client.get(FIN + query)
        assert reply.status == 303 if "&" not in query else reply.status in (303, 400)
        if reply.status == 303:
            assert reply.location == f"/connexion/fin/faite?porte={DOOR}"
            page = client.follow(reply)
            assert (page.status, page.title) == (200, "Votre session Imagin SIEC est terminée")
        assert not there.is_in(client)

    @pytest.mark.row("LGO-03")
    def test_a_state_is_worth_one_return_of_one_browser(self, house: TheHouse) -> None:
        there = OpenId.open(house)
        client, other = there.sign_in(), house.client()
        back = there.provider.end_session(there.leave(client).location, f"http://127.0.0.1:8400{FIN}")
        target = back.removeprefix("http://127.0.0.1:8400")
        assert other.get(target).location.endswith(f"?porte={DOOR}")
        assert house.codes("logout_refused") == [Code.FLOW_OTHER_BROWSER]

    def test_a_provider_that_did_not_end_its_session_is_said_to_be_open(self, house: TheHouse) -> None:
        there = OpenId.open(house)
        client = there.sign_in()
        state = parse_qs(urlsplit(there.leave(client).location).query)["state"][0]
        page = client.follow(client.get(f"{FIN}?{urlencode({'state': state, 'error': 'access_denied'})}"))
        assert "reste ouvert" in page.text
        (event,) = (each for each in house.events if each["event"] == "logout_refused")
        assert event["detail"]["statuses"] == "access_denied"

    @pytest.mark.row("LGO-14")
    def test_logging_out_is_a_form_of_ours_and_a_link_ends_nothing(self, house: TheHouse) -> None:
        there = OpenId.open(house)
        client = there.sign_in()
        page = client.get("/connexion/fin")
        assert (page.status, page.title) == (200, "Terminer la session ?")
        assert there.is_in(client)
        assert client.post("/connexion/fin", {}).status == 403
        assert client.post("/connexion/fin", {"formulaire": "x"}).status == 403
        stranger = house.client()
        foreign = stranger.get("/connexion/fin").field("formulaire")
        assert client.post("/connexion/fin", {"formulaire": foreign}).status == 403
        assert there.is_in(client)
        reply = client.submit(page, {})
        assert reply.status == 303
        assert reply.header("clear-site-data") == '"cache", "storage"'
        assert any(line.startswith("ig-session=") and "Max-Age=0" in line for line in reply.all("set-cookie"))
        assert not there.is_in(client)

    @pytest.mark.row("LGO-14")
    def test_every_protected_page_is_told_where_the_logout_is(self, house: TheHouse) -> None:
        from imagin_gateway.mounts import visitor

        seen: list[str] = []

        def host(environ: Any, start_response: Any) -> list[bytes]:
            seen.append(visitor(environ).logout_path)
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b""]

        from tests.client import over_wsgi

        there = OpenId.open(house)
        client = there.sign_in()
        client.mount = over_wsgi(house.gateway.wsgi(host))
        client.get("/missions")
        assert seen == ["/connexion/fin"]

    @pytest.mark.row("LGO-14")
    def test_a_provider_that_is_down_leaves_the_person_logged_out_and_told_so(self, house: TheHouse) -> None:
        there = OpenId.open(house)
        client = there.sign_in()
        page = client.get("/connexion/fin")
        there.provider.replies["/.well-known/openid-configuration"] = lambda: Answer(503)
        house.clock.move(29 * 60)
        assert there.is_in(client)
        house.gateway.house.sessions.flush()
        house.clock.move(29 * 60)
        assert there.is_in(client)
        house.clock.move(5 * 60)
        reply = client.submit(page, {})
        assert reply.location == f"/connexion/fin/faite?porte={DOOR}"
        assert "reste ouvert" in client.follow(reply).text
        assert not there.is_in(client)
        assert house.codes("portal_failed")[-1] == Code.PORTAL_UNAVAILABLE

    @pytest.mark.parametrize("config", [{"single_logout": False}, {}])
    def test_a_provider_without_logout_is_said_to_be_open(self, house: TheHouse, config: dict[str, Any]) -> None:
        there = OpenId.open(house, **config)
        if not config:
            there.provider.edit_discovery = lambda told: told.pop("end_session_endpoint")
        client = there.sign_in()
        assert there.leave(client).location == f"/connexion/fin/faite?porte={DOOR}"

    @pytest.mark.row("OID-24")
    def test_no_token_stands_in_a_cookie_a_page_or_an_event(self, house: TheHouse) -> None:
        there = OpenId.open(house)
        client = there.sign_in()
        page = client.get("/connexion/fin")
        mine = client.get("/connexion/session")
        reply = there.leave(client)
        (token,) = there.provider.id_tokens
        assert token in reply.location, "the one place where the standard wants it"
        shown = [page.text, mine.text, str(page.headers), str(mine.headers), *client.jar_log, *house.lines]
        for secret in (token, *there.provider.access):
            assert all(secret not in each for each in shown)


Edit = Callable[[Provider], dict[str, Any]]


def relabelled(honest: Callable[[Document, Document], str], header: Document, claims: Document) -> str:
    """Return a token whose header tells another algorithm than the one that signed it."""
    told = base64url(json.dumps({**header, "alg": "ES256"}).encode())
    return f"{told}.{honest(header, claims).split('.', 1)[1]}"


def shared_secret(secret: bytes, header: Document, claims: Document) -> str:
    """Return a token signed with something public, as if it were a secret we share."""
    parts = [base64url(json.dumps(part).encode()) for part in ({**header, "alg": "HS256"}, claims)]
    return f"{'.'.join(parts)}.{base64url(hmac.digest(secret, '.'.join(parts).encode(), 'sha256'))}"


def now(provider: Provider) -> int:
    return int(provider.now.timestamp())


class TestToldByTheServer:
    """Back-Channel Logout 1.0."""

    @pytest.mark.row("LGO-04")
    def test_a_token_ends_the_session_of_its_sid(self, house: TheHouse) -> None:
        there = OpenId.open(house)
        first, second, other = there.sign_in(sid="s-1"), there.sign_in(sid="s-2"), there.sign_in(sid="s-3", sub="p-2")
        reply = there.tell(there.provider.logout_token(sub="person-1", sid="s-1"))
        assert (reply.status, reply.header("cache-control")) == (200, "no-store")
        assert [there.is_in(each) for each in (first, second, other)] == [False, True, True]
        reply = there.tell(there.provider.logout_token(sid="s-3"))
        assert (reply.status, reply.header("cache-control")) == (200, "no-store")
        assert [there.is_in(each) for each in (first, second, other)] == [False, True, False]

    @pytest.mark.row("LGO-04")
    def test_a_token_without_sid_ends_every_session_of_the_person(self, house: TheHouse) -> None:
        there = OpenId.open(house)
        first, second, other = there.sign_in(sid="s-1"), there.sign_in(sid="s-2"), there.sign_in(sid="s-3", sub="p-2")
        reply = there.tell(there.provider.logout_token(sub="person-1"))
        assert (reply.status, reply.header("cache-control"), reply.body) == (200, "no-store", b"")
        assert [there.is_in(each) for each in (first, second, other)] == [False, False, True]

    def test_a_session_whose_login_told_no_sid_ends_with_the_person(self, house: TheHouse) -> None:
        there = OpenId.open(house)
        # As before the provider's administrator asks for `sid` in logout tokens, which puts it into ID tokens too.
        untold, other = there.sign_in(sid=""), there.sign_in(sid="", sub="p-2")
        told = there.sign_in(sid="s-1")
        assert there.tell(there.provider.logout_token(sub="person-1", sid="s-9")).status == 200
        assert [there.is_in(each) for each in (untold, told, other)] == [False, True, True]
        assert [each["detail"] for each in house.events if each["event"] == "logout_by_portal"] == [{"ended": 1}]

    def test_the_person_is_found_though_another_claim_is_her_name_here(self, house: TheHouse) -> None:
        there = OpenId.open(house, subject_attribute="uid")
        there.provider.person["uid"] = "jdupont"
        client = house.client()
        reply = client.get(f"/connexion/portail/{DOOR}?next=/missions")
        answer = there.provider.authorize(reply.location)
        client.follow(client.get(f"/connexion/portail/{DOOR}/retour?{urlencode(answer)}"))
        assert there.is_in(client)
        assert there.tell(there.provider.logout_token(sub="person-1")).status == 200
        assert not there.is_in(client)

    def test_a_sid_of_somebody_else_ends_nothing(self, house: TheHouse) -> None:
        there = OpenId.open(house)
        client = there.sign_in(sid="s-1")
        assert there.tell(there.provider.logout_token(sub="p-2", sid="s-1")).status == 200
        assert there.is_in(client)

    @pytest.mark.row("LGO-05")
    @pytest.mark.row("OID-07")
    @pytest.mark.parametrize("alg", ["none", "HS256", "PS256", "ES256"])
    def test_no_signature_or_an_algorithm_off_our_list(self, house: TheHouse, alg: str) -> None:
        there = OpenId.open(house)
        client = there.sign_in()
        provider = there.provider
        if alg == "none":
            provider.sign = unsigned
        elif alg == "HS256":
            provider.sign = partial(shared_secret, rsa_key().as_pem(private=False))
        elif alg == "PS256":
            provider.sign = lambda header, claims: sign({**header, "alg": "PS256"}, claims, rsa_key())
        else:
            provider.sign = partial(relabelled, provider.sign)
        refused(there, client, provider.logout_token(sub="person-1"), Code.OIDC_ALGORITHM)

    @pytest.mark.row("LGO-05")
    def test_a_signature_of_another_key(self, house: TheHouse) -> None:
        there = OpenId.open(house)
        client = there.sign_in()
        there.provider.sign = lambda header, claims: sign(header, claims, rsa_key("stranger"))
        refused(there, client, there.provider.logout_token(sub="person-1"), Code.OIDC_SIGNATURE)

    @pytest.mark.row("LGO-06")
    @pytest.mark.parametrize(
        ("claims", "code"),
        [
            ({"iss": "https://evil.example"}, Code.OIDC_ISSUER),
            ({"iss": ISSUER + "/"}, Code.OIDC_ISSUER),
            ({"iss": None}, Code.OIDC_ISSUER),
            ({"aud": "another"}, Code.OIDC_AUDIENCE),
            ({"aud": ["another", CLIENT_ID]}, Code.OIDC_AUDIENCE),
            ({"aud": []}, Code.OIDC_AUDIENCE),
            ({"aud": None}, Code.OIDC_AUDIENCE),
        ],
    )
    def test_another_issuer_or_audience(self, house: TheHouse, claims: Document, code: Code) -> None:
        there = OpenId.open(house)
        client = there.sign_in()
        refused(there, client, there.provider.logout_token(sub="person-1", **claims), code)

    @pytest.mark.row("LGO-07")
    @pytest.mark.parametrize(
        "events",
        [None, {}, [], [EVENT], EVENT, {EVENT: None}, {EVENT: True}, {EVENT: "x"}, {EVENT + "/": {}}, {"other": {}}],
        ids=str,
    )
    def test_no_event_or_another(self, house: TheHouse, events: object) -> None:
        there = OpenId.open(house)
        client = there.sign_in()
        refused(there, client, there.provider.logout_token(sub="person-1", events=events), Code.OIDC_LOGOUT_TOKEN)

    @pytest.mark.row("LGO-08")
    @pytest.mark.parametrize("nonce", ["n", "", 0, False])
    def test_a_nonce(self, house: TheHouse, nonce: object) -> None:
        there = OpenId.open(house)
        client = there.sign_in()
        refused(there, client, there.provider.logout_token(sub="person-1", nonce=nonce), Code.OIDC_LOGOUT_TOKEN)

    @pytest.mark.row("LGO-08")
    @pytest.mark.row("OID-11")
    @pytest.mark.parametrize("profile", ["strict", "early"])
    def test_an_id_token_is_no_logout_token(self, house: TheHouse, profile: str) -> None:
        there = OpenId.open(house, logout_tokens=profile)
        client = there.sign_in()
        code = Code.OIDC_TOKEN_TYPE if profile == "strict" else Code.OIDC_LOGOUT_TOKEN
        refused(there, client, there.provider.id_tokens[-1], code)

    @pytest.mark.row("LGO-09")
    @pytest.mark.parametrize("kind", ["JWT", None, "at+jwt", "logout", "", "logout+jwt "])
    def test_another_type(self, house: TheHouse, kind: object) -> None:
        there = OpenId.open(house)
        client = there.sign_in()
        refused(there, client, there.provider.logout_token({"typ": kind}, sub="person-1"), Code.OIDC_TOKEN_TYPE)

    @pytest.mark.row("LGO-09")
    @pytest.mark.parametrize("kind", ["logout+jwt", "LOGOUT+JWT", "application/logout+jwt"])
    def test_the_type_as_it_may_be_written(self, house: TheHouse, kind: str) -> None:
        there = OpenId.open(house)
        client = there.sign_in()
        assert there.tell(there.provider.logout_token({"typ": kind}, sub="person-1")).status == 200
        assert not there.is_in(client)

    @pytest.mark.row("LGO-09")
    @pytest.mark.parametrize(
        ("edit", "code"),
        [
            (lambda p: {"iat": None}, Code.OIDC_TIME),
            (lambda p: {"iat": now(p) + 31}, Code.OIDC_TIME),
            (lambda p: {"iat": now(p) - 631}, Code.OIDC_TIME),
            (lambda p: {"iat": "now"}, Code.OIDC_TIME),
            (lambda p: {"exp": None}, Code.OIDC_TIME),
            (lambda p: {"exp": now(p) - 30}, Code.OIDC_TIME),
            (lambda p: {"nbf": now(p) + 31}, Code.OIDC_TIME),
            (lambda p: {"jti": None}, Code.OIDC_LOGOUT_TOKEN),
            (lambda p: {"jti": ""}, Code.OIDC_LOGOUT_TOKEN),
            (lambda p: {"jti": 7}, Code.OIDC_LOGOUT_TOKEN),
            (lambda p: {"jti": "x" * 256}, Code.OIDC_LOGOUT_TOKEN),
            (lambda p: {"sub": None}, Code.OIDC_LOGOUT_TOKEN),
            (lambda p: {"sub": None, "sid": ""}, Code.OIDC_LOGOUT_TOKEN),
            (lambda p: {"sub": ["person-1"]}, Code.OIDC_SUBJECT),
            (lambda p: {"sub": ""}, Code.OIDC_SUBJECT),
            (lambda p: {"sid": 4}, Code.OIDC_CLAIMS),
        ],
    )
    def test_what_a_token_must_tell(self, house: TheHouse, edit: Edit, code: Code) -> None:
        there = OpenId.open(house)
        client = there.sign_in()
        claims = {"sub": "person-1", **edit(there.provider)}
        refused(there, client, there.provider.logout_token(**claims), code)

    @pytest.mark.row("LGO-09")
    def test_what_is_not_known_is_ignored(self, house: TheHouse) -> None:
        there = OpenId.open(house)
        client = there.sign_in()
        more: Document = {"trace_id": "x", "sub_id": {"format": "opaque"}, "events": {EVENT: {"y": 1}, "other": 3}}
        assert there.tell(there.provider.logout_token(sub="person-1", **more)).status == 200
        assert not there.is_in(client)

    @pytest.mark.row("LGO-09")
    def test_a_token_counts_once(self, house: TheHouse) -> None:
        there = OpenId.open(house)
        there.sign_in()
        token = there.provider.logout_token(sub="person-1")
        assert there.tell(token).status == 200
        again = there.sign_in()
        assert there.tell(token).status == 400
        assert house.codes("logout_refused") == [Code.REPLAYED]
        assert there.is_in(again)
        # ... until it is too old to count at all
        house.clock.move(151)
        there.sign_in()
        assert there.tell(token).status == 400

    @pytest.mark.row("LGO-09")
    def test_a_portal_may_be_excepted_from_the_type_and_the_end(self, house: TheHouse) -> None:
        there = OpenId.open(house, logout_tokens="early")
        client = there.sign_in()
        provider = there.provider
        refused(there, client, provider.logout_token({"typ": "at+jwt"}, sub="person-1"), Code.OIDC_TOKEN_TYPE)
        late = provider.logout_token({"typ": "JWT"}, sub="person-1", exp=now(provider) - 30)
        refused(there, client, late, Code.OIDC_TIME)
        old = provider.logout_token({"typ": "JWT"}, sub="person-1", exp=None, iat=now(provider) - 631)
        refused(there, client, old, Code.OIDC_TIME)
        assert there.tell(provider.logout_token({"typ": "JWT"}, sub="person-1", exp=None)).status == 200
        assert not there.is_in(client)

    @pytest.mark.row("LGO-10")
    @pytest.mark.row("INP-04")
    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
    def test_only_a_post(self, house: TheHouse, method: str) -> None:
        there = OpenId.open(house)
        client = there.sign_in()
        token = there.provider.logout_token(sub="person-1")
        reply = house.client().request(method, f"{FIN}/canal?{urlencode({'logout_token': token})}")
        assert reply.status == 405
        assert there.is_in(client)

    @pytest.mark.row("LGO-10")
    def test_only_a_small_form(self, house: TheHouse) -> None:
        there = OpenId.open(house)
        client = there.sign_in()
        token = there.provider.logout_token(sub="person-1")
        server = house.client()
        json_ = {"Content-Type": "application/json"}
        reply = server.request("POST", FIN + "/canal", raw=json.dumps({"logout_token": token}).encode(), headers=json_)
        assert reply.status == 415
        assert there.tell(token + "x" * 100_000).status == 413
        assert server.post(FIN + "/canal", {"logout_token": token, "more": "x" * 100_000}).status == 413
        assert server.post(FIN + "/canal", {"other": token}).status == 400
        assert server.post(f"{FIN}/canal?{urlencode({'logout_token': token})}", {}).status == 400
        assert there.is_in(client)
        assert "reason" not in reply.text
        assert reply.text == Code.MEDIA_TYPE

    @pytest.mark.row("LGO-10")
    def test_one_network_is_heard_so_often_and_the_others_still(self, house: TheHouse) -> None:
        there = OpenId.open(house)
        client = there.sign_in()
        token = there.provider.logout_token(sub="person-1")
        statuses = [there.tell("x").status for _ in range(605)]
        assert (set(statuses[:600]), set(statuses[600:])) == ({400}, {429})
        told = there.tell(token)
        assert (told.status, told.header("retry-after")) == (429, "60")
        assert there.is_in(client)
        other = house.client(address="198.51.100.4")
        assert other.post(FIN + "/canal", {"logout_token": token}).status == 200
        house.clock.move(60)
        assert there.tell("x").status == 400

    def test_a_store_that_fails_is_told_and_the_same_token_may_come_again(
        self, house: TheHouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        there = OpenId.open(house)
        client = there.sign_in()
        token = there.provider.logout_token(sub="person-1", sid="session-of-the-portal")

        def fail(*_: object) -> int:
            raise Unavailable("the store does not answer")

        with monkeypatch.context() as broken:
            broken.setattr(house.gateway.house.sessions, "end_name_id", fail)
            assert there.tell(token).status == 503
        assert there.is_in(client)
        assert there.tell(token).status == 200
        assert not there.is_in(client)

    def test_a_portal_that_is_to_end_nothing_here_ends_nothing(self, house: TheHouse) -> None:
        there = OpenId.open(house, single_logout=False)
        client = there.sign_in()
        assert there.tell(there.provider.logout_token(sub="person-1")).status == 404
        assert there.is_in(client)


def refused(there: OpenId, client: Client, token: str, code: Code) -> None:
    """Check that a token is refused for this reason, and that the session stays."""
    reply = there.tell(token)
    assert (reply.status, reply.header("cache-control")) == (400, "no-store")
    assert there.house.codes("logout_refused")[-1] == code
    assert there.is_in(client)


class TestToldInAFrame:
    """Front-Channel Logout 1.0."""

    @pytest.mark.row("LGO-11")
    @pytest.mark.row("WEB-03")
    def test_it_needs_no_cookie_and_ends_that_session_alone(self, house: TheHouse) -> None:
        there = OpenId.open(house)
        first, second = there.sign_in(sid="s-1"), there.sign_in(sid="s-2")
        frame = house.client()
        reply = frame.get(f"{FIN}/cadre?{urlencode({'iss': ISSUER, 'sid': 's-1'})}", cookies=False)
        assert (reply.status, reply.header("cache-control")) == (200, "no-store")
        assert reply.header("content-security-policy") == f"default-src 'none'; frame-ancestors {ISSUER}"
        assert reply.all("x-frame-options") == []
        assert [there.is_in(each) for each in (first, second)] == [False, True]

    @pytest.mark.row("LGO-11")
    @pytest.mark.parametrize(
        "fields",
        [
            {"iss": ISSUER, "sid": "unknown"},
            {"iss": "https://evil.example", "sid": "s-1"},
            {"iss": ISSUER + "/", "sid": "s-1"},
            {"sid": "s-1"},
            {"iss": ISSUER},
            {"iss": ISSUER, "sid": ""},
            {"iss": ISSUER, "sid": "x" * 2049},
            {},
        ],
    )
    def test_a_wrong_pair_has_no_effect(self, house: TheHouse, fields: dict[str, str]) -> None:
        there = OpenId.open(house)
        client = there.sign_in(sid="s-1")
        reply = client.get(f"{FIN}/cadre?{urlencode(fields)}")
        assert reply.status == (200 if fields.get("sid") == "unknown" else 400)
        assert reply.header("cache-control") == "no-store"
        assert there.is_in(client)

    @pytest.mark.row("LGO-11")
    def test_a_sid_of_one_portal_is_nothing_to_another(self, house: TheHouse) -> None:
        there = OpenId.open(house)
        client = there.sign_in(sid="s-1")
        other = FIN.replace(DOOR, "arena-creteil")
        house.client().get(f"{other}/cadre?{urlencode({'iss': ISSUER, 'sid': 's-1'})}")
        assert there.is_in(client)

    def test_only_a_get(self, house: TheHouse) -> None:
        there = OpenId.open(house)
        assert house.client().post(f"{FIN}/cadre", {"iss": ISSUER, "sid": "s-1"}).status == 405
        assert there.house is house
