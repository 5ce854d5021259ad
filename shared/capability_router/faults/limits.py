"""The rate limits a provider reports in its headers, whichever of their many names it uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from capability_router.clock import SystemClock
from capability_router.faults.durations import wait_s


class RateLimits(NamedTuple):
    """What is left and when it is filled up again, in seconds from now; None = not told."""

    remaining_requests: int | None = None
    remaining_tokens: int | None = None
    limit_requests: int | None = None
    limit_tokens: int | None = None
    reset_requests_s: float | None = None
    reset_tokens_s: float | None = None


_SPANS = {"requests": ("", "-minute", "-day"), "tokens": ("", "-minute", "-day")}
_OURS_TO_ANTHROPIC = {"requests": ("requests",), "tokens": ("tokens", "input-tokens", "output-tokens")}


def _names(fact: str, of: str) -> tuple[str, ...]:
    """Where a fact ("remaining") of a resource ("tokens") may stand, the most usual name first."""
    plain = (f"x-ratelimit-{fact}", f"ratelimit-{fact}") if of == "requests" else ()
    return (
        *(f"x-ratelimit-{fact}-{of}{span}" for span in _SPANS[of]),
        *(f"anthropic-ratelimit-{theirs}-{fact}" for theirs in _OURS_TO_ANTHROPIC[of]),
        *plain,
    )


_NAMES = {(fact, of): _names(fact, of) for fact in ("remaining", "limit", "reset") for of in _SPANS}


def rate_limits(headers: Mapping[str, str], now_unix: float | None = None) -> RateLimits:
    """Read `x-ratelimit-*` and `anthropic-ratelimit-*`; header names in lower case, or in a case-blind mapping.

    `now_unix` (default: the machine's clock) turns reset dates into seconds.
    """
    now = SystemClock.unix() if now_unix is None else now_unix
    return RateLimits(
        remaining_requests=_count(headers, _NAMES["remaining", "requests"]),
        remaining_tokens=_count(headers, _NAMES["remaining", "tokens"]),
        limit_requests=_count(headers, _NAMES["limit", "requests"]),
        limit_tokens=_count(headers, _NAMES["limit", "tokens"]),
        reset_requests_s=_wait(headers, _NAMES["reset", "requests"], now),
        reset_tokens_s=_wait(headers, _NAMES["reset", "tokens"], now),
    )


def _count(headers: Mapping[str, str], names: tuple[str, ...]) -> int | None:
    """A count; -1, which some send for "no limit", is nothing told."""
    told = next((headers[name] for name in names if name in headers), "").strip()
    return int(told) if told.isascii() and told.isdigit() and len(told) <= 12 else None


def _wait(headers: Mapping[str, str], names: tuple[str, ...], now: float) -> float | None:
    return next((wait_s(headers[name], now) for name in names if name in headers), None)
