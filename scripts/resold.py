"""Models that only resellers name, in their maker's part of the catalog: what they can do and hold, no prices.

A reseller's row says two kinds of things. That a model takes images or calls tools is true of it wherever it runs;
that it does not, how long an answer may be, what a parameter is called and what it costs may be the reseller's own.
So only windows and what a model can do are taken, each with the reseller's source and a mark: `resold`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from capability_router.catalog.aliases import canonical, loose
from capability_router.catalog.known.document import Book
from capability_router.catalog.known.statement import RESOLD, ModelFacts, Statement, settle

_WINDOWS = ("window", "context_window", "max_input_tokens")
_CAN = ("tool_calling", "image_inputs", "pdf_inputs", "audio_inputs", "video_inputs", "reasoning_output")
_MARKS = {"openrouter": "/", "oci": "."}
"""A reseller that names models after their makers -> what stands between maker and model."""
_SERVED = {
    "openrouter": {
        "alibaba": r"qwen3|qwen-vl-",
        "cohere": r"command-",
        "deepseek": r"deepseek-v\d",
        "inception": r"mercury-",
        "meta": r"muse-",
        "minimax": r"minimax-m\d",
        "tencent": r"hy\d",
        "xiaomi": r"mimo-",
        "zai": r"glm-[5-9]",
    },
    "oci": {"cohere": r"command-a-"},
}
"""Reseller -> maker -> the families that the maker serves itself, under this name.

Most of what is resold is none of these: open weights, which their maker need not serve, or names of the reseller's.
"""
_VERSION = re.compile(r"^(-\d[\d-]*)?(-latest)?$")

Said = Callable[[str, str], Mapping[str, list[Statement]]]
"""Provider, model -> what the sources say of it."""


class Resold(NamedTuple):
    """A maker's model, as one reseller names it."""

    maker: str
    model: str
    reseller: str
    name: str


def added(names: Mapping[str, Iterable[str]], said: Said, made: Book) -> Book:
    """Maker -> the models that its part lacks, with what is said of them. `names`: those of each reseller."""
    book: Book = {}
    for found in _lacking(sorted(_candidates(names)), made):
        known = _of_the_model(said(found.reseller, found.name))
        if known.fields:
            book.setdefault(found.maker, {}).setdefault(found.model, known)
    return book


def _candidates(names: Mapping[str, Iterable[str]]) -> Iterator[Resold]:
    for reseller, served in _SERVED.items():
        for name in names.get(reseller, ()):
            maker, _, model = name.partition(_MARKS[reseller])
            own_offer = ":" in name  # ':free', ':batch'
            family = None if own_offer else served.get(canonical(maker))
            if family and re.match(family, model):
                yield Resold(canonical(maker), model, reseller, name)


def _lacking(found: list[Resold], made: Book) -> Iterator[Resold]:
    """Those of which the maker's part has no version, and no further version is resold."""
    for item in found:
        own = {loose(name) for name in made.get(item.maker, {})}
        others = {loose(other.model) for other in found if other.maker == item.maker} - {loose(item.model)}
        name = loose(item.model)
        if not any(_is_version(name, base) for base in own) and not any(_is_version(o, name) for o in own | others):
            yield item


def _is_version(name: str, base: str) -> bool:
    """'command-a-plus-05-2026' of 'command-a-plus'."""
    return name.startswith(base) and bool(_VERSION.match(name[len(base) :]))


def _of_the_model(said: Mapping[str, list[Statement]]) -> ModelFacts:
    kept = {name: said[name] for name in _WINDOWS if name in said}
    for name in _CAN:
        if yes := [statement for statement in said.get(name, ()) if statement.value is True]:
            kept[name] = yes
    known = settle(kept)
    return ModelFacts(known.fields, {name: f"{RESOLD}{origin}" for name, origin in known.origins.items()}, known.doubts)
