"""Makes plans: features, eligibility, predictions for each eligible model, then the policy's ranking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from operator import attrgetter
from typing import Protocol

from capability_router.catalog.aliases import lacking
from capability_router.catalog.card import CAPABILITIES, ModelCard
from capability_router.eligibility import (
    CardIndex,
    EligibilityQuery,
    Eligible,
    Refusal,
    Unavailability,
    UnknownMode,
    screen,
    under,
)
from capability_router.features import Features, features
from capability_router.health.condition import CandidateCondition
from capability_router.learning.context_windows import ContextWindows
from capability_router.learning.guard import BaselineGuard
from capability_router.learning.implicit_signs import ImplicitSigns
from capability_router.learning.output_lengths import OutputLengths
from capability_router.learning.prior import CARD_WEIGHT, PRICE_WEIGHT, Belief, Prior
from capability_router.learning.tenants import hashed
from capability_router.learning.token_scales import MARGIN, TokenScales
from capability_router.nearest import nearest
from capability_router.plan import Plan
from capability_router.policies.affinity import NOWHERE, StickyModel
from capability_router.policies.balance import LoadBalancer
from capability_router.policies.base import (
    BELOW,
    EligibleModel,
    LearnedModel,
    Policy,
    PolicyContext,
    PolicyScores,
    QualityEstimate,
)
from capability_router.policies.expected_cost import remarks, with_fallbacks
from capability_router.policies.exploration.explorer import PICKED, ExplorationChoice, Explorer
from capability_router.policies.lazy_tuple import LazyTuple
from capability_router.policies.prompt_sizing import PromptSizing, sizing_of
from capability_router.policies.ranking import Ranking
from capability_router.request import Need, Request
from capability_router.token_counter import Count

_HELD = attrgetter("held")
_NOT_MOVED: Mapping[str, float] = {}
_TOLD = 0.01  # quality points; larger moves are explained in the plan


class HealthView(Protocol):
    """The part of the health board that planning reads."""

    def conditions(self, ids: Sequence[str], now: float) -> Sequence[CandidateCondition]: ...
    def barred(self, now: float) -> Mapping[str, Unavailability]: ...
    def failing(self, now: float) -> Mapping[str, float]: ...


class ModelLookup(Protocol):
    """The part of the registry that planning reads."""

    @property
    def cards(self) -> Sequence[ModelCard]: ...
    def resolve(self, name: str) -> str | None: ...
    def matches(self, name: str) -> Sequence[str]: ...


Standing = Callable[[str, str, float, float], float]
"""Seconds that a new request of a priority waits for a model now, behind those in its queue; the last: without
these.
"""


def _nobody(model: str, priority: str, now: float, alone_s: float) -> float:
    return alone_s


@dataclass(slots=True)
class Decision:
    """A plan, the scene from which it was made, and the exploration in it."""

    plan: Plan
    scene: PolicyContext
    explored: ExplorationChoice = PICKED


@dataclass(frozen=True, slots=True)
class Planner:
    """Everything a decision depends on."""

    registry: ModelLookup
    roster: CardIndex
    policy: Policy
    prior: Prior
    lengths: OutputLengths
    health: HealthView
    balance: LoadBalancer
    unknown: UnknownMode = "prefer_known"
    tenants: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sizes: TokenScales = field(default_factory=TokenScales)
    windows: ContextWindows = field(default_factory=ContextWindows)
    count: Count | None = None
    learned: LearnedModel | None = None
    guard: BaselineGuard | None = None
    explorer: Explorer | None = None
    signs: ImplicitSigns | None = None
    reads_signs: bool = True  # whether this policy does; another one of the router's may
    standing: Standing = _nobody

    def decide(
        self, request: Request, now: float, *, stay: StickyModel = NOWHERE, found: Features | None = None
    ) -> Decision:  # fmt: skip
        """Rank the eligible models; the model that binds the conversation goes first if it is eligible and usable.

        `found`: the request's features, if they are already known.
        """
        found = found or features(request, self.count)
        sizing = sizing_of(request, found, self.sizes.on(found.bucket))
        ask = self._ask(request, found, sizing, now)
        eligible = screen(ask, self.roster, unknown=self.unknown, barred=self.health.barred(now))
        if ask.pin is not None and not any(card.id == ask.pin for card in self.registry.cards):
            hint = nearest(ask.pin, [card.id for card in self.registry.cards], "")
            told = f"pinned to {ask.pin!r}, which is not registered{hint}"
            eligible = eligible._replace(refusals=[Refusal(r.model, "pin", told) for r in eligible.refusals])
        if strangers := [name for name in request.routing.deny if not self.registry.matches(name)]:
            told = f"denied, but not registered: {', '.join(strangers)}"
            eligible = eligible._replace(notes=(*eligible.notes, told))
        if request.screened is not None:
            eligible = under(request.screened, eligible, self.roster.cards)
        rows = self._rows(eligible.cards, found, now, stay, request, sizing)
        failing = self.health.failing(now)
        apart = self.learned is not None and self.learned.others(request.routing.tenant)
        scene = PolicyContext(request, found, rows, apart)
        if failing and len(rows) > 1 and any(row.card.id in failing and not row.held for row in rows):
            scene = self._expecting(scene, stay, failing)
            notes = LazyTuple(partial(remarks, eligible.notes, scene.rows, failing))
            eligible = Eligible(eligible.cards, eligible.refusals, notes, eligible.tight)
        if moved := _remarked(self._shifts(request), rows):
            eligible = eligible._replace(notes=(*eligible.notes, moved))
        return self._decision(scene, eligible, stay, ask, sizing)

    def _expecting(self, scene: PolicyContext, stay: StickyModel, failing: Mapping[str, float]) -> PolicyContext:
        """The scene with the cost of fallbacks, in the order in which this policy would try them."""
        rows = scene.rows
        order = _ordered(scene, self.policy.judge(scene).scores, stay, {}, {})
        return PolicyContext(scene.request, scene.features, with_fallbacks(rows, order, failing), scene.apart)

    def _ask(self, request: Request, found: Features, sizing: PromptSizing | None, now: float) -> EligibilityQuery:
        terms = request.routing
        own = self.tenants.get(terms.tenant) if self.tenants else None
        margin, learned = MARGIN if found.bucket else 0.0, self.windows.known
        if own is None and not terms.binding:
            return EligibilityQuery(
                request, found.input_tokens, int(request.needs), binding=False, margin=margin, sizes=sizing,
                learned=learned, now=now,
            )  # fmt: skip
        pin = None if terms.pin is None else self.registry.resolve(terms.pin) or terms.pin
        tenant = None if own is None else self._meant(own)
        return EligibilityQuery(
            request, found.input_tokens, int(request.needs), pin,
            self._meant(terms.allow), self._meant(terms.deny), tenant, True, margin, sizing, learned, now,
        )  # fmt: skip

    def _meant(self, names: Sequence[str]) -> frozenset[str]:
        return frozenset(id for name in names for id in self.registry.matches(name) or (name,))

    def _rows(
        self, cards: Sequence[ModelCard], found: Features, now: float, stay: StickyModel, request: Request,
        sizing: PromptSizing | None,
    ) -> list[EligibleModel]:  # fmt: skip
        tokens_in, tokens_out, task, hardness = found.input_tokens, found.output_tokens, found.task, found.hardness
        ids, excerpts = self.roster.excerpts(cards)
        states, believed, known = self.health.conditions(ids, now), self._believed(task, request), self.lengths.on(task)
        by_model, common = known.by_model, known.common
        usual, easy, before, error, bonus = int(tokens_out * common), hardness < 0.0, None, 0.0, 0.0
        balancing, staying, service = self.balance.any, stay.model, request.service
        asked, wanted, weighs = request.max_tokens, request.answers, self.policy.weighs_waits
        judged = None if self.learned is None else self._judged(self.learned, request, cards, believed, hardness)
        rows: list[EligibleModel] = []
        for (card, id, several, usual_most, most, rates), state in zip(excerpts, states, strict=True):
            belief = believed[id]
            quality = belief.level + hardness * (belief.slope_easy if easy else belief.slope_hard)
            if not 0.01 <= quality <= 0.99:
                quality = belief.of(hardness)  # within its limits
            expected = int(tokens_out * by_model.get(id, common)) if by_model else usual
            if judged is not None:
                own, before = judged[id], quality
                quality, error, bonus, expected = own.quality, own.error, own.bonus, own.tokens or expected
            limit = usual_most if not asked else asked if not most or asked < most else most
            expected = limit if limit and expected > limit else expected
            several, stays = wanted or several, id == staying
            if sizing is not None:
                tokens_in = sizing.tokens(card)
            cost = (
                _cost(card, service, tokens_in, expected * several, stay.cached_tokens if stays else 0)
                if rates is None or service or stays
                else rates[0] * tokens_in + rates[1] * (expected * several) + rates[2]
            )
            latency = state.wait_s
            if latency is not None:
                latency += tokens_in * state.s_per_input + expected * (state.s_per_token or 0.0)
            held, queue = state.held, state.queue_s
            if held and weighs and state.waits:  # a known wait is weighed
                held, queue = "", self.standing(id, request.routing.priority, now, queue)
            pressure = state.pressure_s(now) if balancing else 0.0
            rows.append(EligibleModel(
                card, quality, cost, latency, queue, state.in_flight, held, stays, pressure, 0, before, error, several,
                bonus,
            ))  # fmt: skip
        return rows

    def _believed(self, task: str, request: Request) -> Mapping[str, Belief]:
        """The believed quality by model, with implicit signs applied."""
        believed = self.prior.on(task)
        moved = self._shifts(request)
        return _moved(believed, moved) if moved else believed

    def _shifts(self, request: Request) -> Mapping[str, float]:
        """By model, what implicit signs move."""
        if self.signs is None or not self.reads_signs:
            return _NOT_MOVED
        return self.signs.shifts(request.routing.tenant)

    def _judged(
        self, learned: LearnedModel, request: Request, cards: Sequence[ModelCard], believed: Mapping[str, Belief],
        hardness: float,
    ) -> dict[str, QualityEstimate]:  # fmt: skip
        """What was learned of each model, starting from its card and the built-in heuristic."""
        before = [(card.id, believed[card.id].of(hardness)) for card in cards]
        worth = [CARD_WEIGHT if card.quality else PRICE_WEIGHT for card in cards]
        found = learned.judge(request, before, worth)
        return {card.id: judged for card, judged in zip(cards, found, strict=True)}

    def _decision(
        self,
        scene: PolicyContext,
        eligible: Eligible,
        stay: StickyModel,
        ask: EligibilityQuery,
        sizing: PromptSizing | None,
    ) -> Decision:
        judged = self.policy.judge(scene) if scene.rows else PolicyScores([])
        request, found, learned = scene.request, scene.features, ask.learned
        without = _without(scene) if request.provider_tools else {}
        rows, order = scene.rows, _ordered(scene, judged.scores, stay, without, eligible.tight)
        if self.balance.any and not self.policy.ordered:
            self.balance.arrange(order, rows)
        guarded = ""
        if self.guard is not None and (fixed := self._fixed(self.guard, request, stay)):
            guarded = self._guarded(fixed, self.guard, order, rows, judged, {*without, *eligible.tight})
        drawn = PICKED
        if self.explorer is not None and not (without or eligible.tight):
            drawn = self._explored(self.explorer, order, rows, judged, request, stay, ask.now)
        elif judged.chances and not (guarded or without or eligible.tight or stay.binding):
            drawn = _drawn(judged.chances, rows[order[0]].card.id)
        reason = drawn.reason or guarded or self._reason(scene, order, stay)
        if without or stay.cached_tokens:
            eligible = eligible._replace(notes=(*eligible.notes, *_remarks(without, stay, scene)))
        plan = Plan(
            request.id, self.policy.name,
            Ranking(order, rows, judged, found.input_tokens, sizing, learned),
            tuple(eligible.refusals), reason, found.input_tokens, found.output_tokens, found.task,
            _named(request.needs), eligible.notes, judged.settings, drawn.propensity,
            "" if request.media or request.model else found.bucket,
            screen=tuple(request.screened.found) if request.screened is not None else (),
            hardness=found.hardness, chances=drawn.chances, second=judged.second,
        )  # fmt: skip
        return Decision(plan, scene, drawn)

    @staticmethod
    def _explored(
        explorer: Explorer,
        order: list[int],
        rows: Sequence[EligibleModel],
        judged: PolicyScores,
        request: Request,
        stay: StickyModel,
        now: float,
    ) -> ExplorationChoice:
        """Puts a model first that is to be explored; not within a conversation, nor if another model was requested."""
        if not order or stay.model or request.model:
            return PICKED
        explored = explorer.choose(request.id, [(judged.scores[at], rows[at]) for at in order], now)
        order.insert(0, order.pop(explored.at))
        return explored

    def _fixed(self, guard: BaselineGuard, request: Request, stay: StickyModel) -> str | None:
        """The best fixed model, while learned picks are worse than it for the request's tenant."""
        if guard.fixed is None or stay.binding or request.model or request.routing.quality_target is not None:
            return None
        tenant = request.routing.tenant
        return guard.fixed_for(hashed(tenant), scored=self.learned is None or self.learned.has_scored(tenant))

    @staticmethod
    def _guarded(
        fixed: str,
        guard: BaselineGuard,
        order: list[int],
        rows: Sequence[EligibleModel],
        judged: PolicyScores,
        doubtful: set[str],
    ) -> str:
        """Puts the best fixed model first while learned picks are worse than it; returns the reason, "" = no change."""
        if fixed in doubtful:
            return ""
        place = next((n for n, at in enumerate(order) if rows[at].card.id == fixed and not rows[at].held), 0)
        if place == 0 or BELOW in dict(judged.terms(order[place])):
            return ""
        order.insert(0, order.pop(place))
        return f"{guard.told.told(fixed)} ({guard.told.requests} scores)"

    def _reason(self, scene: PolicyContext, order: Sequence[int], stay: StickyModel) -> str:
        if not order:
            return "no eligible model"
        best = scene.rows[order[0]]
        wait = f", worth a wait of about {best.queue_s:.2g} s" if best.queue_s and not best.held else ""
        if not best.stays:
            return self.policy.reason(scene, best) + wait
        stays = "stays on the conversation's model"
        return stays + wait if stay.binding else f"{stays}: {self.policy.reason(scene, best)}{wait}"


