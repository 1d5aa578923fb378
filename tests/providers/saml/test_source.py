"""The portal's metadata from an address: believed when signed, renewed in the background, the last good copy kept."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import xmlsec
from lxml import etree

from examples.demo.portals import saml_messages
from examples.demo.portals.saml_messages import instant, new_id, sign
from imagin_gateway.errors import Code, SettingsError, Unavailable
from imagin_gateway.providers.saml import documents
from imagin_gateway.providers.saml.fetch import fetch
from imagin_gateway.providers.saml.portal import SamlPortalClient
from tests.providers.saml.forge import DOOR, NOW, PORTAL, SSO, forged, keys
from tests.providers.saml.journey import ABOUT, ADDRESSES, House, section

URL = "https://federation.example/metadata.xml"
MD = "{urn:oasis:names:tc:SAML:2.0:metadata}"
Edit = Callable[[etree._Element], object]


def entity(entity_id: str = PORTAL, *names: str) -> etree._Element:
    return etree.fromstring(saml_messages.metadata(entity_id, SSO, [keys(name) for name in names or ("portal",)]))


def published(
    *entities: etree._Element,
    aggregate: bool = False,
    key: str | None = "federation",
    until: datetime | None = NOW + timedelta(days=7),
    edit: Edit | None = None,
    method: Any = xmlsec.constants.TransformRsaSha256,
) -> bytes:
    """Return metadata as a federation publishes it: one entity, or many in one document, signed."""
    found = entities or (entity(),)
    root = found[0]
    if aggregate:
        root = etree.Element(MD + "EntitiesDescriptor", nsmap={"md": MD[1:-1]})
        root.extend(found)
    root.set("ID", new_id())
    if until is not None:
        root.set("validUntil", instant(until))
    if edit is not None:
        edit(root)
    if key is not None:
        seal = sign(root, keys(key), prefixes="", method=method)
        root.insert(0, seal)
    return etree.tostring(root)


@dataclass
class Address:
    """What stands at the address; an error when it cannot be had."""

    content: bytes | None = field(default_factory=published)
    asked: list[str] = field(default_factory=list)

    def __call__(self, url: str, limit: int) -> bytes:
        self.asked.append(url)
        if self.content is None:
            raise OSError("down")
        return self.content


def opened(folder: Path, address: Any, *, now: datetime = NOW, **more: Any) -> House:
    """Open a portal whose metadata comes from an address."""
    (folder / "federation.crt").write_bytes(keys("federation").certificate_pem)
    values: dict[str, Any] = {
        "metadata_url": URL,
        "metadata_certificate": folder / "federation.crt",
        "metadata_copy": folder / "copy.xml",
        **more,
    }
    also = {"metadata": values.pop("metadata_file")} if "metadata_file" in values else {}
    config = section(folder, **values).model_copy(update=also)
    return House(SamlPortalClient.open(DOOR, config, addresses=ADDRESSES, about=ABOUT, fetch=address, now=now))


def keys_of(there: House) -> int:
    assert there.portal.source.current is not None
    return len(there.portal.source.current.keys)


@pytest.mark.row("SAM-29")
@pytest.mark.parametrize("aggregate", [False, True])
def test_both_kinds_of_document_are_read(tmp_path: Path, aggregate: bool) -> None:
    others = [entity(f"https://other{number}.example") for number in range(3)]
    address = Address(published(*(others if aggregate else ()), entity(), aggregate=aggregate))
    there = opened(tmp_path, address)
    assert there.come_back(forged()).issuer == PORTAL
    assert address.asked == [URL]
    assert (tmp_path / "copy.xml").read_bytes() == address.content


def wrapped() -> bytes:
    """The genuine document inside another one, which names us another portal's key."""
    genuine = etree.fromstring(published())
    outer = etree.Element(MD + "EntitiesDescriptor", ID=new_id(), validUntil=instant(NOW + timedelta(days=1)))
    seal = genuine[0]
    outer.append(seal)
    outer.append(entity(PORTAL, "attacker"))
    extension = etree.SubElement(outer, MD + "Extensions")
    extension.append(genuine)
    return etree.tostring(outer)


def doubled() -> bytes:
    genuine = etree.fromstring(published(entity(), entity("https://other.example"), aggregate=True))
    genuine[1].set("ID", genuine.get("ID", ""))
    return etree.tostring(genuine)


