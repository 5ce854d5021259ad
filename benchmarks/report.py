"""How long `capability-router report` takes over a long log, and how much memory.

    python -m benchmarks.report [--requests 100000] [--keep LOG]

The log is made up, with a seed: seven models with their predictions and prices, tenants, tasks, failures, an outage
with its breaker, scores. The command is run as a process of its own; its memory is the most that it held at once.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MODELS = {
    "alder/nano": (0.05, 0.4, 0.62), "birch/mini": (0.25, 2.0, 0.8), "cedar/large": (2.5, 10.0, 0.94),
    "dogwood/chat": (0.5, 1.5, 0.76), "elder/think": (1.1, 4.4, 0.9), "fir/eight": (0.1, 0.1, 0.55),
    "gum/long": (1.0, 3.0, 0.85),
}  # fmt: skip
TASKS = {"question": 0.0, "classify": 0.08, "summarise": 0.02, "extract": 0.04, "code": -0.15}
BEGAN, SECONDS = 1_800_000_000.0, 7.0
OUTAGE = (0.4, 0.44)  # of the log, in which cedar/large is away


def records(requests: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """In the order of time: decisions, the scores of a tenth of them, and the changes of a breaker."""
    chance = random.Random(seed)
    turns = {int(OUTAGE[0] * requests): "breaker_opened", int(OUTAGE[1] * requests): "breaker_closed"}
    for number in range(requests):
        at = BEGAN + SECONDS * (number + chance.random())
        if number in turns:
            yield _record("health", at, router="r", model="cedar/large", event=turns[number], detail="5 in a row")
        decision = _decision(chance, number, at, OUTAGE[0] * requests <= number < OUTAGE[1] * requests)
        yield decision
        if decision["model"] and chance.random() < 0.1:
            good = chance.random() < MODELS[decision["model"]][2] + TASKS[decision["task"]]
            yield _record(
                "feedback", at + 60, request_id=decision["request_id"], model=decision["model"], score=float(good),
                source="user",
            )  # fmt: skip


def _record(kind: str, at: float, **more: Any) -> dict[str, Any]:
    return {"schema_version": 1, "kind": kind, "at": round(at, 6), **more}


def _decision(chance: random.Random, number: int, at: float, outage: bool) -> dict[str, Any]:
    task, tenant = chance.choice(list(TASKS)), f"tenant-{min(int(chance.expovariate(0.3)), 40)}"
    tokens, out = int(chance.lognormvariate(6.5, 1)), int(chance.lognormvariate(4.5, 0.8))
    candidates = [
        _candidate(name, task, tokens, out, chance) for name in MODELS if name != "fir/eight" or tokens < 8_000
    ]
    candidates.sort(key=lambda each: each["score"], reverse=True)
    attempts = _attempts(candidates, chance, tokens, out, outage)
    last = attempts[-1]
    answered = last["model"] if last["fault"] is None else None
    refused = [] if tokens < 8_000 else [_refusal(tokens)]
    return _record(
        "decision", at + last["started_s"] + last["elapsed_s"], router="r",
        request_id=f"{chance.getrandbits(128):032x}", framework="langchain", tenant=tenant, task=task,
        tags=["nightly"] if number % 7 == 0 else [], chain="", session="",
        stream=number % 3 == 0, model=answered, provider="p", fallback=bool(answered) and len(attempts) > 1,
        reason=f"quality {candidates[0]['quality']:.2f} at ${candidates[0]['cost_usd']:.6f}", policy="adaptive",
        finish="stop" if answered else None, elapsed_s=last["started_s"] + last["elapsed_s"], ttft_s=None,
        input_tokens=tokens if answered else 0, output_tokens=out if answered else 0,
        cost_usd=sum(a["cost_pico"] for a in attempts) / 1e12, cost_pico=sum(a["cost_pico"] for a in attempts),
        basis={"registry": "0" * 12, "policy": "0" * 12, "seed": 1, "prices": PRICES}, attempts=attempts,
        plan={
            "schema_version": 1, "request_id": "", "policy": "adaptive", "chosen": candidates[0]["id"], "reason": "",
            "input_tokens": tokens, "output_tokens": out, "task": task, "needs": [], "propensity": 1.0, "notes": [],
            "settings": {"price_of_quality": 30.0, "cost_weight": 1.0, "quality_target": 0.85},
            "candidates": candidates, "refusals": refused,
        },
    )  # fmt: skip


PRICES = {name: {"input_mtok": into, "output_mtok": out} for name, (into, out, _) in MODELS.items()}


def _candidate(name: str, task: str, tokens: int, out: int, chance: random.Random) -> dict[str, Any]:
    into, of, quality = MODELS[name]
    usd = (into * tokens + of * out) / 1e6
    predicted = round(min(max(quality + TASKS[task] + chance.gauss(0, 0.05), 0.01), 0.99), 6)
    return {
        "id": name, "provider": name.partition("/")[0], "model": name.partition("/")[2],
        "score": round(predicted - 30 * usd, 6), "quality": predicted, "cost_usd": round(usd * 1.02, 9),
        "fallback_usd": round(usd * 0.02, 9), "latency_s": 1.5, "queue_s": 0.0,
        "terms": {"quality": predicted, "cost": round(-30 * usd, 6), "latency": 0.0}, "held": "",
    }  # fmt: skip


def _attempts(
    candidates: list[dict[str, Any]], chance: random.Random, tokens: int, out: int, outage: bool
) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    start = 0.0
    for candidate in candidates[:3]:
        away = outage and candidate["id"] == "cedar/large"
        fault = "connection" if away else "rate_limited" if chance.random() < 0.02 else None
        took = 0.05 if fault else chance.lognormvariate(0.2, 0.6)
        into, of, _ = MODELS[candidate["id"]]
        made.append({
            "index": len(made) + 1, "model": candidate["id"], "provider": candidate["provider"], "fault": fault,
            "detail": "refused" if fault else "", "started_s": round(start, 6), "elapsed_s": round(took, 6),
            "ttft_s": None if fault else round(took / 4, 6), "finish": None if fault else "stop",
            "input_tokens": 0 if fault else tokens, "output_tokens": 0 if fault else out, "cache_read_tokens": 0,
            "reasoning_tokens": 0, "estimated": False,
            "cost_pico": 0 if fault else round((into * tokens + of * out) * 1e6),
        })  # fmt: skip
        start += took
        if fault is None:
            break
    return made


def _refusal(tokens: int) -> dict[str, str]:
    return {"model": "fir/eight", "rule": "context_window", "detail": f"needs {tokens:,} input tokens, window 8,000"}


_COMMAND = "from capability_router.cli.main import main; main()"


def main() -> None:
    """Write the log, run the command over it, print a line."""
    asked = argparse.ArgumentParser(
        prog="python -m benchmarks.report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("--requests", type=int, default=100_000)
    asked.add_argument("--keep", type=Path, help="Where to leave the log.")
    told = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log, page = told.keep or Path(folder) / "decisions.jsonl", Path(folder) / "report.html"
        with log.open("w", encoding="utf-8") as file:
            for record in records(told.requests):
                file.write(json.dumps(record, separators=(",", ":")) + "\n")
        begun = time.perf_counter()
        command = [sys.executable, "-c", _COMMAND, "report", str(log), "-o", str(page)]
        subprocess.run(command, check=True)  # noqa: S603 - this package's own command
        took = time.perf_counter() - begun
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        most = used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
        print(
            f"{told.requests:,} requests, log {log.stat().st_size / 1e6:,.0f} MB: {took:.1f} s, of the processor "
            f"{used.ru_utime + used.ru_stime:.1f} s, "
            f"{most:,.0f} MB of memory, page {page.stat().st_size / 1e6:.2f} MB"
        )


if __name__ == "__main__":
    main()
