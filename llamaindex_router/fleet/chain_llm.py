"""ChainLLM: a LangChain chat model as a LlamaIndex LLM, for entries that are at hand only as such.

Tools, streams, async, token counts and terminal reasons come through. Retries of the model's own are off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    LLMMetadata,
)
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW
from pydantic import PrivateAttr

from capability_router.catalog.entry import ModelDescription
from capability_router.concurrency.longest_wait import at_most
from capability_router.endpoints.chain_usage import StreamUsage
from capability_router.endpoints.openai_models import one_call
from llamaindex_router.chat_only_llm import ChatOnlyLLM
from llamaindex_router.errors import CutShort
from llamaindex_router.fleet.chain_model import (
    copy_for_call,
    counting_of,
    described,
    is_a,
    takes_parallel,
    without_own_retries,
)
from llamaindex_router.messages.chain_messages import chain_messages, response_of
from llamaindex_router.messages.usage import finish_of
from llamaindex_router.side_channel import current_channel
from llamaindex_router.tracing import without_span

_OF_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")
_OPTIONS = ("temperature", "max_tokens", "top_p", "stop")
_NAMES = {"max_tokens": ("max_tokens", "max_output_tokens", "num_predict")}
_TIMED = ("BaseChatOpenAI", "ChatAnthropic", "ChatGroq")  # they take `timeout` in seconds with a call
_GATHERS = "ChatOllama"  # its invoke() reads a stream, and takes one that was cut off for a whole answer


class ChainLLM(ChatOnlyLLM):
    """A LangChain chat model, called through its own `invoke`, `stream` and their async siblings."""

    _given: Any = PrivateAttr()  # kept: at its end it may close the client that `_model` shares
    _model: Any = PrivateAttr()
    _described: ModelDescription = PrivateAttr()

    def __init__(self, model: Any, **settings: Any) -> None:
        super().__init__(**settings)
        self._given, self._model = model, without_own_retries(model)
        self._described = described(model)

    @classmethod
    def class_name(cls) -> str:
        """The name in payloads and dumps."""
        return "ChainLLM"

    @property
    def chain_model(self) -> Any:
        """The LangChain chat model that makes the calls."""
        return self._model

    @property
    def description(self) -> ModelDescription:
        """What a router reads of it."""
        return self._described

    @property
    def metadata(self) -> LLMMetadata:
        """What the model's profile tells; tools are assumed when its class can be given some."""
        fields = self._described.fields
        return LLMMetadata(
            context_window=fields.get("max_input_tokens") or DEFAULT_CONTEXT_WINDOW,
            num_output=self.max_tokens or fields.get("output_reserve") or -1,
            is_chat_model=True,
            is_function_calling_model=fields.get("tool_calling") is not False,
            model_name=str(fields.get("model") or "unknown"),
        )

    def to_payload(self) -> dict[str, Any]:
        """What observability may show of it. Made here, not in a base class: 0.14.5's has no such method."""
        metadata = self.metadata
        return {"class_name": self.class_name(), **metadata.model_dump(), "model": metadata.model_name}

    # -- chat and complete -------------------------------------------------------------------------

    @without_span
    def _answer(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]) -> ChatResponse:
        runnable, options = self._bound(kwargs)
        return self._whole(runnable.invoke(chain_messages(messages), **options))

    @without_span
    async def _aanswer(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]) -> ChatResponse:
        runnable, options = self._bound(kwargs)
        return self._whole(await runnable.ainvoke(chain_messages(messages), **options))

    @without_span
    def _stream(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]) -> ChatResponseGen:
        runnable, options = self._bound(kwargs)
        whole, tally = None, StreamUsage(counting_of(self._model))
        for chunk in runnable.stream(chain_messages(messages), **options):
            whole = chunk if whole is None else whole + chunk
            yield response_of(whole, chunk, tally)

    @without_span
    async def _astream(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]) -> ChatResponseAsyncGen:
        runnable, options = self._bound(kwargs)
        whole, tally = None, StreamUsage(counting_of(self._model))
        async for chunk in runnable.astream(chain_messages(messages), **options):
            whole = chunk if whole is None else whole + chunk
            yield response_of(whole, chunk, tally)

    def _whole(self, message: Any) -> ChatResponse:
        response = response_of(message)
        if is_a(self._model, _GATHERS) and finish_of(response.raw) is None:
            raise CutShort("the model's stream ended without a terminal reason")
        return response

    def _bound(self, kwargs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The model with the call's options and tools, and what is left to be passed on."""
        options = {name: value for name, value in kwargs.items() if value is not None}
        tools, choice, parallel = (options.pop(name, None) for name in _OF_TOOLS)
        model = self._tuned(options)
        clocks = current_channel().timeouts
        if clocks is not None and clocks.total is not None and is_a(model, *_TIMED):
            options.setdefault("timeout", at_most(clocks.total))
        asked = {"tool_choice": choice} if choice not in (None, "auto") else {}
        if parallel is not None and takes_parallel(model):
            asked["parallel_tool_calls"] = parallel
        return (model.bind_tools(tools, **asked) if tools else model), options

    def _tuned(self, options: dict[str, Any]) -> Any:
        """The model with temperature and the like in its own fields; they are taken out of the options."""
        update = {}
        for name in _OPTIONS:
            value = options.get(name, getattr(self, name))
            field = next((n for n in _NAMES.get(name, (name,)) if n in type(self._model).model_fields), None)
            if value is not None and field is not None:
                update[field] = value
                options.pop(name, None)
        return copy_for_call(self._model, update) if update else self._model

    # -- tools -----------------------------------------------------------------------------------------

    @without_span
    def _choice(self, stated: Any, *, required: bool, parallel: bool) -> dict[str, Any]:
        """In the form that every LangChain model takes. `parallel` is every provider's default, so it is not sent."""
        choice = stated or ("any" if required else None)
        lone = {} if parallel or choice == "none" else one_call(str(self._described.fields.get("model") or ""))
        return {"tool_choice": "any" if choice == "required" else choice, **lone}