REFUSED: dict[str, Callable[[], bytes]] = {
    "unsigned": lambda: published(key=None),
    "another key": lambda: published(key="attacker"),
    "the portal's own key": lambda: published(key="portal"),
    "sha-1": lambda: published(method=xmlsec.constants.TransformRsaSha1),
    "no end": lambda: published(until=None),
    "over": lambda: published(until=NOW),
    "good for too long": lambda: published(until=NOW + timedelta(days=400)),
    "a day too long": lambda: published(until=NOW + timedelta(days=30, seconds=1)),
    "truncated": lambda: published()[:-200],
    "empty": lambda: b"",
    "a web page": lambda: b"<html><body>Maintenance</body></html>",
    "changed": lambda: published().replace(SSO.encode(), b"https://evil.example/sso"),
    "another entity": lambda: published(entity("https://other.example")),
    "an end that cannot be read": lambda: published(edit=lambda root: root.set("validUntil", "tomorrow")),
    "wrapped": wrapped,
    "an id twice": doubled,
    "a document type": lambda: b"<!DOCTYPE a>" + published(),
    "a weak key": lambda: published(etree.fromstring(saml_messages.metadata(PORTAL, SSO, [keys("weak", 1024)]))),
    "no key": lambda: published(etree.fromstring(saml_messages.metadata(PORTAL, SSO, []))),
}


@pytest.mark.row("SAM-29")
@pytest.mark.parametrize("how", REFUSED)
@pytest.mark.fault
def test_what_is_not_proved_changes_nothing(tmp_path: Path, how: str) -> None:
    address = Address()
    there = opened(tmp_path, address)
    before, kept = there.portal.source.current, (tmp_path / "copy.xml").read_bytes()
    address.content = REFUSED[how]()
    problems = there.portal.source.renew(NOW)
    assert problems, how
    assert all(problem.message and problem.remedy for problem in problems)
    assert there.portal.source.current is before
    assert (tmp_path / "copy.xml").read_bytes() == kept
    assert there.come_back(forged()).issuer == PORTAL
    assert sorted(each.name for each in tmp_path.iterdir() if each.name.startswith("copy")) == ["copy.xml"]


@pytest.mark.row("SAM-29")
def test_the_last_good_copy_stays_until_its_own_end(tmp_path: Path) -> None:
    address = Address(published(until=NOW + timedelta(days=2)))
    there = opened(tmp_path, address)
    address.content = None
    end = NOW + timedelta(days=2)
    for now, fine in ((end - timedelta(seconds=1), True), (end, False)):
        assert [each.key for each in there.portal.source.renew(now)] == [f"portals.{DOOR}.metadata_url"]
        if fine:
            assert there.come_back(forged(at=now), now=now).issuer == PORTAL
        else:
            with pytest.raises(Unavailable):
                there.come_back(forged(at=now), now=now)


@pytest.mark.row("SAM-29")
def test_a_start_takes_the_copy_on_disk_and_believes_it_no_more_than_the_address(tmp_path: Path) -> None:
    opened(tmp_path, Address())
    silent = Address(None)
    assert opened(tmp_path, silent).come_back(forged()).issuer == PORTAL
    assert silent.asked == [], "a start waits for nobody when there is a copy"
    (tmp_path / "copy.xml").write_bytes(published(entity(PORTAL, "attacker"), key="attacker"))
    there = opened(tmp_path, silent)
    assert there.portal.source.current is None
    for action in (lambda: there.portal.depart(NOW), lambda: there.come_back(forged())):
        with pytest.raises(Unavailable) as caught:
            action()
        assert caught.value.code is Code.PORTAL_UNAVAILABLE
    silent.content = published()
    assert there.portal.source.renew(NOW) == []
    assert there.come_back(forged()).issuer == PORTAL


def test_no_request_ever_asks_the_address(tmp_path: Path) -> None:
    address = Address()
    there = opened(tmp_path, address)
    for days in range(10):
        now = NOW + timedelta(days=days)
        with contextlib.suppress(Unavailable):
            there.portal.depart(now)
            there.come_back(forged(at=now), now=now)
    assert address.asked == [URL]


