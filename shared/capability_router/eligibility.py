"""Decides which models can take a request, and names for each other model the rule that refuses it, with numbers.

`RULES` is the table. A rule first says whether it applies to the request; only those that do are checked against the
cards. A check returns None (passed) or the reason of the refusal. A capability may also be unknown; see `_unknowns`.
These rules can't be overruled: no score and no prompt text reaches this module.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from capability_router.amounts import exact
from capability_router.catalog.card import CAPABILITIES, ModelCard
from capability_router.catalog.excerpt import Excerpt, excerpt_of
from capability_router.learning.context_windows import LearnedWindow
from capability_router.learning.token_scales import TokenScale
from capability_router.money.price import pico, usd
from capability_router.request import Request, ScreenResult
from capability_router.routing import retention_days

UnknownMode = Literal["prefer_known", "allow", "refuse"]
Of = Literal["request", "tenant", "model", "moment"]
RESERVE_TOKENS = 1_024
UNSTATED_TOKENS = 131_072  # the assumed longest answer of a model whose output limit and window are unknown
_ENDLESS = 1 << 60
_SURELY = 1.2  # a request is refused if it is this many times larger than a learned bound, which is an estimate


class Refusal(NamedTuple):
    """Why one model was refused: the rule and the numbers."""

    model: str
    rule: str
    detail: str


class Unavailability(Protocol):
    """Why a model is out of use. `what` is one of OUT_OF_USE; `told` is the reason as a text."""

    @property
    def what(self) -> str: ...
    def told(self, id: str, now: float) -> str: ...


class ModelTokenCounts(Protocol):
    """The input tokens of one request by each model's own count."""

    def tokens(self, card: ModelCard) -> int: ...
    def scale(self, card: ModelCard) -> TokenScale: ...


@dataclass(slots=True)
class EligibilityQuery:
    """A request as the rules see it; made once per request, and never changed. All tokens are input tokens.

    `margin`: the share by which the tokens may exceed the estimate; 0 = they were counted. `sizes`: each model's own
    count, if they differ. `learned`: windows and bounds learned from the models' errors, at the time `now`.
    """

    request: Request
    input_tokens: int
    needs: int
    pin: str | None = None
    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    tenant_models: frozenset[str] | None = None
    binding: bool = True
    """Whether any term of the request other than its cost cap may refuse models."""
    margin: float = 0.0
    sizes: ModelTokenCounts | None = None
    learned: Mapping[str, LearnedWindow] | None = None
    now: float = 0.0

    def tokens(self, card: ModelCard) -> int:
        """Input tokens by this model's count."""
        return self.input_tokens if self.sizes is None else self.sizes.tokens(card)

    def margin_of(self, card: ModelCard) -> float:
        """The share by which the tokens may exceed the estimate for this model."""
        return self.margin if self.sizes is None else self.sizes.scale(card).margin


class CardIndex:
    """The registered cards and their smallest limits, by which whole rules can be skipped. Made once per registry."""

    __slots__ = (
        "_excerpts", "_whole", "cards", "has_tenants", "smallest_input", "smallest_output", "smallest_room",
        "smallest_window",
    )  # fmt: skip

    def __init__(self, cards: Sequence[ModelCard]) -> None:
        self.cards = cards
        self._excerpts = {card.id: excerpt_of(card) for card in cards}
        self._whole = tuple(self._excerpts), tuple(self._excerpts.values())
        self.has_tenants = any(card.tenants for card in cards)
        self.smallest_room = min((_room(card) for card in cards), default=0)
        self.smallest_window = min((card.context_window or _ENDLESS for card in cards), default=0)
        self.smallest_input = min((card.max_input_tokens or _ENDLESS for card in cards), default=0)
        self.smallest_output = min((card.max_output_tokens or _ENDLESS for card in cards), default=0)

    def excerpts(self, cards: Sequence[ModelCard]) -> tuple[Sequence[str], Sequence[Excerpt]]:
        """The ids and the excerpts of these cards, in their order."""
        known = self._excerpts
        if len(cards) == len(known):  # all cards, the usual case
            return self._whole
        ids = [card.id for card in cards]
        return ids, [known[id] for id in ids]


