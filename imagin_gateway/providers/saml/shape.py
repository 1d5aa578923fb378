"""What an answer may look like, before any cryptography: one Assertion, signatures where SAML puts them.

A document that could be understood in two ways is refused here, whoever signed
it: most forgeries of the literature (wrapping, moved or repeated elements,
foreign transforms) stop at this floor.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, NoReturn

from lxml import etree

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.saml import documents
from imagin_gateway.providers.saml.reading import statuses
from imagin_gateway.providers.saml.vocabulary import (
    DIGESTS,
    ECDSA_METHODS,
    ENVELOPED,
    EXC_C14N,
    RSA_METHODS,
    SUCCESS,
    ds,
    saml,
    samlp,
)

SIGNATURE: Final = ds("Signature")

MAX_PREFIXES: Final = 32
"""An honest signature keeps one or two."""

_PREFIXES: Final = f"{{{EXC_C14N}}}InclusiveNamespaces"

_SIGNED: Final = [ds("SignedInfo"), ds("SignatureValue")]
_SIGNED_WITH_KEYS: Final = [*_SIGNED, ds("KeyInfo")]
_INFO: Final = [ds("CanonicalizationMethod"), ds("SignatureMethod"), ds("Reference")]
_REFERENCE: Final = [ds("Transforms"), ds("DigestMethod"), ds("DigestValue")]
_METHODS: Final = RSA_METHODS | ECDSA_METHODS


@dataclass(frozen=True, slots=True)
class Message:
    """The parts of an answer, as they were received. Nothing of it is proved yet.

    Attributes:
        assertion: None when it is encrypted; then `encrypted` is there.
        identifiers: every ID of the document.
    """

    response: etree._Element
    response_signature: etree._Element | None
    assertion: etree._Element | None
    assertion_signature: etree._Element | None
    encrypted: etree._Element | None
    identifiers: frozenset[str]


def message(root: etree._Element) -> Message:
    """Find the parts of an answer.

    Raises:
        AnswerRefused: `SAML_SHAPE`, `SAML_ALGORITHM`; `PORTAL_REFUSED` when it holds no assertion
            because the portal says no.
    """
    if root.tag != samlp("Response"):
        _refuse("the message is not a Response")
    if sum(1 for _ in root.iter(samlp("Response"))) != 1:
        _refuse("a Response holds another one")
    identifiers = check_identifiers(root)
    statement = the_statement(root)
    encrypted = statement if statement.tag == saml("EncryptedAssertion") else None
    assertion = statement if encrypted is None else None
    found = Message(
        root,
        _signature_of(root),
        assertion,
        None if assertion is None else _signature_of(assertion),
        encrypted,
        identifiers,
    )
    _check_signatures(root, found.response_signature, found.assertion_signature)
    return found


def decrypted(assertion: etree._Element, around: Collection[str]) -> etree._Element | None:
    """Hold an assertion that was encrypted to the same shape, alone in its document.

    Args:
        assertion: as it came out; anybody may have put it in.
        around: the IDs of the document that held it.

    Returns:
        Its own signature, if it has one.

    Raises:
        AnswerRefused: `SAML_SHAPE`, `SAML_ALGORITHM`.
    """
    if assertion.tag != saml("Assertion"):
        _refuse("something else than an assertion was encrypted")
    inside = (saml("Assertion"), saml("EncryptedAssertion"), samlp("Response"))
    if sum(1 for _ in assertion.iter(*inside)) != 1:
        _refuse("an assertion holds another one")
    if not check_identifiers(assertion).isdisjoint(around):
        _refuse("an ID stands inside and outside of what is encrypted")
    signature = _signature_of(assertion)
    _check_signatures(assertion, signature)
    return signature


def sealed(root: etree._Element, name: str) -> etree._Element:
    """Find the one signature of a logout message that came by POST.

    Raises:
        AnswerRefused: `SAML_UNSIGNED`, `SAML_SHAPE`, `SAML_ALGORITHM`.
    """
    check_plain(root, name)
    signature = _signature_of(root)
    if signature is None:
        raise AnswerRefused(Code.SAML_UNSIGNED, "the message is not signed")
    _check_signatures(root, signature)
    return signature


def check_plain(root: etree._Element, name: str) -> None:
    """Core §3.7: a logout message is what it says, holds no other message and names nothing twice."""
    if root.tag != samlp(name):
        _refuse("the message is another than was looked for")
    inside = (samlp("LogoutRequest"), samlp("LogoutResponse"), samlp("Response"), saml("Assertion"))
    if sum(1 for _ in root.iter(*inside)) != 1:
        _refuse("a message holds another one")
    check_identifiers(root)


def _check_signatures(root: etree._Element, *expected: etree._Element | None) -> None:
    signatures = [each for each in expected if each is not None]
    if sum(1 for _ in root.iter(ds("Signature"))) != len(signatures):
        _refuse("a signature stands where none is expected")
    for signature in signatures:
        check_signature(signature)


def check_algorithms(root: etree._Element, forbidden: Collection[str]) -> None:
    """IIP-ALG: the operator's own list goes on top of what is never accepted (row SAM-06)."""
    if forbidden and any(element.get("Algorithm") in forbidden for element in root.iter(etree.Element)):
        raise AnswerRefused(Code.SAML_ALGORITHM, "the message uses a method that the settings forbid")


