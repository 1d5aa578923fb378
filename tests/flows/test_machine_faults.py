"""A disk that is full, a clock that jumps: what the person sees, what the operator is told, what stays."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from imagin_gateway.identity import DIRECT_ISSUER
from tests.flows.conftest import TheHouse, direct, sign_in

pytestmark = pytest.mark.fault

GOOD = "quatre mots bien longs"
DAY = 86_400

FULL = """
import json, os, resource, signal, sys
from pathlib import Path
from imagin_gateway.events import FileSink
from tests.flows.conftest import direct, open_house

folder = Path(sys.argv[1])
house = open_house("wsgi", folder)
house.gateway.house.events.outlets[0].sink = FileSink(folder / "events.jsonl")
client = house.client()
page = client.follow(direct(client, "mdurand7", house.letters["mdurand7"]))
held = dict(client.cookies)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
# No file of this process may grow any more: what a full disk is to it.
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
chosen = client.submit(page, {"nouveau": sys.argv[2], "encore": sys.argv[2]})
other = house.client()
login = direct(other, "pmartin2", house.letters["pmartin2"])
told = {
    "chosen": [chosen.status, chosen.title],
    "login": [login.status, login.title],
    "let in": "ig-session" in other.cookies,
    "events": house.gateway.house.events.failing,
}
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
again = house.client()
page = again.follow(direct(again, "mdurand7", house.letters["mdurand7"]))
done = again.submit(page, {"nouveau": sys.argv[2], "encore": sys.argv[2]})
told["after"] = done.status
told["events after"] = house.gateway.house.events.failing
print(json.dumps(told))
house.gateway.close()
"""


def test_a_full_disk_writes_no_password_lets_nobody_in_and_loses_no_letter(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), GOOD], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert told["chosen"][0] == 503
    assert told["login"][0] == 503
    assert told["login"][1], "a page that says so"
    assert told["let in"] is False
    assert told["events"] is True, "the operator's own signal that events are lost"
    assert told["after"] == 303, "the letter still opens the page where a password is chosen"
    assert told["events after"] is False


def test_a_clock_that_jumps_forward_ends_what_is_over_and_a_login_sets_things_right(
    make_house: Callable[..., TheHouse],
) -> None:
    house = make_house()
    client = house.client()
    page = client.follow(direct(client, "mdurand7", house.letters["mdurand7"]))
    assert client.submit(page, {"nouveau": GOOD, "encore": GOOD}).status == 303
    leaving = house.client()
    leaving.get("/connexion/portail/arena-creteil?next=/missions")
    house.clock.move(DAY)
    assert client.get("/missions").status == 303, "a session of yesterday"
    portal = house.portals["arena-creteil"]
    answer = {"who": "jdupont", "to": portal.left[-1].correlation, "id": "a1"}
    late = leaving.post("/connexion/portail/arena-creteil/acs", answer, headers={"Origin": portal.issuer})
    assert late.status == 400, "a journey of yesterday"
    assert "ig-session" not in leaving.cookies
    assert direct(client, "mdurand7", GOOD).status == 303
    assert client.get("/missions").status == 200


def test_a_clock_set_back_prolongs_nothing_for_ever_and_locks_nobody_out(make_house: Callable[..., TheHouse]) -> None:
    house = make_house()
    client = house.client()
    page = client.follow(direct(client, "mdurand7", house.letters["mdurand7"]))
    assert client.submit(page, {"nouveau": GOOD, "encore": GOOD}).status == 303
    assert sign_in(house, house.client(), "jdupont", "arena-creteil").status == 200
    for _ in range(4):
        assert direct(house.client(), "mdurand7", "faux").status == 403
    house.clock.move(-DAY)
    # The owner, in the browser that is known, is not made to wait a day for a failure of tomorrow.
    assert direct(client, "mdurand7", GOOD).status == 303
    assert client.get("/missions").status == 200
    (session,) = house.gateway.house.sessions.list_person(DIRECT_ISSUER, "mdurand7")[-1:]
    assert session.absolute_end <= house.clock.now() + house.gateway.settings.sessions.absolute
    house.clock.move(DAY + 11 * 3600)
    assert client.get("/missions").status == 303, "over, whatever the clock did meanwhile"
