"""ChatRouter: a BaseChatModel that sends every call to the cheapest model that can and will answer it.

The public verbs are overridden, not `_generate`: each opens a chain run, and the models' own runs are
its children (see tracing.py). What is bound is recorded and replayed on the chosen model (bindings.py).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from langchain_core.callbacks import CallbackManagerForLLMRun, Callbacks
from langchain_core.language_models import BaseChatModel, LanguageModelInput, ModelProfile
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult, LLMResult, RunInfo
from langchain_core.prompt_values import ChatPromptValue
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import ensure_config
from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field, SecretStr

from capability_router.errors import ConfigError
from capability_router.features import estimate_tokens, features
from capability_router.plan import Plan
from capability_router.router import Router
from capability_router.routing import current_routing
from langchain_router.bindings import BOUND, Structured, Tools
from langchain_router.children import Fleet, describe
from langchain_router.profile import common_profile
from langchain_router.routed import RoutedCall
from langchain_router.translate import Call, Mode, split_terms, to_request

_DEFAULTS = ("temperature", "max_tokens", "streaming", "output_version")


class ChatRouter(BaseChatModel):
    """A chat model that routes.

    `models`: LangChain models, "provider:model" strings, cards with an `endpoint`, or pairs (model,
    card or overrides). `policy` and all further keywords are the settings of router.yaml. `router`
    instead of `models` shares a Router, with its breakers, budgets and learning. `temperature`,
    `max_tokens`, `stop`, `streaming` are defaults for the chosen model's call, `timeout` (seconds)
    bounds the whole request, `max_retries` is the number of further attempts, `api_key` serves
    "provider:model" strings. `annotate=False` keeps `response_metadata` as the model wrote it.
    Raises ConfigError.
    """

    router: Router = Field(exclude=True, repr=False)
    fleet: Fleet = Field(exclude=True, repr=False)
    temperature: float | None = None
    max_tokens: int | None = None
    stop: list[str] | str | None = None
    timeout: float | None = None
    max_retries: int | None = None
    api_key: SecretStr | None = Field(default=None, exclude=True, repr=False)
    streaming: bool | None = None
    annotate: bool | None = None

    def __init__(self, models: Iterable[Any] | None = None, *, router: Router | None = None, **keywords: Any) -> None:
        own = {name: keywords.pop(name) for name in list(keywords) if name in type(self).model_fields}
        if own.get("cache"):
            raise ConfigError("ChatRouter takes no cache=; give the cache to the models, which serve it themselves")
        if router is None:
            router = Router(models or (), describe=describe, **_settings(own, keywords))
        elif models is not None or keywords:
            given = ", ".join(["models"] * (models is not None) + list(keywords))
            raise ConfigError(f"router= brings its own models and settings; leave out {given}, or leave out router=")
        key = own.get("api_key")
        plain = key.get_secret_value() if isinstance(key, SecretStr) else key
        own.setdefault("fleet", None)
        own["fleet"] = own["fleet"] or Fleet(router.registry, api_key=plain)
        super().__init__(**{"router": router, **own})

    @classmethod
    def from_config(cls, source: str | Path | Mapping[str, Any], **overrides: Any) -> ChatRouter:
        """From router.yaml (a path) or the same as a dict; keywords override it. Raises ConfigError."""
        own = {name: overrides.pop(name) for name in list(overrides) if name in cls.model_fields}
        router = Router.from_config(source, describe=describe, **_settings(own, overrides))
        return cls(router=router, **own)

    def __repr__(self) -> str:
        return f"ChatRouter(models={list(self.router.registry.entries)}, policy={self.router.settings.policy.name!r})"

    __str__ = __repr__

    @property
    def children(self) -> Fleet:
        """The models that make the calls, with this object's own defaults on them."""
        stated = ((name, getattr(self, name)) for name in _DEFAULTS)
        return self.fleet.under(tuple((name, value) for name, value in stated if value is not None))

    @property
    def annotates(self) -> bool:
        """Whether replies carry `response_metadata["router"]`."""
        return self.router.settings.annotate if self.annotate is None else self.annotate

    def explain(self, prompt: LanguageModelInput, *, tools: Sequence[Any] = (), **terms: Any) -> Plan:
        """What would be decided for this prompt or these messages now; nothing is called.

        `terms` are routing terms (tenant, pin, max_cost_usd, ...) and call keywords (response_format, ...).
        """
        routing, kwargs = split_terms(terms)
        bound = {BOUND: Tools(tuple(tools))} if tools else {}
        call = self._call(prompt, None, {**kwargs, **bound}, "invoke")
        return self.router.explain(self._request(call, {**call.terms, **routing}))

    # -- the verbs --------------------------------------------------------------------------------

    def invoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *,
        stop: list[str] | None = None, **kwargs: Any,
    ) -> AIMessage:  # fmt: skip
        """Route one call; raises what `langchain_router.errors` names."""
        (message,) = self._routed(input, config, stop, kwargs, "invoke").chunks()
        return message  # type: ignore[no-any-return]  # an AIMessage, or what a bound schema parses to

    async def ainvoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *,
        stop: list[str] | None = None, **kwargs: Any,
    ) -> AIMessage:  # fmt: skip
        """Route one call."""
        call = self._routed(input, config, stop, kwargs, "invoke")
        (message,) = [chunk async for chunk in call.achunks()]
        return message  # type: ignore[no-any-return]  # an AIMessage, or what a bound schema parses to

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *,
        stop: list[str] | None = None, **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:  # fmt: skip
        """Route one call and hand on the chosen model's chunks as they come."""
        yield from self._routed(input, config, stop, kwargs, self._stream_mode(kwargs)).chunks()

    async def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *,
        stop: list[str] | None = None, **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:  # fmt: skip
        """Route one call and hand on the chosen model's chunks as they come."""
        chunks = self._routed(input, config, stop, kwargs, self._stream_mode(kwargs)).achunks()
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            await chunks.aclose()

    def generate(
        self, messages: list[list[BaseMessage]], stop: list[str] | None = None, callbacks: Callbacks = None, *,
        tags: list[str] | None = None, metadata: dict[str, Any] | None = None, run_name: str | None = None,
        run_id: uuid.UUID | None = None, **kwargs: Any,
    ) -> LLMResult:  # fmt: skip
        """Route each list of messages, one after the other."""
        configs = _configs(len(messages), callbacks, tags, metadata, run_name, run_id)
        calls = zip(messages, configs, strict=True)
        return _result([self.invoke(m, config, stop=stop, **kwargs) for m, config in calls], configs)

    async def agenerate(
        self, messages: list[list[BaseMessage]], stop: list[str] | None = None, callbacks: Callbacks = None, *,
        tags: list[str] | None = None, metadata: dict[str, Any] | None = None, run_name: str | None = None,
        run_id: uuid.UUID | None = None, **kwargs: Any,
    ) -> LLMResult:  # fmt: skip
        """Route all lists of messages at once."""
        configs = _configs(len(messages), callbacks, tags, metadata, run_name, run_id)
        calls = [self.ainvoke(m, c, stop=stop, **kwargs) for m, c in zip(messages, configs, strict=True)]
        # All are waited for, whatever becomes of one: none goes on unseen, and a cancellation isn't lost to an error.
        ended = await asyncio.gather(*calls, return_exceptions=True)
        return _result([_answered(message) for message in ended], configs)

    def stream_events(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *,
        version: Literal["v1", "v2", "v3"] = "v2", stop: list[str] | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """v3: a ChatModelStream, pumped from the chosen model's own; else as every Runnable."""
        if version != "v3":
            return super().stream_events(input, config, version=version, stop=stop, **kwargs)
        from langchain_router.events import routed_stream

        return routed_stream(self._routed(input, config, stop, kwargs, "events"))

    def astream_events(  # type: ignore[override]  # the base's overloads, told apart by `version`
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *,
        version: Literal["v1", "v2", "v3"] = "v2", stop: list[str] | None = None, **kwargs: Any,
    ) -> AsyncIterator[Any] | Awaitable[Any]:  # fmt: skip
        """v3: an awaitable AsyncChatModelStream; else as every Runnable."""
        if version != "v3":
            return super().astream_events(input, config, version=version, stop=stop, **kwargs)
        from langchain_router.events import arouted_stream

        return arouted_stream(self._routed(input, config, stop, kwargs, "events"))

    # -- bindings ---------------------------------------------------------------------------------

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], *,
        tool_choice: str | None = None, **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:  # fmt: skip
        """Bind tools; the chosen model's own `bind_tools` gets exactly these arguments."""
        options = kwargs if tool_choice is None else {"tool_choice": tool_choice, **kwargs}
        return self.bind(**{BOUND: Tools(tuple(tools), options)})

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """Answers that fit a schema; the chosen model's own method gets exactly these arguments.

        An answer that can't be parsed is followed by the next eligible model.
        """
        bound = Structured(schema, {"include_raw": include_raw, **kwargs})
        output = schema if isinstance(schema, type) and not include_raw else dict
        return self.bind(**{BOUND: bound}).with_types(output_type=output)

    # -- what LangChain asks of a chat model ------------------------------------------------------

    @property
    def _llm_type(self) -> str:
        return "capability-router"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return {"models": list(self.router.registry.entries), "policy": self.router.settings.policy.name}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        named = {"model": "router", **({"temperature": self.temperature} if self.temperature is not None else {})}
        return super()._get_ls_params(stop, **{**named, **kwargs})

    def _resolve_model_profile(self) -> ModelProfile | None:
        return common_profile(self.router.registry.cards)

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any,
    ) -> ChatResult:  # fmt: skip
        raise NotImplementedError(
            "ChatRouter has no _generate: call invoke, stream, batch or generate, which open the router's run"
        )

    def get_num_tokens(self, text: str) -> int:
        """An estimate, without a download; the routed model's own count stands in usage_metadata."""
        return estimate_tokens(text)

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """An estimate of messages, attachments and tools together."""
        bound = {BOUND: Tools(tuple(tools))} if tools else {}
        call = self._call(messages, None, bound, "invoke")
        return features(self._request(call, {})).input_tokens

    # -- inside -----------------------------------------------------------------------------------

    def _routed(
        self, input: LanguageModelInput, config: RunnableConfig | None, stop: list[str] | None,
        kwargs: Mapping[str, Any], mode: Mode,
    ) -> RoutedCall:  # fmt: skip
        return RoutedCall(self, self._call(input, stop, kwargs, mode), ensure_config(config))

    def _call(self, input: LanguageModelInput, stop: list[str] | None, kwargs: Mapping[str, Any], mode: Mode) -> Call:
        prompt = self._convert_input(input)
        messages = prompt.to_messages()
        options = dict(kwargs)
        bound = options.pop(BOUND, None)
        stops = self.stop if stop is None else stop
        if stops:
            options["stop"] = [stops] if isinstance(stops, str) else stops
        terms: dict[str, Any] = {} if self.timeout is None else {"deadline_s": self.timeout}
        model = options.get("model")
        pinned = self.router.registry.resolve(model) if isinstance(model, str) else None
        if pinned is not None:
            del options["model"]
            terms["pin"] = pinned
        if not isinstance(prompt, ChatPromptValue):  # else every attempt would make the messages anew
            prompt = ChatPromptValue.model_construct(messages=messages)
        return Call(prompt, messages, mode, options, bound, self.max_tokens, terms)

    def _request(self, call: Call, terms: Mapping[str, Any]) -> Any:
        return to_request(call, current_routing().merged(terms), self.router.registry.cards)

    def _stream_mode(self, kwargs: Mapping[str, Any]) -> Mode:
        """A stream that somebody has switched off is one message from `invoke`."""
        bound = kwargs.get(BOUND)
        tools = bool(kwargs.get("tools")) or isinstance(bound, Tools)
        off = self.disable_streaming is True or (self.disable_streaming == "tool_calling" and tools)
        return "invoke" if off or self.streaming is False or kwargs.get("stream") is False else "stream"


