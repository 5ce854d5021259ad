"""Recognises white space. A stream of white space alone is no answer, so it is held until other content comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def blank(content: Any) -> bool:
    """Whether it is only white space: a text, a block of text or a list of these. An empty one is not."""
    if isinstance(content, str):
        return content.isspace()
    if isinstance(content, Mapping):
        text = content.get("text") if content.get("type") == "text" else None
        return isinstance(text, str) and text.isspace()
    return bool(content) and all(map(blank, content))
