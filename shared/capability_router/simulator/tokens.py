"""How the simulator counts tokens: a rule simple enough to check by hand.

A text takes its UTF-8 bytes divided by four, rounded up; a message four more; an attached part a
fixed number; tool schemas and a response schema count as texts (compact JSON).
"""

from __future__ import annotations

import json
from typing import Any

PER_MESSAGE = 4
MEDIA_TOKENS = {"image": 500, "audio": 400, "pdf": 800}


def text_tokens(text: str) -> int:
    """Tokens of one text."""
    return -(-len(text.encode("utf-8", "replace")) // 4)


def compact(value: Any) -> str:
    """JSON as it is counted and sent: no blanks, unicode as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
