"""A real portal, LemonLDAP::NG: SAML identity provider and OpenID provider, on loopback, over TLS.

It is what several French administrations run, so what it does and how it says it
is what ours must understand. `python -m tests.peers.lemonldap install` gets it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.peers.debian import Unpacked, perl_environment, program
from tests.peers.running import Running

if TYPE_CHECKING:
    from tests.peers.authority import Authority
    from tests.peers.lemonldap_files import Client, ServiceProvider
    from tests.peers.people import Person

# What the portal needs is its own list; the others are those it loads for SAML, OpenID, SQLite and the web server.
PACKAGES: Final = (
    *(f"liblemonldap-ng-{part}-perl/bookworm-backports" for part in ("common", "handler", "portal")),
    "starman",
    "libio-socket-ssl-perl",
    "liblasso-perl",
    "libglib-perl",
    "libxml-libxml-perl",
    "libxml-simple-perl",
    "libunicode-string-perl",
    "libcrypt-jwt-perl",
    "libdbd-sqlite3-perl",
    "libio-string-perl",
    "libmime-tools-perl",
    "libemail-address-xs-perl",
    "libemail-sender-perl",
    "libstring-random-perl",
    "liblwp-protocol-https-perl",
    "libhttp-parser-xs-perl",
    "libcookie-baker-xs-perl",
)

UNPACKED: Final = Unpacked(
    "LemonLDAP::NG",
    "tests.peers.lemonldap",
    Path(__file__).resolve().parents[2] / ".cache" / "peers" / "lemonldap",
    "bookworm",
    PACKAGES,
)

HOST: Final = "auth.example.com"
"""Two dots at least: the portal's cookie belongs to what follows the first one."""


class LemonLdap(Running):
    """One portal. Starts at once and stops with the `with` block.

    Args:
        folder: an empty folder for all it writes.
        authority: issues its certificate.
        people: its accounts.
        port: where it listens on loopback.
        clients: the OpenID clients it knows from the start.
    """

    def __init__(
        self,
        folder: Path,
        authority: Authority,
        people: Sequence[Person],
        *,
        port: int,
        clients: Sequence[Client] = (),
        host: str = HOST,
    ) -> None:
        from tests.peers.lemonldap_files import Keys, write_people

        folder.mkdir(parents=True)
        super().__init__(folder, authority)
        self._host, self._port = host, port
        self._tls = authority.server(host)
        self._keys = Keys.new(host)
        self._attributes = write_people(folder / "people.sqlite", people)
        self._clients = tuple(clients)
        self._providers: tuple[ServiceProvider, ...] = ()
        self._number = 0

    @property
    def url(self) -> str:
        """The portal's address, with the final slash; also its issuer."""
        return f"https://{self._host}:{self._port}/"

    @property
    def entity_id(self) -> str:
        """Its SAML entityID, where its metadata is."""
        return f"{self.url}saml/metadata"

    def metadata(self) -> bytes:
        """Return its SAML metadata, as its administrator would send it."""
        with self._client() as client:
            return client.get(self.entity_id).raise_for_status().content

    def trust(self, *providers: ServiceProvider) -> None:
        """Make these its SAML service providers, as its administrator would, and start again."""
        self._providers = providers
        self.stop()
        self.start()

    def change_signing_key(self) -> None:
        """Sign with a new key from now on, and start again."""
        from tests.peers.authority import key_pair

        self._keys = replace(self._keys, signing=key_pair(f"{self._host} signing {self._number}"))
        self.stop()
        self.start()

    def change_token_key(self) -> None:
        """Sign tokens with another key under another name, as its administrator would, and start again."""
        from tests.peers.authority import key_pair

        number = int(self._keys.token_key.rpartition("-")[2]) + 1
        pair = key_pair(f"{self._host} tokens {number}")
        self._keys = replace(self._keys, tokens=pair, token_key=f"tests-{number}")
        self.stop()
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers. Raises `RuntimeError` with its log if it does not."""
        from tests.peers.lemonldap_files import configuration, write

        self._number += 1
        share = UNPACKED.root / "usr" / "share" / "lemonldap-ng"
        settings = configuration(
            self._folder,
            number=self._number,
            url=self.url,
            host=self._host,
            keys=self._keys,
            attributes=self._attributes,
            providers=self._providers,
            clients=self._clients,
            believed=self._authority.root,
        )
        write(self._folder, share, settings)
        key, certificate = self._tls
        # Each worker loads the portal for itself: a database handle must not be shared by forks.
        command = [program(UNPACKED.root, "perl"), program(UNPACKED.root, "starman"), "--workers", "2"]
        command += ["--listen", f"127.0.0.1:{self._port}:ssl", "--enable-ssl", "--env", "deployment"]
        command += ["--ssl-key", str(key), "--ssl-cert", str(certificate), str(self._folder / "portal.psgi")]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PERL", "LLNG_"))}
        environment = {
            **kept,
            **perl_environment(UNPACKED.root),
            "LLNG_DEFAULTCONFFILE": str(self._folder / "lemonldap-ng.ini"),
        }
        self._run(command, environment=environment, answers=self.entity_id, failed=lambda said: "[error]" in said)


if __name__ == "__main__":
    sys.exit(UNPACKED.main(sys.argv[1:]))
