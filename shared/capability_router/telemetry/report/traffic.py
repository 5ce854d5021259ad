"""All that the report is made of, gathered from records one after the other; of a request only its row is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from capability_router.telemetry.decision_log import Reading
from capability_router.telemetry.report.always import Alone
from capability_router.telemetry.report.rows import Decision, Rows, short

Record = Mapping[str, Any]
MOST = 1_000_000
"""Requests that are kept: the newest ones of the log, about a kilobyte each."""
_MOST_CHANGES, _MOST_RULES = 100_000, 1_000
_OLDER = f"older than the newest {MOST:,} requests"


class Change(NamedTuple):
    """A model's health changed at `at`, Unix seconds; `event` is of health/condition.py."""

    at: float
    router: str
    model: str
    event: str
    detail: str


class ShadowCall(NamedTuple):
    """What a shadow's call beside a request came to."""

    model: str
    cost_pico: int | None


class Traffic:
    """Requests and what came later for them. `omitted`: what was left out of the log, by reason."""

    def __init__(self, omitted: Counter[str] | None = None) -> None:
        self.omitted = Counter[str]() if omitted is None else omitted
        self.requests: list[Decision] = []
        self.scores: dict[str, float] = {}
        self.shadow_calls: dict[str, ShadowCall] = {}
        self.shadow_scores: dict[str, float] = {}
        self.changes: list[Change] = []
        self.details: dict[str, str] = {}
        self.alone = Alone()
        self._rows = Rows()
        self._take = {
            "decision": self._decision, "feedback": self._feedback, "shadow": self._shadow,
            "shadow_score": self._shadow_score, "health": self._health, "sign": self._nothing,
        }  # fmt: skip

    @classmethod
    def of(cls, records: Iterable[Record]) -> Traffic:
        """Of records from anywhere: what is none is counted in `omitted`."""
        reading = Reading()
        made = cls(reading.omitted)
        for record in records:
            checked = reading.checked(record)
            if checked is not None and not reading.seen(checked):
                made.take(checked)
        return made.sorted()

    def take(self, record: Record) -> None:
        """A record without a flaw (telemetry/shapes.py)."""
        self._take[record["kind"]](record)

    def sorted(self) -> Traffic:
        """The same, in the order of time, once all is taken."""
        self.requests.sort(key=lambda row: (row.start_s, row.request_id))
        self.changes.sort()
        return self

    def _decision(self, record: Record) -> None:
        if len(self.requests) >= MOST:
            del self.requests[: MOST // 10]
            self.omitted[_OLDER] += MOST // 10
        self.requests.append(self._rows.row(record))
        self.alone.take(record)
        for refusal in (record.get("plan") or {}).get("refusals") or ():
            if len(self.details) < _MOST_RULES:
                self.details.setdefault(short(refusal.get("rule") or ""), short(refusal.get("detail") or ""))

    def _feedback(self, record: Record) -> None:
        _keep(self.scores, short(record["request_id"]), float(record["score"]))

    def _shadow(self, record: Record) -> None:
        pico, model = record.get("cost_pico"), record.get("model")
        if model is not None:
            call = ShadowCall(short(model), None if pico is None else int(pico))
            _keep(self.shadow_calls, short(record["request_id"]), call)

    def _shadow_score(self, record: Record) -> None:
        _keep(self.shadow_scores, short(record["request_id"]), float(record["score"]))

    def _health(self, record: Record) -> None:
        names = (short(record.get(name) or "") for name in ("router", "model", "event", "detail"))
        if len(self.changes) < _MOST_CHANGES:
            self.changes.append(Change(float(record["at"]), *names))
        else:
            self.omitted["a change of health after the first 100,000"] += 1

    def _nothing(self, record: Record) -> None:
        """Signs are what the learner goes by; the report counts scores."""


def _keep(held: dict[str, Any], id: str, value: object) -> None:
    """The last one counts; of requests that are not kept, no more than of those that are."""
    if id in held or len(held) < MOST:
        held[id] = value
