"""The prompt of a structured call, with the router's own system prompt in front.

A candidate's `structured_predict` knows only its own system prompt, and in one of its paths not even
that; what the caller set on the router must hold for whichever candidate answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms.llm import LLM
from llama_index.core.prompts import BasePromptTemplate, ChatPromptTemplate

from llamaindex_router.call import fresh


class FormattedPrompt(ChatPromptTemplate):
    """Messages that are final: their text is not a template any more."""

    def __init__(self, message_templates: Sequence[ChatMessage], **kwargs: Any) -> None:
        super().__init__(message_templates=[], **kwargs)
        self.message_templates = list(message_templates)

    def format_messages(self, llm: Any = None, **kwargs: Any) -> list[ChatMessage]:
        """Copies of the messages, with the output parser's instructions if it has one."""
        messages: list[ChatMessage] = fresh(self.message_templates)
        return self.output_parser.format_messages(messages) if self.output_parser is not None else messages


def formatted(llm: LLM, prompt: BasePromptTemplate, prompt_args: dict[str, Any]) -> list[ChatMessage]:
    """What the model will read of this prompt."""
    return llm._extend_messages(prompt.format_messages(llm=llm, **prompt_args))


def extended(llm: LLM, prompt: BasePromptTemplate, messages: Sequence[ChatMessage]) -> BasePromptTemplate:
    """The prompt itself, or one that says the same after the router's system prompt."""
    return FormattedPrompt(messages) if llm.system_prompt else prompt
