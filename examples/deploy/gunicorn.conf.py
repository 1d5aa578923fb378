# gunicorn: `gunicorn --config gunicorn.conf.py app:wsgi`. The socket is systemd's (imagin.socket).

import multiprocessing
import os
from typing import Any

workers = 2 * multiprocessing.cpu_count()
worker_class = "gthread"
threads = 16
# Not preloaded: a reload then takes the new release, one worker after the other, and no connection crosses a fork.
preload_app = False
# A portal's answer by address is longer than gunicorn's 4094; nginx has its own limit (16k).
limit_request_line = 0
# A worker that is stuck is replaced after this; one that is stopped ends what it has begun.
timeout = 60
graceful_timeout = 30
# nginx keeps the connections of browsers; those to this socket are closed after each answer.
keepalive = 0
# The heartbeat of the workers, off the disk.
worker_tmp_dir = "/dev/shm"


def child_exit(server: Any, worker: Any) -> None:
    """What a worker counted stays; what it alone showed at a moment (gauges) goes with it."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess as figures

        figures.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
