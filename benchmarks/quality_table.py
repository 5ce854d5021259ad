"""The table of routing quality: what was measured on a validation cut of the train files, against the targets."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from benchmarks import quality, quality_plot
from capability_router import Price, Request
from capability_router.learning.quality.memory import ScoredResult as Scored
from capability_router.learning.quality.model import QualityModel
from capability_router.learning.quality.state import dumped
from capability_router.testing import scripted_router

Rows = list[dict[str, Any]]
HELD = 0.3  # of the questions
DRIFT = ("gpt-4=gpt-4-0314>gpt-4-0613", "gpt-3.5=gpt-3.5-turbo-0301>gpt-3.5-turbo-0613")
PAIRS = {
    "routellm_mmlu": None, "routellm_gsm8k": None, "zeroeval": ("claude-3-5-sonnet-20241022", "gemma-2-9b-it"),
    "mmlu_pro": ("gemini-1.5-pro-002", "llama-3.1-8b-instruct"), "llmrouter_uiuc": None,
}  # fmt: skip


class Finding(NamedTuple):
    """One line: a figure with its standard error (0 = none), the target, the stretch; `least`: larger is better."""

    number: str
    what: str
    value: float
    error: float
    target: float | None = None
    stretch: float | None = None
    least: bool = True

    def line(self) -> str:
        signs = ">=" if self.least else "<="
        wanted = "" if self.target is None else f"{signs} {self.target:g}"
        more = "" if self.stretch is None else f"{signs} {self.stretch:g}"
        error = f" ± {self.error:.3f}" if self.error else ""
        return f"| {self.number} | {self.what} | {self.value:.3f}{error} | {wanted} | {more} | {self._verdict()} |"

    def _verdict(self) -> str:
        if self.target is None:
            return ""
        if self.stretch is not None and self._met(self.stretch):
            return "stretch"
        return "target" if self._met(self.target) else "**missed**"

    def _met(self, wanted: float) -> bool:
        return self.value >= wanted if self.least else self.value <= wanted


class Bench:
    """The evaluators, the data, and what was learned from each set's other questions."""

    def __init__(self, shared: Path, seeds: int, draws: int, only: str = "") -> None:
        self.shared, self.seeds, self.draws, self.only = shared, seeds, draws, only
        sys.path.insert(0, str(shared / "eval"))
        self.judge: ModuleType = import_module("routing_quality")
        self.online: ModuleType = import_module("routing_online")
        self._results: dict[str, Result] = {}

    def rows(self, name: str) -> Rows:
        path = self.shared / "data" / "routing" / f"{name}.train.jsonl.gz"
        found: Rows = self.judge.read_rows(path)
        return found

    def result(self, name: str) -> Result:
        if name not in self._results:
            self._results[name] = Result(self, *cut(self.rows(name)))
        return self._results[name]


class Result:
    """Predictions for the questions that were held back, by what was learned from the others."""

    def __init__(self, bench: Bench, train: Rows, held: Rows) -> None:
        self.judge, self.draws = bench.judge, bench.draws
        self.train, self.table = train, bench.judge.table(held)
        self.learned = quality.predictor(train)
        prompts = self.table.prompts
        self.quality = self.judge.as_matrix(self.learned.predict(prompts), self.table)
        self.cost = self.judge.as_matrix(self.learned.predict_cost(prompts), self.table)

    @cached_property
    def metrics(self) -> dict[str, tuple[float, float]]:
        """Each metric with its bootstrap standard error over the questions."""
        whole = self.judge.evaluate(self.quality, self.cost, self.table)
        dice, size = np.random.default_rng(0), len(self.table.ids)
        drawn = [self._of(dice.integers(0, size, size)) for _ in range(self.draws)]
        return {k: (v, float(np.std([d[k] for d in drawn if k in d]))) for k, v in whole.items()}

    def _of(self, rows: Any) -> dict[str, float]:
        t = self.table
        table = self.judge.Table(
            [t.ids[i] for i in rows], [t.prompts[i] for i in rows], t.models, t.score[rows], t.cost[rows]
        )
        pair = self.table.strong_weak
        try:
            found: dict[str, float] = self.judge.evaluate(self.quality[rows], self.cost[rows], table, pair)
        except ValueError:  # the draw has the pair the other way round
            return {}
        return found

    def reward(self, price: float, cost: Any) -> tuple[float, float]:
        """Mean reward of the picks at a price, and its standard error."""
        pick = (self.quality - price * cost).argmax(1)
        rows = np.arange(len(pick))
        got = self.table.score[rows, pick] - price * self.table.cost[rows, pick]
        return float(got.mean()), float(got.std() / len(got) ** 0.5)


def cut(rows: Rows) -> tuple[Rows, Rows]:
    """By question: what has the same stem, options and signs aside, is on the same side."""
    held = [_drawn(row["prompt"]) < HELD for row in rows]
    return [r for r, h in zip(rows, held, strict=True) if not h], [r for r, h in zip(rows, held, strict=True) if h]