@pytest.mark.row("SAM-05")
def test_a_portal_changes_its_key_without_a_stop(tmp_path: Path) -> None:
    address = Address(published(entity(PORTAL, "portal")))
    there = opened(tmp_path, address)
    after = forged(key=keys("next"))
    assert there.code(after) is Code.SAML_SIGNATURE
    address.content = published(entity(PORTAL, "portal", "next"))
    assert there.portal.source.renew(NOW) == []
    assert keys_of(there) == 2
    assert there.come_back(forged()).issuer == there.come_back(after).issuer == PORTAL
    address.content = published(entity(PORTAL, "next"))
    assert there.portal.source.renew(NOW) == []
    assert there.come_back(after).issuer == PORTAL
    assert there.code(forged()) is Code.SAML_SIGNATURE


def test_a_file_that_changes_is_read_again_and_a_bad_one_is_not_taken(tmp_path: Path) -> None:
    config = section(tmp_path)
    there = House(SamlPortalClient.open(DOOR, config, addresses=ADDRESSES, about=ABOUT))
    file = tmp_path / "portal.xml"
    before = there.portal.source.current
    assert there.portal.source.renew(NOW) == []
    assert there.portal.source.current is before, "the same file is not read twice"
    file.write_bytes(b"<broken")
    assert there.portal.source.renew(NOW)
    file.unlink()
    assert there.portal.source.renew(NOW)
    assert there.come_back(forged()).issuer == PORTAL
    file.write_bytes(etree.tostring(entity(PORTAL, "portal", "next")))
    assert there.portal.source.renew(NOW) == []
    assert keys_of(there) == 2


def test_a_file_may_have_to_be_signed_too(tmp_path: Path) -> None:
    (tmp_path / "federation.crt").write_bytes(keys("federation").certificate_pem)
    pinned: dict[str, Any] = {"metadata_certificate": tmp_path / "federation.crt"}
    config = section(tmp_path, metadata=published(), **pinned)
    there = House(SamlPortalClient.open(DOOR, config, addresses=ADDRESSES, about=ABOUT, now=NOW))
    assert there.come_back(forged()).issuer == PORTAL
    with pytest.raises(SettingsError, match="pas signées"):
        SamlPortalClient.open(DOOR, section(tmp_path, **pinned), addresses=ADDRESSES, about=ABOUT, now=NOW)


@pytest.mark.row("SAM-29")
def test_it_is_renewed_in_the_background_and_what_is_wrong_is_told(tmp_path: Path) -> None:
    others = set(threading.enumerate())
    address = Address()
    opened(tmp_path, address)
    there = opened(tmp_path, address)
    told: list[tuple[bool, str]] = []
    heard = threading.Event()

    def report(renewed: bool, problem: str) -> None:
        told.append((renewed, problem))
        heard.set()

    address.content = published(key="attacker")
    there.portal.start(lambda: NOW, report)
    there.portal.start(lambda: NOW, report)
    assert heard.wait(20), "a copy of before is renewed at once"
    there.portal.close()
    assert told == [
        (False, "ce n’est pas un document signé par la clé attendue (saml.signature)"),
    ]
    started = [thread for thread in set(threading.enumerate()) - others if thread.name == f"metadata-{DOOR}"]
    assert not started


@pytest.mark.row("SAM-29")
@pytest.mark.parametrize(("minutes", "at_once"), [(0, False), (59, False), (60, True), (10_000, True)])
def test_a_process_that_served_nothing_for_long_asks_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: int, at_once: bool
) -> None:
    there = opened(tmp_path, Address())
    waits: list[float] = []

    def wait(self: threading.Event, timeout: float | None = None) -> bool:
        waits.append(timeout or 0.0)
        return True

    stop = threading.Event()
    monkeypatch.setattr(threading.Event, "wait", wait)
    there.portal.source._run(stop, lambda: NOW + timedelta(minutes=minutes), lambda renewed, problem: None)
    assert (waits == [0.0]) is at_once
    assert waits[0] == max(0, 60 - minutes) * 60


def test_a_fork_renews_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = opened(tmp_path, Address())
    started: list[int] = []
    monkeypatch.setattr(threading.Thread, "start", lambda self: started.append(os.getpid()))
    monkeypatch.setattr(threading.Thread, "join", lambda self, timeout=None: None)
    there.portal.start(lambda: NOW, lambda renewed, problem: None)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    there.portal.start(lambda: NOW, lambda renewed, problem: None)
    assert len(started) == 2


