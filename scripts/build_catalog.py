"""Builds the catalog's snapshot (shared/capability_router/catalog/data/models.json) from wheels.

    python -m pip download litellm --no-deps -d wheels
    python -m pip download langchain-openai --no-deps -d wheels       # and the other partner packages
    python scripts/build_catalog.py wheels --as-of 2026-11-23

Prices, limits and flags come from litellm's price file; the partner packages' model profiles (from
models.dev) give further windows and flags. Both are read as data, never imported. What
neither states stays out, which means unknown.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent.parent / "shared" / "capability_router" / "catalog" / "data" / "models.json"
Fields = dict[str, Any]
Models = dict[str, dict[str, Fields]]
Profiles = Mapping[str, Mapping[str, Any]]

PROVIDERS = {
    "openai": ("openai", ""), "anthropic": ("anthropic", ""), "gemini": ("google", "gemini/"),
    "vertex_ai-anthropic_models": ("google", "vertex_ai/"), "mistral": ("mistral", "mistral/"),
    "groq": ("groq", "groq/"), "deepseek": ("deepseek", "deepseek/"), "xai": ("xai", "xai/"),
    "cohere_chat": ("cohere", ""), "bedrock": ("bedrock", ""), "bedrock_converse": ("bedrock", ""),
    "azure": ("azure", "azure/"), "azure_ai": ("azure", "azure_ai/"), "together_ai": ("together", "together_ai/"),
    "fireworks_ai": ("fireworks", "fireworks_ai/"), "perplexity": ("perplexity", "perplexity/"),
    "moonshot": ("moonshot", "moonshot/"), "dashscope": ("alibaba", "dashscope/"), "zai": ("zai", "zai/"),
    "cerebras": ("cerebras", "cerebras/"), "minimax": ("minimax", "minimax/"),
}  # fmt: skip
"""litellm's provider -> (ours, the prefix of its keys)."""

PARTNERS = {
    "langchain_openai": "openai", "langchain_anthropic": "anthropic", "langchain_google_genai": "google",
    "langchain_mistralai": "mistral", "langchain_groq": "groq", "langchain_deepseek": "deepseek",
    "langchain_xai": "xai", "langchain_aws": "bedrock", "langchain_fireworks": "fireworks",
    "langchain_perplexity": "perplexity", "langchain_openrouter": "openrouter",
}  # fmt: skip
"""Partner package -> our provider."""

FLAGS = {
    "supports_function_calling": "tool_calling", "supports_tool_choice": "tool_choice",
    "supports_response_schema": "structured_output", "supports_vision": "image_inputs",
    "supports_pdf_input": "pdf_inputs", "supports_audio_input": "audio_inputs",
    "supports_video_input": "video_inputs", "supports_reasoning": "reasoning_output",
}  # fmt: skip
RATES = {
    "input_cost_per_token": "input_mtok", "output_cost_per_token": "output_mtok",
    "cache_read_input_token_cost": "cache_read_mtok", "cache_creation_input_token_cost": "cache_write_mtok",
    "input_cost_per_audio_token": "input_audio_mtok", "output_cost_per_audio_token": "output_audio_mtok",
}  # fmt: skip
_SAME = 0.98  # windows nearer than this differ only in how they were rounded
_ABOVE = re.compile(r"^(.+)_above_(\d+)k_tokens$")
_PRIVATE = re.compile(r"^(ft:gpt-3|together-ai-|.*(-exp-|lyria|robotics|deep-research|/container$))")
_DATE = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|20\d{6})$")
_REGION = re.compile(r"^(us|eu|apac|au|jp|ca|us-gov|global)\.")


def litellm_models(wheel: Path) -> Models:
    """Every chat model of the providers above, in card fields."""
    with zipfile.ZipFile(wheel) as archive:
        listed = json.loads(archive.read("litellm/model_prices_and_context_window_backup.json"))
    models: Models = {}
    for key, said in listed.items():
        provider, prefix = PROVIDERS.get(said.get("litellm_provider", ""), ("", ""))
        if provider and said.get("mode") in ("chat", "responses") and not _PRIVATE.match(key):
            name = key.removeprefix(prefix)
            if "/" not in name or provider in ("groq", "together", "fireworks", "perplexity"):
                models.setdefault(provider, {}).setdefault(name, _from_litellm(said))
    return models


