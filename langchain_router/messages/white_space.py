"""White space alone: a stream of no more than that is no answer, so that it is held until something else has come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def blank(content: Any) -> bool:
    """Whether it is white space alone, as a text, a block of text or a list of such. Nothing at all is not."""
    if isinstance(content, str):
        return content.isspace()
    if isinstance(content, Mapping):
        text = content.get("text") if content.get("type") == "text" else None
        return isinstance(text, str) and text.isspace()
    return bool(content) and all(map(blank, content))
