"""Traffic from a decision log: arrival times, sizes, needs, tenants and tags of what was asked for. No text is needed.

A log is read record by record, and may be hostile: numbers are held within bounds, texts are cut.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from statistics import median
from sys import intern  # a long log names few tenants, again and again
from typing import Any

from capability_router.decision_log.file_order import files_of, size_of
from capability_router.decision_log.newest_items import NewestItems
from capability_router.decision_log.reading import DecisionLogReader, older, omissions_text
from capability_router.eligibility import OF_THE_REQUEST
from capability_router.errors import ConfigError
from capability_router.health.latency import guessed_wait_s
from capability_router.rehearsal.traffic.shape import RequestShape, media_needs, needs_of
from capability_router.rehearsal.traffic.traffic import LoggedSpeed, Traffic

MOST = 200_000
"""Requests of a log that are looked at: the newest."""
USUAL_MOST = 20_000
"""Requests of a log that are taken where no number of seconds is given: the busiest stretch with so many."""
_OUT, _MOST_TOKENS, _MOST_NAME, _LISTED = 220, 10_000_000, 120, 32
_ENOUGH = 5  # answers from which on a model's pace is believed
_ANSWERS, _MODELS = 2_000, 500  # a model's pace is taken from its last so many answers; at most so many models
_TAIL_S = 1.0


def logged(
    path: Path, *, seconds: float | None = None, speed: float = 1.0, models: Sequence[str] = (),
    read: Callable[[int, int], object] = lambda *_: None,
) -> Traffic:  # fmt: skip
    """The requests in the log at `path`. `seconds`: only its busiest stretch so long; `speed`: 2 = twice as dense.

    `models`: the ids of the configuration: models that a request's terms forbade are kept from it if they are among
    them. `read` is called with the bytes of each stretch that is read, and of the whole. Raises ConfigError for a
    file that is no log, or has no request.
    """
    if not 0 < speed < math.inf:
        raise ConfigError(f"traffic: speed must be a number above 0, got {speed!r}")
    reading, paces, files = DecisionLogReader(), _Paces(), files_of([path])
    of = size_of(files)
    records = reading.files(files, lambda count: read(count, of))
    found = _shapes(records, frozenset(models), paces, reading.omitted)
    omitted = omissions_text(reading.omitted)
    if not found:
        raise ConfigError(
            f"{path}: no decision in it{f' ({omitted})' if omitted else ''}; the router writes a log where router.yaml "
            "says `telemetry: {jsonl: PATH}`"
        )
    kept, began = _stretch(found, seconds)
    shapes = [shape._replace(at=(shape.at - began) / speed) for shape in kept]
    length = (seconds or kept[-1].at - began + _TAIL_S) / speed
    notes = [f"{path.name}: {omitted}"] if omitted else []
    if len(kept) < len(found):
        notes.append(f"{path.name}: its busiest {length * speed:,.0f} s, {len(kept):,} of {len(found):,} requests")
    faster = f", {speed:g} times as dense" if speed != 1 else ""
    return Traffic(tuple(shapes), length, f"{path.name}{faster}", began, paces.usual(), tuple(notes))


def _shapes(
    records: Iterable[Mapping[str, Any]], models: frozenset[str], paces: _Paces, omitted: Counter[str]
) -> list[RequestShape]:  # fmt: skip
    """In the order of their arrival."""
    newest = NewestItems[RequestShape](MOST, attrgetter("at"), lambda count: omitted.update({older(MOST): count}))
    for record in records:
        if record["kind"] == "decision":
            newest.take(_shape(record, float(record["at"]) - float(record["elapsed_s"]), models))
            paces.take(record["attempts"], stream=record.get("stream") is True)
    return newest.kept()


def _shape(record: Mapping[str, Any], at: float, models: frozenset[str]) -> RequestShape:
    plan, asked = _mapping(record.get("plan")), _mapping(record.get("request"))
    media = tuple(kind for kind in _listed(asked.get("media")) if isinstance(kind, str) and media_needs((kind,)))
    counted = _tokens(record.get("input_tokens")) if record.get("model") else 0
    out = _tokens(record.get("output_tokens")) if record.get("model") else _tokens(plan.get("output_tokens"))
    return RequestShape(
        at, counted or _tokens(plan.get("input_tokens")) or 1, out or _OUT,
        needs_of(_listed(plan.get("needs"))) | media_needs(media), media, _tokens(asked.get("max_tokens")) or None,
        record.get("stream") is True, _name(record.get("tenant")), _name(plan.get("task") or record.get("task")),
        tuple(map(_name, _listed(record.get("tags")))), _name(record.get("chain")), _name(record.get("session")),
        max(_tokens(asked.get("turns")), 1), asked.get("in_tool_loop") is True, _tokens(asked.get("answers")) or None,
        _name(asked.get("service")), _denied(plan, models),
    )  # fmt: skip


def _denied(plan: Mapping[str, Any], models: frozenset[str]) -> tuple[str, ...]:
    """Models that the request's own terms had forbidden: what these were is in no log."""
    found = (r.get("model") for r in plan.get("refusals") or () if r.get("rule") in OF_THE_REQUEST)
    return tuple(dict.fromkeys(name for name in found if name in models))


