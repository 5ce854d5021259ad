"""A base class for LLMs that implement only chat methods: LlamaIndex's other methods are built on these."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.generic_utils import (
    achat_to_completion_decorator,
    astream_chat_to_completion_decorator,
    chat_to_completion_decorator,
    stream_chat_to_completion_decorator,
)
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    MessageRole,
    ToolCallBlock,
)
from llama_index.core.bridge.pydantic import Field
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.llms.structured_llm import StructuredLLM
from pydantic import BaseModel

from capability_router.endpoints.key_masking import unmask_keys
from llamaindex_router.call_keys import keyless, keyless_structured
from llamaindex_router.messages.tool_calls import selections
from llamaindex_router.structured_llm import KeylessStructuredLLM
from llamaindex_router.tracing import read_once

if TYPE_CHECKING:
    from llama_index.core.tools.types import BaseTool


class ChatOnlyLLM(FunctionCallingLLM):
    """Chat and complete, sync, async and streamed, over four methods of the class that makes the calls.

    That class marks the four as `without_span`: LlamaIndex gives whatever implements an abstract method a span of its
    own. Each makes one call, no retries, and raises what the class that makes it does.
    """

    temperature: float | None = Field(default=None, description="Sampling temperature.")
    max_tokens: int | None = Field(default=None, gt=0, description="Limit of the answer in tokens.")
    top_p: float | None = Field(default=None, description="Nucleus sampling.")
    stop: list[str] | None = Field(default=None, description="Texts at which the answer ends.")

    @abstractmethod
    def _answer(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]) -> ChatResponse: ...

    @abstractmethod
    async def _aanswer(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]) -> ChatResponse: ...

    @abstractmethod
    def _stream(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]) -> ChatResponseGen: ...

    @abstractmethod
    def _astream(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]) -> ChatResponseAsyncGen: ...

    @keyless
    @read_once
    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """One call."""
        return self._answer(messages, unmask_keys(kwargs))

    @keyless
    @read_once
    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """One call."""
        return await self._aanswer(messages, unmask_keys(kwargs))

    @keyless
    @read_once
    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """One streamed call; sent when the first chunk is asked for."""
        return self._stream(messages, unmask_keys(kwargs))

    @keyless
    @read_once
    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """One streamed call; sent when the first chunk is asked for."""
        return self._astream(messages, unmask_keys(kwargs))

    @keyless
    @read_once
    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """The prompt as a user's message."""
        return chat_to_completion_decorator(lambda messages, **kw: self._answer(messages, unmask_keys(kw)))(
            prompt, **kwargs
        )

    @keyless
    @read_once
    @llm_completion_callback()
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """The prompt as a user's message."""
        return await achat_to_completion_decorator(lambda messages, **kw: self._aanswer(messages, unmask_keys(kw)))(
            prompt, **kwargs
        )

    @keyless
    @read_once
    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """The prompt as a user's message, streamed."""
        return stream_chat_to_completion_decorator(lambda messages, **kw: self._stream(messages, unmask_keys(kw)))(
            prompt, **kwargs
        )

    @keyless
    @read_once
    @llm_completion_callback()
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """The prompt as a user's message, streamed."""

        async def opened(messages: Sequence[ChatMessage], **kw: Any) -> ChatResponseAsyncGen:
            return self._astream(messages, unmask_keys(kw))

        return await astream_chat_to_completion_decorator(opened)(prompt, **kwargs)

    # -- as the base class has them, without keys in their spans

    structured_predict = keyless_structured(FunctionCallingLLM.structured_predict)
    astructured_predict = keyless_structured(FunctionCallingLLM.astructured_predict)
    stream_structured_predict = keyless_structured(FunctionCallingLLM.stream_structured_predict)
    astream_structured_predict = keyless_structured(FunctionCallingLLM.astream_structured_predict)
    predict_and_call = keyless(FunctionCallingLLM.predict_and_call)
    apredict_and_call = keyless(FunctionCallingLLM.apredict_and_call)

    def as_structured_llm(self, output_cls: type[BaseModel], **kwargs: Any) -> StructuredLLM:
        """An LLM whose answers are objects of this class."""
        return KeylessStructuredLLM(llm=self, output_cls=output_cls, **kwargs)

    @abstractmethod
    def _choice(self, stated: Any, *, required: bool, parallel: bool) -> dict[str, Any]:
        """The keywords of a call that say which tools have to be called; `stated`: the caller's own choice, or None."""

    @keyless
    def _prepare_chat_with_tools(
        self, tools: Sequence[BaseTool], user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None, verbose: bool = False,
        allow_parallel_tool_calls: bool = False, tool_required: bool = False, **kwargs: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """The tools as OpenAI's specifications; the caller's list of messages stays as it is."""
        specs = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
        asked = ChatMessage(role=MessageRole.USER, content=user_msg) if isinstance(user_msg, str) else user_msg
        messages = [*(chat_history or ()), *((asked,) if asked is not None else ())]
        stated = kwargs.pop("tool_choice", None)
        if not specs:
            return {"messages": messages, **kwargs}
        choice = self._choice(stated, required=tool_required, parallel=allow_parallel_tool_calls)
        return {"messages": messages, "tools": specs, **choice, **kwargs}

    def _validate_chat_with_tools_response(
        self, response: ChatResponse, tools: Sequence[BaseTool], allow_parallel_tool_calls: bool = False, **kwargs: Any
    ) -> ChatResponse:
        """Without parallel calls only the first is kept, as LlamaIndex's own integrations do."""
        calls = [b for b in response.message.blocks if isinstance(b, ToolCallBlock)]
        if not allow_parallel_tool_calls and len(calls) > 1:
            others = [b for b in response.message.blocks if not isinstance(b, ToolCallBlock)]
            response.message.blocks = [*others, calls[0]]
            response.message.additional_kwargs["tool_calls"] = response.message.additional_kwargs["tool_calls"][:1]
        return response

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """The calls. Raises ValueError when there is none and `error_on_no_tool_call`."""
        return selections(response.message, required=error_on_no_tool_call)
