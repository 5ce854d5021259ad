"""What an LLM, of LlamaIndex or LangChain, says of itself: the fields of its card, and where its calls go."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

from llama_index.core.base.llms.types import LLMMetadata
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.llm import LLM

from capability_router.address import Address
from capability_router.catalog.aliases import provider_of
from capability_router.catalog.entry import ModelDescription
from capability_router.request import default_answers, default_service_tier
from llamaindex_router.fleet.call_address import credential_of, stated_url_of, url_of
from llamaindex_router.fleet.chain_model import address_of_router, described, held_by, is_chat_model

_log = logging.getLogger(__name__)
_HOME = "llama_index.llms."
_REGIONS = ("region_name", "region", "location")
_KEEPERS = ("Perplexity", "AzureAICompletionsModel", "VllmServer", "HuggingFaceInferenceAPI")
"""Those of the integrations that read the end of a stream and keep it to themselves."""
_REASONED = (
    "OpenAI", "OpenAIResponses", "Anthropic", "GoogleGenAI", "Ollama", "BedrockConverse", "MistralAI", "Cohere",
    "WatsonxLLM", "DashScope",
    *_KEEPERS,
)  # fmt: skip
_BLIND = {"image_inputs": False, "pdf_inputs": False, "audio_inputs": False, "video_inputs": False}


def describe(llm: Any) -> ModelDescription | None:
    """What an LLM, or a LangChain chat model, says of itself and where it calls; None for what is neither."""
    if not isinstance(llm, LLM):
        return described(llm) if is_chat_model(llm) else None
    if (held := held_by(llm)) is not None:
        return described(held)
    own = getattr(llm, "description", None)
    if isinstance(own, ModelDescription):
        return own
    metadata = metadata_of(llm)
    model = str(getattr(llm, "model", None) or (metadata.model_name if metadata else "") or "")
    model = "" if model == "unknown" else model
    fields = {"provider": provider_of(stated_url_of(llm)) or home_of(llm), "model": model, **_known(llm, metadata)}
    return ModelDescription(fields, address_of_router(llm) or _address(llm, model), _is_one(type(llm), _REASONED))


def _address(llm: LLM, model: str) -> Address:
    kind, credential = type(llm).__name__, credential_of(llm)
    region = next((str(v) for name in _REGIONS if (v := getattr(llm, name, None))), "")
    package = f"sdk:{kind}" if credential or home_of(llm) else ""
    return Address(url_of(llm) or package, model or kind, credential, region)


def gives_reason(llm: Any) -> bool:
    """Whether its answers end with a terminal reason whenever the provider sent all."""
    own = getattr(llm, "description", None)
    if isinstance(llm, LLM) and not isinstance(own, ModelDescription):
        return _is_one(type(llm), _REASONED)
    said = describe(llm)
    return said is not None and said.gives_reason


def keeps_end(llm: LLM) -> bool:
    """Whether it reads the chunk with the terminal reason of a stream and hands nothing of it on."""
    return _is_one(type(llm), _KEEPERS)


@lru_cache(maxsize=256)
def _is_one(kind: type, names: tuple[str, ...]) -> bool:
    """Whether it is an integration's class of one of these names, or derived from one."""
    homes = ((base.__module__, base.__name__) for base in kind.__mro__)
    return any(module.startswith(_HOME) and name in names for module, name in homes)


def metadata_of(llm: LLM) -> LLMMetadata | None:
    """The LLM's metadata; None when it can't tell.

    OpenAI's and Anthropic's raise for names they don't know; Ollama's asks its server, which may be down.
    """
    try:
        return llm.metadata
    except Exception as error:  # noqa: BLE001 - whatever a client raises: the window is unknown, and calls may still work
        _log.info("%s doesn't tell its window (%s)", type(llm).__name__, type(error).__name__)
        return None


def _known(llm: LLM, metadata: LLMMetadata | None) -> dict[str, Any]:
    """Only what is stated: LlamaIndex's default window of 3,900 stands for 'not known'."""
    fields: dict[str, Any] = dict(_BLIND) if isinstance(llm, CustomLLM) else {}
    reserve = getattr(llm, "max_tokens", None)
    fields["output_reserve"] = reserve if isinstance(reserve, int) and reserve > 0 else None
    fields["service_tier"], fields["answers"] = default_service_tier(llm) or None, default_answers(llm)
    takes_tools = hasattr(llm, "chat_with_tools")
    if metadata is None:
        return fields if takes_tools else {**fields, "tool_calling": False}
    stated = metadata.context_window != DEFAULT_CONTEXT_WINDOW or "context_window" in llm.model_fields_set
    calls = takes_tools and metadata.is_function_calling_model
    return {
        **fields,
        "context_window": metadata.context_window if stated and metadata.context_window > 0 else None,
        "tool_calling": calls,
        "structured_output": True if calls else None,
    }


def home_of(llm: LLM) -> str:
    """The integration it comes from: 'openai' for llama_index.llms.openai and what is derived from it."""
    return _home(type(llm))


def homes_of(llm: LLM) -> set[str]:
    """The packages that its class and those above it come from: "llama_index.llms.openai"."""
    return {".".join(kind.__module__.split(".")[:3]) for kind in type(llm).__mro__}


@lru_cache(maxsize=256)
def _home(kind: type) -> str:
    modules = (base.__module__ for base in kind.__mro__)
    homes = [m[len(_HOME) :].partition(".")[0] for m in modules if m.startswith(_HOME)]
    return homes[0] if homes else ""
