"""A later release, for the rolling upgrade: this one, with one more migration. Nothing else of it is different."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

from imagin_gateway.local import migrate

REVISION: Final = "9001"

MIGRATION: Final = f'''"""What a later release may do while this one runs: it adds, and changes nothing."""
import sqlalchemy as sa
from alembic import op

revision = "{REVISION}"
down_revision = "{migrate.REVISIONS[-1]}"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("later", sa.String(20), nullable=True))
    op.create_table("later", sa.Column("id", sa.Integer, primary_key=True))
'''


def install() -> None:
    """Make this process one of the later release."""
    folder = Path(tempfile.mkdtemp(prefix="ig-later-")) / "migrations"
    shutil.copytree(migrate._FOLDER, folder)
    (folder / "versions" / "v9001_later.py").write_text(MIGRATION, encoding="utf-8")
    migrate._FOLDER = folder  # type: ignore[misc]  # as the later release has them
    migrate.REVISIONS = (*migrate.REVISIONS, REVISION)  # type: ignore[misc, assignment]


def upgrade() -> None:
    """Run `accounts upgrade` of the later release."""
    from imagin_gateway.cli.main import main

    install()
    main()


if __name__ == "__main__":
    upgrade()
