"""An OpenID provider that can be made to lie, in one place at a time.

It speaks the protocol for real: codes are used once and bound to their redirect
URI and challenge, clients authenticate, tokens are signed. A test changes one
thing through the hooks. It answers in memory (`transport`) or on a loopback
socket (`serving.serve`).
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

import httpx2
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, OctKey, OKPKey, RSAKey

CLIENT_ID = "imagin"
CLIENT_SECRET = "canary-client-secret:&+é"

Document = dict[str, Any]
Edit = Callable[[Document], object]


@functools.cache
def rsa_key(name: str = "one") -> RSAKey:
    """Return an RSA key; the same one for the same name."""
    return RSAKey.generate_key(2048, {"kid": name})


@functools.cache
def ec_key(name: str = "curve") -> ECKey:
    """Return a P-256 key; the same one for the same name."""
    return ECKey.generate_key("P-256", {"kid": name})


@functools.cache
def okp_key(name: str = "edwards") -> OKPKey:
    """Return an Ed25519 key; the same one for the same name."""
    return OKPKey.generate_key("Ed25519", {"kid": name})


class _AnyAlgorithm(jws.JWSRegistry):
    """Signs with whatever it is told to."""

    max_header_length = 1 << 20

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


def unsigned(header: Document, claims: Document) -> str:
    """Return a token of algorithm `none`."""
    parts = (json.dumps({**header, "alg": "none"}), json.dumps(claims))
    return ".".join(base64url(part.encode()) for part in parts) + "."


def sign(header: Document, payload: Document | bytes, key: Key) -> str:
    """Return a token signed with `key`, whatever the header says."""
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    registry = _AnyAlgorithm(strict_check_header=False)
    return jws.serialize_compact(header, content, key, registry=registry)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Answer:
    """What the provider sends back."""

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, document: object, status: int = 200) -> Answer:
        return cls(status, json.dumps(document).encode())


@dataclass
class Seen:
    """A request the provider received."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: str

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body))