def _room(card: ModelCard) -> int:
    """Input tokens up to which no window rule refuses the card, if the request sets no output size."""
    whole = (card.context_window or _ENDLESS) - (card.output_reserve or default_reserve(card))
    return min(card.max_input_tokens or _ENDLESS, whole)


class Eligible(NamedTuple):
    """The models that may be used, in registry order, the refusals of the others, and remarks.

    `tight`: usable models that the request may not fit if it is larger than estimated, with the reason.
    """

    cards: list[ModelCard]
    refusals: list[Refusal]
    notes: Sequence[str]
    tight: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class EligibilityRule:
    """A named rule. `applies`: whether this request and these models need the check. `check`: None, or why it refuses.

    `term`: the field of Routing that it is about; "" for one about sizes. See RULES for where a row goes. `of`: what
    the result depends on: the terms of the request, the tenant, the model, or the moment.
    """

    name: str
    of: Of
    term: str
    applies: Callable[[EligibilityQuery, CardIndex], bool]
    check: Callable[[EligibilityQuery, ModelCard], str | None]


Active = tuple[str, Callable[[EligibilityQuery, ModelCard], str | None]]


def default_reserve(card: ModelCard) -> int:
    """Output tokens to keep free if no setting says how many: min(max output, 1,024, a quarter of the window)."""
    quarter = (card.context_window or 4 * RESERVE_TOKENS) // 4
    return min(card.max_output_tokens or RESERVE_TOKENS, RESERVE_TOKENS, quarter)


def reserve(request: Request, card: ModelCard) -> int:
    """Output tokens to keep free for an answer: the call's limit, else the wrapped model's, else the default."""
    asked = request.max_tokens or card.output_reserve or default_reserve(card)
    return min(asked, card.max_output_tokens or asked)


def answers(request: Request, card: ModelCard) -> int:
    """How many answers the call asks for at once: the call's `n`, else the wrapped model's. Each is paid for."""
    return request.answers or card.answers or 1


def longest(request: Request, card: ModelCard, input_tokens: int) -> int:
    """The greatest number of output tokens of an answer: the call's limit, else the wrapped model's, else the card's.

    Without such a limit it is the window less three quarters of the input, because the input is an estimate and may be
    smaller; without a window it is 131,072.
    """
    return request.max_tokens or card.output_limit or unlimited(card, input_tokens)


