"""From what is asked for (a policy's name or a router.yaml) to who decides, without a sink, a store or a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from capability_router.clock import ManualClock
from capability_router.config import SILENT, Settings, load
from capability_router.errors import ConfigError
from capability_router.nearest import nearest
from capability_router.policies.policy_factory import POLICIES, choose_policy
from capability_router.replay.deciders.choice import Decider
from capability_router.replay.deciders.configured_decider import ConfiguredDecider
from capability_router.replay.deciders.learned_model import QualityPredictor, ReplayLearnedModel
from capability_router.replay.deciders.logged_decider import LoggedDecider
from capability_router.replay.deciders.token_lessons import TokenLessons
from capability_router.replay.log.latencies import Latencies
from capability_router.router import Router

Predict = Literal["log", "config"]
_OFFLINE: Mapping[str, Any] = {"telemetry": SILENT, "store": "memory://", "ledger": {"store": None}}


class ReplaySetup(NamedTuple):
    """What the log is replayed under. `state`: the learned state to ask, if any; `told`: what is to be known of it."""

    settings: Settings | None
    policy: str
    state: QualityPredictor | None = None
    predict: Predict = "log"
    told: tuple[str, ...] = ()

    def decider(self, lessons: TokenLessons, latencies: Latencies) -> Decider:
        """Raises ConfigError for models or a policy that can't be made."""
        if self.settings is None:
            block = Settings.from_keywords(policy=self.policy).policy
            return LoggedDecider(choose_policy(block, lambda name: (name,)))
        alone = replace(self.settings, canary=None, shadow=None, budgets=(), evaluator=None, screen=None)
        router = Router(alone.models, settings=alone, clock=ManualClock())
        own = self.predict == "config"
        foresight = None if own and self.state is None else ReplayLearnedModel(self.state if own else None)
        return ConfiguredDecider(router, lessons, latencies, foresight)


def opened(policy: str, config: Path | None, predict: Predict | None) -> ReplaySetup:
    """`policy`: a router.yaml, or a policy's name for the models of `config` or the log's. Raises ConfigError."""
    if policy not in POLICIES:
        if config is not None:
            raise ConfigError(
                f"--config goes with the name of a policy, and {policy!r} is none{nearest(policy, POLICIES)}"
            )
        return _configured(Path(policy), {}, predict)
    if config is not None:
        return _configured(config, {"policy": {"name": policy}}, predict)
    if predict == "config":
        raise ConfigError("--predict config needs a configuration: --policy FILE, or --config FILE beside the name")
    return ReplaySetup(None, policy)


def _configured(path: Path, over: dict[str, Any], predict: Predict | None) -> ReplaySetup:
    if not path.exists():
        raise ConfigError(f"{str(path)!r} is neither a file nor a policy{nearest(str(path), POLICIES)}")
    written = load(path, **{**_OFFLINE, **over})
    block = written.policy
    wanted = block.state if block.name == "adaptive" and predict != "log" else None
    settings = load(path, **{**_OFFLINE, **over, "policy": {**over.get("policy", {}), "state": None}})
    state = _state(wanted)
    asked = predict or ("config" if state is not None else "log")
    return ReplaySetup(settings, block.name, state, asked, tuple(_told(settings, wanted, state)))


def _state(path: str | None) -> QualityPredictor | None:
    """The learned state in a file; None = there is none. ConfigError where it can't be read, or numpy is missing."""
    if path is None:
        return None
    if path == "store":
        raise ConfigError(
            "policy.state: store: a replay reads no store. Name a file that `capability-router train` wrote, or replay "
            "with --predict log"
        )
    if not Path(path).exists():
        return None
    try:
        from capability_router.replay.deciders.state_predictor import StatePredictor  # here, because it loads numpy
    except ModuleNotFoundError as error:
        raise ConfigError("policy.state needs numpy: install capability-router[learn]") from error
    return StatePredictor(Path(path))


def _told(settings: Settings, wanted: str | None, state: QualityPredictor | None) -> list[str]:
    found = []
    if wanted is not None and state is None:
        found.append(f"The learned state {wanted} is not there yet: the log's predictions are used.")
    embedder = getattr(state, "embedder", "")
    if embedder:
        found.append(
            f"The learned state goes by the embedder {embedder}, and a log holds no embeddings: it was asked by "
            "hashed words."
        )
    if state is not None:
        found.append("If the learned state was trained on this very log, scores and predictions flatter it.")
    aside: list[tuple[str, Callable[[Settings], object]]] = [
        ("canary", lambda s: s.canary), ("shadow", lambda s: s.shadow), ("budgets", lambda s: s.budgets),
        ("policy.exploration", lambda s: s.policy.exploration),
    ]  # fmt: skip
    left = [name for name, of in aside if of(settings)]
    return [*found, f"Not replayed: {', '.join(left)}; the policy's own picks are shown."] if left else found
