"""ChatRouter: a BaseChatModel that sends every call to the cheapest model that can and will answer it.

The public methods are overridden, not `_generate`. Each opens a chain run, and the models' own runs are its children
(tracing.py). What is bound is recorded and applied to the chosen model (bindings.py).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun, Callbacks
from langchain_core.language_models import LanguageModelInput, ModelProfile
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatResult, LLMResult
from langchain_core.prompt_values import ChatPromptValue
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import ensure_config
from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field, SecretStr

from capability_router.concurrency.async_generators import END, first_step
from capability_router.endpoints.key_masking import unmask_keys
from capability_router.features import features
from capability_router.plan import Plan
from capability_router.router import Router
from capability_router.routing import Routing, check_keywords, check_terms, current_routing, split_terms
from capability_router.tokens.estimate import estimate_tokens
from langchain_router.bindings import BOUND, BoundToolList, StructuredBinding, ToolBinding
from langchain_router.call import IN_CONFIG, ChatCall, Mode, stated_terms, stream_mode
from langchain_router.construction import (
    check_assignment,
    check_settings,
    check_update,
    core_settings,
    fields_of,
    parted,
    plain_key,
    with_attempts,
)
from langchain_router.fleet.description import describe
from langchain_router.fleet.model_fleet import ModelFleet
from langchain_router.generations import chat_result, configs_of, kept_results, result_of
from langchain_router.profile import common_profile, for_agents
from langchain_router.routed import RoutedCall
from langchain_router.tracing import beneath
from langchain_router.translate import to_request
from langchain_router.wrappable import Wrappable

_DEFAULTS = ("temperature", "max_tokens", "streaming", "output_version", "disable_streaming")
_UNSTATED = (None,) * len(_DEFAULTS)


class ChatRouter(Wrappable):
    """A chat model that chooses one of several models for each call.

    `models`: LangChain models, "provider:model" strings, cards with an `endpoint`, or pairs (model,
    card or overrides). `policy` and all further keywords are the settings of router.yaml. `router`
    instead of `models` shares a Router, with its breakers, budgets and learning. `temperature`,
    `max_tokens`, `stop`, `streaming` are defaults for the chosen model's call, `timeout` (seconds)
    bounds the whole request, `max_retries` is the number of further attempts, `api_key` serves
    "provider:model" strings. `annotate=False` keeps `response_metadata` as the model wrote it.
    Raises ConfigError.
    """

    router: Router = Field(exclude=True, repr=False)
    fleet: ModelFleet = Field(exclude=True, repr=False)
    temperature: float | None = None
    max_tokens: int | None = Field(default=None, gt=0)
    stop: list[str] | str | None = None
    timeout: float | None = Field(default=None, gt=0)
    max_retries: int | None = None
    api_key: SecretStr | None = Field(default=None, exclude=True, repr=False)
    streaming: bool | None = None
    annotate: bool | None = None

    def __init__(self, models: Iterable[Any] | None = None, *, router: Router | None = None, **keywords: Any) -> None:
        super().__init__(**fields_of(models, router, *parted(keywords, type(self).model_fields)))

    @classmethod
    def from_config(cls, source: str | Path | Mapping[str, Any], **overrides: Any) -> ChatRouter:
        """From router.yaml (a path) or the same as a dict; keywords override it. Raises ConfigError."""
        own, settings = parted(overrides, cls.model_fields)
        check_settings(settings, settings.get("models"))
        made = core_settings(own, settings)
        router = Router.from_config(source, describe=describe, api_key=plain_key(own), **made)
        return cls(router=router, **with_attempts(own, router))

    def __repr__(self) -> str:
        return f"ChatRouter(models={list(self.router.registry.entries)}, policy={self.router.settings.policy.name!r})"

    __str__ = __repr__

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy that shares the router, with its breakers, budgets and learning. Raises ConfigError."""
        check_update(self, update or {})
        return super().model_copy(update=update, deep=deep)

    def __setattr__(self, name: str, value: Any) -> None:
        """Raises ConfigError for fields that went into its router or its models."""
        check_assignment(self, name, value)
        super().__setattr__(name, value)

    @property
    def children(self) -> ModelFleet:
        """The models that make the calls, with this object's defaults applied."""
        off = self.disable_streaming or None  # False is a model's own default
        own = (self.temperature, self.max_tokens, self.streaming, self.output_version, off)  # of _DEFAULTS
        if own == _UNSTATED:
            return self.fleet
        return self.fleet.under(tuple([pair for pair in zip(_DEFAULTS, own, strict=True) if pair[1] is not None]))

    @property
    def annotates(self) -> bool:
        """Whether replies carry `response_metadata["router"]`."""
        return self.router.settings.annotate if self.annotate is None else self.annotate

    def explain(
        self, prompt: LanguageModelInput, *, tools: Sequence[Any] = (), config: RunnableConfig | None = None,
        **terms: Any,
    ) -> Plan:  # fmt: skip
        """The plan for this prompt or these messages, as it would be made now; nothing is called.

        `terms` are routing terms (tenant, pin, max_cost_usd, ...) and call keywords (response_format, ...).
        What `bind`, `bind_tools`, `with_structured_output` and `with_config` add is included;
        `stream=True` explains a stream. Raises ConfigError for a misspelt term.
        """
        check_terms(terms)
        return self._plan(prompt, config, {**terms, "tools": tools})

    def _plan(self, prompt: LanguageModelInput, config: RunnableConfig | None, keywords: Mapping[str, Any]) -> Plan:
        routing, kwargs = split_terms(keywords)
        tools = kwargs.pop("tools", ())
        listed = BOUND in kwargs and isinstance(tools, BoundToolList)
        bound = {BOUND: ToolBinding(tuple(tools))} if tools and not listed else {}
        mode: Mode = "stream" if kwargs.pop("stream", False) else "invoke"
        call = self._call(prompt, None, {**kwargs, **bound}, mode)
        terms = {**call.terms_within(current_routing()), **stated_terms(config or {}), **routing}
        return self.router.explain(self._request(call, terms))

    # -- the verbs --------------------------------------------------------------------------------

    def invoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *,
        stop: list[str] | None = None, **kwargs: Any,
    ) -> AIMessage:  # fmt: skip
        """Route one call; raises the errors of `langchain_router.errors`."""
        (message,) = self._routed(input, config, stop, kwargs, "invoke").chunks()
        return message  # type: ignore[no-any-return]  # an AIMessage, or what a bound schema parses to

    async def ainvoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *,
        stop: list[str] | None = None, **kwargs: Any,
    ) -> AIMessage:  # fmt: skip
        """Route one call."""
        message: Any = None  # of one chunk; a list of them would be a coroutine more, which costs each wait
        async for chunk in self._routed(input, config, stop, kwargs, "invoke").achunks():
            message = chunk
        return message  # type: ignore[no-any-return]  # an AIMessage, or what a bound schema parses to

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *,
        stop: list[str] | None = None, **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:  # fmt: skip
        """Route one call and yield the chosen model's chunks as they come.

        The routing terms in force now apply wherever the chunks are read.
        """
        return self._chunks(input, config, stop, kwargs, current_routing())

    def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *,
        stop: list[str] | None = None, **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:  # fmt: skip
        """Route one call and yield the chosen model's chunks as they come.

        The routing terms in force now apply wherever the chunks are read.
        """
        return self._achunks(input, config, stop, kwargs, current_routing())

    def generate(
        self, messages: list[list[BaseMessage]], stop: list[str] | None = None, callbacks: Callbacks = None, *,
        tags: list[str] | None = None, metadata: dict[str, Any] | None = None, run_name: str | None = None,
        run_id: uuid.UUID | None = None, **kwargs: Any,
    ) -> LLMResult:  # fmt: skip
        """Route each list of messages, one after the other."""
        configs = configs_of(len(messages), callbacks, tags, metadata, run_name, run_id)
        calls = zip(messages, configs, strict=True)
        with kept_results() as kept:
            return result_of([self.invoke(m, config, stop=stop, **kwargs) for m, config in calls], configs, kept)

    async def agenerate(
        self, messages: list[list[BaseMessage]], stop: list[str] | None = None, callbacks: Callbacks = None, *,
        tags: list[str] | None = None, metadata: dict[str, Any] | None = None, run_name: str | None = None,
        run_id: uuid.UUID | None = None, **kwargs: Any,
    ) -> LLMResult:  # fmt: skip
        """Route all lists of messages at once."""
        configs = configs_of(len(messages), callbacks, tags, metadata, run_name, run_id)
        calls = [self.ainvoke(m, c, stop=stop, **kwargs) for m, c in zip(messages, configs, strict=True)]
        with kept_results() as kept:
            answers = await asyncio.gather(*calls, return_exceptions=True)  # all are waited for, as in core
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return result_of([answer for answer in answers if not isinstance(answer, BaseException)], configs, kept)

    def stream_events(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *,
        version: Literal["v1", "v2", "v3"] = "v2", stop: list[str] | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """v3: a ChatModelStream, fed from the chosen model's own; else as any Runnable."""
        if version != "v3":
            return super().stream_events(input, config, version=version, stop=stop, **kwargs)
        from langchain_router.events import check_messages, routed_stream

        check_messages(kwargs)
        return routed_stream(self._routed(input, config, stop, kwargs, "events", current_routing()))

    def astream_events(  # type: ignore[override]  # the base's overloads, told apart by `version`
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *,
        version: Literal["v1", "v2", "v3"] = "v2", stop: list[str] | None = None, **kwargs: Any,
    ) -> AsyncIterator[Any] | Awaitable[Any]:  # fmt: skip
        """v3: an awaitable AsyncChatModelStream; else as any Runnable."""
        if version != "v3":
            return super().astream_events(input, config, version=version, stop=stop, **kwargs)
        from langchain_router.events import arouted_stream, check_messages

        check_messages(kwargs)
        return arouted_stream(self._routed(input, config, stop, kwargs, "events", current_routing()))

    # -- bindings ---------------------------------------------------------------------------------

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], *,
        tool_choice: str | None = None, parallel_tool_calls: bool | None = None, **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:  # fmt: skip
        """Bind tools; the chosen model's own `bind_tools` gets exactly these arguments.

        `parallel_tool_calls` is left out for a model whose calls have no such setting.
        """
        # Both are in the signature, because others look there: langgraph-supervisor for `parallel_tool_calls`.
        named = {"tool_choice": tool_choice, "parallel_tool_calls": parallel_tool_calls}
        options = {**{name: value for name, value in named.items() if value is not None}, **kwargs}
        return self.bind(**ToolBinding(tuple(tools), options).keywords)

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """Answers that fit a schema; the chosen model's own method gets exactly these arguments.

        An answer that can't be parsed is followed by the next eligible model.
        """
        # Said only where it is asked for: ChatCohere doesn't know the keyword, and sends what it doesn't know.
        bound = StructuredBinding(schema, {"include_raw": True, **kwargs} if include_raw else kwargs)
        output = schema if isinstance(schema, type) and not include_raw else dict
        return self.bind(**{BOUND: bound}).with_types(output_type=output)

    # -- what LangChain asks of a chat model ------------------------------------------------------

    @property
    def model_name(self) -> str:
        """'router'. Tools price and judge a model by this name; each reply has its own model's name."""
        return "router"

    @property
    def model(self) -> str:
        """As `model_name`: some chat models have one field, some the other, and tools read either."""
        return self.model_name

    @property
    def _llm_type(self) -> str:
        return "capability-router"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return {"models": list(self.router.registry.entries), "policy": self.router.settings.policy.name}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        own = {} if self.temperature is None else {"temperature": self.temperature}
        params = super()._get_ls_params(stop, **{"model": self.model_name, **own, **kwargs})
        return {**params, "ls_provider": self.fleet.provider or params["ls_provider"]}

    @property
    def card(self) -> Mapping[str, Any]:
        """What it says of itself to a router of which it is a model: as `profile`, which is made for agents."""
        common = common_profile(self.router.registry.cards)
        return (common or {}) if self.profile == for_agents(common, self.router.registry) else {}

    def _resolve_model_profile(self) -> ModelProfile | None:
        """LangChain's agents decide by it how to request structured answers."""
        return for_agents(common_profile(self.router.registry.cards), self.router.registry)

    # The hooks are for those who call them themselves; every verb above opens the router's run on its own.

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any,
    ) -> ChatResult:  # fmt: skip
        with kept_results() as kept:
            return chat_result(self.invoke(messages, beneath(run_manager), stop=stop, **kwargs), kept)

    async def _agenerate(
        self, messages: list[BaseMessage], stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None, **kwargs: Any,
    ) -> ChatResult:  # fmt: skip
        with kept_results() as kept:
            return chat_result(await self.ainvoke(messages, beneath(run_manager), stop=stop, **kwargs), kept)

    def get_num_tokens(self, text: str) -> int:
        """An estimate, without a download. The chosen model's own count is in usage_metadata."""
        return estimate_tokens(text) if self.custom_get_token_ids is None else len(self.custom_get_token_ids(text))

    def get_token_ids(self, text: str) -> list[int]:
        """Of `custom_get_token_ids`, else of the first model's tokenizer; other models' ids differ."""
        if self.custom_get_token_ids is not None:
            return self.custom_get_token_ids(text)
        _, first = next(iter(self.fleet))
        return first.get_token_ids(text)

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """An estimate of messages, attachments and tools together."""
        bound = {BOUND: ToolBinding(tuple(tools))} if tools else {}
        call = self._call(messages, None, bound, "invoke")
        return features(self._request(call, {})).input_tokens

    # -- inside -----------------------------------------------------------------------------------

    def _routed(
        self, input: LanguageModelInput, config: RunnableConfig | None, stop: list[str] | None,
        kwargs: Mapping[str, Any], mode: Mode, asked_under: Routing | None = None,
    ) -> RoutedCall:  # fmt: skip
        return RoutedCall(self, self._call(input, stop, kwargs, mode), ensure_config(config), asked_under)

    def _chunks(
        self, input: LanguageModelInput, config: RunnableConfig | None, stop: list[str] | None,
        kwargs: Mapping[str, Any], asked_under: Routing,
    ) -> Iterator[AIMessageChunk]:  # fmt: skip
        yield from self._routed(input, config, stop, kwargs, stream_mode(self, kwargs), asked_under).chunks()

    async def _achunks(
        self, input: LanguageModelInput, config: RunnableConfig | None, stop: list[str] | None,
        kwargs: Mapping[str, Any], asked_under: Routing,
    ) -> AsyncIterator[AIMessageChunk]:  # fmt: skip
        chunks = self._routed(input, config, stop, kwargs, stream_mode(self, kwargs), asked_under).achunks()
        try:
            if (first := await first_step(chunks)) is not END:
                yield first
                async for chunk in chunks:
                    yield chunk
        finally:
            await chunks.aclose()

    def _call(
        self, input: LanguageModelInput, stop: list[str] | None, kwargs: Mapping[str, Any], mode: Mode
    ) -> ChatCall:
        prompt, messages = self._messages(input)
        options, bound = dict(unmask_keys(kwargs)), None
        if kwargs:
            check_keywords(kwargs, IN_CONFIG)
            bound = options.pop(BOUND, None)
            if bound is not None and isinstance(options.get("tools"), BoundToolList):
                del options["tools"]
        stops = self.stop if stop is None else stop
        if stops:
            options["stop"] = [stops] if isinstance(stops, str) else stops
        terms: dict[str, Any] = {} if self.timeout is None else {"deadline_s": self.timeout}
        model = options.get("model")
        pinned = self.router.registry.resolve(model) if isinstance(model, str) else None
        if pinned is not None:
            del options["model"]
            terms["pin"] = pinned
        return ChatCall(prompt, messages, mode, options, bound, self.max_tokens, terms)

    def _messages(self, input: LanguageModelInput) -> tuple[ChatPromptValue | None, list[BaseMessage]]:
        """The messages, and what holds them already: every attempt would make those of another prompt anew."""
        if isinstance(input, str):
            return None, [HumanMessage(input)]
        prompt = self._convert_input(input)
        return prompt if isinstance(prompt, ChatPromptValue) else None, prompt.to_messages()

    def _request(self, call: ChatCall, terms: Mapping[str, Any]) -> Any:
        router = self.router
        return to_request(call, current_routing().merged(terms), router.registry.cards, screens=router.screens)
