"""Screens: hooks that read each request before it is planned. What they find can forbid models, never allow one.

A hook takes the Request or its text and returns what it found (screening/findings.py), once per request. If it fails or
returns something invalid, the request is refused for every model: a text that was not checked is not sent.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Sequence
from contextvars import copy_context
from functools import partial
from pathlib import Path
from threading import Thread
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, NamedTuple

from capability_router.errors import ConfigError
from capability_router.frozen_value import altered
from capability_router.request import Request, ScreenResult
from capability_router.screening.findings import HookFindings, InvalidFindings, read
from capability_router.screening.label_rules import LabelRules
from capability_router.screening.requirement import LabelRequirement, Meant, NarrowedTerms

if TYPE_CHECKING:
    from capability_router.screening.detector import Detector

BUILTIN = "builtin"
_OF_TEXT = ("text", "content", "prompt", "string", "s", "t")
_AT_ONCE = 20_000  # characters that the built-in detector looks at without leaving an event loop
_UNSEEN = "what was not looked at is not sent"
log = logging.getLogger("capability_router")


class ScreenHook(NamedTuple):
    """A function that reads requests. `awaited`: it returns an awaitable, so calling it takes no time."""

    name: str
    look: Callable[[Request], Any]
    awaited: bool = False
    quick: Callable[[Request], bool] = lambda _: False


class _HookFailure(NamedTuple):
    why: str


def hook_of(given: Any) -> ScreenHook:
    """A ScreenHook from a function, sync or async, of a text or of the Request. Raises ConfigError for anything else.

    It takes a text if its first parameter is annotated `str`, or named text, content or prompt.
    """
    if not callable(given) or inspect.isclass(given):
        kind = given.__name__ if inspect.isclass(given) else type(given).__name__
        raise ConfigError(f"screen must be a function of a text or of the Request, or a list of such, got {kind}")
    awaited = inspect.iscoroutinefunction(given) or inspect.iscoroutinefunction(getattr(given, "__call__", None))  # noqa: B004 - its own kind of function is asked for
    name = str(getattr(given, "__name__", type(given).__name__))
    if _takes_text(given):
        return ScreenHook(name, lambda request: given(text_of(request)), awaited)
    return ScreenHook(name, given, awaited)


def _takes_text(given: Callable[..., Any]) -> bool:
    try:
        first = next(iter(inspect.signature(given).parameters.values()), None)
    except (ValueError, TypeError):  # some that are built in tell none
        return True
    if first is None or first.kind in (first.KEYWORD_ONLY, first.VAR_KEYWORD):
        raise ConfigError("screen must be a function of a text or of the Request, got one without such a parameter")
    return first.annotation in (str, "str") or (first.annotation is first.empty and first.name in _OF_TEXT)


def builtin(detector: Detector) -> ScreenHook:
    """The built-in detector as a hook."""
    return ScreenHook(
        BUILTIN, lambda request: HookFindings(detector.found(_sent(request))),
        quick=lambda request: sum(map(len, _sent(request))) <= _AT_ONCE,
    )  # fmt: skip


def text_of(request: Request) -> str:
    """Everything that is sent as text: messages, tool calls, results, schemas, keywords; joined by blank lines."""
    return "\n\n".join(filter(None, _sent(request)))


def _sent(request: Request) -> tuple[str, ...]:
    return (*request.texts, request.tools, *request.beside)


class Screen:
    """`rules`: what each label requires. `meant`: the ids that a model's name stands for."""

    def __init__(self, hooks: Sequence[ScreenHook], rules: LabelRules, meant: Meant) -> None:
        self._hooks, self._rules, self._meant = tuple(hooks), rules, meant
        self._nothing = ScreenResult({}, {}, by=self)

    def before(self, request: Request) -> Request:
        """The request with the terms that the findings require. An async hook runs here, in a loop of its own."""
        steps = self._steps(request)
        try:
            hook = next(steps)
            while True:
                hook = steps.send(_asked(hook, request))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # a generator's, which StopIteration does not know

    async def abefore(self, request: Request) -> Request:
        """As `before`, without blocking the event loop: a sync hook runs in a thread, an async one in this loop."""
        steps = self._steps(request)
        try:
            hook = next(steps)
            while True:
                hook = steps.send(await _awaited(hook, request))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # as above

    def _steps(self, request: Request) -> Generator[ScreenHook, HookFindings | _HookFailure, Request]:
        """A generator: yields each hook to ask and receives its answer. A request is read once."""
        if request.screened is not None and request.screened.by is self:
            return request
        found, asked = dict[str, int](), list[tuple[str, LabelRequirement]]()
        for hook in self._hooks:
            answer = yield hook
            if isinstance(answer, _HookFailure):
                log.warning("the screen %s: %s", hook.name, answer.why)
                return _barred(request, f"the screen {hook.name} {answer.why}; {_UNSEEN}", self)
            asked += self._asking(hook, answer)
            for label, count in answer.found.items():
                found[label] = found.get(label, 0) + count
        return self._narrowed(request, found, asked) if found or asked else altered(request, screened=self._nothing)

    def _asking(self, hook: ScreenHook, answer: HookFindings) -> Iterator[tuple[str, LabelRequirement]]:
        """The required terms and what requires them: the hook itself, and its labels, unless these only repeat it."""
        demand = answer.demand
        if demand is not None:
            yield hook.name, demand
        for label in answer.found:
            if demand is None or self._rules.names(label):
                yield label, self._rules.of(label)

    def _narrowed(
        self, request: Request, found: dict[str, int], asked: Iterable[tuple[str, LabelRequirement]]
    ) -> Request:
        narrowing = NarrowedTerms(request.routing, self._meant)
        for label, demand in asked:
            narrowing.add(label, demand)
        by_term = {name: tuple(labels) for name, labels in narrowing.asked.items()}
        screened = ScreenResult(dict(sorted(found.items())), by_term, narrowing.barred, narrowing.told(), self)
        return altered(request, routing=narrowing.terms, screened=screened)