def _drawn(chances: Mapping[str, float], first: str) -> ExplorationChoice:
    """A choice that the policy itself left to chance: the chosen model's chance, then the others'."""
    if first not in chances:
        return PICKED
    others = [(id, chance) for id, chance in chances.items() if id != first]
    return ExplorationChoice(0, chances[first], chances=((first, chances[first]), *others))


def _moved(believed: Mapping[str, Belief], by: Mapping[str, float]) -> Mapping[str, Belief]:
    """The believed qualities, moved by this many quality points."""
    return {
        id: Belief(belief.level + by.get(id, 0.0), belief.slope_easy, belief.slope_hard)
        for id, belief in believed.items()
    }


def _cost(card: ModelCard, service: str, tokens_in: int, tokens_out: int, cached: int) -> int | None:
    """Picodollars of such a call in its service tier; None = unknown."""
    price, tier = card.price, service or card.service_tier
    if price is not None and tier:
        price = price.asked(tier)
    return None if price is None else price.estimate(tokens_in, tokens_out, cached)


def _remarked(by: Mapping[str, float], rows: Sequence[EligibleModel]) -> str:
    """The models that implicit signs move by a hundredth or more; "" = none."""
    if not by:
        return ""
    told = [f"{row.card.id} {by[row.card.id]:+.2f}" for row in rows if abs(by.get(row.card.id, 0.0)) >= _TOLD]
    return f"believed quality, moved by implicit signs: {', '.join(told)}" if told else ""


