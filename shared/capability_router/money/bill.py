"""The cost of a call as its provider states it. It takes precedence over every price.

OpenRouter, gateways   usage.cost; with the user's own key at the model's maker (`is_byok`) that is
                       OpenRouter's fee alone, and cost_details.upstream_inference_cost is due beside it
Perplexity             usage.cost.total_cost
xAI                    usage.cost_in_usd_ticks, 10,000,000,000 of which are one USD
LiteLLM's proxy        the header x-litellm-response-cost. It goes out before a stream has begun,
                       so that of a stream it says nothing
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context, Decimal, InvalidOperation
from typing import Any

COST_HEADER = "x-litellm-response-cost"
_TICKS = Decimal(10) ** 10
_EXACT = Context(prec=100)  # the caller's own may round
_LARGEST = 60  # decimal exponent of an amount


def billed(
    usage: Mapping[str, Any], headers: Mapping[str, str] | None = None, *, stream: bool = False
) -> Decimal | None:
    """The bill in USD; None = the provider states none.

    `usage`: the counts as they came; `headers`: lower-case names. A proxy's bill goes before that of
    whom it passed the call on to.
    """
    if headers and not stream and (cost := _amount(headers.get(COST_HEADER))) is not None:
        return cost
    cost = _amount(usage.get("cost"))
    if cost is None:
        ticks = _amount(usage.get("cost_in_usd_ticks"))
        return None if ticks is None else _EXACT.divide(ticks, _TICKS)
    return _EXACT.add(cost, _upstream(usage, cost))


def _upstream(usage: Mapping[str, Any], fee: Decimal) -> Decimal:
    """What the model's maker charges beside OpenRouter, whose own account is charged no less than the maker's price."""
    details = usage.get("cost_details")
    upstream = _amount(details.get("upstream_inference_cost")) if isinstance(details, Mapping) else None
    own_key = usage.get("is_byok")
    if upstream is None or own_key is False or (own_key is None and upstream <= fee):
        return Decimal(0)
    return upstream


def _amount(value: Any) -> Decimal | None:
    """A number, a text of one, or an object with a total; None for anything else: NaN, below 0, beyond all money."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        value = value.get("total_cost")
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 and not (amount and amount.adjusted() > _LARGEST) else None
