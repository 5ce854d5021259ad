"""Reads a provider's hints from its error: how long to wait, the size of the window, whether a retry is useful.

All input is untrusted: texts are cut before they are read, and every repetition in a pattern is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from capability_router.faults.durations import A_DAY_S, wait_in_text, wait_s
from capability_router.faults.evidence import Evidence, ExceptionLink, details, hidden, links, nested_object, read
from capability_router.faults.phrases import STATED_WINDOWS, WINDOWS
from capability_router.faults.rate_limit_headers import rate_limits

_KEPT = (
    "retry-after", "x-retry-after", "x-ms-retry-after", "x-should-retry", "x-ratelimit-", "anthropic-ratelimit-",
    "ratelimit", "x-tokenlimit-",
)  # fmt: skip
_WAITS = (
    ("retry-after-ms", "ms"), ("x-ms-retry-after-ms", "ms"), ("retry-after", ""), ("x-retry-after", ""),
    ("x-ratelimit-timeremaining", ""),
)  # fmt: skip
_BODY_WAITS = (("retry_after_ms", "ms"), ("retry_after", ""), ("retry_after_seconds", ""), ("retryAfter", ""))
"""The headers and body keys that state a wait, and the unit of their number ("" = seconds, or as written)."""
_REQUESTED = re.compile(r"\blimit:? (\d[\d,]{0,12}),(?: used:? \d[\d,]{0,12},)? requested:? (\d[\d,]{0,12})(?!\.?\d)")
_MOST_HEADERS = 200
_LONGEST_VALUE = 128
_SANE_WINDOW = range(64, 1_000_000_001)

Source = BaseException | Evidence | Mapping[str, str]  # an error, its evidence, or headers


def retry_after_s(source: Source, now_unix: float, headers: Mapping[str, str] | None = None) -> float | None:
    """Seconds to wait before a retry, >= 0 and at most a day; None if the provider states none.

    An explicit wait is preferred (`pushback_s`), else the reset time of the exhausted limit. `headers`: the result of
    `headers_of(source)`, if the caller has it already.
    """
    kept = _headers(source) if headers is None else headers
    told = pushback_s(source, now_unix, kept)
    return _until_reset(kept, now_unix) if told is None else told


def pushback_s(source: Source, now_unix: float, headers: Mapping[str, str] | None = None) -> float | None:
    """The wait that is stated explicitly: `retry-after(-ms)`, Google's RetryInfo, "try again in 20s"; else None."""
    told = _wait_in(_headers(source) if headers is None else headers, _WAITS, now_unix)
    if told is not None or not isinstance(source, BaseException | tuple):
        return told
    return next((wait for wait in _told_waits(_evidence(source), now_unix) if wait is not None), None)


def window_tokens(error: BaseException | Evidence) -> int | None:
    """The model's true window in tokens, if an overflow error states it."""
    return next((size for link in _evidence(error) for size in _sizes(link) if size in _SANE_WINDOW), None)


def exceeds_limit(error: BaseException | Evidence) -> bool:
    """Whether a refusal says that the request alone is larger than the rate limit: "Limit 30000, Requested 45000"."""
    for link in _evidence(error):
        for text in link.texts:
            found = _REQUESTED.search(text)
            if found is not None:
                limit, asked = (int(count.replace(",", "")) for count in found.groups())
                return asked > limit
    return False


def forbids_retry(headers: Mapping[str, str]) -> bool:
    """`x-should-retry: false`: the provider says that the same call will not succeed."""
    return headers.get("x-should-retry", "").strip().lower() == "false"


def headers_of(error: BaseException | Evidence) -> dict[str, str]:
    """The answer's retry and rate-limit headers, and no others; names in lower case."""
    for link in _evidence(error):
        for pairs in _header_pairs(link):
            if kept := _kept(pairs):
                return kept
    return {}


def _evidence(source: BaseException | Evidence) -> Evidence:
    return source if isinstance(source, tuple) else links(source)


