"""A Unix socket in front of a private Redis that passes commands on, and loses the answer to one kind of them."""

from __future__ import annotations

import socket
import threading
from pathlib import Path


class LossyDoor:
    """Lets a command that holds `lost` run, then cuts the connection instead of passing its answer on."""

    def __init__(self, path: Path, behind: str, lost: bytes) -> None:
        self.url = f"unix://{path}?db=0"
        self._behind, self._lost = behind, lost
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._listen)]
        self._threads[0].start()

    def _listen(self) -> None:
        while True:
            try:
                outer, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(outer,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, outer: socket.socket) -> None:
        with outer, socket.socket(socket.AF_UNIX) as inner:
            inner.connect(self._behind)
            while asked := outer.recv(65536):
                inner.sendall(asked)
                answer = inner.recv(65536)
                if self._lost in asked:
                    return
                outer.sendall(answer)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()
