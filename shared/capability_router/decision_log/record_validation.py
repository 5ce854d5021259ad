"""What a valid line of a decision log is, as far as readers use it: types, bounds, and how a flaw is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

SCHEMA_VERSION = 1
KINDS = ("decision", "feedback", "shadow", "shadow_score", "sign", "health")
_LATEST = 4_102_444_800  # the year 2100, in Unix seconds
_LONGEST_S = 100_000_000  # three years
_MOST_PICO = 10**24  # a trillion USD
_MOST_TOKENS = 10**12
NO_OBJECT = "no JSON object"
Record = Mapping[str, Any]


class _Kind(NamedTuple):
    """`words` continue the text after "is not"."""

    words: str
    fits: Callable[[Any], bool]


def _between(least: float, most: float) -> Callable[[Any], bool]:
    """For numbers; a bool, NaN and infinity are not accepted."""
    return lambda value: type(value) in (int, float) and least <= value <= most


def _whole(most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) in (int, float) and 0 <= value <= most and value == int(value)


def _listed(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


_ID = _Kind("a text", lambda value: isinstance(value, str) and value != "")
_TEXT = _Kind("a text", lambda value: isinstance(value, str))
_FLAG = _Kind("true or false", lambda value: isinstance(value, bool))
_TEXTS = _Kind("a list of texts", _listed)
_OBJECT = _Kind("an object", lambda value: isinstance(value, dict))
_OBJECTS = _Kind("a list of objects", lambda v: isinstance(v, list) and all(isinstance(each, dict) for each in v))
_TIME = _Kind("a time from 1970 to 2100", _between(0, _LATEST))
_SECONDS = _Kind("a number of seconds", _between(0, _LONGEST_S))
_COUNT = _Kind("a number of tokens", _whole(_MOST_TOKENS))
_PICO = _Kind("an amount of picodollars", _whole(_MOST_PICO))
_USD = _Kind("an amount of USD", _between(0, 1e12))
_SHARE = _Kind("a number from 0 to 1", _between(0, 1))
_FIGURE = _Kind("a number", _between(-1e12, 1e12))

Fields = Mapping[str, _Kind]
_TOKENS = {"input_tokens": _COUNT, "output_tokens": _COUNT}
_NEEDED: Mapping[str, Fields] = {
    "decision": {"at": _TIME, "request_id": _ID, "elapsed_s": _SECONDS, "attempts": _OBJECTS},
    "shadow": {"at": _TIME, "request_id": _ID, "elapsed_s": _SECONDS, "attempts": _OBJECTS},
    "feedback": {"request_id": _ID, "score": _SHARE},
    "shadow_score": {"request_id": _ID, "score": _SHARE},
    "sign": {"request_id": _ID},
    "health": {"at": _TIME, "model": _ID, "event": _ID},
}
_CALL = {"model": _TEXT, "policy": _TEXT, "finish": _TEXT, "cost_pico": _PICO, **_TOKENS}
_WORDS = ("router", "framework", "tenant", "task", "chain", "session", "provider", "reason")
_OPTIONAL: Mapping[str, Fields] = {
    "decision": {
        **_CALL, **dict.fromkeys(_WORDS, _TEXT), "tags": _TEXTS, "fallback": _FLAG, "stream": _FLAG, "canary": _FLAG,
        "ttft_s": _SECONDS, "plan": _OBJECT, "shadow": _OBJECT, "basis": _OBJECT,
        "screen": _OBJECT,
    },
    "shadow": {**_CALL, "shadow_id": _TEXT},
    "feedback": {"model": _TEXT, "source": _TEXT},
    "shadow_score": {"source": _TEXT, "shadow_id": _TEXT},
    "sign": {"model": _TEXT, "sign": _TEXT},
    "health": {"router": _TEXT, "detail": _TEXT},
}  # fmt: skip
_ATTEMPT = {
    "fault": _TEXT, "detail": _TEXT, "started_s": _SECONDS, "elapsed_s": _SECONDS, "ttft_s": _SECONDS,
    "cost_pico": _PICO, "cache_read_tokens": _COUNT, **_TOKENS,
}  # fmt: skip
_PLAN = {
    "policy": _TEXT, "task": _TEXT, "reason": _TEXT, "settings": _OBJECT, "candidates": _OBJECTS, "refusals": _OBJECTS,
}  # fmt: skip
_CANDIDATE = {"quality": _FIGURE, "cost_usd": _USD, "fallback_usd": _USD, "latency_s": _SECONDS, "held": _TEXT}
_REFUSAL = {"model": _TEXT, "rule": _TEXT, "detail": _TEXT}
_SHADOW = {
    "policy": _TEXT, "chosen": _TEXT, "error": _TEXT, "differs": _FLAG, "quality": _FIGURE, "cost_usd": _USD,
    "latency_s": _SECONDS,
}  # fmt: skip
_BASIS = {"registry": _TEXT, "prices": _OBJECT}
_SETTINGS = {"quality_target": _SHARE}


def flaw(record: object) -> str | None:
    """Why a line's JSON is not a valid record of this version, in fixed words; None = it is valid."""
    if not isinstance(record, dict):
        return NO_OBJECT
    version, kind = record.get("schema_version"), record.get("kind")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        return "another schema version"
    if not isinstance(kind, str) or kind not in KINDS:
        return "another kind of record"
    found = _wrong(record, _NEEDED[kind], _OPTIONAL[kind])
    return found or (_within(record) if "attempts" in _NEEDED[kind] else None)


def time_of(record: Record) -> float:
    """Its `at`, Unix seconds; 0 = missing or not plausible."""
    at = record.get("at")
    return float(at) if at is not None and _TIME.fits(at) else 0.0


def score_rank(feedback: Record) -> int:
    """Of a score: an evaluator's, 0, never replaces a user's, 1."""
    return int(feedback.get("source") != "evaluator")


def _within(record: Record) -> str | None:
    """What is wrong with the parts of a request's record."""
    plan, shadow, basis = (record.get(name) or {} for name in ("plan", "shadow", "basis"))
    return (
        _each(record["attempts"], {"model": _ID}, _ATTEMPT, "an attempt's ")
        or _wrong(plan, {}, _PLAN, "plan.") or _wrong(plan.get("settings") or {}, {}, _SETTINGS, "plan.settings.")
        or _each(plan.get("candidates") or (), {"id": _ID}, _CANDIDATE, "a candidate's ")
        or _each(plan.get("refusals") or (), {}, _REFUSAL, "a refusal's ")
        or _wrong(shadow, {}, _SHADOW, "shadow.") or _wrong(basis, {}, _BASIS, "basis.")
    )  # fmt: skip


def _each(values: Iterable[Record], needed: Fields, optional: Fields, of: str) -> str | None:
    return next((found for value in values if (found := _wrong(value, needed, optional, of))), None)


def _wrong(values: Record, needed: Fields, optional: Fields, of: str = "") -> str | None:
    for name, kind in needed.items():
        if not kind.fits(values.get(name)):
            return f"{of}{name} is missing" if values.get(name) is None else f"{of}{name} is not {kind.words}"
    for name, kind in optional.items():
        value = values.get(name)
        if value is not None and not kind.fits(value):
            return f"{of}{name} is not {kind.words}"
    return None
