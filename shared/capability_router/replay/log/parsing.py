"""From a line of a decision log to a LoggedRequest, or to why not.

Nothing that a log holds is trusted, and nothing raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from sys import intern  # a long log names few models, again and again
from typing import Any, NamedTuple, TypeVar

from capability_router.eligibility import BARRED, Refusal
from capability_router.errors import ConfigError
from capability_router.features import MOST_HARDNESS, Features
from capability_router.learning.logs.values import name_of, names_of, number_of, tokens_of, usd_of
from capability_router.replay.log.logged_request import LoggedAttempt, LoggedCandidate, LoggedRequest
from capability_router.request import Need, Request, ScreenResult
from capability_router.routing import Routing

MOST_TEXT = 2_000  # characters of a refusal's numbers
_MOST_MODELS, _MOST_ATTEMPTS, _MOST_MEDIA = 500, 50, 1_000
_LONGEST_S = 1e7
_BUCKETS = frozenset({"ascii", "structured", "latin_ext", "other_script", "cjk"})
_NEEDS = {need.name.lower(): need for need in Need if need.name and need}
_TERMS = (
    "pin", "allow", "deny", "require_tags", "regions", "retention", "training", "quality_target", "max_cost_usd",
)  # fmt: skip
_WHO = ("tenant", "task", "chain", "session", "framework")
T = TypeVar("T")
Told = Mapping[str, Any]


class UnreplayableRecord(ValueError):
    """Why a record can't be decided again."""


class _Decided(NamedTuple):
    chosen: str
    chances: Mapping[str, float]
    stated: bool


def logged_of(record: Told, *, traits: bool = False) -> LoggedRequest:
    """A decision record without a flaw (decision_log/record_validation.py), as far as it can be decided again.

    `traits`: with its words, hashed and captured. Raises UnreplayableRecord.
    """
    plan = _mapping(record.get("plan"))
    if not plan:
        raise UnreplayableRecord("decisions without a plan")
    id, at, elapsed = name_of(record["request_id"]), float(record["at"]), float(record["elapsed_s"])
    candidates = tuple(_each(plan.get("candidates"), _seen, _MOST_MODELS))
    decided, told = _decided(plan, candidates), record.get("traits")
    refusals = tuple(_each(plan.get("refusals"), _refusal, _MOST_MODELS))
    return LoggedRequest(
        id, at, elapsed, name_of(record.get("router")), _request(id, record, plan, traits), _features(plan, record),
        isinstance(record.get("terms"), Mapping), candidates, refusals, *decided, name_of(record.get("model")),
        _pico(record.get("cost_pico")), tuple(_each(record.get("attempts"), _attempt, _MOST_ATTEMPTS)),
        told if traits and isinstance(told, Mapping) else None, name_of(_mapping(record.get("basis")).get("registry")),
    )  # fmt: skip


def _decided(plan: Told, candidates: tuple[LoggedCandidate, ...]) -> _Decided:
    chosen = name_of(plan.get("chosen"))
    if chosen and all(each.id != chosen for each in candidates):
        raise UnreplayableRecord("decisions whose chosen model is not among their candidates")
    if candidates and not chosen:
        raise UnreplayableRecord("decisions that chose nobody of their candidates")
    propensity, listed = number_of(plan.get("propensity")), plan.get("chances")
    if propensity is None or not 0.0 < propensity <= 1.0:
        raise UnreplayableRecord("decisions without a chance (propensity) from 0 to 1")
    if plan.get("policy") == "rules":  # its draw goes by the request's id, as may that of what is replayed: no chance
        return _Decided(chosen, {chosen: 1.0} if chosen else {}, False)
    if not isinstance(listed, Mapping):
        return _Decided(chosen, {chosen: propensity} if chosen else {}, False)
    told = {name_of(name): number_of(chance) for name, chance in listed.items()}
    chances = {name: chance for name, chance in told.items() if name and chance is not None and 0.0 < chance <= 1.0}
    whole = len(chances) == len(listed) and sum(chances.values()) <= _ALL
    if not whole or abs(chances.get(chosen, -1.0) - propensity) > _SAME:
        raise UnreplayableRecord("decisions whose chances don't fit together")
    return _Decided(chosen, chances, True)


_SAME, _ALL = 1e-6, 1.0 + 1e-6


def _features(plan: Told, record: Told) -> Features:
    tokens, output = tokens_of(plan.get("input_tokens")), tokens_of(plan.get("output_tokens"))
    if tokens is None or output is None:
        raise UnreplayableRecord("decisions whose tokens are no numbers")
    raw, bucket = plan.get("hardness"), plan.get("bucket")
    known = isinstance(raw, (int, float)) and abs(raw) <= MOST_HARDNESS
    hardness = float(raw) if known and isinstance(raw, (int, float)) else 0.0
    task = name_of(plan.get("task")) or name_of(record.get("task")) or "chat"
    kind = bucket if isinstance(bucket, str) and bucket in _BUCKETS else ""
    return Features(tokens, output, task, hardness, tokens, 0, kind)


