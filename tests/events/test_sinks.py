"""Sinks: several at once, each failing in its own way, and nobody at the door who waits for one."""

from __future__ import annotations

import json
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from imagin_gateway.events import CallSink, Event, EventLog, EventName, FileSink, StreamSink
from imagin_gateway.events.outlet import MOST_WAITING, Outlet
from imagin_gateway.events.syslog import SyslogSink, read_target
from tests.clock import ManualClock
from tests.ground.test_events import KEYS


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something another thread does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


def told(path: Path) -> list[str]:
    return [json.loads(line)["event"] for line in path.read_text().splitlines() if line]


class Broken:
    """A sink that raises until it is mended."""

    name = "file"
    error: OSError | None = OSError(28, "No space left on device")

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        if self.error:
            raise self.error
        self.lines.append(line)


class Hanging:
    """A sink whose write does not end until it is let go."""

    name = "syslog"
    waits = True

    def __init__(self) -> None:
        self.go = threading.Event()
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        self.go.wait()
        self.lines.append(line)


@pytest.mark.row("LOG-11")
def test_a_sink_that_fails_is_told_to_the_others_and_catches_up_when_it_is_back() -> None:
    broken, other = Broken(), list[str]()
    log = EventLog([broken, CallSink(other.append)], ManualClock(), KEYS)
    heard: list[EventName] = []
    log.listen(lambda event: heard.append(event.name))
    log.emit(Event(name=EventName.LOGIN))
    log.emit(Event(name=EventName.LOGOUT))
    states = [log.failing]
    assert [json.loads(line)["event"] for line in other] == ["sink_failed", "login", "logout"]
    assert json.loads(other[0])["detail"] == {"sink": "file", "type": "OSError"}
    broken.error = None
    log.emit(Event(name=EventName.SESSION_EXTENDED))
    assert [*states, log.failing] == [True, False]
    assert [json.loads(line)["event"] for line in broken.lines] == [
        *("login", "logout", "session_extended", "sink_recovered")
    ]
    assert heard.count(EventName.SINK_FAILED) == heard.count(EventName.SINK_RECOVERED) == 1


@pytest.mark.row("LOG-11")
def test_what_waits_for_a_sink_that_fails_is_bounded_and_what_went_is_counted() -> None:
    broken = Broken()
    outlet = Outlet(broken)
    for number in range(MOST_WAITING + 50):
        outlet.put(str(number))
    assert (outlet.waiting, outlet.lost) == (MOST_WAITING, 50)
    broken.error = None
    outlet.put("last")
    assert broken.lines == [*(str(number) for number in range(MOST_WAITING))]
    assert (outlet.lost, outlet.waiting, outlet.failing) == (51, 0, False)


@pytest.mark.row("LOG-11")
def test_a_sink_that_hangs_holds_nobody_up_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagin_gateway.events.outlet.STUCK_SECONDS", 0.05)
    hanging, other = Hanging(), list[str]()
    log = EventLog([hanging, CallSink(other.append)], ManualClock(), KEYS)
    log.emit(Event(name=EventName.LOGIN))
    until(lambda: log.failing)
    began = time.perf_counter()
    for _ in range(MOST_WAITING + 10):
        log.emit(Event(name=EventName.LOGIN))
    assert time.perf_counter() - began < 10, "an event waited for a sink that hangs"
    names = [json.loads(line) for line in other]
    assert [each["detail"] for each in names if each["event"] == "sink_failed"] == [{"sink": "syslog", "type": "Hung"}]
    assert log.outlets[0].lost == 11
    hanging.go.set()
    until(lambda: not log.outlets[0].waiting)
    log.close()
    assert not log.failing
    recovered = json.loads(hanging.lines[-1])
    assert (recovered["event"], recovered["detail"]) == ("sink_recovered", {"sink": "syslog", "lost": 11})


@pytest.mark.row("LOG-11")
def test_a_full_pipe_that_nobody_reads_holds_nobody_up() -> None:
    reading, writing = os.pipe()
    full = os.fdopen(writing, "w")
    log = EventLog(StreamSink(full, "stdout"), ManualClock(), KEYS)
    for _ in range(MOST_WAITING):
        log.emit(Event(name=EventName.LOGIN, detail={"withheld": "x" * 200}))
    assert log.outlets[0].waiting, "a pipe holds 64 KiB"
    lines: list[str] = []
    with os.fdopen(reading) as file:
        while len(lines) < MOST_WAITING:
            lines.append(file.readline())
    assert all(json.loads(line)["event"] == "login" for line in lines)
    log.close()
    full.close()


