"""What the router knows of each partner class: one record per class, and a default for all others.

To support a new partner package, add its record to `DIALECTS`. A class is found by its name and package, and so are
classes derived from it. No partner package is imported here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

from capability_router.endpoints.chain_usage import Counting
from capability_router.faults.evidence import read
from capability_router.sdks.async_keys import key_from_thread
from capability_router.sdks.watsonx_retries import model_without_retries

MAX_TOKENS = ("max_tokens", "max_output_tokens", "num_predict", "max_completion_tokens")
"""The names of a limit of the answer's tokens, the common one first."""

_log = logging.getLogger(__name__)
_URLS = (
    "openai_api_base", "azure_endpoint", "anthropic_api_url", "groq_api_base", "endpoint", "base_url", "endpoint_url",
    "api_host",
)  # fmt: skip


class RetrySwitch(NamedTuple):
    """How to switch off a class's retries: the value of `max_retries`, and a function that applies it to a copy.

    `hidden`: there are further retries below, whatever that number is.
    """

    off: int
    switch_off: Callable[[Any], None]
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """One class of chat models and its peculiarities. The defaults are safe for an unknown class.

    `package`, `class_name`: where it is defined. `providers`: its names before the colon of "provider:model"; `makes`:
    the class that is then created, if it is another one; `late_keys`: the environment variables of its API key, if a
    missing key shows only at the first call.
    `retries`: how to switch off its own retries; None = it has none, or it is unknown how.
    `quiet`: keywords of each call that switch off its SDK's retries, if nothing else does.
    `takes_timeout`: a call takes the keyword `timeout`, in seconds for each read of its socket.
    `keeps_time`: it enforces all four timeouts itself.
    `in_executor`: its `_agenerate` only calls its `_generate` in the event loop's default executor.
    `invoke_streams`: its `invoke` reads a stream, and returns one that was cut off as a complete answer.
    `gives_reason`: its complete streams end with a terminal reason; `unless`: but not if its field `llm` is of one of
    these classes. `mute`: its unary replies have no terminal reason.
    `repeats_tool_calls`: the last chunk of its streams repeats the complete tool calls.
    `invents_ids`: it invents an id for each piece of a streamed tool call without one.
    `always_parallel`: its calls can't be told to make one tool call at a time (`parallel_tool_calls`).
    `drops_refusals`: it gives empty chunks for a streamed refusal, which OpenAI sends beside the content.
    `counting`: the meaning of the counts in a stream's later chunks ("anew" = total so far, "on" = increment);
    "" = found out from the counts.
    `skips_error_events`: it passes over an error event in a stream.
    `hides_errors`: it makes an empty message of a body that is no reply, even of an error.
    `empty_stream_error`: the beginning of its error text for a stream without a chunk.
    `fields`: the fields for LangChain's common parameters, if they may have other names.
    `fields_only`: the common parameters that it accepts only as fields, not as keywords of a call.
    `url_fields`: the fields or attributes with its base URL.
    `provider`, `author`: the provider that it states, and the one that its messages name, if they differ.
    `routes`: it is a router itself.
    """

    package: str = ""
    class_name: str = ""
    providers: tuple[str, ...] = ()
    makes: str = ""
    late_keys: tuple[str, ...] = ()
    retries: RetrySwitch | None = None
    quiet: Mapping[str, Any] = field(default_factory=dict)
    takes_timeout: bool = False
    keeps_time: bool = False
    in_executor: bool = False
    invoke_streams: bool = False
    gives_reason: bool = False
    unless: tuple[str, ...] = ()
    mute: bool = False
    repeats_tool_calls: bool = False
    invents_ids: bool = False
    skips_error_events: bool = False
    hides_errors: bool = False
    always_parallel: bool = False
    drops_refusals: bool = False
    counting: Counting = ""
    empty_stream_error: str = ""
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {"max_tokens": MAX_TOKENS})
    fields_only: tuple[str, ...] = ()
    url_fields: tuple[str, ...] = _URLS
    provider: str = ""
    author: str = ""
    routes: bool = False

    def field_names(self, word: str) -> tuple[str, ...]:
        """The names that the class may have for one of LangChain's common parameters, the likeliest first."""
        return self.fields.get(word, (word,))


