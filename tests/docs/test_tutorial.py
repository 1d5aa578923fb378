"""The tutorial, done as it says: an empty folder, its files, its commands, a real server, a person who signs in."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from examples.demo.ports import free_ports
from tests.client import Client
from tests.docs.blocks import ROOT, of_page
from tests.hosts.conftest import over_http

BLOCKS = of_page(ROOT / "docs" / "tutorial.md")
PASSWORD = "quatre mots sans aucun rapport"


def run(folder: Path, command: str, environ: dict[str, str], ends: int = 0) -> str:
    """Run a block in the folder, as somebody at a terminal would."""
    shell = ["/bin/sh", "-ec", command]
    done = subprocess.run(shell, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == ends, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_it_ends_where_it_says(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    tools = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "LANG": "C.UTF-8"}
    environ = dict(tools)
    for block in BLOCKS:
        if block.title:
            (tmp_path / block.title).write_text(block.text.replace(":8000", f":{port}"), encoding="utf-8")
        elif block.language == "sh" and not block.reason:
            if block.text.startswith("imagin-gateway check"):
                assert "mode développement" in run(tmp_path, block.text, environ, ends=1)
                continue
            told = run(tmp_path, block.text + "\nenv\n", environ)
            environ |= {
                name: value
                for name, _, value in (line.partition("=") for line in told.splitlines())
                if name.startswith("GATEWAY_")
            }
    assert {"GATEWAY_SIGNING", "GATEWAY_PROVISIONAL"} <= set(environ)
    assert "arena-paris : lien vers" in run(tmp_path, "imagin-gateway check --offline", environ, ends=1)
    with (tmp_path / "letters.csv").open(encoding="utf-8-sig", newline="") as file:
        (letter,) = csv.DictReader(file, delimiter=";")
    (started,) = [block.text.strip() for block in BLOCKS if block.text.startswith("gunicorn")]
    command = [*started.replace(":8000", f":{port}").split(), "--no-control-socket"]
    server = subprocess.Popen([sys.executable, "-m", *command], cwd=tmp_path, env=environ, stderr=subprocess.DEVNULL)
    try:
        _until_it_answers(port)
        client = Client(over_http(port))
        here = f"127.0.0.1:{port}"
        left = client.get("/frais", host=here)
        assert (left.status, left.location) == (303, "/connexion/?next=%2Ffrais")
        assert "Vous êtes dans un autre cas" in client.get(left.location, host=here).text
        form = client.get("/connexion/direct?next=%2Ffrais", host=here)
        typed = {"identifiant": letter["Identifiant"], "motdepasse": letter["Mot de passe provisoire"]}
        entered = client.submit(form, typed, host=here)
        assert entered.status == 303
        choice = client.get(entered.location, host=here)
        done = client.submit(choice, {"nouveau": PASSWORD, "encore": PASSWORD}, host=here)
        while done.status == 303:
            done = client.get(done.location, host=here)
        assert "Frais de Marie DURAND" in client.get("/frais", host=here).text
        assert client.get("/connexion/session", host=here).status == 200
    finally:
        server.terminate()
        server.wait(30)


def _until_it_answers(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            try:
                connection.request("GET", "/")
                connection.getresponse().read()
                return
            except OSError:
                time.sleep(0.2)
    pytest.fail("the server of the tutorial does not answer")
