"""Advice on the configuration: why requests failed, cost too much or waited, and which setting to change."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from capability_router.amounts import counted, seconds
from capability_router.eligibility import WINDOWS
from capability_router.rehearsal.configuration import Configuration
from capability_router.rehearsal.episode import Episode
from capability_router.rehearsal.result import RequestResult, RunRecord
from capability_router.rehearsal.script.fault_schedule import FaultSchedule
from capability_router.rehearsal.script.kinds import NO_ANSWER
from capability_router.rehearsal.summary import RunSummary
from capability_router.rehearsal.traffic.shape import needs_of, needs_text
from capability_router.stats.percentile import percentile

_LONG_S = 60.0
_MUCH = 2.0
_LISTED = 4
_LONGEST = 240  # characters of a detail


class SettingChange(NamedTuple):
    """A change of settings that may help: `words` as in router.yaml, and the figure that it should lower."""

    words: str
    change: Mapping[str, Any]
    measure: str


class Advice(NamedTuple):
    """`what`: the problem. `mend`: the change. `tried`: the result of the same run with it, "" = not tried.

    `lost`: the number of requests without an answer for this reason.
    """

    what: str
    mend: str = ""
    change: SettingChange | None = None
    tried: str = ""
    lost: int = 0

    def to_dict(self) -> dict[str, str]:
        """JSON-safe."""
        return {"what": self.what, "mend": self.mend, "tried": self.tried}


@dataclass(frozen=True, slots=True)
class AdviceEvidence:
    """The data that advice is based on."""

    config: Configuration
    script: FaultSchedule
    calm: RunRecord
    run: RunRecord
    quiet: RunSummary
    seen: RunSummary
    episodes: Sequence[Episode]
    lost: list[RequestResult] = field(default_factory=list)

    def share(self, count: int) -> str:
        """'12.3 % of the traffic (90 requests)'."""
        total = len(self.run.rows)
        return f"{100 * count / total:.1f} % of the traffic ({counted(count, 'request')})"


def advised(found: AdviceEvidence) -> list[Advice]:
    """All advice: first on lost answers, the most frequent first; then on hanging, slow and expensive requests."""
    found.lost.extend(row for row in found.run.rows if not row.model)
    steps: tuple[Callable[[AdviceEvidence], Iterator[Advice]], ...] = (
        _no_usable_model, _failed, _endless, _slow, _dear, _not_left, _not_back,
    )  # fmt: skip
    return sorted((advice for step in steps for advice in step(found)), key=lambda advice: -advice.lost)


def _no_usable_model(found: AdviceEvidence) -> Iterator[Advice]:
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[RequestResult]] = {}
    for row in found.lost:
        if row.why in ("refused", "failed", "busy") and _stranded(found, row):
            key = (tuple(sorted(row.able)), tuple(sorted(set(row.rules.values()))))
            groups.setdefault((_all(found), ()) if _everywhere(found, row) else key, []).append(row)
    for (able, rules), rows in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        yield _unusable_advice(found, able, rules, rows)._replace(lost=len(rows))


def _all(found: AdviceEvidence) -> tuple[str, ...]:
    return tuple(sorted(found.config.registry.entries))


def _everywhere(found: AdviceEvidence, row: RequestResult) -> bool:
    """Whether one fault made all models unusable."""
    spells = (s for s in found.script.spells if len(s.models) == len(found.config.registry))
    return any(s.whole and s.kind in NO_ANSWER and s.from_s <= row.end_s and row.at < s.until_s for s in spells)


def _stranded(found: AdviceEvidence, row: RequestResult) -> bool:
    """Whether every model that could take the request was unusable."""
    return all(_away(found, model, row) for model in row.able)


def _away(found: AdviceEvidence, model: str, row: RequestResult) -> bool:
    spells = found.script.away(model, row.at, row.end_s)
    return any(s.kind in NO_ANSWER and s.whole for s in spells)


def _unusable_advice(
    found: AdviceEvidence, able: tuple[str, ...], rules: tuple[str, ...], rows: Sequence[RequestResult]
) -> Advice:
    size = max(row.shape.input_tokens for row in rows) if set(rules) & set(WINDOWS) else 0
    what = " and ".join(filter(None, [needs_text(needs_of(rules)), f"up to {size:,} tokens of input" if size else ""]))
    requests = f"requests with {what}" if what else "such requests"
    others = _lacking(rows)
    if not able:
        return Advice(
            f"No model can take {requests}: {found.share(len(rows))} had nowhere to go{others}.", _add(what, "")
        )
    faults = _listed({s.line.text for row in rows for m in able for s in found.script.away(m, row.at, row.end_s)})
    if able == _all(found) and _everywhere(found, rows[0]):
        return Advice(f"Every model is away under {faults}: {found.share(len(rows))} had nowhere to go.")
    homes = sorted({found.config.registry.entry(m).card.provider or m for m in able})
    only = f"Only {_listed(able)}" if rules else "Every model"
    takes = f"can take {requests}, and {'is' if len(able) == 1 else 'all are'}" if rules else "is"
    problem = f"{only} {takes} away under {faults}: {found.share(len(rows))} had nowhere to go{others}."
    return Advice(problem, _add(what, _listed(homes)))


def _lacking(rows: Sequence[RequestResult]) -> str:
    """' (house: image_inputs)'."""
    rules: dict[str, str] = dict(sorted({m: rule for row in rows for m, rule in row.rules.items()}.items()))
    lacks = [f"{model}: {rule}" for model, rule in rules.items()]
    more = f" and {len(lacks) - _LISTED} more" if len(lacks) > _LISTED else ""
    return f" ({', '.join(lacks[:_LISTED])}{more})" if lacks else ""


def _add(what: str, homes: str) -> str:
    elsewhere = f" of another provider than {homes}" if homes else ""
    return f"Add a model{elsewhere}" + (f" that takes {what}." if what else ".")


def _failed(found: AdviceEvidence) -> Iterator[Advice]:
    """Advice on failed requests that a usable model could have answered."""
    rows = [row for row in found.lost if not (row.why in ("refused", "failed", "busy") and _stranded(found, row))]
    for why in ("interrupted", "budget", "busy", "failed", "refused"):
        own = [row for row in rows if row.why == why]
        calm = found.quiet.whys[why]
        for advice in _WHYS[why](found, own) if own else ():
            without = f" (Without faults: {calm:,}.)" if calm else ""
            yield advice._replace(what=advice.what + without, lost=len(own))


def _interrupted(found: AdviceEvidence, rows: Sequence[RequestResult]) -> Iterator[Advice]:
    problem = f"{found.share(len(rows))} lost a stream after its first text, which no model may go on with."
    cards = found.config.registry.cards
    if found.config.settings.resume:
        yield Advice(problem, "None of the models that were left has `assistant_prefill: true`.")
    elif any(card.assistant_prefill for card in cards):
        yield Advice(problem, "", SettingChange("resume: true", {"resume": True}, "lost"))
    else:
        yield Advice(problem, "`resume: true` continues one on a model whose card says `assistant_prefill: true`.")


def _budget(found: AdviceEvidence, rows: Sequence[RequestResult]) -> Iterator[Advice]:
    first = next((cap for cap in found.run.caps if cap.kind == "refusing"), None)
    when = f" First at {first.at:.0f} s: {first.told}." if first else f" {rows[0].detail}"
    yield Advice(
        f"{found.share(len(rows))} found no room in a budget.{when}",
        "Raise the cap, or let it degrade (`on_exceed: degrade`) to cheaper models.",
    )


def _full(found: AdviceEvidence, rows: Sequence[RequestResult], problem: str) -> Advice:
    """Advice for requests lost because a healthy model was full by its learned concurrency limit."""
    model = Counter(model for row in rows for model in _spared(row)).most_common(1)[0][0]
    mend = SettingChange("health: {learns_limits: false}", {"learns_limits": False}, "lost")
    return Advice(f"{problem} {model} was full, by a limit of calls at once that was only learned.", "", mend)


def _spared(row: RequestResult) -> list[str]:
    """The models that were full only by their learned limit."""
    return [model for model, by in row.held_by.items() if by == "learned_limit"]


def _busy(found: AdviceEvidence, rows: Sequence[RequestResult]) -> Iterator[Advice]:
    if any(map(_spared, rows)):
        yield _full(found, rows, f"{found.share(len(rows))} found every model full or held.")
        return
    yield Advice(f"{found.share(len(rows))} found every model full or held: {_clipped(rows[0].detail)}")


def _attempts(found: AdviceEvidence, rows: Sequence[RequestResult]) -> Iterator[Advice]:
    settings = found.config.settings
    filtered = [row for row in rows if row.tries and row.tries[-1].fault == "content_filtered"]
    if filtered and settings.on_content_filter == "return":
        problem = f"{found.share(len(filtered))} got the content filter's refusal, which is handed on as it is."
        yield Advice(
            problem, "", SettingChange("on_content_filter: fallback", {"on_content_filter": "fallback"}, "lost")
        )
    rest = [row for row in rows if row not in filtered] if filtered else rows
    if not rest:
        return
    most = settings.retry.attempts
    faults = Counter(t.fault for row in rest for t in row.tries if t.fault)
    problem = f"{found.share(len(rest))} failed though another model could have answered ({_counted(faults)})."
    if any(map(_spared, rest)):
        yield _full(found, rest, problem)
        return
    spent = sum(len(row.tries) >= most for row in rest)
    if spent:
        more = settings.retry.model_copy(update={"attempts": most + 2})
        problem += f" {spent:,} of them had used their {most} attempts up."
        yield Advice(problem, "", SettingChange(f"retry: {{attempts: {most + 2}}}", {"retry": more}, "lost"))
    else:
        yield Advice(f"{problem} For example: {_clipped(rest[0].detail)}")


def _refused(found: AdviceEvidence, rows: Sequence[RequestResult]) -> Iterator[Advice]:
    yield Advice(
        f"{found.share(len(rows))} came when the models that can take them were switched off: "
        f"{_listed({m for row in rows for m in row.able})}.",
        "They are tried again after health.disabled_s; sooner by router.reset(id).",
    )


_WHYS: Mapping[str, Callable[[AdviceEvidence, Sequence[RequestResult]], Iterator[Advice]]] = {
    "interrupted": _interrupted, "budget": _budget, "busy": _busy, "failed": _attempts, "refused": _refused,
}  # fmt: skip


def _endless(found: AdviceEvidence) -> Iterator[Advice]:
    """Advice on requests that waited for a hanging model."""
    own, settings = found.config.settings.timeouts, found.config.settings
    bounded = own.total is not None or settings.deadline_s is not None
    if bounded or found.seen.longest_s < max(_LONG_S, 3 * found.quiet.longest_s):
        return
    calm = [row for row in found.calm.rows if row.model]
    total = _round_up(3 * (percentile([row.elapsed_s for row in calm], 0.99) or 10.0))
    clocks = replace(own, first_token=own.first_token or total, between_tokens=own.between_tokens or total, total=total)
    first, between = clocks.first_token, clocks.between_tokens
    words = f"timeouts: {{first_token: {first:g}, between_tokens: {between:g}, total: {total:g}}}"
    waited = sum(row.elapsed_s >= _LONG_S for row in found.run.rows)
    yield Advice(
        f"{found.share(waited)} took more than {_LONG_S:.0f} s, up to {found.seen.longest_s:.0f} s: no clock of yours "
        "ends a call that hangs.", "", SettingChange(words, {"timeouts": clocks}, "longest"),
    )  # fmt: skip


def _slow(found: AdviceEvidence) -> Iterator[Advice]:
    calm, seen = found.quiet.latency_s(0.95), percentile(found.seen.slow, 0.95)
    if calm is None or seen is None or seen < _MUCH * calm or found.config.settings.hedge.on or any(_endless(found)):
        return
    from capability_router.settings.resilience import Hedge  # here, because it loads pydantic

    problem = (
        f"In the faults' time 95 % of the answers came within {seconds(seen)}, without faults within {seconds(calm)}."
    )
    yield Advice(problem, "", SettingChange("hedge: true", {"hedge": Hedge()}, "p95 in the faults' time"))


def _dear(found: AdviceEvidence) -> Iterator[Advice]:
    seen, calm = found.seen, found.quiet
    if not (seen.during.answered and calm.during.answered and calm.cost_during_pico):
        return
    times = (seen.cost_during_pico / seen.during.answered) / (calm.cost_during_pico / calm.during.answered)
    if times >= _MUCH:
        yield Advice(
            f"In the faults' time an answer cost {times:.1f} times as much as without them: fallbacks go to dearer "
            "models.",
            "If that must not last, set a budget with `on_exceed: degrade`, or add a cheaper model elsewhere.",
        )  # fmt: skip


def _not_left(found: AdviceEvidence) -> Iterator[Advice]:
    for each in () if any(_endless(found)) else found.episodes:
        if each.left_s is None and each.failed >= 10:
            yield Advice(
                f"{each.model} failed {each.failed:,} of {each.calls:,} calls under {each.text} and was never left "
                f"alone: a breaker opens at {found.config.settings.health.failure_rate:.0%} of the calls, or at "
                f"{found.config.settings.health.consecutive} in a row.",
                "Where that is too many, lower health.failure_rate.",
            )  # fmt: skip


def _not_back(found: AdviceEvidence) -> Iterator[Advice]:
    for each in found.episodes:
        if each.away and each.over and each.left_s is not None:
            yield Advice(
                f"{each.model} is still left alone at the end of the run, after {each.text} was over: it is tried "
                "again at times that double (health.open_s, health.disabled_s).",
                "A longer run (--seconds) shows when it is back.",
            )  # fmt: skip


def _listed(names: Any) -> str:
    words = sorted(names)
    more = f" and {len(words) - _LISTED} more" if len(words) > _LISTED else ""
    return ", ".join(words[:_LISTED]) + more


def _counted(faults: Counter[str]) -> str:
    ranked = sorted(faults.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{n:,} × {name}" for name, n in ranked[:_LISTED]) or "nothing was sent"


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _round_up(seconds: float) -> float:
    step = 1 if seconds < 10 else 5 if seconds < 60 else 30
    return float(math.ceil(seconds / step) * step)
