"""One deployment of LiteLLM's `model_list` as an entry of our `models`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from capability_router.catalog.card import MOST_OF_LIMITS
from capability_router.catalog.updates.sources.litellm import FLAGS, RATE, price
from capability_router.migration.amount import number, tidy, whole
from capability_router.migration.endpoint_resolver import EndpointResolver, Fields
from capability_router.migration.note import ImportNotes
from capability_router.migration.provider import ModelName, chats, parted
from capability_router.migration.remarks import CALL_WORDS, DEPLOYMENT, MODEL_INFO, OTHER_MODES
from capability_router.migration.source import Place
from capability_router.migration.variables import is_reference, put

_LIMITS = {"rpm": "rpm", "tpm": "tpm", "max_parallel_requests": "concurrency"}
_CALL = frozenset({
    "model", "api_key", "api_base", "base_url", "api_version", "custom_llm_provider", "extra_headers", "headers",
    "organization", "azure_ad_token", "azure_ad_token_provider", "client_secret",
})  # fmt: skip
"""Keys that call.py reads."""
_ROUTED = frozenset({
    "order", "weight", "tags", "timeout", "request_timeout", "stream_timeout", "max_budget", "budget_duration",
    "model_info", "litellm_credential_name", *_LIMITS,
})  # fmt: skip
CARRIED = frozenset({*_CALL, *_ROUTED, "region_name"})
"""Keys of litellm_params that are converted, so that a default for all is converted too."""
_PLACES = ("region_name", "aws_region_name", "vertex_location", "watsonx_region_name")
_INFO = frozenset({
    "id", "mode", "base_model", "order", "team_id", "blocked", "max_tokens", "max_input_tokens", "max_output_tokens",
    "litellm_provider",    "key", *_LIMITS, *FLAGS,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Deployment:
    """`group`: its `model_name`. `fields`: its entry, without id and tags. `place`: where it stands.

    `order`, `weight`: by which it is chosen; `metrics`: rpm and tpm, by which it is chosen without weights.
    """

    group: str
    given_id: str
    named: ModelName
    fields: Fields
    place: Place
    order: float | None
    weights: Mapping[str, float]
    tags: tuple[str, ...]
    timeouts: Mapping[str, float]
    budget: tuple[float, Any] | None
    id: str = ""


class DeploymentReader:
    """Reads deployments; an invalid one is reported and left out."""

    def __init__(
        self, caller: EndpointResolver, notes: ImportNotes, credentials: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._caller, self._notes, self._credentials = caller, notes, credentials

    def read(self, item: Any, place: Place, defaults: Mapping[str, Any], name: str = "") -> Deployment | None:
        """An item of `model_list`; `name` replaces the star of a wildcard."""
        whole_item = item if isinstance(item, Mapping) else {}
        params, info = whole_item.get("litellm_params"), whole_item.get("model_info") or {}
        group = whole_item.get("model_name")
        called = isinstance(group, (str, int)) and str(group).strip() != ""
        if not isinstance(params, Mapping) or not isinstance(info, Mapping) or not called:
            why = "a deployment is a mapping with a model_name and litellm_params"
            self._notes.left_out(place, why, "write it so, or drop it")
            return None
        inner = (*place, "litellm_params")
        params = {**defaults, **self._credential(params, inner), **params}
        if not isinstance(params.get("model"), str) or not params["model"].strip():
            self._notes.left_out((*inner, "model"), "it names no model", "write provider/model")
            return None
        model = params["model"].replace("*", name, 1) if name else params["model"]
        found = parted(model, str(params.get("custom_llm_provider") or ""))
        if not self._wanted(found, info, place):
            return None
        source = self._caller.source(found, params, inner, _label(str(group)))
        if source is None:
            return None
        self._remark(params, inner, info, (*place, "model_info"))
        return self._made(str(group), found, source, params, info, place, item)

    def _made(
        self, group: str, named: ModelName, source: Fields, params: Mapping[str, Any], info: Mapping[str, Any],
        place: Place, item: Mapping[str, Any],
    ) -> Deployment:  # fmt: skip
        inner = (*place, "litellm_params")
        beside = {key: item[key] for key in _LIMITS if key in item}
        limits = {ours: self._whole(theirs, place, beside, params, info) for theirs, ours in _LIMITS.items()}
        fields = {**source, **self._base(info, named, source)}
        fields |= {"limits": known} if (known := {k: v for k, v in limits.items() if v}) else {}
        fields |= self._windows(info, (*place, "model_info"))
        fields |= {ours: info[theirs] for theirs, ours in FLAGS.items() if isinstance(info.get(theirs), bool)}
        fields |= self._price({**info, **params}, inner)
        fields |= self._regions(params)
        fields |= self._team(info, (*place, "model_info"))
        order = number(params.get("order", info.get("order")))
        weights = {word: number(params.get(word, beside.get(word))) or 0.0 for word in ("weight", "rpm", "tpm")}
        given = info.get("id")
        given_id = put(given) if isinstance(given, str) and given.strip() and not is_reference(given) else ""
        return Deployment(
            group, given_id, named, fields, place, order, weights, self._tags(params, inner),
            self._timeouts(params, inner), self._budget(params, inner),
        )  # fmt: skip

    def _credential(self, params: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
        name = params.get("litellm_credential_name")
        if name is None:
            return {}
        found = self._credentials.get(str(name))
        if found is None:
            why = "the file's credential_list has no such name"
            self._notes.left_out((*place, "litellm_credential_name"), why, "set `endpoint` and its api_key_env by hand")
        return found or {}

    def _wanted(self, named: ModelName, info: Mapping[str, Any], place: Place) -> bool:
        mode = info["mode"] if isinstance(info.get("mode"), str) else None
        inside = (*place, "model_info")
        if mode in OTHER_MODES or (mode is None and not chats(named.model)):
            told = f"{mode} is" if mode in OTHER_MODES else "this looks like a model that does"
            self._notes.left_out(
                (*inside, "mode") if mode else (*place, "litellm_params", "model"),
                f"{told} no chat, and chat is all that is routed here", "call that model by its own client",
            )  # fmt: skip
            return False
        if info.get("blocked") is True:
            self._notes.left_out((*inside, "blocked"), "the deployment is paused", "add it by hand when it is not")
            return False
        return True

    def _base(self, info: Mapping[str, Any], named: ModelName, source: Fields) -> Fields:
        """The provider and model that the catalog lists, if the name is that of a deployment."""
        base = info.get("base_model")
        if isinstance(base, str) and base.strip():
            known = parted(base)
            return {"provider": put(named.provider), "model": put(known.model)} if "endpoint" in source else {}
        far = named.provider in ("azure", "azure_ai", "cohere", "cohere_chat", "hosted_vllm", "vllm")
        return {"provider": put(named.provider)} if far and "endpoint" in source else {}

    def _whole(self, word: str, place: Place, *sources: Mapping[str, Any]) -> int | None:
        value = next((source[word] for source in sources if source.get(word) is not None), None)
        found = whole(value)
        if value is not None and found is None:
            self._odd((*place, "litellm_params", word), value, "a whole number above 0")
        if found is None or found <= MOST_OF_LIMITS:
            return found
        self._notes.left_out((*place, "litellm_params", word), "nobody reaches it, so it limits nothing")
        return None

    def _odd(self, place: Place, value: Any, wanted: str) -> None:
        if is_reference(value):
            why = "a number here is no reference to a variable"
            self._notes.left_out(place, why, "write the number")
        else:
            self._notes.left_out(place, f"it is not {wanted}", "write one by hand")

    def _windows(self, info: Mapping[str, Any], place: Place) -> Fields:
        found: Fields = {}
        for theirs, ours in (
            ("max_tokens", "max_output_tokens"), ("max_input_tokens", "max_input_tokens"),
            ("max_output_tokens", "max_output_tokens"),
        ):  # fmt: skip
            tokens = whole(info.get(theirs))
            if tokens:
                found[ours] = tokens
            elif info.get(theirs) is not None:
                self._odd((*place, theirs), info[theirs], "a whole number above 0")
        return found

    def _price(self, said: Mapping[str, Any], place: Place) -> Fields:
        """Only stated prices: the rest is in our catalog."""
        stated = {key: said[key] for key in said if RATE.match(key) or key == "tiered_pricing"}
        if not stated:
            return {}
        found = price(stated)
        free = [number(stated.get(f"{side}_cost_per_token")) for side in ("input", "output")]
        if found is None and free == [0.0, 0.0]:
            found = {"input_mtok": 0, "output_mtok": 0}
        if found is None:
            key = next(iter(stated))
            why = "a price here has both what a token of input and one of output costs"
            self._notes.left_out((*place, key), why, "complete it: price: {input_mtok: USD, output_mtok: USD}")
        return {"price": found} if found else {}

    def _regions(self, params: Mapping[str, Any]) -> Fields:
        found = [put(params[word]) for word in _PLACES if isinstance(params.get(word), str)]
        plain = [region for region in found if "${" not in region]
        return {"data": {"regions": list(dict.fromkeys(plain))}} if plain else {}

    def _team(self, info: Mapping[str, Any], place: Place) -> Fields:
        team = info.get("team_id")
        if not isinstance(team, str) or not team.strip():
            return {}
        self._notes.differs((*place, "team_id"), "its team is a tenant here", "say who asks: routing(tenant=...)")
        return {"tenants": [put(team)]}

    def _tags(self, params: Mapping[str, Any], place: Place) -> tuple[str, ...]:
        tags = params.get("tags")
        if tags is None:
            return ()
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            self._notes.left_out((*place, "tags"), "it is no list of texts", "write tags by hand")
            return ()
        return tuple(dict.fromkeys(map(put, tags)))

    def _timeouts(self, params: Mapping[str, Any], place: Place) -> dict[str, float]:
        found: dict[str, float] = {}
        for words, clocks in ((("timeout", "request_timeout"), ("total",)), (("stream_timeout",), _STREAM)):
            word = next((w for w in words if params.get(w) is not None), None)
            seconds = number(params[word]) if word else None
            if word and not seconds:
                self._odd((*place, word), params[word], "a number of seconds above 0")
            found |= dict.fromkeys(clocks, tidy(seconds)) if seconds else {}
        return found

    def _budget(self, params: Mapping[str, Any], place: Place) -> tuple[float, Any] | None:
        if params.get("max_budget") is None:
            return None
        amount = number(params["max_budget"])
        if amount is None:
            self._odd((*place, "max_budget"), params["max_budget"], "an amount of USD")
            return None
        return amount, params.get("budget_duration")

    def _remark(self, params: Mapping[str, Any], place: Place, info: Mapping[str, Any], inside: Place) -> None:
        """Report every key that is not converted."""
        for key in params:
            if key in _CALL or key in _ROUTED or key in _PLACES or RATE.match(key) or key == "tiered_pricing":
                continue
            why, todo = DEPLOYMENT.get(str(key), _unknown(str(key)))
            if _SECRET.search(str(key)) and isinstance(params[key], str) and not is_reference(params[key]):
                self._notes.add(
                    "secret", (*place, str(key)), f"it stands in the file in plain, and was not copied; {why}", todo
                )
            else:
                self._notes.left_out((*place, str(key)), why, todo)
        for key in info:
            if key in _INFO or RATE.match(str(key)) or key == "tiered_pricing":
                continue
            self._notes.left_out((*inside, str(key)), *MODEL_INFO.get(str(key), _NOTE_ON_INFO))


_SECRET = re.compile(r"secret|token$|password|credential|access_key|api_key|private")
_STREAM = ("first_token", "between_tokens")
_NOTE_ON_INFO = ("nothing is routed by it here", "")


def _label(group: str) -> str:
    return group.replace("*", "ANY")


def _unknown(key: str) -> tuple[str, str]:
    if "_cost_per_" in key or key.endswith("_cost"):
        return "calls are priced by their tokens here", "see the prices that there are: docs/money.md"
    if key in CALL_WORDS or not key.startswith(_OWN):
        return (
            "what every call of one model sends is set in code here",
            f"ChatRouter({key}=...) if all models take it, or give the model's own object",
        )
    return "it belongs to LiteLLM alone", ""


_OWN = ("litellm_", "auto_router", "complexity_router", "adaptive_router", "quality_router", "use_", "milvus", "valkey",
        "s3_", "gcs_", "aws_batch", "mock_", "default_api_key")  # fmt: skip


def ids(deployments: list[Deployment]) -> Iterator[str]:
    """An id for each: the one that is given, else its group's name, with a number where there are several."""
    counts: dict[str, int] = {}
    for each in deployments:
        counts[each.group] = counts.get(each.group, 0) + 1
    taken = {each.given_id for each in deployments if each.given_id}
    seen: dict[str, int] = {}
    used: set[str] = set()
    for each in deployments:
        seen[each.group] = number_in = seen.get(each.group, 0) + 1
        name = put(each.group)
        wanted = each.given_id or (name if counts[each.group] == 1 else f"{name}#{number_in}")
        while wanted in used or (not each.given_id and wanted in taken):
            wanted += "'"
        used.add(wanted)
        yield wanted
