"""The replay itself: each logged request decided again, in the order in which they began, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from capability_router.replay.deciders.choice import Decider, ReplayedChoice
from capability_router.replay.deciders.token_lessons import TokenLessons
from capability_router.replay.estimate import ScoredChoice
from capability_router.replay.log.latencies import Latencies
from capability_router.replay.log.logged_request import LoggedRequest
from capability_router.replay.log.replay_log import ReplayLog

_BY_LOT = 0.5  # of a record that does not list the chances: what was as unlikely was drawn


class ReplayedRequest(NamedTuple):
    """A request, decided again. Models by the decider's ids; `before`: of the log's choice, "" = it has none such.

    `cost_pico`: what it would have cost, None = unknown; `latency_s` likewise. `quality`: predicted of the choice,
    `quality_before` of the log's choice.
    """

    logged: LoggedRequest
    choice: ReplayedChoice
    before: str
    cost_pico: int | None
    latency_s: float | None
    quality: float | None
    quality_before: float | None

    @property
    def changed(self) -> bool:
        """Whether another model would have been asked first, or none, or one where none was."""
        return self.choice.model != self.before or bool(self.logged.chosen) != bool(self.choice.model)


def replayed(
    log: ReplayLog, decider: Decider, lessons: TokenLessons, latencies: Latencies,
    tick: Callable[[int], None] = lambda _: None,
) -> list[ReplayedRequest]:  # fmt: skip
    """Every decision of the log, decided again. `tick` is told of each."""
    found = []
    for logged in log.decisions:
        lessons.until(logged.began)
        choice = decider.decide(logged)
        again = _again(logged, choice, decider, lessons, latencies)
        if choice.model:
            decider.carried_out(again.cost_pico, again.latency_s)
        found.append(again)
        tick(1)
    return found


def _again(
    logged: LoggedRequest, choice: ReplayedChoice, decider: Decider, lessons: TokenLessons, latencies: Latencies
) -> ReplayedRequest:  # fmt: skip
    before = decider.own(logged.chosen) if logged.chosen else ""
    first, then = choice.seen(choice.model), logged.seen(logged.chosen)
    same = (choice.seen(before) if before else None) or then
    return ReplayedRequest(
        logged, choice, before, _cost(logged, choice, before, decider, lessons),
        _latency(logged, choice, before, decider, latencies),
        None if first is None else first.quality, None if same is None else same.quality,
    )  # fmt: skip


def _cost(
    logged: LoggedRequest, choice: ReplayedChoice, before: str, decider: Decider, lessons: TokenLessons
) -> int | None:
    """What was booked where the choice stays as it was, failed attempts included; else the new model's answer."""
    if not choice.model:
        return 0
    if choice.model == before and logged.chosen:
        return logged.cost_pico
    return decider.price(choice.model, logged, tokens(logged, decider.logged(choice.model), lessons))


def tokens(logged: LoggedRequest, other: str, lessons: TokenLessons) -> tuple[int, int]:
    """Tokens in and out of another model's answer (by its id in the log): the booked ones, as it usually takes more.

    Where no model answered, those that were expected.
    """
    answer, found, most = logged.answer(), logged.features, logged.request.max_tokens
    if answer is None:
        lengths, sizes = lessons.lengths.on(found.task), lessons.sizes.on(found.bucket)
        longer = lengths.by_model.get(other, lengths.common)
        larger = sizes[other].factor if other in sizes else 1.0
        ins, out = found.input_tokens, found.output_tokens * (logged.request.answers or 1)
    else:
        larger, longer = lessons.longer(logged, other)
        ins, out = answer.input_tokens, answer.output_tokens
    out = round(out * longer)
    return round(ins * larger), out if most is None else min(out, most * (logged.request.answers or 1))


def _latency(
    logged: LoggedRequest, choice: ReplayedChoice, before: str, decider: Decider, latencies: Latencies
) -> float | None:  # fmt: skip
    if not choice.model:
        return None
    if choice.model == before:
        return logged.elapsed_s
    usual, first = latencies.usual(decider.logged(choice.model)), choice.ranked[0]
    return first.latency_s if usual is None else usual


def samples(
    found: Sequence[ReplayedRequest], scores: Mapping[str, float], decider: Decider
) -> list[ScoredChoice | None]:
    """The scored requests, for off-policy estimates; None = the log gave the new choice no chance."""
    return [_sample(each, scores[each.logged.id], decider) for each in found if each.logged.id in scores]


def _sample(again: ReplayedRequest, score: float, decider: Decider) -> ScoredChoice | None:
    logged, new = again.logged, decider.logged(again.choice.model) if again.choice.model else ""
    if not logged.chosen or not new or not _had_a_chance(logged, new):
        return None
    weight = 1.0 / logged.chances[new] if new == logged.chosen else 0.0
    return ScoredChoice(
        _session(logged), score, weight, _moved(logged, new), _quality(logged, new), _quality(logged, logged.chosen)
    )


def _had_a_chance(logged: LoggedRequest, model: str) -> bool:
    """A record that does not list the chances says by a chance below 1 that others had some: any that was usable."""
    if model in logged.chances:
        return True
    seen = logged.seen(model)
    return not logged.stated and logged.chances[logged.chosen] < 1.0 and seen is not None and not seen.held


def _moved(logged: LoggedRequest, new: str) -> bool:
    if logged.stated:
        return new != next(iter(logged.chances))
    return new != logged.chosen or logged.chances[logged.chosen] <= _BY_LOT


def _quality(logged: LoggedRequest, model: str) -> float | None:
    """As it was predicted then, before there was a score."""
    seen = logged.seen(model)
    return None if seen is None else seen.quality


def _session(logged: LoggedRequest) -> str:
    """A request without a session is one of its own."""
    session = logged.terms.session
    return f"session {logged.router} {session}" if session else f"request {logged.id}"
