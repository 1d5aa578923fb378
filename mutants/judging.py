"""One change at a time, in a process of its own that forks from one where the tests have just passed.

There everything is imported and collected, and what takes long to make (keys) is made. While the tests
pass untouched, a tracer writes down which lines of the module each of them reaches; so a change is shown
only to the tests that reach its line, the nearest and quickest first, until one fails. The child puts the changed
code under the functions that are there, and forgets what functions remember. A change outside of any
function needs the module to be imported anew: its child forks from a process that has imported
nothing of the house, and runs the quickest tests of all.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import gc
import importlib.abc
import importlib.machinery
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mutants.changes import Mutant, mutants
from mutants.plan import PLAN, ROOT, source

if TYPE_CHECKING:
    import pytest

PATIENCE: Final = 8
"""How many times longer than untouched a change may make a test, before it counts as noticed."""

AT_LEAST: Final = 10.0
"""Seconds that any test may take."""

ENOUGH: Final = 20.0
"""Seconds, untouched, of the tests that a change is shown to: beyond, they are far and slow."""


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    HUNG = "hung"
    """The tests took far longer: noticed."""
    BROKEN = "broken"
    """No test could even begin: noticed, by the import."""


@dataclass(frozen=True)
class Judged:
    """A mutant and its fate."""

    mutant: Mutant
    fate: Fate


def judge(module: str, chosen: Callable[[Mutant], bool] = lambda _: True) -> Iterator[Judged]:
    """Yield the fate of every chosen mutant of a module.

    Raises:
        RuntimeError: the tests do not pass even untouched.
    """
    text = source(module).read_text(encoding="utf-8")
    tree, tests = ast.parse(text), PLAN[module]
    _import_the_others()
    every = [mutant for mutant in mutants(text) if chosen(mutant)]
    within = [mutant for mutant in every if "<locals>" in mutant.scope]
    outside = [mutant for mutant in every if "<locals>" not in mutant.scope]
    for some, serve in ((within, _serve_reached), (outside, _serve_imported)):
        if some:
            yield from _from_a_process(module, some, functools.partial(serve, module, tests, tree, some))


def _import_the_others() -> None:
    """Import what the tests need and is not of the house."""
    for name in ("lxml.etree", "xmlsec", "sqlalchemy", "pydantic_settings", "joserfc.jws", "httpx2", "pytest"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


Tell = Callable[[int | None], None]
"""Takes what a child said of one mutant, in the order of the mutants."""


def _from_a_process(module: str, some: Sequence[Mutant], serve: Callable[[Tell], None]) -> Iterator[Judged]:
    """Fork one process, which forks one more for each mutant and writes a letter for each fate."""
    with tempfile.TemporaryFile() as said:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            try:
                _hush(said.fileno())
                serve(lambda code: _write(writing, code))
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb", buffering=0) as pipe:
            for mutant in some:
                letter = pipe.read(1)
                if not letter:
                    said.seek(-min(_TOLD, said.seek(0, os.SEEK_END)), os.SEEK_END)
                    words = said.read().decode("utf-8", "replace")
                    raise RuntimeError(
                        f"the tests of {module} do not pass untouched: {' '.join(PLAN[module])}\n{words}"
                    )
                yield Judged(mutant, _LETTERS[letter])
        os.waitpid(child, 0)


_TOLD: Final = 2000
"""Bytes of what the tests said last that are repeated when they fail untouched."""

_LETTERS: Final = {b"k": Fate.KILLED, b"s": Fate.SURVIVED, b"h": Fate.HUNG, b"b": Fate.BROKEN}


def _write(pipe: int, code: int | None) -> None:
    os.write(pipe, {0: b"s", None: b"h", 1: b"k"}.get(code, b"b"))


def _hush(said: int) -> None:
    """What the tests say is of interest only when they fail untouched; what Hypothesis learns of a mutant, never."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream in (1, 2):
        os.dup2(said, stream)
    # Half of what a run takes would be loading plugins that these tests do not use.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = tempfile.mkdtemp(prefix="mutants-")
    from hypothesis import HealthCheck, Phase, settings

    # Nobody reads the smallest example that fails, and a run that is traced is slow.
    os.environ["CI"] = "true"
    settings.register_profile(
        "mutants",
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutants")


def _run(tests: Sequence[str], *plugins: object) -> int:
    import pytest

    # Plugins are there from the run before. What stands on a second engine says nothing else of a change.
    already = "ignore::pytest.PytestAssertRewriteWarning"
    # Without its plugin, Hypothesis takes the tests of one class on two stores for one test of two objects.
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "_hypothesis_pytestplugin", "-W", already]
    options += ["-k", "not postgresql"]
    return int(pytest.main([*options, *tests], plugins=list(plugins)))


