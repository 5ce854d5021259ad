"""JSON that others wrote: whatever is wrong with it, one kind of error says so.

Python's reader gives up on JSON that is nested deeper than its stack with a RecursionError, which is no ValueError. A
model that repeats a bracket writes such a text.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_DEEP = "nested too deep"


def parsed(text: str | bytes) -> Any:
    """The value; raises ValueError for what is no JSON and for what is nested too deep to be read."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(_DEEP) from None


def parsed_by(read: Callable[P, T], *given: P.args, **options: P.kwargs) -> T:
    """What another reader of JSON makes of it; raises what that raises, and ValueError for what is nested too deep."""
    try:
        return read(*given, **options)
    except RecursionError:
        raise ValueError(_DEEP) from None
