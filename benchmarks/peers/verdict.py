"""What one request came to."""

from __future__ import annotations

from typing import Any

from benchmarks.peers.server.answers import ARGUMENTS, text

NAMES = ("primary", "backup")


def judged(result: dict[str, Any], *, tool: bool) -> str:
    """One of: good, error (said so), mixed (two models in one answer), cut (passed off as whole)."""
    if "error" in result:
        return "error"
    told = result["text"]
    if sum(f"{name}:" in told for name in NAMES) > 1:
        return "mixed"
    if tool:
        return "good" if result["arguments"] == ARGUMENTS else "cut"
    return "good" if told in map(text, NAMES) else "cut"
