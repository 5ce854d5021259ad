"""Another policy over the models in the log, with the predictions, costs and refusals of each record."""

from __future__ import annotations

from functools import cache

from capability_router.catalog.card import ModelCard
from capability_router.errors import ConfigError
from capability_router.learning.prior import UNSTATED
from capability_router.policies.base import EligibleModel, Policy, PolicyContext
from capability_router.replay.deciders.choice import ReplayedChoice
from capability_router.replay.deciders.conversations import Conversations
from capability_router.replay.log.logged_request import LoggedCandidate, LoggedRequest

NEEDS_MODELS = {
    "rules": "names the models of its rules", "single": "takes the order of `models:`, which a log does not hold",
}  # fmt: skip


class LoggedDecider:
    """Decides by the candidates' own figures. Raises ConfigError for a policy that needs more than these."""

    def __init__(self, policy: Policy) -> None:
        if policy.name in NEEDS_MODELS:
            raise ConfigError(
                f"policy {policy.name!r} {NEEDS_MODELS[policy.name]}: give a router.yaml (--policy FILE, or --config "
                "FILE beside the name)"
            )
        self._policy, self.name = policy, policy.name
        self.conversations = Conversations()
        self._chosen: LoggedCandidate | None = None

    def decide(self, logged: LoggedRequest) -> ReplayedChoice:
        """The candidates in the policy's order; refused models stay refused."""
        stay = self.conversations.of(logged)
        candidates = _in_order(logged)
        rows = [_row(each, stay.model) for each in candidates]
        scene = PolicyContext(logged.request, logged.features, rows)
        scores = self._policy.judge(scene).scores if rows else ()
        keys = [
            (row.held != "", stay.binding and not row.stays, -score, row.cost_pico is None)
            for row, score in zip(rows, scores, strict=True)
        ]
        order = sorted(range(len(rows)), key=keys.__getitem__)
        ranked = tuple(candidates[at] for at in order)
        self._chosen = ranked[0] if ranked else None
        if self._chosen is None:
            return ReplayedChoice((), logged.refusals, "no eligible model")
        self._policy.observe(scene, self._chosen.id)
        self.conversations.note(logged, self._chosen.id)
        return ReplayedChoice(ranked, logged.refusals, self._policy.reason(scene, rows[order[0]]))

    def own(self, logged: str) -> str:
        """The same."""
        return logged

    def logged(self, own: str) -> str:
        """The same."""
        return own

    def price(self, id: str, logged: LoggedRequest, tokens: tuple[int, int]) -> int | None:
        """The model's predicted cost, times the ratio of the answer's cost to its own prediction."""
        other, one, answer = logged.seen(id), logged.seen(logged.model), logged.answer()
        if other is None or other.cost_pico is None:
            return None
        predicted, off = other.cost_pico - other.fallback_pico, 1.0
        if answer is not None and answer.cost_pico is not None and one is not None and one.cost_pico is not None:
            foreseen = one.cost_pico - one.fallback_pico
            off = answer.cost_pico / foreseen if foreseen > 0 else 1.0
        return round(max(predicted, 0) * off)

    def carried_out(self, cost_pico: int | None, elapsed_s: float | None) -> None:
        """Nothing to do: a policy given by its name has no targets."""

    def told(self) -> list[str]:
        """Remarks on its conversations."""
        return self.conversations.told()


def _in_order(logged: LoggedRequest) -> tuple[LoggedCandidate, ...]:
    """The candidates; ties go to the first. After a random choice they are ordered without regard to it."""
    if not logged.stated:
        return logged.candidates
    pick = next(iter(logged.chances))
    return tuple(sorted(logged.candidates, key=lambda each: (each.id != pick, each.id)))


def _row(each: LoggedCandidate, staying: str) -> EligibleModel:
    quality = UNSTATED if each.quality is None else each.quality
    return EligibleModel(
        _card(each.id, each.provider, each.model), quality, each.cost_pico, each.latency_s, each.queue_s, 0, each.held,
        each.id == staying, 0.0, each.fallback_pico,
    )  # fmt: skip


@cache
def _card(id: str, provider: str, model: str) -> ModelCard:
    return ModelCard(id, provider, model)
