"""Another real OpenID provider, oidc-provider for Node.js, certified by the OpenID Foundation, on loopback, over TLS.

It follows the final standards where LemonLDAP::NG keeps to drafts: `iss` in its answers, logout tokens of
their own type, claims in the userinfo alone. It keeps all it knows in memory, and asks whoever comes for any
name and any password. npm brings it, exactly as `oidc_provider.lock.json` says, into the project's `.cache`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.peers.running import Running

if TYPE_CHECKING:
    from tests.peers.authority import Authority

HERE: Final = Path(__file__).resolve().parent
VERSION: Final = "8.8.1"
"""The last that runs on the Node.js of Debian 12."""

LOCK: Final = HERE / "oidc_provider.lock.json"
FOLDER: Final = HERE.parents[1] / ".cache" / "peers" / "oidc-provider" / VERSION
CHECKED: Final = FOLDER / "lock.sha256"
"""Holds the digest of the lock once npm brought all of it, and checked each package against it."""

HOST: Final = "op.exemple.org"


class NotInstalled(Exception):
    """The provider could not be had; the text says why."""


def _digest() -> str:
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()


def missing() -> str | None:
    """Return why the provider cannot run here, or None."""
    if shutil.which("node") is None:
        return "there is no program node"
    whole = CHECKED.exists() and CHECKED.read_text(encoding="ascii") == _digest()
    return None if whole else "the provider was not downloaded"


def install() -> None:
    """Get the provider. Raises `NotInstalled` when npm is not there, fails, or is offered something else."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotInstalled("there is no program npm")
    FOLDER.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(LOCK, FOLDER / "package-lock.json")
    wanted = {"name": "peer", "private": True, "dependencies": {"oidc-provider": VERSION}}
    (FOLDER / "package.json").write_text(json.dumps(wanted), encoding="ascii")
    done = subprocess.run(
        [npm, "ci", "--prefix", FOLDER, "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=FOLDER,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise NotInstalled(f"npm did not bring it: {' | '.join(done.stderr.splitlines()[-3:])}")
    CHECKED.write_text(_digest(), encoding="ascii")


class OidcProvider(Running):
    """One provider. Starts at once and stops with the `with` block.

    Args:
        folder: an empty folder for all it writes.
        authority: issues its certificate, and that of the client it calls.
        people: claims of each, by the name that is typed.
        port: where it listens on loopback.
        client: host name of the client.
        clients: the clients it knows, in its own vocabulary.
        keys: private keys that it signs with.
    """

    def __init__(
        self,
        folder: Path,
        authority: Authority,
        people: Mapping[str, Mapping[str, str]],
        *,
        port: int,
        client: str,
        clients: Sequence[Mapping[str, Any]],
        keys: Sequence[Mapping[str, Any]],
    ) -> None:
        folder.mkdir(parents=True)
        super().__init__(folder, authority)
        self._port = port
        self._people, self._client_host, self._clients, self._keys = people, client, clients, keys
        self._tls = authority.server(HOST)

    @property
    def url(self) -> str:
        """The provider's address, with the final slash."""
        return f"{self.issuer}/"

    @property
    def issuer(self) -> str:
        """As it names itself, without the slash."""
        return f"https://{HOST}:{self._port}"

    def change_keys(self, *keys: Mapping[str, Any]) -> None:
        """Sign with other keys from now on, and start again; who was logged in there is not any more."""
        self._keys = keys
        self.stop()
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers. Raises `RuntimeError` with its log if it does not."""
        key, certificate = map(str, self._tls)
        told = {
            "issuer": self.issuer,
            "port": self._port,
            "library": str(FOLDER),
            "client": self._client_host,
            "key": key,
            "certificate": certificate,
            "people": self._people,
            "settings": {
                "clients": self._clients,
                "jwks": {"keys": self._keys},
                "cookies": {"keys": ["only-for-tests-0123456789abcdef"]},
                "claims": {"openid": ["sub"], "profile": ["family_name", "given_name"], "email": ["email"]},
                "enabledJWA": {"userinfoSigningAlgValues": ["RS256", "ES256"]},
                "features": {
                    "devInteractions": {"enabled": True},
                    "backchannelLogout": {"enabled": True},
                    "rpInitiatedLogout": {"enabled": True},
                    "jwtUserinfo": {"enabled": True},
                },
            },
        }
        file = self._folder / "provider.json"
        file.write_text(json.dumps(told), encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("NODE_", "npm_"))}
        self._run(
            ["node", HERE / "oidc_provider.mjs", file],
            environment={**kept, "NODE_EXTRA_CA_CERTS": str(self._authority.root)},
            answers=f"{self.url}.well-known/openid-configuration",
        )
