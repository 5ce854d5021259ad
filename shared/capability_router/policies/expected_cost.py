"""The expected cost of a call: its own price, and the next model's in case it fails.

The first ranking says which model would be asked next. Each model's cost is then raised by the cost of the following
models, times the share of its calls that failed lately, and the policy judges again. If no usable model has failed
lately, there is nothing to add, and one judgement is enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from capability_router.policies.base import EligibleModel, Terms


def with_fallbacks(
    rows: Sequence[EligibleModel], order: Sequence[int], failing: Mapping[str, float]
) -> list[EligibleModel]:
    """The rows, in their own order, with the expected cost of the fallbacks if they fail.

    `order`: their indices, the first to be tried in front. `failing`: id -> chance of a failure, 0 to 1; a model
    without an entry does not fail. An unknown price stays unknown, and adds nothing to the rows before it.
    """
    raised, rest = list(rows), 0.0
    for at in reversed(order):
        row = rows[at]
        own = row.cost_pico
        if own is None or row.held:
            continue
        added = failing.get(row.card.id, 0.0) * rest
        if extra := int(added):
            raised[at] = row.dearer(extra)
        rest = own + added
    return raised


def shown(terms: Terms, row: EligibleModel) -> Terms:
    """The terms of a score, with the fallbacks' part of the cost as a separate term."""
    if not row.fallback_pico or not row.cost_pico:
        return terms
    share = row.fallback_pico / row.cost_pico
    at = next((at for at, (name, _) in enumerate(terms) if name == "cost"), None)
    if at is None:
        return terms
    value = terms[at][1]
    return (*terms[:at], ("cost", value * (1 - share)), ("fallback", value * share), *terms[at + 1 :])


def remarks(before: Iterable[str], rows: Iterable[EligibleModel], failing: Mapping[str, float]) -> tuple[str, ...]:
    """The existing remarks, and a line for each model whose expected cost is above its own, with the reason."""
    told = [
        f"{row.card.id}: fails with a chance of {failing[row.card.id]:.0%} (recent calls), "
        f"so its expected cost includes ${row.fallback_pico / 1e12:.6f} for another model"
        for row in rows
        if row.fallback_pico
    ]
    return (*before, *told)