def _drawn(prompt: str) -> float:
    return int(blake2b(stem(prompt).encode(), digest_size=4).hexdigest(), 16) / 2**32


def stem(prompt: str) -> str:
    stem = re.split(r"\n[A-J][.)] ", prompt)[0]
    return re.sub(r"[\W_]+", " ", stem.lower()).strip()


def _of(metrics: dict[str, tuple[float, float]], number: str, name: str, wanted: dict[str, Any]) -> Iterator[Finding]:
    for metric, (target, stretch) in wanted.items():
        value, error = metrics[metric]
        least = not metric.startswith(("CPT", "ece", "brier"))
        yield Finding(number, f"{name}: {metric}", value, error, target, stretch, least)


def two_models(bench: Bench) -> Iterator[Finding]:
    wanted = {"APGR": (0.65, 0.68), "CPT50": (0.30, 0.27), "CPT80": (0.62, 0.58)}
    yield from _of(bench.result("routellm_mmlu").metrics, "1", "mmlu", wanted)
    wanted = {"APGR": (0.635, 0.67), "CPT50": (0.34, 0.30), "CPT80": (0.60, 0.52)}
    yield from _of(bench.result("routellm_gsm8k").metrics, "2", "gsm8k", wanted)


def few_labels(bench: Bench) -> Iterator[Finding]:
    """The first 1,500 rows of the file, judged on all other questions of it."""
    rows = bench.rows("routellm_mmlu")
    known = {stem(row["prompt"]) for row in rows[:1_500]}
    found = Result(bench, rows[:1_500], [row for row in rows[1_500:] if stem(row["prompt"]) not in known]).metrics
    yield from _of(found, "3", "mmlu, 1,500 labels", {"APGR": (0.63, 0.65)})


def cold(bench: Bench) -> Iterator[Finding]:
    """On whole train files: nothing is learned from them."""
    found = []
    for name, pair in PAIRS.items():
        rows = bench.rows(name)
        t = bench.judge.table(rows)
        strong, weak = map(t.models.index, pair) if pair else t.strong_weak
        guess = bench.judge.as_matrix(quality.cold_start(rows).predict(t.prompts), t)
        metrics = bench.judge.pair_metrics(
            guess[:, strong] - guess[:, weak], t.score[:, weak], t.score[:, strong], bench.draws
        )
        found.append((metrics["APGR"], metrics["±APGR"]))
        yield Finding("4", f"cold, {name}: APGR", *found[-1], 0.52)
    mean = float(np.mean([f[0] for f in found]))
    error = float(np.sqrt(np.sum([f[1] ** 2 for f in found]))) / len(found)
    yield Finding("4", "cold, mean of these five: APGR", mean, error, 0.57, 0.60)


def many_models(bench: Bench) -> Iterator[Finding]:
    wanted = {
        "5": ("llmrouter_uiuc", {"gapO": (0.22, 0.25), "save@B": (0.75, 0.82), "perf+": (0.03, 0.045)}),
        "6": ("mmlu_pro", {"gapO": (0.04, 0.055), "save@B": (0.30, 0.40), "save@95": (0.78, 0.82)}),
        "7": ("zeroeval", {"gapO": (0.03, 0.055), "save@95": (0.77, 0.82), "perf+": (0.0, 0.006)}),
    }
    for number, (name, metrics) in wanted.items():
        yield from _of(bench.result(name).metrics, number, name, metrics)
    for name in PAIRS:
        yield from _of(bench.result(name).metrics, "8", name, {"gapO": (0.0, None)})


def calibration(bench: Bench) -> Iterator[Finding]:
    known = {"zeroeval": 0.149, "llmrouter_uiuc": 0.173, "mmlu_pro": 0.210, "routellm_mmlu": 0.160}
    for name, brier in known.items():
        wanted = {"ece": (0.03, 0.015), "brier": (brier + 0.005, None)}
        yield from _of(bench.result(name).metrics, "9", name, wanted)


def decision_time(bench: Bench) -> Iterator[Finding]:
    """A whole plan for 10 models, eligibility and ranking included, with 8,000 requests remembered."""
    rows = [*bench.rows("mmlu_pro"), *bench.rows("zeroeval")][:8_000]
    models = sorted(rows[0]["outcomes"])[:10]
    learned = QualityModel()
    learned.learn_log((quality.remembered(i, row["prompt"]), _results(row, models)) for i, row in enumerate(rows))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "state.json"
        path.write_text(dumped(learned), encoding="utf-8")
        cards = {model: {"price": Price(1 + i, 2)} for i, model in enumerate(models)}
        policy = {"name": "adaptive", "state": str(path)}
        router = scripted_router({model: ["ok"] for model in models}, cards=cards, policy=policy)
    times = []
    for row in rows[:1_000]:
        request = Request((row["prompt"],))
        began = time.perf_counter(), time.thread_time()
        router.explain(request)
        times.append((time.perf_counter() - began[0], time.thread_time() - began[1]))
    for kind, taken in zip(("", " of CPU"), np.array(times).T * 1e3, strict=True):  # the second on a machine shared
        for share, target, stretch in ((50, 2.0, 1.0), (95, 4.0, 2.0)):
            what = f"adaptive's plan, 10 models, {len(learned.memory):,} rows: p{share}, ms{kind}"
            yield Finding("10", what, float(np.percentile(taken, share)), 0.0, target, stretch, least=False)


