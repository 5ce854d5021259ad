"""When each model was not used: the intervals between the changes of its health."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from capability_router.report.data import HealthChange
from capability_router.report.request_row import RequestRow

_STATES = {
    "breaker_opened": "open", "breaker_half_open": "half open", "credential_disabled": "key off",
    "model_disabled": "model off", "isolated": "isolated",
}  # fmt: skip
_ENDS = {
    "breaker_opened": "breaker", "breaker_half_open": "breaker", "breaker_closed": "breaker", "isolated": "breaker",
    "credential_disabled": "credential", "credential_enabled": "credential",
    "model_disabled": "model", "model_enabled": "model",
}  # fmt: skip
"""Event -> what of the model it is about: it ends the state that was recorded for the same before."""


class UnhealthySpan(NamedTuple):
    """A model in one `state` other than healthy; `end_s` None = to the end of the log. Unix seconds."""

    model: str
    state: str
    start_s: float
    end_s: float | None
    detail: str


def unhealthy_spans(changes: Sequence[HealthChange], rows: Sequence[RequestRow] = ()) -> dict[str, list[UnhealthySpan]]:
    """By model, in the order of the first; those of several routers in one log are combined.

    If a model shares its breaker or key, the end may be recorded for another model. So a model's next answer in `rows`
    also ends an interval.
    """
    under_way: dict[tuple[str, str, str], UnhealthySpan] = {}
    found: list[UnhealthySpan] = []
    for change in changes:
        subject = _ENDS.get(change.event)
        subjects = {*_ENDS.values()} if change.event == "reset" else {subject} if subject else set()
        for each in sorted(subjects):
            before = under_way.pop((change.router, change.model, each), None)
            if before is not None:
                found.append(before._replace(end_s=change.at))
        state = _STATES.get(change.event)
        if state is not None and subject is not None:
            away = UnhealthySpan(change.model, state, change.at, None, change.detail)
            under_way[change.router, change.model, subject] = away
    found += _answered(list(under_way.values()), rows)
    by_model: dict[str, list[UnhealthySpan]] = {}
    for away in sorted(found, key=lambda a: (a.start_s, a.model, a.state)):
        by_model.setdefault(away.model, []).append(away)
    return by_model


def _answered(under_way: list[UnhealthySpan], rows: Sequence[RequestRow]) -> Iterable[UnhealthySpan]:
    """Each with the begin of its model's next answer as its end."""
    models, begun = {away.model for away in under_way}, dict[str, list[float]]()
    for each in (t for row in rows for t in row.tries if t.model in models and t.fault is None):
        begun.setdefault(each.model, []).append(each.start_s)
    for away in under_way:
        after = (at for at in begun.get(away.model, ()) if at > away.start_s)
        yield away._replace(end_s=min(after, default=None))