def unlimited(card: ModelCard, input_tokens: int = 0) -> int:
    """The greatest number of output tokens of an answer if no limit is stated."""
    if card.context_window is None:
        return UNSTATED_TOKENS
    return max(card.context_window - input_tokens * 3 // 4, default_reserve(card))


def window_of(card: ModelCard, learned: Mapping[str, LearnedWindow] | None) -> int | None:
    """The model's window in tokens: the smaller of its card's and the one in its own error message; None = unknown."""
    told = learned[card.id].told if learned and card.id in learned else None
    stated = card.context_window
    return stated if told is None or (stated is not None and stated < told) else told


def _needs(ask: EligibilityQuery, card: ModelCard, tokens: int) -> str:
    """For details, "needs about 41,200 input tokens (estimated, +12 %)", with the margin if it was added."""
    if not ask.margin:
        return f"needs {tokens:,} input tokens"
    added = f", +{ask.margin_of(card):.0%}".replace("%", " %") if tokens > ask.tokens(card) else ""
    return f"needs about {tokens:,} input tokens (estimated{added})"


def _input(ask: EligibilityQuery, card: ModelCard) -> str | None:
    return _over_input(ask, card, ask.tokens(card))


def _over_input(ask: EligibilityQuery, card: ModelCard, tokens: int) -> str | None:
    most = card.max_input_tokens
    if most is None or tokens <= most:
        return None
    return f"{_needs(ask, card, tokens)}, accepts at most {most:,}"


def _window(ask: EligibilityQuery, card: ModelCard) -> str | None:
    return _over_window(ask, card, ask.tokens(card))


def _over_window(ask: EligibilityQuery, card: ModelCard, tokens: int) -> str | None:
    window = window_of(card, ask.learned)
    if window is None:
        return None
    kept = ask.request.max_tokens or card.output_reserve or min(default_reserve(card), window // 4)
    if tokens + kept <= window:
        return None
    told = f"window {window:,}" + (" (from its own error message)" if window != card.context_window else "")
    return f"{_needs(ask, card, tokens)} and {kept:,} for the output, {told}"


def _learned(ask: EligibilityQuery, card: ModelCard) -> str | None:
    return _over_bound(ask, card, int(ask.tokens(card) / _SURELY))


def _over_bound(ask: EligibilityQuery, card: ModelCard, tokens: int) -> str | None:
    """Check against the size of a prompt that the model rejected as too long without stating its window."""
    seen = ask.learned.get(card.id) if ask.learned else None
    limit = seen.limit(ask.now) if seen else None
    if limit is None or tokens < limit:
        return None
    return f"{_needs(ask, card, ask.tokens(card))}, rejected about {limit:,} as too long before"


def _tight(ask: EligibilityQuery, card: ModelCard) -> str | None:
    """Why the request may not fit if it is larger than estimated; None = it fits in any case."""
    tokens = ask.tokens(card)
    most = math.ceil(tokens * (1 + ask.margin_of(card)))
    return _over_input(ask, card, most) or _over_window(ask, card, most) or _over_bound(ask, card, tokens)


def _output(ask: EligibilityQuery, card: ModelCard) -> str | None:
    most, wanted = card.max_output_tokens, ask.request.max_tokens or 0
    if most is None or wanted <= most:
        return None
    return f"asks for up to {wanted:,} output tokens, gives at most {most:,}"


def _max_cost(ask: EligibilityQuery, card: ModelCard) -> str | None:
    cap = ask.request.routing.max_cost_usd or 0.0
    several = answers(ask.request, card)
    kept = reserve(ask.request, card) * several
    tokens = ask.tokens(card)
    price = card.price.asked(ask.request.service or card.service_tier) if card.price else None
    cost = price.estimate(tokens, kept) if price else None
    if cost is None:
        return f"price unknown, so the cap of {exact(cap)} can't be checked; set `price` on its entry"
    if cost <= pico(cap):
        return None
    told = f"may cost {exact(usd(cost))}"
    of = f" in {several} answers" if several > 1 else ""
    return f"{told} ({tokens:,} input and up to {kept:,} output tokens{of}), cap {exact(cap)}"


def _regions(ask: EligibilityQuery, card: ModelCard) -> str | None:
    allowed, regions = ask.request.routing.regions, card.data.get("regions")
    if not regions:
        return f"its regions are not stated, allowed: {', '.join(allowed)}"
    outside = sorted(set(regions) - set(allowed))
    return f"may process in {', '.join(outside)}, allowed: {', '.join(allowed)}" if outside else None


def _retention(ask: EligibilityQuery, card: ModelCard) -> str | None:
    asked, stated = ask.request.routing.retention, card.data.get("retention")
    if stated is None:
        return f"its retention is not stated, at most {asked} is allowed"
    return (
        None if retention_days(stated) <= retention_days(asked) else f"keeps data {stated}, at most {asked} is allowed"
    )


def _training(ask: EligibilityQuery, card: ModelCard) -> str | None:
    stated = card.data.get("training")
    if stated is False:
        return None
    return "may train on the data" if stated else "whether it trains on the data is not stated"


def _pin(ask: EligibilityQuery, card: ModelCard) -> str | None:
    return None if card.id == ask.pin else f"pinned to {ask.pin!r}"


def _allow(ask: EligibilityQuery, card: ModelCard) -> str | None:
    return None if card.id in ask.allow else f"not among the allowed: {', '.join(sorted(ask.allow))}"


def _deny(ask: EligibilityQuery, card: ModelCard) -> str | None:
    return "denied by the request" if card.id in ask.deny else None


def _require_tags(ask: EligibilityQuery, card: ModelCard) -> str | None:
    lacks = [t for t in ask.request.routing.require_tags if t not in card.tags]
    return f"lacks the tag {', '.join(map(repr, lacks))}, has {list(card.tags)}" if lacks else None


def _tenant(ask: EligibilityQuery, card: ModelCard) -> str | None:
    own = ask.tenant_models
    if own is not None and card.id not in own:
        return f"tenant {ask.request.routing.tenant!r} may use only {', '.join(sorted(own))}"
    if not card.tenants or ask.request.routing.tenant in card.tenants:
        return None
    return f"reserved for other tenants than {ask.request.routing.tenant!r}"


def _may_be_tight(ask: EligibilityQuery, roster: CardIndex) -> bool:
    if ask.sizes is not None or ask.learned:
        return True
    tokens, wanted = ask.input_tokens * (1 + ask.margin), ask.request.max_tokens
    if not wanted:
        return tokens > roster.smallest_room
    return tokens > roster.smallest_input or tokens + wanted > roster.smallest_window


_BY_TERMS: tuple[EligibilityRule, ...] = (
    EligibilityRule("pin", "request", "pin", lambda a, _: a.pin is not None, _pin),
    EligibilityRule("allow", "request", "allow", lambda a, _: bool(a.request.routing.allow), _allow),
    EligibilityRule("deny", "request", "deny", lambda a, _: bool(a.deny), _deny),
    EligibilityRule("tenant", "tenant", "tenant", lambda a, r: r.has_tenants or a.tenant_models is not None, _tenant),
    EligibilityRule(
        "require_tags", "request", "require_tags", lambda a, _: bool(a.request.routing.require_tags), _require_tags
    ),
    EligibilityRule("data.regions", "request", "regions", lambda a, _: bool(a.request.routing.regions), _regions),
    EligibilityRule(
        "data.retention", "request", "retention", lambda a, _: a.request.routing.retention is not None, _retention
    ),
    EligibilityRule(
        "data.training", "request", "training", lambda a, _: a.request.routing.training is False, _training
    ),
)
_BY_ROOM: tuple[EligibilityRule, ...] = (
    EligibilityRule("max_input_tokens", "model", "", _may_be_tight, _input),
    EligibilityRule("context_window", "model", "", _may_be_tight, _window),
    EligibilityRule("learned_window", "moment", "", lambda a, _: bool(a.learned), _learned),
)
_BY_SIZE: tuple[EligibilityRule, ...] = (
    EligibilityRule(
        "max_output_tokens", "model", "", lambda a, r: (a.request.max_tokens or 0) > r.smallest_output, _output
    ),
    EligibilityRule(
        "max_cost", "request", "max_cost_usd", lambda a, _: a.request.routing.max_cost_usd is not None, _max_cost
    ),
)
RULES = _BY_TERMS + _BY_ROOM + _BY_SIZE
"""All rules, in the order in which they are checked; a refusal names the first that fails. Capabilities come last.

Where to add a row:
* a rule about a term of the request: `_BY_TERMS`. These are checked if `Routing.binding` is true, so the term must be
  one that `binding` names (a test checks this). Only `tenant` is also checked if a card or the settings name tenants.
* a rule about how much input a model takes: `_BY_ROOM`. These are checked if `_may_be_tight` is true.
* any other rule: `_BY_SIZE`. These are checked for every request.
"""
OUT_OF_USE = frozenset({"credential", "model"})
"""The rule names in refusals of models that are switched off."""
OF_THE_MOMENT = OUT_OF_USE | {rule.name for rule in RULES if rule.of == "moment"}
"""Rules whose result depends on what happened to the models before."""
BARRED = "screen"
"""The rule name in refusals by a screen that lets no model read the request."""
OF_THE_REQUEST = frozenset(rule.name for rule in RULES if rule.of == "request") | {BARRED}
"""Rules about the request's own terms or content. `tenant` is not one of them."""
_TERMS = {rule.name: rule.term for rule in RULES}
WINDOWS = frozenset({"max_input_tokens", "context_window", "learned_window"})
"""Rules that refuse an input as too long. All rules not named above are about the model's capabilities."""


def screen(
    ask: EligibilityQuery,
    models: CardIndex | Sequence[ModelCard],
    *,
    unknown: UnknownMode = "prefer_known",
    barred: Mapping[str, Unavailability] = MappingProxyType({}),
) -> Eligible:
    """Split the cards into usable and refused ones. `barred`: models out of use (credential or model disabled)."""
    roster = models if isinstance(models, CardIndex) else CardIndex(models)
    tight = _may_be_tight(ask, roster)
    rules = _BY_ROOM + _BY_SIZE if tight else _BY_SIZE
    if ask.binding or roster.has_tenants:
        rules = _BY_TERMS + rules
    active = [(rule.name, rule.check) for rule in rules if rule.applies(ask, roster)]
    if not active and not ask.needs and not barred:
        return Eligible(list(roster.cards), [], ())
    passed: list[ModelCard] = []
    refusals: list[Refusal] = []
    for card in roster.cards:
        refusal = _refusal(ask, card, active, barred)
        if refusal is None:
            passed.append(card)
        else:
            refusals.append(refusal)
    needs = ask.needs
    if needs and not all(needs & card.can == needs for card in passed):
        found = _unknowns(needs, passed, refusals, unknown)
    else:
        found = Eligible(passed, refusals, ())
    return _marked(ask, found) if tight and (ask.margin or ask.learned) else found


def under(screened: ScreenResult, found: Eligible, cards: Sequence[ModelCard]) -> Eligible:
    """The result after a screen has read the request: its refusals and notes name the labels that the screen found."""
    if screened.barred:
        return Eligible([], [Refusal(card.id, BARRED, screened.barred) for card in cards], found.notes)
    if not screened.found and not screened.asked:
        return found
    labels = ", ".join(f"{label} ({count})" for label, count in screened.found.items())
    told = [f"found {labels}"] * bool(labels) + [f"asks for {screened.told}"] * bool(screened.told)
    note = f"the screen {' and '.join(told)}"
    return found._replace(refusals=[_found_out(screened, each) for each in found.refusals], notes=(*found.notes, note))


def _found_out(screened: ScreenResult, refusal: Refusal) -> Refusal:
    labels = screened.asked.get(_TERMS.get(refusal.rule, ""))
    return refusal._replace(detail=f"{refusal.detail} (asked for by {', '.join(labels)})") if labels else refusal


def _marked(ask: EligibilityQuery, found: Eligible) -> Eligible:
    """The result with the `tight` models marked: they are not refused, but tried after the others."""
    tight = {card.id: why for card in found.cards if (why := _tight(ask, card)) is not None}
    if not tight:
        return found
    notes = (f"{id}: {why}; tried after those that surely hold it" for id, why in tight.items())
    return found._replace(notes=(*found.notes, *notes), tight=tight)


def _refusal(
    ask: EligibilityQuery, card: ModelCard, active: Sequence[Active], barred: Mapping[str, Unavailability]
) -> Refusal | None:
    if barred and card.id in barred:
        bar = barred[card.id]
        return Refusal(card.id, bar.what, bar.told(card.id, ask.now))
    for name, check in active:
        detail = check(ask, card)
        if detail is not None:
            return Refusal(card.id, name, detail)
    lacks = ask.needs & card.cannot
    return _incapable(card, lacks, "does not support") if lacks else None


def _incapable(card: ModelCard, lacks: int, words: str, rule: str = "") -> Refusal:
    names = [name for name, need in CAPABILITIES.items() if need & lacks]
    return Refusal(card.id, names[0], f"{words} {', '.join(names)}{rule}")


def _unknowns(needs: int, passed: list[ModelCard], refusals: list[Refusal], mode: UnknownMode) -> Eligible:
    known_somewhere = 0
    for card in passed:
        known_somewhere |= needs & card.can
    forbidden = {"allow": 0, "refuse": needs, "prefer_known": known_somewhere}[mode]
    if mode == "prefer_known" and all(needs & ~c.can & forbidden for c in passed):
        forbidden = 0  # each need is met by some model, but no model meets all of them
    kept = [c for c in passed if not needs & ~c.can & forbidden]
    words = "not known to support"
    rule = "`unknown: refuse`" if mode == "refuse" else "another model is; `unknown: prefer_known`"
    lacking = [(c, lacks) for c in passed if (lacks := needs & ~c.can & forbidden)]
    late = [_incapable(card, lacks, words, f" ({rule})") for card, lacks in lacking]
    why = "unknown models are allowed" if mode == "allow" else "no candidate is known to have all that is needed"
    notes = tuple(
        f"{c.id}: {name} is unknown; used because {why}"
        for c in kept
        for name, need in CAPABILITIES.items()
        if need & needs & ~c.can
    )
    return Eligible(kept, refusals + late, notes)
