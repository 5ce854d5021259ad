"""Routing terms: attribution and requirements that `with routing(...)` sets for the calls inside it.

The terms are in a context variable. So they apply to every call made inside the block, in this thread or task and in
those that copy its context.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context, ContextVar
from dataclasses import dataclass, fields, replace
from typing import Any, TypedDict, TypeVar, Unpack

from capability_router.errors import ConfigError
from capability_router.frozen_value import fast_frozen
from capability_router.nearest import nearest

DATA_TERMS = ("regions", "retention", "training")
RETENTION = "'zero' or days such as '30d'"
PRIORITIES = ("interactive", "batch")
"""Which requests go first when models are full."""


T = TypeVar("T")


class RoutingTerms(TypedDict, total=False):
    """The keywords of `routing(...)`, of `configurable.router` and of `explain`."""

    tenant: str
    task: str
    tags: Sequence[str]
    chain: str
    session: str
    framework: str
    priority: str
    pin: str | None
    allow: Sequence[str]
    deny: Sequence[str]
    require_tags: Sequence[str]
    data: Mapping[str, Any]
    quality_target: float | None
    max_cost_usd: float | None
    deadline_s: float | None


TERMS = frozenset(RoutingTerms.__annotations__) | set(DATA_TERMS)
ONLY_TERMS = frozenset(
    {"tenant", "pin", "allow", "deny", "require_tags", "quality_target", "max_cost_usd", "deadline_s"}
)
"""Terms that are never keywords of a model's call. Others may be: a server may know `priority`, `session` or `task`."""


def check_keywords(names: Iterable[str], otherwise: str = "") -> None:
    """Raise ConfigError if keywords of a call are routing terms. `otherwise`: a further way to state them."""
    found = sorted(ONLY_TERMS.intersection(names))
    if found:
        many = len(found) > 1
        raise ConfigError(
            f"{', '.join(found)} {'are routing terms' if many else 'is a routing term'}, no keyword of a model's call; "
            f"{routing_hint(found[0], otherwise)}"
        )


