"""The accounts of a run: from what came of each request to the columns of the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from benchmarks.approaches.provider import Outage


class RequestLine(NamedTuple):
    """One request: when it came, its kind, who answered (None = nobody), the score, picodollars, seconds to the end.

    `tokens` in and out of the answer, `limited` calls that a rate limit refused, `calls` in all.
    """

    at: float
    kind: str
    model: str | None
    score: float
    pico: int
    took_s: float
    tokens: int
    limited: int
    calls: int


class RunSheet(NamedTuple):
    """Of one run. Money in USD per 1,000 tokens of answered requests, and per answered request; times in seconds.

    `success` is the mean score of answered requests, `overall` that of all, an unanswered one counting 0; `resilience`
    the share answered of those that came while the favourite was away, `in_outages` while any model was; `limited`
    calls that rate limits refused, per 1,000 requests. `shares`: of the answers, by model.
    """

    requests: int
    answered: float
    usd_per_1k_tokens: float
    usd_per_request: float
    p50_s: float
    p95_s: float
    success: float
    overall: float
    resilience: float
    in_outages: float
    limited: float
    favourite: str
    shares: dict[str, float]


NONE = float("nan")


def sheet(lines: Sequence[RequestLine], away: Sequence[Outage]) -> RunSheet:
    """The favourite is the model that gave the most answers; failed calls' money counts."""
    done = [line for line in lines if line.model is not None]
    by = Counter(line.model for line in done if line.model is not None)
    favourite = by.most_common(1)[0][0] if by else ""
    usd = sum(line.pico for line in lines) / 1e12
    took = sorted(line.took_s for line in done)
    points = sum(line.score for line in done)
    return RunSheet(
        len(lines), _share(len(done), len(lines)), _share(1_000 * usd, sum(line.tokens for line in done)),
        _share(usd, len(done)), _percentile(took, 0.5), _percentile(took, 0.95), _share(points, len(done)),
        _share(points, len(lines)), _through(lines, [o for o in away if o.model == favourite]), _through(lines, away),
        _share(1_000 * sum(line.limited for line in lines), len(lines)), favourite,
        {model: count / len(done) for model, count in by.most_common()},
    )  # fmt: skip


def _through(lines: Sequence[RequestLine], away: Sequence[Outage]) -> float:
    """The share that was answered of the requests that came during these outages."""
    met = [line for line in lines if any(o.since <= line.at < o.until for o in away)]
    return _share(sum(line.model is not None for line in met), len(met))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else NONE


def _percentile(ranked: Sequence[float], share: float) -> float:
    """The smallest value that this share does not exceed."""
    return ranked[max(ceil(share * len(ranked)) - 1, 0)] if ranked else NONE