def _headers(source: Source) -> dict[str, str]:
    return headers_of(source) if isinstance(source, BaseException | tuple) else _kept(_pairs(source))


def _header_pairs(link: ExceptionLink) -> Iterator[list[tuple[Any, Any]]]:
    held = [read(read(link.error, "response"), "headers"), read(link.error, "headers")]
    for body in link.bodies:
        held += (
            nested_object(body, "ResponseMetadata").get("HTTPHeaders"),
            nested_object(body, "metadata").get("headers"),
        )
    yield from [_pairs(headers) for headers in held if headers is not None]
    behind = hidden(link.error) if link.status else None  # as Ollama's client hides the answer
    answer = read(behind, "response") or read(link.error, "raw_response")  # the latter of Mistral's former one
    if answer is not None and read(answer, "status_code") == link.status:
        yield _pairs(read(answer, "headers"))


def asks_for_proxy(link: ExceptionLink) -> bool:
    """Whether a proxy asks for authentication."""
    return any(str(name).lower() == "proxy-authenticate" for pairs in _header_pairs(link) for name, _ in pairs)


def _pairs(headers: object) -> list[tuple[Any, Any]]:
    items = read(headers, "items")
    try:
        return list(islice(items(), _MOST_HEADERS)) if callable(items) else []
    except Exception:  # noqa: BLE001 - a foreign mapping may raise anything; no headers are no hints
        return []


def _kept(pairs: list[tuple[Any, Any]]) -> dict[str, str]:
    kept: dict[str, str] = {}
    for name, value in pairs:
        if isinstance(name, str) and isinstance(value, str | int) and (known := name.lower()).startswith(_KEPT):
            kept[known] = str(value)[:_LONGEST_VALUE]
    return kept


def _told_waits(evidence: Evidence, now_unix: float) -> Iterator[float | None]:
    bodies = [body for link in evidence for body in link.bodies]
    for body in bodies:
        for detail in details(body):
            yield _delay(detail.get("retryDelay"), now_unix)
    for body in bodies:
        yield _wait_in(body, _BODY_WAITS, now_unix)
    for link in evidence:
        yield from map(wait_in_text, link.texts)


def _wait_in(told: Mapping[Any, Any], names: tuple[tuple[str, str], ...], now_unix: float) -> float | None:
    for name, unit in names:
        if name not in told:
            continue
        value = told[name]
        if type(value) in (str, int, float) and (wait := wait_s(f"{value}".strip(" \"'") + unit, now_unix)) is not None:
            return wait
    return None


def _delay(told: object, now_unix: float) -> float | None:
    """Seconds of Google's duration, which is a text ("7.5s") or an object of seconds and nanoseconds."""
    if isinstance(told, dict):
        parts = [told.get("seconds", 0), told.get("nanos", 0)]
        whole, nanos = (float(part) if str(part).isdigit() and len(str(part)) <= 9 else 0.0 for part in parts)
        return min(whole + nanos * 1e-9, A_DAY_S)
    return wait_s(told, now_unix) if isinstance(told, str) else None


def _until_reset(headers: Mapping[str, str], now_unix: float) -> float | None:
    """Seconds until the exhausted limit resets. If none is, the tokens': this call needs more than are left."""
    limits = rate_limits(headers, now_unix)
    resets = (
        (limits.remaining_requests, limits.reset_requests_s),
        (limits.remaining_tokens, limits.reset_tokens_s),
    )
    used_up = [reset for left, reset in resets if left == 0 and reset is not None]
    if used_up:
        return max(used_up)
    return limits.reset_requests_s if limits.reset_tokens_s is None else limits.reset_tokens_s


def _sizes(link: ExceptionLink) -> Iterator[int]:
    yield from (n for n in (body.get("n_ctx") for body in link.bodies) if type(n) is int)
    for text in link.texts:
        found = (window.search(text) for window in (*WINDOWS, *STATED_WINDOWS))
        yield from (int(match["n"].replace(",", "")) for match in found if match)