def _settings(own: Mapping[str, Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The core's settings, with those that LangChain's own words for a model stand for."""
    settings = dict(keywords)
    if own.get("max_retries") is not None:
        settings["retry"] = {"attempts": own["max_retries"] + 1, **(settings.get("retry") or {})}
    return settings


def _configs(
    count: int, callbacks: Callbacks, tags: list[str] | None, metadata: Mapping[str, Any] | None,
    run_name: str | None, run_id: uuid.UUID | None,
) -> list[RunnableConfig]:  # fmt: skip
    shared = RunnableConfig(callbacks=callbacks, tags=list(tags or ()), metadata=dict(metadata or {}))
    named: RunnableConfig = {**shared, "run_name": run_name} if run_name else shared
    ids = [run_id or uuid.uuid4(), *(uuid.uuid4() for _ in range(count - 1))]
    return [{**named, "run_id": id} for id in ids[:count]]


def _answered(ended: AIMessage | BaseException) -> AIMessage:
    if isinstance(ended, BaseException):
        raise ended
    return ended


def _result(messages: list[AIMessage], configs: list[RunnableConfig]) -> LLMResult:
    generations = [[ChatGeneration(message=message)] for message in messages]
    runs = [RunInfo(run_id=run_id) for config in configs if (run_id := config.get("run_id")) is not None]
    return LLMResult(generations=generations, llm_output={}, run=runs)  # type: ignore[arg-type]  # list is invariant