def split_terms(keywords: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split keywords into routing terms and others."""
    return (
        {name: value for name, value in keywords.items() if name in TERMS},
        {name: value for name, value in keywords.items() if name not in TERMS},
    )


def check_terms(keywords: Mapping[str, Any]) -> None:
    """Raise ConfigError for a misspelt routing term, which would else be sent to the model as a keyword."""
    for name in keywords:
        if name not in TERMS and (hint := nearest(name, sorted(TERMS), "", likeness=_TYPO)):
            raise ConfigError(f"unknown routing term {name!r}{hint}")


_TYPO = 0.8  # the keywords that models' calls are known to take stay below it: 'thinking' is like 'training' by 0.75


def routing_hint(term: str, otherwise: str = "") -> str:
    """'say `with routing(tenant=...):` around the call', and the other way, which has {} for the term."""
    also = f", or {otherwise.format(term)}" if otherwise else ""
    return f"say `with routing({term}=...):` around the call{also}"


@fast_frozen
@dataclass(frozen=True, slots=True)
class Routing:
    """The terms of one request. Empty means: no such term.

    `tags`, `tenant`, `task`, `chain` attribute the cost. `allow`, `deny`, `require_tags`, `pin`,
    `data`, `max_cost_usd` bind: no score can widen them. `priority` "batch" waits behind "interactive"
    where models are full. Times in seconds, money in USD.
    """

    tenant: str = ""
    task: str = ""
    tags: tuple[str, ...] = ()
    chain: str = ""
    session: str = ""
    framework: str = ""
    priority: str = "interactive"
    pin: str | None = None
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    require_tags: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    retention: str | None = None
    training: bool | None = None
    quality_target: float | None = None
    max_cost_usd: float | None = None
    deadline_s: float | None = None

    @property
    def binding(self) -> bool:
        """Whether any term other than the cost cap may forbid models."""
        named = self.allow or self.deny or self.require_tags or self.regions
        return bool(named) or self.pin is not None or self.retention is not None or self.training is False

    def attributed(self, *, chain: str, session: str, framework: str, tags: tuple[str, ...]) -> Routing:
        """These terms with other ones of these four. Written out for speed: every request of an adapter needs it."""
        return Routing(
            self.tenant, self.task, tags, chain, session, framework, self.priority, self.pin, self.allow, self.deny,
            self.require_tags, self.regions, self.retention, self.training, self.quality_target, self.max_cost_usd,
            self.deadline_s,
        )  # fmt: skip

    @property
    def stated(self) -> dict[str, Any]:
        """The terms that are not empty, as `merged` takes them."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) != f.default}

    def merged(self, terms: Mapping[str, Any]) -> Routing:
        """These terms, overridden by others. Raises ConfigError for unknown or ill-typed ones."""
        return replace(self, **_checked(terms)) if terms else self


EVALUATION_TAG = "router:evaluation"
"""The tag under which the calls of an evaluator are booked, as far as they go through the router."""


def evaluating(terms: Routing, deadline_s: float) -> Routing:
    """The terms of an evaluator's own calls: the request's data rules and attribution still apply."""
    return Routing(
        tenant=terms.tenant, tags=(EVALUATION_TAG,), priority="batch", allow=terms.allow, deny=terms.deny,
        require_tags=terms.require_tags, regions=terms.regions, retention=terms.retention, training=terms.training,
        deadline_s=deadline_s,
    )  # fmt: skip


_NOBODY = Routing()
_current: ContextVar[Routing] = ContextVar("capability_router_routing", default=_NOBODY)
_NAMES = {f.name for f in fields(Routing)} - set(DATA_TERMS) | {"data"}
_TUPLES = {"tags", "allow", "deny", "require_tags", "regions"}
_TEXTS = {"tenant", "task", "chain", "session", "framework"}
_NUMBERS = {"quality_target": 1.0, "max_cost_usd": None, "deadline_s": None}


def current_routing() -> Routing:
    """The terms in force in this context."""
    return _current.get()


def apart(terms: Routing) -> Context:
    """A new context that holds these terms and nothing else of the caller's."""
    context = Context()
    context.run(_current.set, terms)
    return context


@contextmanager
def routing(**terms: Unpack[RoutingTerms]) -> Iterator[Routing]:
    """Set routing terms for every call made inside the block. Blocks nest."""
    with within(_current, _current.get().merged(terms)) as inside:
        yield inside


@contextmanager
def within(variable: ContextVar[T], value: T) -> Iterator[T]:
    """Set a context variable (which has a default) inside the block, even if the block ends in another context.

    A web server runs each step of a blocking stream in its own copy of the request's context. So a generator's block
    may end in another copy than it began in; what was set in the first one is gone by then.
    """
    before, token = variable.get(), variable.set(value)
    try:
        yield value
    finally:
        try:
            variable.reset(token)
        except ValueError:  # begun in another context
            if variable.get() is value:
                variable.set(before)


def _checked(terms: Mapping[str, Any]) -> dict[str, Any]:
    flat = {**terms, **_data_terms(terms["data"])} if terms.get("data") else dict(terms)
    flat.pop("data", None)
    for name, value in flat.items():
        if name not in _NAMES and name not in DATA_TERMS:
            raise ConfigError(f"unknown routing term {name!r}{nearest(name, sorted(_NAMES))}")
        flat[name] = _value(name, value)
    return flat


def _data_terms(data: object) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise ConfigError(f"routing term 'data' must be a mapping, got {type(data).__name__}")
    for name in data:
        if name not in DATA_TERMS:
            raise ConfigError(f"unknown data rule {name!r}{nearest(name, DATA_TERMS)}")
    return dict(data)


def _value(name: str, value: Any) -> Any:
    if name == "priority":
        return _priority(value)
    if name in _TEXTS:
        return "" if value is None else str(value)
    if name in _TUPLES:
        return _texts(name, value)
    if value is None:
        return None
    if name in _NUMBERS:
        return _number(name, value, _NUMBERS[name])
    wanted, fits = _WANTED[name]
    if not fits(value):
        raise ConfigError(f"routing term {name!r} must be {wanted}, got {value!r}")
    return value


_WANTED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "pin": ("a model's id or 'provider:model'", lambda v: isinstance(v, str)),
    "retention": (RETENTION, lambda v: retention_days(v) < math.inf),
    "training": ("True or False", lambda v: isinstance(v, bool)),
}


def retention_days(word: object) -> float:
    """Days of retention: 'zero' -> 0, '30d' -> 30, a number as it is; infinity for anything else."""
    if isinstance(word, (int, float)) and not isinstance(word, bool):
        return float(word) if word >= 0 else math.inf
    text = str(word).strip().lower()
    if text == "zero":
        return 0.0
    digits = text.removesuffix("days").removesuffix("d").strip()
    plain = digits.isascii() and digits.replace(".", "", 1).isdigit()
    return float(digits) if plain else math.inf


def _priority(value: Any) -> str:
    word = "interactive" if value is None else str(value)
    if word not in PRIORITIES:
        raise ConfigError(f"routing term 'priority' must be interactive or batch, got {value!r}")
    return word


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if value is not None and (isinstance(value, Mapping) or not isinstance(value, Iterable)):
        raise ConfigError(f"routing term {name!r} must be a list of texts, got {value!r}")
    return tuple(dict.fromkeys(str(v) for v in value or ()))


def _number(name: str, value: Any, most: float | None) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"routing term {name!r} must be a number, got {value!r}") from error
    if not 0 <= number < float("inf") or (most is not None and number > most):
        raise ConfigError(f"routing term {name!r} must be {'0 to 1' if most else '0 or more'}, got {value!r}")
    return number
