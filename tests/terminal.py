"""The command line as an operator types it, many times over.

Each command runs in a process of its own, with its own folder, environment, input and outputs; but that process is the
fork of one that has imported the libraries already, since starting Python and importing them is most of what a short
command costs. The modules of the command line themselves are imported in each, after its environment is set. That the
program starts and ends by itself is seen where it is spawned: the packages' smoke test, the tutorial, the
demonstration.
"""

from __future__ import annotations

import atexit
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_LIBRARIES: Final = (
    *("alembic.command", "argon2", "cryptography.x509", "itsdangerous", "jinja2", "lxml.etree", "pydantic_settings"),
    *(
        "redis",
        "rich.markup",
        "rich.progress",
        "rich.table",
        "saml2.saml",
        "sqlalchemy",
        "typer.main",
        "typer.rich_utils",
    ),
    *("typer.main", "typer.rich_utils"),
    *("imagin_gateway.gateway", "imagin_gateway.operating.check", "imagin_gateway.providers.saml.portal"),
)


class Terminal:
    """Commands, one process each."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="terminal-")
        self._address = str(Path(self._folder.name) / "socket")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(self._address)
            listening.listen()
            self._process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", __name__, str(listening.fileno())],
                pass_fds=[listening.fileno()],
                stdin=subprocess.PIPE,
            )
        atexit.register(self.close)

    def run(
        self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str], typed: str = "", timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run one command to its end.

        Raises:
            subprocess.TimeoutExpired: it did not end in `timeout` seconds, and was killed.
        """
        asked = {"words": list(words), "cwd": str(cwd), "env": dict(env), "timeout": timeout}
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
            socket.socket(socket.AF_UNIX) as connection,
        ):
            given.write(typed.encode())
            given.seek(0)
            connection.connect(self._address)
            socket.send_fds(connection, [b"."], [file.fileno() for file in (given, out, err)])
            connection.sendall(json.dumps(asked).encode() + b"\n")
            with connection.makefile() as reply:
                code = json.loads(reply.readline())
            if code is None:
                raise subprocess.TimeoutExpired(list(words), timeout)
            return subprocess.CompletedProcess(list(words), code, _text(out), _text(err))

    def close(self) -> None:
        """Stop what was started."""
        atexit.unregister(self.close)
        self._process.communicate()
        self._folder.cleanup()


_open: list[Terminal] = []


def imagin_gateway(
    *words: str, cwd: Path, env: Mapping[str, str] | None = None, typed: str = "", timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run `imagin-gateway`, in a folder, with no setting of the machine's own environment."""
    if not _open:
        _open.append(Terminal())
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IMAGIN_GATEWAY_")}
    return _open[0].run(words, cwd=cwd, env={**kept, **(env or {})}, typed=typed, timeout=timeout)


def _text(file: Any) -> str:
    file.seek(0)
    read: bytes = file.read()
    return read.decode()


# --- the process that is forked


def _serve(listening: socket.socket) -> None:
    import gc
    import importlib

    for name in _LIBRARIES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([listening, sys.stdin], [], [])
        if sys.stdin in ready:
            # Who started it closed that end, or is no more.
            return
        connection, _ = listening.accept()
        if os.fork() == 0:
            _attend(connection)
        connection.close()


def _attend(connection: socket.socket) -> None:
    """Fork the command, wait for it, tell its code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile() as asking:
        asked = json.loads(asking.readline())
    command = os.fork()
    if command == 0:
        connection.close()
        _become(asked, files)
    ended, _, _ = select.select([os.pidfd_open(command)], [], [], asked["timeout"])
    if not ended:
        os.kill(command, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    connection.sendall(json.dumps(code if ended else None).encode() + b"\n")
    os._exit(0)


def _become(asked: dict[str, Any], files: Sequence[int]) -> None:
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    random.seed()
    sys.argv = ["imagin-gateway", *asked["words"]]
    code: object = 0
    try:
        from imagin_gateway.cli.main import main

        main()
    except SystemExit as ending:
        code = ending.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
    # What Python does when it ends, but for taking the libraries apart.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
