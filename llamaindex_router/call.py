"""One call as the caller made it, and how to repeat it with its original arguments.

Candidates change what they are given (they append to the history, delete from the keywords, write
into messages), so every attempt gets its own copies.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, MessageRole
from llama_index.core.prompts import BasePromptTemplate, ChatPromptTemplate

from capability_router.errors import ConfigError
from llamaindex_router.system_prompt import is_extended

R = TypeVar("R")
Rewrite = Callable[[Sequence[ChatMessage]], Sequence[ChatMessage]]
"""Takes a history and gives it as one candidate reads it."""


@dataclass(frozen=True, slots=True)
class LLMCall(Generic[R]):
    """A method of a LlamaIndex LLM without its sync, async or stream prefix, and its arguments.

    `messages` are what will be read by the model, for the core to look at; never sent from here. `extended`: each
    model puts its own system prompt in front (system_prompt.py). R is what the method gives.
    """

    method: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    messages: Sequence[ChatMessage | str]
    stream: bool = False
    tools: Sequence[Any] = ()
    extended: bool = False

    def name(self, *, is_async: bool) -> str:
        """The method's full name, such as 'astream_chat'."""
        return f"{'a' if is_async else ''}{'stream_' if self.stream else ''}{self.method}"

    def arguments(self, rewrite: Rewrite | None = None) -> tuple[list[Any], dict[str, Any]]:
        """Copies of the arguments; `rewrite` is applied to every history in them."""
        return [fresh(a, rewrite) for a in self.args], {k: fresh(v, rewrite) for k, v in self.kwargs.items()}

    def without(self, keyword: str) -> LLMCall[R]:
        """The same call, one keyword less."""
        return replace(self, kwargs={k: v for k, v in self.kwargs.items() if k != keyword})

    @property
    def structured(self) -> bool:
        """Whether the answer is an object of the caller's class."""
        return self.method == "structured_predict"


def fresh(value: Any, rewrite: Rewrite | None = None) -> Any:
    """A copy as deep as candidates write: lists, dicts, message shells, prompt templates."""
    if isinstance(value, ChatMessage):
        return _history([value], rewrite)[0]
    if isinstance(value, BasePromptTemplate):
        return _prompt(value, rewrite)
    if type(value) in (list, tuple):
        if value and all(isinstance(item, ChatMessage) for item in value):
            return type(value)(_history(value, rewrite))
        return type(value)(fresh(item, rewrite) for item in value)
    if type(value) is dict:
        return {name: fresh(item, rewrite) for name, item in value.items()}
    return value


def with_extras(call: LLMCall[Any], kwargs: dict[str, Any], extras: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords with these under them; what the model itself is called with, if the call is a structured one."""
    if not extras:
        return kwargs
    if call.structured:
        return {**kwargs, "llm_kwargs": {**extras, **(kwargs.get("llm_kwargs") or {})}}
    return {**extras, **kwargs}


def _history(messages: Sequence[ChatMessage], rewrite: Rewrite | None) -> Sequence[ChatMessage]:
    copies = [
        m.model_copy(update={"blocks": list(m.blocks), "additional_kwargs": dict(m.additional_kwargs)})
        for m in messages
    ]
    return rewrite(copies) if rewrite else copies


def _prompt(prompt: BasePromptTemplate, rewrite: Rewrite | None) -> BasePromptTemplate:
    copied = copy.copy(prompt)
    if isinstance(copied, ChatPromptTemplate):  # an agent's structured answer has its whole history as a prompt
        copied.message_templates = list(_history(copied.message_templates, rewrite))
    return copied


def chat(messages: Sequence[ChatMessage], kwargs: Mapping[str, Any], *, stream: bool = False) -> LLMCall[ChatResponse]:
    """`chat` and its three siblings. Raises ConfigError where texts or mappings are in the place of messages."""
    one = isinstance(messages, (str, ChatMessage))
    if one or (isinstance(messages, (list, tuple)) and any(isinstance(m, (str, Mapping)) for m in messages)):
        raise ConfigError(
            "messages must be a list of ChatMessage, such as [ChatMessage(role='user', content='...')]; "
            "`complete` takes a text"
        )
    extended = is_extended(messages)
    return LLMCall("chat", (list(messages) if extended else messages,), kwargs, messages, stream, extended=extended)


def complete(
    prompt: str, formatted: bool, kwargs: Mapping[str, Any], *, stream: bool = False
) -> LLMCall[CompletionResponse]:
    """`complete` and its three siblings."""
    given = {**kwargs, "formatted": True} if formatted else kwargs
    extended = is_extended(prompt)
    text = str(prompt) if extended else prompt  # the mark is not the model's
    return LLMCall("complete", (text,), given, (text,), stream, extended=extended)


def with_tools(
    tools: Sequence[Any],
    user_msg: str | ChatMessage | None,
    chat_history: Sequence[ChatMessage] | None,
    kwargs: Mapping[str, Any],
    *,
    stream: bool = False,
) -> LLMCall[ChatResponse]:
    """`chat_with_tools` and its three siblings; what the caller left out stays out.

    A message as `user_msg` becomes the history's last, which is the same to all integrations but Anthropic's:
    that one takes a text there and drops a message.
    """
    extended = is_extended(chat_history)
    if isinstance(user_msg, ChatMessage):
        chat_history, user_msg = [*(chat_history or ()), user_msg], None
    elif extended:
        chat_history = list(chat_history or ())
    stated = {name: m for name, m in (("user_msg", user_msg), ("chat_history", chat_history)) if m is not None}
    asked = [ChatMessage(role=MessageRole.USER, content=user_msg)] if user_msg is not None else []
    read = [*(chat_history or ()), *asked]
    return LLMCall("chat_with_tools", (tools,), {**stated, **kwargs}, read, stream, tools, extended)


def structured(
    output_cls: type[Any],
    prompt: BasePromptTemplate,
    llm_kwargs: Mapping[str, Any] | None,
    prompt_args: Mapping[str, Any],
    messages: Sequence[ChatMessage],
    *,
    stream: bool = False,
) -> LLMCall[Any]:
    """`structured_predict` and its three siblings; `messages` are the prompt's, formatted."""
    given = {"llm_kwargs": dict(llm_kwargs), **prompt_args} if llm_kwargs else dict(prompt_args)
    return LLMCall("structured_predict", (output_cls, prompt), given, messages, stream)
