"""Builds the catalog's snapshot (shared/capability_router/catalog/data) from wheels.

    python -m pip download litellm --no-deps -d wheels
    python -m pip download langchain-openai --no-deps -d wheels       # the other partner packages, genai-prices
    python scripts/build_catalog.py wheels --as-of 2026-11-25 --published litellm=2026-11-20 ...

Prices, limits and flags come from litellm's price file; the partner packages' model profiles (from
models.dev) give further windows, flags and effort levels; genai-prices is the second opinion on prices, and names
models that the others lack. All are read as data, never imported. What nobody states stays out: unknown.
`--missing` lists what the others know and the catalog doesn't.
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))  # its neighbours, when it is not run as a script

import langchain_profiles
import resold
import second_opinion

from capability_router.catalog.aliases import loose, spellings, undated
from capability_router.catalog.known import document
from capability_router.catalog.known.document import Book, CatalogSource
from capability_router.catalog.known.statement import ModelFacts, Statement, is_copy, settle
from capability_router.catalog.updates.sources import litellm
from capability_router.catalog.updates.sources.listing import Fields

DATA = Path(__file__).parent.parent / "shared" / "capability_router" / "catalog" / "data"
KEPT = (
    "openai", "anthropic", "google", "mistral", "groq", "deepseek", "xai", "cohere", "bedrock", "azure", "together",
    "fireworks", "perplexity", "moonshot", "alibaba", "zai", "cerebras", "minimax", "openrouter", "meta", "ai21",
    "nvidia", "huggingface", "sambanova", "deepinfra", "nebius", "baseten", "databricks", "cloudflare", "watsonx",
    "tencent", "volcengine", "xiaomi", "inception", "arcee", "bigmodel", "sarvam", "gigachat", "cognition",
    "novita", "hyperbolic", "scaleway", "wandb", "friendliai", "lambda_ai", "nscale", "crusoe", "snowflake", "oci",
    "morph", "v0",
)  # fmt: skip
"""The providers of the snapshot."""


class Wheel(NamedTuple):
    """A downloaded package."""

    name: str
    version: str
    path: Path


class Told(NamedTuple):
    """What one source says of one provider's models."""

    source: str
    models: Mapping[str, Fields]

    def of(self, model: str) -> Fields:
        """What it says of a model; a profile also holds for the same model with or without its date."""
        if model in self.models or not self.source.startswith("langchain-"):
            return self.models.get(model, {})
        plain = next((name for name in spellings(model) if name in self.models), None)
        dated = max((name for name in self.models if undated(name) == model), default=None)
        return self.models.get(plain or dated or "", {})


def wheels_in(folder: Path) -> dict[str, Wheel]:
    """Package (with underscores) -> its wheel."""
    found = {}
    for path in sorted(folder.rglob("*.whl")):
        name, version, *_ = path.name.split("-")
        found[name] = Wheel(name.replace("_", "-"), version, path)
    return found


def litellm_models(wheel: Path) -> dict[str, dict[str, Fields]]:
    """litellm's list, as it lies in its wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return litellm.read(json.loads(archive.read("litellm/model_prices_and_context_window_backup.json")))


def gathered(found: Mapping[str, Wheel]) -> dict[str, list[Told]]:
    """Provider -> what each source says of its models, the most trusted first."""
    told: dict[str, list[Told]] = {name: [] for name in KEPT}
    for provider, models in litellm_models(found["litellm"].path).items():
        if provider in told:
            told[provider].append(Told("litellm", models))
    for package, provider in langchain_profiles.PARTNERS.items():
        if package in found:
            told[provider].append(Told(found[package].name, langchain_profiles.read(found[package].path)))
    return told


def statements(sources: list[Told], model: str) -> dict[str, list[Statement]]:
    """Field -> what is said of it."""
    said: dict[str, list[Statement]] = {}
    for told in sources:
        for name, value in told.of(model).items():
            said.setdefault(name, []).append(Statement(told.source, value))
    return said


def reseller(told: Mapping[str, list[Told]], provider: str, model: str) -> list[Statement]:
    """What OpenRouter's profile says of an OpenAI model's window: the two packages mean different ones."""
    if provider != "openai":
        return []
    resold = next((t for t in told.get("openrouter", ()) if t.source == "langchain-openrouter"), None)
    window = resold.models.get(f"openai/{model}", {}).get("window") if resold else None
    return [Statement("langchain-openrouter", window)] if resold and window else []


def hear_on_price(said: dict[str, list[Statement]], fields: Fields | None) -> None:
    """genai-prices is heard on the price; on the window only where nobody else says one."""
    for name, value in (fields or {}).items():
        if name == "price" or name not in said:
            said.setdefault(name, []).append(Statement("genai-prices", value))


def book(told: Mapping[str, list[Told]], prices: second_opinion.Prices | None) -> Book:
    """Everything that is known, settled, without copies under dates and regions."""
    made: Book = {}
    for provider, sources in told.items():
        known: dict[str, ModelFacts] = {}
        every = {model: statements(sources, model) for model in sorted({name for t in sources for name in t.models})}
        for model in [name for name in every if not is_copy(every, name)]:
            said = every[model]
            said.setdefault("window", []).extend(reseller(told, provider, model))
            if prices:
                hear_on_price(said, prices.said(provider, model))
            known[model] = settle({name: told_ for name, told_ in said.items() if told_})
        named = {loose(name) for name in known}
        for model, fields in prices.own(provider) if prices else ():
            if not any(loose(name) in named for name in spellings(model)):
                known[model] = settle({name: [Statement("genai-prices", v)] for name, v in fields.items()})
        made[provider] = {name: k for name, k in known.items() if k.fields}
    for maker, models in resold.added(made, _resellers_word(told, prices), made).items():
        made[maker] |= models
    return {provider: models for provider, models in made.items() if models}


def _resellers_word(told: Mapping[str, list[Told]], prices: second_opinion.Prices | None) -> resold.Said:
    """What all sources say of a reseller's model."""

    def said(reseller: str, model: str) -> dict[str, list[Statement]]:
        found = statements(told[reseller], model)
        hear_on_price(found, prices.said(reseller, model) if prices else None)
        return found

    return said


