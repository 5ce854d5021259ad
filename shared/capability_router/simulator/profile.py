"""What a simulated model can do, how fast it is and what it costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from capability_router.errors import ConfigError
from capability_router.money.price import Price
from capability_router.nearest import nearest

_CARD_FIELDS = (
    "context_window", "max_output_tokens", "tool_calling", "structured_output", "json_mode", "image_inputs",
    "audio_inputs", "pdf_inputs", "reasoning_output", "streaming",
)  # fmt: skip
BILLED = ("input_mtok", "output_mtok", "cache_read_mtok", "per_request")


@dataclass(frozen=True, slots=True)
class SimulatedModel:
    """One simulated model. Windows in tokens, times in seconds before `time_scale`, prices in USD per million tokens.

    `ttft_s` is the median of a lognormal first-token time with spread `ttft_sigma`; the text then
    comes at `tokens_per_s`. At most `concurrency` requests are served at once, the next wait (at
    most `queue` of them; more get a 503). `rpm` and `tpm` answer 429 when exceeded; they count in
    real minutes. `skill` is the share of requests answered right: one number or a mapping
    by task with a "default". `quality` is what the card claims; by default the skill.
    `prompt_cache` bills a known prefix of at least `cache_min_tokens` at the cached price.
    """

    name: str
    price: Mapping[str, Any] = field(default_factory=lambda: {"input_mtok": 1.0, "output_mtok": 2.0})
    context_window: int = 32_000
    max_output_tokens: int = 4_096
    tool_calling: bool = True
    structured_output: bool = True
    json_mode: bool = True
    image_inputs: bool = False
    audio_inputs: bool = False
    pdf_inputs: bool = False
    reasoning_output: bool = False
    reasoning_tokens: int = 0
    streaming: bool = True
    ttft_s: float = 0.4
    ttft_sigma: float = 0.25
    tokens_per_s: float = 80.0
    concurrency: int | None = None
    queue: int | None = None
    rpm: int | None = None
    tpm: int | None = None
    skill: float | Mapping[str, float] = 0.8
    quality: Mapping[str, float] = field(default_factory=dict)
    prompt_cache: bool = False
    cache_min_tokens: int = 1_024

    def __post_init__(self) -> None:
        if not self.name or not isinstance(self.name, str):
            raise ConfigError("simulator: a model needs a name")
        self._check_price()
        for name in ("context_window", "max_output_tokens"):
            self._check(name, lambda v: isinstance(v, int) and v > 0, "a whole number above 0")
        for name in ("concurrency", "rpm", "tpm"):
            self._check(name, lambda v: v is None or (isinstance(v, int) and v > 0), "a whole number above 0")
        for name in ("ttft_s", "ttft_sigma", "reasoning_tokens", "cache_min_tokens"):
            self._check(name, lambda v: _finite(v) and v >= 0, "a finite number, 0 or more")
        self._check("tokens_per_s", lambda v: _finite(v) and v > 0, "a finite number above 0")
        self._check("queue", lambda v: v is None or (isinstance(v, int) and v >= 0), "a whole number, 0 or more")
        for task, share in self.skills().items():
            if not _finite(share) or not 0 <= share <= 1:
                raise ConfigError(f"simulator: model {self.name!r}: skill.{task} must be 0 to 1, got {share!r}")

    def _check_price(self) -> None:
        Price.parse(self.price)
        odd = set(self.price) - set(BILLED)
        if odd or "input_mtok" not in self.price or "output_mtok" not in self.price:
            raise ConfigError(
                f"simulator: model {self.name!r}: the price needs input_mtok and output_mtok and may have "
                f"{', '.join(BILLED[2:])}; got {', '.join(map(str, self.price))}"
            )

    def _check(self, name: str, good: Any, words: str) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not good(value):
            raise ConfigError(f"simulator: model {self.name!r}: {name} must be {words}, got {value!r}")

    def skills(self) -> dict[str, float]:
        """Skill by task; "default" is always there."""
        stated = dict(self.skill) if isinstance(self.skill, Mapping) else {"default": self.skill}
        return {"default": 0.8, **stated}

    def skill_at(self, task: str) -> float:
        """The share of requests of this task that the model gets right."""
        skills = self.skills()
        return skills.get(task, skills["default"])

    def card(self, time_scale: float) -> dict[str, Any]:
        """The model's card fields as a router.yaml states them, latency in real seconds."""
        limits = {name: getattr(self, name) for name in ("rpm", "tpm", "concurrency") if getattr(self, name)}
        return {
            **{name: getattr(self, name) for name in _CARD_FIELDS},
            "price": dict(self.price),
            "quality": dict(self.quality) or self.skills(),
            "latency": self._latency(time_scale),
            **({"limits": limits} if limits else {}),
        }

    def _latency(self, time_scale: float) -> dict[str, float]:
        thinking = self.reasoning_tokens / self.tokens_per_s
        pace = self.tokens_per_s / time_scale if time_scale else 1e6
        return {"ttft_s": round((self.ttft_s + thinking) * time_scale, 6), "tokens_per_s": round(pace, 3)}


@dataclass(frozen=True, slots=True)
class SimulatedProvider:
    """One simulated provider: a port of its own, an optional key, its models."""

    name: str
    models: tuple[SimulatedModel, ...]
    api_key: str | None = field(default=None, repr=False)
    data: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name or set(self.name) & set("/:@,* "):
            raise ConfigError(f"simulator: a provider needs a name without / : @ , * or blanks, got {self.name!r}")
        names = [m.name for m in self.models]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"simulator: provider {self.name!r} needs one or more models with different names")

    @property
    def key_variable(self) -> str:
        """The environment variable under which `router_config` expects the key."""
        return "SIM_" + "".join(c if c.isalnum() else "_" for c in self.name).upper() + "_KEY"

    def model(self, name: str) -> SimulatedModel | None:
        """The model of this name."""
        return next((m for m in self.models if m.name == name), None)


def parse_provider(values: Mapping[str, Any]) -> SimulatedProvider:
    """A provider from a mapping; unknown keys raise ConfigError with the nearest name."""
    if isinstance(values, SimulatedProvider):
        return values
    known = checked(values, SimulatedProvider, f"provider {_name(values)!r}")
    models = tuple(m if isinstance(m, SimulatedModel) else _model(m) for m in known.pop("models", ()))
    return SimulatedProvider(**{**known, "models": models, "tags": tuple(known.get("tags", ()))})


def _model(values: Mapping[str, Any]) -> SimulatedModel:
    return SimulatedModel(**checked(values, SimulatedModel, f"model {_name(values)!r}"))


def _name(values: Any) -> Any:
    return values.get("name", "?") if isinstance(values, Mapping) else values


def checked(values: Mapping[str, Any], kind: type, owner: str) -> dict[str, Any]:
    """The mapping as keyword arguments of a dataclass; ConfigError for what it does not know or lacks."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"simulator: {owner} must be a mapping of settings, got {type(values).__name__}")
    known = [f.name for f in fields(kind) if f.init]
    for key in values:
        if key not in known:
            raise ConfigError(f"simulator: {owner}: unknown key {key!r}{nearest(key, known)}")
    if "name" in known and not values.get("name"):
        raise ConfigError(f"simulator: {owner} needs a name")
    return dict(values)


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
