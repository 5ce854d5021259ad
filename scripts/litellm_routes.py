"""What LiteLLM's own Router does with the configurations that our import is tested on.

    PYTHON scripts/litellm_routes.py tests/unit/migration/configs/*.yaml > tests/unit/migration/litellm_routes.json

PYTHON has the litellm that is to be asked (`benchmarks/peers` pins one). Of each name: which models are asked in turn
when each call fails, and how often each is the first of 2,000 requests. Nothing is sent: the call itself is replaced.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # no download of prices

import litellm
import yaml

_LIBRARY = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "default_fallbacks", "max_fallbacks")
_APART = ("provider_budget_config", "redis_host", "redis_port", "redis_password", "optional_pre_call_checks")


def router_of(values: dict[str, Any]) -> litellm.Router:
    """As the proxy makes it, without Redis, budgets, retries and cooldowns."""
    settings = dict(values.get("router_settings") or {})
    library = values.get("litellm_settings") or {}
    settings |= {key: library[key] for key in _LIBRARY if key in library and key not in settings}
    if "router_settings" not in values and "litellm_settings" not in values:
        settings |= {key: value for key, value in values.items() if key not in ("model_list", "general_settings")}
    known = litellm.Router.get_valid_args()
    settings = {key: value for key, value in settings.items() if key in known and key not in _APART}
    settings |= {"num_retries": 0, "disable_cooldowns": True, "set_verbose": False}
    return litellm.Router(model_list=values["model_list"], ignore_invalid_deployments=True, **settings)


async def asked(router: litellm.Router, name: str, error: str, tag: str | None) -> list[str]:
    """The models of all calls, each of which fails."""
    found: list[str] = []

    async def fails(*_: Any, **keywords: Any) -> None:
        found.append(str(keywords.get("model")))
        raise getattr(litellm, error)(message="no", model=str(keywords.get("model")), llm_provider="openai")

    real, litellm.acompletion = litellm.acompletion, fails
    try:
        await router.acompletion(model=name, messages=[{"role": "user", "content": "hi"}], **_tagged(tag))
    except Exception as failure:  # noqa: BLE001 - the last one is what the caller would see; the calls are what counts
        return found or [type(failure).__name__]
    finally:
        litellm.acompletion = real
    return found


async def firsts(router: litellm.Router, name: str, tag: str | None) -> dict[str, int]:
    """Model -> how many of 2,000 requests it is picked for."""
    counts: Counter[str] = Counter()
    for _ in range(2_000):
        deployment = await router.async_get_available_deployment(
            model=name, request_kwargs=_tagged(tag), messages=[{"role": "user", "content": "hi"}]
        )
        counts[deployment["litellm_params"]["model"]] += 1
    return dict(sorted(counts.items()))


def _tagged(tag: str | None) -> dict[str, Any]:
    return {"metadata": {"tags": [tag]}} if tag else {"metadata": {}}


def names_of(values: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Every name without a star, with each tag where tags filter."""
    models = values["model_list"]
    groups = [model["model_name"] for model in models if "*" not in model["model_name"]]
    settings = values.get("router_settings") or values
    names: list[tuple[str, str | None]] = [
        (name, None) for name in (*groups, *(settings.get("model_group_alias") or {}))
    ]
    if settings.get("enable_tag_filtering"):
        tags = ((m["model_name"], tag) for m in models for tag in m["litellm_params"].get("tags") or ())
        names += [(name, tag) for name, tag in tags if tag != "default"]
    return list(dict.fromkeys(names))


def read(path: Path) -> dict[str, Any]:
    """YAML or JSON."""
    text = path.read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    return values


async def routes(values: dict[str, Any]) -> dict[str, Any]:
    """Of one configuration."""
    router, found = router_of(values), {}
    for name, tag in names_of(values):
        try:
            picked = await firsts(router, name, tag)
        except Exception as error:  # noqa: BLE001 - this litellm knows no deployment of the group
            picked = {"error": type(error).__name__}
        found[f"{name}+{tag}" if tag else name] = {
            "asked": await asked(router, name, "InternalServerError", tag),
            "refused": await asked(router, name, "ContentPolicyViolationError", tag),
            "firsts": picked,
        }
    return found


async def main(paths: list[Path]) -> None:
    """Print the routes of all, as JSON."""
    random.seed(7)
    logging.disable(logging.CRITICAL)
    litellm.suppress_debug_info = True
    found = {path.name: await routes(read(path)) for path in paths}
    print(json.dumps({"litellm": version("litellm"), "configs": found}, indent=1))


if __name__ == "__main__":
    asyncio.run(main([Path(path) for path in sys.argv[1:]]))
