"""The LLM behind each candidate: the user's (of LlamaIndex or LangChain), one made from a name, or the built-in client.

Retries belong to the router, so a candidate that has its own is called through a copy with them
switched off; the user's object is never changed, nor is it given another callback manager.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms.llm import LLM

from capability_router.catalog.aliases import KEY_VARIABLES, canonical
from capability_router.endpoints.providers import known, spec_for
from capability_router.errors import ConfigError
from capability_router.sdks.aws_retries import config_without_retries, without_retries
from capability_router.sdks.client_retries import client_without_retries
from capability_router.sdks.closed_loops import LoopTracker
from capability_router.sdks.shared_clients import without_finalizer
from capability_router.sdks.watsonx_retries import model_without_retries
from llamaindex_router.fleet.bedrock_converse import StopReasonClient
from llamaindex_router.fleet.chain_model import held_by, is_chat_model
from llamaindex_router.fleet.description import homes_of
from llamaindex_router.fleet.google_genai import ObservedClient
from llamaindex_router.fleet.held_llms import held_llms
from llamaindex_router.fleet.temperature import keeps_own_temperature

if TYPE_CHECKING:
    from capability_router.catalog.entry import Entry
    from capability_router.catalog.registry import Registry

log = logging.getLogger("capability_router")
PACKAGES = {
    "openai": ("llama_index.llms.openai", "OpenAI"),
    "anthropic": ("llama_index.llms.anthropic", "Anthropic"),
    "google": ("llama_index.llms.google_genai", "GoogleGenAI"),
    "ollama": ("llama_index.llms.ollama", "Ollama"),
    "mistral": ("llama_index.llms.mistralai", "MistralAI"),
    "groq": ("llama_index.llms.groq", "Groq"),
    "deepseek": ("llama_index.llms.deepseek", "DeepSeek"),
    "openrouter": ("llama_index.llms.openrouter", "OpenRouter"),
    "bedrock": ("llama_index.llms.bedrock_converse", "BedrockConverse"),
    "cohere": ("llama_index.llms.cohere", "Cohere"),
}
"""Provider -> the integration's module and class; used when it is installed."""

_CLIENTS = ("_client", "_aclient", "_async_client")
_HALF_HEARD: dict[str, type[Any]] = {
    "llama_index.llms.google_genai": ObservedClient, "llama_index.llms.bedrock_converse": StopReasonClient,
}  # fmt: skip
"""Integration -> what has its client tell how streams end."""
_RETRIES = "max_retries"
_SENT_ONCE: dict[str, tuple[str, dict[str, Any]]] = {
    "llama_index.llms.litellm": ("additional_kwargs", {"num_retries": 0}),
    "llama_index.llms.cohere": ("additional_kwargs", {"request_options": {"max_retries": 0}}),
    "llama_index.llms.azure_inference": ("model_kwargs", {"retry_total": 0}),
}
"""Integration -> the field that goes along with each call, and what in there has the SDK beneath send it once."""


class LLMFleet:
    """The candidates' LLMs by candidate id, all made when the router is made.

    `defaults` are the caller's temperature, max_tokens, timeout and the like: set on the copies of
    the LLMs that have such a field, sent along with the call to the others (`extras`).
    """

    def __init__(self, registry: Registry, defaults: Mapping[str, Any], api_key: str | None = None) -> None:
        self._prepare({entry.card.id: llm_of(entry, api_key) for entry in registry}, defaults)
        parsers = {name: llm.output_parser for name, llm in self._sources.items()}
        self.output_parser = next(iter(parsers.values()))  # that of all, or none
        if any(parser is not self.output_parser for parser in parsers.values()):
            self.output_parser = None
            having = ", ".join(name for name, parser in parsers.items() if parser is not None)
            log.warning(
                "the output_parser of %s is not used, because it is not that of all models; give it to the RouterLLM, "
                "or to the prompt", having,
            )  # fmt: skip

    def _prepare(self, sources: Mapping[str, LLM], defaults: Mapping[str, Any]) -> None:
        self._sources = sources  # some end the copies' client
        self._llms = {id: prepared(llm, defaults) for id, llm in sources.items()}
        self.loops = LoopTracker(self._llms.values())
        self._extras = {
            name: {k: v for k, v in defaults.items() if k not in type(llm).model_fields and k != "timeout"}
            for name, llm in self._llms.items()
        }

    def under(self, defaults: Mapping[str, Any]) -> LLMFleet:
        """The same LLMs with these defaults instead. What was made of a name is not made again."""
        others = LLMFleet.__new__(LLMFleet)
        others._prepare(self._sources, defaults)
        return others

    def get(self, candidate: str) -> LLM | None:
        """The candidate's LLM; None for an unknown id."""
        return self._llms.get(candidate)

    def own_prompt(self, *, wrapped: bool) -> str:
        """The longest system prompt that an LLM has of its own, as it is not known yet which answers; "" = none.

        `wrapped`: with its query wrapper, which is laid around texts.
        """
        own = (llm._extend_prompt("") if wrapped else llm.system_prompt or "" for llm in self._llms.values())
        return max(own, key=len)

    def __len__(self) -> int:
        return len(self._llms)

    def __iter__(self) -> Iterator[tuple[str, object]]:
        return ((name, getattr(llm, "chain_model", llm)) for name, llm in self._llms.items())

    def extras(self, candidate: str) -> Mapping[str, Any]:
        """Defaults that this LLM takes only with the call."""
        return self._extras[candidate]

    def ready(self, candidate: str, manager: CallbackManager) -> LLM:
        """The candidate's LLM; where handlers of the router's are to hear it, one like it that is of this call alone.

        Looked at before every call: engines give the router another manager after it was made. The LLM itself is given
        none: it may be the user's own, or at work for a copy of the router that other handlers hear.
        """
        llm = self._llms[candidate]
        own = llm.callback_manager.handlers
        return _heard_by(llm, _carrying(manager, own)) if _lacking(manager.handlers, own) else llm

    def __repr__(self) -> str:
        return f"<LLMFleet {', '.join(f'{name}: {type(llm).__name__}' for name, llm in self._llms.items())}>"


