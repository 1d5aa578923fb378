"""A portal played in this process: nobody listens anywhere, and the login is a function call.

All the rest is real: the gateway speaks OpenID Connect to it, and checks what it says.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
from joserfc import jwt
from joserfc.jwk import RSAKey

from imagin_gateway.clock import Clock, SystemClock, timestamp
from imagin_gateway.gateway import Gateway
from imagin_gateway.identity import Door
from imagin_gateway.providers.oidc.portal import OidcPortal
from imagin_gateway.settings import OidcPortal as OidcSection
from imagin_gateway.testing.surroundings import only_in_development

_TOKEN_SECONDS: Final = 300


class FakePortal:
    """A portal.

    ::

        portal = FakePortal("arena-paris")
        gateway = Gateway(settings(tmp_path, portals={"arena-paris": portal.section}))
        portal.plug(gateway)
        left = client.get("/connexion/portail/arena-paris?next=/missions")
        client.get(portal.answer(left.headers["location"], "jdupont", given_name="Jo"))

    Args:
        door: id of its door.
    """

    def __init__(self, door: str = Door.PARIS) -> None:
        self.door = door
        self.issuer = f"https://{door}.exemple.test"
        self.down = False
        """True: nothing of it answers."""
        self._key = RSAKey.generate_key(2048, {"kid": "test", "use": "sig", "alg": "RS256"})
        self._secret = secrets.token_urlsafe(32)
        self._clock: Clock = SystemClock()
        self._codes: dict[str, dict[str, Any]] = {}
        self._people: dict[str, dict[str, Any]] = {}

    @property
    def section(self) -> dict[str, Any]:
        """What to write in the settings, under `portals`."""
        return {
            "protocol": "oidc",
            "issuer": self.issuer,
            "client_id": "tests",
            "client_secret": self._secret,
        }

    def plug(self, gateway: Gateway) -> None:
        """Let a gateway speak to this portal instead of asking the network.

        Raises:
            RuntimeError: the settings are not those of development, or do not hold this portal's section.
        """
        only_in_development(gateway)
        section = gateway.settings.portals.get(self.door)
        if not isinstance(section, OidcSection) or section.issuer != self.issuer:
            raise RuntimeError(f'the settings lack this portal: portals={{"{self.door}": portal.section}}')
        self._clock = gateway.house.clock
        base = gateway.settings.url(f"/portail/{self.door}")
        portal = OidcPortal.open(
            self.door,
            section,
            redirect_uri=f"{base}/retour",
            logout_uri=f"{base}/fin",
            development=True,
            transport=httpx2.MockTransport(self._serve),
        )
        gateway.replace_portal(self.door, portal)

    def answer(self, location: str, subject: str, **claims: object) -> str:
        """Log somebody in at the portal.

        Args:
            location: address the gateway sent the browser to.
            subject: who logs in.
            claims: what the portal tells of them: `given_name`, `family_name`, `email`, `acr`, `amr`...

        Returns:
            The address, path and query, the portal sends the browser back to.

        Raises:
            ValueError: the address is not one of this portal's login.
        """
        parts = urlsplit(location)
        asked = dict(parse_qsl(parts.query))
        if not location.startswith(f"{self.issuer}/login?") or asked.get("response_type") != "code":
            raise ValueError(f"not an address of the login of {self.issuer}")
        code = secrets.token_urlsafe(32)
        self._codes[code] = {"asked": asked, "person": {"sub": subject, **claims}, "at": int(self._now())}
        back = urlsplit(asked["redirect_uri"])
        return f"{back.path}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.issuer})}"

    def refuse(self, location: str, error: str = "access_denied") -> str:
        """Refuse somebody at the portal; return where it sends the browser back to. See `answer`."""
        asked = dict(parse_qsl(urlsplit(location).query))
        back = urlsplit(asked["redirect_uri"])
        return f"{back.path}?{urlencode({'error': error, 'state': asked['state'], 'iss': self.issuer})}"

    def _now(self) -> float:
        return timestamp(self._clock.now())

    def _serve(self, request: httpx2.Request) -> httpx2.Response:
        if self.down:
            raise httpx2.ConnectError("the portal is down")
        pages = {
            "/.well-known/openid-configuration": self._discovery,
            "/keys": self._keys,
            "/token": self._tokens,
            "/userinfo": self._userinfo,
        }
        page = pages.get(request.url.path)
        status, told = (404, {}) if page is None else page(request)
        answer = httpx2.Response(status, json=told)
        # Read as it comes, as from the network.
        return httpx2.Response(status, content=iter([answer.content]), headers={"Content-Type": "application/json"})

    def _discovery(self, _: httpx2.Request) -> tuple[int, dict[str, Any]]:
        return 200, {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/login",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "authorization_response_iss_parameter_supported": True,
        }

    def _keys(self, _: httpx2.Request) -> tuple[int, dict[str, Any]]:
        return 200, {"keys": [self._key.as_dict(private=False)]}

    def _tokens(self, request: httpx2.Request) -> tuple[int, dict[str, Any]]:
        sent = dict(parse_qsl(request.read().decode()))
        granted = self._codes.pop(sent.get("code", ""), None)
        challenge = _unpadded(hashlib.sha256(sent.get("code_verifier", "").encode()).digest())
        if granted is None or granted["asked"].get("code_challenge") != challenge:
            return 400, {"error": "invalid_grant"}
        access, now = secrets.token_urlsafe(32), int(self._now())
        self._people[access] = granted["person"]
        claims = {
            "iss": self.issuer,
            "aud": "tests",
            "iat": now,
            "exp": now + _TOKEN_SECONDS,
            "auth_time": granted["at"],
            "nonce": granted["asked"]["nonce"],
            "at_hash": _unpadded(hashlib.sha256(access.encode()).digest()[:16]),
            **granted["person"],
        }
        token = jwt.encode({"alg": "RS256", "typ": "JWT", "kid": "test"}, claims, self._key)
        return 200, {"access_token": access, "token_type": "Bearer", "expires_in": _TOKEN_SECONDS, "id_token": token}

    def _userinfo(self, request: httpx2.Request) -> tuple[int, dict[str, Any]]:
        person = self._people.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        return (401, {}) if person is None else (200, person)


def _unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
