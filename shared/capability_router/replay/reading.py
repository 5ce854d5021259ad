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
from capability_router.telemetry.chronology import oldest_first
from capability_router.telemetry.jsonl import rotated
from capability_router.telemetry.latest import Latest
from capability_router.telemetry.records import SCHEMA_VERSION

MOST = 100_000
"""Decisions that are kept; a tenth more are held while logs are read."""
_MOST_SCORES = 500_000
_VERSIONS = 1_000_000
_BESIDE = ("shadow", "shadow_score", "sign")  # lines that no decision is made of


class Log(NamedTuple):
    """`decisions` in the order in which they began; `scores` by request, 0 to 1; `omissions`: reasons and counts."""

    decisions: Sequence[Logged]
    scores: Mapping[str, float]
    omissions: Sequence[tuple[str, int]]


def files_of(logs: Iterable[Path]) -> list[Path]:
    """The logs with the files that they were rotated into, the oldest of all first, each once.

    Raises ConfigError where a log is not there.
    """
    found: dict[Path, Path] = {}
    for log in logs:
        there = [path for path in rotated(log) if path.is_file()]
        if not there and log.exists() and not log.is_dir():  # a pipe
            there = [log]
        if not there:
            raise ConfigError(
                f"cannot read the decision log {str(log)!r}: no such file. The router writes one where router.yaml "
                "says `telemetry: {jsonl: PATH}`."
            )
        found |= {path.resolve(): path for path in there}
    return oldest_first(found.values())


def read(
    files: Sequence[Path], *, since: float | None = None, limit: int | None = None, traits: bool = False,
    tick: Tick = lambda _: None,
) -> Log:  # fmt: skip
    """The files as far as they go. Of decisions that ended at `since` (Unix seconds) or later, the newest `limit`.

    `traits`: the requests' words are kept, hashed ones and captured texts. `tick` is told of bytes read. Raises
    ConfigError for a file that can't be opened.
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
        self._scores = Latest[float](_MOST_SCORES)

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
        if len(self._decisions) > MOST + MOST // 10:
            self._newest()

    def _newest(self) -> list[Logged]:
        """The decisions that stay, in the order of their end: files may have been written at the same time."""
        found = sorted(self._decisions.values(), key=_ended)
        kept = found[-MOST:]
        self.omissions.note(f"decisions before the newest {MOST:,}", len(found) - len(kept))
        self._decisions = {each.id: each for each in kept}
        return kept

    def _feedback(self, item: Mapping[str, Any]) -> None:
        id, score, at = name_of(item.get("request_id")), score_of(item.get("score")), number_of(item.get("at")) or 0.0
        if not id or score is None:
            self.omissions.note("scores that are no number from 0 to 1, or of no request")
        else:
            self.omissions.note(f"scores before the newest {_MOST_SCORES:,}", self._scores.take(id, at, score))

    def log(self, limit: int | None) -> Log:
        decisions = self._newest()[-limit if limit else 0 :]
        decisions.sort(key=_begun)
        held = self._scores.held
        scores = {each.id: held[each.id] for each in decisions if each.id in held}
        if self._since is None and limit is None:
            self.omissions.note("scores of requests that are not in the log", len(held.keys() - scores.keys()))
        return Log(decisions, scores, self.omissions.listed())


def _ended(logged: Logged) -> tuple[float, str]:
    return logged.at, logged.id


def _begun(logged: Logged) -> tuple[float, str]:
    return logged.began, logged.id
