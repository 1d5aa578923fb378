"""Several processes, several threads in each, all let go at once at the same store."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier

from imagin_gateway.state import open_store
from imagin_gateway.state.store import Space

KEY = "contended"
END = 2_000_000_000.0
NOW = 1_900_000_000.0


def act(action: str, url: str, threads: int) -> list[str]:
    """Do one action once in each of `threads` threads; return what each got."""
    store = open_store(url)
    barrier = Barrier(threads)

    def once(number: int) -> str:
        barrier.wait()
        match action:
            case "take":
                return str(store.take(Space.FLOW, KEY, now=NOW) is not None)
            case "put_if_absent":
                mine = f"{id(store)}-{number}".encode()
                return str(store.put_if_absent(Space.REPLAY, KEY, mine, expires_at=END, now=NOW))
            case "increment":
                return str(store.increment(Space.COUNTER, KEY, expires_at=END, now=NOW))
            case "open":
                other = open_store(url)
                other.ping()
                other.close()
                return "True"
        raise AssertionError(action)

    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(once, range(threads)))
    store.close()
    return results


def in_processes(action: str, url: str, *, processes: int, threads: int) -> list[str]:
    """Run `act` in several processes that start together; return what every thread got."""
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.state.workers", action, url, str(threads)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(processes)
        ]
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        outputs = []
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        for worker in workers:
            output, _ = worker.communicate()
            assert worker.returncode == 0
            outputs += output.split()
    return outputs


def main(action: str, url: str, threads: str) -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write("\n".join(act(action, url, int(threads))))


if __name__ == "__main__":
    main(*sys.argv[1:])
