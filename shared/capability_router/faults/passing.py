"""Errors that are no provider's fault: they reach the caller unchanged, and health hears nothing of them."""

from __future__ import annotations

from capability_router.errors import RouterError
from capability_router.faults.classify import kind_of
from capability_router.faults.evidence import class_names, links

_INTERRUPTS = frozenset({"GraphBubbleUp", "GraphInterrupt", "CancelledError"})
_MISTAKES = (ValueError, TypeError, LookupError, AttributeError, AssertionError, NotImplementedError, NameError)


def passes_through(error: BaseException) -> bool:
    """Cancellation, the end of the program, a graph's interrupt, an error of the router itself.

    The built-in client's own errors are router errors too, but they tell of a provider: they don't pass.
    """
    if not isinstance(error, Exception):
        return True
    names = frozenset(class_names(error))
    return bool(names & _INTERRUPTS) or (isinstance(error, RouterError) and "EndpointError" not in names)


def is_programming_error(error: BaseException) -> bool:
    """A mistake in the calling code: a ValueError, TypeError, KeyError... raised as such.

    False if anything in the chain carries an HTTP status, a provider's code or the name of a known fault
    (a body that is no JSON, an answer that does not fit its schema).
    """
    return isinstance(error, _MISTAKES) and kind_of(links(error), texts=False) == "unknown"