def _from_litellm(said: Mapping[str, Any]) -> Fields:
    fields: Fields = {"context_window": _tokens(said, "max_input_tokens", "max_tokens")}
    fields["max_output_tokens"] = _tokens(said, "max_output_tokens")
    fields |= {ours: said[theirs] for theirs, ours in FLAGS.items() if isinstance(said.get(theirs), bool)}
    if said.get("supports_native_streaming") is False:
        fields["streaming"] = False
    fields["price"] = _price(said)
    return {name: value for name, value in fields.items() if value is not None}


def _tokens(said: Mapping[str, Any], *names: str) -> int | None:
    found = (said.get(name) for name in names)
    return next((int(value) for value in found if isinstance(value, (int, float)) and value > 0), None)


def _price(said: Mapping[str, Any]) -> Fields | None:
    """USD per million tokens; None when a side is missing, or both are 0 (which there means: not told)."""
    steps = said.get("tiered_pricing")
    plain = _rates({**steps[0], **said} if steps and "input_cost_per_token" not in said else said)
    if not {"input_mtok", "output_mtok"} <= plain.keys() or not (plain["input_mtok"] or plain["output_mtok"]):
        return None
    tiers = dict(_stepped(steps, plain)) if steps else dict(_tiers(said, plain))
    told = [{"above": above, "price": price} for above, price in sorted(tiers.items()) if price != plain]
    return {**plain, "tiers": told} if told else plain


def _rates(said: Mapping[str, Any]) -> Fields:
    """A cached token for 0 USD is taken as not told; so it falls back to the plain input price."""
    found = {ours: _mtok(said[theirs]) for theirs, ours in RATES.items() if isinstance(said.get(theirs), (int, float))}
    return {name: value for name, value in found.items() if value or name in ("input_mtok", "output_mtok")}


def _mtok(per_token: float) -> float | int:
    value = (Decimal(str(per_token)) * 1_000_000).quantize(Decimal("0.000001")).normalize()
    return int(value) if value == value.to_integral_value() else float(value)


def _tiers(said: Mapping[str, Any], plain: Fields) -> Iterator[tuple[int, Fields]]:
    stepped: dict[int, Fields] = {}
    for name, value in said.items():
        found = _ABOVE.match(name)
        if found and found[1] in RATES and value:
            stepped.setdefault(int(found[2]) * 1_000, dict(plain))[RATES[found[1]]] = _mtok(value)
    yield from stepped.items()


def _stepped(steps: list[Mapping[str, Any]], plain: Fields) -> Iterator[tuple[int, Fields]]:
    for step in steps[1:]:
        yield int(step["range"][0]), {**plain, **_rates(step)}