def _stretch(shapes: Sequence[RequestShape], seconds: float | None) -> tuple[Sequence[RequestShape], float]:
    """The busiest part of so many seconds, or of the most requests that are taken; and when it begins."""
    times = [shape.at for shape in shapes]
    if seconds is None:
        if len(shapes) <= USUAL_MOST:
            return shapes, times[0]
        starts = range(len(shapes) - USUAL_MOST + 1)
        first = min(starts, key=lambda i: times[i + USUAL_MOST - 1] - times[i])
        return shapes[first : first + USUAL_MOST], times[first]
    ends = [bisect_left(times, at + seconds) for at in times]
    first = max(range(len(times)), key=lambda i: ends[i] - i)
    return shapes[first : ends[first]], times[first]


class _Paces:
    """How quick models were: by their streams; where these are too few by all their answers, the wait guessed."""

    def __init__(self) -> None:
        self._streamed, self._all = _Clocked(), _Clocked()

    def take(self, attempts: Sequence[Mapping[str, Any]], *, stream: bool) -> None:
        """Those of one request."""
        for attempt in attempts:
            if attempt.get("fault") is None:
                streams = stream and attempt.get("ttft_s") is not None
                for clocked in (self._streamed, self._all) if streams else (self._all,):
                    clocked.take(attempt, streams=streams)

    def usual(self) -> dict[str, LoggedSpeed]:
        """Of each model that answered often enough."""
        return {**self._all.usual(), **self._streamed.usual()}


class _Clocked:
    """Waits and speeds of each model, of the newest answers and of so many models."""

    def __init__(self) -> None:
        self._waits: dict[str, deque[float]] = {}
        self._speeds: dict[str, deque[float]] = {}

    def take(self, attempt: Mapping[str, Any], *, streams: bool) -> None:
        model, whole, tokens = attempt["model"], attempt.get("elapsed_s"), attempt.get("output_tokens")
        if whole is None or (model not in self._waits and len(self._waits) >= _MODELS):
            return
        wait = float(attempt["ttft_s"]) if streams else guessed_wait_s(whole)
        self._waits.setdefault(model, deque(maxlen=_ANSWERS)).append(wait)
        if tokens and whole > wait:
            self._speeds.setdefault(model, deque(maxlen=_ANSWERS)).append(tokens / (whole - wait))

    def usual(self) -> dict[str, LoggedSpeed]:
        usual = {model: median(seen) for model, seen in self._waits.items() if len(seen) >= _ENOUGH}
        fast = {model: median(seen) for model, seen in self._speeds.items() if len(seen) >= _ENOUGH}
        return {model: LoggedSpeed(wait, fast.get(model)) for model, wait in usual.items()}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: object) -> list[Any]:
    return value[:_LISTED] if isinstance(value, list) else []


def _name(value: object) -> str:
    text = value if isinstance(value, str) else ""
    return intern("".join(c if c.isprintable() else "?" for c in text[:_MOST_NAME]))


def _tokens(value: object) -> int:
    number = _seconds(value)
    return 0 if number is None else int(min(number, _MOST_TOKENS))


def _seconds(value: object) -> float | None:
    """A finite number, 0 or more."""
    fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    try:
        number = float(value) if fits else math.nan  # type: ignore[arg-type]  # narrowed by `fits`
    except OverflowError:
        return None
    return number if 0 <= number < 1e12 else None
