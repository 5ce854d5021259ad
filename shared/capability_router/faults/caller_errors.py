"""Errors that are not the provider's: they are raised to the caller unchanged and do not affect health."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from capability_router.errors import RouterError
from capability_router.faults.classify import kind_of
from capability_router.faults.evidence import class_names, links

_INTERRUPTS = frozenset({"GraphBubbleUp", "GraphInterrupt", "CancelledError"})
_MISTAKES = (ValueError, TypeError, LookupError, AttributeError, AssertionError, NotImplementedError, NameError,
             ImportError)  # fmt: skip


def passes_through(error: BaseException) -> bool:
    """Whether it is a cancellation, the end of the program, a LangGraph interrupt or an error of the router itself.

    The built-in client's errors are router errors too, but they are about a provider: False.
    """
    if not isinstance(error, Exception):
        return True
    names = frozenset(class_names(error))
    return bool(names & _INTERRUPTS) or (isinstance(error, RouterError) and "EndpointError" not in names)


def is_programming_error(error: BaseException) -> bool:
    """Whether it is a mistake in the calling code: a plain ValueError, TypeError, KeyError, ...

    False if anything in the chain has an HTTP status, a provider's code or the class name of a known fault (a body that
    is no JSON, an answer that does not fit its schema).
    """
    return isinstance(error, _MISTAKES) and kind_of(links(error), texts=False) == "unknown"


def mistake(error: BaseException, keywords: Collection[str], term: Callable[[str], str]) -> str:
    """A mistake of the calling code, for error texts: "TypeError over the keyword seed" or "ImportError of torch".

    `keywords`: those of the call. Only their names are taken from the exception's text, which may quote the prompt.
    `term(name)`: a remark if a keyword was probably meant for the router, else "".
    """
    named = sorted(_named_by(error).intersection(keywords))
    lacking = str(error.name or "") if isinstance(error, ImportError) else ""
    kind = type(error).__name__ + (f" of {lacking}" if _MODULE.fullmatch(lacking) else "")
    said = next(filter(None, map(term, named)), "")
    return f"{kind} over the keyword{'s' * (len(named) > 1)} {', '.join(named)}{said}" if named else kind


_MODULE = re.compile(r"[\w.]{1,80}")
_NAMES = re.compile(r"['\"`](\w+)['\"`]|\b(\w+)=")  # as Python itself and the packages write a keyword


def _named_by(error: BaseException) -> set[str]:
    """Possible keyword names in an exception: the locations in pydantic's error, else quoted words."""
    from pydantic import ValidationError  # at first use, because importing pydantic takes long

    if isinstance(error, ValidationError):
        places = (
            detail["loc"] for detail in error.errors(include_url=False, include_context=False, include_input=False)
        )
        return {str(place[0]) for place in places if place}
    return {name for found in _NAMES.findall(str(error)) for name in found if name}
