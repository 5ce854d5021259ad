"""Makes any evaluator a function of a request and an answer, awaited or not.

Evaluators of other packages are recognised by their methods; none of those packages is needed for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from capability_router.errors import ConfigError
from capability_router.evaluation.answer import Answer
from capability_router.request import Request

Ask = Callable[[Request, Answer], Any]
_GIVEN = "inputs", "outputs"  # the names by which LangSmith's and openevals' functions take what they judge


class Evaluator(NamedTuple):
    """`ask` returns what `graded` reads, or, if `awaited`, an awaitable of it."""

    ask: Ask
    awaited: bool


def evaluator_of(given: Any) -> Evaluator:
    """The evaluator, whatever its framework.

    A function `(request, answer)`, or `(inputs, outputs)` as LangSmith's; a LangSmith RunEvaluator, a LangChain
    StringEvaluator, a LlamaIndex BaseEvaluator. Raises ConfigError for anything else, or for one that needs what a
    router does not have.
    """
    if isinstance(given, type):
        raise ConfigError(f"evaluator: {given.__name__} is a class; give an instance of it")
    for method, made in _KINDS.items():
        if callable(getattr(given, method, None)):
            found: Evaluator = made(given)
            return found
    if not callable(given):
        raise ConfigError(
            f"evaluator must be a function (request, answer), a LangSmith or LangChain evaluator, or a LlamaIndex "
            f"evaluator, got {type(given).__name__}"
        )
    return _of_function(given)


def prompt_of(request: Request) -> str:
    """All messages' texts, with a blank line between them."""
    return "\n\n".join(request.texts)


def _of_function(given: Callable[..., Any]) -> Evaluator:
    awaited = inspect.iscoroutinefunction(given) or inspect.iscoroutinefunction(getattr(given, "__call__", None))  # noqa: B004 - its own kind of function is asked for
    try:
        signature = inspect.signature(given)
    except (ValueError, TypeError):  # some that are built in tell none
        return Evaluator(given, awaited)
    names = [name for name in _GIVEN if name in signature.parameters]
    if not names:
        _check_bound(signature, (None, None), {})
        return Evaluator(given, awaited)
    _check_bound(signature, (), dict.fromkeys(names))

    def named(request: Request, answer: Answer) -> Any:
        values = {"inputs": prompt_of(request), "outputs": answer.text}
        return given(**{name: values[name] for name in names})

    return Evaluator(named, awaited)


def _check_bound(signature: inspect.Signature, args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
    try:
        signature.bind(*args, **keywords)
    except TypeError as error:
        raise ConfigError(
            f"evaluator must take (request, answer), or inputs and outputs by these names, and no more: {error}"
        ) from None


def _of_strings(given: Any) -> Evaluator:
    """LangChain's StringEvaluator."""
    if getattr(given, "requires_reference", False):
        raise ConfigError(f"evaluator: {type(given).__name__} needs a reference answer, and a router has none")
    ask = getattr(given, "aevaluate_strings", None) or given.evaluate_strings
    return Evaluator(lambda request, answer: ask(prediction=answer.text, input=prompt_of(request)), _awaits(ask))


def _of_answers(given: Any) -> Evaluator:
    """LlamaIndex's BaseEvaluator."""
    ask = getattr(given, "aevaluate", None) or given.evaluate
    return Evaluator(lambda request, answer: ask(query=prompt_of(request), response=answer.text), _awaits(ask))


def _of_runs(given: Any) -> Evaluator:
    """LangSmith's RunEvaluator."""
    ask = getattr(given, "aevaluate_run", None) or given.evaluate_run
    return Evaluator(lambda request, answer: ask(_run(request, answer), None), _awaits(ask))


def _run(request: Request, answer: Answer) -> Any:
    from langsmith.schemas import Run  # imported here: a user of such an evaluator has that package

    try:
        id = UUID(request.id)
    except ValueError:  # an id that the caller has set
        id = uuid4()
    now = datetime.now(UTC)
    return Run(
        id=id, trace_id=id, name="router", run_type="llm", start_time=now, end_time=now,
        inputs={"input": prompt_of(request)}, outputs={"output": answer.text},
        extra={"metadata": {"request_id": request.id, "model": answer.model, "provider": answer.provider}},
    )  # fmt: skip


def _awaits(ask: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(ask)


_KINDS: dict[str, Callable[[Any], Evaluator]] = {
    "evaluate_run": _of_runs, "evaluate_strings": _of_strings, "aevaluate": _of_answers,
}  # fmt: skip
