"""The record of a session: what it keeps, what it refuses to read, what it never prints."""

from __future__ import annotations

import ast
import json
import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import imagin_gateway
from imagin_gateway.identity import Activity, Identity
from imagin_gateway.sessions.session import FIRST_PASSWORD, SECOND_FACTOR, Session, decode, encode, with_last_seen
from tests.sessions.people import person

NOW = datetime(2026, 12, 14, 8, 0, tzinfo=UTC)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
MOMENTS = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis adds the zone

IDENTITIES = st.builds(
    Identity,
    issuer=NAMES,
    subject=NAMES,
    door=NAMES,
    activities=st.frozensets(st.sampled_from(Activity)),
    authenticated_at=MOMENTS,
    method=NAMES,
    acr=st.none() | TEXTS,
    amr=st.lists(TEXTS).map(tuple),
    family_name=TEXTS,
    given_name=TEXTS,
    email=TEXTS,
    attributes=st.dictionaries(TEXTS, st.lists(TEXTS).map(tuple)),
)

VERSION_1 = (
    '{"v":1,"handle":"0123456789abcdef","issuer":"https://paris.example/idp","subject":"mdurand7",'
    '"door":"arena-paris","activities":["marking","missions"],"authenticated_at":"2026-12-14T07:59:00Z",'
    '"method":"saml","acr":"urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport","amr":["pwd"],'
    '"family_name":"Durand","given_name":"Marie","email":"marie.durand@exemple.test",'
    '"attributes":{"codaca":["01"],"rne":["0750001A","0750002B"]},"created_at":"2026-12-14T08:00:00Z",'
    '"last_seen":"2026-12-14T08:00:00Z","absolute_end":"2026-12-14T18:00:00Z","ends_at":null,'
    '"portal_session":"_s1","name_id":"_n1","restricted":""}'
)
"""As the first release writes it. Never changed: later releases must read it."""


WITH_HINT_AND_DEVICE = VERSION_1[:-1] + (
    ',"logout_hint":"hint.of.portal","device":"Firefox, Windows","address":"192.0.2.7"}'
)
"""As the second release writes it. Never changed either."""


def record(identity: Identity | None = None, **more: Any) -> Session:
    fields: dict[str, Any] = {"handle": "0123456789abcdef", "now": NOW, "absolute_end": NOW + timedelta(hours=10)}
    return Session.of(identity or person(), **(fields | more))


@given(identity=IDENTITIES)
def test_an_identity_comes_back_from_its_record_as_it_was(identity: Identity) -> None:
    read = decode(encode(record(identity)))
    assert read is not None
    assert read.identity == identity
    assert read.person == identity.key


def test_the_record_of_the_first_release_is_read_and_what_is_written_still_holds_it() -> None:
    session = record(portal_session="_s1", name_id="_n1")
    assert json.loads(encode(session)).items() >= json.loads(VERSION_1).items()
    assert decode(VERSION_1.encode()) == session


def test_the_record_of_the_second_release_is_read_and_what_is_written_still_holds_it() -> None:
    session = record(
        portal_session="_s1",
        name_id="_n1",
        logout_hint="hint.of.portal",
        device="Firefox, Windows",
        address="192.0.2.7",
    )
    assert json.loads(encode(session)).items() >= json.loads(WITH_HINT_AND_DEVICE).items()
    assert decode(WITH_HINT_AND_DEVICE.encode()) == session


def test_the_first_release_reads_what_this_one_writes() -> None:
    fields = json.loads(VERSION_1)
    first = msgspec.defstruct(
        "First", [(name, type(value) if value is not None else Any) for name, value in fields.items()]
    )
    read = msgspec.json.decode(
        encode(record(portal_session="_s1", name_id="_n1", device="Firefox, Windows")), type=first
    )
    assert {name: getattr(read, name) for name in fields} == fields


def test_a_field_of_a_later_release_is_left_aside_and_kept_when_seen_again() -> None:
    later = VERSION_1.replace('"v":1', '"v":1,"badge":{"name":"téléphone"}').encode()
    assert decode(later) == record(portal_session="_s1", name_id="_n1")
    seen = with_last_seen(later, NOW + timedelta(minutes=5))
    assert json.loads(seen)["badge"] == {"name": "téléphone"}
    read = decode(seen)
    assert read is not None
    assert read.last_seen == NOW + timedelta(minutes=5)


