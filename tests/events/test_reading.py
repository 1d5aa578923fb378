"""Reading files of events: whole, cut, damaged, compressed, and long, in little memory."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagin_gateway.events import CallSink, Event, EventLog, EventName
from imagin_gateway.events.reading import LONGEST_LINE, Damage, Flaw, holding, read
from tests.clock import ManualClock
from tests.ground.test_events import KEYS


def lines(count: int = 3) -> list[str]:
    written: list[str] = []
    log = EventLog(CallSink(written.append), ManualClock(), KEYS)
    for number in range(count):
        log.emit(Event(name=EventName.LOGIN, person=("urn:imagin", f"p{number}"), detail={"withheld": str(number)}))
    return written


def outline(path: Path) -> list[str]:
    return [each.flaw.value if isinstance(each, Damage) else each[1].event for each in read(path)]


@given(cut=st.integers(0, 700))
def test_a_file_cut_anywhere_is_read_up_to_the_cut_which_is_said(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("cut") / "e.jsonl"
    raw = ("\n".join(lines()) + "\n").encode()[:cut]
    path.write_bytes(raw)
    found = outline(path)
    whole = raw.count(b"\n")
    assert found[:whole] == ["login"] * whole
    rest = raw.rpartition(b"\n")[2]
    if not rest:
        assert found[whole:] == []
    else:
        assert found[whole:] == (["login"] if rest.endswith(b"}}") else ["cut"])


def test_a_line_that_is_no_event_is_told_with_its_place_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    first, second, _ = lines()
    long = "x" * (3 * LONGEST_LINE)
    path.write_text("\n".join([first, "{", "", '{"v": 1, "time": "hier", "event": "login"}', long, second]) + "\n")
    found = list(read(path))
    assert [each for each in found if isinstance(each, Damage)] == [
        Damage(path, 2, Flaw.UNREADABLE),
        Damage(path, 4, Flaw.UNREADABLE),
        Damage(path, 5, Flaw.UNREADABLE),
    ]
    assert outline(path)[0] == outline(path)[-1] == "login"


@pytest.mark.parametrize(
    "line",
    [
        b'{"v":1,"time":"2026-12-14T08:00:00","event":"login"}',
        b'{"v":1,"time":"0001-01-01T00:00:00Z","event":"login"}',
        b'{"v":1,"time":"9999-12-31T23:59:59Z","event":"login"}',
        b'{"v":1,"time":"2026-12-14T08:00:00Z","event":"login","more":"\xff"}',
    ],
    ids=["no time zone", "first year", "last year", "not UTF-8"],
)
def test_a_line_that_could_not_be_compared_or_shown_is_no_event(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_bytes(line + b"\n")
    assert list(read(path)) == [Damage(path, 1, Flaw.UNREADABLE)]


@pytest.mark.parametrize(("suffix", "module"), [(".gz", gzip), (".bz2", bz2), (".xz", lzma)])
def test_a_compressed_file_is_read_and_one_cut_short_up_to_the_cut(tmp_path: Path, suffix: str, module: object) -> None:
    path = tmp_path / f"e.jsonl{suffix}"
    told = lines(3000)
    raw = module.compress(("\n".join(told) + "\n").encode())  # type: ignore[attr-defined]  # all three have it
    path.write_bytes(raw)
    assert outline(path) == ["login"] * 3000
    path.write_bytes(raw[: len(raw) // 2])
    assert outline(path)[-1] == "broken"
    path.write_bytes(b"not compressed at all\n")
    assert outline(path) == ["broken"]


def test_what_a_later_release_writes_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text('{"v":1,"time":"2026-12-14T08:00:00.000Z","event":"unheard_of","code":"new.code","more":[1]}\n')
    (found,) = read(path)
    assert not isinstance(found, Damage)
    assert (found[1].event, found[1].code) == ("unheard_of", "new.code")


def test_only_the_lines_that_are_wanted_are_decoded(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    told = lines()
    wanted = json.loads(told[1])["person"]
    path.write_text("\n".join([told[0], "{ damaged", told[1]]) + "\n")
    (found,) = read(path, holding([wanted]))
    assert not isinstance(found, Damage)
    assert found[0].decode() == told[1]


def test_many_lines_take_no_more_memory_than_a_few(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    line = lines(1)[0] + "\n"
    path.write_text(line * 20_000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in read(path)) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
