"""A real Apache that plays the portal's agent, with the configuration of the documentation."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Final

from tests.agent.stand import AGENT, documented
from tests.parts import program

MODULES: Final = Path("/usr/lib/apache2/modules")

WANTED: Final = [
    "mpm_event",
    "authn_core",
    "authn_file",
    "authz_core",
    "authz_user",
    "auth_basic",
    "setenvif",
    "headers",
    "proxy",
    "proxy_http",
]

PASSWORD: Final = "a-password-of-the-portal"

MAIN: Final = """
ServerName 127.0.0.1
ServerRoot {folder}
PidFile {folder}/pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{front}
StartServers 1
KeepAlive Off
{modules}
ProxySourceAddress {agent}
SetEnvIf Authorization "^Basic {elodie}$" AGENT_FAMILY_NAME=Lefèvre AGENT_GIVEN_NAME=Élodie AGENT_CODACA=001
SetEnvIf Authorization "^Basic {elodie}$" AGENT_EMAIL=elodie.lefevre@ac-paris.fr AGENT_RNE=0750001U
SetEnvIf Authorization "^Basic {elodie}$" AGENT_FREDURNE=0750001U$UAJ$PU$ENS$0750001U$T3$LYC$300
SetEnvIf Authorization "^Basic {elodie}$" AGENT_RETURN=https://bv.ac-paris.fr/retour
SetEnvIf Authorization "^Basic {paul}$" AGENT_FAMILY_NAME=Martin AGENT_GIVEN_NAME=Paul AGENT_CODACA=24
<Location /connexion/portail/arena-paris/entree>
    AuthType Basic
    AuthName ARENA
    AuthUserFile {folder}/people
    Require valid-user
</Location>
{server}
"""
"""Whoever the agent lets in is told by variables, as an agent of a portal sets them; who it is, by its own login."""


def login(name: str) -> str:
    """Return the header line by which somebody logs in at this agent."""
    return f"Authorization: Basic {_basic(name)}"


def apache(folder: Path, front: int, back: int, secret: str) -> list[str]:
    """Write Apache's configuration, that of the documentation word for word; return the command that starts it."""
    (server,) = documented("apache")
    assert "<VirtualHost *:443>" in server
    server = server.replace("*:443", f"127.0.0.1:{front}").replace("127.0.0.1:8000", f"127.0.0.1:{back}")
    sha = base64.b64encode(hashlib.sha1(PASSWORD.encode(), usedforsecurity=False).digest()).decode()
    (folder / "people").write_text(f"elefevre1:{{SHA}}{sha}\npmartin:{{SHA}}{sha}\n", encoding="utf-8")
    text = MAIN.format(
        folder=folder,
        front=front,
        agent=AGENT,
        modules="\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in WANTED),
        elodie=_basic("elefevre1"),
        paul=_basic("pmartin"),
        server=server.replace("the value of AGENT_SECRET", secret),
    )
    (folder / "apache.conf").write_text(text, encoding="utf-8")
    return [str(program("apache2")), "-DFOREGROUND", "-f", str(folder / "apache.conf")]


def _basic(name: str) -> str:
    return base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
