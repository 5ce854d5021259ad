"""The words of router.yaml and of the keywords: every block, every key, its default and what it may hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, PlainValidator, field_validator, model_validator

from capability_router.catalog.aliases import canonical
from capability_router.execution.effects import Timeouts
from capability_router.health.breaker import BreakerConfig
from capability_router.money.budget.cap import BudgetSpec, OnExceed
from capability_router.money.budget.window import WINDOWS
from capability_router.nearest import nearest
from capability_router.policies.adaptive import COST_WEIGHT, LATENCY_WEIGHT
from capability_router.policies.rules import CONDITIONS, RuleSpec
from capability_router.policies.shadow import SHADOW_TAG
from capability_router.policies.tier import Step, step
from capability_router.policies.weighted import DEFAULT_WEIGHTS
from capability_router.request import Need
from capability_router.routing import EVALUATION_TAG
from capability_router.settings.problems import unknown
from capability_router.settings.units import choice, flag, number, seconds, shown, text, texts, whole
from capability_router.settings.wait import Wait, backoff
from capability_router.stores.opening import SCHEMES

PACED = tuple(window for window in WINDOWS if window != "total")
"""The windows of caps that can be made to last."""
POLICIES = ("single", "rules", "cheapest", "fastest", "weighted", "adaptive")
USES = {
    "quality_target": ("adaptive",), "min_quality": ("adaptive",), "cost_weight": ("adaptive",),
    "latency_weight": ("adaptive",), "cost_target_usd": ("adaptive",), "latency_target_s": ("adaptive",),
    "budget_pacing": ("adaptive",), "exploration": ("adaptive",),
    "exploration_usd_per_day": ("adaptive",), "state": ("adaptive",), "weights": ("weighted",),
    "implicit": ("adaptive", "weighted"),
    "rules": ("rules",),
}  # fmt: skip
"""Policy setting -> the policies that read it."""

Seconds = Annotated[float, PlainValidator(seconds)]
Share = Annotated[float, PlainValidator(number(0, 1))]
Above = Annotated[float, PlainValidator(number(0, above=True))]
Weight = Annotated[float, PlainValidator(number(0))]
Count = Annotated[int, PlainValidator(whole(1))]
Flag = Annotated[bool, PlainValidator(flag)]
Text = Annotated[str, PlainValidator(text)]
Texts = Annotated[tuple[str, ...], PlainValidator(texts)]
_COUNTER = choice("estimate", "tiktoken", "model")


def _embedder(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError(f"must be an object or a function, given in code (a file names no code), got {shown(value)}")
    return value


def _counter(value: Any) -> Any:
    return value if callable(value) else _COUNTER(value)


class Block(BaseModel):
    """A frozen block of settings. A key without a value counts as not written."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _written(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        return {str(name): value for name, value in values.items() if value is not None}


def _steps(value: Any) -> tuple[Step, ...]:
    listed = value if isinstance(value, (list, tuple)) else (value,)
    return tuple(step(each) for each in listed)


class Rule(Block):
    """`{when: {task: code}, then: [model, ...]}`; no `when` means always.

    A step of `then` may be several models of one rank: `{share: {model: 9, other: 1}}`, `{fastest: [model, ...]}`,
    `cheapest`, `least_busy`.
    """

    when: Mapping[str, Any] = {}
    then: Annotated[tuple[Step, ...], PlainValidator(_steps)]

    @field_validator("when")
    @classmethod
    def _conditions(cls, when: Mapping[str, Any]) -> Mapping[str, Any]:
        return {name: _condition(name, value) for name, value in when.items()}


def _condition(name: str, value: Any) -> Any:
    if name not in CONDITIONS:
        raise ValueError(f"has an unknown condition {unknown(name, CONDITIONS)}")
    try:
        if name in ("min_input_tokens", "max_input_tokens"):
            return whole(0)(value)
        found = flag(value) if name == "stream" else texts(value)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None
    odd = [need for need in texts(value) if need.upper() not in Need.__members__] if name == "needs" else []
    if odd:
        raise ValueError(f"has an unknown need {unknown(odd[0], [n.lower() for n in Need.__members__])}")
    return found


