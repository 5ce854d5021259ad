"""genai-prices' data, read from a wheel's source text, never imported: a second opinion on prices.

Its data are calls of classes with literal arguments; each call becomes a mapping of its keywords.
"""

from __future__ import annotations

import ast
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from capability_router.catalog.updates.sources.listing import Fields, known, mtok, priced
from capability_router.money.price import RATES

_OWN_NAMES = (
    "anthropic", "arcee", "azure", "baseten", "cerebras", "cloudflare", "cohere", "databricks", "deepseek", "fireworks",
    "google", "groq", "meta", "minimax", "mistral", "novita", "openai", "openrouter", "perplexity", "together", "zai",
)  # fmt: skip
PROVIDERS = {
    "x-ai": "xai", "moonshotai": "moonshot", "aws": "bedrock", "zhipuai": "bigmodel",
    **{name: name for name in _OWN_NAMES},
}  # fmt: skip
"""Their provider -> ours."""

_SERVICES = {
    ("processing", "batch"): "batch", ("service_tier", "flex"): "flex", ("service_tier", "priority"): "priority",
}  # fmt: skip
_NO_CHAT = re.compile(
    r"(embed|whisper|tts|transcribe|rerank|image|live|realtime|ocr|moderation|davinci|voice|banana|voyage"
    r"|decider|guard|:free$)"
)
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "starts_with": str.startswith, "ends_with": str.endswith, "contains": str.__contains__, "equals": str.__eq__,
    "regex": lambda name, pattern: re.search(pattern, name) is not None,
}  # fmt: skip


class Prices:
    """Per provider, the models with what they match."""

    def __init__(self, wheel: Path, day: date) -> None:
        with zipfile.ZipFile(wheel) as archive:
            tree = ast.parse(archive.read("genai_prices/data.py"))
        listed = next(node.value for node in tree.body if isinstance(node, ast.AnnAssign) and node.value)
        self.day = day
        self.models = {PROVIDERS[p["id"]]: p["models"] for p in _value(listed) if p["id"] in PROVIDERS}

    def said(self, provider: str, model: str) -> Fields | None:
        """What it says of a model of ours, by its own rules of matching."""
        name = model.lower()
        found = next((m for m in self.models.get(provider, ()) if _matches(m["match"], name)), None)
        return None if found is None else self._fields(found)

    def own(self, provider: str) -> Iterator[tuple[str, Fields]]:
        """Its chat models by id, those with both prices that are not marked as deprecated."""
        for model in self.models.get(provider, ()):
            if not self.left_out(provider, model["id"]):
                yield model["id"], self._fields(model)

    def left_out(self, provider: str, model: str) -> str:
        """Why one of its models is not taken; '' for one that is."""
        found = next(m for m in self.models[provider] if m["id"] == model)
        if _NO_CHAT.search(model.lower()):
            return "no chat model, or a free route to one"
        if found.get("deprecated"):
            return "deprecated"
        return "" if "price" in self._fields(found) else "without a price of both sides"

    def names(self, provider: str) -> Iterator[tuple[str, str]]:
        """Every name that it holds for one of its models by equality -> the model's id."""
        for model in self.models.get(provider, ()):
            for name in _equals(model["match"]):
                yield name, model["id"]

    def _fields(self, model: Mapping[str, Any]) -> Fields:
        price = _price(self._active(model["prices"]))
        for variant in model.get("price_variants") or () if price else ():
            service = next((_SERVICES.get(pair) for pair in variant["when"].items()), None)
            own = _price({**self._active(model["prices"]), **variant["prices"]})
            if service and own and own != price:
                price = {**price, "services": {**price.get("services", {}), service: own}}
        return known({"window": model.get("context_window"), "price": price})

    def _active(self, prices: Any) -> Mapping[str, Any]:
        """Today's price; of several by the time of the day the dearest."""
        if isinstance(prices, Mapping):
            return prices
        held = [p["prices"] for p in prices if self._holds(p.get("constraint"))] or [prices[0]["prices"]]
        timed = [p["prices"] for p in prices if "start_time" in (p.get("constraint") or {})]
        return max([held[-1], *timed], key=lambda p: _base(p.get("input_mtok", 0)))

    def _holds(self, constraint: Mapping[str, Any] | None) -> bool:
        if not constraint:
            return True
        return "start_date" in constraint and date(*constraint["start_date"]["args"]) <= self.day


def _value(node: ast.AST) -> Any:
    """A literal; a call as the mapping of its keywords, its positional arguments as 'args'."""
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        args = [_value(arg) for arg in node.args]
        return (
            float(args[0])
            if name == "Decimal"
            else {"args": args, **{k.arg or "": _value(k.value) for k in node.keywords}}
        )
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {_value(k): _value(v) for k, v in zip(node.keys, node.values, strict=True) if k is not None}
    return None if isinstance(node, ast.Attribute) else ast.literal_eval(node)


def _matches(clause: Mapping[str, Any], name: str) -> bool:
    if "or_" in clause:
        return any(_matches(part, name) for part in clause["or_"])
    if "and_" in clause:
        return all(_matches(part, name) for part in clause["and_"])
    return any(kind in clause and test(name, clause[kind]) for kind, test in _TESTS.items())


def _equals(clause: Mapping[str, Any]) -> Iterator[str]:
    if "equals" in clause:
        yield clause["equals"]
    for part in clause.get("or_", ()):
        yield from _equals(part)


def _base(rate: Any) -> float:
    return float(rate["base"] if isinstance(rate, Mapping) else rate)


def _price(prices: Mapping[str, Any]) -> Fields | None:
    told = {name: prices[name] for name in RATES if prices.get(name) is not None}
    plain = priced({name: mtok(_base(rate), per=1_000_000) for name, rate in told.items()})
    if plain is None:
        return None
    starts = sorted({t["start"] for rate in told.values() if isinstance(rate, Mapping) for t in rate["tiers"]})
    tiers = [{"above": start, "price": {**plain, **_above(told, start)}} for start in starts]
    return known({**plain, "tiers": tiers})


def _above(told: Mapping[str, Any], start: int) -> Fields:
    rates: Fields = {}
    for name, rate in told.items():
        for tier in rate["tiers"] if isinstance(rate, Mapping) else ():
            if tier["start"] <= start:
                rates[name] = mtok(tier["price"], per=1_000_000)
    return rates
