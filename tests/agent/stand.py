"""A real proxy that plays the portal's agent, with the configuration of the documentation, before real servers: nginx,
or another that `behind` starts."""

from __future__ import annotations

import contextlib
import io
import json
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, Final

from examples.demo.ports import free_ports
from tests.parts import program
from tests.peers.authority import Authority, key_pair

DOOR: Final = "arena-paris"
ENTRY: Final = f"/connexion/portail/{DOOR}/entree"
AGENT: Final = "127.0.0.2"
"""Address from which the proxy connects, so that it is not that of whoever else is on this machine."""

DOCUMENT: Final = Path(__file__).resolve().parents[2] / "docs" / "trusted-headers.md"

MAIN: Final = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; {more}
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  map $cookie_arena $agent_user {{ default ""; jeton-elodie elefevre1; jeton-paul pmartin; }}
  map $cookie_arena $agent_family_name {{ default ""; jeton-elodie "Lefèvre"; jeton-paul "Martin"; }}
  map $cookie_arena $agent_given_name {{ default ""; jeton-elodie "Élodie"; jeton-paul "Paul"; }}
  map $cookie_arena $agent_email {{ default ""; jeton-elodie "elodie.lefevre@ac-paris.fr"; }}
  map $cookie_arena $agent_rne {{ default ""; jeton-elodie 0750001U; }}
  map $cookie_arena $agent_codaca {{ default ""; jeton-elodie 001; jeton-paul 24; }}
  geo $d {{ default "$"; }}
  map $cookie_arena $agent_fredurne {{
    default ""; jeton-elodie "0750001U${{d}}UAJ${{d}}PU${{d}}ENS${{d}}0750001U${{d}}T3${{d}}LYC${{d}}300";
  }}
  map $cookie_arena $agent_return {{ default ""; jeton-elodie "https://bv.ac-paris.fr/retour"; }}
  upstream imagin {{ server 127.0.0.1:{back}; }}
  server {{
    listen 127.0.0.1:{front};
    proxy_bind {agent};
{server}
  }}
}}
"""

APP: Final = """
from pathlib import Path
from imagin_gateway import Gateway, Settings
from tests.client import host_asgi, host_wsgi
gateway = Gateway(Settings.load(Path(__file__).parent / "gateway.toml"), sends_mail=False)
asgi, wsgi = gateway.asgi(host_asgi), gateway.wsgi(host_wsgi)
"""


def documented(language: str) -> list[str]:
    """Return the blocks of a language in the documentation, in order."""
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)


@dataclass(frozen=True)
class Answer:
    """What came back over a socket."""

    status: int
    headers: dict[str, str]
    cookies: dict[str, str]
    text: str

    @property
    def location(self) -> str:
        return self.headers.get("location", "")


@dataclass(frozen=True)
class Stand:
    """The proxy, the server behind it, and what the gateway told.

    Attributes:
        front: port of the proxy.
        back: port of the server.
        secret: what the proxy shows.
        events: the gateway's journal.
    """

    front: int
    back: int
    secret: str
    events: Path

    def codes(self) -> list[str]:
        """Return the reason codes of every login refused."""
        lines = self.events.read_text(encoding="utf-8").splitlines() if self.events.exists() else []
        return [each.get("code", "") for each in map(json.loads, lines) if each["event"] == "login_refused"]

    def send(
        self,
        target: str,
        lines: list[str] | None = None,
        cookies: dict[str, str] | None = None,
        *,
        port: int = 0,
        source: str = "127.0.0.1",
    ) -> Answer:
        """Send one request, its header lines as they are, and return the answer."""
        host = f"127.0.0.1:{self.front}"
        head = [f"GET {target} HTTP/1.1", f"Host: {host}", "Connection: close", *(lines or [])]
        if cookies:
            head.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items() if value))
        return self.raw("\r\n".join([*head, "", ""]).encode("latin-1"), port=port or self.front, source=source)

    def raw(self, message: bytes, *, port: int = 0, source: str = "127.0.0.1") -> Answer:
        """Send bytes, and return the first answer; status 0 when the connection was just closed."""
        chunks = []
        with socket.create_connection(("127.0.0.1", port or self.front), 30, (source, 0)) as connection:
            connection.sendall(message)
            with contextlib.suppress(ConnectionError):
                while chunk := connection.recv(65536):
                    chunks.append(chunk)
        return _parsed(b"".join(chunks))

    def enter(self, lines: list[str] | None = None, cookies: dict[str, str] | None = None) -> Answer:
        """Ask for the entry page, and go where it leads with the cookies it sets."""
        reply = self.send(ENTRY, lines, cookies)
        if reply.status != 303:
            return reply
        held = {**(cookies or {}), **reply.cookies}
        arrived = self.send(reply.location, cookies=held)
        return self.send("/missions", cookies={**held, **arrived.cookies})


class _Received:
    """Bytes that came, as the parser wants them."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._raw)


def _parsed(raw: bytes) -> Answer:
    if not raw:
        return Answer(0, {}, {}, "")
    response = HTTPResponse(_Received(raw))  # type: ignore[arg-type]  # all it asks of a socket
    response.begin()
    cookies: dict[str, str] = {}
    for line in response.headers.get_all("set-cookie", []):
        name, _, value = line.partition(";")[0].partition("=")
        cookies[name] = value.strip('"')
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, cookies, response.read().decode("utf-8", "replace"))


