"""How the rooms of a router are joined, and what is loaded for those alone who ask for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

from capability_router.catalog.aliases import canonical
from capability_router.catalog.registry import Registry
from capability_router.clock import Clock
from capability_router.eligibility import CardIndex
from capability_router.errors import ConfigError
from capability_router.health.board import HealthBoard
from capability_router.learning.implicit_signs import ImplicitSigns
from capability_router.learning.outcomes import Outcomes
from capability_router.learning.output_lengths import OutputLengths
from capability_router.learning.prior import Prior, StatedQuality
from capability_router.learning.repeat_detector import RepeatDetector
from capability_router.policies.affinity import Affinity
from capability_router.policies.averages.budget_pacer import BudgetPacer
from capability_router.policies.balance import LoadBalancer
from capability_router.policies.base import LearnedModel
from capability_router.policies.lessons import OutcomeLessons
from capability_router.policies.planner import Planner, Standing
from capability_router.policies.policy_factory import choose_policy
from capability_router.request import Request
from capability_router.stores.base import Store
from capability_router.telemetry.recorder import Recorder
from capability_router.telemetry.sinks import Sinks
from capability_router.token_counter import counter_of

if TYPE_CHECKING:
    from capability_router.config import Settings
    from capability_router.evaluation.evaluation import Evaluation
    from capability_router.health.reporter import HealthReporter
    from capability_router.learning.embedding_cache import EmbeddingCache
    from capability_router.screen import Screen

_TYPICAL = (1_000, 300)  # tokens in and out of the call by which unstated strengths are compared


def planner_of(
    registry: Registry,
    s: Settings,
    board: HealthBoard,
    known: LearnedModel | None,
    pace: BudgetPacer | None,
    standing: Standing,
) -> Planner:
    """With nothing learned yet but what `known` knows."""
    if known is not None:
        known.registered(list(registry.entries))
    return Planner(
        registry, CardIndex(registry.cards), choose_policy(s.policy, registry.named, pace), Prior(_stated(registry)),
        OutputLengths(), board, LoadBalancer(registry.cards), s.unknown, s.tenants, count=counter_of(s.counter),
        learned=known, signs=_signs(s, known), reads_signs=s.policy.reads_signs, standing=standing,
    )  # fmt: skip


def lessons_of(known: Planner, registry: Registry) -> OutcomeLessons:
    """What is taught is what the planner knows by."""
    lessons = OutcomeLessons(
        known.lengths, known.sizes, known.windows, known.prior, Affinity(registry.entries), Outcomes(),
        known.learned, known.guard, known.signs, None if known.signs is None else RepeatDetector(),
    )  # fmt: skip
    if known.learned is not None:
        known.learned.hears(lessons.heard)
    return lessons


def reporter_of(
    s: Settings, store: Store, registry: Registry, health: Callable[[], list[dict[str, Any]]], clock: Clock
) -> HealthReporter | None:  # fmt: skip
    """The health reporter; None if the store is this process's own. It keeps no reference to the router of `health`."""
    room = store.reports
    if room is None or not s.reports:
        return None
    from capability_router.health.reporter import HealthReporter  # here, because few need its thread

    told = WeakMethod(health)
    payees = {
        entry.card.id: {"provider": canonical(entry.card.provider), "credential": entry.address.credential}
        for entry in registry
    }

    def rows() -> list[dict[str, Any]]:
        asked = told()
        return [{**row, **payees[row["model"]]} for row in asked()] if asked else []

    return HealthReporter(room, s.name, rows, clock.unix)


def _signs(s: Settings, known: LearnedModel | None) -> ImplicitSigns | None:
    """The implicit signs, begun with those of the training logs; None if no policy reads any."""
    read = any(block is not None and block.reads_signs for block in (s.policy, s.shadow, s.canary))
    return ImplicitSigns(None if known is None else known.signs) if read else None


def meanings_of(s: Settings, clock: Clock) -> EmbeddingCache | None:
    """What embeds requests for the learned model; None where nothing is set."""
    if s.embedding.embedder is None or s.policy.state is None:
        return None
    try:
        from capability_router.learning.embedding_cache import meanings_of as made  # here, because it loads numpy
    except ModuleNotFoundError as error:
        raise ConfigError("embedder needs numpy: install capability-router[learn]") from error
    return made(s.embedding, clock)


def learner_of(s: Settings, store: Store, meanings: EmbeddingCache | None, state: str | None) -> LearnedModel | None:
    """What was learned: in a file, or in a store that lasts. ConfigError where numpy is not installed."""
    if state is None:
        return None
    try:
        from capability_router.learning.shared_learner import learner_of as made  # here, because it loads numpy
    except ModuleNotFoundError as error:
        raise ConfigError("policy.state needs numpy: install capability-router[learn]") from error
    return made(state, s.store, store.lessons, s.name, meanings)


def evaluation_of(s: Settings, clock: Clock) -> Evaluation | None:
    """None without an evaluator; ConfigError for what is none."""
    if s.evaluator is None:
        return None
    from capability_router.evaluation.evaluation import Evaluation  # here, because few need it
    from capability_router.evaluation.evaluator import evaluator_of

    return Evaluation(evaluator_of(s.evaluator), s.evaluate, s.policy.seed, clock)


def screen_of(s: Settings, registry: Registry) -> Screen | None:
    """None where nothing looks at requests; ConfigError where a package is missing for what is to be found."""
    told = s.screen
    if told is None:
        return None
    from capability_router.screen import Screen, builtin  # here, because few need it
    from capability_router.screening.detector import Detector

    rules = told.rules()
    own = [builtin(Detector(rules.sought(), told.phone_region))] if told.builtin else []
    return Screen([*own, *told.hooks()], rules, registry.matches)


def recorder_of(
    sinks: Sinks, registry: Registry, s: Settings, clock: Clock, meanings: EmbeddingCache | None
) -> Recorder:
    """Of everything that is decided; ConfigError where hashed words are wanted without numpy."""
    return Recorder(
        sinks, s.name, clock.unix, cards=registry.cards, policy=(s.policy.model_dump(), s.rules), seed=s.policy.seed,
        content=s.telemetry.capture_content, traits=_hasher() if s.telemetry.hashed_words else None,
        embedding=None if meanings is None else meanings.took, canary_share=s.canary.share if s.canary else None,
    )  # fmt: skip


def _hasher() -> Callable[[Request], dict[str, Any]]:
    """What is seen of a request, for its decision record; ConfigError where numpy is not installed."""
    try:
        from capability_router.learning.logs.sketch_json import hashed  # here, because it loads numpy
    except ModuleNotFoundError as error:
        raise ConfigError("telemetry.hashed_words needs numpy: install capability-router[learn]") from error
    return hashed


def _stated(registry: Registry) -> list[StatedQuality]:
    return [StatedQuality(c.id, c.quality, c.price.estimate(*_TYPICAL) if c.price else None) for c in registry.cards]
