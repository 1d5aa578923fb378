"""A small SAML identity provider for the demonstration: real protocol, simulated portal.

Web Browser SSO both ways: asked for by a signed AuthnRequest (HTTP-Redirect), or
started by the link « Imagin » of its own pages. Answers go by HTTP-POST, Response
and Assertion signed. It keeps everything in memory and is made for one machine.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate
from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from examples.demo.portals.people import Person
from examples.demo.portals.saml_messages import SAML, SAMLP, Answer, KeyPair, metadata, signed_response

RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SESSION: Final = timedelta(hours=8)
MAX_REQUEST_BYTES: Final = 16 * 1024


@dataclass(frozen=True)
class Service:
    """The application that the portal knows: its metadata, in short."""

    entity_id: str
    acs_url: str
    certificate_pem: bytes = field(repr=False)


@dataclass(frozen=True)
class SamlPortalConfig:
    """One simulated portal.

    Attributes:
        url: its address, without a final slash; endpoints are below it.
        title: what the pages call it, e.g. « Portail ARENA de Créteil ».
        people: accounts it knows.
        service: the application it sends people to.
        keys: it signs with these.
        relay: RelayState of the link « Imagin »: the page asked for.
        clock: the present moment, UTC.
    """

    url: str
    title: str
    people: Sequence[Person]
    service: Service
    keys: KeyPair = field(repr=False)
    relay: str = ""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def entity_id(self) -> str:
        return f"{self.url}/saml/metadata"

    @property
    def sso_url(self) -> str:
        return f"{self.url}/saml/sso"

    def metadata(self) -> bytes:
        """Return its metadata: what the gateway is given as a file."""
        return metadata(self.entity_id, self.sso_url, [self.keys])


@dataclass(frozen=True)
class _Session:
    person: Person
    since: datetime
    name: str


class Refused(Exception):
    """A request of the application is refused; the text is for the page."""


def saml_portal(config: SamlPortalConfig) -> Starlette:
    """Return the portal as an application."""
    return _Portal(config).app


class _Portal:
    def __init__(self, config: SamlPortalConfig) -> None:
        self._config = config
        self._people = {person.login: person for person in config.people}
        self._sessions: dict[str, _Session] = {}
        # Browsers do not tell the ports of one host apart when they send cookies.
        self._cookie = f"portail-simule-{urlsplit(config.url).port or 443}"
        self.app = Starlette(
            routes=[
                Route("/", self._home, methods=["GET", "POST"]),
                Route("/saml/metadata", self._metadata),
                Route("/saml/sso", self._sso, methods=["GET", "POST"]),
                Route("/saml/imagin", self._imagin, methods=["GET", "POST"]),
                Route("/deconnexion", self._logout),
            ]
        )

    # --- what the application sees

    async def _metadata(self, _: Request) -> Response:
        return Response(self._config.metadata(), media_type="application/samlmetadata+xml")

    async def _sso(self, request: Request) -> Response:
        """Somebody comes with a request of the application, in the address; the login form keeps that address."""
        try:
            asked = self._asked(request.url.query)
        except Refused as refused:
            return self._page("Demande refusée", f"<p>{escape(str(refused))}</p>", 400)
        session, answer = await self._signed_in(request)
        relay = dict(parse_qsl(request.url.query)).get("RelayState", "")
        return answer if session is None else self._answer(session, asked, relay)

    def _asked(self, query: str) -> str:
        """Verify a request (Bindings §3.4.4.1) and return its ID."""
        parts = dict(part.partition("=")[::2] for part in query.split("&"))
        names = [name for name in ("SAMLRequest", "RelayState", "SigAlg") if name in parts]
        if unquote(parts.get("SigAlg", "")) != RSA_SHA256 or "SAMLRequest" not in parts:
            raise Refused("Cette demande n’est pas signée comme il faut.")
        key = load_pem_x509_certificate(self._config.service.certificate_pem).public_key()
        if not isinstance(key, RSAPublicKey):
            raise Refused("La clé de l’application n’est pas une clé RSA.")
        try:
            signature = base64.b64decode(unquote(parts.get("Signature", "")), validate=True)
            signed = "&".join(f"{name}={parts[name]}" for name in names).encode("ascii")
            key.verify(signature, signed, padding.PKCS1v15(), SHA256())
            inflater = zlib.decompressobj(-zlib.MAX_WBITS)
            message = inflater.decompress(base64.b64decode(unquote(parts["SAMLRequest"])), MAX_REQUEST_BYTES)
            parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
            request = etree.fromstring(message, parser)
        except (ValueError, InvalidSignature, zlib.error, etree.XMLSyntaxError):
            raise Refused("La signature de cette demande n’est pas celle d’Imagin.") from None
        issuer = request.findtext(f"{{{SAML}}}Issuer")
        service = self._config.service
        if request.tag != f"{{{SAMLP}}}AuthnRequest" or issuer != service.entity_id:
            raise Refused("Cette application n’est pas connue du portail.")
        if request.get("AssertionConsumerServiceURL") != service.acs_url:
            raise Refused("La réponse n’irait pas à une adresse connue.")
        if request.get("Destination") != self._config.sso_url:
            raise Refused("Cette demande est pour un autre portail.")
        return request.get("ID", "")

    def _answer(self, session: _Session, in_response_to: str | None, relay: str) -> Response:
        """Return the page that carries the answer: a form with a button, sent by itself where scripts run."""
        now = self._config.clock()
        message = signed_response(
            Answer(
                issuer=self._config.entity_id,
                audience=self._config.service.entity_id,
                acs_url=self._config.service.acs_url,
                at=now,
                authenticated_at=session.since,
                attributes=session.person.attributes,
                in_response_to=in_response_to,
                session_ends_at=session.since + SESSION,
                session=session.name,
            ),
            self._config.keys,
        )
        carried = {
            "SAMLResponse": base64.b64encode(message).decode("ascii"),
            **({"RelayState": relay} if relay else {}),
        }
        fields = "".join(f'<input type="hidden" name="{n}" value="{escape(v)}">' for n, v in carried.items())
        body = (
            "<p>Le portail vous a reconnu : vos applications vous attendent.</p>"
            f'<form method="post" action="{escape(self._config.service.acs_url)}">{fields}'
            "<p><button>Continuer vers Imagin</button></p></form>"
            "<script>document.forms[0].submit()</script>"
        )
        return self._page("Vers Imagin", body)

    # --- what the person sees

    async def _home(self, request: Request) -> Response:
        session, answer = await self._signed_in(request)
        if session is None:
            return answer
        body = (
            f"<p>Bonjour {escape(session.person.name)}.</p>"
            "<section><h2>Scolarité du 2nd degré</h2><p>Aucune application.</p></section>"
            '<section><h2>Examens et concours</h2><ul><li><a href="/saml/imagin">Imagin</a></li></ul></section>'
            '<p><a href="/deconnexion">Quitter le portail</a></p>'
        )
        return self._page("Vos applications", body)

    async def _imagin(self, request: Request) -> Response:
        """The link inside the portal: an answer nobody asked for (Profiles §4.1.5)."""
        session, answer = await self._signed_in(request)
        return answer if session is None else self._answer(session, None, self._config.relay)

    async def _logout(self, request: Request) -> Response:
        self._sessions.pop(request.cookies.get(self._cookie, ""), None)
        answer = self._page("Vous avez quitté le portail", '<p><a href="/">Revenir au portail</a></p>')
        answer.delete_cookie(self._cookie, path="/")
        return answer

    async def _signed_in(self, request: Request) -> tuple[_Session | None, Response]:
        """Return the session of this browser, or the page (or the redirect) that opens one."""
        if request.method != "POST":
            session = self._sessions.get(request.cookies.get(self._cookie, ""))
            live = session is not None and self._config.clock() < session.since + SESSION
            return session if live else None, self._login_page(request)
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        person = self._people.get(form.get("identifiant", "").strip().lower())
        expected = person.password if person else secrets.token_hex(8)
        if not hmac.compare_digest(form.get("motdepasse", "").encode(), expected.encode()) or person is None:
            return None, self._login_page(request, "Identifiant ou mot de passe incorrect.")
        name = secrets.token_urlsafe(32)
        self._sessions[name] = _Session(person, self._config.clock(), "_" + secrets.token_hex(16))
        again = RedirectResponse(_address(request), 303)
        again.set_cookie(self._cookie, name, httponly=True, samesite="lax", path="/")
        return None, again

    def _login_page(self, request: Request, wrong: str = "") -> Response:
        alert = f'<p role="alert">{wrong}</p>' if wrong else ""
        body = (
            f'{alert}<form method="post" action="{escape(_address(request))}">'
            '<p><label for="identifiant">Identifiant académique</label><br>'
            '<input id="identifiant" name="identifiant" autocomplete="username" required></p>'
            '<p><label for="motdepasse">Mot de passe</label><br>'
            '<input id="motdepasse" name="motdepasse" type="password" autocomplete="current-password" required></p>'
            "<p><button>Se connecter</button></p></form>"
        )
        return self._page("Authentification", body, 401 if wrong else 200)

    def _page(self, heading: str, body: str, status: int = 200) -> HTMLResponse:
        title = escape(self._config.title)
        page = (
            '<!doctype html><html lang="fr"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{heading} – {title}</title><style>"
            "body{font:1.0625rem/1.5 system-ui,sans-serif;margin:0;color:#1c2733;background:#f4f1ea}"
            "header{background:#274a3f;color:#fff;padding:.5rem 1.5rem}"
            "main{max-width:38rem;margin:2rem auto;padding:0 1rem}"
            "section{background:#fff;border-left:4px solid #274a3f;padding:.25rem 1rem;margin:1rem 0}"
            "input{font:inherit;padding:.4rem;width:18rem;max-width:100%}button{font:inherit;padding:.5rem 1rem}"
            "[role=alert]{border-left:4px solid #a3171b;padding-left:.75rem}"
            f"</style></head><body><header><p>{title} – <strong>portail simulé</strong></p></header>"
            f"<main><h1>{heading}</h1>{body}</main></body></html>"
        )
        return HTMLResponse(page, status, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


def _address(request: Request) -> str:
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
