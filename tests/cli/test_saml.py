"""`imagin-gateway saml`: what the operator reads, and what is never shown."""

from __future__ import annotations

import base64
import secrets
import textwrap
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from lxml import etree

from examples.demo.portals import saml_messages
from examples.demo.portals.saml_messages import KeyPair, sign
from imagin_gateway.errors import Code
from imagin_gateway.events.telling import words
from imagin_gateway.providers.saml import schema
from imagin_gateway.providers.saml.steps import Step
from tests.cli.test_commands import SETTINGS, Operator
from tests.providers.saml import forge, logouts
from tests.providers.saml.forge import NOW, PERSON, PORTAL, SSO, keys, one
from tests.providers.saml.locksmith import Lock, encrypt_assertion, encrypted
from tests.terminal import imagin_gateway

DOOR = "arena-creteil"
BASE = f"http://127.0.0.1:8400/connexion/portail/{DOOR}"

SECTION = f"""
[portals.{DOOR}]
protocol = "saml"
metadata = "creteil.xml"
portal_entity_id = "{PORTAL}"
private_key = "ours.key"
certificate = "ours.crt"
required_attributes = ["rne"]
"""


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    told = SETTINGS.format(**{name: secrets.token_urlsafe(48) for name in ("signing", "provisional", "secret")})
    (tmp_path / "gateway.toml").write_text(told + SECTION)
    (tmp_path / "creteil.xml").write_bytes(logouts.metadata())
    (tmp_path / "ours.key").write_bytes(keys("ours").private_pem)
    (tmp_path / "ours.crt").write_bytes(keys("ours").certificate_pem)
    return Operator(tmp_path)


def forged(edit: forge.Edit | None = None, **more: Any) -> etree._Element:
    usual = {"acs_url": BASE + "/acs", "audience": BASE + "/metadata"}
    return forge.forged(edit, **{**usual, **more})


def write(operator: Operator, message: etree._Element) -> str:
    (operator.folder / "answer.xml").write_bytes(etree.tostring(message))
    return "answer.xml"


def test_our_metadata_can_be_given_away(operator: Operator) -> None:
    done = operator.run("saml", "metadata", DOOR)
    assert (done.returncode, done.stderr) == (0, "")
    root = etree.fromstring(done.stdout.encode())
    assert schema.is_valid(root)
    assert root.get("entityID") == BASE + "/metadata"
    assert "PRIVATE" not in done.stdout
    (operator.folder / "creteil.xml").unlink()
    assert operator.run("saml", "metadata", DOOR).returncode == 0, "ours are needed before theirs"


def test_a_door_that_is_not_saml_is_told(operator: Operator) -> None:
    for command in (("metadata", "arena-paris"), ("check", "arena-nulle")):
        done = operator.run("saml", *command)
        assert done.returncode == 1
        assert DOOR in done.stderr
        assert "Traceback" not in done.stderr


def test_good_metadata_is_described(operator: Operator) -> None:
    done = operator.run("saml", "check", DOOR)
    assert done.returncode == 0
    for told in (
        PORTAL,
        "RSA de 2048 bits, empreinte ",
        f"HTTP-Redirect {SSO}",
        f"HTTP-Redirect {logouts.SLO} (réponses : {logouts.SLO_ANSWER})",
        "exigées",
        "non signé",
        "Ces métadonnées peuvent servir.",
    ):
        assert told in done.stdout, told


def test_what_is_wrong_is_told_in_words(operator: Operator) -> None:
    now = datetime.now(UTC)
    old = KeyPair.new("old", begins=now - timedelta(days=400), days=365)
    soon = KeyPair.new("soon", begins=now - timedelta(days=1), days=10)
    wrong = {
        "weak.xml": (saml_messages.metadata(PORTAL, SSO, [keys("weak", bits=1024)]), 1, "trop faible"),
        "other.xml": (
            saml_messages.metadata("https://other.example", SSO, [keys("portal")]),
            1,
            "https://other.example",
        ),
        "broken.xml": (b"<x", 1, "XML"),
        "old.xml": (saml_messages.metadata(PORTAL, SSO, [old]), 0, "un certificat a expiré"),
        "soon.xml": (saml_messages.metadata(PORTAL, SSO, [soon]), 0, "va sans doute changer de clé"),
        "odd.xml": (logouts.metadata().replace(b"<md:NameIDFormat>", b"<md:Odd/><md:NameIDFormat>"), 0, "Odd (element"),
    }
    for name, (content, status, told) in wrong.items():
        (operator.folder / name).write_bytes(content)
        done = operator.run("saml", "check", DOOR, name)
        assert done.returncode == status, (name, done.stderr)
        assert told in done.stdout + done.stderr, name
        assert "Traceback" not in done.stderr
    missing = operator.run("saml", "check", DOOR, "nowhere.xml")
    assert missing.returncode == 1
    assert "nowhere.xml" in missing.stderr


