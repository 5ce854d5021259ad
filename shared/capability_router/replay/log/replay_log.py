"""Decision logs on their way to a replay: decisions in the order in which they began, and the scores that came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from capability_router.decision_log.latest_per_request import LatestPerRequest
from capability_router.decision_log.newest_items import NewestItems
from capability_router.decision_log.reading import Advanced, DecisionLogReader, before, older
from capability_router.decision_log.record_validation import score_rank, time_of
from capability_router.learning.logs.values import name_of
from capability_router.replay.log.logged_request import LoggedRequest
from capability_router.replay.log.parsing import UnreplayableRecord, logged_of

MOST = 100_000
"""Decisions that are kept; a tenth more are held while logs are read."""
_MOST_SCORES = 500_000
_ORPHANS = "scores of requests that are not in the log"


class ReplayLog(NamedTuple):
    """`decisions` in the order in which they began; `scores` by request, 0 to 1; `omissions`: reasons and counts."""

    decisions: Sequence[LoggedRequest]
    scores: Mapping[str, float]
    omissions: Sequence[tuple[str, int]]


def read(
    files: Sequence[Path], *, since: float | None = None, limit: int | None = None, traits: bool = False,
    tick: Advanced | None = None,
) -> ReplayLog:  # fmt: skip
    """The files as far as they go. Of decisions that ended at `since` (Unix seconds) or later, the newest `limit`.

    `traits`: the requests' words are kept, hashed ones and captured texts. `tick` is told of bytes read. Raises
    ConfigError for a file that can't be opened.
    """
    reading = DecisionLogReader()
    reader = _Reader(reading.omitted, since, traits)
    for record in reading.files(files, tick):
        if record["kind"] == "decision":
            reader.decision(record)
        elif record["kind"] == "feedback":
            reader.feedback(record)
    return reader.log(limit)


class _Reader:
    def __init__(self, omitted: Counter[str], since: float | None, traits: bool) -> None:
        self._omitted, self._since, self._traits = omitted, since, traits
        self._decisions = NewestItems[LoggedRequest](MOST, _ended, self._older)
        self._scores = LatestPerRequest[float](_MOST_SCORES)

    def decision(self, record: Mapping[str, Any]) -> None:
        if self._since is not None and time_of(record) < self._since:
            return
        try:
            self._decisions.take(logged_of(record, traits=self._traits))
        except UnreplayableRecord as why:
            self._omitted[str(why)] += 1

    def feedback(self, record: Mapping[str, Any]) -> None:
        id, score = name_of(record["request_id"]), float(record["score"])
        if gone := self._scores.take(id, time_of(record), score, score_rank(record)):
            self._omitted[before(_MOST_SCORES)] += gone

    def _older(self, count: int) -> None:
        self._omitted[older(MOST)] += count

    def log(self, limit: int | None) -> ReplayLog:
        decisions = self._decisions.kept()[-limit if limit else 0 :]
        decisions.sort(key=_begun)
        held = self._scores.held
        scores = {each.id: held[each.id] for each in decisions if each.id in held}
        if self._since is None and limit is None and (lost := len(held.keys() - scores.keys())):
            self._omitted[_ORPHANS] += lost
        return ReplayLog(decisions, scores, self._omitted.most_common())


def _ended(logged: LoggedRequest) -> tuple[float, str]:
    return logged.at, logged.id


def _begun(logged: LoggedRequest) -> tuple[float, str]:
    return logged.began, logged.id
