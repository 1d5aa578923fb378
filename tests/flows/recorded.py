"""The ports of the journeys, recorded: what was asked of each, in which order, and what it answered or failed with.

A script says what a port answers instead of the truth, and which call fails. So a journey can be driven through
answers and outages nobody has thought of, and its trace held against what each step needs before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from imagin_gateway.errors import Code, Unavailable

OUTAGES: Final[Mapping[str, Callable[[], Exception]]] = {
    "unavailable": lambda: Unavailable("scripted", code=Code.STORE_UNAVAILABLE),
    "fault": lambda: RuntimeError("scripted"),
    "disk": lambda: OSError("scripted"),
}

TRUTH: Final = object()
"""What a script says where the port itself is to answer."""


@dataclass(frozen=True)
class Step:
    """One call of a port.

    Attributes:
        name: of the step.
        answer: what it answered; None when it failed.
        failed: whether it did.
    """

    name: str
    answer: Any
    failed: bool = False

    @property
    def well(self) -> bool:
        """Whether it answered, and did not say no."""
        return not self.failed and self.answer is not False and self.answer is not None


@dataclass
class Trace:
    """What happened, and what is to happen.

    Attributes:
        steps: in order.
        outages: by number of the call, which failure.
        answers: by name of the step, what it answers in the place of the port.
    """

    steps: list[Step] = field(default_factory=list)
    outages: dict[int, str] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)

    def call(self, name: str, real: Callable[[], Any]) -> Any:
        """Record one call, unless the script has it fail or answer by itself."""
        if (outage := self.outages.get(len(self.steps))) is not None:
            self.steps.append(Step(name, None, failed=True))
            raise OUTAGES[outage]()
        told = self.answers.get(name, TRUTH)
        try:
            answer = real() if told is TRUTH else told() if callable(told) else told
        except BaseException:
            self.steps.append(Step(name, None, failed=True))
            raise
        self.steps.append(Step(name, True if answer is None and told is TRUTH else answer))
        return answer

    def names(self) -> list[str]:
        return [step.name for step in self.steps]

    def all_of(self, name: str) -> list[Step]:
        return [step for step in self.steps if step.name == name]

    def needs(self, name: str, *before: str, done: bool = False) -> None:
        """Check that each time a step was taken, each of these had gone well before; `a|b` is one of the two.

        Args:
            name: of the step.
            before: names of what it needs.
            done: it holds the others within it: what counts is that it went well.
        """
        well: set[str] = set()
        for step in self.steps:
            if step.name == name and (step.well or not done):
                for each in before:
                    assert well & set(each.split("|")), f"{name} before {each} went well: {self.names()}"
            if step.well:
                well.add(step.name)


class Watched:
    """A port of which some calls are recorded; the rest goes through.

    Args:
        port: the real one.
        trace: where calls are told.
        steps: by name of the method, that of the step; or what makes it of the arguments.
    """

    def __init__(self, port: Any, trace: Trace, steps: Mapping[str, str | Callable[..., str]]) -> None:
        self._port, self._trace, self._steps = port, trace, steps

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        step = self._steps.get(name)
        if step is None:
            return found

        def call(*words: Any, **more: Any) -> Any:
            told = step if isinstance(step, str) else step(*words, **more)
            return self._trace.call(told, lambda: found(*words, **more)) if told else found(*words, **more)

        return call


class WatchedDatabase:
    """A database whose transactions are recorded as they begin."""

    def __init__(self, database: Any, trace: Trace, step: str) -> None:
        self._database, self._trace, self._step = database, trace, step

    def read(self) -> AbstractContextManager[Any]:
        return self._open(self._step, self._database.read)

    def write(self, **more: Any) -> AbstractContextManager[Any]:
        return self._open(f"{self._step} written", lambda: self._database.write(**more))

    @contextmanager
    def _open(self, step: str, real: Callable[[], AbstractContextManager[Any]]) -> Any:
        self._trace.call(step, lambda: True)
        with real() as connection:
            yield connection