def test_the_roles_of_another_protocol_are_no_fault_of_a_document(operator: Operator) -> None:
    """Metadata §2.4.1: RoleDescriptor is there for others to extend; ADFS puts those of WS-Federation first."""
    fed = "http://docs.oasis-open.org/wsfed/federation/200706"
    role = (
        f'<md:RoleDescriptor xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:fed="{fed}"'
        f' xsi:type="fed:SecurityTokenServiceType" protocolSupportEnumeration="{fed}">'
        "<fed:TokenTypesOffered/></md:RoleDescriptor>"
    ).encode()
    for name, more, told in (("fine.xml", b"", False), ("odd.xml", b"<md:Odd/>", True)):
        document = logouts.metadata().replace(b"<md:IDPSSODescriptor", role + more + b"<md:IDPSSODescriptor")
        (operator.folder / name).write_bytes(document)
        done = operator.run("saml", "check", DOOR, name)
        assert (done.returncode, "schémas" in done.stdout + done.stderr) == (0, told), done.stdout


def test_a_good_answer_passes_every_step_and_shows_nobody(operator: Operator) -> None:
    done = operator.run("saml", "inspect", write(operator, forged()), "--door", DOOR)
    assert done.returncode == 0, done.stderr
    shown = [line.split()[1] for line in done.stdout.splitlines() if line.split()[:1] == ["passé"]]
    assert shown == [step.value for step in Step if step is not Step.DECRYPTION]
    assert "La réponse elle-même est bonne" in done.stdout
    assert "Sans NameID" not in done.stdout
    assert "ct-remote-user" in done.stdout
    assert "2026 à 08:00:00 UTC" in done.stdout
    values = [value for values in PERSON.attributes.values() for value in values if len(value) > 3]
    assert not [value for value in values if value in done.stdout + done.stderr]


