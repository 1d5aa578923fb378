"""Runs the probes at once, each for itself: one that fails or hangs hides nothing of the others."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from imagin_gateway.operating.findings import Finding, fatal, unknown
from imagin_gateway.operating.ground import Ground, Probe

WORKERS: Final = 12

_log = logging.getLogger("imagin_gateway.operating")

_OFFLINE: Final = "pas vérifié : --offline, rien ne sort de cette machine"


def run(
    probes: Sequence[Probe],
    ground: Ground,
    *,
    seconds: float,
    progress: Callable[[Sequence[str]], None] = lambda waiting: None,
) -> list[Finding]:
    """Return what every probe found, in the order of the probes.

    Args:
        probes: what to look at.
        ground: what they are given; what rests on its broken sections is not looked at.
        seconds: longest time for all of them; what has not ended by then is told as not checked.
        progress: called with the subjects that are still waited for.
    """
    waiting: dict[int, Probe] = {}
    found: dict[int, list[Finding]] = {}
    for number, probe in enumerate(probes):
        if missing := sorted(probe.reads & ground.broken):
            what = f"{missing[0]} est" if len(missing) == 1 else f"{', '.join(missing)} sont"
            found[number] = [_not_checked(probe, f"pas vérifié : {what} à corriger d’abord")]
        elif probe.remote and ground.offline:
            found[number] = [unknown(f"{probe.id}.not_checked", probe.subject, _OFFLINE, asked=True)]
        else:
            waiting[number] = probe
    todo: queue.SimpleQueue[tuple[int, Probe] | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, list[Finding]]] = queue.SimpleQueue()
    for item in waiting.items():
        todo.put(item)
    for _ in range(min(WORKERS, len(waiting))):
        todo.put(None)
        # Daemons: a resolver that hangs must not hold the command once its time is over.
        threading.Thread(target=_work, args=(ground, todo, done), daemon=True).start()
    end = time.monotonic() + seconds
    while waiting and (left := end - time.monotonic()) > 0:
        progress([probe.subject for probe in waiting.values()])
        try:
            number, findings = done.get(timeout=left)
        except queue.Empty:
            break
        del waiting[number]
        found[number] = findings
    for number, probe in waiting.items():
        found[number] = [_not_checked(probe, f"pas de réponse en {seconds:g} seconde{'s' if seconds >= 2 else ''}")]
    return [finding for _, findings in sorted(found.items()) for finding in findings]


def _work(
    ground: Ground,
    todo: queue.SimpleQueue[tuple[int, Probe] | None],
    done: queue.SimpleQueue[tuple[int, list[Finding]]],
) -> None:
    while (item := todo.get()) is not None:
        number, probe = item
        done.put((number, _looked(probe, ground)))


def _looked(probe: Probe, ground: Ground) -> list[Finding]:
    kept: list[Finding] = []
    try:
        findings: Iterable[Finding] = probe.look(ground)
        kept.extend(findings)
    except Exception as error:
        # Whatever nobody foresaw is a finding of its own, told by its type alone.
        _log.debug("the probe %s failed", probe.id, exc_info=True)
        kept.append(
            fatal(
                f"{probe.id}.fault",
                probe.subject,
                f"cette vérification a échoué ({type(error).__name__})",
                "relancer avec --verbose, et le signaler",
            )
        )
    return kept


def _not_checked(probe: Probe, text: str) -> Finding:
    return unknown(f"{probe.id}.not_checked", probe.subject, text, "corriger, puis relancer")
