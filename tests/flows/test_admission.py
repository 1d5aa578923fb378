"""The host's own rules, over what a portal proved: they take away, and say why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from imagin_gateway.errors import Code, PolicyError
from tests.flows.conftest import TheHouse, direct, sign_in

RULES = """
[[admission]]
id = "mail"
doors = ["arena"]
activities = ["missions"]
needs = { email = { domain = ["ac-creteil.fr"] } }
sentence = { fr = "Votre adresse n’est pas celle de l’académie.", en = "Your address is not the académie’s." }

[[admission]]
id = "nobody"
doors = ["arena-paris"]
needs = { title = { among = ["DIR"] } }
sentence = { fr = "Cette application est réservée à la direction.", en = "Kept for heads of school." }
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "admission.toml"
    file.write_text(RULES, encoding="utf-8")
    return file


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_rule_takes_an_activity_away_and_the_event_names_it(
    kind: str, make_house: Callable[..., TheHouse], rules: Path
) -> None:
    house = make_house(kind, admission=rules)
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    session = house.gateway.session(client.cookies)
    assert session is not None
    assert session.identity.activities == {"expenses", "marking"}
    (event,) = [each for each in house.events if each["event"] == "login"]
    assert event["detail"]["withheld"] == "mail"


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_nobody_to_whom_nothing_is_open_gets_a_session_and_the_host_says_why(
    kind: str, make_house: Callable[..., TheHouse], rules: Path
) -> None:
    house = make_house(kind, admission=rules)
    client = house.client()
    reply = sign_in(house, client, "jdupont", "arena-paris")
    assert reply.status == 403
    assert "Cette application est réservée à la direction." in reply.text
    assert "ig-session" not in client.cookies
    assert house.codes("login_refused") == [Code.ADMISSION_REFUSED]
    assert client.get("/missions").status == 303


def test_rules_of_other_doors_change_nothing(make_house: Callable[..., TheHouse], rules: Path) -> None:
    house = make_house(admission=rules)
    assert direct(house.client(), "mdurand7", house.letters["mdurand7"]).status == 303


def test_a_broken_rule_stops_the_start_with_everything_wrong_in_it(
    make_house: Callable[..., TheHouse], rules: Path
) -> None:
    rules.write_text(RULES.replace('"arena-paris"', '"arena-lyon"').replace("domain =", "domaine ="), encoding="utf-8")
    with pytest.raises(PolicyError, match=r"(?s)mail.*nobody|nobody.*mail"):
        make_house(admission=rules)
