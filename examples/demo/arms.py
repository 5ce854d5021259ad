"""The three ways that are compared, each on its own copy of the same fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from examples.demo.arm import Arm

SEED = 7
STRONGEST = "cedar/cedar-large"
FAVOURITE = "birch"
RULES: list[dict[str, Any]] = [
    {"when": {"task": "classify"}, "then": ["alder/alder-nano", "birch/birch-mini"]},
    {"when": {"needs": ["image_inputs"]}, "then": [STRONGEST, "elder/elder-think"]},
    {"when": {"min_input_tokens": 10_000}, "then": ["elder/elder-think", STRONGEST]},
    {"when": {"needs": ["tool_calling"]}, "then": [STRONGEST, "birch/birch-mini"]},
    {"then": ["elder/elder-think", STRONGEST, "birch/birch-mini"]},
]
"""What a careful person writes down once: the cheap model for labels, a good one for the rest."""


def build(folder: Path, *, time_scale: float = 1.0) -> list[Arm]:
    """The router as examples/router.yaml has it, then the two baselines; their decision logs go to the folder."""
    single = {"only": STRONGEST, "policy": {"name": "single"}}
    ways: dict[str, dict[str, Any]] = {
        "adaptive": {},
        "always the strongest": single,
        "static rules": {"policy": {"name": "rules", "rules": RULES}},
    }
    return [
        Arm(name, _fresh(folder / f"decisions-{name.replace(' ', '-')}.jsonl"), time_scale=time_scale, seed=SEED, **way)
        for name, way in ways.items()
    ]


def incidents(duration_s: float) -> list[str]:
    """The favourite refuses connections from 40 % to 62 % of the run; later the strongest is overrun for a while."""
    outage = f"outage:{FAVOURITE}@{0.4 * duration_s:.2f}s+{0.22 * duration_s:.2f}s"
    rush = f"429:{STRONGEST}@{0.78 * duration_s:.2f}s+{0.08 * duration_s:.2f}s,retry_after=2"
    return [outage, rush]


def _fresh(log: Path) -> Path:
    log.unlink(missing_ok=True)
    return log