def profiles(wheel: Path) -> dict[str, Mapping[str, Any]]:
    """A partner package's model profiles, read as a literal."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith("data/_profiles.py"))
        tree = ast.parse(archive.read(name))
    value = next(node.value for node in tree.body if isinstance(node, ast.AnnAssign) and node.value is not None)
    found: dict[str, Mapping[str, Any]] = ast.literal_eval(value)
    return {key: said for key, said in found.items() if said.get("text_outputs") is not False}


def overlay(fields: Fields, said: Mapping[str, Any], *windows: int | None) -> Fields:
    """The fields and a profile together; where they disagree on a flag, it is unknown.

    (But a disputed choice of tools counts as no: unknown would follow from tool calling.) `windows` are
    other statements of the window.
    """
    laid = dict(fields)
    for name in FLAGS.values():
        told, known = said.get(name), fields.get(name)
        if isinstance(told, bool):
            agreed = told if known in (None, told) else (False if name == "tool_choice" else None)
            laid[name] = agreed
    laid.update(_windows(fields.get("context_window"), _tokens(said, "max_input_tokens"), *windows))
    laid.setdefault("max_output_tokens", _tokens(said, "max_output_tokens"))
    return {name: value for name, value in laid.items() if value is not None}


def _windows(*stated: int | None) -> Fields:
    """One source states the total window, another what it accepts as input: the largest and the smallest."""
    known = [value for value in stated if value]
    if not known or min(known) >= _SAME * max(known):
        return {"context_window": min(known, default=None)}
    return {"context_window": max(known), "max_input_tokens": min(known)}


def profile(models: dict[str, Fields], profiled: Profiles, elsewhere: Profiles) -> dict[str, Fields]:
    """One provider's models with its profiles; `elsewhere` = a reseller's, for the windows alone.

    Dated names that say the same as their undated one are left out when that one is profiled:
    look-ups find it.
    """
    plain = {name: _DATE.sub("", name) for name in models}
    copies = {n for n, p in plain.items() if p != n and p in profiled and models.get(p) == models[n]}
    made = {name: fields for name, fields in models.items() if name not in copies}
    for name, said in profiled.items():
        if name not in copies:
            resold = elsewhere.get(f"openai/{name}", {})
            made[name] = overlay(made.get(name, {}), said, _tokens(resold, "max_input_tokens"))
    return made


def without_copies(models: dict[str, Fields]) -> dict[str, Fields]:
    """Without empty entries and regional names that say the same as their plain one."""

    def copy(name: str, fields: Fields) -> bool:
        plain = _REGION.sub("", name)
        return plain != name and models.get(plain) == fields

    return {name: fields for name, fields in models.items() if fields and not copy(name, fields)}


def build(wheels: Path, as_of: str) -> dict[str, Any]:
    """The snapshot from the wheels in this folder."""
    found = {path.name.split("-")[0]: path for path in sorted(wheels.rglob("*.whl"))}
    models = litellm_models(found["litellm"])
    told = {provider: profiles(found[package]) for package, provider in PARTNERS.items() if package in found}
    for provider, profiled in told.items():
        elsewhere = told.get("openrouter", {}) if provider == "openai" else {}
        models[provider] = profile(models.get(provider, {}), profiled, elsewhere)
    used = {name: path.name.split("-")[1] for name, path in found.items() if name == "litellm" or name in PARTNERS}
    return {
        "schema": 1, "as_of": as_of, "sources": {name.replace("_", "-"): version for name, version in used.items()},
        "models": {provider: without_copies(models[provider]) for provider in sorted(models)},
    }  # fmt: skip


def lines(snapshot: Mapping[str, Any]) -> Iterator[str]:
    """JSON with one model per line, so that an update reads as a diff."""
    head = {name: value for name, value in snapshot.items() if name != "models"}
    yield json.dumps(head, sort_keys=True)[:-1] + ', "models": {'
    for i, (provider, models) in enumerate(snapshot["models"].items()):
        yield f"{',' if i else ''}{json.dumps(provider)}: {{"
        rows = [
            f"{json.dumps(n)}: {json.dumps(f, sort_keys=True, separators=(',', ':'))}"
            for n, f in sorted(models.items())
        ]
        yield ",\n".join(rows)
        yield "}"
    yield "}}"


def main() -> None:
    """Reads the wheels and writes the snapshot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheels", type=Path, help="the folder with the downloaded wheels")
    parser.add_argument("--as-of", default=f"{datetime.now(UTC):%Y-%m-%d}", help="the day the wheels were taken")
    parser.add_argument("--out", type=Path, default=DATA)
    given = parser.parse_args()
    snapshot = build(given.wheels, given.as_of)
    text = "\n".join(lines(snapshot)) + "\n"
    json.loads(text)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(text, encoding="utf-8")
    count = sum(map(len, snapshot["models"].values()))
    print(f"{count:,} models of {len(snapshot['models'])} providers, {len(text):,} characters -> {given.out}")


if __name__ == "__main__":
    main()
