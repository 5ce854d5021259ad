"""A whole rehearsal: the traffic without faults, with faults, and without a router; the results and the advice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from capability_router.amounts import seconds
from capability_router.errors import ConfigError
from capability_router.nearest import nearest
from capability_router.rehearsal.advice import Advice, AdviceEvidence, advised
from capability_router.rehearsal.configuration import Configuration, configuration_of
from capability_router.rehearsal.episode import Episode, episodes
from capability_router.rehearsal.expectation import Expectation, ExpectationResult, judged, parse_terms
from capability_router.rehearsal.result import RunRecord
from capability_router.rehearsal.routed_run import Scenario, play
from capability_router.rehearsal.script.fault_line import FaultLine, parse_line
from capability_router.rehearsal.script.fault_schedule import FaultSchedule, ScheduledFault, scheduled_faults
from capability_router.rehearsal.script.presets import preset_lines
from capability_router.rehearsal.script.targets import FaultTargets
from capability_router.rehearsal.simulated_fleet import SpeedProfile, speed_profiles
from capability_router.rehearsal.summary import RunSummary, hit, summed
from capability_router.rehearsal.traffic.logged import logged
from capability_router.rehearsal.traffic.synthetic import SyntheticTraffic
from capability_router.rehearsal.traffic.traffic import Traffic
from capability_router.rehearsal.without_router import run_direct
from capability_router.router import Router
from capability_router.stats.percentile import percentile

SCHEMA_VERSION = 1
_USUAL_S, _AFTER_S = 120.0, 60.0
_TRIED = 3  # changes of settings that are tried out, at most
Done = Callable[[int, int], None]
Source = str | Path | Mapping[str, Any] | Router


def _nobody(_: int, __: int) -> None:
    """The progress is not looked at."""


class RehearsalOptions(NamedTuple):
    """What is to be rehearsed. `faults`: lines (fault_line.py); `presets`: names, `NAME` or `NAME:TARGET`.

    `traffic`: made up, the path of a decision log, or requests as they are; of a log `seconds` takes the busiest
    stretch, `speed` makes it denser. `latency`: model -> (ttft_s, tokens_per_s). `alone`: the model that a program
    without a router would call, the first if left out. `expect`: see expectation.py. `advise`: whether advice is
    sought, and tried out.
    """

    faults: Sequence[str | FaultLine] = ()
    presets: Sequence[str] = ()
    traffic: SyntheticTraffic | Traffic | str | Path = SyntheticTraffic()
    seconds: float | None = None
    speed: float = 1.0
    seed: int = 1
    latency: Mapping[str, tuple[float, float]] = {}
    alone: str | None = None
    expect: str = ""
    advise: bool = True


class Rehearsal(NamedTuple):
    """The results. `run`: the run with the faults. Summaries: `calm` without faults, `router` of `run`, `alone`."""

    name: str
    policy: str
    models: tuple[str, ...]
    traffic: Traffic
    seed: int
    spells: tuple[ScheduledFault, ...]
    voices: Mapping[str, SpeedProfile]
    run: RunRecord
    alone_model: str
    calm: RunSummary
    router: RunSummary
    alone: RunSummary
    episodes: Sequence[Episode]
    advice: Sequence[Advice]
    expected: Sequence[ExpectationResult]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether all expectations hold."""
        return all(each.met for each in self.expected)

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe, complete, the same for the same input."""
        return {
            "schema_version": SCHEMA_VERSION, "name": self.name, "policy": self.policy, "seed": self.seed,
            "ok": self.ok, "expected": [each.to_dict() for each in self.expected],
            "traffic": {"requests": len(self.traffic.shapes), "seconds": round(self.traffic.seconds, 3),
                        "told": self.traffic.told},
            "faults": [_spell(spell) for spell in self.spells],
            "router": self.router.to_dict(), "without_faults": self.calm.to_dict(),
            "alone": {"model": self.alone_model, **self.alone.to_dict()},
            "models": [_model(self, model) for model in self.models],
            "episodes": [each.to_dict() for each in self.episodes],
            "changes": [{**c._asdict(), "at": round(c.at, 3)} for c in self.run.changes],
            "budgets": [{"at": round(cap.at, 3), "told": cap.told} for cap in self.run.caps],
            "advice": [each.to_dict() for each in self.advice], "notes": list(self.notes),
        }  # fmt: skip


def rehearse(
    source: Source, asked: RehearsalOptions = RehearsalOptions(), done: Done = _nobody, read: Done = _nobody,  # noqa: B008 - a tuple, never changed
) -> Rehearsal:  # fmt: skip
    """Rehearse a router.yaml, the same as a mapping, or a router. Raises ConfigError.

    `done` is called with 1 for each request that is over, and how many there are: three times as many as the traffic
    has. `read` likewise of the log that the traffic is from, in bytes.
    Runs on an event loop of its own; where one is running already, in a thread.
    """
    if not _in_a_loop():
        return _rehearsed(source, asked, done, read)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, _rehearsed, source, asked, done, read).result()


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _rehearsed(source: Source, asked: RehearsalOptions, done: Done, read: Done) -> Rehearsal:
    terms = parse_terms(asked.expect)
    with TemporaryDirectory(prefix="rehearsal-") as folder:
        config = configuration_of(source, asked.seed, Path(folder))
        return _RehearsalRuns(config, asked, terms, (done, read)).found()


class _RehearsalRuns:
    """One rehearsal under way."""

    def __init__(
        self, config: Configuration, asked: RehearsalOptions, terms: Sequence[Expectation], progress: tuple[Done, Done]
    ) -> None:
        self._config, self._asked, self._terms = config, asked, terms
        self._aims = FaultTargets(config.registry)
        if asked.seconds is not None and not 0 < asked.seconds < 1e9:
            raise ConfigError(f"traffic: seconds must be a number above 0, got {asked.seconds!r}")
        lines = [*(f for f in asked.faults if isinstance(f, FaultLine)),
                 *(parse_line(f) for f in asked.faults if isinstance(f, str))]  # fmt: skip
        for line in lines:
            self._aims.meant(line.target)
        for name in asked.presets:
            preset_lines(name, self._aims, self._aims.models[0])
        self._lines = lines
        self._alone = self._one(asked.alone)
        done, read = progress
        traffic = self._traffic(read)
        voices = speed_profiles(config.registry.cards, self._given(), traffic.paces)
        of = 3 * len(traffic.shapes)
        self._scene = Scenario(config, traffic, voices, (), asked.seed, lambda count: done(count, of))

    def found(self) -> Rehearsal:
        """All runs, and what they show."""
        calm = play(self._scene)
        busiest = _busiest(calm) or self._alone
        lines = [
            *self._lines,
            *(line for name in self._asked.presets for line in preset_lines(name, self._aims, busiest)),
        ]
        scene = replace(self._scene, spells=tuple(scheduled_faults(lines, self._aims, self._scene.traffic.seconds)))
        run, alone = play(scene), run_direct(scene, self._alone)
        hits = hit(calm, scene.spells)
        quiet, router, single = (summed(each, hits) for each in (calm, run, alone))
        seen = episodes(run, scene.spells)
        advice = self._advice(scene, calm, run, (quiet, router), seen, hits) if self._asked.advise else []
        s, config = scene, self._config
        return Rehearsal(
            config.name, config.settings.policy.name, tuple(config.registry.entries), s.traffic, s.seed, s.spells,
            s.voices, run, self._alone, quiet, router, single, seen, advice,
            judged(self._terms, router, seen),
            (*config.notes, *s.traffic.notes, *_assumed(s.voices), *_unpriced(config), *_idle(s, hits)),
        )  # fmt: skip

    def _one(self, name: str | None) -> str:
        registry = self._config.registry
        if name is None:
            return self._config.first().card.id
        found = registry.resolve(name)
        if found is None:
            raise ConfigError(f"no model {name!r}{nearest(name, registry.entries)}")
        return found

    def _given(self) -> dict[str, SpeedProfile]:
        return {self._one(name): SpeedProfile(*pace, "given") for name, pace in self._asked.latency.items()}

    def _traffic(self, read: Done) -> Traffic:
        asked, registry = self._asked, self._config.registry
        if isinstance(asked.traffic, Traffic):
            return asked.traffic
        if not isinstance(asked.traffic, SyntheticTraffic):
            models = tuple(registry.entries)
            return logged(Path(asked.traffic), seconds=asked.seconds, speed=asked.speed, models=models, read=read)
        ends = max((line.ends_s for line in self._lines), default=0.0)
        seconds = asked.seconds or asked.traffic.seconds or max(_USUAL_S, ends + _AFTER_S * (ends > 0))
        return asked.traffic.traffic(seconds, registry.cards, asked.seed)

    def _advice(
        self,
        scene: Scenario,
        calm: RunRecord,
        run: RunRecord,
        sums: tuple[RunSummary, RunSummary],
        seen: Sequence[Episode],
        hits: Sequence[bool],
    ) -> list[Advice]:
        script = FaultSchedule(scene.spells, scene.seed)
        given = advised(AdviceEvidence(self._config, script, calm, run, sums[0], sums[1], seen))
        changes = [advice for advice in given if advice.change is not None][:_TRIED]
        tried = [self._tried(advice, scene, sums[1], hits) if advice in changes else advice for advice in given]
        return [advice for advice in tried if advice is not None]

    def _tried(self, advice: Advice, scene: Scenario, before: RunSummary, hits: Sequence[bool]) -> Advice | None:
        """The same run with the change. Where it does not help, that is said of lost requests alone."""
        mend = advice.change
        if mend is None:
            return advice
        settings = replace(self._config.settings, **dict(mend.change))
        run = play(replace(scene, config=self._config._replace(settings=settings), done=lambda _: None))
        was, now = (_MEASURES[mend.measure](s) for s in (before, summed(run, hits)))
        change = f"{mend.measure}: {_spelt(mend.measure, was)} -> {_spelt(mend.measure, now)}"
        if now < was:
            return advice._replace(mend=f"Write `{mend.words}`.", tried=f"Rehearsed with it, {change}.")
        vain = advice._replace(mend=f"`{mend.words}` was rehearsed, too, and does not help here ({change}).")
        return vain if mend.measure == "lost" else None


_MEASURES: Mapping[str, Callable[[RunSummary], float]] = {
    "lost": lambda s: s.whole.requests - s.whole.answered, "longest": lambda s: s.longest_s,
    "p95 in the faults' time": lambda s: percentile(s.slow, 0.95) or 0.0,
}  # fmt: skip


def _spelt(measure: str, value: float) -> str:
    return f"{value:,.0f} requests" if measure == "lost" else seconds(value)


def _busiest(run: RunRecord) -> str:
    """The model that answered most; of equals the first by name."""
    counts = Counter(row.model for row in run.rows if row.model)
    return max(sorted(counts), key=lambda model: counts[model], default="")


def _assumed(voices: Mapping[str, SpeedProfile]) -> list[str]:
    names = [id for id, voice in voices.items() if voice.source == "assumed"]
    pace = "first token after 0.6 s, 60 tokens/s; `latency: {ttft_s, tokens_per_s}` on the card, --latency, or a log"
    return [f"latency assumed for {', '.join(names)}: {pace}"] if names else []


def _unpriced(config: Configuration) -> list[str]:
    names = [c.id for c in config.registry.cards if c.price is None or not c.price.known]
    return [f"price unknown, so not in the costs: {', '.join(names)}"] if names else []


def _idle(scene: Scenario, hits: Sequence[bool]) -> list[str]:
    if not scene.spells:
        return ["no fault was scripted; `capability-router rehearse --list` names what can go wrong"]
    return [] if any(hits) else ["no request was under way while a fault held"]


def _spell(spell: ScheduledFault) -> dict[str, Any]:
    until = None if spell.until_s == float("inf") else round(spell.until_s, 3)
    return {"fault": spell.line.text, "kind": spell.kind, "models": list(spell.models),
            "from_s": round(spell.from_s, 3), "until_s": until}  # fmt: skip


def _model(found: Rehearsal, model: str) -> dict[str, Any]:
    tries = [t for t in found.run.tries() if t.model == model]
    faults = Counter(t.fault for t in tries if t.fault)
    voice = found.voices[model]
    return {
        "model": model, "calls": len(tries), "answered": sum(row.model == model for row in found.run.rows),
        "faults": dict(sorted(faults.items())), "ttft_s": round(voice.ttft_s, 3),
        "tokens_per_s": round(voice.tokens_per_s, 1), "latency_from": voice.source,
    }  # fmt: skip