class Provider:
    """An honest provider, until a hook is set."""

    def __init__(self, issuer: str, now: datetime, redirect_uri: str) -> None:
        self.issuer = issuer
        self.now = now
        self.redirect_uri = redirect_uri
        self.person: Document = {
            "sub": "person-1",
            "given_name": "Élodie",
            "family_name": "Lefèvre",
            "email": "elodie.lefevre@ac-paris.fr",
        }
        self.key: Key = rsa_key()
        self.alg = "RS256"
        self.published: list[Document] | None = None
        self.seen: list[Seen] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.access: dict[str, Document] = {}
        self.edit_discovery: Edit = lambda _: None
        self.edit_header: Edit = lambda _: None
        self.edit_claims: Edit = lambda _: None
        self.edit_tokens: Edit = lambda _: None
        self.edit_userinfo: Edit = lambda _: None
        self.sign: Callable[[Document, Document], str] = lambda header, claims: sign(header, claims, self.key)
        self.id_token_tells_the_person = False
        self.signed_userinfo = False
        self.replies: dict[str, Callable[[], Answer]] = {}
        self.id_tokens: list[str] = []
        self.ended: list[dict[str, str]] = []
        self.client_keys: Document | None = None
        """The client's key set, as registered: it must then prove itself with it, and with nothing else."""
        self.assertions: list[Document] = []

    # --- what a test looks at

    def count(self, path: str) -> int:
        """Return how many requests came to `path`."""
        return sum(seen.path == path for seen in self.seen)

    def last(self, path: str) -> Seen:
        """Return the last request that came to `path`."""
        return next(seen for seen in reversed(self.seen) if seen.path == path)

    # --- the browser's part

    def authorize(self, url: str, redirect_uri: str | None = None) -> dict[str, str]:
        """Log the person in at `url` as their browser would; return the parameters of the answer."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert url.startswith(self.issuer.rstrip("/") + "/authorize?")
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked["redirect_uri"] == (redirect_uri or self.redirect_uri)
        assert asked["code_challenge_method"] == "S256"
        code = "canary-code-" + secrets.token_urlsafe(16)
        self.codes[code] = asked
        answer = {"code": code, "state": asked["state"]}
        if self.discovery().get("authorization_response_iss_parameter_supported"):
            answer["iss"] = self.issuer
        return answer

    def end_session(self, url: str, back: str) -> str:
        """End the person's session at `url` as their browser would; return where they are sent back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert url.startswith(self.issuer.rstrip("/") + "/end?")
        needed = {"client_id", "post_logout_redirect_uri", "state"}
        assert needed <= set(asked) <= needed | {"id_token_hint"}
        assert asked["client_id"] == CLIENT_ID
        assert asked["post_logout_redirect_uri"] == back, "not the registered address"
        assert asked.get("id_token_hint") in (None, *self.id_tokens), "an ID token that was not issued here"
        assert len(asked["state"]) >= 43
        self.ended.append(asked)
        return f"{back}?{urlencode({'state': asked['state']})}"

    def logout_token(self, header: Document | None = None, **claims: object) -> str:
        """Return a logout token; a claim that is None is not told."""
        now = int(self.now.timestamp())
        told: Document = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_urlsafe(16),
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            **claims,
        }
        head = {"alg": self.alg, "typ": "logout+jwt", "kid": self.key.kid, **(header or {})}
        plain = {name: value for name, value in told.items() if value is not None}
        return self.sign({name: value for name, value in head.items() if value is not None}, plain)

    # --- the documents

    def discovery(self) -> Document:
        base = self.issuer.rstrip("/")
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "jwks_uri": f"{base}/keys",
            "userinfo_endpoint": f"{base}/userinfo",
            "end_session_endpoint": f"{base}/end",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256", "none", "HS256"],
            "authorization_response_iss_parameter_supported": True,
        }
        self.edit_discovery(document)
        return document

    def keys(self) -> Document:
        if self.published is not None:
            return {"keys": self.published}
        return {"keys": [public(self.key)]}

    def claims(self, nonce: str, access_token: str) -> Document:
        now = int(self.now.timestamp())
        half = hashlib.new("sha" + self.alg[-3:] if self.alg != "EdDSA" else "sha512", access_token.encode()).digest()
        claims: Document = {
            "iss": self.issuer,
            "sub": self.person["sub"],
            "aud": CLIENT_ID,
            "exp": now + 300,
            "iat": now,
            "auth_time": now - 60,
            "nonce": nonce,
            "acr": "eidas1",
            "amr": ["pwd"],
            "sid": "session-of-the-portal",
            "at_hash": base64url(half[: len(half) // 2]),
        }
        if self.id_token_tells_the_person:
            claims.update(self.person)
        self.edit_claims(claims)
        return claims

    # --- the endpoints

    def handle(self, method: str, target: str, headers: dict[str, str], body: str) -> Answer:
        """Answer one request."""
        parts = urlsplit(target)
        root = urlsplit(self.issuer).path.rstrip("/")
        path = parts.path.removeprefix(root)
        self.seen.append(Seen(method, path, parts.query, headers, body))
        if path in self.replies:
            return self.replies[path]()
        match path:
            case "/.well-known/openid-configuration":
                return Answer.json(self.discovery())
            case "/keys":
                return Answer.json(self.keys())
            case "/token":
                return self._token(headers, body)
            case "/userinfo":
                return self._userinfo(headers)
            case _:
                return Answer.json({"error": "not_found"}, 404)

    def _token(self, headers: dict[str, str], body: str) -> Answer:
        form = dict(parse_qsl(body, strict_parsing=True))
        if self.client_keys is not None:
            if not self._proved(headers, form):
                return Answer.json({"error": "invalid_client"}, 401)
        elif _client(headers, form) != (CLIENT_ID, CLIENT_SECRET):
            return Answer.json({"error": "invalid_client"}, 401)
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = base64url(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            asked is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != asked["redirect_uri"]
            or challenge != asked["code_challenge"]
        ):
            return Answer.json({"error": "invalid_grant"}, 400)
        access_token = "canary-access-" + secrets.token_urlsafe(16)
        self.access[access_token] = dict(self.person)
        header: Document = {"alg": self.alg, "typ": "JWT"}
        if self.key.kid:
            header["kid"] = self.key.kid
        self.edit_header(header)
        tokens: Document = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": 60,
            "id_token": self.sign(header, self.claims(asked["nonce"], access_token)),
        }
        self.id_tokens.append(tokens["id_token"])
        self.edit_tokens(tokens)
        return Answer.json(tokens)

    def _proved(self, headers: dict[str, str], form: dict[str, str]) -> bool:
        """RFC 7523 §3, as a strict provider reads it: of the client, for this endpoint, for a short while, once."""
        if "authorization" in headers or "client_secret" in form:
            return False
        if form.get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
            return False
        keys = KeySet.import_key_set(self.client_keys or {})  # type: ignore[arg-type]  # a JWK Set
        try:
            told = jws.deserialize_compact(form["client_assertion"], keys, algorithms=["RS256", "PS256", "ES256"])
        except (JoseError, ValueError):
            return False
        claims: Document = json.loads(told.payload)
        now = self.now.timestamp()
        fits = (
            claims["iss"] == claims["sub"] == form.get("client_id") == CLIENT_ID
            and claims["aud"] == f"{self.issuer.rstrip('/')}/token"
            and now - 60 <= claims["iat"] <= now + 60
            and now < claims["exp"] <= now + 120
            and claims["jti"] not in [each["jti"] for each in self.assertions]
        )
        self.assertions.append(claims)
        return fits

    def _userinfo(self, headers: dict[str, str]) -> Answer:
        person = self.access.get(headers.get("authorization", "").removeprefix("Bearer "))
        if person is None:
            return Answer.json({"error": "invalid_token"}, 401)
        told = dict(person)
        if self.signed_userinfo:
            told.update(iss=self.issuer, aud=CLIENT_ID)
        self.edit_userinfo(told)
        if not self.signed_userinfo:
            return Answer.json(told)
        header = {"alg": self.alg, "kid": self.key.kid}
        self.edit_header(header)
        return Answer(body=self.sign(header, told).encode(), content_type="application/jwt")

    # --- how it is reached

    def transport(self) -> httpx2.BaseTransport:
        """Return what answers in memory."""

        def answer(request: httpx2.Request) -> httpx2.Response:
            assert str(request.url).startswith(self.issuer.rstrip("/") + "/"), "a call to another host"
            target = request.url.raw_path.decode()
            found = self.handle(request.method, target, dict(request.headers), request.content.decode())
            body = [found.body] if isinstance(found.body, bytes) else found.body
            headers = {"Content-Type": found.content_type, **found.headers}
            return httpx2.Response(found.status, headers=headers, content=iter(body))

        return httpx2.MockTransport(answer)


def public(key: Key, **more: object) -> Document:
    """Return the public JWK of a key."""
    if isinstance(key, OctKey):
        raise TypeError("a symmetric key is not published")
    return {**key.as_dict(private=False), "use": "sig", **more}


def answer_query(parameters: dict[str, str]) -> bytes:
    """Return the query string of an answer."""
    return urlencode(parameters).encode()


def _client(headers: dict[str, str], form: dict[str, str]) -> tuple[str, str]:
    authorization = headers.get("authorization", "")
    if authorization.startswith("Basic "):
        name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        return unquote_plus(name), unquote_plus(secret)
    return form.get("client_id", ""), form.get("client_secret", "")
