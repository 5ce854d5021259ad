"""What a log holds of its canary and its shadow, as far as `compared` looks at it and memory is worth it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from capability_router.decision_log.latest_per_request import LatestPerRequest
from capability_router.decision_log.newest_items import NewestItems
from capability_router.decision_log.reading import DecisionLog, before, older
from capability_router.decision_log.record_validation import score_rank, time_of

Record = dict[str, Any]
MOST = 100_000
"""Requests that are kept, the newest, and as many scores and shadows' calls: some 2 kB for each."""
_KEPT = (
    "schema_version", "kind", "at", "request_id", "session", "policy", "model", "elapsed_s", "cost_pico", "canary",
    "shadow", "score", "source",
)  # fmt: skip
_FIGURES = ("quality", "cost_usd", "latency_s")


class TrialRecords:
    """Gathers records without a flaw; of requests those with a trial. What has to go is counted in `omitted`."""

    def __init__(self, omitted: Counter[str]) -> None:
        self._omitted = omitted
        self._requests = NewestItems[Record](MOST, time_of, self._older)
        self._scores, self._evaluated = LatestPerRequest[Record](MOST), LatestPerRequest[Record](MOST)
        self._shadows, self._shadow_scores = LatestPerRequest[Record](MOST), LatestPerRequest[Record](MOST)

    def take(self, record: Mapping[str, Any]) -> None:
        """One more."""
        kind = record["kind"]
        if kind == "decision" and (record.get("canary") is not None or record.get("shadow") is not None):
            self._requests.take(_trimmed(record))
        elif kind == "feedback":
            self._keep(self._scores, record)
            if record.get("source") == "evaluator":
                self._evaluated.take(record["request_id"], time_of(record), _trimmed(record))
        elif kind in ("shadow", "shadow_score"):
            self._keep(self._shadows if kind == "shadow" else self._shadow_scores, record)

    def log(self) -> DecisionLog:
        """All that was kept."""
        scores = [*self._evaluated.held.values(), *self._scores.held.values()]
        shadows, evaluated = (list(each.held.values()) for each in (self._shadows, self._shadow_scores))
        return DecisionLog(self._requests.kept(), scores, self._omitted, shadows, evaluated)

    def _keep(self, kept: LatestPerRequest[Record], record: Mapping[str, Any]) -> None:
        if gone := kept.take(record["request_id"], time_of(record), _trimmed(record), score_rank(record)):
            self._omitted[before(MOST)] += gone

    def _older(self, count: int) -> None:
        self._omitted[older(MOST)] += count


def _trimmed(record: Mapping[str, Any]) -> Record:
    """Of a plan the figures of its first candidate, of a basis the canary's share."""
    kept = {name: record[name] for name in _KEPT if name in record}
    if (share := (record.get("basis") or {}).get("canary_share")) is not None:
        kept["basis"] = {"canary_share": share}
    first: Mapping[str, Any] = next(iter((record.get("plan") or {}).get("candidates") or ()), {})
    figures = {name: first[name] for name in _FIGURES if name in first}
    return {**kept, "plan": {"candidates": [figures]}} if figures else kept
