"""What a LangChain chat model says of itself: the fields of its card, and where its calls go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel

from capability_router.address import Address, fingerprint, joint
from capability_router.catalog.card import profiled
from capability_router.catalog.entry import ModelDescription
from capability_router.faults.evidence import read
from capability_router.request import default_answers, default_service_tier
from langchain_router.partners.dialects import UNKNOWN, Dialect, dialect_of, gives_reason

_REGIONS = ("region_name", "location")  # Bedrock's classes, Vertex's
_KEYS = ("api_key", "auth_token")  # how the names of fields with a key end


def describe(model: Any) -> ModelDescription | None:
    """What a LangChain chat model says of itself; None for what is none."""
    if not isinstance(model, BaseChatModel):
        return None
    dialect = dialect_of(model)
    provider, name = ("router", "router") if dialect.routes else _traced_as(model)
    fields: dict[str, Any] = {"provider": provider, "model": name, "output_reserve": _reserve(model, dialect)}
    fields["service_tier"], fields["answers"] = default_service_tier(model) or None, default_answers(model)
    fields.update(profiled(model.profile or {}))
    stated = getattr(model, "card", None)  # a ChatEndpoint has a whole card, and knows its address
    if isinstance(stated, Mapping):
        fields.update({key: value for key, value in stated.items() if key != "id"})
    address = read(getattr(model, "client", None), "address")
    if not isinstance(address, Address):
        address = _address(model, dialect, provider, name)
    return ModelDescription(fields, address, gives_reason(model))


def _traced_as(model: BaseChatModel) -> tuple[str, str]:
    """The provider and the model's name, as LangSmith gets them."""
    params: Mapping[str, Any] = model._get_ls_params()
    return str(params.get("ls_provider") or ""), str(params.get("ls_model_name") or "")


def _reserve(model: BaseChatModel, dialect: Dialect) -> int | None:
    stated = (getattr(model, name, None) for name in dialect.field_names("max_tokens"))
    return next((n for n in stated if isinstance(n, int) and not isinstance(n, bool) and n > 0), None)


def _address(model: BaseChatModel, dialect: Dialect, provider: str, name: str) -> Address:
    """Its failure domain. A credential that can't be seen is one of its own, so that no other model answers for it."""
    registry = getattr(getattr(model, "router", None), "registry", None) if dialect.routes else None
    if registry is not None:
        return joint(entry.address for entry in registry)
    region = next((str(region) for key in _REGIONS if (region := getattr(model, key, None))), "")
    key = _key(model)
    package = f"sdk:{provider or type(model).__name__}" if key or dialect is not UNKNOWN else ""
    url = _base_url(model, dialect) or package
    return Address(url, name, fingerprint(key or f"unseen {name} {region}"), region)


def _base_url(model: BaseChatModel, dialect: Dialect) -> str:
    clients = (getattr(model, name, None) for name in ("root_client", "client"))  # some SDKs' know their default
    stated = (getattr(model, name, None) for name in dialect.url_fields)
    urls = (*stated, *(read(client, "base_url") for client in clients))
    return next((str(url) for url in urls if url and "://" in str(url)), "").rstrip("/")


def _key(model: BaseChatModel) -> str | None:
    for name in type(model).model_fields:
        if name.endswith(_KEYS):
            value = getattr(model, name, None)
            reveal = getattr(value, "get_secret_value", None)
            if callable(reveal) and reveal():
                return str(reveal())
    return None