class Policy(Block):
    """How models are ranked. Weights are 0 or more; `cost_weight` and `latency_weight` belong to adaptive.

    `cost_target_usd`, `latency_target_s`: averages per request that adaptive keeps. `budget_pacing`: the global caps of
    `budgets` are to last their windows.

    `exploration`: of requests, the share that may try a model which may be better than the pick (with `state` alone),
    `exploration_usd_per_day`: for so much above the picks' cost. `implicit`: whether refusals, answers that don't
    parse, broken tool calls and requests asked again count against a model. `state`: the file of what adaptive has
    learned; without it, cards and levels.
    """

    name: Annotated[str, PlainValidator(choice(*POLICIES))] = "adaptive"
    quality_target: Share | None = None
    min_quality: Share | None = None
    cost_weight: Weight = COST_WEIGHT
    latency_weight: Weight = LATENCY_WEIGHT
    cost_target_usd: Above | None = None
    latency_target_s: Seconds | None = None
    budget_pacing: Flag = False
    weights: Mapping[str, Weight] = DEFAULT_WEIGHTS
    rules: tuple[Rule, ...] = ()
    exploration: Share = 0.0
    exploration_usd_per_day: Weight = 1.0
    implicit: Flag = True
    state: Text | None = None
    seed: Annotated[int, PlainValidator(whole(0))] | None = None

    @field_validator("state", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        return str(value) if hasattr(value, "__fspath__") else value

    @field_validator("weights")
    @classmethod
    def _known(cls, weights: Mapping[str, float]) -> Mapping[str, float]:
        for name in weights:
            if name not in DEFAULT_WEIGHTS:
                raise ValueError(f"has an unknown weight {unknown(name, DEFAULT_WEIGHTS)}")
        return weights

    @model_validator(mode="after")
    def _ruled(self) -> Policy:
        if self.name == "rules" and not self.rules:
            raise ValueError("needs rules: [{when: {task: code}, then: [model id, ...]}, ...] for policy 'rules'")
        return self

    @model_validator(mode="after")
    def _one_price(self) -> Policy:
        """One thing sets the price of quality."""
        others = [n for n in ("cost_target_usd", "budget_pacing") if self.name == "adaptive" and getattr(self, n)]
        if self.quality_target is not None and others:
            raise ValueError(
                f"has quality_target and {others[0]}, which both set the price of quality; keep one "
                "(min_quality is a floor, and goes with either)"
            )
        return self

    def specs(self) -> tuple[RuleSpec, ...]:
        """The rules as the policy reads them."""
        return tuple(RuleSpec(dict(rule.when), rule.then) for rule in self.rules)

    def unread(self) -> list[str]:
        """Settings that are written, but not for this policy."""
        return [name for name in USES if name in self.model_fields_set and self.name not in USES[name]]


class Canary(Policy):
    """A second policy that decides `share` of the sessions, 0 to 1; without a session, of the requests."""

    share: Share

    @model_validator(mode="after")
    def _named(self) -> Canary:
        if "name" not in self.model_fields_set:
            raise ValueError("needs the name of its policy, such as {name: cheapest, share: 0.1}")
        return self


class Shadow(Policy):
    """A second policy that decides alongside. `execute`: the share of requests whose shadow is called as well,

    for at most `budget_usd` per `window`.
    """

    execute: Share = 0.0
    budget_usd: Annotated[float, PlainValidator(number(0))] | None = None
    window: Text = "day"

    @model_validator(mode="after")
    def _named(self) -> Shadow:
        if "name" not in self.model_fields_set:
            raise ValueError("needs the name of its policy, such as {name: cheapest}")
        if self.execute and self.budget_usd is None:
            raise ValueError("needs budget_usd, the most that executed calls may cost per window, for execute")
        self.caps()
        return self

    def caps(self) -> tuple[BudgetSpec, ...]:
        """The cap on the calls that it makes; raises ConfigError for what is no window."""
        if self.budget_usd is None:
            return ()
        return (BudgetSpec(scope=f"tag:{SHADOW_TAG}", limit_usd=self.budget_usd, window=self.window),)


_BOARDS = ("learns_limits", "probe", "reports")  # of the health block, what the breaker doesn't read


class Health(Block):
    """When a model's breaker opens and for how long; whether the calls that it bears at once are learned.

    `disabled_s`, `max_disabled_s`: how long a refused credential or model is left alone before one call tries it.
    `probe`: whether a request of one token finds out if it may close (models with an `endpoint` only). `reports`:
    whether a store that lasts is told every two seconds how models fare, for `capability-router status`.
    """

    consecutive: Count = 5
    failure_rate: Annotated[float, PlainValidator(number(0, 1, above=True))] = 0.5
    min_calls: Count = 10
    window_s: Seconds = 30.0
    slow_rate: Annotated[float, PlainValidator(number(0, 1, above=True))] = 0.8
    slow_after_s: Seconds | None = None
    open_s: Seconds = 5.0
    max_open_s: Seconds = 300.0
    half_open_permits: Count = 2
    disabled_s: Seconds = 60.0
    max_disabled_s: Seconds = 3600.0
    learns_limits: Flag = True
    probe: Flag = False
    reports: Flag = True

    @model_validator(mode="after")
    def _ordered(self) -> Health:
        for least, most in (("open_s", "max_open_s"), ("disabled_s", "max_disabled_s")):
            low, high = getattr(self, least), getattr(self, most)
            if high < low:
                raise ValueError(f"has {most} {high:g} below {least} {low:g}; raise {most}")
        return self

    def config(self) -> BreakerConfig:
        """As the breaker reads it."""
        return BreakerConfig(**{name: value for name, value in dict(self).items() if name not in _BOARDS})


class Retry(Block):
    """`attempts` launches in all; `per_target` repetitions on one target; waits in seconds.

    At most `max_waiting` requests wait for a free model at once. Repetitions may be `budget_ratio` of the
    requests, beyond a start of `budget_floor`.
    """

    attempts: Annotated[int, PlainValidator(whole(1, 20))] = 4
    per_target: Annotated[int, PlainValidator(whole(0, 10))] = 1
    budget_ratio: Share = 0.2
    budget_floor: Annotated[int, PlainValidator(whole(0))] = 3
    wait: Annotated[Wait, PlainValidator(backoff)] = backoff({"random_exponential": {"multiplier": 0.5, "max": 8}})
    max_wait_s: Annotated[float, PlainValidator(number(0))] = 30.0
    max_waiting: Annotated[int, PlainValidator(whole(0))] = 1_000


class Clocks(Block):
    """The four clocks of one attempt, in seconds; absent = not limited."""

    connect: Seconds | None = None
    first_token: Seconds | None = None
    between_tokens: Seconds | None = None
    total: Seconds | None = None

    def config(self) -> Timeouts:
        """As the machine reads them."""
        return Timeouts(**dict(self))


class Hedge(Block):
    """A second attempt elsewhere. `after_s` absent = after that model's own p95; `extra` = share of more calls.

    A block that is written is on, unless it says `on: false`.
    """

    on: Flag = True
    after_s: Seconds | None = None
    extra: Share = 0.05


class Otel(Block):
    """OpenTelemetry's spans and metrics. `attempts`: who makes the spans of attempts, see docs/tracing.md.

    A block that is written is on, unless it says `on: false`.
    """

    on: Flag = True
    attempts: Annotated[Literal["auto", "always", "never"], PlainValidator(choice("auto", "always", "never"))] = "auto"


class Evaluate(Block):
    """Of the answers that an `evaluator` scores: their `share`, how many `at_once` and `waiting`, seconds for each.

    `budget_usd` per `window`: the most that it may spend through the router. `scale`: its own lowest and highest score.
    """

    share: Share = 0.1
    budget_usd: Annotated[float, PlainValidator(number(0))] = 1.0
    window: Text = "day"
    at_once: Count = 4
    waiting: Annotated[int, PlainValidator(whole(0))] = 100
    deadline_s: Seconds = 60.0
    scale: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _sound(self) -> Evaluate:
        if self.scale is not None and not self.scale[0] < self.scale[1]:
            raise ValueError("needs scale: [LOW, HIGH], the lower first")
        self.cap()
        return self

    def cap(self) -> BudgetSpec:
        """The cap on what it asks this router for; raises ConfigError for what is no window."""
        return BudgetSpec(scope=f"tag:{EVALUATION_TAG}", limit_usd=self.budget_usd, window=self.window)


class Embedding(Block):
    """What turns texts into vectors for adaptive's learned model; a decision waits `within_ms` for it at most.

    `cached`: texts whose vectors are kept, by digest. `usd_per_mtok`: what it costs, for the decision records.
    """

    embedder: Annotated[Any, PlainValidator(_embedder)] = None
    within_ms: Annotated[float, PlainValidator(number(0, 60_000, above=True))] = 100.0
    cached: Count = 2_000
    usd_per_mtok: Weight | None = None


class Telemetry(Block):
    """Where decision records go, and what is in them.

    `jsonl`: a file, which makes room for a new one at `rotate_mb` million bytes; `keep` older ones stay.
    `capture_content`: they have the messages' and the answer's text, else none. `hashed_words`: they have the request's
    words as hashes, for `capability-router train`.
    """

    jsonl: Text | None = None
    rotate_mb: Annotated[float, PlainValidator(number(0, above=True))] | None = None
    keep: Annotated[int, PlainValidator(whole(0, 10_000))] = 5
    log: Flag = False
    capture_content: Flag = False
    hashed_words: Flag = False
    otel: Otel = Otel(on=False)

    @field_validator("otel", mode="before")
    @classmethod
    def _switched(cls, value: Any) -> Any:
        return {"on": value} if isinstance(value, bool) else value

    @field_validator("jsonl", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        return str(value) if hasattr(value, "__fspath__") else value


class Cap(Block):
    """One spending cap."""

    scope: Text
    limit_usd: Annotated[float, PlainValidator(number(0))]
    window: Text = "total"
    on_exceed: Annotated[OnExceed, PlainValidator(choice("refuse", "degrade", "warn"))] = "refuse"

    @model_validator(mode="after")
    def _sound(self) -> Cap:
        self.config()
        return self

    def config(self) -> BudgetSpec:
        """As the budgets read it, a provider under its one name; raises ConfigError for what is no scope or window."""
        spec = BudgetSpec(**dict(self))
        kind, _, name = spec.scope.partition(":")
        return replace(spec, scope=f"{kind}:{canonical(name)}") if kind == "provider" else spec


class Tokens(Block):
    """What counts tokens before a call: "estimate", "tiktoken" (if it is on disk), "model", or a function."""

    counter: Annotated[Any, PlainValidator(_counter)] = "estimate"


class LedgerBlock(Block):
    """Where and how long the ledger keeps single calls; the totals are kept for ever.

    `store`: its own, absent = the router's. `keep_calls` absent = 10,000 in memory, any number in a file.
    """

    store: Text | None = None
    keep_days: Annotated[float, PlainValidator(number(0, 36_500, above=True))] = 90.0
    keep_calls: Annotated[int, PlainValidator(whole(0))] | None = None

    @field_validator("store")
    @classmethod
    def _stored(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("memory://", "sqlite://")):
            raise ValueError("must be memory:// or a URL such as sqlite:///ledger.db")
        return value


class Store(Block):
    """Where money and what is learned are kept. A URL alone stands for the block.

    `lease_s`: how long a process that has gone keeps what it was lent. `when_away`: whether calls under a cap go
    on while the store can't be asked.
    """

    url: Text = "memory://"
    lease_s: Seconds = 30.0
    when_away: Annotated[Literal["fail_closed", "fail_open"], PlainValidator(choice("fail_closed", "fail_open"))] = (
        "fail_closed"
    )

    @field_validator("url")
    @classmethod
    def _stored(cls, value: str) -> str:
        scheme, mark, rest = value.partition("://")
        if not mark or scheme not in SCHEMES or (scheme == "sqlite" and not rest.startswith("/")):
            hint = nearest(scheme, SCHEMES, "")
            raise ValueError(f"must be a URL such as memory://, sqlite:///router.db or redis://host/0{hint}")
        return value


class Words(Block):
    """A whole router.yaml."""

    name: Text = "router"
    models: tuple[Any, ...] = ()
    policy: Policy = Policy()
    health: Health = Health()
    retry: Retry = Retry()
    timeouts: Clocks = Clocks()
    deadline_s: Seconds | None = None
    hedge: Hedge = Hedge(on=False)
    budgets: tuple[Cap, ...] = ()
    on_content_filter: Annotated[Literal["return", "fallback"], PlainValidator(choice("return", "fallback"))] = "return"
    unknown: Annotated[
        Literal["prefer_known", "allow", "refuse"], PlainValidator(choice("prefer_known", "allow", "refuse"))
    ] = "prefer_known"
    resume: Flag = False
    on_partial: Annotated[Literal["fallback", "raise"], PlainValidator(choice("fallback", "raise"))] = "fallback"
    store: Store = Store()
    ledger: LedgerBlock = LedgerBlock()
    telemetry: Telemetry = Telemetry()
    annotate: Flag = True
    tokens: Tokens = Tokens()
    embedding: Embedding = Embedding()
    tenants: Mapping[str, Texts] = {}
    shadow: Shadow | None = None
    canary: Canary | None = None
    evaluator: Any = None
    evaluate: Evaluate = Evaluate()

    @model_validator(mode="before")
    @classmethod
    def _short(cls, values: Any) -> Any:
        """`policy: cheapest`, `shadow: NAME`, `hedge: true`, `store: URL`, `token_counter=f`, `embedder=` are short."""
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
        return {**values, **short, **({"hedge": {"on": hedge}} if isinstance(hedge, bool) else {})}

    @field_validator("models", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if isinstance(value, (str, Mapping)):
            raise ValueError(f"must be a list of models, got {shown(value)}")
        return tuple(value) if isinstance(value, Iterable) else value

    @model_validator(mode="after")
    def _paced(self) -> Words:
        """A pace needs a cap that ends."""
        ends = any(cap.scope == "global" and cap.window in PACED for cap in self.budgets)
        for place, block in (("policy", self.policy), ("shadow", self.shadow), ("canary", self.canary)):
            if block is not None and block.budget_pacing and block.name == "adaptive" and not ends:
                raise ValueError(
                    f"{place}.budget_pacing needs a global cap whose window ends, such as "
                    "budgets: [{scope: global, limit_usd: 10, window: day}]"
                )
        return self
