"""Every act by a portal, by the host's own rules, by operators: exactly its events, with every field (row LOG-01)."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from imagin_gateway import Hooks
from imagin_gateway.errors import Code, Unavailable
from imagin_gateway.events import EventName
from imagin_gateway.flows.helping import By, Helping
from tests.client import Client, Reply
from tests.flows.acts import Acts, Told, told
from tests.flows.conftest import TheHouse, direct, open_house, sign_in
from tests.flows.openid import DOOR as PARIS
from tests.flows.openid import FIN as PARIS_FIN
from tests.flows.openid import ISSUER, OpenId
from tests.flows.saml_house import CRETEIL, SamlHouse, answer, post, sections
from tests.flows.saml_house import FIN as CRETEIL_FIN
from tests.flows.test_admission import RULES as ADMISSION
from tests.flows.test_direct_journeys import GOOD, personalised
from tests.flows.test_proconnect import ISSUER as PROCONNECT
from tests.flows.test_proconnect import Linked
from tests.flows.test_saml_journeys import order
from tests.providers.saml.forge import PERSON, PORTAL, keys
from tests.providers.saml.logouts import by_redirect

pytestmark = pytest.mark.row("LOG-01")

MARIE, PAUL = "mdurand7", "pmartin2"
PASSWORD_CLASS: Final = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
MakeHouse = Callable[..., TheHouse]


def test_a_saml_portal(tmp_path: Path) -> None:
    house = open_house("wsgi", tmp_path, portals=sections(tmp_path))
    saml, acts, client = SamlHouse(house), Acts(house), house.client()
    here: dict[str, Any] = {"door": CRETEIL, "method": "saml"}
    who = (PORTAL, PERSON.login)
    with acts.cause("leaving", told("login_started", None, **here)):
        asked = saml.leave(client)
    message = answer(house, in_response_to=asked, session="_1", name_id="_n")
    strength: dict[str, Any] = {**here, "strength": PASSWORD_CLASS}
    with acts.cause("forged", told("login_refused", Code.SAML_SIGNATURE, **here)):
        post(house.client(), answer(house, key=keys("attacker")))
    with acts.cause("in another browser", told("login_refused", Code.FLOW_OTHER_BROWSER, **here)):
        post(house.client(), message)
    with acts.cause("lost by that", told("login_refused", Code.FLOW_UNKNOWN, **here)):
        post(client, message)
    with acts.cause(
        "solicited",
        told("login_started", None, **here),
        told("login", None, who, detail={"solicited": True}, **strength),
    ):
        saml.sign_in(client, session="_1", name_id="_n")
    free = answer(house)
    stranger = house.client()
    with acts.cause("unsolicited", told("login", None, who, detail={"solicited": False}, **strength)):
        stranger.follow(post(stranger, free))
    with acts.cause("replayed", told("login_refused", Code.REPLAYED, who, **strength)):
        post(house.client(), free)
    signed_in = personalised(house)
    with acts.cause("another person is signed in here", told("login_confirmation_asked", None, who, **strength)):
        page = signed_in.follow(post(signed_in, answer(house, session="_2")))
    with acts.cause("the person chose the other one", told("login", None, who, **strength)):
        signed_in.submit(page, {})
    with acts.cause("looking at nothing that waits", told("login_refused", Code.FLOW_UNKNOWN, door="")):
        house.client().get("/connexion/arrivee")
    with acts.cause("an order of nobody's", told("logout_refused", Code.SAML_UNSIGNED, door=CRETEIL)):
        saml.bring(house.client(), by_redirect(order(saml, "_n"), signed=False))
    with acts.cause("the portal ends it", told("logout_by_portal", None, who, door=CRETEIL, detail={"ended": 1})):
        saml.bring(house.client(), by_redirect(order(saml, "_n")))
    saml.sign_in(client, session="_3", name_id="_m")
    with acts.cause(
        "ended here, and there",
        told("logout", None, who, door=CRETEIL),
        told("logout_at_portal", None, who, door=CRETEIL),
    ):
        saml.end(client)
    with acts.cause("what comes back is nothing of ours", told("logout_refused", Code.SAML_UNSIGNED, door=CRETEIL)):
        house.client().get(f"{CRETEIL_FIN}?SAMLResponse=x")
    with acts.cause("its metadata are renewed", told("metadata_renewed", door=CRETEIL)):
        house.gateway._metadata_renewed(CRETEIL, True, "")
    with acts.cause(
        "they cannot be", told("metadata_refused", Code.SAML_METADATA, door=CRETEIL, detail={"reason": "x"})
    ):
        house.gateway._metadata_renewed(CRETEIL, False, "x")
    with acts.cause("no such door", told("login_refused", Code.PORTAL_UNKNOWN, door="")):
        client.get("/connexion/portail/nulle-part")
    house.gateway.close()


def test_an_openid_portal(make_house: MakeHouse) -> None:
    house = make_house()
    openid, acts, client = OpenId.open(house), Acts(house), house.client()
    here: dict[str, Any] = {"door": PARIS, "method": "oidc"}
    who = (ISSUER, "person-1")
    back = f"/connexion/portail/{PARIS}/retour?"

    def leave(browser: Client) -> dict[str, str]:
        openid.provider.now = house.clock.now()
        return openid.provider.authorize(browser.get(f"/connexion/portail/{PARIS}?next=/missions").location)

    with acts.cause(
        "there and back",
        told("login_started", None, **here),
        told("login", None, who, strength="eidas1", detail={"solicited": True}, **here),
    ):
        client.follow(client.get(back + urlencode(leave(client))))
    with acts.cause("a state of nobody's", told("login_refused", Code.FLOW_UNKNOWN, **here)):
        client.get(back + urlencode({"code": "x", "state": "y" * 43}))
    with acts.cause(
        "the portal says no", told("login_started", None, **here), told("login_refused", Code.PORTAL_REFUSED, **here)
    ):
        asked = leave(client)
        del asked["code"]
        client.get(back + urlencode({**asked, "error": "access_denied"}))
    openid.provider.edit_claims = lambda claims: claims.update(nonce="another")
    with acts.cause(
        "another nonce", told("login_started", None, **here), told("login_refused", Code.OIDC_NONCE, **here)
    ):
        client.get(back + urlencode(leave(client)))
    with acts.cause("an order of nobody's", told("logout_refused", Code.OIDC_LOGOUT_TOKEN, door=PARIS)):
        client.post(f"{PARIS_FIN}/canal", {"logout_token": "x.y.z"})
    openid.sign_in(sid="s-1")
    with acts.cause("the portal ends it", told("logout_by_portal", None, who, door=PARIS, detail={"ended": 1})):
        client.post(f"{PARIS_FIN}/canal", {"logout_token": openid.provider.logout_token(sub="person-1", sid="s-1")})
    house.gateway.house.portals[PARIS].depart = _down  # type: ignore[method-assign]  # for one call
    with acts.cause("it is down", told("portal_failed", Code.PORTAL_UNAVAILABLE, **here)):
        client.get(f"/connexion/portail/{PARIS}")


def _down(now: Any, *, anew: bool = False) -> Any:
    raise Unavailable("scripted", code=Code.PORTAL_UNAVAILABLE)


def test_proconnect(make_house: MakeHouse) -> None:
    house = make_house()
    linked, acts = Linked.open(house), Acts(house)
    here: dict[str, Any] = {"door": "proconnect", "method": "oidc"}
    client = house.client()
    nobody = told("login_refused", Code.NOT_LINKED, (PROCONNECT, "agent-1"), strength="eidas1", **here)
    with acts.cause("linked to nobody", told("login_started", None, **here), nobody):
        linked.come(client)
    client = linked.by_password()
    with acts.cause("linked", told("account_linked", None, MARIE, detail={"issuer": PROCONNECT})):
        linked.link(client)
    other = linked.by_password(PAUL)
    leaving = other.submit(other.get("/connexion/proconnect"), {})
    question = other.follow(linked.back(other, leaving))
    with acts.cause("linked already", told("request_refused", Code.LINK_TAKEN, PAUL)):
        other.submit(question, {})
    with acts.cause(
        "by it", told("login_started", None, **here), told("login", None, MARIE, strength="eidas1", **here)
    ):
        linked.come(house.client())
    with acts.cause("undone", told("account_unlinked", None, MARIE, detail={"issuer": PROCONNECT})):
        client.submit(client.get("/connexion/proconnect"), {})


def test_trusted_headers(make_house: MakeHouse) -> None:
    secret = "s3cret-of-the-agent-0123456789abcdefghijklmnop"
    section = {
        "protocol": "header",
        "issuer": "https://bv.ac-paris.fr",
        "proxies": ["192.0.2.7"],
        "secrets": [secret],
        "academie": 1,
    }
    closed = make_house(portals={PARIS: {**section, "enabled": False}})
    with Acts(closed).cause("a door that is closed", told("login_refused", Code.PORTAL_DISABLED, door=PARIS)):
        closed.client().get(f"/connexion/portail/{PARIS}")
    house = make_house("asgi", portals={PARIS: section})
    acts, client = Acts(house), house.client()
    here: dict[str, Any] = {"door": PARIS, "method": "header"}
    entry = f"/connexion/portail/{PARIS}/entree"
    headers = {"X-Imagin-Gateway-Secret": secret, "ct-remote-user": "elefevre1", "codaca": "001"}

    def enter(**more: str) -> Reply:
        return client.follow(client.get(entry, headers={**headers, **more}))

    with acts.cause("vouched for", told("login", None, ("https://bv.ac-paris.fr", "elefevre1"), **here)):
        enter()
    with acts.cause("without the secret", told("login_refused", Code.HEADER_SECRET, **here)):
        enter(**{"X-Imagin-Gateway-Secret": "another"})
    with acts.cause("two people at once", told("login_refused", Code.HEADER_AMBIGUOUS, **here)):
        enter(Ct_Remote_User="another")


def test_what_the_host_refuses_or_ends(make_house: MakeHouse, tmp_path: Path) -> None:
    rules = tmp_path / "admission.toml"
    rules.write_text(ADMISSION, encoding="utf-8")
    house = make_house(
        admission=rules,
        sessions={"parallel": 1},
        protect=[{"prefix": "/coordonnees", "activity": "personal-data"}],
    )
    acts, client = Acts(house), house.client()
    oidc: dict[str, Any] = {"door": PARIS, "method": "oidc"}
    saml: dict[str, Any] = {"door": CRETEIL, "method": "saml"}
    paris, creteil = house.portals[PARIS].issuer, house.portals[CRETEIL].issuer
    with acts.cause(
        "nothing is open to them",
        told("login_started", None, **oidc),
        told("login_refused", Code.ADMISSION_REFUSED, (paris, "jdupont"), detail={"rules": "mail,nobody"}, **oidc),
    ):
        sign_in(house, client, "jdupont", PARIS)
    login = told("login", None, (creteil, "jdupont"), detail={"withheld": "mail"}, **saml)
    with acts.cause("something is", told("login_started", None, **saml), login):
        sign_in(house, client, "jdupont")
    with acts.cause(
        "a page of another door", told("access_denied", Code.ACTIVITY_CLOSED, (creteil, "jdupont"), **saml)
    ):
        client.get("/coordonnees")
    with acts.cause(
        "one session too many",
        told("login_started", None, **saml),
        told("session_ended", Code.TOO_MANY_SESSIONS, (creteil, "jdupont"), door=CRETEIL),
        login,
    ):
        sign_in(house, house.client(), "jdupont")

    def boom(_: Any) -> None:
        raise RuntimeError("of the host")

    house.gateway.house = replace(house.gateway.house, hooks=Hooks(before_admission=boom))
    with acts.cause(
        "the host's own function fails",
        told("hook_failed", Code.HOOK_FAILED, MARIE),
        told("login_refused", Code.ADMISSION_REFUSED, MARIE, method="provisional-password", strength="pwd"),
    ):
        direct(house.client(), MARIE, house.letters[MARIE])


def test_where_one_session_is_all_the_second_login_is_refused(make_house: MakeHouse) -> None:
    house = make_house(sessions={"parallel": 1, "beyond_parallel": "refuse"})
    personalised(house)
    refusal = told("login_refused", Code.TOO_MANY_SESSIONS, MARIE, method="password", strength="pwd")
    with Acts(house).cause("the second", refusal):
        direct(house.client(), MARIE, GOOD)


def test_acts_of_operators(make_house: MakeHouse) -> None:
    house = make_house()
    rooms, actor = house.gateway.house, "cli:essai"
    personalised(house)
    acts, helping = Acts(house), Helping(rooms.direct, rooms.sessions, rooms.events, By(actor=actor))

    def by(event: str, **detail: Any) -> Told:
        return told(event, None, MARIE, actor=actor, detail=detail)

    with acts.cause("a letter", by("provisional_issued", ended=1)):
        letter = helping.reissue(MARIE, replace=True)
    assert letter is not None
    house.letters[MARIE] = letter.provisional.reveal() if letter.provisional else ""
    personalised(house)
    with acts.cause("a change", by("change_required", ended=1)):
        helping.require_change(MARIE)
    with acts.cause("a link", by("link_ordered")):
        helping.send_link(MARIE)
    with acts.cause("factors", by("factors_cleared", factors=0)):
        helping.remove_factors(MARIE)
    with acts.cause("one demanded", by("factor_required")):
        helping.require_factor(MARIE, True)
    with acts.cause("no more", by("factor_not_required")):
        helping.require_factor(MARIE, False)
    with acts.cause("closed", by("account_disabled", ended=0)):
        helping.disable(MARIE)
    with acts.cause("opened", by("account_enabled")):
        helping.enable(MARIE)
    with acts.cause("erased", by("account_erased", ended=0)):
        helping.erase(MARIE)
    with acts.cause("nobody", *()):
        assert helping.disable("inconnu0") is None


ELSEWHERE: Final = {
    "account_exported": "tests/cli/test_help_desk.py",
    "account_shown": "tests/flows/test_desk.py",
    "account_unlocked": "tests/cli/test_help_desk.py",
    "accounts_imported": "tests/cli/test_commands.py",
    "accounts_searched": "tests/flows/test_desk.py",
    "desk_refused": "tests/flows/test_desk.py",
    "development_mode": "tests/ground/test_settings.py",
    "events_purge_failed": "tests/events/test_retention.py",
    "events_purged": "tests/events/test_retention.py",
    "events_read": "tests/cli/test_events.py",
    "fault": "tests/flows/test_logs.py",
    "history_purged": "tests/local/test_help_desk.py",
    "inactive_erased": "tests/cli/test_help_desk.py",
    "leak_answered": "tests/cli/test_help_desk.py",
    "mail_failed": "tests/local/test_mail.py",
    "proxy_undeclared": "tests/flows/test_proxies.py",
    "pseudonym_opened": "tests/cli/test_events.py",
    "redirect_refused": "tests/flows/test_redirects.py",
    "sessions_listed": "tests/cli/test_commands.py",
    "sink_failed": "tests/events/test_sinks.py",
    "sink_recovered": "tests/events/test_sinks.py",
}
"""Events of no act of authentication, and where they are held."""


def test_every_event_is_expected_of_some_act() -> None:
    """An act that is new here has its events in one of the two tables, or the reason why not."""
    held: set[str] = set()
    for name in ("test_events_of_direct_acts.py", "test_events_of_portal_acts.py"):
        tree = ast.parse(Path(__file__).with_name(name).read_text(encoding="utf-8"))
        held |= {
            str(each.args[0].value)
            for each in ast.walk(tree)
            if isinstance(each, ast.Call)
            and isinstance(each.func, ast.Name)
            and each.func.id in ("told", "by")
            and each.args
            and isinstance(each.args[0], ast.Constant)
        }
    assert held | set(ELSEWHERE) == {name.value for name in EventName}
    assert not held & set(ELSEWHERE)
    root = Path(__file__).parents[2]
    for event, where in ELSEWHERE.items():
        text = (root / where).read_text(encoding="utf-8")
        assert event in text or EventName(event).name in text, f"{event} is not held in {where}"
