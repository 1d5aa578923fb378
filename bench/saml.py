"""SAML beside its peers and the physical floor: an answer verified, a request signed, a federation's aggregate read.

Everything runs in one process of the peers' environment, turn by turn, so that a slow
moment falls on all of them. Stock pysaml2 calls the program `xmlsec1`, which is got by
apt for this bench alone.
"""

from __future__ import annotations

import base64
import gc
import json
import logging
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from bench.frame import ROOT, Report, Timing, peers, run, timed

ROUNDS: Final = 60
TURN: Final = 0.008
"""Seconds a call has the processor before it is the next one's turn."""
ENTITIES: Final = 2000
SECONDS: Final = 2.0

SHAPES: Final = ("signed Response", "Response and Assertion signed", "and encrypted")

Call = Callable[[], object]


# --- in the project's own environment


def measure(report: Report) -> None:
    """Measure in the peers' environment, and tell it here."""
    _get_program()
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.json"
        command = [str(peers()), "-m", "bench.saml", "--inside", str(told)]
        subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "PYTHONWARNINGS": "ignore"})
        found = json.loads(told.read_text(encoding="utf-8"))
    _answers(report, found["answers"])
    _others(report, found["others"])
    _throughput(report, found["throughput"])


def _get_program() -> None:
    """Get xmlsec1, the program stock pysaml2 needs; without it that peer is left out."""
    if shutil.which("xmlsec1") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing xmlsec1 for the peer that needs it", flush=True)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "--yes", "--no-install-recommends", "xmlsec1"]):
            subprocess.run(["apt-get", "--quiet", *words], check=False, env=environment, **quiet)  # type: ignore[call-overload]  # names of its own


def _answers(report: Report, answers: Mapping[str, Mapping[str, float]]) -> None:
    columns = ("verified, read and held to every rule", *(f"{shape}, ms" for shape in SHAPES))
    names = list(dict.fromkeys(name for shape in SHAPES for name in answers[shape]))
    rows = [(name, *(answers[shape].get(name, 0.0) * 1e3 or "–" for shape in SHAPES)) for name in names]
    report.table("An answer of a portal (medians)", columns, rows)
    ratios = []
    for name in names[1:]:
        cells = (answers[shape].get(name) for shape in SHAPES)
        ours = (answers[shape]["ours"] for shape in SHAPES)
        ratios.append((name, *(mine / theirs if theirs else "–" for mine, theirs in zip(ours, cells, strict=True))))
    report.table("Ours divided by theirs", ("", *SHAPES), ratios)
    plain, encrypted = answers[SHAPES[0]], answers[SHAPES[2]]
    report.target("signed_response_to_floor", plain["ours"] / plain["floor"], 2.5, "x")
    if "pysaml2, xmlsec1" in plain:
        report.target("signed_response_to_pysaml2", plain["ours"] / plain["pysaml2, xmlsec1"], 1 / 30, "x")
    report.target("signed_response_to_python3_saml", plain["ours"] / plain["python3-saml"], 1 / 2, "x")
    report.target("encrypted_to_cryptography", encrypted["ours"] / encrypted["cryptography alone"], 4, "x")


def _others(report: Report, others: Mapping[str, Mapping[str, float]]) -> None:
    names = list(dict.fromkeys(name for told in others.values() for name in told))
    rows = [(name, *(told.get(name, 0.0) * 1e3 or "–" for told in others.values())) for name in names]
    report.table("Beside an answer (medians)", ("", *(f"{what}, ms" for what in others)), rows)


def _throughput(report: Report, throughput: Mapping[str, float]) -> None:
    rows = [(f"{processes} processes", rate) for processes, rate in throughput.items()]
    report.table("Answers verified a second, Response signed", ("", "per second"), rows)


# --- in the peers' environment


def _inside(told: Path) -> None:
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        workshop = _Workshop(Path(name))
        answers = {shape: _medians(workshop.readers(shape)) for shape in SHAPES}
        others = {"AuthnRequest": _medians(workshop.requests()), "aggregate of 2,000": _medians(workshop.aggregate())}
        throughput = {str(number): _rate(workshop, number) for number in sorted({1, os.cpu_count() or 1})}
    told.write_text(json.dumps({"answers": answers, "others": others, "throughput": throughput}), encoding="utf-8")