def check_identifiers(root: etree._Element) -> frozenset[str]:
    """Core §1.3.4: an ID names one element. Return them all."""
    found = documents.identifiers(root)
    distinct = frozenset(found)
    if len(found) != len(distinct):
        _refuse("an ID stands twice")
    return distinct


def the_statement(root: etree._Element) -> etree._Element:
    """Return the only Assertion or EncryptedAssertion of the whole document, a child of the Response."""
    found = list(root.iter(saml("Assertion"), saml("EncryptedAssertion")))
    if not found and (codes := statuses(root)) and codes[0] != SUCCESS:
        raise AnswerRefused(Code.PORTAL_REFUSED, "the portal refused the login", statuses=codes)
    if len(found) != 1 or found[0].getparent() is not root:
        _refuse("there is not exactly one assertion, in the Response itself")
    return found[0]


def _signature_of(element: etree._Element) -> etree._Element | None:
    """Core §5.4.2: the signature of a message or an assertion is its own child, and the only one."""
    found = documents.children(element, SIGNATURE)
    if len(found) > 1:
        _refuse("an element has two signatures")
    return found[0] if found else None


def check_signature(signature: etree._Element) -> None:
    """Core §5.4: one Reference, to the parent by its ID; enveloped signature, exclusive canonicalisation.

    Raises:
        AnswerRefused: `SAML_SHAPE`, or `SAML_ALGORITHM` for a method that is not of the written list.
    """
    if [child.tag for child in signature] not in (_SIGNED, _SIGNED_WITH_KEYS):
        _refuse("a signature holds something unexpected")
    parent = signature.getparent()
    info = signature[0]
    if parent is None or [child.tag for child in info] != _INFO:
        _refuse("a signature does not sign exactly one thing")
    canonicalization, method, reference = info
    identifier = parent.get("ID", "")
    if not identifier or reference.get("URI") != f"#{identifier}":
        _refuse("a signature does not name the element that holds it")
    _check_exclusive(canonicalization)
    _check_method(method, _METHODS)
    if [child.tag for child in reference] != _REFERENCE:
        _refuse("a reference holds something unexpected")
    transforms, digest, _ = reference
    if [each.get("Algorithm") for each in transforms] != [ENVELOPED, EXC_C14N]:
        raise AnswerRefused(Code.SAML_ALGORITHM, "a signature uses other transforms than SAML's own two")
    _check_leaf(transforms[0])
    _check_exclusive(transforms[1])
    _check_method(digest, DIGESTS)


def _check_exclusive(element: etree._Element) -> None:
    if element.get("Algorithm") != EXC_C14N:
        raise AnswerRefused(Code.SAML_ALGORITHM, "a signature uses another canonicalisation than the exclusive one")
    if [child.tag for child in element] not in ([], [_PREFIXES]) or (element.text or "").strip():
        _refuse("a canonicalisation has parameters of its own")
    for child in element:
        _check_leaf(child)
        if len(child.get("PrefixList", "").split()) > MAX_PREFIXES:
            _refuse("a canonicalisation keeps too many prefixes")


def _check_method(element: etree._Element, allowed: Collection[str]) -> None:
    """A list of what is allowed, not of what is forbidden: SHA-1, MD5 and every HMAC are not on it."""
    if element.get("Algorithm") not in allowed:
        raise AnswerRefused(Code.SAML_ALGORITHM, "a signature uses a method that is not allowed")
    _check_leaf(element)


def _check_leaf(element: etree._Element) -> None:
    if len(element) or (element.text or "").strip():
        _refuse("a method has parameters")


def prefixes(reference: etree._Element) -> list[str]:
    """Return the prefixes that the signature wants kept (Exclusive XML Canonicalization §3)."""
    transforms = documents.child(reference, ds("Transforms"))
    for transform in () if transforms is None else transforms:
        if (kept := documents.child(transform, _PREFIXES)) is not None:
            return kept.get("PrefixList", "").split()
    return []


def _refuse(message: str) -> NoReturn:
    raise AnswerRefused(Code.SAML_SHAPE, message)
