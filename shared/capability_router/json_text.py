"""Parses JSON from others: whatever is wrong with it, the error is a ValueError.

Python's parser raises RecursionError, which is no ValueError, for JSON that is nested deeper than its stack. A model
that repeats a bracket writes such a text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_DEEP = "nested too deep"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*("|\\?\Z)', re.DOTALL)
"""A string; its group is not a quotation mark if the text ends within it."""


def parsed(text: str | bytes, *, strict: bool = True) -> Any:
    """The value; raises ValueError for invalid JSON and for JSON that is nested too deep.

    `strict=False` accepts raw control characters in strings, such as line breaks. Both frameworks read what a model
    wrote so.
    """
    try:
        return json.loads(text, strict=strict)
    except RecursionError:
        raise ValueError(_DEEP) from None


def tool_arguments(text: str) -> dict[str, Any]:
    """The arguments of a tool call, as a model wrote them; `{}` for none. Raises ValueError for other JSON.

    Both frameworks read an empty value (`null`, `[]`, `""`) as no arguments.
    """
    found = (parsed(text, strict=False) if text.strip() else None) or {}
    if not isinstance(found, dict):
        raise ValueError("the arguments are not a JSON object")
    return found


def breaks_off(text: str) -> bool:
    """Whether a bracket or a string is open at the end of a text that is no JSON, so that a part of it is missing."""
    beside = _STRING.sub(lambda found: "" if found[1] == '"' else "{", text)
    return sum(map(beside.count, "{[")) > sum(map(beside.count, "}]"))


def parsed_by(read: Callable[P, T], *given: P.args, **options: P.kwargs) -> T:
    """The result of another JSON reader; raises its errors, and ValueError for JSON that is nested too deep."""
    try:
        return read(*given, **options)
    except RecursionError:
        raise ValueError(_DEEP) from None
