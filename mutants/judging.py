"""One change at a time, in a process of its own that forks from one where the tests have just passed.

There everything is imported, and what takes long to make (keys) is made. The child puts the changed
code under the functions that are there, forgets what functions remember, and runs the tests again
until one fails. A change outside of any function needs the module to be imported anew: its child
forks from a process that has imported nothing of the house.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import gc
import importlib.abc
import importlib.machinery
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import CodeType, FunctionType
from typing import Any, Final

from mutants.changes import Mutant, mutants
from mutants.plan import PLAN, source

PATIENCE: Final = 8
"""How many times longer than the untouched tests a change may make them, before it counts as noticed."""


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
    for some, prepare, put in ((within, True, _under_functions), (outside, False, _at_import)):
        if some:
            yield from _from_a_process(module, tests, tree, some, prepare, put)


def _import_the_others() -> None:
    """Import what the tests need and is not of the house."""
    for name in ("lxml.etree", "xmlsec", "sqlalchemy", "pydantic_settings", "joserfc.jws", "httpx2", "pytest"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


Put = Callable[[str, ast.Module], bool]


def _from_a_process(
    module: str, tests: Sequence[str], tree: ast.Module, some: Sequence[Mutant], warm: bool, put: Put
) -> Iterator[Judged]:
    """Fork one process, which forks one more for each mutant and writes a letter for each fate."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            _serve(module, tests, tree, some, warm, put, writing)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        for mutant in some:
            letter = pipe.read(1)
            if not letter:
                raise RuntimeError(f"the tests of {module} do not pass untouched: {' '.join(tests)}")
            yield Judged(mutant, _LETTERS[letter])
    os.waitpid(child, 0)


_LETTERS: Final = {b"k": Fate.KILLED, b"s": Fate.SURVIVED, b"h": Fate.HUNG, b"b": Fate.BROKEN}


def _serve(
    module: str, tests: Sequence[str], tree: ast.Module, some: Sequence[Mutant], warm: bool, put: Put, writing: int
) -> None:
    _hush()
    began = time.monotonic()
    if warm:
        if _run(tests) != 0:
            return
    elif _in_a_child(lambda: _run(tests), 600) != 0:
        return
    patience = 20 + PATIENCE * (time.monotonic() - began)
    for mutant in some:
        changed = mutant.tree(tree)
        code = _in_a_child(functools.partial(_try, put, module, changed, tests), patience)
        os.write(writing, {0: b"s", None: b"h", 1: b"k"}.get(code, b"b"))


def _try(put: Put, module: str, changed: ast.Module, tests: Sequence[str]) -> int:
    """Return 0 when every test passes with the change."""
    if not put(module, changed):
        return 4
    return _run(tests)


def _run(tests: Sequence[str]) -> int:
    import pytest

    # Plugins are there from the run before.
    already = "ignore::pytest.PytestAssertRewriteWarning"
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-W", already, *tests]))


def _in_a_child(work: Callable[[], int], patience: float) -> int | None:
    """Return what `work` returns in a process of its own group; None when it takes too long."""
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
            return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 3
        time.sleep(0.02)
    _kill(child)
    os.waitpid(child, 0)
    return None


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _hush() -> None:
    """What the tests say is of no interest here; what Hypothesis learns of a mutant neither."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    # Half of what a run takes would be loading plugins that these tests do not use.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = tempfile.mkdtemp(prefix="mutants-")


# --- putting a change in place


def _under_functions(module: str, changed: ast.Module) -> bool:
    """Give the functions that are there the changed code."""
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
    return touched or _at_import(module, changed)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)


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


def _at_import(module: str, changed: ast.Module) -> bool:
    """Let the module be made of the changed code when it is imported, which must not have happened yet."""
    if any(name.split(".")[0] == "imagin_gateway" for name in sys.modules):
        return False
    sys.meta_path.insert(0, _Finder(module, changed))
    return True