def _barred(request: Request, why: str, by: Screen) -> Request:
    return altered(request, screened=ScreenResult({}, {}, why, "", by))


def _looked(hook: ScreenHook, request: Request) -> Any:
    """The hook's answer, or an awaitable. It is read here, where the hook runs, because it may be a generator.

    It raises nothing: a StopIteration can't be passed from a thread to a waiting task, which would wait for ever.
    """
    try:
        given = hook.look(request)
    except Exception as error:  # noqa: BLE001 - whatever a hook raises, the request is not sent
        return _failed(error)
    return given if _waits(given) else _answer(given)


def _answer(given: Any) -> HookFindings | _HookFailure:
    if isinstance(given, _HookFailure):
        return given
    try:
        return read(given)
    except InvalidFindings as error:
        return _HookFailure(f"can't be read: {error}")
    except Exception as error:  # noqa: BLE001 - an answer of a foreign kind may raise anything when it is read
        return _failed(error)


def _asked(hook: ScreenHook, request: Request) -> HookFindings | _HookFailure:
    given = _looked(hook, request)
    if isinstance(given, (HookFindings, _HookFailure)):
        return given
    try:
        given = _finished(given)
    except Exception as error:  # noqa: BLE001 - as above
        return _failed(error)
    return _answer(given)


async def _awaited(hook: ScreenHook, request: Request) -> HookFindings | _HookFailure:
    here = hook.awaited or hook.quick(request)
    given = _looked(hook, request) if here else await asyncio.to_thread(_looked, hook, request)
    if isinstance(given, (HookFindings, _HookFailure)):
        return given
    try:
        given = await given
    except Exception as error:  # noqa: BLE001 - as above
        return _failed(error)
    return _answer(given)


def _waits(given: Any) -> bool:
    return given.__class__ is not HookFindings and inspect.isawaitable(given)


def _failed(error: Exception) -> _HookFailure:
    """The failure without the error's message, which may quote the text."""
    place = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)][-1:]
    where = "".join(f" at {Path(name).name}:{line}" for name, line in place)
    return _HookFailure(f"raised {type(error).__name__}{where}")


def _finished(given: Awaitable[Any]) -> Any:
    """Run the awaitable in this thread; if an event loop runs here, in another thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_whole(given))
    ends: list[Any] = []
    work = partial(copy_context().run, _to_its_end, given, ends)
    thread = Thread(target=work, name="router screen", daemon=True)
    thread.start()
    thread.join()
    (end,) = ends
    return end


def _to_its_end(given: Awaitable[Any], ends: list[Any]) -> None:
    try:
        ends.append(asyncio.run(_whole(given)))
    except BaseException as error:  # noqa: BLE001 - handed to the waiting task
        ends.append(
            _HookFailure(f"raised {type(error).__name__}") if not isinstance(error, Exception) else _failed(error)
        )


async def _whole(given: Awaitable[Any]) -> Any:
    return await given
