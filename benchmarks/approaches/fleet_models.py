"""Models as their makers describe them: prices of 2024, true windows, the limits that the account has.

Prices are those of the data's own README (list or common hosted prices, USD per million tokens); Gemini's double above
128,000 input tokens, as they did. A ladder bends them: each price's distance from the strongest model's, as a factor,
is raised to a power. 1 is the list; the others are made up.
"""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.approaches.speeds import SPEEDS, Speed
from capability_router.catalog.card import ModelCard
from capability_router.money.price import Price, Tier

LADDERS = {"list": 1.0, "narrow": 0.6, "wide": 1.4}
DEAR, DEAR_RPM, USUAL_RPM = 4.0, 360, 1_000
"""A model whose output costs DEAR or more is lent fewer requests per minute. 1,000 is what Google announced for Gemini
1.5 Flash (developers.googleblog.com, 30 May 2024); 360 for the dear ones is assumed."""
_DOUBLED = 128_000
_PRICES = {
    "gemini-1.5-flash": (0.075, 0.3), "gemini-1.5-pro": (1.25, 5.0), "llama-3.1-70b-instruct": (0.88, 0.88),
    "llama-3.1-8b-instruct": (0.18, 0.18), "gpt-4o-2024-08-06": (2.5, 10.0), "gpt-4o-mini-2024-07-18": (0.15, 0.6),
    "gpt-3.5-turbo-0125": (0.5, 1.5), "claude-3-5-haiku-20241022": (0.8, 4.0),
    "claude-3-5-sonnet-20241022": (3.0, 15.0), "claude-3-haiku-20240307": (0.25, 1.25),
    "claude-3-opus-20240229": (15.0, 75.0), "deepseek-v2.5-0908": (0.14, 0.28), "mistral-large-2": (2.0, 6.0),
    "qwen2-72b-instruct": (0.9, 0.9), "gemma-2-9b-it": (0.3, 0.3), "gemma-2-2b-it": (0.1, 0.1),
    "mistral-7b-instruct-v0.2": (0.2, 0.2), "mistral-7b-instruct-v0.3": (0.2, 0.2),
    "mixtral-8x7b-instruct-v0.1": (0.6, 0.6), "command-r-v01": (0.5, 1.5), "mathstral-7b": (0.2, 0.2),
    "phi-3-mini-4k-instruct": (0.13, 0.52), "qwen1.5-7b-chat": (0.2, 0.2), "yi-6b-chat": (0.2, 0.2),
    "jamba-1.5-large": (2.0, 8.0), "qwen1.5-72b-chat": (0.9, 0.9), "codegemma-7b": (0.2, 0.2),
    "llama3-chatqa-1.5-8b": (0.2, 0.2), "qwen2.5-7b-instruct": (0.2, 0.2), "llama3-chatqa-1.5-70b": (0.9, 0.9),
    "llama-3.1-nemotron-51b-instruct": (0.9, 0.9), "llama-3.3-nemotron-super-49b-v1": (0.9, 0.9),
}  # fmt: skip
_WINDOWS = {
    "gemini-1.5-flash": 1_048_576, "gemini-1.5-pro": 2_097_152, "gpt-4o-2024-08-06": 128_000,
    "gpt-4o-mini-2024-07-18": 128_000, "gpt-3.5-turbo-0125": 16_385, "claude-3-5-haiku-20241022": 200_000,
    "claude-3-5-sonnet-20241022": 200_000, "claude-3-haiku-20240307": 200_000, "claude-3-opus-20240229": 200_000,
    "gemma-2-9b-it": 8_192, "gemma-2-2b-it": 8_192, "codegemma-7b": 8_192, "llama3-chatqa-1.5-8b": 8_192,
    "llama3-chatqa-1.5-70b": 8_192, "mathstral-7b": 32_768, "mistral-7b-instruct-v0.2": 32_768,
    "mistral-7b-instruct-v0.3": 32_768, "mixtral-8x7b-instruct-v0.1": 32_768, "qwen1.5-7b-chat": 32_768,
    "qwen1.5-72b-chat": 32_768, "phi-3-mini-4k-instruct": 4_096, "yi-6b-chat": 4_096, "jamba-1.5-large": 262_144,
    "command-r-v01": 128_000, "deepseek-v2.5-0908": 128_000,
}  # fmt: skip
_WINDOW = 131_072  # of those that are not named: Llama 3.1, Mistral Large 2, Qwen 2 and 2.5, Nemotron


class FleetModel(NamedTuple):
    """One model of a fleet. Prices in USD per million tokens, `above` = (input tokens, price in, price out)."""

    name: str
    price: tuple[float, float]
    above: tuple[int, float, float] | None
    window: int
    rpm: int
    speed: Speed

    def card(self) -> ModelCard:
        """What the router is told: nothing of its quality."""
        tiers = () if self.above is None else (Tier(self.above[0], Price(*self.above[1:])),)
        return ModelCard(
            id=self.name, provider="sim", model=self.name, context_window=self.window,
            max_output_tokens=min(8_192, self.window // 2), price=Price(*self.price, tiers=tiers),
            limits={"rpm": self.rpm},
            latency={"ttft_s": self.speed.ttft_s, "tokens_per_s": self.speed.tokens_per_s},
        )  # fmt: skip


def fleet(models: list[str], strongest: str, ladder: str) -> list[FleetModel]:
    """These models, in this order, at the prices of a ladder."""
    return [_member(model, _PRICES[strongest], LADDERS[ladder]) for model in models]


def _member(model: str, reference: tuple[float, float], power: float) -> FleetModel:
    pair = tuple(round(to * (own / to) ** power, 6) for own, to in zip(_PRICES[model], reference, strict=True))
    price = (pair[0], pair[1])
    above = (_DOUBLED, 2.0 * price[0], 2.0 * price[1]) if model.startswith("gemini") else None
    rpm = DEAR_RPM if _PRICES[model][1] >= DEAR else USUAL_RPM
    return FleetModel(model, price, above, _WINDOWS.get(model, _WINDOW), rpm, SPEEDS[model])
