"""Scored requests of known structure, as no benchmark has it: what a learner ought to find is written here."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from capability_router.learning.quality.memory import Remembered, ScoredResult
from capability_router.learning.quality.model import QualityModel
from capability_router.learning.quality.sketch import sketch
from capability_router.learning.quality.traits import traits
from capability_router.request import Request

KINDS = {
    "contract": "the clause of the contract obliges the tenant to notify the landlord in writing",
    "integral": "evaluate the integral of the polynomial over the interval and simplify",
    "poem": "write a short poem about autumn leaves and the sea in a calm voice",
    "bug": "the function raises an exception in the loop when the list is empty",
}
CHANCE: Mapping[str, Mapping[str, float]] = {
    "contract": {"lawyer": 0.95, "coder": 0.45, "cheap": 0.5},
    "integral": {"lawyer": 0.3, "coder": 0.6, "cheap": 0.1},
    "poem": {"lawyer": 0.9, "coder": 0.9, "cheap": 0.9},
    "bug": {"lawyer": 0.4, "coder": 0.95, "cheap": 0.5},
}
"""How likely each model does each kind of request well: kinds are hard or easy for all, and two models have a trade."""
MODELS = ("lawyer", "coder", "cheap")
TOKENS = {"lawyer": 400, "coder": 200, "cheap": 50}
NOTHING_BELIEVED = [(model, 0.6) for model in MODELS]


class World:
    """Draws requests and what models make of them."""

    def __init__(self, seed: int = 1) -> None:
        self.dice = Random(seed)
        self.asked = 0

    def prompt(self, kind: str) -> str:
        words = KINDS[kind].split()
        return " ".join(self.dice.sample(words, len(words) - 3)) + f" {self.dice.randrange(1000)}"

    def kind(self) -> str:
        return self.dice.choice(list(KINDS))

    def result(self, kind: str, model: str) -> ScoredResult:
        long = TOKENS[model] * (2 if kind == "poem" else 1)
        return ScoredResult(float(self.dice.random() < CHANCE[kind][model]), round(long * self.dice.uniform(0.8, 1.25)))

    def row(self, prompt: str) -> Remembered:
        self.asked += 1
        return Remembered(f"request {self.asked}", sketch(traits(Request((prompt,)))), text=prompt.encode())

    def log(self, size: int, share: float = 1.0) -> list[tuple[Remembered, dict[str, ScoredResult]]]:
        """Requests with the results of all models, or of each with this chance."""
        rows = []
        for kind in (self.kind() for _ in range(size)):
            asked = [model for model in MODELS if self.dice.random() < share]
            rows.append((self.row(self.prompt(kind)), {model: self.result(kind, model) for model in asked}))
        return rows


def predicted(quality: QualityModel, kind: str, world: World) -> dict[str, float]:
    """The mean over ten new requests of a kind."""
    sums = dict.fromkeys(MODELS, 0.0)
    for _ in range(10):
        found = quality.expect(traits(Request((world.prompt(kind),))), NOTHING_BELIEVED)
        for model, value in zip(MODELS, found.quality.tolist(), strict=True):
            sums[model] += value / 10
    return sums
