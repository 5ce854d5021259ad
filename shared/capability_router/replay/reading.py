"""Decision logs on their way to a replay: decisions in the order in which they began, and the scores that came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from capability_router.errors import ConfigError
from capability_router.learning.logs.items import Source, Tick
from capability_router.learning.logs.omissions import Omissions
from capability_router.learning.logs.values import name_of, number_of, score_of
from capability_router.replay.logged import Logged
from capability_router.replay.parsing import Unreadable, logged_of
from capability_router.telemetry.jsonl import rotated
from capability_router.telemetry.records import SCHEMA_VERSION

MOST = 100_000
"""Decisions that are held at once."""
_VERSIONS = 1_000_000
_BESIDE = ("shadow", "shadow_score", "sign")  # lines that no decision is made of


class Log(NamedTuple):
    """`decisions` in the order in which they began; `scores` by request, 0 to 1; `omissions`: reasons and counts."""

    decisions: Sequence[Logged]
    scores: Mapping[str, float]
    omissions: Sequence[tuple[str, int]]


def files_of(logs: Iterable[Path]) -> list[Path]:
    """The logs with the files that they were rotated into, the oldest first, each once.

    Raises ConfigError where a log is not there.
    """
    found: dict[Path, Path] = {}
    for log in logs:
        there = [path for path in rotated(log) if path.is_file()]
        if not there:
            raise ConfigError(
                f"cannot read the decision log {str(log)!r}: no such file. The router writes one where router.yaml "
                "says `telemetry: {jsonl: PATH}`."
            )
        found |= {path.resolve(): path for path in there}
    return list(found.values())


def read(
    files: Sequence[Path], *, since: float | None = None, limit: int | None = None, traits: bool = False,
    tick: Tick = lambda _: None,
) -> Log:  # fmt: skip
    """The files as far as they go. Of decisions that ended at `since` (Unix seconds) or later, the newest `limit`.

    `traits`: hashed words are kept. `tick` is told of bytes read. Raises ConfigError for a file that can't be opened.
    """
    reader = _Reader(since, traits)
    for path in files:
        for item in Source(path, reader.omissions, tick).items():
            reader.take(item)
    return reader.log(limit)


class _Reader:
    def __init__(self, since: float | None, traits: bool) -> None:
        self.omissions = Omissions()
        self._since, self._traits = since, traits
        self._decisions: dict[str, Logged] = {}
        self._scores: dict[str, tuple[float, float]] = {}  # when, what: the last one counts

    def take(self, item: Mapping[str, Any]) -> None:
        kind, version = item.get("kind"), item.get("schema_version")
        if not isinstance(kind, str) or kind not in ("decision", "feedback", *_BESIDE):
            self.omissions.note("JSON that is no decision record")
        elif isinstance(version, bool) or version != SCHEMA_VERSION:
            whole = isinstance(version, int) and not isinstance(version, bool) and abs(version) < _VERSIONS
            named = version if whole else "unknown"
            self.omissions.note(f"records of schema version {named}; read is {SCHEMA_VERSION}")
        elif kind == "decision":
            self._decision(item)
        elif kind == "feedback":
            self._feedback(item)

    def _decision(self, item: Mapping[str, Any]) -> None:
        at = number_of(item.get("at"))
        if self._since is not None and at is not None and at < self._since:
            return
        try:
            logged = logged_of(item, traits=self._traits)
        except Unreadable as why:
            self.omissions.note(str(why))
            return
        self.omissions.note("decisions that are there twice", int(self._decisions.pop(logged.id, None) is not None))
        self._decisions[logged.id] = logged
        if len(self._decisions) > MOST:
            del self._decisions[next(iter(self._decisions))]
            self.omissions.note(f"decisions before the newest {MOST:,}")

    def _feedback(self, item: Mapping[str, Any]) -> None:
        id, score, at = name_of(item.get("request_id")), score_of(item.get("score")), number_of(item.get("at")) or 0.0
        if not id or score is None:
            self.omissions.note("scores that are no number from 0 to 1, or of no request")
        elif at >= self._scores.get(id, (0.0, 0.0))[0]:
            self._scores[id] = (at, score)

    def log(self, limit: int | None) -> Log:
        decisions = sorted(self._decisions.values(), key=_ended)[-limit if limit else 0 :]
        decisions.sort(key=_begun)
        scores = {each.id: self._scores[each.id][1] for each in decisions if each.id in self._scores}
        if self._since is None and limit is None:
            self.omissions.note("scores of requests that are not in the log", len(self._scores.keys() - scores.keys()))
        return Log(decisions, scores, self.omissions.listed())


def _ended(logged: Logged) -> tuple[float, str]:
    return logged.at, logged.id


def _begun(logged: Logged) -> tuple[float, str]:
    return logged.began, logged.id
