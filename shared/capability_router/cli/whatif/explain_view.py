"""How a plan looks at a terminal: the ranking and the why-nots, what makes the scores, what the costs consist of."""

from __future__ import annotations

from collections.abc import Sequence

import click

from capability_router.amounts import money
from capability_router.catalog.card import ModelCard
from capability_router.catalog.registry import Registry
from capability_router.cli import terminal
from capability_router.drawing.table import Table
from capability_router.plan import Candidate, Plan


def tell(plan: Plan, registry: Registry, service: str) -> None:
    """All of it, as wide as the terminal. `service`: the tier that the request asks for, "" = the usual."""
    click.echo(plan.render(terminal.width(), terms=False))
    if plan.settings:
        terminal.tell("")
        terminal.tell(f"{plan.policy}: {', '.join(f'{name} {value:g}' for name, value in plan.settings)}")
    for head, table in (
        ("What makes the scores", _terms(plan.candidates)),
        ("What the costs consist of", _costs(plan.candidates, registry, service)),
    ):
        if table.rows:
            terminal.tell("")
            terminal.tell(head)
            terminal.show(table)


def _terms(candidates: Sequence[Candidate]) -> Table:
    """A column for each term; the score is their sum."""
    names = list(dict.fromkeys(name for each in candidates for name, _ in each.terms))
    table = Table("model", *names, "score", right=range(1, len(names) + 2), cut=(0,))
    for each in candidates if names else ():
        told = dict(each.terms)
        table.add(each.id, *(_figure(told.get(name)) for name in names), _figure(each.score))
    return table


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value + 0.0:.4g}" if 0 < abs(value) < 0.1 else f"{value + 0.0:.4f}"


def _costs(candidates: Sequence[Candidate], registry: Registry, service: str) -> Table:
    """Input and output by the card's prices; what others would cost, in case this one fails."""
    dated = {each.id: _dated(registry.entry(each.id).card) for each in candidates}
    head = ("model", "tokens in", "input", "output", "fallback", "together", *["price as of"] * any(dated.values()))
    table = Table(*head, right=(1, 2, 3, 4, 5), cut=(0,), fold=range(6, len(head)), spare=(*range(6, len(head)), 1))
    for each in candidates:
        card = registry.entry(each.id).card
        ins = _input(each, card, service)
        own = None if each.cost_pico is None else each.cost_pico - each.fallback_pico
        out = None if own is None or ins is None else own - ins
        table.add(
            each.id, f"{each.input_tokens:,}", _usd(ins), _usd(out), _usd(each.fallback_pico), _usd(each.cost_pico),
            *([dated[each.id]] if len(head) > _DATED else []),
        )  # fmt: skip
    return table


def _input(each: Candidate, card: ModelCard, service: str) -> int | None:
    """Picodollars, what a call costs by itself and what is likely cached included."""
    tier = service or card.service_tier
    price = card.price.asked(tier) if card.price and tier else card.price
    whole = None if price is None else price.estimate(each.input_tokens, 0)
    return whole if whole is None or each.cost_pico is None else min(whole, each.cost_pico - each.fallback_pico)


_DATED = 6  # the place of the dates


def _usd(pico: int | None) -> str:
    return "?" if pico is None else money(pico)


def _dated(card: ModelCard) -> str:
    if card.price is None or not card.price.known:
        return "price unknown"
    return card.price.as_of or ""
