"""Reading a session: what it adds to a request beside peers, cold reads, a million sessions, and a real server.

The whole takes about eight minutes. `BENCH_SESSIONS=quick` tries everything in a
minute or two; its figures mean little.
"""

from __future__ import annotations

from bench.frame import Report, run
from bench.reading import cold, scale, served, warm
from bench.reading.effort import asked


def measure(report: Report) -> None:
    """Measure all of it, in one run."""
    effort = asked()
    for part in (warm, cold, served, scale):
        part.measure(report, effort)


if __name__ == "__main__":
    run("sessions", measure)
