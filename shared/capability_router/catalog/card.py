"""A model card: what one model can do, what it holds, what it costs, where its data goes.

Field names follow LangChain's ModelProfile. A capability is True, False or None (unknown); nothing
here turns an unknown into a no.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from capability_router.errors import ConfigError
from capability_router.money.price import Price
from capability_router.nearest import nearest
from capability_router.request import Need, service_tier
from capability_router.routing import DATA_TERMS, RETENTION, retention_days

CAPABILITIES: dict[str, Need] = {need.name.lower(): need for need in Need if need.name and need}
"""Card field -> the need that it meets: tool_calling, tool_choice, structured_output, json_mode, ..."""

FLAGS = (*CAPABILITIES, "assistant_prefill", "parallel_tool_calling")
"""Every card field that is True, False or None."""

_IMPLIED = {"tool_choice": "tool_calling", "json_mode": "structured_output", "streaming": "id"}
# What is not stated follows from what is: tools imply a choice among them, a schema implies JSON,
# and every model streams unless its card says no.

_WINDOWS = ("context_window", "max_input_tokens", "max_output_tokens", "output_reserve")
_LIMITS = ("rpm", "tpm", "concurrency")
MOST_OF_LIMITS = 10**15  # a float is exact for whole numbers up to this


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model. Windows in tokens, `latency` in seconds and tokens per second, `quality` 0 to 1 by task.

    `output_reserve` is the wrapped model's own max_tokens, `answers` its own `n`, `service_tier` what its calls ask
    for by themselves ("batch", "flex", "priority"; "" = the usual). `assistant_prefill`: it goes on with an answer
    whose beginning is given as the last message. `reasoning_effort_levels`: the words that it takes for how much
    it should reason; () = none or unknown. `limits`: rpm, tpm, concurrency. `data`:
    regions, retention ("zero", "30d", ...), training.
    `tenants`: if given, only these tenants may use the model. `endpoint`: how the built-in client
    reaches it (base_url, model, api_key_env, headers). Raises ConfigError for impossible values.
    """

    id: str
    provider: str = ""
    model: str = ""
    context_window: int | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    output_reserve: int | None = None
    answers: int | None = None
    service_tier: str = ""
    tool_calling: bool | None = None
    tool_choice: bool | None = None
    structured_output: bool | None = None
    json_mode: bool | None = None
    image_inputs: bool | None = None
    pdf_inputs: bool | None = None
    audio_inputs: bool | None = None
    video_inputs: bool | None = None
    reasoning_output: bool | None = None
    streaming: bool | None = None
    assistant_prefill: bool | None = None
    parallel_tool_calling: bool | None = None
    reasoning_effort_levels: tuple[str, ...] = ()
    price: Price | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    quality: Mapping[str, float] = field(default_factory=dict)
    latency: Mapping[str, float] = field(default_factory=dict)
    endpoint: Mapping[str, Any] | None = field(default=None, repr=False)
    can: int = field(init=False, repr=False, compare=False, default=0)
    cannot: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        put = object.__setattr__
        if not self.id or not isinstance(self.id, str):
            raise ConfigError("a model card needs an id, such as 'openai/gpt-5-mini'")
        _check_kinds(self)
        put(self, "service_tier", service_tier(self.service_tier))
        price: object = self.price  # as it stands in a file, too
        if isinstance(price, Mapping):
            put(self, "price", Price.parse(price))
        for name in ("tags", "tenants", "reasoning_effort_levels"):
            value = getattr(self, name)
            put(self, name, (value,) if isinstance(value, str) else tuple(value or ()))
        if isinstance(self.data.get("regions"), str):
            put(self, "data", {**self.data, "regions": (self.data["regions"],)})
        for check in (_check_windows, _check_limits, _check_quality, _check_latency, _check_data):
            check(self)
        flags = {need: self._flag(name) for name, need in CAPABILITIES.items()}
        put(self, "can", int(sum(need for need, flag in flags.items() if flag is True)))
        put(self, "cannot", int(sum(need for need, flag in flags.items() if flag is False)))

    def _flag(self, name: str) -> bool | None:
        stated: bool | None = getattr(self, name)
        return bool(getattr(self, _IMPLIED[name])) or None if stated is None and name in _IMPLIED else stated

    @property
    def name(self) -> str:
        """The model's name at its provider."""
        return self.model or self.id.rpartition("/")[2]

    @property
    def output_limit(self) -> int | None:
        """Output tokens of an answer by the wrapped model's limit, else the model's own; None = neither is stated."""
        return self.output_reserve or self.max_output_tokens

    def unknown(self) -> tuple[str, ...]:
        """The capabilities, windows and price that no source states."""
        stated = (*CAPABILITIES, *_WINDOWS[:2], "price")
        return tuple(name for name in stated if getattr(self, name) is None)

    def overlaid(self, values: Mapping[str, Any]) -> ModelCard:
        """This card with stated values over it; None never replaces a known value."""
        checked = card_fields(values, self.id)
        return replace(self, **{k: v for k, v in checked.items() if v is not None})

    def filled(self, values: Mapping[str, Any]) -> ModelCard:
        """This card with its unknown fields taken from `values`."""
        empty: tuple[Any, ...] = (None, "", (), {})
        lacks = {k: v for k, v in card_fields(values, self.id).items() if getattr(self, k) in empty}
        return self.overlaid(lacks)