def _medians(calls: Mapping[str, Call]) -> dict[str, float]:
    """Time every call in short turns, round by round, so that noise falls on all; return the median of each."""
    numbers = {name: max(1, round(TURN / timed(call, repeats=2, seconds=0.02).best)) for name, call in calls.items()}
    found: dict[str, list[float]] = {name: [] for name in calls}
    gc.collect()
    gc.disable()
    try:
        for _ in range(ROUNDS):
            for name, call in calls.items():
                begin = time.perf_counter()
                for _ in range(numbers[name]):
                    call()
                found[name].append((time.perf_counter() - begin) / numbers[name])
    finally:
        gc.enable()
    return {name: Timing.of(seconds).middle for name, seconds in found.items()}


class _Workshop:
    """The same messages for all, signed by the same key, and every way to read them."""

    def __init__(self, folder: Path) -> None:
        from examples.demo.portals import saml_messages
        from imagin_gateway.providers.saml.configuration import About, Addresses
        from imagin_gateway.providers.saml.portal import SamlPortalClient
        from imagin_gateway.settings import SamlPortal
        from tests.providers.saml import forge

        self.folder = folder
        self.now = datetime.now(UTC)
        published = saml_messages.metadata(forge.PORTAL, forge.SSO, [forge.keys("portal")])
        (folder / "portal.xml").write_bytes(published)
        (folder / "ours.key").write_bytes(forge.keys("ours").private_pem)
        (folder / "ours.crt").write_bytes(forge.keys("ours").certificate_pem)
        section = SamlPortal(
            protocol="saml",
            metadata=folder / "portal.xml",
            portal_entity_id=forge.PORTAL,
            private_key=folder / "ours.key",
            certificate=folder / "ours.crt",
            academie=24,
            domains=("ac-creteil.fr",),
        )
        self.portal = SamlPortalClient.open(
            forge.DOOR,
            section,
            addresses=Addresses(acs=forge.ACS, logout=forge.LOGOUT, metadata=forge.METADATA),
            about=About("https://imagin.example/donnees", "https://imagin.example/logo.svg", "x@exemple.test", "SIEC"),
        )
        self._pysaml2: Any = None

    def message(self, shape: str) -> bytes:
        """Return an answer, in base64."""
        from lxml import etree

        from examples.demo.portals.saml_messages import sign
        from tests.providers.saml import forge, locksmith

        more: dict[str, Any] = {"at": self.now, "authenticated_at": self.now, "lifetime": timedelta(hours=2)}
        signed = {SHAPES[0]: "response", SHAPES[1]: "both", SHAPES[2]: "assertion"}[shape]
        root = forge.forged(signed=signed, **more)
        if shape == SHAPES[2]:
            locksmith.encrypt_assertion(root, locksmith.Lock(method=locksmith.XENC11 + "aes128-gcm"))
            sign(root, forge.keys("portal"), prefixes="")
        return base64.b64encode(etree.tostring(root))

    def readers(self, shape: str) -> dict[str, Call]:
        """Return every way to read one answer; each is run once, to be sure that it does."""
        encoded = self.message(shape)
        calls: dict[str, Call] = {"ours": self._ours(encoded), "floor": _floor(encoded, shape)}
        if shape == SHAPES[2]:
            calls["cryptography alone"] = _cryptography(encoded)
        calls["python3-saml"] = self._python3_saml(encoded, shape)
        if shutil.which("xmlsec1"):
            calls["pysaml2, xmlsec1"] = self._stock(encoded)
        return _working(calls)

    def _ours(self, encoded: bytes) -> Call:
        """From the field of the form, as for the others, to what is proved of the person."""
        text = encoded.decode()

        def call() -> object:
            arrival = self.portal.person(self.portal.read(text, self.now))
            assert arrival.subject
            return arrival

        return call

    def _python3_saml(self, encoded: bytes, shape: str) -> Call:
        from onelogin.saml2.auth import OneLogin_Saml2_Auth  # type: ignore[import-not-found]
        from onelogin.saml2.settings import OneLogin_Saml2_Settings  # type: ignore[import-not-found]

        from tests.providers.saml.forge import ACS, METADATA, PORTAL, REQUEST, SSO, keys

        settings = OneLogin_Saml2_Settings(
            {
                "strict": True,
                "sp": {
                    "entityId": METADATA,
                    "assertionConsumerService": {"url": ACS},
                    "x509cert": keys("ours").certificate_pem.decode(),
                    "privateKey": keys("ours").private_pem.decode(),
                },
                "idp": {
                    "entityId": PORTAL,
                    "singleSignOnService": {"url": SSO},
                    "x509cert": keys("portal").certificate_pem.decode(),
                },
                "security": {
                    "wantMessagesSigned": True,
                    "wantAssertionsSigned": shape != SHAPES[0],
                    "wantNameId": False,
                    "rejectDeprecatedAlgorithm": True,
                    "authnRequestsSigned": True,
                },
            }
        )
        where = {"https": "on", "http_host": "imagin.example", "script_name": ACS.partition("example")[2]}

        def call() -> object:
            data = {**where, "get_data": {}, "post_data": {"SAMLResponse": encoded.decode()}}
            auth = OneLogin_Saml2_Auth(data, old_settings=settings)
            auth.process_response(request_id=REQUEST)
            assert auth.is_authenticated(), auth.get_last_error_reason()
            return auth.get_attributes()

        self._onelogin = settings, where
        return call

    def _stock(self, encoded: bytes) -> Call:
        from saml2 import BINDING_HTTP_POST

        from tests.providers.saml.forge import REQUEST

        client = self._client()

        def call() -> object:
            answer = client.parse_authn_request_response(encoded.decode(), BINDING_HTTP_POST, {REQUEST: "/"})
            assert answer.name_id is not None
            return answer.ava

        return call

    def _client(self) -> Any:
        from saml2 import BINDING_HTTP_POST
        from saml2.client import Saml2Client
        from saml2.config import SPConfig

        from tests.providers.saml.forge import ACS, METADATA

        if self._pysaml2 is None:
            pair = {"key_file": str(self.folder / "ours.key"), "cert_file": str(self.folder / "ours.crt")}
            settings = {
                "entityid": METADATA,
                "service": {
                    "sp": {
                        "endpoints": {"assertion_consumer_service": [(ACS, BINDING_HTTP_POST)]},
                        "want_response_signed": True,
                        "want_assertions_signed": False,
                        "authn_requests_signed": True,
                    }
                },
                "allow_unknown_attributes": True,
                "metadata": {"local": [str(self.folder / "portal.xml")]},
                "xmlsec_binary": shutil.which("xmlsec1"),
                "encryption_keypairs": [pair],
                "signing_algorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
                **pair,
            }
            self._pysaml2 = Saml2Client(SPConfig().load(settings))
        return self._pysaml2

    def requests(self) -> dict[str, Call]:
        """Return every way to send somebody to the portal, the request signed, by redirect."""
        from onelogin.saml2.auth import OneLogin_Saml2_Auth
        from saml2 import BINDING_HTTP_REDIRECT

        from tests.providers.saml.forge import PORTAL

        settings, where = self._onelogin
        calls: dict[str, Call] = {
            "ours": lambda: self.portal.depart(self.now).url,
            "python3-saml": lambda: OneLogin_Saml2_Auth(
                {**where, "get_data": {}, "post_data": {}}, old_settings=settings
            ).login(),
        }
        if shutil.which("xmlsec1"):
            client = self._client()
            calls["pysaml2, xmlsec1"] = lambda: client.prepare_for_authenticate(
                PORTAL, binding=BINDING_HTTP_REDIRECT, sign=True
            )
        return _working(calls)

    def aggregate(self) -> dict[str, Call]:
        """Return every way to have one portal out of a federation's metadata."""
        from lxml import etree
        from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser  # type: ignore[import-not-found]
        from saml2.mdstore import MetadataStore

        from examples.demo.portals import saml_messages
        from imagin_gateway.providers.saml import source
        from imagin_gateway.providers.saml.signature import VerificationKey
        from tests.providers.saml.forge import PORTAL, keys

        md = "{urn:oasis:names:tc:SAML:2.0:metadata}"
        root = etree.Element(md + "EntitiesDescriptor", nsmap={"md": md[1:-1]})
        root.set("ID", saml_messages.new_id())
        root.set("validUntil", saml_messages.instant(self.now + timedelta(days=7)))
        for number in range(ENTITIES):
            name = PORTAL if number == ENTITIES // 2 else f"https://idp{number}.example/metadata"
            root.append(etree.fromstring(saml_messages.metadata(name, f"{name}/sso", [keys("portal")])))
        root.insert(0, saml_messages.sign(root, keys("federation"), prefixes=""))
        raw = etree.tostring(root)
        (self.folder / "federation.xml").write_bytes(raw)
        key = VerificationKey(keys("federation").certificate.public_key())
        settings: Any = self._client().config if shutil.which("xmlsec1") else None

        def ours() -> object:
            return source.entity(raw, PORTAL, key=key, longest=timedelta(days=30), development=False, now=self.now)

        def stock() -> object:
            store = MetadataStore(settings.attribute_converters, settings)
            store.load("local", str(self.folder / "federation.xml"))
            return store[PORTAL]

        calls: dict[str, Call] = {
            "ours": ours,
            "floor": lambda: etree.fromstring(raw).findall(f"{md}EntityDescriptor[@entityID='{PORTAL}']"),
            "python3-saml": lambda: OneLogin_Saml2_IdPMetadataParser.parse(raw, entity_id=PORTAL),
        }
        if settings is not None:
            calls["pysaml2, xmlsec1"] = stock
        return _working(calls)


