"""A door in front of a private Redis that passes everything on, and loses the answer to one kind of command."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from pathlib import Path


class LossyDoor:
    """Lets a command that holds `lost` run, then cuts the connection instead of passing its answer on.

    Args:
        place: a path for a Unix socket, or a port of the loopback.
        behind: path of the Unix socket of the server; may be changed, for the connections to come.
        lost: bytes of the commands whose answer is lost; none when empty.
    """

    def __init__(self, place: Path | int, behind: str, lost: bytes = b"") -> None:
        self.url = f"redis://127.0.0.1:{place}" if isinstance(place, int) else f"unix://{place}?db=0"
        self.behind, self.lost = behind, lost
        if isinstance(place, int):
            self._listener = socket.create_server(("127.0.0.1", place))
        else:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(place))
            self._listener.listen()
        self._closing = threading.Event()
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
        with outer, socket.socket(socket.AF_UNIX) as inner, suppress(OSError):
            inner.connect(self.behind)
            while not self._closing.is_set():
                for one in select.select([outer, inner], [], [], 0.1)[0]:
                    told = one.recv(65536)
                    if not told:
                        return
                    (inner if one is outer else outer).sendall(told)
                    if one is outer and self.lost and self.lost in told:
                        inner.recv(65536)  # it has run
                        return

    def close(self) -> None:
        self._closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()
