"""The system prompt of the model that answers, where LlamaIndex puts its LLM's own in front.

`predict`, `stream` and the programs extend a prompt by what their LLM has as `system_prompt`, and then call its `chat`.
Behind a router that LLM is the router, and which model will answer is not known yet. So what the router has extended is
marked, and each attempt extends it by what its own model has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage

if TYPE_CHECKING:
    from llama_index.core.llms.llm import LLM

    from llamaindex_router.call import LLMCall


class ExtendedMessages(list[ChatMessage]):
    """Messages that a router has extended."""


class ExtendedText(str):
    """A prompt that a router has extended."""

    __slots__ = ()


def is_extended(prompt: Any) -> bool:
    """Whether the model that answers has to extend it, too."""
    return isinstance(prompt, (ExtendedMessages, ExtendedText))


def extend(llm: LLM, call: LLMCall[Any], args: list[Any], kwargs: dict[str, Any]) -> None:
    """Put this LLM's own system prompt in front of its copies of a call's arguments."""
    if call.method == "chat":
        args[0] = llm._extend_messages(args[0])
    elif call.method == "complete":
        args[0] = llm._extend_prompt(args[0])
    else:
        kwargs["chat_history"] = llm._extend_messages(kwargs["chat_history"])