def _working(calls: Mapping[str, Call]) -> dict[str, Call]:
    """Return the calls that do what they are measured for; a peer that cannot is left out, and named."""
    fine = {}
    for name, call in calls.items():
        try:
            call()
        except Exception as error:
            if name in ("ours", "floor"):
                raise
            print(f"left out: {name} ({type(error).__name__}: {str(error)[:120]})", file=sys.stderr)
            continue
        fine[name] = call
    return fine


def _floor(encoded: bytes, shape: str) -> Call:
    """base64, lxml, python-xmlsec, attributes: what nobody can do without."""
    import xmlsec
    from lxml import etree

    from tests.providers.saml.forge import keys

    constants = xmlsec.constants
    key = xmlsec.Key.from_memory(keys("portal").certificate_pem, constants.KeyDataFormatCertPem)
    ours = xmlsec.Key.from_memory(keys("ours").private_pem, constants.KeyDataFormatPem)
    ds, saml = "{http://www.w3.org/2000/09/xmldsig#}", "{urn:oasis:names:tc:SAML:2.0:assertion}"

    def verify(element: Any) -> None:
        context = xmlsec.SignatureContext()
        context.key = key
        context.register_id(element, "ID")
        context.verify(element.find(ds + "Signature"))

    def call() -> object:
        root = etree.fromstring(base64.b64decode(encoded))
        verify(root)
        if shape == SHAPES[2]:
            manager = xmlsec.KeysManager()
            manager.add_key(ours)
            data: Any = root.find(f"{saml}EncryptedAssertion/{{http://www.w3.org/2001/04/xmlenc#}}EncryptedData")
            xmlsec.EncryptionContext(manager).decrypt(data)
        assertion = next(root.iter(saml + "Assertion"))
        if shape != SHAPES[0]:
            verify(assertion)
        return {each.get("Name"): [value.text for value in each] for each in assertion.iter(saml + "Attribute")}

    return call


