"""Links of accounts to people of another service: one person, one account, whoever is faster."""

from __future__ import annotations

import threading

from imagin_gateway.errors import Code, Refused
from tests.local.conftest import Office

ISSUER = "https://proconnect.example"


def test_two_accounts_linked_to_one_person_at_once_one_wins(office: Office) -> None:
    for each in ("mdurand7", "pmartin2"):
        office.personalise(each)
    start = threading.Barrier(2)
    outcomes: list[str] = []

    def link(identifier: str) -> None:
        start.wait()
        try:
            office.door.links.make(identifier, ISSUER, "sub-of-somebody")
        except Refused as refused:
            outcomes.append(refused.code.value)
        else:
            outcomes.append("linked")

    for _ in range(10):
        outcomes.clear()
        threads = [threading.Thread(target=link, args=(each,)) for each in ("mdurand7", "pmartin2")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == sorted(["linked", Code.LINK_TAKEN.value])
        for identifier in ("mdurand7", "pmartin2"):
            office.door.links.remove(identifier, ISSUER)