# -- how a changed `max_retries` is applied to copies of models -----------------------------------


def _at_each_call(_: Any) -> None:
    """Nothing to do: the class reads it at each call."""


def _openai_clients(model: Any) -> None:
    """Replace the SDK clients, which were created with the retries; `with_options` shares their connections."""
    for root, leaf in (("root_client", "client"), ("root_async_client", "async_client")):
        client = getattr(model, root, None)
        if client is not None:
            aside = key_from_thread(model) if root == "root_async_client" else None
            silent = client.with_options(max_retries=0, **({"api_key": aside} if aside else {}))
            setattr(model, root, silent)
            setattr(model, leaf, silent.chat.completions)
        elif (chats := _silent(getattr(model, leaf, None))) is not None:  # as ChatNebius keeps its clients
            setattr(model, leaf, chats)


def _generated_clients(model: Any) -> None:
    """The same for an SDK generated like OpenAI's, of any provider: the client itself, or its part for chats."""
    for name, client in retry_free_clients(model).items():
        setattr(model, name, client)


def retry_free_clients(model: Any) -> dict[str, Any]:
    """For a model's fields with such a client that retries, the same client without retries, sharing connections."""
    held = {name: vars(model).get(name) for name in ("client", "async_client")}
    return {name: silent for name, client in held.items() if (silent := _silent(client)) is not None}


def highest_retries(model: Any) -> int:
    """The highest number of retries of the model's clients of this kind; 0 = none retries."""
    held = (vars(model).get(name) for name in ("client", "async_client"))
    return max(_retries(client) or _retries(read(client, "_client")) for client in held)


def _silent(client: Any) -> Any:
    if _retries(client):
        return _without(client)
    sdk: Any = read(client, "_client")
    if not _retries(sdk):
        return None
    part = getattr(getattr(_without(sdk), "chat", None), "completions", None)
    return part if type(part) is type(client) else None


def _without(sdk: Any) -> Any:
    """The client without retries; None if that fails, as for a derived SDK with other options."""
    try:
        return sdk.with_options(max_retries=0)
    except Exception as error:  # noqa: BLE001 - an unknown class may raise anything; the fleet reports its retries
        _log.debug("%s keeps its retries (%s)", type(sdk).__name__, type(error).__name__)
        return None


def _retries(sdk: Any) -> int:
    tries = read(sdk, "max_retries")
    return tries if type(tries) is int and tries > 0 and callable(read(sdk, "with_options")) else 0


def _openrouter_client(model: Any) -> None:
    """Of a client built with no retries the SDK's own default holds, which is an hour of them."""
    model.client = model._build_client()
    model.client.sdk_configuration.retry_config = None


def _botocore_client(model: Any) -> None:
    """Replace the client by one without the event handler that retries, over the same connections."""
    client = getattr(model, "client", None)
    endpoint, meta = copy(getattr(client, "_endpoint", None)), getattr(client, "meta", None)
    if client is None or endpoint is None or meta is None:
        return
    service, events = meta.service_model.service_id.hyphenize(), copy(meta.events)
    events.unregister(f"needs-retry.{service}", unique_id=f"retry-config-{service}")
    endpoint._event_emitter = events
    silent = object.__new__(type(client))  # its `__getattr__` stands in the way of `copy`
    vars(silent).update(vars(client), _endpoint=endpoint)
    model.client = silent


def _litellm_keywords(model: Any) -> None:
    """Set the number in LiteLLM's keywords, because the SDK that it calls retries twice by default."""
    model.model_kwargs = {**model.model_kwargs, "max_retries": 0, "num_retries": 0}


def _watsonx_sdk(model: Any) -> None:
    """Give the model an SDK object that does not retry, over the same connections. Other versions are not changed."""
    outer: Any = getattr(model, "watsonx_model", None)
    if (quiet := model_without_retries(outer)) is not outer:
        model.watsonx_model = quiet


