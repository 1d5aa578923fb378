"""What the host does at a login and at a logout. Its errors are its own: told, and stopping nothing they must not.

A hook is a function or a coroutine function; which of the two is seen when the hooks are
made, not when they run. A coroutine runs in the event loop of the server, while the thread
of the login waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, fields
from inspect import iscoroutinefunction
from typing import Any, Final

from imagin_gateway.errors import AdmissionRefused, Code
from imagin_gateway.events import Event, EventLog, EventName
from imagin_gateway.identity import Identity

Verdict = str | Mapping[str, str] | None
"""None lets the person in; a sentence, or one a language, refuses them and is told to them."""

BeforeAdmission = Callable[[Identity], Verdict] | Callable[[Identity], Awaitable[Verdict]]
After = Callable[[Identity], None] | Callable[[Identity], Awaitable[None]]

PATIENCE: Final = 10.0
"""Seconds a coroutine may take; then it is cancelled, which counts as an error of its own."""

RULE: Final = "host-hook"
"""Stands in the event of a refusal for the id of a rule."""

LOOP: Final[ContextVar[asyncio.AbstractEventLoop | None]] = ContextVar("imagin_gateway_loop", default=None)
"""The event loop of the request that a thread of ours works for, under ASGI."""

_log = logging.getLogger("imagin_gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the host wants called.

    Attributes:
        before_admission: with somebody who proved who they are, before any session; may refuse them. When it fails,
            they are refused.
        after_login: with somebody whose session has just begun. When it fails, they stay signed in.
        after_logout: with somebody who has just ended the session of this browser. Of sessions that end by themselves,
            elsewhere or by their portal the host learns at the next request. When it fails, the session is over all the
            same.
    """

    before_admission: BeforeAdmission | None = None
    after_login: After | None = None
    after_logout: After | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            hook = getattr(self, each.name)
            if hook is not None and not callable(hook):
                raise TypeError(f"the hook {each.name} is a function, not {type(hook).__name__}")

    @property
    def coroutines(self) -> tuple[str, ...]:
        """The names of the hooks that only an event loop can run."""
        return tuple(each.name for each in fields(self) if _is_coroutine(getattr(self, each.name)))

    def admit(self, identity: Identity, events: EventLog, languages: tuple[str, ...]) -> None:
        """Ask whether somebody may come in.

        Raises:
            AdmissionRefused: the hook refuses them, or failed.
        """
        if self.before_admission is None:
            return
        try:
            verdict = _run(self.before_admission, identity)
            if verdict is None:
                return
            sentences = dict.fromkeys(languages, verdict) if isinstance(verdict, str) else _sentences(verdict)
        except Exception as error:
            _failed("before_admission", error, identity, events)
            raise AdmissionRefused([RULE], {}) from None
        raise AdmissionRefused([RULE], sentences)

    def logged_in(self, identity: Identity, events: EventLog) -> None:
        """Tell the host of a login. Never raises."""
        self._tell("after_login", identity, events)

    def logged_out(self, identity: Identity, events: EventLog) -> None:
        """Tell the host of a logout. Never raises."""
        self._tell("after_logout", identity, events)

    def _tell(self, name: str, identity: Identity, events: EventLog) -> None:
        hook = getattr(self, name)
        if hook is None:
            return
        try:
            _run(hook, identity)
        except Exception as error:
            _failed(name, error, identity, events)


def _is_coroutine(hook: Any) -> bool:
    return iscoroutinefunction(hook) or iscoroutinefunction(getattr(hook, "__call__", None))  # noqa: B004  # an object


def _run(hook: Any, identity: Identity) -> Any:
    if not _is_coroutine(hook):
        return hook(identity)
    loop = LOOP.get()
    if loop is None:
        raise RuntimeError("no event loop serves this request")
    future = asyncio.run_coroutine_threadsafe(hook(identity), loop)
    try:
        return future.result(PATIENCE)
    except TimeoutError:
        future.cancel()
        raise


def _sentences(verdict: Any) -> dict[str, str]:
    if not isinstance(verdict, Mapping) or not all(isinstance(each, str) for each in verdict.values()):
        raise TypeError("before_admission returns None, a sentence, or sentences by language")
    return dict(verdict)


def _failed(name: str, error: Exception, identity: Identity, events: EventLog) -> None:
    _log.error("the host's hook %s failed", name, exc_info=error)
    detail = {"hook": name, "type": type(error).__name__}
    events.emit(
        Event(name=EventName.HOOK_FAILED, code=Code.HOOK_FAILED, door=identity.door, person=identity.key, detail=detail)
    )
