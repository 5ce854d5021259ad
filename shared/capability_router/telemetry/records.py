"""The decision record: everything about one request but its text. Schema-versioned, JSON-safe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from capability_router.decision_log.record_validation import SCHEMA_VERSION
from capability_router.request import Outcome, Request


class SerializablePlan(Protocol):
    """The parts of a plan that a record needs."""

    def to_dict(self) -> dict[str, Any]: ...


class DecisionBasis(NamedTuple):
    """What a router's decisions depend on: hashes of its cards and of its policy's settings, the seed, the prices.

    `prices`: by model with a price, the stated fields of its Price, without those for services. `canary_share`: of the
    sessions that the canary decides, 0 to 1; None = there is no canary.
    """

    registry: str
    policy: str
    seed: int | None = None
    prices: Mapping[str, Mapping[str, Any]] = {}
    canary_share: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe; without a canary there is no share of it."""
        told = self._asdict()
        if self.canary_share is None:
            del told["canary_share"]
        return told


def decision_record(
    request: Request, plan: SerializablePlan, outcome: Outcome, *, at: float, router: str, basis: DecisionBasis,
    aside: SerializablePlan | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The record of one request: its terms, the plan, each attempt, the cost. `at` is Unix seconds.

    `canary`: with a canary policy, whether it decided. `aside`: what the shadow policy would have done (`shadow`).
    `screen`: how often a screen found each label.
    """
    terms, trial = request.routing, dict[str, Any]()
    if outcome.canary is not None:
        trial["canary"] = outcome.canary
    if aside is not None:
        trial["shadow"] = aside.to_dict()
    if request.screened is not None and request.screened.found:
        trial["screen"] = dict(request.screened.found)
    return {
        "schema_version": SCHEMA_VERSION, "kind": "decision", "at": round(at, 6), "router": router,
        "request_id": outcome.request_id,
        "framework": terms.framework, "tenant": terms.tenant, "task": terms.task, "tags": list(terms.tags),
        "chain": terms.chain, "session": terms.session, "stream": request.stream,
        "model": outcome.model, "provider": outcome.provider, "fallback": outcome.fallback,
        "reason": outcome.reason, "policy": outcome.policy, "finish": outcome.finish,
        "elapsed_s": round(outcome.elapsed_s, 6),
        "ttft_s": None if outcome.ttft_s is None else round(outcome.ttft_s, 6),
        "input_tokens": outcome.usage.input_tokens, "output_tokens": outcome.usage.output_tokens,
        "cost_usd": None if outcome.cost_pico is None else outcome.cost_pico / 1e12,
        "cost_pico": outcome.cost_pico,
        "request": _asked(request), "terms": _terms(request), "basis": basis.to_dict(),
        "attempts": [attempt.to_dict() for attempt in outcome.attempts], "plan": plan.to_dict(),
        **trial,
    }  # fmt: skip


def _asked(request: Request) -> dict[str, Any]:
    """The call's properties without its text. Tokens, task and needs are in the plan."""
    return {
        "messages": len(request.texts), "characters": sum(map(len, request.texts)), "turns": request.turns,
        "media": list(request.media), "tools": len(request.tool_names), "tool_characters": len(request.tools),
        "in_tool_loop": request.in_tool_loop, "max_tokens": request.max_tokens, "answers": request.answers,
        "service": request.service,
    }  # fmt: skip


_BINDING = (
    "pin", "allow", "deny", "require_tags", "regions", "retention", "training", "quality_target", "max_cost_usd",
)  # fmt: skip


def _terms(request: Request) -> dict[str, Any]:
    """The terms of the call that affect the decision, without tenant and tags; unset ones are left out."""
    said = ((name, getattr(request.routing, name)) for name in _BINDING)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in said if value not in (None, ())}


def shadow_record(request_id: str, outcome: Outcome, *, at: float, router: str) -> dict[str, Any]:
    """The record of a shadow call for the request with this id. Its answer is never given to the caller."""
    return {
        "schema_version": SCHEMA_VERSION, "kind": "shadow", "at": round(at, 6), "router": router,
        "request_id": request_id, "shadow_id": outcome.request_id, "model": outcome.model, "policy": outcome.policy,
        "finish": outcome.finish, "elapsed_s": round(outcome.elapsed_s, 6), "cost_pico": outcome.cost_pico,
        "input_tokens": outcome.usage.input_tokens, "output_tokens": outcome.usage.output_tokens,
        "attempts": [attempt.to_dict() for attempt in outcome.attempts],
    }  # fmt: skip


def feedback_record(
    request_id: str, model: str | None, score: float, *, at: float, source: str = "user"
) -> dict[str, Any]:  # fmt: skip
    """The record of a score for a request. `source`: "user" or "evaluator".

    `model`: the one that answered; None = unknown in this process.
    """
    return {
        "schema_version": SCHEMA_VERSION, "kind": "feedback", "at": round(at, 6), "request_id": request_id,
        "model": model, "score": score, "source": source,
    }  # fmt: skip


def sign_record(request_id: str, model: str, kind: str, weight: float, *, at: float) -> dict[str, Any]:
    """The record of an implicit sign of the quality of this model's answer; see learning/implicit_signs.py."""
    return {
        "schema_version": SCHEMA_VERSION, "kind": "sign", "at": round(at, 6), "request_id": request_id,
        "model": model, "sign": kind, "weight": weight, "source": "implicit",
    }  # fmt: skip


def shadow_score_record(request_id: str, shadow_id: str, score: float, *, at: float) -> dict[str, Any]:
    """The record of an evaluator's score for the answer of a shadow call for the request with this id."""
    return {
        "schema_version": SCHEMA_VERSION, "kind": "shadow_score", "at": round(at, 6), "request_id": request_id,
        "shadow_id": shadow_id, "score": score, "source": "evaluator",
    }  # fmt: skip


def health_record(event: str, model: str, detail: str, *, at: float, router: str) -> dict[str, Any]:
    """The record of a change of a model's health: breaker, credential or model switched off or on again."""
    return {
        "schema_version": SCHEMA_VERSION, "kind": "health", "at": round(at, 6), "router": router, "model": model,
        "event": event, "detail": detail,
    }  # fmt: skip