def _ordered(
    scene: PolicyContext,
    scores: Sequence[float],
    stay: StickyModel,
    without: Mapping[str, tuple[str, ...]],
    tight: Mapping[str, str],
) -> list[int]:
    """The indices of the scene's rows in the order in which they are tried.

    Usable before held; then the model that binds the conversation; then those that surely hold the request; then those
    that have all tools; then by score and load. Among equal scores an unknown price comes last; ties keep the
    registry's order.
    """
    rows, bound = scene.rows, stay.model if stay.binding else ""
    places = range(len(rows))
    if bound or without or tight:
        ranks: list[tuple[object, ...]] = [
            (
                row.held != "", row.card.id != bound, row.card.id in tight, row.card.id in without, -score,
                row.cost_pico is None, row.load,
            )
            for score, row in zip(scores, rows, strict=True)
        ]  # fmt: skip
        return sorted(places, key=ranks.__getitem__)
    if len(set(scores)) == len(rows):  # the usual case: then only numbers are compared
        order = sorted(places, key=scores.__getitem__, reverse=True)
    else:
        keys = [(-score, row.cost_pico is None, row.load) for score, row in zip(scores, rows, strict=True)]
        order = sorted(places, key=keys.__getitem__)
    if any(map(_HELD, rows)):
        order.sort(key=[row.held != "" for row in rows].__getitem__)
    return order


def _without(scene: PolicyContext) -> dict[str, tuple[str, ...]]:
    """The models whose provider lacks some of the request's tools, and which; they are called without these tools."""
    found = ((row.card.id, lacking(row.card.provider, scene.request.provider_tools)) for row in scene.rows)
    return {id: names for id, names in found if names}


def _remarks(without: Mapping[str, tuple[str, ...]], stay: StickyModel, scene: PolicyContext) -> list[str]:
    told = [f"{id}: goes without {', '.join(names)}, which its provider does not have" for id, names in without.items()]
    if stay.cached_tokens and any(row.stays for row in scene.rows):
        told.append(f"{stay.model}: about {stay.cached_tokens:,} input tokens are likely in its provider's cache")
    return told


@lru_cache(maxsize=1024)  # each `&` of flags makes one: three calls a capability, of a request that streams thirty
def _named(needs: Need) -> tuple[str, ...]:
    return tuple(name for name, need in CAPABILITIES.items() if need & needs)
