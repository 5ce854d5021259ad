"""EndpointLLM: any Chat Completions server as a LlamaIndex LLM, over the built-in client."""

from __future__ import annotations

import uuid
import weakref
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    LLMMetadata,
)
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW
from llama_index.core.program.streaming_utils import process_streaming_content_incremental
from llama_index.core.prompts import BasePromptTemplate, PromptTemplate
from llama_index.core.types import PydanticProgramMode
from pydantic import Field, PrivateAttr, field_serializer

from capability_router.address import keyless, public_url, versioned
from capability_router.catalog.aliases import canonical, provider_of
from capability_router.catalog.card import FIELDS, ModelCard, card_fields
from capability_router.catalog.entry import ModelDescription
from capability_router.endpoints.openai_models import options_for
from capability_router.endpoints.reply_assembler import ReplyAssembler
from llamaindex_router.call_keys import keyless_structured
from llamaindex_router.chat_only_llm import ChatOnlyLLM
from llamaindex_router.messages.chat_completions import json_schema, message_dicts, object_of, response_of, tool_choice
from llamaindex_router.side_channel import current_channel
from llamaindex_router.tracing import without_span

if TYPE_CHECKING:
    from capability_router.endpoints.exchange import Exchange
    from capability_router.endpoints.openai_compatible import OpenAICompatible
    from capability_router.endpoints.spec import EndpointSpec
    from capability_router.endpoints.wire import Delta

_OPTIONS = ("temperature", "max_tokens", "top_p", "stop")
_BODY_MODEL = "model"
_clients: weakref.WeakValueDictionary[str, OpenAICompatible] = weakref.WeakValueDictionary()
"""The clients of this process, so that a copy or a pickle opened here keeps the key that it doesn't hold."""