def _results(row: dict[str, Any], models: list[str]) -> dict[str, Scored]:
    known = ((model, row["outcomes"].get(model)) for model in models)
    return {model: Scored(found["score"], found.get("output_tokens")) for model, found in known if found}


def online(bench: Bench) -> Iterator[Finding]:
    wanted = {"zeroeval": (0.735, 0.75), "llmrouter_uiuc": (0.565, 0.58), "mmlu_pro": (0.62, 0.632)}
    for name, (target, stretch) in wanted.items():
        if bench.only not in ("", name):
            continue
        rows = bench.rows(name)
        passes = [_pass(bench, rows, seed) for seed in range(bench.seeds)]
        yield Finding("11", f"online, {name}: reward of the pass", *_mean(passes, "reward"), target, stretch)
        train, held = cut(rows)
        frozen = [_pass(bench, train, seed, held) for seed in range(bench.seeds)]
        best = frozen[0]["best_fixed_held"]
        what = f"online, {name}: frozen, less best fixed {best:.3f}"
        value, error = _mean(frozen, "frozen")
        yield Finding("12", what, value - best, error, -0.005)


def _mean(passes: Sequence[dict[str, float]], key: str) -> tuple[float, float]:
    values = [each[key] for each in passes]
    return float(np.mean(values)), float(np.std(values) / max(len(values) - 1, 1) ** 0.5)


def _pass(bench: Bench, rows: Rows, seed: int, held: Rows | None = None, drift: bool = False) -> dict[str, float]:
    t = bench.judge.table(rows)
    if drift:
        t = bench.online.arms(t, DRIFT, seed)
    price = 0.0 if drift else bench.online.auto_price(t)
    policy = quality.policy(t.models, dict(zip(t.models, t.cost.mean(0).tolist(), strict=True)), price)
    found: dict[str, float] = bench.online.replay(policy, t, price, seed, keep_order=drift)
    if held is not None:
        other = bench.judge.table(held)
        found["frozen"] = bench.online.frozen(policy, other, price)
        fixed = int((t.score - price * t.cost).mean(0).argmax())
        found["best_fixed_held"] = float((other.score - price * other.cost).mean(0)[fixed])
    return found


def costs(bench: Bench) -> Iterator[Finding]:
    result = bench.result("routellm_mmlu")
    t = result.table
    price = bench.online.auto_price(t)
    usual = bench.judge.mean_cost(result.train, t)
    fixed = (t.score - price * t.cost).mean(0).max()
    yield Finding("13", "mmlu: reward at each request's own cost", *result.reward(price, result.cost), 0.718, 0.725)
    yield Finding("13", "mmlu: reward at the models' mean costs", *result.reward(price, usual))
    yield Finding("13", "mmlu: reward of the best fixed model", float(fixed), 0.0)


def drift(bench: Bench) -> Iterator[Finding]:
    passes = [_pass(bench, bench.rows("llmdrift"), seed, drift=True) for seed in range(bench.seeds)]
    yield Finding("14", "drift: reward of the first half", *_mean(passes, "half1"), 0.535)
    yield Finding("14", "drift: reward of the second half", *_mean(passes, "half2"), 0.405, 0.415)


PARTS: dict[str, Callable[[Bench], Iterator[Finding]]] = {
    "two-models": two_models, "few-labels": few_labels, "cold": cold, "many-models": many_models,
    "calibration": calibration, "decision-time": decision_time, "costs": costs, "drift": drift, "online": online,
}  # fmt: skip


def main() -> int:
    """Print the table; the status is 1 when a target is missed, 2 when there is no data."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=quality.__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="where eval/ and data/routing/ are")
    parser.add_argument("--seeds", type=int, default=3, help="passes of each online measurement")
    parser.add_argument("--only", default="", metavar="SET", help="the set of `online`, instead of all three")
    parser.add_argument("--draws", type=int, default=40, help="bootstrap draws for the standard errors")
    parser.add_argument("--plot", type=Path, help="where to write a drawing (SVG) of cost and quality of every set")
    given = parser.parse_args()
    if not (given.shared / "data" / "routing").is_dir() or not (given.shared / "eval").is_dir():
        print(
            f"NOTHING WAS MEASURED: no data/routing and eval under {given.shared}; say --shared PATH", file=sys.stderr
        )
        return 2
    bench, missed = Bench(given.shared, given.seeds, given.draws, given.only), 0
    print("| # | what | measured | target | stretch | reached |\n|---|---|---|---|---|---|")
    for part in given.parts or PARTS:
        for finding in PARTS[part](bench):
            print(finding.line(), flush=True)
            missed += "missed" in finding.line()
    if given.plot is not None:
        given.plot.write_text(quality_plot.drawn(bench, [*PAIRS, "llmdrift"]), encoding="utf-8")
    return min(missed, 1)