def _in_a_child(work: Callable[[], int], patience: float) -> int | None:
    """Return what `work` returns in a process of its own group; None when it, or a test in it, takes too long."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        code = 3
        with contextlib.suppress(BaseException):
            code = work()
        os._exit(code)
    until = time.monotonic() + patience
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            _kill(child)
            if os.WIFSIGNALED(status):
                return None if os.WTERMSIG(status) == signal.SIGALRM else 3
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    _kill(child)
    os.waitpid(child, 0)
    return None


_Test = TypeVar("_Test")


def _give(untouched: float) -> None:
    """Kill this process when the test that begins takes far longer than untouched, whatever it waits for."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, AT_LEAST + PATIENCE * untouched)


def _quickest(took: Mapping[_Test, float]) -> set[_Test]:
    """Return as many tests as there is time for: a change is noticed by one test, whichever."""
    every = sorted(took, key=took.__getitem__)
    so_far = accumulate(map(took.__getitem__, every))
    return {each for each, until in zip(every, so_far, strict=True) if until <= ENOUGH or each is every[0]}


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


# --- changes within functions: shown to the tests that reach them


def _serve_reached(module: str, tests: Sequence[str], tree: ast.Module, some: Sequence[Mutant], tell: Tell) -> None:
    _run(tests, _Loop(module, tree, some, tell))


class _Loop:
    """Takes the place of pytest's own loop over the tests: untouched first, then once for every change."""

    def __init__(self, module: str, tree: ast.Module, some: Sequence[Mutant], tell: Tell) -> None:
        self._module, self._tree, self._some, self._tell = module, tree, some, tell
        self._spans = _Spans(tree)
        self._reach = _Reach(source(module))
        self._failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed = self._failed or report.failed

    def pytest_runtest_call(self, item: pytest.Item) -> None:
        self._reach.is_ready(item)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            return True
        reach, took = self._reach, {}
        for item in session.items:
            began = time.monotonic()
            with reach.by(item):
                self._run_one(session, item)
            if self._failed:
                return True
            took[item] = time.monotonic() - began
        # As the plan names their files, the nearest first.
        rank = {(ROOT / test): place for place, test in enumerate(PLAN[self._module])}
        nearest = sorted(session.items, key=lambda item: (rank.get(item.path, len(rank)), took[item]))
        # A child has no thread of this process: what a fixture of the whole run left to one would be missed there.
        every = {item: took[item] for item in nearest}
        if _in_a_child(lambda: self._run_all(session, every), 60 + PATIENCE * sum(took.values())) != 0:
            return True
        for mutant in self._some:
            lines = self._spans.around(mutant)
            quickest = _quickest({item: took[item] for item in nearest if lines & reach.of(item)})
            reached = {item: took[item] for item in nearest if item in quickest}
            patience = 20 + PATIENCE * sum(reached.values())
            self._tell(_in_a_child(functools.partial(self._try, session, mutant, reached), patience))
        return True

    def _try(self, session: pytest.Session, mutant: Mutant, reached: Mapping[pytest.Item, float]) -> int:
        """Return 0 when every test that reaches the change passes with it."""
        # What could not be put in place has not been noticed.
        put = _under_functions(self._module, mutant.tree(self._tree))
        return self._run_all(session, reached) if put else 0

    def _run_all(self, session: pytest.Session, items: Mapping[pytest.Item, float]) -> int:
        for item, untouched in items.items():
            _give(untouched)
            self._run_one(session, item)
            if self._failed:
                return 1
        return 0

    @staticmethod
    def _run_one(session: pytest.Session, item: pytest.Item) -> None:
        """Run one test, and take down everything but what the whole run shares."""
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=session)


class _Reach:
    """Which lines of one file each test reaches.

    What is reached while a test is made ready counts for every test of its file: what a fixture made may
    be shared.
    """

    def __init__(self, file: Path) -> None:
        self._name = str(file)
        self._lines: set[int] = set()
        self._by_item: dict[pytest.Item, set[int]] = {}
        self._by_file: dict[Path, set[int]] = {}

    @contextlib.contextmanager
    def by(self, item: pytest.Item) -> Iterator[None]:
        """While a test runs, from its fixtures on."""
        self._lines = self._by_file.setdefault(item.path, set())
        self._by_item[item] = set()
        before = sys.gettrace()
        threading.settrace(self._on_call)
        sys.settrace(self._on_call)
        try:
            yield
        finally:
            sys.settrace(before)
            threading.settrace(None)

    def is_ready(self, item: pytest.Item) -> None:
        """Its fixtures are made: what follows is its own."""
        self._lines = self._by_item[item]

    def of(self, item: pytest.Item) -> set[int]:
        """Return the lines that it reaches."""
        return self._by_item[item] | self._by_file[item.path]

    def _on_call(self, frame: FrameType, event: str, arg: object) -> Callable[..., Any] | None:
        if frame.f_code.co_filename != self._name:
            return None
        self._lines.add(frame.f_lineno)
        return self._on_line

    def _on_line(self, frame: FrameType, event: str, arg: object) -> Callable[..., Any]:
        self._lines.add(frame.f_lineno)
        return self._on_line