class EndpointLLM(ChatOnlyLLM):
    """One model at one Chat Completions server, called once per call: no retries of its own.

    `api_key` (a string, a SecretStr or a callable) or `api_key_env`; with neither, no auth header is
    sent. `timeout` in seconds bounds a call. Further keywords are card fields (context_window,
    tool_calling, price, ...), which a router reads. Raises ConfigError.
    """

    base_url: str = Field(description="Where the server's Chat Completions are.")
    model: str = Field(description="The model's name at this server.")
    api_key_env: str | None = Field(default=None, description="The environment variable that holds the key.")
    timeout: float | None = Field(default=None, gt=0, description="Limit of a call in seconds.")
    additional_kwargs: dict[str, Any] = Field(default_factory=dict, description="Further fields of the body.")
    _client: OpenAICompatible = PrivateAttr()
    _card: ModelCard = PrivateAttr()
    _token: str = PrivateAttr()

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: Any = None,
        api_key_env: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeouts: Any = None,
        **settings: Any,
    ) -> None:
        from capability_router.endpoints.openai_compatible import client_for

        token = settings.pop("_token", "")
        own = {name: settings.pop(name) for name in type(self).model_fields if name in settings}
        own |= {"base_url": base_url, "model": model, "api_key_env": api_key_env}
        known = card_fields(settings, str(model), (*type(self).model_fields, "api_key", "headers", "timeouts"))
        super().__init__(**own)
        known = {"id": model, "provider": provider_of(base_url) or "endpoint", **known, "model": model}
        self._card = ModelCard(**known)
        spec = {"base_url": base_url, "model": model, "api_key": api_key, "api_key_env": api_key_env,
                "headers": headers or {}, "timeouts": timeouts}  # fmt: skip
        self._client = _clients.get(token) or client_for(spec, owner=self._card.id, model=model)
        self._token = token or uuid.uuid4().hex
        _clients[self._token] = self._client

    @field_serializer("base_url")
    def _shown_url(self, base_url: str) -> str:
        return versioned(base_url)  # a key may stand in its query

    def __repr_args__(self) -> Any:
        return [(name, public_url(v) if name == "base_url" else v) for name, v in super().__repr_args__()]

    @classmethod
    def from_card(cls, card: ModelCard) -> EndpointLLM:
        """The LLM of a card whose `endpoint` says how it is reached."""
        stated = {n: v for n in FIELDS if (v := getattr(card, n)) is not None and n not in ("endpoint", "model")}
        return cls(**{"model": card.name, **(card.endpoint or {}), **stated})

    @classmethod
    def over(cls, spec: EndpointSpec, **card: Any) -> EndpointLLM:
        """The LLM of an endpoint."""
        return cls(base_url=spec.base_url, model=spec.model, api_key=spec.api_key, api_key_env=spec.api_key_env,
                   headers=spec.headers, timeouts=spec.timeouts, **card)  # fmt: skip

    @classmethod
    def class_name(cls) -> str:
        """The name in payloads and dumps."""
        return "EndpointLLM"

    @property
    def metadata(self) -> LLMMetadata:
        """What is known from the card; tools are assumed unless the card says no."""
        return LLMMetadata(
            context_window=self._card.context_window or DEFAULT_CONTEXT_WINDOW,
            num_output=self.max_tokens or -1,
            is_chat_model=True,
            is_function_calling_model=self._card.tool_calling is not False,
            model_name=self.model,
        )

    @property
    def description(self) -> ModelDescription:
        """What a router reads of it."""
        own = {name: getattr(self._card, name) for name in FIELDS if name not in ("id", "endpoint")}
        stated = {name: value for name, value in own.items() if value not in (None, "", (), {})}
        return ModelDescription({"output_reserve": self.max_tokens, **stated}, self._client.address, gives_reason=True)

    def blueprint(self) -> dict[str, Any]:
        """The keywords that make it again, without its headers and its key, also one in the URL."""
        card = {n: v for n in FIELDS if n != "endpoint" and (v := getattr(self._card, n)) not in (None, "", (), {})}
        own = {n: getattr(self, n) for n in self.model_fields_set if n != "callback_manager"}
        return {**card, **own, "base_url": keyless(self.base_url)}

    def __reduce__(self) -> tuple[Any, ...]:
        return _revived, (type(self), self.blueprint(), self._token)

    def to_payload(self) -> dict[str, Any]:
        """The fields that tracing may show. Defined here, because the base class of 0.14.5 has no such method."""
        own = {"model": self.model, "temperature": self.temperature}
        return {"class_name": self.class_name(), **self.metadata.model_dump(), **own}

    # -- chat and complete ---------------------------------------------------------------------------

    def _exchange(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any], *, stream: bool) -> Exchange:
        options = {name: value for name in _OPTIONS if (value := getattr(self, name)) is not None}
        given = {name: value for name, value in kwargs.items() if value is not None and name != _BODY_MODEL}
        named = {_BODY_MODEL: kwargs[_BODY_MODEL]} if kwargs.get(_BODY_MODEL) else {}
        model = str(kwargs.get(_BODY_MODEL) or self.additional_kwargs.get(_BODY_MODEL) or self.model)
        options = options_for(model, options, self.additional_kwargs, given)
        body = {"messages": message_dicts(messages), **options, **named}
        current_channel().exchange = exchange = self._client.start(body, stream=stream, timeouts=self._timeouts())
        return exchange

    def _timeouts(self) -> Any:
        told = current_channel().timeouts
        if self.timeout is None:
            return told
        from capability_router.execution.effects import Timeouts

        told = told or Timeouts()
        own = told.total is None or self.timeout <= told.total
        return replace(told, total=self.timeout, total_by="timeout") if own else told

    @without_span
    def _answer(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]) -> ChatResponse:
        exchange = self._exchange(messages, kwargs, stream=False)
        (delta,) = exchange.chunks()
        return _told(exchange, ReplyAssembler(), delta, stream=False)

    @without_span
    async def _aanswer(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]) -> ChatResponse:
        exchange = self._exchange(messages, kwargs, stream=False)
        (delta,) = [delta async for delta in exchange.achunks()]
        return _told(exchange, ReplyAssembler(), delta, stream=False)

    @without_span
    def _stream(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]) -> ChatResponseGen:
        exchange, so_far = self._exchange(messages, kwargs, stream=True), ReplyAssembler()
        for delta in exchange.chunks():
            yield _told(exchange, so_far, delta, stream=True)

    @without_span
    async def _astream(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]) -> ChatResponseAsyncGen:
        exchange, so_far = self._exchange(messages, kwargs, stream=True), ReplyAssembler()
        async for delta in exchange.achunks():
            yield _told(exchange, so_far, delta, stream=True)

    # -- tools -----------------------------------------------------------------------------------------

    @without_span
    def _choice(self, stated: Any, *, required: bool, parallel: bool) -> dict[str, Any]:
        return {"tool_choice": tool_choice(stated, required=required), "parallel_tool_calls": parallel}

    # -- structured: the server's own JSON schema mode unless the card says that it has none --------------

    @keyless_structured
    def structured_predict(
        self, output_cls: type[Any], prompt: PromptTemplate, llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Any:  # fmt: skip
        """An object of `output_cls`. Raises ValidationError for an answer that doesn't fit, AnswerWithheld for none."""
        if not self._schema_mode:
            return super().structured_predict(output_cls, prompt, llm_kwargs=llm_kwargs, **prompt_args)
        response = self.chat(*self._asked(prompt, prompt_args), **self._with_schema(llm_kwargs, output_cls))
        return object_of(response, output_cls)

    @keyless_structured
    async def astructured_predict(
        self, output_cls: type[Any], prompt: PromptTemplate, llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Any:  # fmt: skip
        """An object of `output_cls`. Raises ValidationError for an answer that doesn't fit, AnswerWithheld for none."""
        if not self._schema_mode:
            return await super().astructured_predict(output_cls, prompt, llm_kwargs=llm_kwargs, **prompt_args)
        response = await self.achat(*self._asked(prompt, prompt_args), **self._with_schema(llm_kwargs, output_cls))
        return object_of(response, output_cls)

    def _structured_stream_call(
        self, output_cls: type[Any], prompt: PromptTemplate, llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[Any, None, None]:  # fmt: skip
        if not self._schema_mode:
            yield from super()._structured_stream_call(output_cls, prompt, llm_kwargs, **prompt_args)
            return
        found = None
        for response in self.stream_chat(
            *self._asked(prompt, prompt_args), **self._with_schema(llm_kwargs, output_cls)
        ):
            found = process_streaming_content_incremental(response, output_cls, found)
            yield found

    async def _structured_astream_call(
        self, output_cls: type[Any], prompt: PromptTemplate, llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[Any, None]:  # fmt: skip
        if not self._schema_mode:
            return await super()._structured_astream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        asked = self._asked(prompt, prompt_args)

        async def grown() -> AsyncGenerator[Any, None]:
            found = None
            async for response in await self.astream_chat(*asked, **self._with_schema(llm_kwargs, output_cls)):
                found = process_streaming_content_incremental(response, output_cls, found)
                yield found

        return grown()

    @property
    def _schema_mode(self) -> bool:
        return self._card.structured_output is not False and self.pydantic_program_mode == PydanticProgramMode.DEFAULT

    def _with_schema(self, llm_kwargs: Mapping[str, Any] | None, output_cls: type[Any]) -> dict[str, Any]:
        given = {k: v for k, v in (llm_kwargs or {}).items() if k not in ("tool_choice", "tool_required")}
        # Other servers may reject `strict`, and OpenAI's fine-tuned models some of its keywords.
        strict = canonical(self._card.provider) == "openai" and not self.model.startswith("ft:")
        return {**given, "response_format": json_schema(output_cls, strict=strict)}

    def _asked(self, prompt: BasePromptTemplate, prompt_args: Mapping[str, Any]) -> tuple[list[ChatMessage]]:
        return (self._extend_messages(prompt.format_messages(llm=self, **prompt_args)),)


def _revived(kind: type[EndpointLLM], keywords: dict[str, Any], token: str) -> EndpointLLM:
    return kind(_token=token, **keywords)


def _told(exchange: Exchange, so_far: ReplyAssembler, delta: Delta, *, stream: bool) -> ChatResponse:
    """`so_far` has the deltas before this one. The exchange's own assembly may be ahead: it has all that was read."""
    current_channel().headers = exchange.headers
    so_far.add(delta)
    return response_of(so_far, delta, stream=stream)
