"""Decision logs for tests: written by real routers over scripted models, or made up line by line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from capability_router.replay.deciders.token_lessons import TokenLessons
from capability_router.replay.findings import Findings, found
from capability_router.replay.log.latencies import Latencies
from capability_router.replay.log.replay_log import ReplayLog, read
from capability_router.replay.replay_setup import Predict, opened
from capability_router.replay.replaying import ReplayedRequest, replayed
from capability_router.request import Request, Usage
from capability_router.router import Router
from capability_router.testing import ManualClock, ScriptedModel, ask, scripted_router

CARDS: dict[str, dict[str, Any]] = {
    "small": {
        "price": {"input_mtok": 0.1, "output_mtok": 0.4}, "quality": {"default": 0.6}, "context_window": 4_000,
        "tool_calling": False, "tags": ["cheap"], "data": {"regions": ["us"]},
    },
    "large": {
        "price": {"input_mtok": 2, "output_mtok": 8}, "quality": {"default": 0.9}, "context_window": 100_000,
        "tool_calling": True, "data": {"regions": ["eu"], "training": False},
    },
}  # fmt: skip
TOKENS = {"small": (100, 50), "large": (110, 100)}
SECONDS = {"small": 1.0, "large": 3.0}


def router_of(path: Path | None, **settings: Any) -> Router:
    models = {name: ScriptedModel(["ok"], usage=Usage(*TOKENS[name]), delay_s=SECONDS[name]) for name in CARDS}
    if path is not None:
        settings["telemetry"] = {"jsonl": str(path), **settings.get("telemetry", {})}
    return scripted_router(models, cards=deepcopy(CARDS), clock=ManualClock(), **settings)


def write(path: Path, requests: Iterable[Request], **settings: Any) -> Path:
    """A router's log of these requests, a minute apart."""
    router = router_of(path, **settings)
    for request in requests:
        ask(router, request)
        router.clock.advance(60.0)  # type: ignore[attr-defined]  # a manual clock
    router.close()
    return path


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def config(path: Path, policy: Any, cards: dict[str, dict[str, Any]] | None = None, **more: Any) -> Path:
    """A router.yaml (JSON is YAML) of these cards."""
    models = [
        {"id": id, "endpoint": {"base_url": "http://127.0.0.1:9/v1", "model": id}, **card}
        for id, card in (CARDS if cards is None else cards).items()
    ]
    path.write_text(json.dumps({"policy": policy, "models": models, **more}))
    return path


def again(
    log: ReplayLog | Path, policy: str | Path, config: Path | None = None, predict: Predict | None = None
) -> tuple[list[ReplayedRequest], Findings]:
    log = read([log], traits=True) if isinstance(log, Path) else log
    lessons, latencies = TokenLessons(log.decisions), Latencies(a for each in log.decisions for a in each.attempts)
    other = opened(str(policy), config, predict)
    decider = other.decider(lessons, latencies)
    made = replayed(log, decider, lessons, latencies)
    return made, found(made, log, decider, latencies, [*other.told, *decider.told()])


def attempt(model: str, fault: str | None = None, *, took: float = 1.0, pico: int = 1_000_000) -> dict[str, Any]:
    return {
        "index": 1, "model": model, "provider": "p", "fault": fault, "detail": "", "started_s": 0.0, "elapsed_s": took,
        "ttft_s": None, "finish": None if fault else "stop", "input_tokens": 100, "output_tokens": 50,
        "cache_read_tokens": 0, "reasoning_tokens": 0, "estimated": False, "cost_pico": 0 if fault else pico,
    }  # fmt: skip


def candidate(id: str, quality: float = 0.8, usd: float | None = 1e-6, **more: Any) -> dict[str, Any]:
    return {
        "id": id, "provider": "p", "model": id, "score": 0.0, "quality": quality, "cost_usd": usd, "fallback_usd": 0.0,
        "latency_s": 1.0, "queue_s": 0.0, "terms": {}, "held": "", **more,
    }  # fmt: skip


def decision(number: int, candidates: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A made-up record, whose plan can be changed by `plan=`."""
    chosen = candidates[0]["id"] if candidates else None
    plan = {
        "schema_version": 1, "request_id": f"r{number}", "policy": "adaptive", "chosen": chosen, "reason": "because",
        "input_tokens": 100, "output_tokens": 50, "task": "chat", "hardness": 0.0, "bucket": "ascii", "needs": [],
        "settings": {}, "propensity": 1.0, "candidates": list(candidates), "refusals": [], "notes": [],
        **more.pop("plan", {}),
    }  # fmt: skip
    return {
        "schema_version": 1, "kind": "decision", "at": 1_800_000_000.0 + 60 * number, "router": "r",
        "request_id": f"r{number}", "framework": "", "tenant": "", "task": "", "tags": [], "chain": "", "session": "",
        "stream": False, "model": chosen, "provider": "p", "fallback": False, "reason": "because", "policy": "adaptive",
        "finish": "stop", "elapsed_s": 1.0, "ttft_s": None, "input_tokens": 100, "output_tokens": 50,
        "cost_usd": 1e-6, "cost_pico": 1_000_000, "terms": {},
        "request": {
            "messages": 1, "characters": 10, "turns": 1, "media": [], "tools": 0, "tool_characters": 0,
            "in_tool_loop": False, "max_tokens": None, "answers": None, "service": "",
        },
        "basis": {"registry": "0", "policy": "0", "seed": None}, "attempts": [attempt(chosen)] if chosen else [],
        "plan": plan, **more,
    }  # fmt: skip


def score(number: int, value: object, at: float = 1_900_000_000.0) -> dict[str, Any]:
    return {
        "schema_version": 1, "kind": "feedback", "at": at, "request_id": f"r{number}", "model": "m", "score": value,
        "source": "user",
    }  # fmt: skip


def lines(path: Path, *items: Any) -> Path:
    path.write_text("".join((item if isinstance(item, str) else json.dumps(item)) + "\n" for item in items))
    return path
