"""Reads the rate limits that a provider reports in its headers, under any of their many names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from capability_router.clock import SystemClock
from capability_router.faults.durations import wait_s


class RateLimits(NamedTuple):
    """Remaining and total requests and tokens, and seconds until the limit resets; None = not reported.

    Of several limits of one kind (per minute and per day) it is the one with least left. Tokens are those of requests'
    input: a limit of output tokens is usually far smaller, and counts only once nothing of it is left.
    """

    remaining_requests: int | None = None
    remaining_tokens: int | None = None
    limit_requests: int | None = None
    limit_tokens: int | None = None
    reset_requests_s: float | None = None
    reset_tokens_s: float | None = None


class _ReportedLimit(NamedTuple):
    """One limit as reported. Each part may be missing."""

    remaining: int | None
    limit: int | None
    reset_s: float | None


_FACTS = ("remaining", "limit", "reset")
_SPANS = ("", "-second", "-minute", "-hour", "-day", "-month")
_PLAIN = ("x-ratelimit-{}", "ratelimit-{}")
_REQUESTS = (
    *(f"x-ratelimit-{{}}-{word}{span}" for span in _SPANS for word in ("requests", "req")),
    "anthropic-ratelimit-requests-{}", *_PLAIN,
)  # fmt: skip
_TOKENS = (
    *(f"x-ratelimit-{{}}-tokens{span}" for span in _SPANS),
    "anthropic-ratelimit-tokens-{}", "anthropic-ratelimit-input-tokens-{}", "x-ratelimit-{}-tokens-prompt",
    "x-tokenlimit-{}", "ratelimitbysize-{}",
)  # fmt: skip
_OUTPUT = ("anthropic-ratelimit-output-tokens-{}", "x-ratelimit-{}-tokens-generated")
_NAMES = {
    kind: tuple(tuple(name.format(fact) for fact in _FACTS) for name in names)
    for kind, names in (("requests", _REQUESTS), ("tokens", _TOKENS), ("output", _OUTPUT))
}
_IETF = {
    "remaining": re.compile(r"(?:^|[;,]) ?(?:remaining|r) ?= ?(\d{1,12})\b"),
    "limit": re.compile(r"(?:^|[;,]) ?(?:limit|q) ?= ?(\d{1,12})\b"),
    "reset": re.compile(r"(?:^|[;,]) ?(?:reset|t) ?= ?(\d{1,12})\b"),
}
"""`RateLimit: limit=100, remaining=0, reset=50` and `RateLimit: "default";r=0;t=50`."""
_BETWEEN = re.compile(r",(?=[^,=]*;)")
"""The comma before another limit: `"burst";r=10;t=1, "daily";r=0;t=3600`."""
_LONGEST = 1000


def rate_limits(headers: Mapping[str, str], now_unix: float | None = None) -> RateLimits:
    """Read `x-ratelimit-*`, `anthropic-ratelimit-*`, `ratelimit*` and `x-tokenlimit-*`.

    Header names must be in lower case, or the mapping case-insensitive.
    `now_unix` (default: the machine's clock) turns reset dates into seconds.
    """
    now = SystemClock.unix() if now_unix is None else now_unix
    requests = _tightest([*_told(headers, "requests", now), *_combined(headers), *_unified(headers, now)])
    spent = [limit for limit in _told(headers, "output", now) if limit.remaining == 0]
    tokens = _tightest([*_told(headers, "tokens", now), *spent])
    return RateLimits(
        requests.remaining, tokens.remaining, requests.limit, tokens.limit, requests.reset_s, tokens.reset_s
    )


def _tightest(limits: list[_ReportedLimit]) -> _ReportedLimit:
    """The limit with least left; of equals the one with the longest reset; one with an unknown rest comes last."""
    unknown = float("inf")
    return min(
        limits,
        key=lambda one: (unknown if one.remaining is None else one.remaining, -(one.reset_s or 0.0)),
        default=_ReportedLimit(None, None, None),
    )


def _told(headers: Mapping[str, str], kind: str, now: float) -> list[_ReportedLimit]:
    found = []
    for remaining, limit, reset in _NAMES[kind]:
        if remaining in headers or limit in headers or reset in headers:
            wait = wait_s(headers[reset], now) if reset in headers else None
            found.append(_ReportedLimit(_count(headers.get(remaining)), _count(headers.get(limit)), wait))
    return found


def _combined(headers: Mapping[str, str]) -> Iterator[_ReportedLimit]:
    """The limits in the IETF's single header `RateLimit`."""
    said = headers.get("ratelimit", "")[:_LONGEST].lower()
    for one in _BETWEEN.split(said) if said else ():
        remaining, limit, reset = (found[1] if (found := _IETF[fact].search(one)) else None for fact in _FACTS)
        yield _ReportedLimit(_count(remaining), _count(limit), None if reset is None else float(reset))


def _unified(headers: Mapping[str, str], now: float) -> Iterator[_ReportedLimit]:
    """Anthropic's limit of a subscription, which reports only whether it is exhausted."""
    if headers.get("anthropic-ratelimit-unified-status", "").strip().lower() == "rejected":
        yield _ReportedLimit(0, None, wait_s(headers.get("anthropic-ratelimit-unified-reset", ""), now))


def _count(told: str | None) -> int | None:
    """The count; None if missing, or -1, which some providers send for "no limit"."""
    text = (told or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None
