"""Off-policy estimates: does the interval that a replay tells hold the truth as often as it says?

A world whose truth is known: the simulator's models answer, right with a chance of their skill at the task. A router
with `adaptive` explores in it and writes its decision log; the answers are scored right or wrong. Then the log is
replayed under other policies, and what their choices are truly worth (the skills) is looked for in the intervals.

    python -m benchmarks.figures replay      100 logs of 600 requests, a quarter of an hour; below full scale, of 300

At full scale every second router learns from each score at once, so that its policy moves while it explores.
"""

from __future__ import annotations

import math
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from capability_router.clock import ManualClock
from capability_router.replay.deciders.token_lessons import TokenLessons
from capability_router.replay.estimate import ESTIMATED, Estimates, estimates
from capability_router.replay.log.latencies import Latencies
from capability_router.replay.log.replay_log import ReplayLog, read
from capability_router.replay.replay_setup import opened
from capability_router.replay.replaying import replayed, samples
from capability_router.request import Finish, Reply, Request, Usage
from capability_router.router import Router
from capability_router.simulator.answers import answer
from capability_router.simulator.profile import SimulatedModel
from capability_router.simulator.prompt import Prompt, parse_prompt
from capability_router.simulator.reading.question import asked
from capability_router.testing import ScriptedModel, ask, scripted_router

from .figure_result import FigureResult, scaled

LOGS, REQUESTS, FEWER, SHARE = 100, 600, 300, 0.25
SURE, TELLS = 0.92, 0.3  # of the intervals hold the truth; of the replays get one
PROFILES = {
    "small": SimulatedModel("small", {"input_mtok": 0.1, "output_mtok": 0.4}, skill={"default": 0.72, "math": 0.5}),
    "medium": SimulatedModel("medium", {"input_mtok": 0.6, "output_mtok": 2.4}, skill={"default": 0.86, "math": 0.8}),
    "large": SimulatedModel("large", {"input_mtok": 3.0, "output_mtok": 15.0}, skill={"default": 0.92, "math": 0.97}),
}
CLAIMED = {"small": 0.8, "medium": 0.75, "large": 0.85}  # on the cards: not what they are worth
OTHERS: dict[str, Any] = {
    "cheapest": "cheapest",
    "the dearest": {"name": "rules", "rules": [{"then": ["large"]}]},
    "by task": {"name": "rules", "rules": [{"when": {"task": "math"}, "then": ["medium"]}, {"then": ["small"]}]},
    "adaptive, cheaper": {"name": "adaptive", "cost_weight": 1.0},
}
_WORDS = ("harbour", "violin", "glacier", "ledger", "orchard", "beacon", "walnut", "meadow", "copper", "lantern")


class SyntheticWorld(NamedTuple):
    """A log, what a model's answer to each of its requests is worth (`tasks` by request), and the models' cards."""

    log: ReplayLog
    tasks: dict[str, str]
    models: list[dict[str, Any]]


def prompt_of(chance: Random) -> str:
    """A sum, a text to summarise, or small talk."""
    kind, words = chance.randrange(3), [chance.choice(_WORDS) for _ in range(chance.randint(4, 30))]
    if kind == 0:
        return f"Please calculate {chance.randint(2, 99)} * {chance.randint(2, 999)}."
    if kind == 1:
        return f"Summarise in one sentence: the {' and the '.join(words)} were seen near the old mill."
    return f"Tell me something about a {words[0]} and a {' '.join(words[1:])}."


def explored(seed: int, requests: int, folder: Path, *, learning: bool) -> SyntheticWorld:
    """A router's log of so many requests. `learning`: each score comes at once, and its policy moves with them."""
    chance, clock, path = Random(seed), ManualClock(), folder / f"{seed}.jsonl"
    router = scripted_router(
        {name: ["ok"] for name in PROFILES}, clock=clock, cards=_cards(), telemetry={"jsonl": str(path)},
        policy={
            "name": "adaptive", "state": str(folder / f"{seed}.json"), "exploration": SHARE, "seed": seed,
            "exploration_usd_per_day": 1e6,
        },
    )  # fmt: skip
    tasks: dict[str, str] = {}
    scores: list[tuple[str, float]] = []
    for number in range(requests):
        clock.advance(30.0)
        text = prompt_of(chance)
        prompt = _prompt(text)
        tasks[f"{seed}-{number}"] = asked(prompt).task
        right = _answers(router, prompt, seed)
        run = ask(router, Request((text,), id=f"{seed}-{number}"))
        score = float(right[run.outcome.model]) if run.outcome and run.outcome.model else 0.0
        router.feedback(run.request.id, score) if learning else scores.append((run.request.id, score))
    for id, score in scores:
        router.feedback(id, score)
    router.close()
    return SyntheticWorld(read([path]), tasks, [{"id": name, **card} for name, card in _cards().items()])


