"""The schema of the accounts: brought up to date, or told clearly to be another one's.

Alembic is imported only when there is something to do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa

from imagin_gateway.errors import Problem, SettingsError
from imagin_gateway.local.database import Database

REVISIONS: Final = ("0001", "0003", "0004", "0005", "0006", "0007")
"""Every revision this release knows, oldest first."""

_FOLDER: Final = Path(__file__).parent / "migrations"

_LOCK: Final = 0x1A61_6E53_4345
"""Key of PostgreSQL's advisory lock: two servers that start together upgrade one after the other."""


def check(database: Database) -> None:
    """Refuse a schema that is not this release's.

    Raises:
        SettingsError: it is older (to upgrade), newer (made by a later release) or missing.
        Unavailable: the database does not answer.
    """
    with database.read() as connection:
        found = _revision(connection)
    if found == REVISIONS[-1]:
        return
    if found is not None and found not in REVISIONS:
        raise _newer()
    what = "le schéma de la base est plus ancien que ce programme" if found else "la base n’a pas encore de tables"
    raise SettingsError([Problem("accounts.url", what, "imagin-gateway accounts upgrade, puis redémarrer")])


def upgrade(database: Database) -> None:
    """Bring the schema up to date, in one transaction. Does nothing when it is.

    Raises:
        SettingsError: the schema was made by a later release.
        Unavailable: the database does not answer.
    """
    with database.read() as connection:
        if _revision(connection) == REVISIONS[-1]:
            return
    with database.write(long=True) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        found = _revision(connection)
        if found == REVISIONS[-1]:
            return
        if found is not None and found not in REVISIONS:
            raise _newer()
        _run(connection)


def upgrade_accounts(url: str) -> None:
    """Bring the database at `url` up to date: for commands. Raises as `upgrade`."""
    database = Database(url)
    try:
        upgrade(database)
    finally:
        database.close()


def _run(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, REVISIONS[-1])


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _newer() -> SettingsError:
    problem = Problem(
        "accounts.url",
        "le schéma de la base vient d’une version plus récente de ce programme",
        "installer cette version, ou restaurer une sauvegarde",
    )
    return SettingsError([problem])