def _carrying(manager: CallbackManager, own: list[Any]) -> CallbackManager:
    lacking = _lacking(own, manager.handlers)
    if not lacking:
        return manager
    both = CallbackManager()
    both.set_handlers([*manager.handlers, *lacking])
    return both


def _lacking(handlers: Iterable[Any], among: Iterable[Any]) -> list[Any]:
    return [handler for handler in handlers if not any(handler is other for other in among)]


def _heard_by(llm: LLM, manager: CallbackManager) -> LLM:
    """One of the same class with the same fields, and with the same state: a client made at a first call is of both."""
    same: LLM = object.__new__(type(llm))
    object.__setattr__(same, "__dict__", {**llm.__dict__, "callback_manager": manager})
    for name in _STATE:
        object.__setattr__(same, name, getattr(llm, name))
    return without_finalizer(same)


_STATE = ("__pydantic_private__", "__pydantic_fields_set__", "__pydantic_extra__")


def llm_of(entry: Entry, api_key: str | None) -> LLM:
    """The LLM that makes this entry's calls; raises ConfigError when there is no way to have one."""
    source = entry.source
    if source is None:
        from llamaindex_router.endpoint import EndpointLLM

        return EndpointLLM.from_card(entry.card)
    if isinstance(source, str):
        return _named(source, entry.card.id, api_key)
    if (held := held_by(source)) is not None:
        return wrapped(held, entry.card.id, source.callback_manager)
    return source if isinstance(source, LLM) else wrapped(source, entry.card.id)


def prepared(llm: LLM, defaults: Mapping[str, Any]) -> LLM:
    """The LLM with its own retries off, the defaults set and its streams' ends heard; itself if nothing changes.

    The retries of LLMs that it holds and calls itself are off, too.
    """
    changes = {name: value for name, value in defaults.items() if name in type(llm).model_fields}
    if "temperature" in changes and keeps_own_temperature(llm, changes["temperature"]):
        del changes["temperature"]
    if getattr(llm, _RETRIES, 0):
        changes[_RETRIES] = 0
    changes.update({**_once_by_sdk(llm), **held_llms(llm, _once)})
    homes = homes_of(llm)
    hears = next((client for home, client in _HALF_HEARD.items() if home in homes), None)
    model = (llm.__pydantic_private__ or {}).get("_model")
    quiet = model_without_retries(model)  # WatsonxLLM's
    single = _single_clients(llm)
    if not (changes or single) and hears is None and quiet is model:
        return llm
    copied = without_finalizer(llm.model_copy(update=changes))
    for name, client in single.items():
        setattr(copied, name, client)
    _renew_clients(copied, {name: changes[name] for name in (_RETRIES, "timeout") if name in changes})
    if quiet is not model:
        copied._model = quiet  # type: ignore[attr-defined]  # the integration's own
    if _RETRIES in changes:
        _sending_once(copied)
    if hears is not None and not isinstance(copied._client, hears):  # type: ignore[attr-defined]  # the integration's own
        copied._client = hears(copied._client)  # type: ignore[attr-defined]  # likewise
    return copied


