"""Trusted headers: from whom, on which path, written by whom, and what is read of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagin_gateway import Gateway
from imagin_gateway.errors import AnswerRefused, Code, FlowLost, GatewayError, RequestRefused, SettingsError
from imagin_gateway.exchange import Request
from imagin_gateway.keys import Secret
from imagin_gateway.mounts.peer import certificate_of_environ, certificate_of_scope, doubtful_names, peer_address
from imagin_gateway.providers.header import HeaderPortalClient
from imagin_gateway.providers.portal import Arrival, Memory
from imagin_gateway.settings import HeaderPortal, Settings
from tests.clock import ManualClock
from tests.flows.conftest import settings_of
from tests.peers.authority import key_pair

DOOR = "arena-paris"
ENTRY = f"/portail/{DOOR}/entree"
OLD, NEW = "Kq3vZ7dXw1Lh8RtB5nYc2MfJ6sPgA9eUo4Ti0", "u2WxN8kGz5QbV1rDj7LmHs3FyC9pTa6EeXo4Ri0"
PRINT = "ab" * 32
CLOCK = ManualClock()

HONEST = {
    "x-imagin-gateway-secret": NEW,
    "ct-remote-user": "elefevre1",
    "ctln": "Lefèvre".encode().decode("latin-1"),
    "ctfn": "Élodie".encode().decode("latin-1"),
    "ctemail": "elodie.lefevre@ac-paris.fr",
    "codaca": "001",
    "fredurne": "0750001U$UAJ$PU$ENS$0750001U$T3$LYC$300,0750002V$UAJ$PU$ADM$0750002V$T3$LP$320",
}


def portal(**config: Any) -> HeaderPortalClient:
    values: dict[str, Any] = {
        "protocol": "header",
        "issuer": "https://bv.ac-paris.fr",
        "proxies": ("192.0.2.10",),
        "secrets": (Secret(OLD), Secret(NEW)),
        "academie": 1,
        **config,
    }
    section = HeaderPortal(**values)
    return HeaderPortalClient.open(
        DOOR, section, entry_url=f"https://imagin.example/connexion{ENTRY}", entry_path=ENTRY
    )


def nothing_kept(_: str) -> Memory:
    raise FlowLost("no journey waits for this answer", code=Code.FLOW_UNKNOWN)


def request(
    headers: Mapping[str, str | None] | None = None,
    *,
    path: str = ENTRY,
    method: str = "GET",
    peer: str = "192.0.2.10",
    certificate: str = "",
    doubtful: frozenset[str] | None = frozenset(),
) -> Request:
    told = {name: value for name, value in {**HONEST, **(headers or {})}.items() if value is not None}
    return Request(method, path, headers=told, peer=peer, certificate=certificate, doubtful=doubtful)


def enter(asked: Request, **config: Any) -> Arrival:
    return portal(**config).arrive(asked, nothing_kept, CLOCK.now())


def refusal(asked: Request, **config: Any) -> Code:
    with pytest.raises(GatewayError) as refused:
        enter(asked, **config)
    assert "elefevre" not in str(refused.value)
    return refused.value.code


def test_a_person_is_who_the_agent_says() -> None:
    arrival = enter(request())
    assert (arrival.issuer, arrival.subject, arrival.method) == ("https://bv.ac-paris.fr", "elefevre1", "header")
    assert (arrival.family_name, arrival.given_name) == ("Lefèvre", "Élodie")
    assert arrival.attributes["codaca"] == ("001",)
    assert arrival.attributes["FrEduRne"] == tuple(HONEST["fredurne"].split(","))
    assert not arrival.solicited
    assert (arrival.logout_hint, arrival.portal_session, arrival.name_id) == ("", "", "")


def test_the_numen_and_what_is_not_needed_stay_outside() -> None:
    more = {"employeenumber": "01E9501234ABC", "datenaissance": "01/01/1970", "ctdn": "uid=x,ou=y", "grade": "7"}
    arrival = enter(request(more))
    assert set(arrival.attributes) == {"ct-remote-user", "ctln", "ctfn", "ctemail", "codaca", "FrEduRne"}


# --- who brings them


@pytest.mark.parametrize("peer", ["192.0.2.11", "", "::1", "127.0.0.1", "::ffff:192.0.2.11"])
def test_another_machine_is_not_believed_even_with_the_secret(peer: str) -> None:
    assert refusal(request(peer=peer)) is Code.HEADER_PEER
    forged = request({"x-forwarded-for": "192.0.2.10", "forwarded": "for=192.0.2.10"}, peer=peer)
    assert refusal(forged) is Code.HEADER_PEER


@pytest.mark.parametrize(
    ("proxies", "peer"),
    [
        (("192.0.2.0/28",), "192.0.2.10"),
        (("198.51.100.1", "192.0.2.10"), "192.0.2.10"),
        (("192.0.2.10",), "::ffff:192.0.2.10"),
        (("2001:db8::/64",), "2001:db8::5"),
        (("unix",), ""),
    ],
)
def test_a_declared_machine_is_believed(proxies: tuple[str, ...], peer: str) -> None:
    assert enter(request(peer=peer), proxies=proxies).subject == "elefevre1"


@pytest.mark.parametrize("shown", [None, "", "x", OLD[:-1], OLD + "x", f"{OLD},{NEW}", f"{NEW},x", NEW + " ", "é", "€"])
def test_without_the_secret_the_right_machine_is_not_believed(shown: str | None) -> None:
    assert refusal(request({"x-imagin-gateway-secret": shown})) is Code.HEADER_SECRET


@pytest.mark.row("KEY-04")
def test_the_secret_is_rotated_with_an_overlap() -> None:
    for shown in (OLD, NEW):
        assert enter(request({"x-imagin-gateway-secret": shown})).subject == "elefevre1"
    assert refusal(request({"x-imagin-gateway-secret": OLD}), secrets=(Secret(NEW),)) is Code.HEADER_SECRET


@pytest.mark.parametrize("shown", ["", PRINT[:-1], PRINT.upper(), "cd" * 32])
def test_a_certificate_may_prove_the_proxy_instead(shown: str) -> None:
    alone = {"secrets": (), "certificates": (":".join([PRINT[i : i + 2] for i in range(0, 64, 2)]).upper(),)}
    assert enter(request({"x-imagin-gateway-secret": None}, certificate=PRINT), **alone).subject == "elefevre1"
    assert refusal(request(certificate=shown), **alone) is Code.HEADER_SECRET


def test_where_both_are_configured_both_are_needed() -> None:
    both = {"certificates": (PRINT,)}
    assert enter(request(certificate=PRINT), **both).subject == "elefevre1"
    assert refusal(request(), **both) is Code.HEADER_SECRET
    assert refusal(request({"x-imagin-gateway-secret": "x"}, certificate=PRINT), **both) is Code.HEADER_SECRET


# --- where


@pytest.mark.parametrize(
    "path", ["/portail/arena-paris/retour", "/portail/arena-paris", "/", ENTRY + "x", "/x" + ENTRY]
)
def test_on_another_path_they_mean_nothing(path: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        enter(request(path=path))
    assert refused.value.code is Code.NOT_FOUND


def test_people_enter_by_get() -> None:
    assert refusal(request(method="POST")) is Code.METHOD_NOT_ALLOWED


# --- written by whom


@pytest.mark.parametrize("name", [name for name in HONEST if name != "cn"])
def test_a_header_that_two_may_have_written_ends_it(name: str) -> None:
    assert refusal(request(doubtful=frozenset({name}))) is Code.HEADER_AMBIGUOUS


def test_an_absent_header_that_somebody_tried_to_add_ends_it() -> None:
    assert refusal(request(doubtful=frozenset({"freduresdel"}))) is Code.HEADER_AMBIGUOUS


def test_what_is_not_read_may_stand_twice() -> None:
    assert enter(request(doubtful=frozenset({"cookie", "accept", "x-custom"}))).subject == "elefevre1"


def test_under_wsgi_nobody_enters_unless_the_operator_made_sure() -> None:
    assert refusal(request(doubtful=None)) is Code.HEADER_AMBIGUOUS
    assert enter(request(doubtful=None), wsgi_server_drops_underscores=True).subject == "elefevre1"


@pytest.mark.parametrize("name", ["ct-remote-user", "ctln", "ctfn", "cn", "ctemail", "codaca", "rne", "title"])
def test_a_single_value_with_a_comma_is_two_values(name: str) -> None:
    promised = {"wsgi_server_drops_underscores": True}
    joined = {name: f"{HONEST.get(name, 'x')},evil"}
    for doubtful in (frozenset[str](), None):
        assert refusal(request(joined, doubtful=doubtful), **promised) is Code.HEADER_AMBIGUOUS


# --- what they hold


@pytest.mark.parametrize("value", [None, "", " ", "\t", "X", " X "])
def test_an_empty_subject_is_nobody(value: str | None) -> None:
    assert refusal(request({"ct-remote-user": value})) is Code.HEADER_EMPTY


@pytest.mark.parametrize("value", ["01E9501234ABC", "a\u00adb", "a\x85b"])
def test_a_subject_that_is_none_is_refused(value: str) -> None:
    code = refusal(request({"ct-remote-user": value.encode().decode("latin-1")}))
    assert code is Code.ATTRIBUTE_MISSING


@pytest.mark.row("INP-09")
@pytest.mark.parametrize(
    "value", ["7", "-1", "1.5", "true", "null", "[]", "{}", '["elefevre1"]', '{"a":{"b":1}}', "%5B%5D"]
)
def test_a_header_that_looks_like_something_else_is_a_text_or_no_value(value: str) -> None:
    """Nothing is parsed out of it: a free text stands as it is written, a code that has a written form is skipped."""
    free, formed = ("ctln", "ctfn", "title"), ("ctemail", "rne", "fredurne", "fredufonctadm", "freduurlretour")
    arrival = enter(request(dict.fromkeys((*free, *formed), value)))
    assert (arrival.subject, arrival.family_name, arrival.given_name) == ("elefevre1", value, value)
    assert arrival.attributes["title"] == (value,)
    kept = {name.lower() for name in arrival.attributes} & set(formed)
    assert kept <= {"fredufonctadm"}, "a code is letters and digits"
    assert arrival.email == ""


def test_a_missing_attribute_is_named() -> None:
    with pytest.raises(AnswerRefused) as refused:
        enter(request({"ctemail": None}), required_attributes=("ctemail",))
    assert (refused.value.code, refused.value.missing) == (Code.ATTRIBUTE_MISSING, ("ctemail",))


@pytest.mark.parametrize(
    "config",
    [
        {"required_attributes": ("fredurne",)},
        {"required_attributes": ("FREDURNE", "Ct-Remote-User")},
        {"attributes": {"FrEduRne": ("Postes",)}, "required_attributes": ("postes",)},
    ],
)
def test_the_settings_name_an_attribute_of_several_values_in_any_case(config: dict[str, Any]) -> None:
    told = {f"x-imagin-agent-{name}": value for name, value in HONEST.items()}
    told["x-imagin-agent-postes"] = HONEST["fredurne"]
    arrival = enter(request(told), prefix="X-Imagin-Agent-", **config)
    assert arrival.attributes["FrEduRne"] == tuple(HONEST["fredurne"].split(","))


@pytest.mark.parametrize("name", ["ct-remote-user", "ctln", "fredurne", "freduurlretour"])
def test_a_value_that_is_too_long_is_refused(name: str) -> None:
    assert refusal(request({name: "x" * 8193})) is Code.HEADER_TOO_LONG


def test_too_many_values_are_refused() -> None:
    assert refusal(request({"fredurne": ",".join(["a"] * 513)})) is Code.HEADER_TOO_LONG


def test_what_is_just_short_enough_is_read() -> None:
    assert enter(request({"ctln": "x" * 8192})).subject == "elefevre1"
    assert enter(request({"fredurne": ",".join(["a"] * 512)})).subject == "elefevre1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FrEduRne", "0750001U$UAJ$PU$ENS$0750001U$T3$LYC$300"),
        ("FrEduRneResp", "0750001U$UAJ$PU$N$T3$LYC$300"),
        ("FrEduResDel", "app|r|01/09/2026|31/12/9999|m||s|f|"),
        ("FrEduGestResp", "01/09/2026$31/12/9999$a"),
    ],
)
def test_what_may_have_several_values_has_them_joined_by_commas(name: str, value: str) -> None:
    other = value.replace("9999", "2027") if "9999" in value else value.replace("UAJ", "UAI")
    assert enter(request({name.lower(): f"{value},{other}"})).attributes[name] == (value, other)


def test_the_path_names_a_journey_of_a_bounded_length() -> None:
    assert refusal(request(path=f"{ENTRY}/{'a' * 63}")) is Code.FLOW_UNKNOWN
    assert refusal(request(path=f"{ENTRY}/{'a' * 64}")) is Code.NOT_FOUND
    assert refusal(request(path=ENTRY + "s")) is Code.NOT_FOUND


def test_the_way_back_is_no_post_of_another_site() -> None:
    """So the cookie of the journey stays `Lax`."""
    assert not portal().depart(CLOCK.now()).cross_site_post


@pytest.mark.parametrize("name", ["ct-remote-user", "ctln", "fredurne"])
def test_bytes_of_another_charset_are_refused(name: str) -> None:
    assert refusal(request({name: "Lef\xe8vre"})) is Code.HEADER_CHARSET


def test_the_other_charset_can_be_configured() -> None:
    arrival = enter(request({"ctln": "Lef\xe8vre", "ctfn": "Z\xf6e"}), charset="iso-8859-1")
    assert (arrival.family_name, arrival.given_name) == ("Lefèvre", "Zöe")


def test_another_academie_is_refused() -> None:
    assert refusal(request({"codaca": "24"})) is Code.SCOPE_VIOLATION
    assert refusal(request({"ctemail": "x@ac-creteil.fr"})) is Code.SCOPE_VIOLATION


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://bv.ac-paris.fr/retour?a=b", True),
        ("https://evil.example/", False),
        ("https://bv.ac-paris.fr.evil.example/", False),
        ("https://bv.ac-paris.fr@evil.example/", False),
        ("http://bv.ac-paris.fr/", False),
        ("javascript:alert(1)", False),
        ("https://bv.ac-paris.fr:8443/", False),
    ],
)
def test_the_way_back_to_the_portal_leads_to_its_hosts_alone(url: str, kept: bool) -> None:
    arrival = enter(request({"freduurlretour": url}), return_hosts=("bv.ac-paris.fr",))
    assert ("FrEduUrlRetour" in arrival.attributes) is kept
    assert "FrEduUrlRetour" not in enter(request({"freduurlretour": url})).attributes


def test_names_may_have_a_prefix_and_then_the_bare_ones_mean_nothing() -> None:
    prefixed = {"x-imagin-agent-ct-remote-user": "jdupont", "x-imagin-agent-uid": "u7"}
    assert enter(request(prefixed), prefix="X-Imagin-Agent-").subject == "jdupont"
    assert refusal(request(), prefix="X-Imagin-Agent-") is Code.HEADER_EMPTY
    assert enter(request(prefixed), prefix="X-Imagin-Agent-", subject_attribute="uid").subject == "u7"


# --- journeys


def test_a_journey_of_ours_is_named_in_the_path_and_found_once() -> None:
    there = portal(unsolicited=False)
    departure = there.depart(CLOCK.now())
    assert departure.url == f"https://imagin.example/connexion{ENTRY}/{departure.correlation}"
    kept = {departure.correlation: departure.memory}
    asked = request(path=f"{ENTRY}/{departure.correlation}")
    assert there.arrive(asked, kept.pop, CLOCK.now()).solicited
    with pytest.raises(KeyError):
        there.arrive(asked, kept.pop, CLOCK.now())


def test_a_journey_is_not_looked_for_before_the_proxy_is_known() -> None:
    def unasked(_: str) -> Memory:
        raise AssertionError("a stranger could spend somebody's journey")

    for asked in (request(path=ENTRY + "/x", peer=""), request({"x-imagin-gateway-secret": "x"}, path=ENTRY + "/x")):
        with pytest.raises(AnswerRefused):
            portal().arrive(asked, unasked, CLOCK.now())


@pytest.mark.parametrize("memory", [{}, {"door": "arena-creteil", "issuer": "https://bv.ac-paris.fr"}, {"door": DOOR}])
def test_a_journey_of_another_portal_is_none_of_this_one(memory: dict[str, str]) -> None:
    with pytest.raises(FlowLost):
        portal().arrive(request(path=ENTRY + "/x"), lambda _: memory, CLOCK.now())


def test_a_link_inside_the_portal_can_be_closed() -> None:
    assert refusal(request(), unsolicited=False) is Code.UNSOLICITED


# --- whatever comes


@given(
    headers=st.dictionaries(
        st.sampled_from([*HONEST, "cn", "rne", "title", "freduresdel"]),
        st.text(st.characters(max_codepoint=255), max_size=60),
        max_size=4,
    ),
    peer=st.sampled_from(["192.0.2.10", "192.0.2.11", "", "::1"]),
    doubtful=st.sampled_from([None, frozenset[str](), frozenset({"ct-remote-user"})]),
)
def test_whatever_comes_is_a_proved_person_or_a_refusal(
    headers: dict[str, str], peer: str, doubtful: frozenset[str] | None
) -> None:
    asked = request(dict(headers), peer=peer, doubtful=doubtful)
    try:
        arrival = enter(asked)
    except GatewayError:
        return
    told = {**HONEST, **headers}
    assert peer == "192.0.2.10"
    assert doubtful == frozenset()
    assert told["x-imagin-gateway-secret"] in (OLD, NEW)
    assert arrival.subject in (
        told["ct-remote-user"].strip().lower(),
        told["ct-remote-user"].encode("latin-1").decode().strip(),
    )
    assert "," not in told["ct-remote-user"]


# --- settings


GOOD: dict[str, Any] = {
    "protocol": "header",
    "issuer": "https://bv.ac-paris.fr",
    "proxies": ["10.0.0.5"],
    "secrets": [OLD],
}


def problems(folder: Path, **changes: Any) -> list[str]:
    section = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    with pytest.raises(SettingsError) as refused:
        Gateway(settings_of(folder, portals={DOOR: section}), sends_mail=False)
    assert OLD not in str(refused.value)
    return [problem.key.removeprefix(f"portals.{DOOR}").removeprefix(".") for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"proxies": []}, "proxies"),
        ({"proxies": ["0.0.0.0/0"]}, "proxies"),
        ({"proxies": ["10.0.0.0/8"]}, "proxies"),
        ({"proxies": ["2001:db8::/32"]}, "proxies"),
        ({"proxies": ["agent.example"]}, "proxies"),
        ({"proxies": ["10.0.0.5/28"]}, "proxies"),
        ({"proxies": None}, "proxies"),
        ({"secrets": []}, ""),
        ({"secrets": ["short"]}, "secrets"),
        ({"secrets": [OLD, OLD]}, "secrets"),
        ({"secrets": [f"{OLD} {NEW}"]}, "secrets"),
        ({"secrets": [OLD + "é"]}, "secrets"),
        ({"certificates": ["ab"]}, "certificates"),
        ({"secret_header": "Authorization"}, "secret_header"),
        ({"secret_header": "X-Imagin-é"}, "secret_header"),
        ({"prefix": "X-Agent-"}, "prefix"),
        ({"prefix": "X-Imagin-"}, "prefix"),
        ({"prefix": "X-Imagin-Agent"}, "prefix"),
        ({"charset": "cp1252"}, "charset"),
        ({"issuer": " "}, "issuer"),
        ({"subject_attribute": "a b"}, "subject_attribute"),
        ({"subject_attribute": "uid"}, "prefix"),
        ({"required_attributes": ["x:y"]}, "required_attributes"),
        ({"required_attributes": ["other"]}, "prefix"),
        ({"attributes": {"ctln": ["nom"]}}, "prefix"),
        ({"attributes": {"CTLN": ["ctln"]}}, "attributes"),
        ({"attributes": {"nom": ["ctln"]}}, "attributes"),
        ({"subject_attribute": "employeeNumber", "prefix": "X-Imagin-Agent-"}, "subject_attribute"),
        ({"subject_attribute": "eppn", "prefix": "X-Imagin-Agent-", "domains": []}, "domains"),
    ],
    ids=str,
)
def test_what_is_wrong_stops_the_start(tmp_path: Path, changes: dict[str, Any], key: str) -> None:
    assert problems(tmp_path, **changes) == [key]


def test_good_settings_open(tmp_path: Path) -> None:
    settings: Settings = settings_of(tmp_path, portals={DOOR: GOOD})
    with Gateway(settings, sends_mail=False) as gateway:
        found = gateway.house.portals[DOOR]
        assert isinstance(found, HeaderPortalClient)
        # what the portal of Paris is known to be
        assert found._config.academie == 1
        assert found._config.return_hosts == ("bv.ac-paris.fr",)


# --- what the mounts tell


@pytest.mark.parametrize(
    ("headers", "doubtful"),
    [
        ([("ct-remote-user", "a")], set()),
        ([("ct-remote-user", "a"), ("ct-remote-user", "b")], {"ct-remote-user"}),
        ([("ct-remote-user", "a"), ("CT-Remote-User", "b")], {"ct-remote-user"}),
        ([("ct_remote_user", "a")], {"ct-remote-user"}),
        ([("ct-remote_user", "a"), ("ctln", "b")], {"ct-remote-user"}),
        ([("ct-remote-user", "a"), ("ct_remote_user", "b")], {"ct-remote-user"}),
        ([("x_other", "a")], {"x-other"}),
    ],
)
def test_what_two_may_have_written_is_seen(headers: list[tuple[str, str]], doubtful: set[str]) -> None:
    assert doubtful_names((name.encode(), value.encode()) for name, value in headers) == doubtful


@pytest.mark.parametrize(
    ("told", "address"),
    [("192.0.2.7", "192.0.2.7"), ("[::1]", "::1"), ("", ""), ("socket", ""), ("2001:DB8::1", "2001:db8::1")],
)
def test_the_peer_is_an_address_or_nothing(told: str, address: str) -> None:
    assert peer_address(told) == address


def test_a_certificate_counts_only_if_the_server_verified_it() -> None:
    _, pem = key_pair("agent")
    seen = certificate_of_environ({"SSL_CLIENT_VERIFY": "SUCCESS", "SSL_CLIENT_CERT": pem})
    assert len(seen) == 64
    assert (
        certificate_of_scope({"extensions": {"tls": {"client_cert_chain": [pem], "client_cert_error": None}}}) == seen
    )
    for environ in (
        {"SSL_CLIENT_CERT": pem},
        {"SSL_CLIENT_VERIFY": "NONE", "SSL_CLIENT_CERT": pem},
        {"SSL_CLIENT_VERIFY": "FAILED:x", "SSL_CLIENT_CERT": pem},
        {"HTTP_SSL_CLIENT_VERIFY": "SUCCESS", "HTTP_SSL_CLIENT_CERT": pem},
        {"SSL_CLIENT_VERIFY": "SUCCESS", "SSL_CLIENT_CERT": "x"},
        {"SSL_CLIENT_VERIFY": "SUCCESS"},
        {"gunicorn.socket": object()},
        {},
    ):
        assert certificate_of_environ(environ) == "", json.dumps(sorted(environ))
    wrong: tuple[dict[str, Any] | None, ...] = (
        {"tls": {"client_cert_chain": [pem], "client_cert_error": "expired"}},
        {"tls": {}},
        {},
        None,
    )
    for extensions in wrong:
        assert certificate_of_scope({"extensions": extensions}) == ""
