"""A second real identity provider, SimpleSAMLphp: SAML as another family of portals writes it, on loopback, over TLS.

Nginx and PHP run it, as the current user. `python -m tests.peers.simplesamlphp install` gets it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from tests.peers.debian import Unpacked, libraries

if TYPE_CHECKING:
    import httpx2

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


class SimpleSamlPhp:
    """One identity provider. Starts at once and stops with the `with` block.

    Args:
        folder: an empty folder for all it writes.
        authority: issues its certificate.
        people: its accounts.
        port: where it listens on loopback.
    """

    def __init__(self, folder: Path, authority: Authority, people: Sequence[Person], *, port: int) -> None:
        from tests.peers.simplesamlphp_files import write

        self._folder, self._port, self._authority = folder, port, authority
        self._processes: list[subprocess.Popen[bytes]] = []
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
        with self.log_file.open("ab") as log:
            for command in (php, server):
                self._processes.append(
                    subprocess.Popen(
                        command, env=environment, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                    )
                )
        self._wait()

    def _wait(self) -> None:
        import httpx2

        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and all(each.poll() is None for each in self._processes):
            with contextlib.suppress(httpx2.HTTPError):
                self.metadata()
                return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"the identity provider does not answer; its log:\n{self.log()[:3000]}")

    def _client(self) -> httpx2.Client:
        import httpx2

        return httpx2.Client(verify=self._authority.believed(), trust_env=False, timeout=10)

    @property
    def log_file(self) -> Path:
        """Where everything it says goes."""
        return self._folder / "provider.log"

    def log(self) -> str:
        """Return what it said."""
        return self.log_file.read_text(errors="replace")

    def stop(self) -> None:
        """Stop it, and its workers with it."""
        for each in self._processes:
            each.terminate()
        for each in self._processes:
            try:
                each.wait(timeout=10)
            except subprocess.TimeoutExpired:
                each.kill()
                each.wait()
        self._processes.clear()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


if __name__ == "__main__":
    sys.exit(UNPACKED.main(sys.argv[1:]))
