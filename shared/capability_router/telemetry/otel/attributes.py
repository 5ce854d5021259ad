"""The attributes of spans and metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from capability_router.request import AttemptRecord
from capability_router.telemetry.otel import names
from capability_router.telemetry.otel.finished_request import Content, FinishedRequest, ServedCandidate

Attributes = dict[str, Any]
_LONGEST = 2_000  # characters of a reason
_ROLES = {"human": "user", "ai": "assistant", "model": "assistant", "chatbot": "assistant", "function": "tool"}


def of_request(over: FinishedRequest) -> Attributes:
    """The decision, for the router's span. `gen_ai.usage.*` are only on the attempts' spans."""
    outcome, terms = over.outcome, over.routing
    told: Attributes = {
        "router": over.router, "request_id": outcome.request_id, "policy": outcome.policy,
        "reason": outcome.reason[:_LONGEST], "model": outcome.model, "provider": outcome.provider,
        "outcome": over.result_status, "fallback": outcome.fallback, "attempts": len(outcome.attempts),
        "refusals": over.refusals, "stream": over.stream, "cost_usd": usd(outcome.cost_pico),
        "finish": str(outcome.finish or ""),
        "tenant": terms.tenant, "task": terms.task, "tags": list(terms.tags), "chain": terms.chain,
        "resumed": outcome.resumed or None, "canary": outcome.canary, "shadow_of": over.shadow_of,
        "screen": list(outcome.screen),
    }  # fmt: skip
    own = {f"{names.OWN}.{name}": value for name, value in told.items()}
    return _known({**own, names.CONVERSATION: terms.session, names.ERROR: error_of(over)})


def of_workflow(over: FinishedRequest) -> Attributes:
    """The kind of the router's own span: one on which no backend counts tokens."""
    return {names.OPERATION: names.WORKFLOW, names.WORKFLOW_NAME: over.router, names.KIND: names.CHAIN}


def of_attempt(over: FinishedRequest, attempt: AttemptRecord) -> Attributes:
    """One attempt, for its span."""
    usage = attempt.usage
    told = {
        names.REQUEST_STREAM: over.stream or None,
        names.FINISH_REASONS: [str(attempt.finish)] if attempt.finish else None,
        names.FIRST_CHUNK: attempt.ttft_s if over.stream else None,
        names.CACHE_READ_TOKENS: usage.cache_read_tokens or None,
        names.CACHE_CREATION_TOKENS: usage.cache_creation_tokens or None,
        names.REASONING_TOKENS: usage.reasoning_tokens or None,
        names.CONVERSATION: over.routing.session,
    }
    if usage.input_tokens or usage.output_tokens:
        told |= {names.INPUT_TOKENS: usage.input_tokens, names.OUTPUT_TOKENS: usage.output_tokens}
    shown = over.content is not None and over.answering(attempt)
    content = of_content(over.content, attempt.finish) if shown and over.content is not None else {}
    return {**of_call(over, attempt), **_known({**told, **own(attempt)}), **_priced(attempt), **content}


def own(attempt: AttemptRecord) -> Attributes:
    """The attempt's attributes that no convention has a name for."""
    told = {
        "attempt": attempt.index, "candidate": attempt.model, "fault": attempt.fault,
        "cost_usd": usd(attempt.cost_pico), "estimated": attempt.usage.estimated or None,
    }  # fmt: skip
    return _known({f"{names.OWN}.{name}": value for name, value in told.items()})


def of_call(over: FinishedRequest, attempt: AttemptRecord) -> Attributes:
    """The attributes that the conventions require on every metric of a call."""
    served = over.serves(attempt)
    return _known({
        names.OPERATION: names.CHAT, names.PROVIDER: served.provider, names.REQUEST_MODEL: served.model,
        names.RESPONSE_MODEL: over.told if over.answering(attempt) else None,
        names.ERROR: attempt.fault if is_error(attempt) else None, **_place(served),
    })  # fmt: skip


def of_content(content: Content, finish: str | None) -> Attributes:
    """The texts of messages and answer in the conventions' JSON form."""
    asked = [
        {"role": _ROLES.get(role, role), "parts": [_text(text)]}
        for role, text in zip_longest(content.roles, content.texts, fillvalue="user")
    ]
    said = [{"role": "assistant", "parts": [_text(content.answer)], "finish_reason": finish or "unknown"}]
    return {
        names.INPUT_MESSAGES: json.dumps(asked, ensure_ascii=False),
        names.OUTPUT_MESSAGES: json.dumps(said, ensure_ascii=False),
    }


def is_error(attempt: AttemptRecord) -> bool:
    """Whether the model failed. A cancelled attempt did not."""
    return attempt.fault not in (None, "cancelled")


def error_of(over: FinishedRequest) -> str | None:
    """Why there is no answer, in one word; None = there is one."""
    if over.result_status == "refused":
        return "no_eligible_model"
    if over.result_status != "failed":
        return None
    attempts = over.outcome.attempts
    return attempts[-1].fault if attempts and attempts[-1].fault else "not_sent"


def usd(pico: int | None) -> float | None:
    """Picodollars as dollars; None = unknown."""
    return None if pico is None else pico / 1e12


def _priced(attempt: AttemptRecord) -> Attributes:
    """The cost by the ledger, under the names that backends use instead of their own price lists."""
    cost = usd(attempt.cost_pico)
    if cost is None or not (attempt.usage.input_tokens or attempt.usage.output_tokens or cost):
        return {}
    return {names.USAGE_COST: cost, names.LLM_COST: cost, names.MLFLOW_COST: json.dumps({"total_cost": cost})}


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "content": text}


def _place(served: ServedCandidate) -> Attributes:
    return {names.ADDRESS: served.host, names.PORT: served.port} if served.host else {}


def _known(told: Mapping[str, Any]) -> Attributes:
    return {name: value for name, value in told.items() if value not in (None, "", [])}