@pytest.mark.parametrize(
    "form",
    [
        *("{xml}", "\ufeff{xml}", "{b64}", "\ufeff{b64}", '"{b64}"', "{quoted}", "RelayState=x&SAMLResponse={quoted}"),
        *("RelayState=a%20b&SAMLResponse={b64}", "SAMLResponse: {b64}\r\nRelayState: x\r\n", 'SAMLResponse: "{b64}"'),
        *(
            "SAMLResponse={lines}",
            "SAMLResponse: {lines}\r\nRelayState: x\r\n",
            "RelayState=x&SAMLResponse={lines}&x=y",
        ),
        *("{lines}", "SAMLResponse: {lines}\r\nOther: x"),
        '{{"name": "SAMLResponse", "SAMLResponse": "{b64}"}}',
        '<!DOCTYPE html><form action="{acs}"><input type="hidden" name="SAMLResponse" value="{b64}"/></form>',
        "<html><INPUT value='{entities}' name='SAMLResponse' type='hidden'></html>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_an_answer_is_read_as_an_operator_got_hold_of_it(operator: Operator, form: str, encoding: str) -> None:
    xml = etree.tostring(forged()).decode()
    encoded = base64.b64encode(xml.encode()).decode()
    entities = encoded.replace("+", "&#43;").replace("=", "&#x3D;")
    lines = "\r\n".join(textwrap.wrap(encoded, 76))  # as a mail or an editor wraps it
    told = {
        "xml": xml,
        "lines": lines,
        "b64": encoded,
        "quoted": quote(encoded, safe=""),
        "acs": BASE + "/acs",
        "entities": entities,
    }
    (operator.folder / "answer").write_bytes(form.format(**told).encode(encoding))
    done = operator.run("saml", "inspect", "answer", "--door", DOOR)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_empty_answer_is_told_and_not_refused_as_one_of_the_portal(operator: Operator) -> None:
    (operator.folder / "answer").write_bytes(b"\n")
    done = operator.run("saml", "inspect", "answer", "--door", DOOR)
    assert (done.returncode, done.stderr) == (1, "Rien à vérifier : aucune réponse n’est là.\n")
    assert "REFUSÉ" not in done.stdout


def test_the_moment_is_shown_in_the_zone_that_is_named(operator: Operator) -> None:
    at = (NOW.astimezone(UTC)).astimezone(timezone(timedelta(hours=1))).isoformat()
    done = operator.run("saml", "inspect", write(operator, forged()), "--door", DOOR, "--at", at)
    assert f"reçue le {NOW:%d/%m/%Y à %H:%M:%S} UTC" in done.stdout


@pytest.mark.parametrize("form", ["base64", "form", "stdin"])
def test_an_answer_comes_as_it_was_found(operator: Operator, form: str) -> None:
    encoded = base64.b64encode(etree.tostring(forged())).decode()
    content = urlencode({"SAMLResponse": encoded, "RelayState": "x"}) if form == "form" else encoded
    if form == "stdin":
        done = imagin_gateway("saml", "inspect", "-", "--door", DOOR, cwd=operator.folder, typed=content)
    else:
        (operator.folder / "found").write_text(content)
        done = operator.run("saml", "inspect", "found", "--door", DOOR)
    assert done.returncode == 0, done.stderr
    assert "La réponse elle-même est bonne" in done.stdout


REFUSED: dict[str, tuple[Any, Step, Code]] = {
    "stranger": (lambda: forged(key=keys("attacker")), Step.RESPONSE_SIGNATURE, Code.SAML_SIGNATURE),
    "unsigned": (lambda: forged(signed="nothing"), Step.RESPONSE_SIGNATURE, Code.SAML_UNSIGNED),
    "shape": (lambda: forge.xsw3(forged()), Step.SHAPE, Code.SAML_SHAPE),
    "issuer": (lambda: forged(issuer="https://x.example"), Step.SPEAKER, Code.ROUTE_MISMATCH),
    "destination": (lambda: forged(acs_url=BASE + "/x"), Step.DESTINATION, Code.SAML_DESTINATION),
    "audience": (lambda: forged(audience="https://x.example"), Step.AUDIENCE, Code.SAML_AUDIENCE),
    "person": (lambda: forged(lambda root: forge.drop_attributes(root, "rne")), Step.PERSON, Code.ATTRIBUTE_MISSING),
    "schema": (lambda: forged(lambda root: root.set("Odd", "x")), Step.SCHEMA, Code.SAML_SCHEMA),
    "xml": (lambda: forged(lambda root: root.append(etree.Comment("x"))), Step.XML, Code.SAML_XML),
}


@pytest.mark.parametrize("how", REFUSED)
def test_the_step_that_refuses_is_shown_with_its_code(operator: Operator, how: str) -> None:
    make, step, code = REFUSED[how]
    done = operator.run("saml", "inspect", write(operator, make()), "--door", DOOR)
    assert done.returncode == 1
    (refused,) = [line.split()[1] for line in done.stdout.splitlines() if line.split()[:1] == ["REFUSÉ"]]
    assert refused == step.value
    assert f"Refusée : {code.value} (" in done.stderr
    assert f"\n  {words().code(code.value)}\n" in done.stderr, "in French too"
    assert "Traceback" not in done.stderr
    if code is Code.ATTRIBUTE_MISSING:
        assert "attribut manquant : rne" in done.stderr
    where = "à commencer par : Response/@Odd (cvc-complex-type-3-2-1)"
    assert (where in done.stderr) == (code is Code.SAML_SCHEMA)


def test_where_an_answer_leaves_the_schemas_is_shown_without_its_values(operator: Operator) -> None:
    def typed(root: etree._Element) -> None:
        value = next(root.iter(forge.saml("AttributeValue")))
        value.set("{http://www.w3.org/2001/XMLSchema-instance}type", "canary")

    done = operator.run("saml", "inspect", write(operator, forged(typed)), "--door", DOOR)
    assert "à commencer par : AttributeValue/@type (cvc-" in done.stderr
    assert "canary" not in done.stdout + done.stderr


def test_times_are_those_of_the_night_before(operator: Operator) -> None:
    file = write(operator, forged())
    late = operator.run("saml", "inspect", file, "--door", DOOR, "--at", "2026-12-14T08:08:01Z")
    assert late.returncode == 1
    assert f"{Code.SAML_TIME.value}" in late.stderr
    in_time = operator.run("saml", "inspect", file, "--door", DOOR, "--at", "2026-12-14T08:04:00Z")
    assert (in_time.returncode, "horloge" in in_time.stdout) == (0, False)
    assert "une horloge décalée ne se voit pas" in operator.run("saml", "inspect", file, "--door", DOOR).stdout
    assert operator.run("saml", "inspect", file, "--door", DOOR, "--at", "hier").returncode == 2
    assert NOW.year == 2026


def test_an_answer_nobody_asked_for_is_told_apart(operator: Operator) -> None:
    done = operator.run("saml", "inspect", write(operator, forged(in_response_to=None)), "--door", DOOR)
    assert done.returncode == 1
    assert "flow.unsolicited" in done.stderr
    assert "non sollicitée" in done.stdout


def test_an_encrypted_answer_is_opened_and_stays_hidden(operator: Operator) -> None:
    root = forged(signed="assertion")
    encrypt_assertion(root, Lock())
    sign(root, keys("portal"), prefixes="")
    done = operator.run("saml", "inspect", write(operator, root), "--door", DOOR)
    assert done.returncode == 0, done.stderr
    assert "passé   decryption" in done.stdout
    assert PERSON.login not in done.stdout


@pytest.mark.parametrize("lock", [None, Lock(), Lock(to=("third",))], ids=["none", "ours", "another"])
def test_an_answer_whose_name_cannot_be_read_is_told_for_the_logout(operator: Operator, lock: Lock | None) -> None:
    def edit(root: etree._Element) -> None:
        name, subject = one(root, "NameID"), one(root, "Subject")
        if lock is None:
            subject.remove(name)
        else:
            subject.replace(name, encrypted(etree.tostring(name), lock, "EncryptedID"))

    done = operator.run("saml", "inspect", write(operator, forged(edit)), "--door", DOOR)
    assert done.returncode == 0, done.stderr
    assert ("Sans NameID" in done.stdout) is (lock is None or lock.to != ("ours",))


def test_where_an_attribute_lacks_the_names_that_came_are_told_even_if_encrypted(operator: Operator) -> None:
    def edit(root: etree._Element) -> None:
        forge.drop_attributes(root, "rne")
        forge.add_attribute(root, "rne", "0940001A", name_format="urn:mace:shibboleth:1.0:attributeNamespace:uri")

    root = forged(edit, signed="assertion")
    encrypt_assertion(root, Lock())
    sign(root, keys("portal"), prefixes="")
    done = operator.run("saml", "inspect", write(operator, root), "--door", DOOR)
    assert done.returncode == 1
    (came,) = [line for line in done.stderr.splitlines() if "attributs reçus : " in line]
    assert came.partition(" : ")[2].split(", ") == sorted(PERSON.attributes.keys() - {"rne"})
    assert "laissés de côté, NameFormat inconnu : rne\n" in done.stderr
    assert "0940001A" not in done.stdout + done.stderr


def test_nothing_that_a_terminal_would_obey_comes_through(operator: Operator) -> None:
    def edit(root: etree._Element) -> None:
        one(root, "Issuer").text = "https://x\u009b31m\u202e\nRefusée : rien"

    done = operator.run("saml", "inspect", write(operator, forged(edit)), "--door", DOOR)
    assert done.returncode == 1
    assert "\u009b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert "\nRefusée : rien" not in done.stdout


def test_a_file_that_is_not_there_or_is_no_message_is_told(operator: Operator) -> None:
    assert operator.run("saml", "inspect", "nowhere", "--door", DOOR).returncode == 1
    (operator.folder / "noise").write_bytes(b"\xff\x00 not a message")
    done = operator.run("saml", "inspect", "noise", "--door", DOOR)
    assert done.returncode == 1
    assert Code.SAML_XML.value in done.stderr
    assert "Traceback" not in done.stderr
