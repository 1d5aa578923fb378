"""A small OpenID provider for the demonstration: real protocol, simulated portal.

Authorization code with PKCE, RS256, discovery, userinfo, `iss` in answers (RFC 9207),
a session of its own (so the second login asks nothing), and a plain logout. It
keeps everything in memory and is made for one machine.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CODE_SECONDS: Final = 60
TOKEN_SECONDS: Final = 300
SESSION_SECONDS: Final = 8 * 3600

_STANDARD: Final = {"ctln": "family_name", "ctfn": "given_name", "ctemail": "email"}
"""ARENA's names that have one in OpenID Connect."""


class Person(Protocol):
    """Somebody who has an account at the portal."""

    @property
    def login(self) -> str: ...
    @property
    def password(self) -> str: ...
    @property
    def attributes(self) -> Mapping[str, Sequence[str]]: ...


@dataclass(frozen=True)
class Client:
    """An application that the portal knows."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uris: tuple[str, ...]
    logout_uris: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Granted:
    """What a code or an access token stands for."""

    login: str
    asked: Mapping[str, str]
    authenticated_at: int
    ends: float


class OidcProvider:
    """The provider itself. `app` is what a server runs.

    Args:
        issuer: address of the portal, without a final slash; endpoints are below it.
        clients: applications it knows.
        people: accounts it knows.
        title: what the pages call it.
        imagin_url: where the link « Imagin » of the home page goes.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        *,
        issuer: str,
        clients: Iterable[Client],
        people: Iterable[Person],
        title: str,
        imagin_url: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = issuer
        self._clients = {client.client_id: client for client in clients}
        self._people = {person.login: person for person in people}
        self._title = title
        self._imagin_url = imagin_url
        self._clock = clock
        self._key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig", "alg": "RS256"})
        self._codes: dict[str, _Granted] = {}
        self._access: dict[str, _Granted] = {}
        self._sessions: dict[str, _Granted] = {}
        # Browsers do not tell the ports of one host apart when they send cookies.
        self._cookie = f"portail-simule-{urlsplit(issuer).port or 443}"
        self.app = Starlette(
            routes=[
                Route("/", self._home, methods=["GET", "POST"]),
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/keys", self._keys),
                Route("/authorize", self._authorize, methods=["GET", "POST"]),
                Route("/token", self._token, methods=["POST"]),
                Route("/userinfo", self._userinfo),
                Route("/logout", self._logout),
            ]
        )

    # --- what is published

    async def _discovery(self, _: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "jwks_uri": f"{self.issuer}/keys",
                "end_session_endpoint": f"{self.issuer}/logout",
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": ["authorization_code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "code_challenge_methods_supported": ["S256"],
                "scopes_supported": ["openid", "profile", "email"],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def _keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [self._key.as_dict(private=False)]})

    # --- what the person sees

    async def _home(self, request: Request) -> Response:
        session, answer = await self._signed_in(request)
        if session is None:
            return answer
        link = f'<p><a href="{escape(self._imagin_url)}">Imagin</a></p>' if self._imagin_url else ""
        body = f"<h2>Examens et concours</h2>{link}<p><a href='/logout'>Quitter le portail</a></p>"
        return self._page("Vos applications", body)

    async def _authorize(self, request: Request) -> Response:
        pairs = parse_qsl(request.url.query, keep_blank_values=True)
        asked = dict(pairs)
        client = self._clients.get(asked.get("client_id", ""))
        if len(asked) < len(pairs) or client is None or asked.get("redirect_uri") not in client.redirect_uris:
            # Nobody is sent to an address that was not registered (RFC 6749 §4.1.2.1).
            return self._page("Demande refusée", "<p>Cette application n’est pas connue du portail.</p>", 400)
        if error := _wrong(asked):
            return self._back(asked, {"error": error})
        session, answer = await self._signed_in(request)
        if session is None:
            return self._back(asked, {"error": "login_required"}) if asked.get("prompt") == "none" else answer
        code = secrets.token_urlsafe(32)
        self._put(self._codes, code, _Granted(session.login, asked, session.authenticated_at, self._in(CODE_SECONDS)))
        return self._back(asked, {"code": code})

    def _back(self, asked: Mapping[str, str], answer: dict[str, str]) -> Response:
        state = {"state": asked["state"]} if "state" in asked else {}
        target = asked["redirect_uri"]
        query = urlencode({**answer, **state, "iss": self.issuer})
        return RedirectResponse(f"{target}{'&' if '?' in target else '?'}{query}", 303, {"Cache-Control": "no-store"})

    async def _signed_in(self, request: Request) -> tuple[_Granted | None, Response]:
        """Return the session of this browser, or the page (or the redirect) that opens one."""
        session = self._live(self._sessions, request.cookies.get(self._cookie, ""))
        if request.method != "POST":
            return session, self._login_page(request)
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        login = form.get("identifiant", "").strip().lower()
        person = self._people.get(login)
        expected = person.password if person else secrets.token_hex(8)
        if not hmac.compare_digest(form.get("motdepasse", "").encode(), expected.encode()) or person is None:
            return None, self._login_page(request, "Identifiant ou mot de passe incorrect.")
        name = secrets.token_urlsafe(32)
        now = int(self._clock())
        self._put(self._sessions, name, _Granted(person.login, {}, now, self._in(SESSION_SECONDS)))
        again = RedirectResponse(f"{request.url.path}?{request.url.query}", 303)
        again.set_cookie(self._cookie, name, httponly=True, samesite="lax", path="/")
        return None, again

    def _login_page(self, request: Request, wrong: str = "") -> Response:
        action = escape(f"{request.url.path}?{request.url.query}")
        alert = f'<p role="alert">{wrong}</p>' if wrong else ""
        body = (
            f'{alert}<form method="post" action="{action}">'
            '<p><label for="identifiant">Identifiant académique</label><br>'
            '<input id="identifiant" name="identifiant" autocomplete="username" required></p>'
            '<p><label for="motdepasse">Mot de passe</label><br>'
            '<input id="motdepasse" name="motdepasse" type="password" autocomplete="current-password" required></p>'
            "<p><button>Se connecter</button></p></form>"
        )
        return self._page("Authentification", body, 401 if wrong else 200)

    def _page(self, heading: str, body: str, status: int = 200) -> Response:
        title = escape(self._title)
        page = (
            '<!doctype html><html lang="fr"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{heading} – {title}</title></head><body><header><p>{title} – portail simulé</p></header>"
            f"<main><h1>{heading}</h1>{body}</main></body></html>"
        )
        return HTMLResponse(page, status, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})

    async def _logout(self, request: Request) -> Response:
        self._sessions.pop(request.cookies.get(self._cookie, ""), None)
        asked = dict(request.query_params)
        target = asked.get("post_logout_redirect_uri", "")
        answer: Response
        if any(target in client.logout_uris for client in self._clients.values()):
            state = f"?{urlencode({'state': asked['state']})}" if "state" in asked else ""
            answer = RedirectResponse(target + state, 303)
        else:
            answer = self._page("Vous avez quitté le portail", '<p><a href="/">Revenir au portail</a></p>')
        answer.delete_cookie(self._cookie, path="/")
        return answer

    # --- what the application asks

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        client = self._authenticated(request.headers.get("authorization", ""), form)
        if client is None:
            return _told({"error": "invalid_client"}, 401)
        if form.get("grant_type") != "authorization_code":
            return _told({"error": "unsupported_grant_type"}, 400)
        granted = self._live(self._codes, form.get("code", ""))
        self._codes.pop(form.get("code", ""), None)  # used, whatever follows
        challenge = _base64url(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            granted is None
            or granted.asked["client_id"] != client.client_id
            or granted.asked["redirect_uri"] != form.get("redirect_uri")
            or not hmac.compare_digest(granted.asked["code_challenge"].encode(), challenge.encode())
        ):
            return _told({"error": "invalid_grant"}, 400)
        access = secrets.token_urlsafe(32)
        ends = self._in(TOKEN_SECONDS)
        self._put(self._access, access, _Granted(granted.login, granted.asked, granted.authenticated_at, ends))
        tokens = {"access_token": access, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return _told({**tokens, "id_token": self._id_token(granted, access)})

    def _id_token(self, granted: _Granted, access: str) -> str:
        now = int(self._clock())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": granted.login,
            "aud": granted.asked["client_id"],
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "auth_time": granted.authenticated_at,
            "amr": ["pwd"],
            "at_hash": _base64url(hashlib.sha256(access.encode()).digest()[:16]),
        }
        if "nonce" in granted.asked:
            claims["nonce"] = granted.asked["nonce"]
        return jwt.encode({"alg": "RS256", "kid": self._key.kid}, claims, self._key)

    async def _userinfo(self, request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        granted = self._live(self._access, token)
        if granted is None:
            return _told({"error": "invalid_token"}, 401)
        return _told({"sub": granted.login, **_claims(self._people[granted.login], granted.asked["scope"].split())})

    def _authenticated(self, authorization: str, form: Mapping[str, str]) -> Client | None:
        name, secret = form.get("client_id", ""), form.get("client_secret", "")
        if authorization.startswith("Basic "):
            try:
                pair = base64.b64decode(authorization.removeprefix("Basic "), validate=True).decode("ascii")
            except ValueError:
                return None
            name, secret = (unquote_plus(part) for part in pair.partition(":")[::2])
        client = self._clients.get(name)
        return client if client and hmac.compare_digest(client.client_secret.encode(), secret.encode()) else None

    # --- memory

    def _in(self, seconds: int) -> float:
        return self._clock() + seconds

    def _put(self, where: dict[str, _Granted], name: str, granted: _Granted) -> None:
        for old in [each for each, held in where.items() if held.ends <= self._clock()]:
            del where[old]
        where[name] = granted

    def _live(self, where: Mapping[str, _Granted], name: str) -> _Granted | None:
        found = where.get(name)
        return found if found is not None and found.ends > self._clock() else None


def _wrong(asked: Mapping[str, str]) -> str:
    """Return the error of a request, or "" (RFC 6749 §4.1.2.1, RFC 7636 §4.4.1)."""
    if asked.get("response_type") != "code":
        return "unsupported_response_type"
    if "openid" not in asked.get("scope", "").split():
        return "invalid_scope"
    if asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) != 43:
        return "invalid_request"
    return ""


def _claims(person: Person, scopes: Sequence[str]) -> dict[str, str | list[str]]:
    """Return the claims of a person: one value as a text, several as a list."""
    told: dict[str, str | list[str]] = {}
    for name, values in person.attributes.items():
        if not values or ("email" if name == "ctemail" else "profile") not in scopes:
            continue
        value = values[0] if len(values) == 1 else list(values)
        told[name] = value
        if name in _STANDARD:
            told[_STANDARD[name]] = value
    return told


def _told(document: Mapping[str, object], status: int = 200) -> Response:
    return Response(json.dumps(document), status, {"Cache-Control": "no-store"}, "application/json")


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
