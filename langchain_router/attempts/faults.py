"""Classifies the exceptions of a LangChain model: which are faults of its provider, and of which kind."""

from __future__ import annotations

from collections.abc import Collection
from json import JSONDecodeError

from langchain_core import exceptions as core
from langchain_core.callbacks import manager

from capability_router.faults.caller_errors import is_programming_error, mistake, passes_through
from capability_router.faults.classify import classify
from capability_router.faults.key_errors import key_fault
from capability_router.faults.kinds import Fault
from capability_router.faults.nested_routers import nested_router_fault
from capability_router.frozen_value import altered
from capability_router.routing import TERMS, routing_hint
from langchain_router.call import IN_CONFIG
from langchain_router.partners.dialects import DIALECTS
from langchain_router.partners.parsed_answers import usage_of
from langchain_router.partners.unparsed_replies import stumbled

_KINDS: tuple[tuple[str, str], ...] = (
    ("ModelRateLimitError", "rate_limited"), ("ModelTimeoutError", "timeout"), ("ModelConnectionError", "connection"),
    ("ModelAPIError", "server_error"), ("ModelAuthenticationError", "auth"), ("ModelPermissionDeniedError", "auth"),
    ("ModelNotFoundError", "not_found"), ("ContextOverflowError", "context_overflow"),
    ("ModelRefusalError", "refusal"), ("ModelInvalidRequestError", "bad_request"),
)  # fmt: skip
# A class newer than the installed langchain-core is simply absent.
_BY_CLASS = tuple((getattr(core, name), kind) for name, kind in _KINDS if hasattr(core, name))


_NO_CHUNKS = (
    "No generation chunks were returned",
    "No generations found in stream",
    *(dialect.empty_stream_error for dialect in DIALECTS if dialect.empty_stream_error),
)
"""The beginnings of error texts by langchain-core, also where it gathers a stream, and by some packages, for a stream
without any chunk."""


def fault_of(error: BaseException, keywords: Collection[str] = ()) -> Fault | None:
    """A model's exception as a fault; None = it is raised to the caller unchanged.

    `keywords`: the names of the call's keywords; the fault names those that a package doesn't accept.
    """
    fault = _sorted(error, keywords)
    if fault is None or fault.usage is not None:
        return fault
    usage = usage_of(error)
    return fault if usage is None else altered(fault, usage=usage)


def _sorted(error: BaseException, keywords: Collection[str]) -> Fault | None:
    """The same without the tokens of an answer that an SDK could not parse."""
    inner = nested_router_fault(error) or key_fault(error)
    if inner is not None:
        return inner
    if passes_through(error) or isinstance(error, Warning):  # a warning that the caller's filters turn into an error
        return None
    if by_handler(error):
        return None
    if _without_chunks(error):
        return Fault("truncated", "the stream ended before its first chunk", error=error)
    if is_programming_error(error):  # an unknown keyword, content block or method
        return stumbled(error) or Fault("unsupported", _mistake(error, keywords), error=error)
    fault = classify(error)
    over_a_reply = fault.kind == "unparsable" or isinstance(error, JSONDecodeError)  # an SDK's own check of a body
    if over_a_reply and (told := stumbled(error)) is not None:
        return told
    named = next((kind for cls, kind in _BY_CLASS if isinstance(error, cls)), None) if fault.kind == "unknown" else None
    return altered(fault, kind=named) if named else fault


def _without_chunks(error: BaseException) -> bool:
    told = error.args[0] if error.args else None
    return isinstance(told, str) and told.startswith(_NO_CHUNKS)


def unsupported(fault: Fault, error: BaseException, keywords: Collection[str] = ()) -> Fault:
    """The fault as "unsupported": the model's package rejected the call."""
    return altered(fault, kind="unsupported", detail=_mistake(error, keywords))


def _mistake(error: BaseException, keywords: Collection[str]) -> str:
    return mistake(error, keywords, _of_router)


def _of_router(name: str) -> str:
    return f" ({routing_hint(name, IN_CONFIG)}, if the router is meant)" if name in TERMS else ""


def by_handler(error: BaseException) -> bool:
    """Whether a callback handler with `raise_error` raised it to stop the call, so that it is no model's fault.

    Such errors can only be recognised by their traceback, which goes through langchain-core's dispatch.
    """
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_name in _DISPATCH and code.co_filename == manager.__file__:
            return True
        trace = trace.tb_next
    return False


_DISPATCH = ("handle_event", "_ahandle_event_for_handler")