def _cryptography(encoded: bytes) -> Call:
    """The operations on keys alone: two signatures verified, one key unwrapped, one ciphertext opened."""
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from lxml import etree

    from tests.providers.saml.forge import keys

    root = etree.fromstring(base64.b64decode(encoded))
    values = [base64.b64decode(each.text or "") for each in root.iter("{http://www.w3.org/2001/04/xmlenc#}CipherValue")]
    wrapped, ciphertext = sorted(values, key=len)
    private: Any = load_pem_private_key(keys("ours").private_pem, None)
    signer: Any = load_pem_private_key(keys("portal").private_pem, None)
    public = signer.public_key()
    made = signer.sign(b"x", PKCS1v15(), SHA256())
    padding = OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303  # what the URI of the message means

    def call() -> object:
        public.verify(made, b"x", PKCS1v15(), SHA256())
        public.verify(made, b"x", PKCS1v15(), SHA256())
        return AESGCM(private.decrypt(wrapped, padding)).decrypt(ciphertext[:12], ciphertext[12:], None)

    return call


def _rate(workshop: _Workshop, processes: int) -> float:
    """Return how many answers so many processes verify a second."""
    encoded = workshop.message(SHAPES[0])
    context = multiprocessing.get_context("fork")
    counts: Any = context.SimpleQueue()
    ready, go = context.Barrier(processes + 1), context.Event()

    def worker() -> None:
        call = workshop._ours(encoded)
        call()
        ready.wait()
        go.wait()
        done, end = 0, time.monotonic() + SECONDS
        while time.monotonic() < end:
            call()
            done += 1
        counts.put(done)

    started = [context.Process(target=worker) for _ in range(processes)]
    for each in started:
        each.start()
    ready.wait()
    go.set()
    total = sum(counts.get() for _ in started)
    for each in started:
        each.join()
    return float(total / SECONDS)


if __name__ == "__main__":
    if "--inside" in sys.argv:
        _inside(Path(sys.argv[sys.argv.index("--inside") + 1]))
    else:
        run("saml", measure)
