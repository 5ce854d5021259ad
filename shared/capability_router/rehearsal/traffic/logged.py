"""Traffic from a decision log: arrival times, sizes, needs, tenants and tags of what was asked for. No text is needed.

A log may be hostile: numbers are held within bounds, texts are cut, what can't be read is counted.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from capability_router.errors import ConfigError
from capability_router.health.latency import guessed_wait_s
from capability_router.rehearsal.traffic.shape import Shape, media_needs, needs_of
from capability_router.rehearsal.traffic.traffic import Pace, Traffic
from capability_router.telemetry.decision_log import read_log

USUAL_MOST = 20_000
"""Requests of a log that are taken where nobody says how many seconds: the busiest stretch with so many."""
_BY_TERMS = (
    "pin", "allow", "deny", "require_tags", "data.regions", "data.retention", "data.training", "max_cost",
)  # fmt: skip
"""Rules of eligibility.py that terms of one request ask for. (The configuration's own, by tenant, applies again.)"""
_LAST_UNIX = 4e9
_OUT, _MOST_TOKENS, _MOST_NAME, _LISTED = 220, 10_000_000, 120, 32
_ENOUGH = 5  # answers from which on a model's pace is believed
_TAIL_S = 1.0


def logged(path: Path, *, seconds: float | None = None, speed: float = 1.0, models: Sequence[str] = ()) -> Traffic:
    """The requests in the log at `path`. `seconds`: only its busiest stretch so long; `speed`: 2 = twice as dense.

    `models`: the ids of the configuration: models that a request's terms forbade are kept from it if they are among
    them. Raises ConfigError for what is no log, or has no request.
    """
    if not 0 < speed < math.inf:
        raise ConfigError(f"traffic: speed must be a number above 0, got {speed!r}")
    read = read_log(path)
    found, odd = _shapes(read.decisions, frozenset(models))
    if not found:
        raise ConfigError(
            f"{path}: no decision in it ({read.unreadable + odd} lines could not be read); the router writes a log "
            "where router.yaml says `telemetry: {jsonl: PATH}`"
        )
    kept, began = _stretch(found, seconds)
    shapes = [shape._replace(at=(shape.at - began) / speed) for shape in kept]
    length = (seconds or kept[-1].at - began + _TAIL_S) / speed
    notes = [f"{path.name}: {read.unreadable + odd} lines could not be read and were left out"] * (
        read.unreadable + odd > 0
    )
    if len(kept) < len(found):
        notes.append(f"{path.name}: its busiest {length * speed:,.0f} s, {len(kept):,} of {len(found):,} requests")
    faster = f", {speed:g} times as dense" if speed != 1 else ""
    return Traffic(tuple(shapes), length, f"{path.name}{faster}", began, _paces(read.decisions), tuple(notes))


def _shapes(records: Iterable[Mapping[str, Any]], models: frozenset[str]) -> tuple[list[Shape], int]:
    """In the order of their arrival; how many were odd."""
    shapes, odd = list[Shape](), 0
    for record in records:
        end, took = _seconds(record["at"]), _seconds(record["elapsed_s"])
        if end is None or took is None or not took <= end < _LAST_UNIX:
            odd += 1
        else:
            shapes.append(_shape(record, end - took, models))
    return sorted(shapes, key=lambda shape: shape.at), odd


def _shape(record: Mapping[str, Any], at: float, models: frozenset[str]) -> Shape:
    plan, asked = _mapping(record.get("plan")), _mapping(record.get("request"))
    media = tuple(kind for kind in _listed(asked.get("media")) if isinstance(kind, str) and media_needs((kind,)))
    counted = _tokens(record.get("input_tokens")) if record.get("model") else 0
    out = _tokens(record.get("output_tokens")) if record.get("model") else _tokens(plan.get("output_tokens"))
    return Shape(
        at, counted or _tokens(plan.get("input_tokens")) or 1, out or _OUT,
        needs_of(_listed(plan.get("needs"))) | media_needs(media), media, _tokens(asked.get("max_tokens")) or None,
        record.get("stream") is True, _name(record.get("tenant")), _name(plan.get("task") or record.get("task")),
        tuple(map(_name, _listed(record.get("tags")))), _name(record.get("chain")), _name(record.get("session")),
        max(_tokens(asked.get("turns")), 1), asked.get("in_tool_loop") is True, _tokens(asked.get("answers")) or None,
        _name(asked.get("service")), _denied(plan, models),
    )  # fmt: skip


def _denied(plan: Mapping[str, Any], models: frozenset[str]) -> tuple[str, ...]:
    """Models that the request's own terms had forbidden: what these were is in no log."""
    refused = (_mapping(refusal) for refusal in _listed(plan.get("refusals")))
    found = (r.get("model") for r in refused if r.get("rule") in _BY_TERMS)
    return tuple(dict.fromkeys(name for name in found if isinstance(name, str) and name in models))


def _stretch(shapes: Sequence[Shape], seconds: float | None) -> tuple[Sequence[Shape], float]:
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


def _paces(records: Iterable[Mapping[str, Any]]) -> dict[str, Pace]:
    """Of each model that answered often enough, by its streams; where these are too few by all, their wait guessed."""
    streamed, told = _Clocked(), _Clocked()
    for record in records:
        for attempt in record["attempts"]:
            if attempt.get("fault") is None and isinstance(attempt["model"], str):
                streams = bool(record.get("stream")) and _seconds(attempt.get("ttft_s")) is not None
                for clocked in (streamed, told) if streams else (told,):
                    clocked.take(attempt, streams=streams)
    return {**told.paces(), **streamed.paces()}


class _Clocked:
    """Waits and speeds of each model."""

    def __init__(self) -> None:
        self._waits: dict[str, list[float]] = {}
        self._speeds: dict[str, list[float]] = {}

    def take(self, attempt: Mapping[str, Any], *, streams: bool) -> None:
        wait, whole, tokens = (_seconds(attempt.get(name)) for name in ("ttft_s", "elapsed_s", "output_tokens"))
        if whole is None:
            return
        wait = wait if streams and wait is not None else guessed_wait_s(whole)
        self._waits.setdefault(attempt["model"], []).append(wait)
        if tokens and whole > wait:
            self._speeds.setdefault(attempt["model"], []).append(tokens / (whole - wait))

    def paces(self) -> dict[str, Pace]:
        usual = {model: median(seen) for model, seen in self._waits.items() if len(seen) >= _ENOUGH}
        fast = {model: median(seen) for model, seen in self._speeds.items() if len(seen) >= _ENOUGH}
        return {model: Pace(wait, fast.get(model)) for model, wait in usual.items()}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: object) -> list[Any]:
    return value[:_LISTED] if isinstance(value, list) else []


def _name(value: object) -> str:
    text = value if isinstance(value, str) else ""
    return "".join(c if c.isprintable() else "?" for c in text[:_MOST_NAME])


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
