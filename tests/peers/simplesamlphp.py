"""A second real identity provider, SimpleSAMLphp: SAML as another family of portals writes it, on loopback, over TLS.

Nginx and PHP run it, as the current user. `python -m tests.peers.simplesamlphp install` gets it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.peers.debian import Unpacked, libraries
from tests.peers.running import Running

if TYPE_CHECKING:
    from tests.peers.authority import Authority
    from tests.peers.people import Person

UNPACKED: Final = Unpacked(
    "SimpleSAMLphp",
    "tests.peers.simplesamlphp",
    Path(__file__).resolve().parents[2] / ".cache" / "peers" / "simplesamlphp",
    "bookworm",
    ("simplesamlphp", "php-fpm", "php-mbstring", "php-xml", "nginx"),
)

HOST: Final = "idp.universite.test"

EXTENSIONS: Final = ("ctype", "dom", "iconv", "mbstring", "posix", "tokenizer", "xml", "xmlreader", "xmlwriter")


def found(pattern: str) -> Path:
    """Return a file of the packages, or the system's."""
    # What the system had before was not downloaded again.
    for root in (UNPACKED.root, Path("/")):
        if files := sorted(root.glob(pattern)):
            return files[-1]
    raise FileNotFoundError(pattern)


class SimpleSamlPhp(Running):
    """One identity provider. Starts at once and stops with the `with` block.

    Args:
        folder: an empty folder for all it writes.
        authority: issues its certificate.
        people: its accounts.
        port: where it listens on loopback.
    """

    def __init__(self, folder: Path, authority: Authority, people: Sequence[Person], *, port: int) -> None:
        from tests.peers.simplesamlphp_files import write

        super().__init__(folder, authority)
        self._port = port
        write(
            folder,
            share=found("usr/share/simplesamlphp"),
            extensions=[found(f"usr/lib/php/2*/{name}.so") for name in EXTENSIONS],
            host=HOST,
            port=port,
            tls=authority.server(HOST),
            people=people,
            is_root=os.geteuid() == 0,
        )
        self.behave()

    @property
    def url(self) -> str:
        """Its address, with the final slash."""
        return f"https://{HOST}:{self._port}/simplesaml/"

    @property
    def entity_id(self) -> str:
        """Its SAML entityID, where its metadata is."""
        return f"{self.url}saml2/idp/metadata.php"

    def metadata(self) -> bytes:
        """Return its SAML metadata, as its administrator would send it."""
        with self._client() as client:
            return client.get(self.entity_id).raise_for_status().content

    def trust(self, *providers: str) -> None:
        """Make these its service providers, from their own metadata."""
        from tests.peers.simplesamlphp_files import write_providers

        write_providers(self._folder, providers)

    def behave(self, **options: object) -> None:
        """Let its administrator set these options, in its own words, and no others; they hold from the next request."""
        from tests.peers.simplesamlphp_files import write_options

        write_options(self._folder, options)

    def make_key(self, name: str) -> None:
        """Make a key pair that options may name: `NAME.key`, `NAME.crt`."""
        from tests.peers.simplesamlphp_files import write_key

        write_key(self._folder, name)

    def start(self) -> None:
        """Start, and wait until it answers. Raises `RuntimeError` with its log if it does not."""
        environment = {**os.environ, "LD_LIBRARY_PATH": libraries(UNPACKED.root), "PHP_INI_SCAN_DIR": ""}
        as_root = ["--allow-to-run-as-root"] if os.geteuid() == 0 else []
        php: list[str | Path] = [
            found("usr/sbin/php-fpm*"),
            *as_root,
            "--php-ini",
            "php.ini",
            "--fpm-config",
            "fpm.conf",
        ]
        server: list[str | Path] = [found("usr/sbin/nginx"), "-p", self._folder, "-c", "nginx.conf", "-e", "nginx.log"]
        self._run(php, server, environment=environment, answers=self.entity_id)


if __name__ == "__main__":
    sys.exit(UNPACKED.main(sys.argv[1:]))
