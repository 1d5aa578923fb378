"""What every real peer is while tests run: programs of others, one log, and an end that leaves none of them."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import httpx2

    from tests.peers.authority import Authority


class Running:
    """One peer. Starts at once and stops with the `with` block.

    Args:
        folder: where it writes.
        authority: issued its certificate.
    """

    def __init__(self, folder: Path, authority: Authority) -> None:
        self._folder, self._authority = folder, authority
        self._processes: list[subprocess.Popen[bytes]] = []
        self._said_before = 0

    def start(self) -> None:
        """Start, and wait until it answers. Raises `RuntimeError` with its log if it does not."""
        raise NotImplementedError

    def _run(
        self,
        *commands: Sequence[str | Path],
        environment: Mapping[str, str],
        answers: str,
        failed: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Run programs until an address answers.

        Args:
            commands: each of them.
            environment: of all of them.
            answers: the address.
            failed: tells of what it said since whether it never will.
        """
        self._said_before = len(self.log()) if self._log_file.exists() else 0
        with self._log_file.open("ab") as log:
            for command in commands:
                self._processes.append(
                    subprocess.Popen(
                        command, env=environment, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                    )
                )
        self._wait(answers, failed)

    def _wait(self, answers: str, failed: Callable[[str], bool]) -> None:
        import httpx2

        deadline = time.monotonic() + 20
        with self._client() as client:
            while time.monotonic() < deadline and self._lives() and not failed(self._said()):
                with contextlib.suppress(httpx2.HTTPError):
                    if client.get(answers).status_code == 200:
                        return
                time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{type(self).__name__} does not answer; its log:\n{self._said()[:3000]}")

    def _lives(self) -> bool:
        return all(each.poll() is None for each in self._processes)

    def _client(self) -> httpx2.Client:
        import httpx2

        return httpx2.Client(verify=self._authority.believed(), trust_env=False, timeout=10)

    @property
    def _log_file(self) -> Path:
        return self._folder / "peer.log"

    def log(self) -> str:
        """Return what it said."""
        return self._log_file.read_text(errors="replace")

    def _said(self) -> str:
        return self.log()[self._said_before :]

    def stop(self) -> None:
        """Stop it, and its workers with it."""
        for each in self._processes:
            each.terminate()
        for each in self._processes:
            try:
                each.wait(timeout=10)
            except subprocess.TimeoutExpired:
                each.kill()
                each.wait()
        self._processes.clear()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