class _Spans:
    """The lines of the statement around a change: any of them is reached when it is."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree

    def around(self, mutant: Mutant) -> set[int]:
        node: Any = self._tree
        statement: Any = None
        for name, place in mutant.path:
            node = getattr(node, name) if place is None else getattr(node, name)[place]
            if isinstance(node, ast.stmt | ast.excepthandler | ast.match_case):
                statement = node
        first = getattr(statement, "lineno", mutant.line)
        body = getattr(statement, "body", None)
        last = max(first, body[0].lineno - 1) if isinstance(body, list) else statement.end_lineno
        return set(range(first, last + 1)) | {mutant.line}


def _under_functions(module: str, changed: ast.Module) -> bool:
    """Give the functions that are there the changed code; False when none of them has it."""
    name = "imagin_gateway." + module.replace("/", ".")
    file = str(source(module))
    new = {
        (code.co_qualname, code.co_firstlineno): code
        for code in _codes(compile(changed, file, "exec", dont_inherit=True))
    }
    touched = False
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and each.__module__ == name:
            code = new.get((each.__code__.co_qualname, each.__code__.co_firstlineno))
            if code is not None and code != each.__code__ and len(code.co_freevars) == len(each.__code__.co_freevars):
                each.__code__ = code
                touched = True
    for each in gc.get_objects():
        if isinstance(each, functools._lru_cache_wrapper) and str(each.__module__).startswith("imagin_gateway"):
            each.cache_clear()
    return touched


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)


# --- changes outside of functions: at the import


def _serve_imported(module: str, tests: Sequence[str], tree: ast.Module, some: Sequence[Mutant], tell: Tell) -> None:
    with tempfile.TemporaryDirectory() as there:
        told = Path(there, "took.json")
        if _in_a_child(lambda: _run(tests, _Clock(told)), 600) != 0:
            return
        took: dict[str, float] = json.loads(told.read_text(encoding="utf-8"))
    quickest = {each: took[each] for each in took if each in _quickest(took)}
    files = [test for test in tests if any(each.startswith(test + "::") for each in quickest)]
    patience = 60 + PATIENCE * sum(quickest.values())
    for mutant in some:
        changed = mutant.tree(tree)
        tell(_in_a_child(functools.partial(_run_imported, module, files, quickest, changed), patience))


def _run_imported(module: str, files: Sequence[str], chosen: Mapping[str, float], changed: ast.Module) -> int:
    """Return 0 when the chosen tests pass with the module made of the changed code."""
    sys.meta_path.insert(0, _Finder(module, changed))
    return _run(files, _Only(chosen))


class _Clock:
    """Writes down how long each test took, with what was made ready for it alone."""

    def __init__(self, told: Path) -> None:
        self._told, self._took = told, dict[str, float]()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._took[report.nodeid] = self._took.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        self._told.write_text(json.dumps(self._took), encoding="utf-8")


class _Only:
    """Runs the chosen tests alone, each for no longer than it may take."""

    def __init__(self, chosen: Mapping[str, float]) -> None:
        self._chosen = chosen

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self._chosen]

    def pytest_runtest_call(self, item: pytest.Item) -> None:
        _give(self._chosen[item.nodeid])

    def pytest_runtest_teardown(self) -> None:
        # What the next one needs made ready may take long: keys, the first time.
        signal.setitimer(signal.ITIMER_REAL, 0)


class _Changed(importlib.machinery.SourceFileLoader):
    """Loads one module from a tree instead of from its file."""

    tree: ast.Module

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.tree, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, module: str, tree: ast.Module) -> None:
        self._name = "imagin_gateway." + module.replace("/", ".")
        self._file = str(source(module))
        self._tree = tree

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name != self._name:
            return None
        loader = _Changed(name, self._file)
        loader.tree = self._tree
        return importlib.machinery.ModuleSpec(name, loader, origin=self._file)