def _once(held: LLM) -> LLM:
    """An LLM that another one holds, without retries; its other settings are its own."""
    return prepared(held, {})


def _renew_clients(copied: LLM, options: Mapping[str, Any]) -> None:
    for name in _CLIENTS:
        renew = getattr(getattr(copied, name, None), "with_options", None)
        if options and renew is not None:
            setattr(copied, name, renew(**options))


def _single_clients(llm: LLM) -> dict[str, Any]:
    """For each client that it holds and that retries by itself, whatever its fields say, the same without retries."""
    private = llm.__pydantic_private__ or {}
    held = {name: client for name in _CLIENTS if (client := private.get(name)) is not None}
    return {name: once for name, client in held.items() if (once := client_without_retries(client)) is not client}


def _once_by_sdk(llm: LLM) -> dict[str, Any]:
    """The field by which an SDK that repeats beside its integration is told not to; what stands there stays."""
    homes = homes_of(llm)
    for home, (name, once) in _SENT_ONCE.items():
        if home in homes:
            return {name: {**once, **(getattr(llm, name, None) or {})}}
    return {}


def _sending_once(copied: LLM) -> None:
    """Bedrock's clients repeat beside the integration that does so too; those of asyncio are made for each call."""
    private = copied.__pydantic_private__ or {}
    if (client := private.get("_client")) is not None:
        copied._client = without_retries(client)  # type: ignore[attr-defined]  # the integration's own attribute
    if (config := private.get("_config")) is not None:
        copied._config = config_without_retries(config)  # type: ignore[attr-defined]  # likewise


def wrapped(model: Any, candidate: str, manager: CallbackManager | None = None) -> LLM:
    """A LangChain chat model as a LlamaIndex LLM; raises ConfigError for what neither framework can call."""
    if not is_chat_model(model):
        raise ConfigError(
            f"model {candidate!r} is a {type(model).__module__}.{type(model).__name__}; RouterLLM calls LlamaIndex "
            "LLMs, LangChain chat models, 'provider:model' and `endpoint` entries"
        )
    from llamaindex_router.fleet.chain_llm import ChainLLM  # here, because it is seldom needed

    return ChainLLM(model) if manager is None else ChainLLM(model, callback_manager=manager)


def _named(source: str, candidate: str, api_key: str | None) -> LLM:
    provider, _, model = source.partition(":")
    provider = canonical(provider)
    module, name = PACKAGES.get(provider, ("", ""))
    if module and find_spec("llama_index.llms") is not None and find_spec(module) is not None:
        return _integration(module, name, model, candidate, api_key)
    if known(provider) is not None:
        return _built_in(f"{provider}:{model}", api_key)
    package = f"install {package_of(source)}, or " if module else ""
    raise ConfigError(
        f"model {candidate!r}: no LlamaIndex integration for the provider {provider!r} is here; {package}"
        "give an LLM object or an `endpoint: {base_url, model}`"
    )


def package_of(source: str) -> str:
    """The provider's own integration for "provider:model", as it is installed by; "" = it has none here."""
    module, _ = PACKAGES.get(canonical(source.partition(":")[0]), ("", ""))
    return module.replace(".", "-").replace("_", "-")


def _integration(module: str, name: str, model: str, candidate: str, api_key: str | None) -> LLM:
    key = {"api_key": api_key} if api_key else {}
    if not key:
        _check_key(module, candidate)
    try:
        made: LLM = getattr(import_module(module), name)(model=model, **key)
    except Exception as error:  # each package has its own for a missing key, and some call their server at once
        # The text may quote settings; the class and the cause say enough.
        kind = type(error).__name__
        raise ConfigError(
            f"model {candidate!r}: {module}.{name} refused its settings ({kind}, this error's cause); set what it "
            "needs in the environment, or give an LLM object"
        ) from error
    return made


_KEYED = ("openai", "anthropic", "groq", "mistral", "deepseek", "openrouter")


def _check_key(module: str, candidate: str) -> None:
    """Some of the classes are built without a key, and fail at their first call without saying what is missing."""
    provider = next((name for name in _KEYED if PACKAGES[name][0] == module), "")
    names = KEY_VARIABLES.get(provider, ())
    if names and not any(os.environ.get(variable) for variable in names):
        raise ConfigError(
            f"model {candidate!r} takes its key from the environment variable {names[0]}, which is not set; set it, "
            "give api_key=, or give an LLM object"
        )


def _built_in(name: str, api_key: str | None) -> LLM:
    from llamaindex_router.endpoint import EndpointLLM

    spec = spec_for(name, api_key=api_key)
    spec.key()  # a missing key is an error now, not at the first call
    return EndpointLLM.over(spec, provider=name.partition(":")[0])