def aliases(models: Mapping[str, ModelFacts], provider: str, prices: second_opinion.Prices | None) -> dict[str, str]:
    """Further names of models, as genai-prices holds them, where no spelling leads there anyway."""
    alike = {loose(name) for name in models}
    named = {name: model for name, model in prices.names(provider) if model in models} if prices else {}
    found = (n for n in named if not any(s in models or loose(s) in alike for s in spellings(n)))
    return {name: named[name] for name in sorted(found)}


def missing(made: Book, told: Mapping[str, list[Told]], prices: second_opinion.Prices) -> Iterator[str]:
    """What a source names and no spelling of the catalog answers to."""
    for provider in KEPT:
        names = {name: "langchain" for t in told[provider] for name in t.models}
        names |= {model["id"]: "genai-prices" for model in prices.models.get(provider, ())}
        for name, source in sorted(names.items()):
            if not {loose(spelled) for spelled in spellings(name)} & {loose(n) for n in made.get(provider, {})}:
                why = prices.left_out(provider, name) if source == "genai-prices" else ""
                yield f"{provider}:{name} ({source}: {why or 'not explained'})"


def write(made: Book, named: Mapping[str, dict[str, str]], sources: list[CatalogSource], as_of: str, out: Path) -> int:
    """One file per provider and an index; what was there is replaced. Gives the bytes written."""
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.json"):
        old.unlink()
    index: dict[str, Any] = {**document.head(as_of, sources), "providers": {p: len(m) for p, m in sorted(made.items())}}
    (out / "index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    for provider, models in made.items():
        part = {**document.stored(models), "aliases": named[provider]}
        text = "\n".join(document.lines(part)) + "\n"
        json.loads(text)
        (out / f"{provider}.json").write_text(text, encoding="utf-8")
    return sum(path.stat().st_size for path in out.glob("*.json"))


def sources_of(
    found: Mapping[str, Wheel], told: Mapping[str, list[Told]], made: Book, days: Mapping[str, str], as_of: str
) -> list[CatalogSource]:
    """The packages that were used, with the days on which they were published."""
    counts = {"genai-prices": sum(1 for p in made.values() for k in p.values() if "genai-prices" in k.sources("price"))}
    for provider in told.values():
        for source, models in provider:
            counts[source] = counts.get(source, 0) + len(models)
    versions = {wheel.name: wheel.version for wheel in found.values()}
    return [CatalogSource(n, versions[n], days.get(n, as_of), c) for n, c in sorted(counts.items()) if n in versions]


def main() -> None:
    """Reads the wheels and writes the snapshot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheels", type=Path, help="the folder with the downloaded wheels")
    parser.add_argument("--as-of", default=f"{datetime.now(UTC):%Y-%m-%d}", help="the day the wheels were taken")
    parser.add_argument(
        "--published", nargs="*", default=[], metavar="PACKAGE=DAY", help="when a package was published"
    )
    parser.add_argument("--out", type=Path, default=DATA)
    parser.add_argument("--missing", action="store_true", help="list what the sources name and the catalog lacks")
    given = parser.parse_args()
    found = wheels_in(given.wheels)
    told = gathered(found)
    prices = (
        second_opinion.Prices(found["genai_prices"].path, date.fromisoformat(given.as_of))
        if "genai_prices" in found
        else None
    )
    made = book(told, prices)
    days = dict(pair.split("=", 1) for pair in given.published)
    named = {provider: aliases(models, provider, prices) for provider, models in made.items()}
    size = write(made, named, sources_of(found, told, made, days, given.as_of), given.as_of, given.out)
    print(f"{sum(map(len, made.values())):,} models of {len(made)} providers, {size:,} bytes -> {given.out}")
    for line in missing(made, told, prices) if given.missing and prices else ():
        print("lacks", line)


if __name__ == "__main__":
    main()