def test_a_disk_that_is_full_cuts_a_line_and_the_next_one_is_whole(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
from datetime import timedelta
from pathlib import Path
from imagin_gateway.events import FileSink
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sink = FileSink(Path(sys.argv[1]))
sink.write("a" * 50)
resource.setrlimit(resource.RLIMIT_FSIZE, (70, resource.RLIM_INFINITY))
try:
    sink.write("b" * 50)
except OSError as error:
    print("refused")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
sink.write("c" * 50)
"""
    file = tmp_path / "events.jsonl"
    ran = subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True, check=True)
    assert ran.stdout == "refused\n"
    assert file.read_text().split("\n") == ["a" * 50, "b" * 19, "c" * 50, ""]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 70


@pytest.mark.row("LOG-11")
def test_a_pipe_is_refused_in_the_place_of_a_file_instead_of_waiting_for_a_reader(tmp_path: Path) -> None:
    pipe = tmp_path / "events.jsonl"
    os.mkfifo(pipe)
    log = EventLog(FileSink(pipe), ManualClock(), KEYS)
    log.emit(Event(name=EventName.LOGIN))
    assert log.failing


def test_a_day_has_a_file_of_its_own_and_several_threads_write_whole_lines(tmp_path: Path) -> None:
    clock = ManualClock()
    log = EventLog(FileSink(tmp_path / "e-{day}.jsonl", clock), clock, KEYS)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(400):
            pool.submit(log.emit, Event(name=EventName.LOGIN, detail={"withheld": "x" * 300}))
    clock.move(timedelta(days=1))
    log.emit(Event(name=EventName.LOGOUT))
    assert told(tmp_path / "e-2026-12-14.jsonl") == ["login"] * 400
    assert told(tmp_path / "e-2026-12-15.jsonl") == ["logout"]


def test_several_processes_append_to_one_file_and_a_rotation_under_them_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    script = """
import sys
from datetime import timedelta
from pathlib import Path
from imagin_gateway.events import FileSink
sink = FileSink(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(1500):
    sink.write(f'{{"by":{sys.argv[2]},"n":{number},"event":"x"}}')
"""
    command = [sys.executable, "-c", script, str(file)]
    writers = [subprocess.Popen([*command, str(each)], stdout=subprocess.PIPE) for each in range(3)]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    until(file.exists)
    file.rename(tmp_path / "events.jsonl.1")  # as logrotate does by default
    for writer in writers:
        assert writer.wait(60) == 0
        assert writer.stdout is not None
        writer.stdout.close()
    lines = [json.loads(line) for each in tmp_path.iterdir() for line in each.read_text().splitlines()]
    assert sorted((each["by"], each["n"]) for each in lines) == [(by, n) for by in range(3) for n in range(1500)]


def test_nothing_queued_is_lost_when_the_process_ends_without_closing() -> None:
    script = """
from imagin_gateway.clock import SystemClock
from imagin_gateway.events import Event, EventLog, EventName, StreamSink
from imagin_gateway.keys import Keyring, Secret
log = EventLog(StreamSink(name="stdout"), SystemClock(), Keyring([Secret("k" * 40)]))
for _ in range(300):
    log.emit(Event(name=EventName.LOGIN))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.count('"event": "login"') == 300


_FRAME = re.compile(rb"<85>1 2026-12-14T08:00:00\.000Z \S+ imagin-gateway \d+ event - (\{.*\})")


@pytest.mark.parametrize("how", ["local", "udp", "tcp"])
def test_syslog_is_told_in_the_form_of_its_standard(how: str, tmp_path: Path) -> None:
    if how == "local":
        server, target = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), str(tmp_path / "log")
        server.bind(target)
    else:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if how == "udp" else socket.SOCK_STREAM)
        server.bind(("127.0.0.1", 0))
        target = f"{how}://127.0.0.1:{server.getsockname()[1]}"
    if how == "tcp":
        server.listen()
    server.settimeout(20)
    log = EventLog(SyslogSink(read_target(target)), ManualClock(), KEYS)
    with server:
        log.emit(Event(name=EventName.LOGIN, address="192.0.2.1"))
        log.emit(Event(name=EventName.LOGOUT))
        received = []
        if how == "tcp":
            peer, _ = server.accept()
            with peer, peer.makefile("rb") as stream:
                for _ in range(2):
                    length = b""
                    while (sign := stream.read(1)) != b" ":
                        length += sign
                    received.append(stream.read(int(length)))
        else:
            received = [server.recv(65536) for _ in range(2)]
    found = [_FRAME.fullmatch(frame) for frame in received]
    assert [json.loads(each[1])["event"] for each in found if each] == ["login", "logout"]
    log.close()


@pytest.mark.row("LOG-11")
def test_a_syslog_that_goes_and_comes_back_gets_what_waited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagin_gateway.events.outlet.RETRY_SECONDS", 0.05)
    place = tmp_path / "log"
    log = EventLog(SyslogSink(read_target(str(place))), ManualClock(), KEYS)
    log.emit(Event(name=EventName.LOGIN))
    until(lambda: log.failing)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(place))
        server.settimeout(20)
        assert b'"event": "login"' in server.recv(65536)
        assert b"sink_recovered" in server.recv(65536)
        until(lambda: not log.failing)
    log.close()


def test_a_child_process_writes_its_own_lines_and_not_those_of_its_parent(tmp_path: Path) -> None:
    script = """
import os, sys, threading
from imagin_gateway.events.outlet import Outlet
class Slow:
    waits = True
    def __init__(self): self.go = threading.Event()
    def write(self, line):
        self.go.wait()
        os.write(1, line.encode() + b"\\n")
slow = Slow()
outlet = Outlet(slow)
for n in range(3): outlet.put(f"parent {n}")
child = os.fork()
if not child:
    slow.go = threading.Event(); slow.go.set()
    outlet.put("child")
    outlet.close()
    os._exit(0)
os.waitpid(child, 0)
slow.go.set()
outlet.close()
"""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert sorted(ran.stdout.split("\n")) == ["", "child", "parent 0", "parent 1", "parent 2"]