FIELDS = tuple(f.name for f in fields(ModelCard) if f.init)


_PROFILE = (
    "max_input_tokens", "max_output_tokens", "tool_calling", "tool_choice", "structured_output",
    "image_inputs", "pdf_inputs", "audio_inputs", "video_inputs", "reasoning_output", "reasoning_effort_levels",
)  # fmt: skip


_ENDPOINT = "; it belongs in `endpoint: {base_url, model, api_key_env, headers}`"
_CALL = "; it is no property of a model: give it to the model object or to the call"
_ELSEWHERE = {
    "name": "; did you mean 'id'?",
    "api_key": "; a key is read from the provider's own variable, or from the one that `endpoint: {api_key_env}` names",
    **dict.fromkeys(("base_url", "api_key_env", "headers"), _ENDPOINT),
    "max_retries": "; the router retries, not a model: give it to the router, or set `retry: {attempts}`",
    **dict.fromkeys(("top_p", "seed"), _CALL),
    **dict.fromkeys(("temperature", "max_tokens", "stop", "timeout"), f"{_CALL}, or to the router for all models"),
}
"""Words that are written among the card fields, and belong elsewhere, where the most similar field would mislead."""


def profiled(profile: Mapping[str, Any]) -> dict[str, Any]:
    """The card fields in the profile of a LangChain model, which uses the same names."""
    return {name: profile[name] for name in _PROFILE if profile.get(name) is not None}


def card_fields(values: Mapping[str, Any], owner: str, beside: Iterable[str] = ()) -> dict[str, Any]:
    """The values, if each is a card field; else ConfigError naming the nearest, or the nearest of those `beside`."""
    for name in values:
        if name not in FIELDS:
            meant = (not beside and _ELSEWHERE.get(name)) or nearest(name, (*FIELDS, *beside))
            raise ConfigError(f"model {owner!r}: unknown card field {name!r}{meant}")
    return dict(values)


def _is_texts(value: Any) -> bool:
    listed = isinstance(value, (list, tuple, set, frozenset)) and all(isinstance(v, str) for v in value)
    return value is None or isinstance(value, str) or listed


_KINDS: tuple[tuple[Sequence[str], Callable[[Any], bool], str], ...] = (
    (("provider", "model"), lambda v: isinstance(v, str), "a text"),
    (("service_tier",), lambda v: v is None or isinstance(v, str), "a text"),
    (("tags", "tenants", "reasoning_effort_levels"), _is_texts, "a list of texts"),
    (("limits", "data", "quality", "latency"), lambda v: isinstance(v, Mapping), "a mapping"),
    (FLAGS, lambda v: v is None or isinstance(v, bool), "true or false (leave it out when unknown)"),
)


def _check_kinds(card: ModelCard) -> None:
    for names, fits, wanted in _KINDS:
        for name in names:
            if not fits(value := getattr(card, name)):
                raise ConfigError(f"model {card.id!r}: {name} must be {wanted}, got {value!r}")


def _check_windows(card: ModelCard) -> None:
    for name in (*_WINDOWS, "answers"):
        value = getattr(card, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value <= 0):
            of = "" if name == "answers" else " of tokens"
            raise ConfigError(f"model {card.id!r}: {name} must be a whole number{of} above 0, got {value!r}")


def _check_limits(card: ModelCard) -> None:
    for name, value in card.limits.items():
        if name not in _LIMITS:
            raise ConfigError(f"model {card.id!r}: unknown limit {name!r}; known: {', '.join(_LIMITS)}")
        if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
            raise ConfigError(f"model {card.id!r}: limits.{name} must be a whole number above 0, got {value!r}")
        if value > MOST_OF_LIMITS:
            raise ConfigError(
                f"model {card.id!r}: limits.{name} is above {MOST_OF_LIMITS:,}; leave it out if there is no limit"
            )


def _check_quality(card: ModelCard) -> None:
    for task, value in card.quality.items():
        if not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ConfigError(f"model {card.id!r}: quality.{task} must be 0 to 1, got {value!r}")


def _check_latency(card: ModelCard) -> None:
    for name, value in card.latency.items():
        if name not in ("ttft_s", "tokens_per_s"):
            raise ConfigError(f"model {card.id!r}: unknown latency.{name}; known: ttft_s, tokens_per_s")
        if not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
            raise ConfigError(f"model {card.id!r}: latency.{name} must be a finite number, 0 or more, got {value!r}")


def _check_data(card: ModelCard) -> None:
    for name in card.data:
        if name not in DATA_TERMS:
            raise ConfigError(f"model {card.id!r}: unknown data rule {name!r}; known: {', '.join(DATA_TERMS)}")
    regions, training = card.data.get("regions") or (), card.data.get("training")
    if not isinstance(regions, (list, tuple, set, frozenset)) or not all(isinstance(r, str) for r in regions):
        raise ConfigError(f"model {card.id!r}: data.regions must be a list of texts, got {regions!r}")
    if training is not None and not isinstance(training, bool):
        raise ConfigError(f"model {card.id!r}: data.training must be true or false, got {training!r}")
    kept = card.data.get("retention")
    if kept not in (None, "forever") and retention_days(kept) == math.inf:
        hint = nearest(kept, ("zero", "forever"), "")
        raise ConfigError(f"model {card.id!r}: data.retention must be {RETENTION}, or 'forever', got {kept!r}{hint}")
