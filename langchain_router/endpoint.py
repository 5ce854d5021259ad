"""ChatEndpoint: a BaseChatModel over the built-in client, for any Chat Completions server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import Any, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput, ModelProfile
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableBinding
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, Field, SecretStr, field_serializer

from capability_router.address import fingerprint, public_url, versioned
from capability_router.catalog.aliases import canonical, provider_of
from capability_router.catalog.card import FIELDS, ModelCard, card_fields
from capability_router.endpoints.key_masking import mark_of, mask_keys, unmask_keys
from capability_router.endpoints.openai_compatible import OpenAICompatible
from capability_router.endpoints.openai_models import options_for
from capability_router.endpoints.providers import spec_for
from capability_router.endpoints.spec import EndpointSpec
from capability_router.endpoints.wire import Delta, other_answers
from capability_router.errors import ConfigError
from capability_router.money.bill import billed
from langchain_router.messages.output import info_of, output_of
from langchain_router.messages.refusal_blocks import show_refusals
from langchain_router.messages.schema import (
    METHODS,
    Method,
    bound_to_schema,
    openai_response_format,
    parser_of,
    response_format,
    tool_choice_of,
    with_parser,
)
from langchain_router.messages.transcript import ChunkBuilder, limits_in, message_from, to_chat
from langchain_router.timeouts import EXCHANGES, TIMEOUTS

_SENT = ("temperature", "max_tokens", "top_p", "seed", "reasoning_effort")
_PROFILE = tuple(name for name in FIELDS if name in ModelProfile.__annotations__)


class ChatEndpoint(BaseChatModel):
    """One model at one Chat Completions server.

    `api_key`, or the environment variable that `api_key_env` names, is sent as a bearer token; without
    both there is no auth header. `timeout`: seconds for the whole call, or a mapping of the four clocks.
    `extra_body` is sent with every call. All further keywords are fields of the model's card
    (context_window, tool_calling, price, ...). It never retries, so `max_retries` has no effect.
    Raises ConfigError for what cannot work, and EndpointError when a call fails.
    """

    base_url: str
    model: str
    api_key: SecretStr | Callable[[], str] | None = Field(default=None, exclude=True, repr=False)
    api_key_env: str | None = None
    headers: dict[str, str] = Field(default_factory=dict, exclude=True, repr=False)
    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    seed: int | None = None
    reasoning_effort: str | None = None
    stop: list[str] | str | None = None
    timeout: float | dict[str, float] | None = None
    max_retries: int | None = None
    streaming: bool | None = None
    extra_body: dict[str, Any] = Field(default_factory=dict)
    card: dict[str, Any] = Field(default_factory=dict, exclude=True, repr=False)
    client: Any = Field(default=None, exclude=True, repr=False)

    def __init__(self, **keywords: Any) -> None:
        own = {name: value for name, value in keywords.items() if name in type(self).model_fields}
        stated = {name: value for name, value in keywords.items() if name not in own}
        owner = str(own.get("model") or "endpoint")
        own["card"] = {**(own.get("card") or {}), **card_fields(stated, owner, type(self).model_fields)}
        ModelCard(**{"id": owner, **own["card"]})  # raises for impossible values
        if own.get("client") is None:
            own["client"] = OpenAICompatible(_spec(own, owner))
        super().__init__(**own)
        show_refusals(self.provider)

    @field_serializer("base_url")
    def _shown_url(self, base_url: str) -> str:
        return versioned(base_url)  # a key may stand in its query

    def __repr_args__(self) -> Any:
        return [(name, public_url(v) if name == "base_url" else v) for name, v in super().__repr_args__()]

    @classmethod
    def from_card(cls, card: ModelCard) -> ChatEndpoint:
        """The model that a card's `endpoint` reaches."""
        stated = {name: value for name in FIELDS if (value := getattr(card, name)) not in (None, "", (), {})}
        endpoint = dict(stated.pop("endpoint", None) or {})
        endpoint["timeout"] = endpoint.pop("timeouts", None)
        for name in ("model", "tags", "streaming"):
            stated.pop(name, None)  # of the card's own, not the chat model's
        return cls(**{"model": card.name, **{k: v for k, v in endpoint.items() if v is not None}}, **stated)

    @classmethod
    def named(cls, name: str, *, api_key: str | None = None) -> ChatEndpoint:
        """The model of "provider:model" at a provider known to speak Chat Completions."""
        spec = spec_for(name, api_key=api_key)
        provider = name.partition(":")[0]
        key = SecretStr(api_key) if api_key else None
        return cls(
            base_url=spec.base_url, model=spec.model, api_key=key, api_key_env=spec.api_key_env, provider=provider
        )

    @property
    def provider(self) -> str:
        """As the card says, else by the host's name, else 'endpoint'."""
        return str(self.card.get("provider") or provider_of(self.base_url) or "endpoint")

    @property
    def at_openai(self) -> bool:
        """Whether OpenAI itself serves it, which knows more options than other servers of the protocol."""
        return canonical(self.provider) == "openai"

    # -- calls ------------------------------------------------------------------------------------

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any,
    ) -> ChatResult:  # fmt: skip
        exchange = self._start(messages, stop, kwargs, stream=False)
        return self._result(list(exchange.chunks()), exchange.headers)

    async def _agenerate(
        self, messages: list[BaseMessage], stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None, **kwargs: Any,
    ) -> ChatResult:  # fmt: skip
        exchange = self._start(messages, stop, kwargs, stream=False)
        return self._result([delta async for delta in exchange.achunks()], exchange.headers)

    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:  # fmt: skip
        exchange = self._start(messages, stop, kwargs, stream=True)
        chunks = ChunkBuilder(self.provider, exchange)
        with closing(cast("Any", exchange.chunks())) as deltas:
            for delta in deltas:
                chunk = ChatGenerationChunk(message=chunks.of(delta))
                if run_manager:
                    run_manager.on_llm_new_token(delta.text, chunk=chunk)
                yield chunk

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None, **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:  # fmt: skip
        exchange = self._start(messages, stop, kwargs, stream=True)
        chunks = ChunkBuilder(self.provider, exchange)
        async with aclosing(cast("Any", exchange.achunks())) as deltas:
            async for delta in deltas:
                chunk = ChatGenerationChunk(message=chunks.of(delta))
                if run_manager:
                    await run_manager.on_llm_new_token(delta.text, chunk=chunk)
                yield chunk

    @property
    def _settings(self) -> dict[str, Any]:
        return {name: value for name in _SENT if (value := getattr(self, name)) is not None}

    def _start(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: Mapping[str, Any], *, stream: bool
    ) -> Any:
        stops, asked = stop or self.stop, _asked(unmask_keys(kwargs))
        settings = {**self._settings, **({"stop": stops} if stops else {})}
        model = {"model": self.model, **self.extra_body, **asked}["model"]
        body = {
            "messages": to_chat(messages),
            **options_for(str(model), settings, self.extra_body, asked),
            "model": model,
        }
        if "response_format" in body and not isinstance(body["response_format"], Mapping):
            schema = body["response_format"]
            body["response_format"] = (
                openai_response_format(schema) if self.at_openai else response_format(schema, None)
            )
        exchange = self.client.start(body, stream=stream, timeouts=TIMEOUTS.get())
        if (known := EXCHANGES.get()) is not None:
            known.append(exchange)
        return exchange

    def _result(self, deltas: Sequence[Delta], headers: Mapping[str, str]) -> ChatResult:
        by_header = billed({}, headers)
        whole = deltas[0] if by_header is None else deltas[0]._replace(cost=by_header)
        message = message_from(whole, self.provider)
        message.response_metadata |= limits_in(headers)
        answer = ChatGeneration(message=message, generation_info=info_of(whole))
        return ChatResult(generations=[answer, *self._beside(whole)], llm_output=output_of(whole, self.provider))

    def _beside(self, whole: Delta) -> list[ChatGeneration]:
        """The other answers to a call with `n`, each paid for."""
        if len(whole.raw.get("choices") or ()) < 2:
            return []
        return [
            ChatGeneration(message=message_from(other, self.provider), generation_info=info_of(other))
            for other in other_answers(whole.raw)
        ]

    # -- bindings ---------------------------------------------------------------------------------

    def bind(self, **kwargs: Any) -> RunnableBinding[LanguageModelInput, AIMessage]:  # type: ignore[override]  # the base's class only adds overloads
        """Bind call keywords. A key among them is asterisks in the binding's dumps."""
        return super().bind(**mask_keys(kwargs))

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], *,
        tool_choice: Any = None, strict: bool | None = None, **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:  # fmt: skip
        """Bind tools in any form that LangChain takes. `tool_choice`: auto, none, any, or a tool's name."""
        formatted = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
        names = [tool["function"]["name"] for tool in formatted if "function" in tool]
        choice = tool_choice_of(tool_choice, names)
        options = {} if choice is None else {"tool_choice": choice}
        return self.bind(**({"tools": formatted} if formatted else {}), **options, **kwargs)

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, method: Method | None = None,
        strict: bool | None = None, tools: Sequence[Any] | None = None, **kwargs: Any,
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:  # fmt: skip
        """Answers that fit a schema. `method`: json_schema, function_calling, json_mode; None = as the card allows."""
        if kwargs:
            raise ConfigError(
                f"ChatEndpoint.with_structured_output takes no {', '.join(kwargs)}, but include_raw, method, strict "
                "and tools; give other keywords with the call"
            )
        chosen = method or self._method()
        if chosen not in METHODS:
            raise ConfigError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
        bound = bound_to_schema(self, schema, chosen, strict, tools)
        return with_parser(bound, parser_of(schema, chosen), include_raw=include_raw)

    def _method(self) -> Method:
        """The json_schema method, unless the server is known to lack it; else function calling."""
        if self.card.get("structured_output") is False and self.card.get("tool_calling") is not False:
            return "function_calling"
        return "json_schema"

    # -- what LangChain asks of a chat model ------------------------------------------------------

    @property
    def _llm_type(self) -> str:
        return "chat-endpoint"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        query = fingerprint(self.base_url.partition("?")[2])  # two that differ in it share no cached answer
        where = {"base_url": public_url(self.base_url), **({"query": query} if query else {})}
        return {"model": self.model, **where, **self._settings, **self.extra_body}

    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        """What callbacks and traces see of a call."""
        return super()._get_invocation_params(stop=stop, **mask_keys(kwargs))

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        """By what LangChain's cache tells calls apart: those with keys of their own by the keys' marks."""
        mark = mark_of(kwargs)
        return super()._get_llm_string(stop=stop, **mask_keys(kwargs), **({"account": mark} if mark else {}))

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        own = [self.stop] if isinstance(self.stop, str) else self.stop
        params = super()._get_ls_params(stop or own, **kwargs)
        params["ls_provider"] = self.provider
        return params

    def _resolve_model_profile(self) -> ModelProfile | None:
        known = {name: self.card[name] for name in _PROFILE if self.card.get(name) is not None}
        return cast(ModelProfile, known) if known else None


def _asked(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of a call that belong into its body.

    Streams ask for their counts by themselves, so that of ChatOpenAI's `stream_usage` only False changes the body.
    """
    ours = ("stream", "stream_usage")
    asked = {name: value for name, value in kwargs.items() if value is not None and name not in ours}
    return {"stream_options": {"include_usage": False}, **asked} if kwargs.get("stream_usage") is False else asked


def _spec(own: Mapping[str, Any], owner: str) -> EndpointSpec:
    stated = {name: own.get(name) for name in ("base_url", "model", "api_key", "api_key_env", "headers")}
    timeouts = own.get("timeout")
    return EndpointSpec.parse({**stated, "timeouts": timeouts}, owner=owner)
