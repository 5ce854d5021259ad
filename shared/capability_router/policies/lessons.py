"""What the router learns from a finished request: windows, token counts, answer lengths, its conversation's model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from capability_router.learning.context_windows import ContextWindows
from capability_router.learning.guard import BaselineGuard, PlanPrediction
from capability_router.learning.implicit_signs import WEIGHTS, ImplicitSign, ImplicitSigns
from capability_router.learning.outcomes import AnsweredRequest, Outcomes
from capability_router.learning.output_lengths import OutputLengths
from capability_router.learning.prior import Prior
from capability_router.learning.repeat_detector import RepeatDetector
from capability_router.learning.sharing.lesson import Lesson
from capability_router.learning.tenants import hashed
from capability_router.learning.token_scales import TokenScales
from capability_router.plan import Candidate, Plan
from capability_router.policies.affinity import Affinity, cached_after
from capability_router.policies.base import LearnedModel
from capability_router.request import AttemptRecord, Outcome, Reply, Request


@dataclass(frozen=True, slots=True)
class OutcomeLessons:
    """Distributes each lesson; the next plans use them."""

    lengths: OutputLengths
    sizes: TokenScales
    windows: ContextWindows
    prior: Prior
    affinity: Affinity
    outcomes: Outcomes
    learned: LearnedModel | None = None
    guard: BaselineGuard | None = None
    signs: ImplicitSigns | None = None
    retries: RepeatDetector | None = None

    def ended(self, request: Request, plan: Plan, outcome: Outcome, reply: Reply, now: float) -> list[ImplicitSign]:
        """Learn from an ended request; none of its text is kept. Returns the implicit signs found in it."""
        if not request.model:  # the call named another model, so nothing is learned about the candidate
            self._turned_away(outcome.attempts, plan, now, media=bool(request.media))
        if outcome.model is not None:
            self._answered_by(request, plan, outcome, reply, outcome.model, now)
        return [] if self.signs is None or request.model else self._seen(self.signs, request, outcome, reply, now)

    def _seen(
        self, signs: ImplicitSigns, request: Request, outcome: Outcome, reply: Reply, now: float
    ) -> list[ImplicitSign]:
        tenant = request.routing.tenant
        found: list[ImplicitSign] = []
        for attempt in outcome.attempts:
            kind = attempt.fault or ("refusal" if attempt.finish == "refusal" else "")
            if not kind or kind in WEIGHTS:  # else it was no answer
                sign = signs.answered(tenant, request.id, attempt.model, kind)
                if sign is not None:
                    found.append(sign)
        told = self.retries.ended(request, outcome, reply, now) if self.retries and request.routing.session else None
        if told is not None and not self.outcomes.source(told.request_id):
            found.append(signs.late(tenant, *told))
        return found

    def _answered_by(
        self, request: Request, plan: Plan, outcome: Outcome, reply: Reply, model: str, now: float
    ) -> None:  # fmt: skip
        self.affinity.note(request, reply, model, cached_after(outcome.provider, outcome.usage), now)
        answered = self._answered(request, plan, outcome, model, reply.model)
        self.outcomes.note(request.id, answered)
        if self.learned is not None and answered.sketch is not None:
            tenant, seen, version = hashed(answered.tenant), answered.sketch, answered.version
            lesson = Lesson(request.id, model, 0.0, answered.tokens, tenant, seen, answered.foreseen, version=version)
            self.learned.answered(lesson)
        if outcome.usage.estimated:
            return
        chosen = _planned(plan, model)
        if outcome.finish != "length":
            predicted = plan.output_tokens * chosen.answers
            self.lengths.learn(model, plan.task, predicted, outcome.usage.output_tokens)
        if not request.model and not outcome.resumed:
            self._held(plan, chosen, outcome.usage.input_tokens)

    def scored(self, request_id: str, score: float, source: str = "user") -> AnsweredRequest:
        """Record an answer's score, 0 to 1, from this source. Raises ConfigError for a bad score or unknown id."""
        answered = self.outcomes.scored(request_id, score, source)
        if self.signs is not None:
            self.signs.retract_signs(request_id, answered.model)
        before = self.outcomes.before(request_id, float(score))
        if self.learned is None or answered.sketch is None:
            self.prior.learn(answered.model, answered.task, float(score), before)
        else:  # it knows what was believed before, and the score must not count twice
            seen, tokens, tenant = answered.sketch, answered.tokens, answered.tenant
            again = before is not None or self.learned.remembers(request_id, answered.model)  # here, or elsewhere
            foreseen = None if again else answered.foreseen
            self.learned.scored(
                request_id, seen, answered.model, float(score), tokens, tenant, foreseen, source, answered.version
            )
            if self.guard is not None:
                self.guard.note(foreseen, answered.model, float(score), request_id, hashed(tenant))
        return answered

    def heard(self, lesson: Lesson) -> None:
        """Record a score from another process; if the answer was given here, the score replaces its implicit signs."""
        answered = self.outcomes.heard(lesson.id, lesson.score, lesson.source)
        if answered is not None and self.signs is not None:
            self.signs.retract_signs(lesson.id, answered.model)

    def scored_elsewhere(self, request_id: str, score: float) -> str | None:
        """Record the score of another process's answer; returns the model, None = no process remembers the request."""
        lesson = None if self.learned is None else self.learned.scored_elsewhere(request_id, score)
        if lesson is None:
            return None
        if self.guard is not None:
            self.guard.note(lesson.foreseen, lesson.model, score, request_id, lesson.tenant)
        return lesson.model

    def _answered(self, request: Request, plan: Plan, outcome: Outcome, model: str, version: str) -> AnsweredRequest:
        if self.learned is None or request.model:
            return _plainly(model, plan.task, str(version))  # a server wrote this, so it may be anything
        counted = not outcome.usage.estimated and outcome.finish != "length"
        tokens = outcome.usage.output_tokens // _planned(plan, model).answers if counted else None
        seen, tenant = self.learned.sketch(request), request.routing.tenant
        foreseen = None if plan.canary else _foreseen(plan)  # another policy's picks say nothing about this one's
        return AnsweredRequest(model, plan.task, seen, tokens, foreseen, tenant, version)

    def _turned_away(self, attempts: tuple[AttemptRecord, ...], plan: Plan, now: float, *, media: bool) -> None:
        """Learn a window from an overflow. An unnamed limit may be in bytes, which images and files reach long
        before tokens.
        """
        for attempt in attempts:
            if attempt.fault == "context_overflow" and (attempt.window is not None or not media):
                tokens = _planned(plan, attempt.model).input_tokens
                self.windows.turned_away(attempt.model, tokens, attempt.window, now)

    def _held(self, plan: Plan, chosen: Candidate, tokens: int) -> None:
        self.windows.held(chosen.id, tokens)
        if plan.bucket:
            self.sizes.learn(chosen.id, plan.bucket, round(chosen.input_tokens / chosen.scale), tokens)


@lru_cache(256)
def _plainly(model: str, task: str, version: str) -> AnsweredRequest:
    """Without a sketch. Equal values are shared, because most of the ten thousand that are kept are equal."""
    return AnsweredRequest(model, task, version=version)


def _foreseen(plan: Plan) -> PlanPrediction | None:
    """None if there was no choice. The pick is the best by score, whichever model was put before it."""
    known = [(c.id, c.quality, c.score - c.quality) for c in plan.candidates if c.quality is not None and not c.held]
    if len(known) < 2:
        return None
    models, quality, rest = zip(*known, strict=True)
    pick, _, _ = max(known, key=lambda each: each[1] + each[2])
    return PlanPrediction(pick, models, quality, rest)


def _planned(plan: Plan, model: str) -> Candidate:
    """Mostly the first candidate; an index for every request would cost more."""
    for candidate in plan.candidates:
        if candidate.id == model:
            return candidate
    raise LookupError(f"the plan has no candidate {model!r}, which answered")
