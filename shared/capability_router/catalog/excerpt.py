"""The parts of all cards that each decision reads, taken out once because they are the same for every request."""

from __future__ import annotations

from capability_router.catalog.card import ModelCard

Excerpt = tuple[ModelCard, str, int, int | None, int | None, tuple[int, int, int] | None]
"""The card and its id; how many answers it gives at once; the output tokens that a call of it gives at most if the
request asks for no limit, and that it can give at all, None = unstated; its price, see `Price.linear`, None = it has to
be asked for each call.

A plain tuple, because it is taken apart once per model and decision.
"""


def excerpt_of(card: ModelCard) -> Excerpt:
    """The price is that of the service tier that the model's calls ask for by themselves."""
    price = card.price
    if price is not None and card.service_tier:
        price = price.asked(card.service_tier)
    rates = None if price is None else price.linear
    own, most = card.output_reserve, card.max_output_tokens
    usual_most = min(own, most) if own and most else own or most
    return card, card.id, card.answers or 1, usual_most, most, rates
