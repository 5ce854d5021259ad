"""Configurations that are rehearsed, and short ways to do so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from capability_router.rehearsal.rehearsal import Rehearsal, RehearsalOptions, rehearse
from capability_router.rehearsal.traffic.shape import RequestShape
from capability_router.rehearsal.traffic.traffic import Traffic

QUICK = {"ttft_s": 0.2, "tokens_per_s": 200}


def model(id: str, provider: str = "", **card: Any) -> dict[str, Any]:
    """One behind the built-in client, quick and cheap unless stated."""
    endpoint = {"base_url": f"http://{provider or id}.example/v1", "model": f"m-{id}",
                "api_key_env": f"{(provider or id).upper()}_KEY"}  # fmt: skip
    price = {"input_mtok": 1, "output_mtok": 2}
    able = {"tool_calling": True, "structured_output": True, "image_inputs": True, "context_window": 100_000}
    return {"id": id, "provider": provider or id, "endpoint": endpoint, "price": price, "latency": QUICK,
            "max_output_tokens": 4_000, **able, **card}  # fmt: skip


def config(*models: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """Policy `single`, and no learned limits, unless stated."""
    health = {"learns_limits": False, **settings.pop("health", {})}
    return {"models": list(models), "policy": "single", "health": health, **settings}


def steady(count: int = 100, every_s: float = 0.5, **shape: Any) -> Traffic:
    """Equal requests at equal distances."""
    asked = {"input_tokens": 100, "out": 40, **shape}
    shapes = tuple(RequestShape(every_s * n, **asked) for n in range(count))
    return Traffic(shapes, count * every_s, "steady")


def day(words: dict[str, Any], *faults: str, traffic: Traffic | None = None, **asked: Any) -> Rehearsal:
    """A rehearsal of it; without advice unless asked for."""
    return rehearse(words, RehearsalOptions(faults, traffic=traffic or steady(), **{"advise": False, **asked}))


def who(found: Rehearsal) -> Sequence[str]:
    """Who answered each request; else why nobody did."""
    return [row.model or row.why for row in found.run.rows]