Proxy = Callable[[Path, int, int, str], list[str]]
"""Writes a proxy's configuration (folder, port in front, port behind, secret); returns the command that starts it."""


@contextlib.contextmanager
def standing(
    folder: Path,
    server: str,
    *,
    certificate: bool = False,
    more: str = "",
    section: dict[str, Any] | None = None,
    behind: Proxy | None = None,
) -> Iterator[Stand]:
    """Start the server and the proxy in an empty folder.

    Args:
        folder: for everything they write.
        server: ``asgi`` (uvicorn) or ``wsgi`` (gunicorn).
        certificate: nginx shows a certificate, over TLS; `wsgi` only.
        more: more of nginx's configuration, at its top.
        section: more of the portal's section of the settings.
        behind: another proxy than nginx.
    """
    front, back = free_ports(2)
    secret = secrets.token_urlsafe(48)
    configuration = {"proxies": [AGENT], **(section or {})}
    configuration |= {} if certificate else {"secrets": [secret]}
    tls: list[str] = []
    if certificate:
        configuration["certificates"], tls = _certificates(folder)
    _settings(folder, front, configuration)
    command_of_proxy = (
        behind(folder, front, back, secret)
        if behind
        else _nginx(folder, front, back, secret, certificate=certificate, more=more)
    )
    (folder / "error.log").touch()
    (folder / "app.py").write_text(APP, encoding="utf-8")
    address = f"127.0.0.1:{back}"
    if server == "asgi":
        command = ["uvicorn", "app:asgi", "--port", str(back), "--no-proxy-headers", "--lifespan", "off"]
        command += ["--app-dir", str(folder), "--log-level", "warning"]
    else:
        command = ["gunicorn", "app:wsgi", "--bind", address, "--workers", "1", "--chdir", str(folder), *tls]
    root = Path(__file__).resolve().parents[2]
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((folder / "server.log").open("wb"))
        backend = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=root,
            env={"PYTHONPATH": f"{root}:{folder}", "PATH": "/usr/bin:/bin"},
            stdout=log,
            stderr=log,
        )
        stack.callback(_stop, backend)
        proxy = subprocess.Popen(command_of_proxy, stderr=subprocess.DEVNULL)
        stack.callback(_stop, proxy)
        stand = Stand(front, back, secret, folder / "events.jsonl")
        for _ in range(1200):
            told = (folder / "server.log").read_text() + (folder / "error.log").read_text()
            assert backend.poll() is None, told
            assert proxy.poll() is None, told
            with contextlib.suppress(OSError):
                if stand.send("/").status == 200:
                    break
            time.sleep(0.05)
        yield stand


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()


def _certificates(folder: Path) -> tuple[list[str], list[str]]:
    """Write a certificate of the agent and one of the server; return the fingerprint, and gunicorn's options."""
    key, certificate = key_pair("agent")
    (folder / "agent.key").write_text(key)
    (folder / "agent.crt").write_text(certificate)
    authority = Authority(folder / "authority")
    server_key, server_certificate = authority.server("imagin")
    (folder / "imagin.pem").write_bytes(authority.root.read_bytes())
    command = ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", str(folder / "agent.crt")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    options = ["--certfile", str(server_certificate), "--keyfile", str(server_key)]
    return [shown.strip().partition("=")[2]], [*options, "--ca-certs", str(folder / "agent.crt"), "--cert-reqs", "2"]


def _settings(folder: Path, front: int, section: dict[str, Any]) -> None:
    (documented_section,) = documented("toml")[:1]
    assert "[portals.arena-paris]" in documented_section
    lines = [
        "development = true",
        f'base_url = "http://127.0.0.1:{front}"',
        'privacy_url = "/donnees"',
        'legal_url = "/mentions"',
        'accessibility_url = "/accessibilite"',
        'protect = [{ prefix = "/missions" }]',
        f'landing = "/missions"\n[keys]\nsigning = ["{secrets.token_urlsafe(48)}"]',
        f'provisional = ["{secrets.token_urlsafe(48)}"]',
        '[state]\nurl = "sqlite:///state.db"\n[accounts]\nurl = "sqlite:///accounts.db"',
        '[mail]\nhost = "127.0.0.1"\nport = 9\nsecurity = "none"\nsender = "imagin@exemple.test"',
        '[events]\npath = "events.jsonl"',
        f'[portals.{DOOR}]\nprotocol = "header"\nissuer = "https://bv.ac-paris.fr"\nrequired_attributes = ["codaca"]',
        *(f"{name} = {json.dumps(value)}" for name, value in section.items()),
    ]
    (folder / "gateway.toml").write_text("\n".join(lines), encoding="utf-8")


def _nginx(folder: Path, front: int, back: int, secret: str, *, certificate: bool, more: str) -> list[str]:
    """Write nginx's configuration: that of the documentation, word for word, in a server of ours."""
    nobody, agent, locations, over_tls = documented("nginx")
    (folder / "imagin-nobody.conf").write_text(nobody, encoding="utf-8")
    (folder / "imagin-agent.conf").write_text(agent.replace("the value of AGENT_SECRET", secret), encoding="utf-8")
    if certificate:
        shown = over_tls.replace("/etc/nginx/", f"{folder}/")
        locations = locations.replace("proxy_pass http://imagin;", shown)
    text = MAIN.format(folder=folder, front=front, back=back, agent=AGENT, server=locations, more=more)
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    return [str(program("nginx")), "-c", str(folder / "nginx.conf"), "-p", str(folder)]
