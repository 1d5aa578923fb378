"""What we send: requests by HTTP-Redirect, answers to a logout by either binding. pysaml2's classes write them."""

from __future__ import annotations

import base64
import secrets
import zlib
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree
from saml2 import saml, samlp

from imagin_gateway.providers.saml.configuration import Configuration
from imagin_gateway.providers.saml.name_id import NameId
from imagin_gateway.providers.saml.native import xmlsec
from imagin_gateway.providers.saml.partner import Partner
from imagin_gateway.providers.saml.vocabulary import POST, RESPONDER, RSA_SHA256, SUCCESS

_ID_BYTES: Final = 20

LOGOUT_LIFE: Final = timedelta(minutes=5)
"""How long a logout message may be under way."""


def new_id() -> str:
    """Return an ID nobody can guess: 160 bits (Core §1.3.4 wants 128), after the letter or `_` that XML wants."""
    return "_" + secrets.token_hex(_ID_BYTES)


def authn_request(
    config: Configuration, partner: Partner, identifier: str, now: datetime, *, anew: bool = False
) -> bytes:
    """Write an AuthnRequest (Core §3.4.1).

    The address of the answer is written in full, as in our metadata, and no index
    goes with it; no form of NameID is asked for (row SAM-24). A context of authentication
    is asked for when the settings want one, and then exactly that (row SAM-25). `anew` asks the
    portal to check the credentials whatever it remembers of the person (`ForceAuthn`).
    """
    contexts = [saml.AuthnContextClassRef(text=each) for each in config.section.authn_contexts]
    request = samlp.AuthnRequest(
        id=identifier,
        version="2.0",
        issue_instant=_instant(now),
        destination=partner.sso_url,
        protocol_binding=POST,
        force_authn="true" if anew else None,
        assertion_consumer_service_url=config.addresses.acs,
        issuer=saml.Issuer(text=config.entity_id),
        name_id_policy=samlp.NameIDPolicy(allow_create="true"),
        requested_authn_context=samlp.RequestedAuthnContext(authn_context_class_ref=contexts, comparison="exact")
        if contexts
        else None,
    )
    return bytes(request.to_string())


def logout_request(
    config: Configuration, destination: str, name: NameId, session_index: str, identifier: str, now: datetime
) -> bytes:
    """Write a LogoutRequest (Core §3.7.1).

    The NameID goes back whole, as it came (row LGO-12), and is not encrypted.

    Args:
        config: ours.
        destination: where it goes.
        name: of the login.
        session_index: of the login, "" if the portal told none.
        identifier: its ID.
        now: the present moment.
    """
    request = samlp.LogoutRequest(
        id=identifier,
        version="2.0",
        issue_instant=_instant(now),
        destination=destination,
        not_on_or_after=_instant(now + LOGOUT_LIFE),
        reason="urn:oasis:names:tc:SAML:2.0:logout:user",
        issuer=saml.Issuer(text=config.entity_id),
        name_id=saml.NameID(
            text=name.value,
            format=name.format or None,
            name_qualifier=name.name_qualifier or None,
            sp_name_qualifier=name.sp_name_qualifier or None,
            sp_provided_id=name.sp_provided_id or None,
        ),
        session_index=[samlp.SessionIndex(text=session_index)] if session_index else [],
    )
    return bytes(request.to_string())


def logout_response(config: Configuration, to: str, destination: str, whole: bool, now: datetime) -> bytes:
    """Write a LogoutResponse (Core §3.7.2).

    Args:
        config: ours.
        to: ID of the request.
        destination: where it goes.
        whole: everything that was asked has ended.
        now: the present moment.
    """
    code = samlp.StatusCode(value=SUCCESS if whole else RESPONDER)
    response = samlp.LogoutResponse(
        id=new_id(),
        in_response_to=to,
        version="2.0",
        issue_instant=_instant(now),
        destination=destination,
        issuer=saml.Issuer(text=config.entity_id),
        status=samlp.Status(status_code=code),
    )
    return bytes(response.to_string())


def redirect_url(
    location: str, message: bytes, key: RSAPrivateKey | None, *, name: str = "SAMLRequest", relay: str = ""
) -> str:
    """Return the address that carries a message (Bindings §3.4.4.1).

    Args:
        location: of the portal; may have a query of its own.
        message: the request or the response.
        key: signs the query, with RSA-SHA256; None sends it unsigned.
        name: `SAMLRequest` or `SAMLResponse`.
        relay: RelayState to give back.
    """
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = compressor.compress(message) + compressor.flush()
    query = f"{name}={_encoded(deflated)}"
    if relay:
        query += "&RelayState=" + quote(relay, safe="")
    if key is not None:
        # The signature covers these very characters, in this order.
        query += "&SigAlg=" + quote(RSA_SHA256, safe="")
        query += "&Signature=" + _encoded(key.sign(query.encode("ascii"), padding.PKCS1v15(), SHA256()))
    return f"{location}{'&' if '?' in location else '?'}{query}"


def signed_form(message: bytes, config: Configuration) -> str:
    """Return a message signed for HTTP-POST (Bindings §3.5.4): its signature inside, after the Issuer; in base64."""
    root = etree.fromstring(message)
    template = xmlsec.template
    constants = xmlsec.constants
    signature = template.create(root, constants.TransformExclC14N, constants.TransformRsaSha256, ns="ds")
    root.insert(1, signature)
    reference = template.add_reference(signature, constants.TransformSha256, uri="#" + root.get("ID", ""))
    template.add_transform(reference, constants.TransformEnveloped)
    template.add_transform(reference, constants.TransformExclC14N)
    context = xmlsec.SignatureContext()
    pem = config.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context.key = xmlsec.Key.from_memory(pem, constants.KeyDataFormatPem)
    context.register_id(root, "ID")
    context.sign(signature)
    return base64.b64encode(etree.tostring(root)).decode("ascii")


def _encoded(raw: bytes) -> str:
    return quote(base64.b64encode(raw), safe="")


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
