"""The rows of the table: which fault, how it is asked for, and what counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

RECOVERY_S = 2.0
_LARGE_PROMPT = 6_000
"""Words: more than the primary's window holds."""


@dataclass(frozen=True)
class Row:
    """`fault` is an act of the server. `windows`: tokens stated for primary and backup."""

    name: str
    fault: str
    at_once: int = 1
    streamed: bool = False
    share: float = 1.0
    lasts_s: float | None = None
    requests: int = 100
    pause_s: float = 0.0
    tool: bool = False
    words: int = 0
    windows: tuple[int | None, int | None] = (None, None)

    @property
    def title(self) -> str:
        """As the table names it."""
        how = " (stream)" if self.streamed else ""
        return f"{self.name}{how}{', 20 at once' if self.at_once > 1 else ''}"

    def plan(self, seed: int) -> dict[str, Any]:
        """What the server does on the primary."""
        return {"fault": self.fault, "share": self.share, "lasts_s": self.lasts_s, "seed": seed}


def _unary() -> list[Row]:
    return [
        Row("healthy", "well"),
        Row("500", "http_500"),
        Row("502 with an HTML body", "http_502"),
        Row("503", "http_503"),
        Row("529", "http_529"),
        Row("429", "rate_limited"),
        Row("429, Retry-After 2 s", "rate_limited_wait"),
        Row("insufficient_quota", "quota"),
        Row("401", "unauthorized"),
        Row("connection refused", "refused"),
        Row("connection reset", "reset"),
        Row("hang before headers", "hang"),
        Row("HTML in a 200", "html"),
        Row("invalid JSON in a 200", "bad_json"),
        Row("empty answer", "empty"),
        Row("context overflow, windows stated", "overflow", words=_LARGE_PROMPT, windows=(4_096, 128_000)),
        Row("context overflow, windows unknown", "overflow", words=_LARGE_PROMPT),
        Row("content filter, 400", "filtered"),
        Row("content filter, finish_reason", "filtered_reply"),
        Row("malformed tool call", "bad_tool", tool=True),
        Row("50 % 500s", "http_500", share=0.5),
    ]


def _streamed() -> list[Row]:
    rows = [
        Row("healthy", "well"),
        Row("500", "http_500"),
        Row("429, Retry-After 2 s", "rate_limited_wait"),
        Row("hang before headers", "hang"),
        Row("stall before text", "stall_before"),
        Row("slow first token, 3 s with pings", "slow_first"),
        Row("reset before text", "cut_before"),
        Row("clean end before text", "clean_before"),
        Row("error event before text", "event_before"),
        Row("empty answer", "empty"),
        Row("stall after text", "stall_after"),
        Row("reset after text", "cut_after"),
        Row("clean end after text", "clean_after"),
        Row("error event after text", "event_after"),
        Row("50 % reset after text", "cut_after", share=0.5),
    ]
    return [replace(row, streamed=True) for row in rows]


def _outages() -> list[Row]:
    name = f"outage of {RECOVERY_S:g} s, 500"
    return [
        Row(name, "http_500", lasts_s=RECOVERY_S, requests=200, pause_s=0.05),
        Row(name, "http_500", at_once=20, lasts_s=RECOVERY_S, requests=400, pause_s=0.5),
        Row(f"outage of {RECOVERY_S:g} s, refused", "refused", lasts_s=RECOVERY_S, requests=200, pause_s=0.05),
    ]


def rows() -> list[Row]:
    """All rows: each fault sequentially and at 20 at once, then outages that end."""
    both = [replace(row, at_once=count) for row in (*_unary(), *_streamed()) for count in (1, 20)]
    return [*both, *_outages()]
