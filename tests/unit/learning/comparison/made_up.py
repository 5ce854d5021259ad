"""Made-up logs of a known structure: a strong and a weak model, requests that are hard for the weak one or for both."""

from __future__ import annotations

from random import Random
from typing import Any

USD = {"strong": 0.01, "weak": 0.001}
EASY = ("greet the guest", "translate this line", "tidy up the list", "spell this name")
HARD = ("prove the theorem", "derive the formula", "refute the lemma", "integrate the series")


def outcomes(size: int, *, pays: bool, seed: int = 0) -> list[dict[str, Any]]:
    """A table: where routing pays, the weak model fails what is hard and the words tell what is; else chance alone."""
    dice, rows = Random(seed), []
    for i in range(size):
        hard = dice.random() < 0.5
        prompt = f"{dice.choice(HARD if hard else EASY)} of {dice.choice(('Ann', 'Ben', 'Cy', 'Dee'))} {i}"
        good = {"strong": 0.9, "weak": (0.15 if hard else 0.95) if pays else 0.5}
        told = {
            model: {"score": float(dice.random() < chance), "output_tokens": 50, "cost_usd": USD[model]}
            for model, chance in good.items()
        }
        rows.append({"id": f"r{seed}-{i}", "prompt": prompt, "outcomes": told})
    return rows


def one_each(rows: list[dict[str, Any]], seed: int = 0) -> list[dict[str, Any]]:
    """The same with one model's outcome per request, drawn by lot: what a log of live traffic holds."""
    dice = Random(seed)
    return [{**row, "outcomes": dict([dice.choice(list(row["outcomes"].items()))])} for row in rows]