def _cached_clients(model: Any) -> None:
    """Remove cached clients, so that they are created again from the copy's fields."""
    for name in ("_client", "_async_client", "_client_params", "client", "async_client"):
        model.__dict__.pop(name, None)


# -- the records ----------------------------------------------------------------------------------

_OPENAI = Dialect(
    "langchain_openai",
    "BaseChatOpenAI",
    retries=RetrySwitch(0, _openai_clients),
    takes_timeout=True,
    gives_reason=True,
    drops_refusals=True,
    counting="anew",
    url_fields=("openai_api_base", "azure_endpoint"),
)
"""Derived classes, in any package, behave the same."""

DIALECTS: tuple[Dialect, ...] = (
    replace(_OPENAI, providers=("openai",), makes="ChatOpenAI"),
    replace(_OPENAI, class_name="AzureChatOpenAI", providers=("azure_openai",), provider="azure", author="openai"),
    replace(_OPENAI, class_name="_ChatOpenAICodex", provider="openai_codex", author="openai"),
    replace(_OPENAI, package="langchain_deepseek", class_name="ChatDeepSeek", providers=("deepseek",)),
    replace(_OPENAI, package="langchain_together", class_name="ChatTogether", providers=("together",)),
    replace(_OPENAI, package="langchain_xai", class_name="ChatXAI", providers=("xai",)),
    Dialect(
        "langchain_anthropic", "ChatAnthropic", ("anthropic",), late_keys=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
        retries=RetrySwitch(0, _cached_clients), takes_timeout=True, gives_reason=True, counting="on",
        url_fields=("anthropic_api_url",),
    ),
    Dialect(
        "langchain_google_genai", "ChatGoogleGenerativeAI", ("google_genai", "google", "gemini"),
        # Its retries count attempts; 0 means the SDK's own default. It takes a `timeout`, but its SDK tells the server,
        # and Gemini refuses (400) all that is shorter than ten seconds.
        retries=RetrySwitch(1, _at_each_call),
        gives_reason=True, hides_errors=True, always_parallel=True, counting="on", fields_only=("max_tokens",),
        url_fields=("base_url",),
    ),
    Dialect(
        "langchain_groq", "ChatGroq", ("groq",), retries=RetrySwitch(0, _generated_clients), takes_timeout=True,
        gives_reason=True, url_fields=("groq_api_base",),
    ),
    Dialect(
        "langchain_mistralai", "ChatMistralAI", ("mistralai", "mistral"),
        retries=RetrySwitch(1, _at_each_call),  # tenacity's stop_after_attempt
        gives_reason=True, invents_ids=True, skips_error_events=True, url_fields=("endpoint",),
    ),
    Dialect(
        "langchain_ollama", "ChatOllama", ("ollama",), invoke_streams=True, gives_reason=True, always_parallel=True,
        empty_stream_error="No data received from Ollama stream", fields_only=("temperature", "max_tokens"),
        url_fields=("base_url",),
    ),
    Dialect(
        "langchain_aws", "ChatBedrock", ("bedrock",), retries=RetrySwitch(0, _botocore_client, hidden=True),
        always_parallel=True,
    ),
    Dialect(
        "langchain_aws", "ChatBedrockConverse", ("bedrock_converse",),
        retries=RetrySwitch(0, _botocore_client, hidden=True), gives_reason=True, always_parallel=True,
    ),
    Dialect(  # tenacity's stop_after_attempt
        "langchain_community", "ChatTongyi", retries=RetrySwitch(1, _at_each_call), gives_reason=True, url_fields=(),
    ),
    Dialect(
        "langchain_community", "ChatDeepInfra", retries=RetrySwitch(1, _at_each_call), url_fields=("url",),
    ),
    Dialect("langchain_community", "ChatZhipuAI", gives_reason=True, url_fields=("zhipuai_api_base",)),
    Dialect("databricks_langchain", "ChatDatabricks", retries=RetrySwitch(0, _cached_clients), gives_reason=True),
    Dialect(
        "langchain_cohere", "ChatCohere", ("cohere",), quiet={"request_options": {"max_retries": 0}}, gives_reason=True,
        repeats_tool_calls=True, always_parallel=True,
    ),
    Dialect(
        "langchain_azure_ai", "AzureAIChatCompletionsModel", quiet={"retry_total": 0}, gives_reason=True,
        url_fields=("endpoint",),
    ),
    Dialect(
        "langchain_fireworks", "ChatFireworks", ("fireworks",), retries=RetrySwitch(0, _at_each_call),
        gives_reason=True, empty_stream_error="Received empty stream from Fireworks",
        url_fields=("fireworks_api_base", "base_url"),
    ),
    Dialect(
        "langchain_google_vertexai", "ChatVertexAI", ("google_vertexai",), retries=RetrySwitch(0, _at_each_call),
        gives_reason=True, always_parallel=True,
    ),
    Dialect(
        "langchain_ibm", "ChatWatsonx", ("ibm",), retries=RetrySwitch(0, _watsonx_sdk, hidden=True), gives_reason=True,
        url_fields=("url",),
    ),
    Dialect(
        "langchain_huggingface", "ChatHuggingFace", ("huggingface",), gives_reason=True,
        unless=("HuggingFacePipeline",), url_fields=(),  # its `llm` knows
    ),
    Dialect(
        "langchain_litellm", "ChatLiteLLM", retries=RetrySwitch(1, _litellm_keywords, hidden=True), gives_reason=True,
        url_fields=("api_base",),
    ),
    Dialect("langchain_ai21", "ChatAI21", in_executor=True),
    Dialect("langchain_nvidia_ai_endpoints", "ChatNVIDIA", ("nvidia",), gives_reason=True, skips_error_events=True),
    Dialect(
        "langchain_openrouter", "ChatOpenRouter", ("openrouter",), retries=RetrySwitch(0, _openrouter_client),
        gives_reason=True, url_fields=("openrouter_api_base",),
    ),
    Dialect(
        "langchain_perplexity", "ChatPerplexity", ("perplexity",), retries=RetrySwitch(0, _generated_clients),
        takes_timeout=True, gives_reason=True, mute=True, counting="on", url_fields=(),  # its clients know
    ),
    Dialect(
        "langchain_sambanova", "ChatSambaNova", ("sambanova",), retries=RetrySwitch(0, _generated_clients),
        gives_reason=True, url_fields=("sambanova_api_base",),
    ),
    Dialect("langchain_router", "ChatEndpoint", keeps_time=True, gives_reason=True, counting="on"),
    Dialect("langchain_router", "ChatRouter", routes=True),
)  # fmt: skip

UNKNOWN = Dialect()
"""Any other class."""

_BY_CLASS = {(dialect.package, dialect.class_name): dialect for dialect in DIALECTS}
_BY_PROVIDER = {provider: dialect for dialect in DIALECTS for provider in dialect.providers}


def dialect_of(model: object) -> Dialect:
    """The record of the model's class, or of its nearest base class with one."""
    kind: Any = type(model)
    return dialect_of_class(kind)


@lru_cache(maxsize=256)
def dialect_of_class(kind: type) -> Dialect:
    """The same for a class."""
    homes = ((base.__module__.partition(".")[0], base.__name__) for base in kind.__mro__)
    return next((known for home in homes if (known := _BY_CLASS.get(home)) is not None), UNKNOWN)


def gives_reason(model: object) -> bool:
    """Whether the model's complete streams end with a terminal reason."""
    dialect = dialect_of(model)
    return dialect.gives_reason and type(getattr(model, "llm", None)).__name__ not in dialect.unless


def dialect_for(provider: str) -> Dialect:
    """The record of the class for "provider:model"."""
    return _BY_PROVIDER.get(provider.strip().lower().replace("-", "_"), UNKNOWN)
