"""A PostgreSQL that takes a connection and then says nothing: who waits is told, and the connection is given up."""

from __future__ import annotations

import time

import pytest
import sqlalchemy as sa

from imagin_gateway.errors import Code, Unavailable
from imagin_gateway.local.database import Database
from imagin_gateway.local.patience import PatientConnection

pytestmark = [pytest.mark.fault, pytest.mark.parametrize("accounts_url", ["postgresql"], indirect=True)]

SILENT = sa.text("SELECT pg_sleep(600)")


def test_an_answer_that_does_not_come_is_an_outage_and_the_next_one_has_a_connection_of_its_own(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PatientConnection, "patience", 0.3)
    with database.read() as connection:
        (first,) = connection.execute(sa.text("SELECT pg_backend_pid()")).one()
    began = time.monotonic()
    with pytest.raises(Unavailable) as caught, database.read() as connection:
        connection.execute(SILENT)
    assert caught.value.code is Code.STORE_UNAVAILABLE
    assert time.monotonic() - began < 300
    with database.read() as connection:
        (second,) = connection.execute(sa.text("SELECT pg_backend_pid()")).one()
    assert second != first


def test_what_changes_very_many_rows_is_waited_for_and_the_next_one_is_not(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagin_gateway.local.patience.SECONDS", 0.3)
    monkeypatch.setattr(PatientConnection, "patience", 0.3)
    with database.write(long=True) as connection:
        connection.execute(sa.text("SELECT pg_sleep(1)"))
    with pytest.raises(Unavailable), database.write() as connection:
        connection.execute(SILENT)
