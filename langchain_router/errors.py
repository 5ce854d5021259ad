"""The router's errors, made errors of langchain-core as well, so that existing `except` clauses match.

`AllCandidatesFailed` is also the ModelError subclass of the first attempt's fault: an application
that caught ModelRateLimitError around one model still does. If the request overflowed the window of another model, it
is a ContextOverflowError, too, so that middleware that shortens the messages does so. `NoEligibleModel` is also a
ContextOverflowError when every model was refused for its window, else an invalid-request error.
`RouterBusy` is a ModelRateLimitError where models are held by their limits: after enough 429s nothing is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core import exceptions as core

from capability_router.eligibility import WINDOWS
from capability_router.errors import (
    AllCandidatesFailed,
    BudgetExceeded,
    ConfigError,
    NoEligibleModel,
    RouterBusy,
    RouterError,
    StoreError,
    StreamInterrupted,
    remade,
)
from capability_router.faults.kinds import KINDS

__all__ = [
    "AllCandidatesFailed", "BudgetExceeded", "ConfigError", "NoEligibleModel", "RouterBusy", "RouterError",
    "StoreError", "StreamInterrupted", "as_model_error",
]  # fmt: skip

_Refusal = getattr(core, "ModelRefusalError", core.ModelError)  # core 1.7.5 and later

_BY_FAULT: dict[str, type[Exception]] = {
    "rate_limited": core.ModelRateLimitError, "quota_exhausted": core.ModelRateLimitError,
    "overloaded": core.ModelAPIError, "server_error": core.ModelAPIError, "empty": core.ModelAPIError,
    "truncated": core.ModelConnectionError, "connection": core.ModelConnectionError,
    "timeout": core.ModelTimeoutError, "auth": core.ModelAuthenticationError, "not_found": core.ModelNotFoundError,
    "context_overflow": core.ContextOverflowError, "bad_request": core.ModelInvalidRequestError,
    "unsupported": core.ModelInvalidRequestError, "content_filtered": _Refusal, "refusal": _Refusal,
}  # fmt: skip
_MISTAKES = (ValueError, TypeError, NotImplementedError, KeyError)  # an AttributeError's layout can't be taken on
_PARSE_FAULTS = ("unparsable", "malformed_tool_call")


def as_model_error(error: BaseException) -> BaseException:
    """The same exception object, its class widened to langchain-core's. Others are left as they are.

    The object stays (traceback, cause and attributes with it); only its class is replaced by a
    subclass of it, which is what a caller's `except` looks at.
    """
    if isinstance(error, core.ModelError):
        return error
    if isinstance(error, AllCandidatesFailed) and error.failures:
        _widen(error, *_classes([failure.fault for failure in error.failures]), *_own_class(error))
        error.is_retryable = _is_retryable(error)  # type: ignore[attr-defined]  # the widened class has it
    elif isinstance(error, NoEligibleModel):
        windows = bool(error.refusals) and all(r.rule in WINDOWS for r in error.refusals)
        _widen(error, core.ContextOverflowError if windows else core.ModelInvalidRequestError)
    elif isinstance(error, RouterBusy) and error.held_by:
        _widen(error, core.ModelRateLimitError)
        error.is_retryable = True  # type: ignore[attr-defined]  # likewise
    return error


def _is_retryable(error: AllCandidatesFailed) -> bool:
    """Whether the same request may succeed later. A router among the candidates has judged that itself."""
    retryable = [f.fault in KINDS and KINDS[f.fault].is_retryable for f in error.failures]
    first = error.__cause__
    if isinstance(first, AllCandidatesFailed):
        retryable[0] = bool(getattr(first, "is_retryable", False))
    return any(retryable)


def _classes(faults: Sequence[str | None]) -> tuple[type[Exception], ...]:
    first = _classes_of(faults[0])
    if "context_overflow" not in faults:
        return first
    beside = (kind for kind in first if not issubclass(core.ContextOverflowError, kind))  # a base may not come first
    return (*beside, core.ContextOverflowError)


def _classes_of(fault: str | None) -> tuple[type[Exception], ...]:
    if fault in _PARSE_FAULTS:
        return (core.ModelError, core.OutputParserException)
    return (_BY_FAULT.get(fault or "", core.ModelError),)


def _own_class(error: AllCandidatesFailed) -> tuple[type[Exception], ...]:
    """The class that a model's package raised for a mistake in the call itself; () = it was another fault."""
    if any(failure.fault != "unsupported" for failure in error.failures):
        return ()
    return tuple(kind for kind in _MISTAKES if type(error.__cause__) is kind)


def _widen(error: Exception, *also: type[Exception]) -> None:
    error.__class__ = _both(type(error), also)


def _reduced(error: RouterError) -> tuple[Any, ...]:
    """For pickle: the generated class can't be found by its name, so it is made again from its bases."""
    own, *also = type(error).__bases__
    return _remade, (own, tuple(also), error.args, dict(error.__dict__))


def _remade(
    own: type[Exception], also: tuple[type[Exception], ...], args: tuple[Any, ...], state: dict[str, Any]
) -> RouterError:
    return remade(_both(own, also), args, state)  # type: ignore[arg-type]  # its first base is a RouterError


_made: dict[tuple[type[Exception], ...], type[Exception]] = {}


def _both(own: type[Exception], also: tuple[type[Exception], ...]) -> type[Exception]:
    bases = (own, *also)
    if bases not in _made:
        namespace = {
            "__module__": own.__module__, "__qualname__": own.__qualname__, "__doc__": own.__doc__,
            "__reduce__": _reduced,
        }  # fmt: skip
        _made[bases] = type(own.__name__, bases, namespace)
    return _made[bases]
