"""All keys of router.yaml, which are also the keywords of a Router."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import PlainValidator, field_validator, model_validator

from capability_router.settings.block import Block, Flag, Seconds, Text, Texts
from capability_router.settings.learning import Embedding, Evaluate
from capability_router.settings.money import PACED, Cap, LedgerBlock, StoreBlock, Tokens
from capability_router.settings.policies import CanaryBlock, PolicyBlock, ShadowBlock
from capability_router.settings.resilience import HealthBlock, Hedge, Retry, TimeoutsBlock
from capability_router.settings.screen import ScreenBlock, expanded_screen
from capability_router.settings.telemetry import Telemetry
from capability_router.settings.units import choice, shown


class RouterYaml(Block):
    """A complete router.yaml."""

    name: Text = "router"
    models: tuple[Any, ...] = ()
    policy: PolicyBlock = PolicyBlock()
    health: HealthBlock = HealthBlock()
    retry: Retry = Retry()
    timeouts: TimeoutsBlock = TimeoutsBlock()
    deadline_s: Seconds | None = None
    hedge: Hedge = Hedge(on=False)
    budgets: tuple[Cap, ...] = ()
    on_content_filter: Annotated[Literal["return", "fallback"], PlainValidator(choice("return", "fallback"))] = "return"
    unknown: Annotated[
        Literal["prefer_known", "allow", "refuse"], PlainValidator(choice("prefer_known", "allow", "refuse"))
    ] = "prefer_known"
    resume: Flag = False
    on_partial: Annotated[Literal["fallback", "raise"], PlainValidator(choice("fallback", "raise"))] = "fallback"
    store: StoreBlock = StoreBlock()
    ledger: LedgerBlock = LedgerBlock()
    telemetry: Telemetry = Telemetry()
    annotate: Flag = True
    tokens: Tokens = Tokens()
    embedding: Embedding = Embedding()
    tenants: Mapping[str, Texts] = {}
    shadow: ShadowBlock | None = None
    canary: CanaryBlock | None = None
    evaluator: Any = None
    evaluate: Evaluate = Evaluate()
    screen: ScreenBlock | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, values: Any) -> Any:
        """`policy: cheapest`, `shadow: NAME`, `hedge: true`, `store: URL`, `token_counter=f`, `embedder=` are short.

        So are `screen: true` and `screen: [LABEL]`.
        """
        if not isinstance(values, Mapping):
            return values
        hedge, store = values.get("hedge"), values.get("store")
        named = ((name, values.get(name)) for name in ("policy", "shadow"))
        short: dict[str, Any] = {name: {"name": value} for name, value in named if isinstance(value, str)}
        short |= {"store": {"url": store}} if isinstance(store, str) else {}
        counter = values.get("token_counter")
        if counter is not None:
            values = {name: value for name, value in values.items() if name != "token_counter"}
            short["tokens"] = {"counter": counter}
        embedder = values.get("embedder")
        if embedder is not None:
            block = values.get("embedding")
            values = {name: value for name, value in values.items() if name != "embedder"}
            short["embedding"] = {**(block if isinstance(block, Mapping) else {}), "embedder": embedder}
        if (screen := values.get("screen")) is not None:
            short["screen"] = expanded_screen(screen)
        return {**values, **short, **({"hedge": {"on": hedge}} if isinstance(hedge, bool) else {})}

    @field_validator("models", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if isinstance(value, (str, Mapping)):
            raise ValueError(f"must be a list of models, got {shown(value)}")
        return tuple(value) if isinstance(value, Iterable) else value

    @model_validator(mode="after")
    def _paced(self) -> RouterYaml:
        """A pace needs a cap that ends."""
        ends = any(cap.scope == "global" and cap.window in PACED for cap in self.budgets)
        for place, block in (("policy", self.policy), ("shadow", self.shadow), ("canary", self.canary)):
            if block is not None and block.budget_pacing and block.name == "adaptive" and not ends:
                raise ValueError(
                    f"{place}.budget_pacing needs a global cap whose window ends, such as "
                    "budgets: [{scope: global, limit_usd: 10, window: day}]"
                )
        return self
