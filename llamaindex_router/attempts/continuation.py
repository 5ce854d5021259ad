"""Resuming an interrupted answer: the call that asks for the rest, and chunks that contain the whole text.

LlamaIndex's chunks contain the text so far, so the chunks of the rest must contain the beginning, too. Their `delta`
is only the new text.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, MessageRole, TextBlock
from llama_index.core.llms.llm import LLM

from capability_router.catalog.aliases import needs_prefix_mark
from capability_router.execution.run import Run
from llamaindex_router.call import LLMCall
from llamaindex_router.messages.stream_text import Response, StreamText

CONTINUED = ("chat", "complete", "chat_with_tools")
"""The methods whose streams can be resumed. Streamed objects can't."""


def going_on(call: LLMCall[Any], llm: LLM, prefix: str, provider: str) -> LLMCall[Any]:
    """The call that asks for the rest: the beginning is added as the last message, or after the prompt.

    Spaces at its end are removed, because Anthropic rejects them.
    """
    marked = {"prefix": True} if needs_prefix_mark(provider) else {}
    begun = ChatMessage(role=MessageRole.ASSISTANT, content=prefix.rstrip(), additional_kwargs=marked)
    if call.method == "chat":
        return replace(call, args=([*call.args[0], begun],))
    if call.method == "chat_with_tools":
        given = {name: value for name, value in call.kwargs.items() if name not in ("user_msg", "chat_history")}
        return replace(call, kwargs={**given, "chat_history": [*call.messages, begun]})
    (prompt,), given = call.args, {name: value for name, value in call.kwargs.items() if name != "formatted"}
    if _chats(llm):
        asked = ChatMessage(role=MessageRole.USER, content=prompt)
        return replace(call, method="chat", args=([asked, begun],), kwargs=given)
    formatter = None if call.kwargs.get("formatted") else llm.completion_to_prompt
    whole = formatter(prompt) if formatter is not None else prompt
    if call.extended:  # here, because what wraps the prompt must not wrap the beginning
        whole = llm._extend_prompt(whole)
    return replace(call, args=(whole + prefix.rstrip(),), kwargs={**given, "formatted": True}, extended=False)


def _chats(llm: LLM) -> bool:
    try:
        return llm.metadata.is_chat_model
    except Exception:  # noqa: BLE001 - whatever a client raises for a name it doesn't know: such names are of chat models
        return True


class ContinuationTrimmer:
    """Removes spaces at the start of the rest if the beginning ended with some."""

    __slots__ = ("_blank", "_completes", "_wording")

    def __init__(self, prefix: str, call: LLMCall[Any]) -> None:
        self._blank = prefix != prefix.rstrip()
        self._wording = StreamText() if self._blank else None
        self._completes = call.method == "complete"

    def joined(self, chunk: Any) -> Any:
        """The chunk in the form of the caller's method."""
        if self._wording is not None:
            delta = (chunk.delta or "").lstrip() if self._blank else chunk.delta
            self._blank = self._blank and not delta
            chunk = _reworded(chunk, self._wording.take(chunk).lstrip(), delta)
        return completion_of(chunk) if self._completes and isinstance(chunk, ChatResponse) else chunk


class PrefixRestorer:
    """Puts the text of earlier attempts before that of each chunk."""

    __slots__ = ("_attempt", "_prefix", "_run", "_wording")

    def __init__(self, run: Run[Any]) -> None:
        self._run, self._attempt = run, run.attempt
        self._prefix = ""
        self._wording = StreamText()

    def whole(self, chunk: Any) -> Any:
        """The chunk with the whole text."""
        if self._run.attempt != self._attempt:
            self._attempt, (_, self._prefix), self._wording = self._run.attempt, self._run.begun, StreamText()
        return _reworded(chunk, self._prefix + self._wording.take(chunk), chunk.delta) if self._prefix else chunk


def completion_of(chunk: ChatResponse) -> CompletionResponse:
    """The completion of a chat chunk, as LlamaIndex makes it."""
    told = {**chunk.message.additional_kwargs, **(chunk.additional_kwargs or {})}
    return CompletionResponse(
        text=chunk.message.content or "", delta=chunk.delta, raw=chunk.raw, additional_kwargs=told
    )  # fmt: skip


def _reworded(chunk: Response, text: str, delta: str | None) -> Response:
    """A copy with another text; other blocks keep their places."""
    if isinstance(chunk, CompletionResponse):
        return chunk.model_copy(update={"text": text, "delta": delta})
    blocks, said = list(chunk.message.blocks), TextBlock(text=text)
    places = [i for i, block in enumerate(blocks) if isinstance(block, TextBlock)]
    kept = [block for i, block in enumerate(blocks) if i not in places]
    at = places[0] if places else sum(block.block_type == "thinking" for block in blocks)
    message = chunk.message.model_copy(update={"blocks": [*kept[:at], said, *kept[at:]]})
    return chunk.model_copy(update={"message": message, "delta": delta})