def _request(id: str, record: Told, plan: Told, worded: bool) -> Request:
    """What a Request holds, as far as it was recorded; the text only where it was captured and is `worded`."""
    told, content = _mapping(record.get("request")), _mapping(record.get("content")) if worded else {}
    texts, media = content.get("messages"), told.get("media")
    held = tuple(text for text in texts if isinstance(text, str)) if isinstance(texts, list) else ()
    kinds = [kind for kind in media if isinstance(kind, str)] if isinstance(media, list) else []
    return Request(
        held, needs=_needs(plan), media=tuple(kinds[:_MOST_MEDIA]), id=id, routing=_routing(record),
        max_tokens=tokens_of(told.get("max_tokens")) or None, stream=record.get("stream") is True,
        turns=tokens_of(told.get("turns")) or 1, in_tool_loop=told.get("in_tool_loop") is True,
        service=name_of(told.get("service")), answers=_answers(told.get("answers")),
        screened=_screened(plan),
    )  # fmt: skip


def _screened(plan: Told) -> ScreenResult | None:
    """Whether a screen let no model read it; what else it asked for is among the terms."""
    refusals = _each(plan.get("refusals"), _refusal, _MOST_MODELS)
    why = next((refusal.detail for refusal in refusals if refusal.rule == BARRED), "")
    return ScreenResult({}, {}, why) if why else None


def _needs(plan: Told) -> Need:
    needs, listed = Need.NONE, plan.get("needs")
    for name in listed if isinstance(listed, list) else ():
        need = _NEEDS.get(name) if isinstance(name, str) else None
        if need is None:
            raise UnreplayableRecord("decisions with needs that this version does not know")
        needs |= need
    return needs


def _answers(value: object) -> int | None:
    count = tokens_of(value)
    return count if count and count <= _MOST_ATTEMPTS else None


def _routing(record: Told) -> Routing:
    who: dict[str, Any] = {name: name_of(record.get(name)) for name in _WHO}
    told = _mapping(record.get("terms"))
    said = {name: told[name] for name in _TERMS if told.get(name) is not None}
    try:
        return Routing().merged({**who, "tags": names_of(record.get("tags")), **said})
    except (ConfigError, OverflowError) as error:
        raise UnreplayableRecord("decisions whose terms can't be read") from error


def _each(value: object, made: Callable[[Told], T | None], most: int) -> Iterator[T]:
    for item in value[:most] if isinstance(value, list) else ():
        found = made(item) if isinstance(item, Mapping) else None
        if found is not None:
            yield found


def _seen(told: Told) -> LoggedCandidate | None:
    id, quality = name_of(told.get("id")), number_of(told.get("quality"))
    if not id:
        return None
    cost, fallback = usd_of(told.get("cost_usd")), usd_of(told.get("fallback_usd"))
    return LoggedCandidate(
        intern(id), intern(name_of(told.get("provider"))), intern(name_of(told.get("model"))),
        quality if quality is not None and quality <= 1.0 else None, None if cost is None else round(cost * 1e12),
        _seconds(told.get("latency_s")), _seconds(told.get("queue_s")) or 0.0, name_of(told.get("held")),
        round((fallback or 0.0) * 1e12),
    )  # fmt: skip


def _refusal(told: Told) -> Refusal | None:
    model, rule, detail = name_of(told.get("model")), name_of(told.get("rule")), told.get("detail")
    text = detail[:MOST_TEXT] if isinstance(detail, str) else ""
    return Refusal(intern(model), intern(rule), intern(text)) if model and rule else None


def _attempt(told: Told) -> LoggedAttempt | None:
    model, elapsed = name_of(told.get("model")), _seconds(told.get("elapsed_s"))
    if not model or elapsed is None:
        return None
    ins, out, read = (tokens_of(told.get(name)) or 0 for name in ("input_tokens", "output_tokens", "cache_read_tokens"))
    return LoggedAttempt(
        intern(model), name_of(told.get("fault")), elapsed, ins, out, read, told.get("estimated") is not False,
        name_of(told.get("finish")), _pico(told.get("cost_pico")),
    )  # fmt: skip


def _seconds(value: object) -> float | None:
    number = number_of(value)
    return number if number is not None and number <= _LONGEST_S else None


def _pico(value: object) -> int | None:
    """Picodollars, of a million USD at most."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and isinstance(value, int) and 0 <= value <= 10**18 else None


def _mapping(value: object) -> Told:
    return value if isinstance(value, Mapping) else {}
