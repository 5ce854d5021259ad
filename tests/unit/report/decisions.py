"""Decision records for tests, as telemetry/records.py writes them."""

from __future__ import annotations

from typing import Any

BEGAN = 1_800_000_000.0


def attempt(
    model: str, fault: str | None = None, *, start: float = 0.0, took: float = 1.0, pico: int = 0
) -> dict[str, Any]:  # fmt: skip
    return {
        "index": 1, "model": model, "provider": model.partition("/")[0], "fault": fault, "detail": fault or "",
        "started_s": start, "elapsed_s": took, "ttft_s": None, "finish": None if fault else "stop", "cost_pico": pico,
    }  # fmt: skip


def decision(at: float, *attempts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A request that starts `at` seconds after BEGAN; the last attempt answers unless it has a fault."""
    tried = list(attempts) or [attempt("a/one")]
    last = tried[-1]
    elapsed = last["started_s"] + last["elapsed_s"]
    answered = None if last["fault"] else last["model"]
    return {
        "schema_version": 1, "kind": "decision", "at": BEGAN + at + elapsed, "router": "r", "request_id": f"id-{at}",
        "framework": "langchain", "tenant": "acme", "task": "", "tags": [], "chain": "", "session": "",
        "model": answered, "provider": "a", "fallback": bool(answered) and tried[0]["model"] != answered,
        "reason": "cheapest", "policy": "adaptive", "elapsed_s": elapsed, "input_tokens": 100, "output_tokens": 10,
        "cost_pico": sum(a["cost_pico"] for a in tried), "attempts": tried, "plan": {"task": "chat"}, **more,
    }  # fmt: skip
