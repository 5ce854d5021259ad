"""RouterLLM: the router as a LlamaIndex LLM.

Every entry point of LlamaIndex is turned into a Call and routed; the candidate's own method of the
same name answers it. Nothing here talks to a provider, and nothing here is traced as an LLM: the
candidates are.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import LLM, ToolSelection
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.tools import BaseTool, FunctionTool
from llama_index.core.types import PydanticProgramMode
from pydantic import (
    BaseModel,
    Field,
    PrivateAttr,
    SecretStr,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from capability_router.endpoints.key_masking import unmask_keys
from capability_router.errors import ConfigError
from capability_router.nearest import nearest
from capability_router.routing import Routing, check_keywords, check_terms, current_routing, split_terms
from capability_router.settings.keywords import attempts_of, check_constructor, check_router
from llamaindex_router import call as calls
from llamaindex_router.annotation import producer_of
from llamaindex_router.call import R
from llamaindex_router.call_keys import keyless
from llamaindex_router.core import CoreConfig, SharedCore, picklable
from llamaindex_router.fleet.description import metadata_of
from llamaindex_router.fleet.settings_fingerprint import mark_of
from llamaindex_router.messages.tool_calls import selections
from llamaindex_router.routed import RoutedLLMCall
from llamaindex_router.structured import extended, formatted
from llamaindex_router.structured_llm import KeylessStructuredLLM
from llamaindex_router.system_prompt import ExtendedMessages, ExtendedText
from llamaindex_router.tracing import without_span
from llamaindex_router.translate import request_of
from llamaindex_router.window import ContextWindow, checked, metadata_for

if TYPE_CHECKING:
    from capability_router.plan import Plan
    from capability_router.request import Request
    from capability_router.router import Router

_SETTLED = ("temperature", "max_tokens", "top_p", "stop", "context_window", "pydantic_program_mode")
_OF_MODELS = ("temperature", "max_tokens", "top_p", "stop", "timeout", "pydantic_program_mode")
_KEYWORDS = (
    "router", "context_window", "api_key", "max_retries", "temperature", "max_tokens", "top_p",
    "stop", "timeout", "callback_manager", "system_prompt", "output_parser", "query_wrapper_prompt",
)  # fmt: skip
_CALL_DEFAULTS = ("temperature", "max_tokens", "top_p", "stop", "timeout")


class RouterLLM(FunctionCallingLLM):
    """A LlamaIndex LLM that sends each call to the cheapest model that can and will do it.

    `models`: LlamaIndex LLMs, "provider:model" strings, model cards, pairs or mappings (see Registry);
    or `router`: a Router to share. `temperature`, `max_tokens` (tokens), `top_p`, `stop`, `timeout`
    (seconds) are defaults for the chosen model's call; `max_retries` is the number of further attempts,
    `api_key` serves "provider:model" strings. `context_window`: which window query engines
    are told ("auto", "min", "max", "primary" or tokens). `annotate=False` leaves
    `additional_kwargs["router"]` out. Other keywords are an LLM's own (system_prompt, ...) or the
    router's settings. Raises ConfigError.
    """

    temperature: float | None = Field(default=None, description="Default temperature for the chosen model's call.")
    max_tokens: int | None = Field(default=None, gt=0, description="Default limit of the answer in tokens.")
    top_p: float | None = Field(default=None, description="Default share of probability that answers are drawn from.")
    stop: list[str] | str | None = Field(default=None, description="Default texts at which the answer ends.")
    timeout: float | None = Field(default=None, gt=0, description="Limit of one request in seconds, all attempts.")
    context_window: ContextWindow = Field(default="auto", description="Which window engines are told.")
    annotate: bool = Field(default=True, description='Whether replies carry additional_kwargs["router"].')
    _core: SharedCore = PrivateAttr()
    _metadata: LLMMetadata = PrivateAttr()

    def __init__(
        self,
        models: Sequence[Any] | None = None,
        *,
        router: Router | None = None,
        policy: Any = None,
        context_window: ContextWindow = "auto",
        annotate: bool | None = None,
        api_key: str | SecretStr | None = None,
        max_retries: int | None = None,
        **settings: Any,
    ) -> None:
        if settings.get("rate_limiter") is not None:
            raise ConfigError("rate_limiter belongs to a candidate; for the router, set `limits` on the models' cards")
        core, config = settings.pop("_core", None), settings.pop("_config", None)
        own = {name: settings.pop(name) for name in (*LLM.model_fields, *_further(type(self))) if name in settings}
        defaults = {name: settings.pop(name) for name in _CALL_DEFAULTS if settings.get(name) is not None}
        check_constructor("RouterLLM", settings, _KEYWORDS, models, "to a call: llm.complete(..., {}=...)")
        mode, said = _stated_mode(own.get("pydantic_program_mode")), True if annotate is None else annotate
        super().__init__(context_window=checked(context_window), annotate=said, **defaults, **own)
        defaults = {name: getattr(self, name) for name in defaults}  # as numbers, if they were given as text
        if mode is not None:
            defaults["pydantic_program_mode"] = mode
        if policy is not None:
            settings["policy"] = policy
        if max_retries is not None:
            settings["retry"] = {"attempts": attempts_of(max_retries), **(settings.get("retry") or {})}
        key = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
        self._core = core or _core(CoreConfig(models, config, settings, defaults, key), router)
        if "output_parser" not in own and (parser := self._core.children.output_parser) is not None:
            self.output_parser = parser
        if annotate is None:
            self.annotate = self._core.router.settings.annotate
        self._metadata = self._described()

    @classmethod
    def from_config(cls, source: str | Path | Mapping[str, Any], **overrides: Any) -> RouterLLM:
        """From router.yaml (a path) or the same as a dict; keywords override. Raises ConfigError."""
        return cls(_config=dict(source) if isinstance(source, Mapping) else str(source), **overrides)

    @classmethod
    def from_dict(cls, data: dict[str, Any], **kwargs: Any) -> Self:
        """Raises ConfigError: a dump holds neither the models' settings nor their keys."""
        raise ConfigError(
            "a RouterLLM can't be made from a dict or JSON of to_dict() or to_json(): it names the models, and holds "
            "neither their settings nor their keys; use RouterLLM.from_config(...), or a pickle"
        )

    def __setattr__(self, name: str, value: Any) -> None:
        """Raises ConfigError for what its models and its window were made of."""
        if name in _SETTLED and value != getattr(self, name):
            way = f"give {name}= to the call, or " if name in _CALL_DEFAULTS else ""
            raise ConfigError(
                f"{name} went into the router's models when they were made, so setting it would have no effect; "
                f"{way}make a RouterLLM with it"
            )
        changed = name == "timeout" and value != self.timeout  # the models of its calls have it, too
        super().__setattr__(name, value)
        if changed:
            self._core = self._core.under({name: value})

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy that shares the router. What `update` says of the models' defaults holds for its calls."""
        copied = super().model_copy(update=update, deep=deep)
        stated = update or {}
        changed = {name: stated[name] for name in _OF_MODELS if name in stated}
        if "pydantic_program_mode" in changed:
            changed["pydantic_program_mode"] = _stated_mode(changed["pydantic_program_mode"])
        if changed:
            copied._core = self._core.under(changed)
        if changed or "context_window" in stated:
            copied._metadata = copied._described()
        return copied

    @classmethod
    def class_name(cls) -> str:
        """The name in payloads and dumps."""
        return "RouterLLM"

    @property
    def router(self) -> Router:
        """The core: its ledger, health, feedback."""
        return self._core.router

    @property
    def metadata(self) -> LLMMetadata:
        """Made once: what engines build on must not move with the models' health."""
        return self._metadata

    @property
    def model(self) -> str:
        """`metadata.model_name`, which is no real model's: where tools look for an LLM's model."""
        return self._metadata.model_name

    def to_payload(self) -> dict[str, Any]:
        """What observability may show of it. Made here, not in a base class: 0.14.5's has no such method."""
        return {"class_name": self.class_name(), **self._metadata.model_dump(), "model": self._metadata.model_name}

    def explain(
        self,
        prompt: str | Sequence[ChatMessage],
        tools: Sequence[BaseTool | Callable[..., Any]] | None = None,
        *,
        stream: bool = False,
        **terms: Any,
    ) -> Plan:
        """What would be decided for this prompt now; nothing is sent.

        `terms` are routing terms and keywords of the call (model, max_tokens, response_format, ...); `stream=True`
        explains a stream. Raises ConfigError for a misspelt term.
        """
        check_terms(terms)
        stated, said = split_terms(terms)
        messages = [ChatMessage(content=prompt)] if isinstance(prompt, str) else prompt
        made = [tool if isinstance(tool, BaseTool) else FunctionTool.from_defaults(tool) for tool in tools or ()]
        plain = calls.chat(messages, said, stream=stream)
        call, routing = self._pinned(calls.with_tools(made, None, messages, said, stream=stream) if made else plain)
        return self.router.explain(self._request(call, routing.merged(stated)))

    # -- chat and complete ---------------------------------------------------------------------

    @without_span
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Chat, routed."""
        return self._routed(calls.chat(messages, kwargs)).call()

    @without_span
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Chat, routed."""
        return await (await self._arouted(calls.chat(messages, kwargs))).acall()

    @without_span
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Chat, routed and streamed; opened up to its first chunk."""
        return self._routed(calls.chat(messages, kwargs, stream=True)).stream()

    @without_span
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """Chat, routed and streamed; opened up to its first chunk."""
        return await (await self._arouted(calls.chat(messages, kwargs, stream=True))).astream()

    @without_span
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Completion, routed as a completion."""
        return self._routed(calls.complete(prompt, formatted, kwargs)).call()

    @without_span
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Completion, routed as a completion."""
        return await (await self._arouted(calls.complete(prompt, formatted, kwargs))).acall()

    @without_span
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """Completion, routed and streamed."""
        return self._routed(calls.complete(prompt, formatted, kwargs, stream=True)).stream()

    @without_span
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """Completion, routed and streamed."""
        return await (await self._arouted(calls.complete(prompt, formatted, kwargs, stream=True))).astream()

    # -- tools: delegated to the candidate's own public methods, with the original tools -------------

    @without_span
    def chat_with_tools(
        self, tools: Sequence[BaseTool], user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None, verbose: bool = False,
        allow_parallel_tool_calls: bool = False, tool_required: bool = False, **kwargs: Any,
    ) -> ChatResponse:  # fmt: skip
        """Chat with tools, routed to a model that calls tools."""
        given = _tool_terms(kwargs, verbose, allow_parallel_tool_calls, tool_required)
        return self._routed(calls.with_tools(tools, user_msg, chat_history, given)).call()

    @without_span
    async def achat_with_tools(
        self, tools: Sequence[BaseTool], user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None, verbose: bool = False,
        allow_parallel_tool_calls: bool = False, tool_required: bool = False, **kwargs: Any,
    ) -> ChatResponse:  # fmt: skip
        """Chat with tools, routed to a model that calls tools."""
        given = _tool_terms(kwargs, verbose, allow_parallel_tool_calls, tool_required)
        return await (await self._arouted(calls.with_tools(tools, user_msg, chat_history, given))).acall()

    @without_span
    def stream_chat_with_tools(
        self, tools: Sequence[BaseTool], user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None, verbose: bool = False,
        allow_parallel_tool_calls: bool = False, tool_required: bool = False, **kwargs: Any,
    ) -> ChatResponseGen:  # fmt: skip
        """Chat with tools, routed and streamed."""
        given = _tool_terms(kwargs, verbose, allow_parallel_tool_calls, tool_required)
        return self._routed(calls.with_tools(tools, user_msg, chat_history, given, stream=True)).stream()

    @without_span
    async def astream_chat_with_tools(
        self, tools: Sequence[BaseTool], user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None, verbose: bool = False,
        allow_parallel_tool_calls: bool = False, tool_required: bool = False, **kwargs: Any,
    ) -> ChatResponseAsyncGen:  # fmt: skip
        """Chat with tools, routed and streamed."""
        given = _tool_terms(kwargs, verbose, allow_parallel_tool_calls, tool_required)
        return await (
            await self._arouted(calls.with_tools(tools, user_msg, chat_history, given, stream=True))
        ).astream()

    predict_and_call = keyless(FunctionCallingLLM.predict_and_call)
    apredict_and_call = keyless(FunctionCallingLLM.apredict_and_call)

    def as_structured_llm(self, output_cls: type[BaseModel], **kwargs: Any) -> StructuredLLM:
        """An LLM whose answers are objects of this class, routed."""
        return KeylessStructuredLLM(llm=self, output_cls=output_cls, **kwargs)

    @without_span
    def _prepare_chat_with_tools(
        self, tools: Sequence[BaseTool], user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None, verbose: bool = False,
        allow_parallel_tool_calls: bool = False, tool_required: bool = False, **kwargs: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """Neutral specifications, for direct callers only: routed calls go to the candidates' own."""
        call = calls.with_tools(tools, user_msg, chat_history, kwargs)
        specs = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
        choice = {"tool_choice": "required"} if tool_required and specs else {}
        return {"messages": list(call.messages), "tools": specs or None, **choice, **kwargs}

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """The calls, read by the candidate that made them; without one, from every known form.

        Raises ValueError when there is none and `error_on_no_tool_call`.
        """
        child = self._core.children.get(producer_of(response))
        if isinstance(child, FunctionCallingLLM):
            return child.get_tool_calls_from_response(response, error_on_no_tool_call=error_on_no_tool_call, **kwargs)
        return selections(response.message, required=error_on_no_tool_call)

    # -- structured: delegated likewise, so that native schemas are used where a model has them ----------

    @without_span
    def structured_predict(
        self, output_cls: type[Any], prompt: BasePromptTemplate, llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Any:  # fmt: skip
        """An object of `output_cls`; an answer that doesn't fit goes to the next model."""
        return self._routed(self._structured(output_cls, prompt, llm_kwargs, prompt_args)).call()

    @without_span
    async def astructured_predict(
        self, output_cls: type[Any], prompt: BasePromptTemplate, llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Any:  # fmt: skip
        """An object of `output_cls`; an answer that doesn't fit goes to the next model."""
        return await (await self._arouted(self._structured(output_cls, prompt, llm_kwargs, prompt_args))).acall()

    @without_span
    def stream_structured_predict(
        self, output_cls: type[Any], prompt: BasePromptTemplate, llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[Any, None, None]:  # fmt: skip
        """The object as it grows."""
        return self._routed(self._structured(output_cls, prompt, llm_kwargs, prompt_args, stream=True)).stream()

    @without_span
    async def astream_structured_predict(
        self, output_cls: type[Any], prompt: BasePromptTemplate, llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[Any, None]:  # fmt: skip
        """The object as it grows."""
        return await (
            await self._arouted(self._structured(output_cls, prompt, llm_kwargs, prompt_args, stream=True))
        ).astream()

    # -- the system prompt: each model's own comes in front of the router's -----------------------------

    def _extend_messages(self, messages: list[ChatMessage]) -> list[ChatMessage]:
        return ExtendedMessages(super()._extend_messages(messages))

    def _extend_prompt(self, formatted_prompt: str) -> str:
        return ExtendedText(super()._extend_prompt(formatted_prompt))

    # -- inside ---------------------------------------------------------------------------------------

    def _routed(self, call: calls.LLMCall[R]) -> RoutedLLMCall[R]:
        return self._core.start(*self._asked(call), self.callback_manager, annotate=self.annotate)

    async def _arouted(self, call: calls.LLMCall[R]) -> RoutedLLMCall[R]:
        call, request = self._asked(call)
        if self.router.prepares:
            request = await self.router.prepare(request)
        return self._core.start(call, request, self.callback_manager, annotate=self.annotate)

    def _asked(self, call: calls.LLMCall[R]) -> tuple[calls.LLMCall[R], Request]:
        check_keywords(call.kwargs.get("llm_kwargs") or () if call.structured else call.kwargs)  # others: the prompt's
        call, routing = self._pinned(call)
        return call, self._request(call, routing)

    def _request(self, call: calls.LLMCall[Any], routing: Routing) -> Request:
        router = self.router
        added = call.extended or call.structured
        own = self._core.children.own_prompt(wrapped=call.method == "complete") if added else ""
        cards = router.registry.cards
        return request_of(call, routing, self.max_tokens, cards, screens=router.screens, own_prompt=own)

    def _routing(self, terms: Mapping[str, Any]) -> Routing:
        routing = current_routing()
        ours = dict(terms)
        if self.timeout is not None and routing.deadline_s is None:
            ours = {"deadline_s": self.timeout, **ours}
        r = routing.merged(ours)
        return r if r.framework else r.attributed(chain=r.chain, session=r.session, framework="llamaindex", tags=r.tags)

    def _pinned(self, call: calls.LLMCall[R]) -> tuple[calls.LLMCall[R], Routing]:
        """The keyword `model=` pins a candidate by its id; any other name goes to the chosen model."""
        name = call.kwargs.get("model")
        pin = self.router.registry.resolve(name) if isinstance(name, str) and not call.structured else None
        if pin is None:
            return call, self._routing({})
        return call.without("model"), self._routing({"pin": pin})

    def _structured(
        self,
        output_cls: type[Any],
        prompt: BasePromptTemplate,
        llm_kwargs: Mapping[str, Any] | None,
        prompt_args: dict[str, Any],
        *,
        stream: bool = False,
    ) -> calls.LLMCall[Any]:
        messages = formatted(self, prompt, prompt_args)
        whole = extended(self, prompt, messages)
        given = prompt_args if whole is prompt else {}
        return calls.structured(output_cls, whole, llm_kwargs, given, messages, stream=stream)

    def _described(self) -> LLMMetadata:
        registry, children = self.router.registry, self._core.children
        told = {entry.card.id: metadata_of(child) for entry in registry if (child := children.get(entry.card.id))}
        return metadata_for(self.router.name, registry.cards, told, self.context_window, self.max_tokens)

    @model_serializer(mode="wrap")
    def custom_model_dump(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        """The fields, and each model by its id with a mark of its settings.

        Caches of ingestion pipelines tell LLMs apart by their dumps.
        """
        asked = {card.id: f"{card.provider}/{card.name}" for card in self.router.registry.cards}
        marks = {id: mark_of(model) for id, model in self._core.children}
        dumped = {"class_name": self.class_name(), "routed_models": asked, "routed_settings": marks}
        return {**handler(self), **dumped}

    def __reduce__(self) -> tuple[Any, ...]:
        stated = {name: getattr(self, name) for name in self.model_fields_set}
        return _revived, (type(self), self._core, {k: v for k, v in stated.items() if picklable(v)})

    def __repr__(self) -> str:
        return f"RouterLLM({self.router!r})"

    __str__ = __repr__


def _core(recipe: CoreConfig, router: Router | None) -> SharedCore:
    described = recipe.models is not None or recipe.config is not None
    if described == (router is not None):
        raise ConfigError("give models=[...] or router=..., one of them")
    if router is not None:
        from capability_router.router import Router  # at first use, as in core.py

        check_router("RouterLLM", router, Router)
    if router is not None and recipe.settings:
        raise ConfigError(f"{', '.join(recipe.settings)}: settings belong to the Router that is given as router=")
    return SharedCore(recipe, router)


def _stated_mode(mode: Any) -> PydanticProgramMode | None:
    """The mode that the models have to have; None = each its own. Raises ConfigError for what is none."""
    try:
        stated = PydanticProgramMode(mode or PydanticProgramMode.DEFAULT)
    except ValueError:
        known = [str(each.value) for each in PydanticProgramMode]
        told = f"pydantic_program_mode must be one of {', '.join(known)}, got {mode!r}{nearest(mode, known, '')}"
        raise ConfigError(told) from None
    return None if stated is PydanticProgramMode.DEFAULT else stated


def _further(kind: type[RouterLLM]) -> set[str]:
    """The fields that a class of the user's own adds."""
    return set(kind.model_fields) - set(RouterLLM.model_fields)


def _tool_terms(kwargs: Mapping[str, Any], verbose: bool, parallel: bool, required: bool) -> dict[str, Any]:
    """The flags that are set: older integrations don't know all of them."""
    flags = {"verbose": verbose, "allow_parallel_tool_calls": parallel, "tool_required": required}
    return {**{name: True for name, flag in flags.items() if flag}, **unmask_keys(kwargs)}


def _revived(kind: type[RouterLLM], core: SharedCore, stated: dict[str, Any]) -> RouterLLM:
    return kind(_core=core, **stated)
