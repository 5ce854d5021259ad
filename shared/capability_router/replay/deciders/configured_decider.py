"""The decider for another configuration: its policy and models, with the health and predictions in the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from capability_router.eligibility import answers
from capability_router.learning.context_windows import ContextWindows
from capability_router.learning.output_lengths import LengthFactors, OutputLengths
from capability_router.learning.token_scales import TokenScale, TokenScales
from capability_router.plan import Candidate, Plan
from capability_router.policies.planner import Planner
from capability_router.replay.deciders.choice import ReplayedChoice
from capability_router.replay.deciders.conversations import Conversations
from capability_router.replay.deciders.health_snapshot import HealthSnapshot
from capability_router.replay.deciders.learned_model import ReplayLearnedModel
from capability_router.replay.deciders.matching import Matching
from capability_router.replay.deciders.token_lessons import TokenLessons
from capability_router.replay.log.latencies import Latencies
from capability_router.replay.log.logged_request import LoggedCandidate, LoggedRequest
from capability_router.request import Outcome, Usage
from capability_router.router import Router
from capability_router.telemetry.digest import digest


class ConfiguredDecider:
    """The router's planner with health, tokens and predictions from the log. Nothing is sent, booked or written.

    `foresight`: None = quality by the configuration's cards alone.
    """

    def __init__(
        self, router: Router, lessons: TokenLessons, latencies: Latencies, foresight: ReplayLearnedModel | None
    ) -> None:  # fmt: skip
        self.models = tuple(router.registry.entries)
        self.name = router.planner.policy.name
        self.conversations = Conversations()
        self.matching = Matching(router.registry)
        self._cards = {card.id: card for card in router.registry.cards}
        self._moment = HealthSnapshot(router.board.condition, latencies, self.models)
        self._foresight = foresight
        self._planner: Planner = replace(
            router.planner,
            health=self._moment,
            lengths=_Lengths(lessons.lengths, self.matching),
            sizes=_Sizes(lessons.sizes, self.matching, self.models),
            windows=ContextWindows(),
            learned=foresight,
            guard=None,
            explorer=None,
            signs=None,
        )
        self._chosen: Candidate | None = None
        self._mark, self._other_cards = digest(list(router.registry.cards)), 0

    def decide(self, logged: LoggedRequest) -> ReplayedChoice:
        """Its plan for the request. The policy's averages take the request in as if it were carried out."""
        self.matching.match_models(logged.candidates)
        self._other_cards += logged.cards != self._mark
        self._moment.set_request(logged, self.matching.logged)
        if self._foresight is not None:
            self._foresight.set_request(logged, self.matching.logged)
        stay = self.conversations.of(logged)
        made = self._planner.decide(logged.request, logged.began, stay=stay, found=logged.features)
        plan, scene = made.plan, made.scene
        self._chosen = plan.candidates[0] if plan.candidates else None
        if self._chosen is not None:
            self._planner.policy.observe(scene, self._chosen.id)
            self._planner.balance.count_request()
            self.conversations.note(logged, self._chosen.id)
        return self._choice(plan)

    def _choice(self, plan: Plan) -> ReplayedChoice:
        ranked = tuple(map(_seen, plan.candidates))
        told = {} if self._foresight is None else self._foresight.sources
        source = told.get(ranked[0].id, "card") if ranked else "log"
        return ReplayedChoice(ranked, plan.refusals, plan.reason, source)

    def own(self, logged: str) -> str:
        """Its id of a model that has this one in the log; "" = it has none such."""
        return self.matching.own(logged)

    def logged(self, own: str) -> str:
        """The log's id of a model that has this one here; "" = the log has not met it."""
        return self.matching.logged(own)

    def price(self, id: str, logged: LoggedRequest, tokens: tuple[int, int]) -> int | None:
        """By its card, in the service tier that is asked for, nothing of it cached."""
        card = self._cards[id]
        price = card.price
        if price is not None and (tier := logged.request.service or card.service_tier):
            price = price.asked(tier)
        most = card.max_output_tokens
        out = tokens[1] if most is None else min(tokens[1], most * answers(logged.request, card))
        return None if price is None else price.estimate(tokens[0], out)

    def carried_out(self, cost_pico: int | None, elapsed_s: float | None) -> None:
        """Give the result to the policy's targets for cost and latency."""
        chosen = self._chosen
        if chosen is not None and elapsed_s is not None:
            outcome = Outcome(
                "", chosen.id, chosen.provider, (), "", self.name, cost_pico, elapsed_s, None, Usage()
            )  # fmt: skip
            self._planner.policy.settled(chosen, outcome)

    def told(self) -> list[str]:
        """Remarks on its conversations, and on requests that a learned state could not judge."""
        wordless = 0 if self._foresight is None else self._foresight.wordless
        some = f"{wordless:,} requests have no words in the log: of them counts what the log predicted, not the state."
        other = "The models' cards differ from those that the log was made with; some of what changes may come of that."
        return [
            *self.conversations.told(), *([some] if wordless else []), *([other] if self._other_cards else []),
        ]  # fmt: skip


class _Lengths(OutputLengths):
    """The log's, under the configuration's ids."""

    def __init__(self, logged: OutputLengths, matching: Matching) -> None:
        super().__init__()
        self._logged, self._matching = logged, matching

    def on(self, task: str) -> LengthFactors:
        """The factors of a task as the log taught them so far."""
        told = self._logged.on(task)
        named = ((self._matching.own(model), factor) for model, factor in told.by_model.items())
        return LengthFactors({own: factor for own, factor in named if own}, told.common)


class _Sizes(TokenScales):
    """The log's, under the configuration's ids."""

    def __init__(self, logged: TokenScales, matching: Matching, models: tuple[str, ...]) -> None:
        super().__init__()
        self._logged, self._matching, self._models = logged, matching, models

    def on(self, bucket: str) -> Mapping[str, TokenScale]:
        """The scales by model for such text as the log taught them so far."""
        told = self._logged.on(bucket)
        named = ((own, self._matching.logged(own)) for own in self._models) if told else ()
        return {own: told[logged] for own, logged in named if logged in told}


def _seen(each: Candidate) -> LoggedCandidate:
    return LoggedCandidate(
        each.id, each.provider, each.model, each.quality, each.cost_pico, each.latency_s, each.queue_s, each.held,
        each.fallback_pico,
    )  # fmt: skip
