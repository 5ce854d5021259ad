"""The data of a report, collected from records one after the other. For each request only a row is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from capability_router.decision_log.latest_per_request import LatestPerRequest
from capability_router.decision_log.reading import DecisionLogReader, before, older
from capability_router.decision_log.record_validation import score_rank, time_of
from capability_router.report.request_row import RequestRow, RowParser, short
from capability_router.report.single_model import SingleModelComparison

Record = Mapping[str, Any]
T = TypeVar("T")
MOST = 1_000_000
"""Requests that are kept: the newest ones of the log, about a kilobyte each."""
_MOST_CHANGES, _MOST_RULES = 100_000, 1_000
_PASSING = ("rate_limited", "rate_limit_over", "degraded", "recovered")  # attempts show what these are about
_BATCHES = 10  # that these are kept in; the oldest goes whole
_OLDER, _BEFORE = older(MOST), before(MOST)


class HealthChange(NamedTuple):
    """A model's health changed at `at`, Unix seconds; `event` is of health/condition.py."""

    at: float
    router: str
    model: str
    event: str
    detail: str


class ShadowCall(NamedTuple):
    """The result of a shadow call for a request."""

    model: str
    cost_pico: int | None


class _Batch:
    """Requests that stand together in a log, so that what is summed of them can go with them."""

    def __init__(self) -> None:
        self.requests: list[RequestRow] = []
        self.alone = SingleModelComparison()
        self.newest = 0.0

    def take(self, row: RequestRow, record: Record) -> None:
        self.requests.append(row)
        self.alone.take(record)
        self.newest = max(self.newest, row.start_s)


class ReportData:
    """Requests and what came later for them. `omitted`: what was left out of the log, by reason.

    `requests` and `alone` are those of the newest requests, and are there once all is `sorted`.
    """

    def __init__(self, omitted: Counter[str] | None = None) -> None:
        self.omitted = Counter[str]() if omitted is None else omitted
        self.requests: list[RequestRow] = []
        self.changes: list[HealthChange] = []
        self.details: dict[str, str] = {}
        self.alone = SingleModelComparison()
        self._batches: list[_Batch] = []
        self._scores, self._shadow_scores = LatestPerRequest[float](MOST), LatestPerRequest[float](MOST)
        self._shadow_calls = LatestPerRequest[ShadowCall](MOST)
        self.scores, self.shadow_scores = self._scores.held, self._shadow_scores.held
        self.shadow_calls = self._shadow_calls.held
        self._rows = RowParser()
        self._take = {
            "decision": self._decision, "feedback": self._feedback, "shadow": self._shadow,
            "shadow_score": self._shadow_score, "health": self._health, "sign": self._nothing,
        }  # fmt: skip

    @classmethod
    def of(cls, records: Iterable[Record]) -> ReportData:
        """Of records from anywhere: what is none is counted in `omitted`."""
        reading = DecisionLogReader()
        made = cls(reading.omitted)
        for record in records:
            taken = reading.taken(record)
            if taken is not None:
                made.take(taken)
        return made.sorted()

    def take(self, record: Record) -> None:
        """A record without a flaw (decision_log/record_validation.py)."""
        self._take[record["kind"]](record)

    def sorted(self) -> ReportData:
        """The same, in the order of time, once all is taken."""
        for batch in self._batches:
            self.requests += batch.requests
            self.alone.add(batch.alone)
        self._batches.clear()
        self.requests.sort(key=lambda row: (row.start_s, row.request_id))
        self.changes.sort()
        return self

    def _decision(self, record: Record) -> None:
        self._batch().take(self._rows.row(record), record)
        for refusal in (record.get("plan") or {}).get("refusals") or ():
            if len(self.details) < _MOST_RULES:
                self.details.setdefault(short(refusal.get("rule") or ""), short(refusal.get("detail") or ""))

    def _batch(self) -> _Batch:
        """The one that is being filled. Before there are too many, the one whose newest request is the oldest goes."""
        if not self._batches or len(self._batches[-1].requests) >= MOST // _BATCHES:
            if len(self._batches) >= _BATCHES:
                oldest = min(self._batches, key=lambda batch: batch.newest)
                self._batches.remove(oldest)
                self.omitted[_OLDER] += len(oldest.requests)
            self._batches.append(_Batch())
        return self._batches[-1]

    def _feedback(self, record: Record) -> None:
        self._keep(self._scores, record, float(record["score"]), score_rank(record))

    def _shadow(self, record: Record) -> None:
        pico, model = record.get("cost_pico"), record.get("model")
        if model is not None:
            call = ShadowCall(short(model), None if pico is None else int(pico))
            self._keep(self._shadow_calls, record, call)

    def _shadow_score(self, record: Record) -> None:
        self._keep(self._shadow_scores, record, float(record["score"]))

    def _keep(self, kept: LatestPerRequest[T], record: Record, value: T, rank: int = 0) -> None:
        gone = kept.take(short(record["request_id"]), time_of(record), value, rank)
        if gone:
            self.omitted[_BEFORE] += gone

    def _health(self, record: Record) -> None:
        names = (short(record.get(name) or "") for name in ("router", "model", "event", "detail"))
        if record["event"] in _PASSING:
            return
        if len(self.changes) < _MOST_CHANGES:
            self.changes.append(HealthChange(float(record["at"]), *names))
        else:
            self.omitted["a change of health after the first 100,000"] += 1

    def _nothing(self, record: Record) -> None:
        """Signs are what the learner goes by; the report counts scores."""