def test_restrictions_keep_their_names() -> None:
    """Records of another release are read by them."""
    assert (FIRST_PASSWORD, SECOND_FACTOR) == ("first-password", "second-factor")


def test_what_a_record_does_not_tell_is_empty() -> None:
    told = {"v", "handle", "issuer", "subject", "door", "activities", "authenticated_at", "method"}
    told |= {"created_at", "last_seen", "absolute_end"}
    whole = json.loads(VERSION_1)
    read = decode(json.dumps({name: whole[name] for name in told}).encode())
    assert read is not None
    left = {name: value for name, value in msgspec.structs.asdict(read).items() if name not in told}
    none: dict[str, Any] = {"proved_at": None, "acr": None, "amr": (), "attributes": {}, "ends_at": None}
    names = {"family_name", "given_name", "email", "portal_session", "name_id"}
    names |= {"logout_hint", "restricted", "device", "address"}
    assert left == {**none, **dict.fromkeys(names, "")}


def test_a_restricted_session_opens_no_activity() -> None:
    session = record(restricted=FIRST_PASSWORD)
    assert session.identity.activities == frozenset()
    assert not session.identity.can(Activity.MARKING)
    assert session.identity.key == person().key


UNREADABLE = {
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "truncated": VERSION_1.encode()[:-20],
    "not UTF-8": VERSION_1.replace("Durand", "D\xe9rand").encode("latin-1"),
    "deep": b'{"x":' + b"[" * 100_000,
    "pickle": pickle.dumps({"v": 1, "subject": "mdurand7"}),
    "msgpack": msgspec.msgpack.encode(record()),
    "no version": VERSION_1.replace('"v":1', '"v":null').encode(),
    "version as text": VERSION_1.replace('"v":1', '"v":"1"').encode(),
    "next version": VERSION_1.replace('"v":1', '"v":2').encode(),
    "no subject": VERSION_1.replace('"subject":"mdurand7",', "").encode(),
    "empty subject": VERSION_1.replace("mdurand7", "").encode(),
    "empty issuer": VERSION_1.replace("https://paris.example/idp", "").encode(),
    "no door": VERSION_1.replace("arena-paris", "").encode(),
    "unknown activity": VERSION_1.replace("missions", "everything").encode(),
    "no time zone": VERSION_1.replace("18:00:00Z", "18:00:00").encode(),
    "no date": VERSION_1.replace("2026-12-14T18", "2026-13-14T18").encode(),
    "date as number": VERSION_1.replace('"2026-12-14T18:00:00Z"', "1797271200").encode(),
    "end missing": VERSION_1.replace('"absolute_end"', '"end"').encode(),
    "restriction as number": VERSION_1.replace('"restricted":""', '"restricted":0').encode(),
}


@pytest.mark.row("SES-17")
@pytest.mark.parametrize("raw", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_is_no_session_and_is_told_without_its_content(
    raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert decode(raw) is None
    assert "counts for nothing" in caplog.text
    assert "mdurand7" not in caplog.text


@given(raw=st.binary())
def test_no_bytes_make_the_reader_fail(raw: bytes) -> None:
    assert decode(raw) is None


@given(st.data())
def test_a_record_with_any_value_in_any_field_is_read_or_is_no_session(data: st.DataObject) -> None:
    fields = json.loads(VERSION_1)
    name = data.draw(st.sampled_from(sorted(fields)))
    scalars = st.none() | st.booleans() | st.integers() | TEXTS
    fields[name] = data.draw(st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)))
    read = decode(json.dumps(fields).encode())
    assert read is None or read.identity.subject


@pytest.mark.row("SES-17")
def test_no_module_reads_a_format_that_runs_code() -> None:
    package = Path(imagin_gateway.__file__).parent
    forbidden = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal", "jsonpickle", "yaml"}
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            imported: set[str] = set()
            if isinstance(node, ast.Import):
                imported = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported = {(node.module or "").split(".")[0]}
            assert not imported & forbidden, file


def test_a_session_prints_no_personal_data() -> None:
    session = record(portal_session="_s1", name_id="_n1")
    for text in (repr(session), str(session), f"{session}"):
        for personal in ("Durand", "Marie", "exemple.test", "mdurand7", "_s1", "_n1", "0750001A"):
            assert personal not in text


def test_a_session_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        record().restricted = ""  # type: ignore[misc]  # what is tested
