"""What every target shares: how an input is judged, what it may cost, and where the inputs worth keeping are.

A target is a module with a value `TARGET`. Its `attack` hands the input to the code, as
somebody outside would, and returns whether it was accepted. Three things are findings:

- anything but the declared refusals comes out;
- something was accepted that the target's *own* statement of what may be accepted does
  not allow. That statement is written beside the target, by other means than the code
  under attack: another parser, another library, a list of what was made here;
- the input took longer, or more memory, than any input may.
"""

from __future__ import annotations

import hashlib
import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from imagin_gateway.errors import AnswerRefused, Code, GatewayError

CORPUS: Final = Path(__file__).parent / "corpus"

LONGEST: Final = 2.0
"""Seconds of processor one input may take. Honest ones take milliseconds; the rest is for slow machines."""

MOST_MEMORY: Final = 256 * 1024
"""KiB by which one input may make the process grow."""


class Finding(AssertionError):
    """The code under attack did what it may not."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One way in.

    Attributes:
        name: of the module, and of its folder of inputs.
        attack: gives an input to the code; returns whether it was accepted, raises `Finding` when it should not be.
        seeds: honest inputs to begin from, made of what the tests use.
        mutate: changes an input in a way that keeps its shape; bytes are changed at random where it is None.
        refusals: what may come out instead of an answer.
        instrumented: what a coverage-guided engine follows.
        longest: bytes of the longest input tried.
    """

    name: str
    attack: Callable[[bytes], bool]
    seeds: Callable[[], Iterable[bytes]]
    mutate: Callable[[bytes, Random], bytes] | None = None
    refusals: tuple[type[Exception], ...] = (GatewayError,)
    longest: int = 16 * 1024

    @property
    def folder(self) -> Path:
        """Where its inputs are kept."""
        return CORPUS / self.name


def judge(target: Target, data: bytes) -> bool:
    """Give one input to a target; return whether it was accepted.

    Raises:
        Finding: it may not be so.
        Exception: whatever came out that was not declared.
    """
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    accepted, spent = _timed(target, data)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown
    if spent > LONGEST:
        # What is slow is slow each time; a collection of the whole process's garbage is not.
        spent = min(spent, *(_timed(target, data)[1] for _ in range(2)))
    if spent > LONGEST:
        raise Finding(f"an input of {len(data)} bytes took {spent:.1f} s")
    if grown > MOST_MEMORY:
        raise Finding(f"an input of {len(data)} bytes took {grown // 1024} MiB")
    return accepted


def _timed(target: Target, data: bytes) -> tuple[bool, float]:
    """Return whether an input was accepted, and the seconds of processor that took."""
    began = time.process_time()
    try:
        accepted = target.attack(data)
    except target.refusals as refusal:
        accepted = False
        _check_refusal(refusal)
    return accepted, time.process_time() - began


def _check_refusal(refusal: Exception) -> None:
    """A portal's answer refused as `MALFORMED` is one whose check broke: the guard around the checks says so."""
    if isinstance(refusal, AnswerRefused) and refusal.code is Code.MALFORMED:
        raise Finding("a check broke, instead of refusing") from refusal


def demand(fact: bool, otherwise: str) -> None:
    """Hold what was accepted to a statement of what may be."""
    if not fact:
        raise Finding(otherwise)


def kept(target: Target) -> list[bytes]:
    """Return the inputs kept for a target, in a fixed order, after its seeds."""
    files = sorted(target.folder.iterdir()) if target.folder.is_dir() else []
    return [*target.seeds(), *(file.read_bytes() for file in files)]


def keep(target: Target, data: bytes) -> Path:
    """Keep an input in the repository, named by what it holds."""
    target.folder.mkdir(parents=True, exist_ok=True)
    file = target.folder / hashlib.sha256(data).hexdigest()[:16]
    file.write_bytes(data)
    return file


# --- changing bytes without a guide


def changed(target: Target, inputs: list[bytes], random: Random) -> bytes:
    """Return a new input made of the known ones, by the target's own way or by bytes."""
    data = random.choice(inputs)
    if target.mutate is not None and random.random() < 0.7:
        return target.mutate(data, random)[: target.longest]
    return any_change(data, random, inputs)[: target.longest]


def any_change(data: bytes, random: Random, others: list[bytes] | None = None) -> bytes:
    """Return `data` with a few bytes flipped, cut, doubled, or taken from another input."""
    made = bytearray(data or b"\x00")
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        place = random.randrange(len(made) + 1)
        length = random.choice((1, 1, 2, 4, 8, 32, 200))
        match random.randrange(6):
            case 0 if place < len(made):
                made[place] ^= 1 << random.randrange(8)
            case 1:
                del made[place : place + length]
            case 2:
                made[place:place] = random.choice(_TELLING)
            case 3:
                made[place : place + length] = random.randbytes(random.randrange(1, 9))
            case 4:
                again = random.randrange(len(made) + 1)
                made[again:again] = made[place : place + length]
            case _:
                other = random.choice(others) if others else data
                start = random.randrange(len(other) + 1)
                made[place:place] = other[start : start + length]
    return bytes(made)


_TELLING: Final = [
    *(b"\x00", b"\r\n", b" ", b"\t", b"\xff", b"\xc3\xa9", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"%00", b"%2f", b"%252e"),
    *(b'"', b"'", b"<", b">", b"&", b"=", b";", b",", b"\\", b"/", b"..", b"@", b"$", b"|", b"{", b"}", b"[", b"]"),
    *(b"-1", b"0", b"1e999", b"NaN", b"99999999999999999999", b"null", b"true", b"2099-01-01T00:00:00Z"),
    *(b"<!-- -->", b"<?a b?>", b"<![CDATA[", b"]]>", b"&#46;", b"<!DOCTYPE a>", b"xmlns:", b"admin", b"://", b"//"),
]