def _cards() -> dict[str, dict[str, Any]]:
    return {
        name: {"price": dict(profile.price), "quality": {"default": CLAIMED[name]}, "context_window": 100_000}
        for name, profile in PROFILES.items()
    }


def _prompt(text: str) -> Prompt:
    return parse_prompt({"model": "any", "messages": [{"role": "user", "content": text}]})


def _answers(router: Router, prompt: Prompt, seed: int) -> dict[str, bool]:
    """Has each model answer as the simulator does; gives whether each is right."""
    right = {}
    models: dict[str, ScriptedModel] = router.scripted  # type: ignore[attr-defined]  # see scripted_router
    for name, profile in PROFILES.items():
        said = answer(prompt, profile, seed)
        right[name] = said.correct
        usage = Usage(sum(m.tokens for m in prompt.messages), max(said.output_tokens, 1))
        models[name].steps = [Reply(usage=usage, finish=Finish.STOP, text=said.text)]
    return right


def estimated(world: SyntheticWorld, policy: Any, folder: Path) -> tuple[Estimates, float, float]:
    """What a replay under this policy tells; the true score of its choices, and by how much that is above the log's."""
    path = folder / "other.json"  # JSON is YAML
    import json

    models = [{**model, "endpoint": {"base_url": "http://127.0.0.1:9/v1", "model": "m"}} for model in world.models]
    path.write_text(json.dumps({"policy": policy, "models": models}))
    lessons = TokenLessons(world.log.decisions)
    latencies = Latencies(attempt for each in world.log.decisions for attempt in each.attempts)
    decider = opened(str(path), None, "log").decider(lessons, latencies)
    again = replayed(world.log, decider, lessons, latencies)
    drawn = samples(again, world.log.scores, decider)
    scored = [each for each in again if each.logged.id in world.log.scores]
    kept = [each for each, sample in zip(scored, drawn, strict=True) if sample is not None]
    new = [_worth(each.choice.model, world.tasks[each.logged.id]) for each in kept]
    old = [_worth(each.logged.chosen, world.tasks[each.logged.id]) for each in kept]
    count = max(len(kept), 1)
    return estimates(drawn), sum(new) / count, (sum(new) - sum(old)) / count


def _worth(model: str, task: str) -> float:
    return PROFILES[model].skill_at(task)


def measure(scale: float, seed: int) -> Iterator[FigureResult]:
    """A line for each estimator, over all logs and policies; one for those of which bounds alone can be told."""
    logs, requests = scaled(LOGS, scale, 6), REQUESTS if scale >= 1 else FEWER
    held: defaultdict[str, list[tuple[bool, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        for number in range(logs):
            world = explored(seed + number, requests, Path(name), learning=scale >= 1 and number % 2 == 1)
            for policy in OTHERS.values():
                found, truth, apart = estimated(world, policy, Path(name))
                for line in found.lines:
                    if line.name in ESTIMATED and line.low is not None and line.high is not None:
                        true = apart if line.name == "difference" else truth
                        kind = "bounds" if found.bounded else line.name
                        held[kind].append((line.low <= true <= line.high, line.high - line.low))
    for name in (*ESTIMATED, "bounds"):
        yield _finding(name, held[name], logs * len(OTHERS) if name != "bounds" else 0, seed)


def _finding(name: str, held: list[tuple[bool, float]], tried: int, seed: int) -> FigureResult:
    told = len(held)
    if not told:
        return FigureResult(f"replay, {name}", "no interval at all", "some", not tried, str(seed))
    share, wide = (sum(each[at] for each in held) / told for at in (0, 1))
    least = min(SURE, 0.95 - 3 * math.sqrt(0.05 * 0.95 / told))  # of a few logs, chance alone may miss more
    figure = f"{share:.1%} of {told} intervals hold the truth, {wide:.3f} wide on average"
    target = f"{'about' if tried else 'more than'} 95 %, at least {least:.1%}"
    return FigureResult(f"replay, {name}", figure, target, told >= TELLS * tried and share >= least, str(seed))