@pytest.mark.fault
def test_a_thread_that_meets_a_fault_goes_on(tmp_path: Path) -> None:
    class Broken(Address):
        def __call__(self, url: str, limit: int) -> bytes:
            raise RuntimeError("unexpected")

    opened(tmp_path, Address())
    there = opened(tmp_path, Broken())
    told: list[str] = []
    heard = threading.Event()

    def report(renewed: bool, problem: str) -> None:
        told.append(problem)
        heard.set()

    there.portal.start(lambda: NOW, report)
    assert heard.wait(20)
    assert any(thread.name == f"metadata-{DOOR}" for thread in threading.enumerate())
    there.portal.close()
    assert told == ["RuntimeError"]


def test_of_a_whole_federation_one_portal_is_kept(tmp_path: Path) -> None:
    """2,000 entities: what is kept is one `Partner`, and nothing of the tree hangs from it."""
    import gc

    others = [entity(f"https://idp{number}.example/metadata") for number in range(2000)]
    raw = published(*others[:1000], entity(), *others[1000:], aggregate=True)
    assert len(raw) < documents.METADATA.size
    del others
    there = opened(tmp_path, Address(raw))
    gc.collect()
    assert there.come_back(forged()).issuer == PORTAL
    current = there.portal.source.current
    assert current is not None
    assert current.entity_id == PORTAL
    assert not any(isinstance(each, etree._Element) for each in gc.get_referents(current))
    assert not any(isinstance(value, bytes) and len(value) > 100_000 for value in vars(there.portal.source).values())


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"metadata_certificate": None}, "metadata_certificate"),
        ({"metadata_copy": None}, "metadata_copy"),
        ({"metadata_url": "http://federation.example/x"}, "metadata_url"),
        ({"metadata_url": "https://user@federation.example/x"}, "metadata_url"),
        ({"metadata_url": ""}, "metadata"),
    ],
)
def test_an_address_needs_who_signs_and_where_the_copy_is(tmp_path: Path, more: dict[str, Any], key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        opened(tmp_path, Address(), **more)
    assert f"portals.{DOOR}.{key}" in {problem.key for problem in caught.value.problems}


def test_other_settings_of_an_address_that_are_wrong_are_told(tmp_path: Path) -> None:
    (tmp_path / "weak.crt").write_bytes(keys("weak", 1024).certificate_pem)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"metadata_certificate": tmp_path / "weak.crt"}, "metadata_certificate"),
        ({"metadata_certificate": tmp_path / "ours.key"}, "metadata_certificate"),
        ({"metadata_copy": tmp_path / "nowhere" / "copy.xml"}, "metadata_copy"),
        ({"metadata_file": tmp_path / "portal.xml"}, "metadata"),
    ]
    for more, key in wrong:
        section(tmp_path)
        with pytest.raises(SettingsError) as caught:
            opened(tmp_path, Address(), **more)
        assert f"portals.{DOOR}.{key}" in {problem.key for problem in caught.value.problems}


def test_a_copy_that_cannot_be_written_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    there = opened(tmp_path, Address(), metadata_copy=folder / "copy.xml")
    (folder / "copy.xml").unlink()
    folder.rmdir()
    assert there.portal.source.renew(NOW) == []
    assert "cannot be written" in caplog.text
    assert there.come_back(forged()).issuer == PORTAL


# --- the wire


@contextlib.contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/metadata.xml"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _says(status: int, body: bytes, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        with contextlib.suppress(ConnectionError):
            handler.wfile.write(body)

    return answer


def test_an_address_is_read_whole() -> None:
    with serving(_says(200, b"<a/>" * 100)) as url:
        assert fetch(url, 400) == b"<a/>" * 100


@pytest.mark.parametrize(
    "answer",
    [
        _says(500, b""),
        _says(404, b""),
        _says(302, b"", Location="https://evil.example/"),
        _says(200, b"x" * 401),
        _says(200, b"x", Content_Encoding="gzip"),
    ],
)
def test_any_other_answer_is_none(answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
    with serving(answer) as url, pytest.raises(OSError, match=r"address|answer"):
        fetch(url, 400)


@pytest.mark.fault
def test_an_address_that_drips_is_left(tmp_path: Path) -> None:
    ended = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        with contextlib.suppress(ConnectionError):
            while not ended.wait(0.05):
                handler.wfile.write(b"x")
                handler.wfile.flush()

    with serving(drip) as url:
        with pytest.raises(OSError, match="cannot be read"):
            fetch(url, 100_000, seconds=0.5)
        ended.set()
    with pytest.raises(OSError, match="cannot be read"):
        fetch("http://127.0.0.1:1/x", 100, seconds=0.5)
