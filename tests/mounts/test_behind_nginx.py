"""A real reverse proxy in front: whose address counts, and what is smuggled past it."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import uvicorn

from examples.demo.ports import free_ports
from tests.client import host_asgi
from tests.flows.conftest import TheHouse, make_house, redis_server  # noqa: F401 (fixtures)
from tests.parts import program, require

CONFIGURATION = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; underscores_in_headers on;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{front};
    location / {{
      proxy_pass http://127.0.0.1:{back};
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
"""


@dataclass
class Proxied:
    """The house behind nginx."""

    house: TheHouse
    url: str


@pytest.fixture
def proxied(tmp_path: Path, make_house: Callable[..., TheHouse]) -> Iterator[Proxied]:  # noqa: F811
    require("nginx")
    front, back = free_ports(2)
    house = make_house("asgi", base_url=f"http://127.0.0.1:{front}", trusted_proxies=1)
    app = house.gateway.asgi(host_asgi)
    server = uvicorn.Server(
        # The server must not trust X-Forwarded-For by itself: the gateway's own setting decides.
        uvicorn.Config(
            app, host="127.0.0.1", port=back, log_level="error", lifespan="off", ws="none", proxy_headers=False
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    folder = tmp_path / "nginx"
    folder.mkdir()
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, front=front, back=back))
    proxy = subprocess.Popen(
        [str(program("nginx")), "-c", str(folder / "nginx.conf"), "-p", str(folder)], stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{front}"
    try:
        for _ in range(600):
            assert proxy.poll() is None, (folder / "error.log").read_text()
            try:
                if httpx2.get(url + "/", trust_env=False).status_code == 200:
                    break
            except httpx2.HTTPError:
                pass
            time.sleep(0.05)
        yield Proxied(house, url)
    finally:
        proxy.terminate()
        proxy.wait()
        server.should_exit = True
        thread.join()


@pytest.mark.row("THR-08")
def test_a_forged_address_is_not_counted(proxied: Proxied) -> None:
    forged = {"X-Forwarded-For": "198.51.100.9, 203.0.113.7"}
    assert httpx2.get(proxied.url + "/connexion/rien", headers=forged, trust_env=False).status_code == 404
    event = next(each for each in proxied.house.events if each["event"] == "request_refused")
    assert event["address"] == "127.0.0.1"


@pytest.mark.row("RTE-09")
def test_nothing_is_smuggled_past_the_proxy(proxied: Proxied) -> None:
    for name in (
        "Remote-User",
        "remote_user",
        "ct-remote-user",
        "ct_remote_user",
        "CT-REMOTE_USER",
        "X-Forwarded-User",
    ):
        reply = httpx2.get(proxied.url + "/", headers={name: "root"}, trust_env=False)
        assert reply.text == "personne"
        seen = set(reply.headers["x-seen"].split(","))
        assert not {each for each in seen if each.endswith("_USER")}, name


def test_the_whole_first_login_works_behind_it(proxied: Proxied) -> None:
    from examples.demo.browser import Browser

    with Browser() as browser:
        browser.open(proxied.url + "/connexion/direct?next=/missions")
        browser.submit({"identifiant": "mdurand7", "motdepasse": proxied.house.letters["mdurand7"]})
        page = browser.submit({"nouveau": "quatre mots bien longs", "encore": "quatre mots bien longs"})
        assert page.url == proxied.url + "/missions"
        assert page.text == "direct|mdurand7|Marie DURAND"
