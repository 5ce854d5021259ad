"""Scripted chat models and a tracer that keeps the tree of runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tracers.base import BaseTracer
from langchain_core.tracers.schemas import Run
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

USAGE = {"input_tokens": 10, "output_tokens": 3, "total_tokens": 13}


class Scripted(BaseChatModel):
    """Plays `script` over and over: a text, an exception, a message, or a list of them per call."""

    name_: str = "scripted"
    script: list[Any] = Field(default_factory=lambda: ["a b c"])
    calls: list[list[BaseMessage]] = Field(default_factory=list)
    options: list[dict[str, Any]] = Field(default_factory=list)
    max_tokens: int | None = None
    temperature: float | None = None

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {"ls_provider": "fake", "ls_model_name": self.name_, "ls_model_type": "chat"}

    def _next(self, messages: list[BaseMessage], kwargs: dict[str, Any]) -> Any:
        step = self.script[len(self.calls) % len(self.script)]
        self.calls.append(messages)
        self.options.append({**kwargs, "temperature": kwargs.get("temperature", self.temperature)})
        if isinstance(step, BaseException):
            raise step
        return step

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        step = self._next(messages, kwargs)
        message = step if isinstance(step, AIMessage) else AIMessage(content=step, **self._extras())
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        step = self._next(messages, kwargs)
        if isinstance(step, AIMessage):
            pieces = [{**c, "args": json.dumps(c["args"]), "index": i} for i, c in enumerate(step.tool_calls)]
            yield ChatGenerationChunk(message=AIMessageChunk(content=step.content, tool_call_chunks=pieces))
        else:
            for i, word in enumerate(step.split(" ")):
                if word == "!":
                    raise ConnectionError("broke off")
                yield ChatGenerationChunk(message=AIMessageChunk(content=f" {word}" if i else word))
        yield ChatGenerationChunk(message=AIMessageChunk(content="", **self._extras()))

    def _extras(self) -> dict[str, Any]:
        return {"usage_metadata": dict(USAGE), "response_metadata": {"model_name": self.name_, "finish_reason": "stop"}}

    def bind_tools(self, tools: Any, *, tool_choice: Any = None, **kwargs: Any) -> Any:
        return self.bind(tools=[convert_to_openai_tool(t) for t in tools], tool_choice=tool_choice, **kwargs)


def calling(name: str, args: dict[str, Any], id: str = "call_1") -> AIMessage:
    """A message that calls a tool."""
    call = ToolCall(name=name, args=args, id=id, type="tool_call")
    metadata = {"model_name": "scripted", "finish_reason": "tool_calls"}
    return AIMessage(content="", tool_calls=[call], usage_metadata=dict(USAGE), response_metadata=metadata)


class Recorder(BaseTracer):
    """Keeps every root run, with its children."""

    def __init__(self) -> None:
        super().__init__()
        self.roots: list[Run] = []
        self.tokens: list[str] = []

    def _persist_run(self, run: Run) -> None:
        self.roots.append(run)

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> Any:
        if token:
            self.tokens.append(str(token))
        return super().on_llm_new_token(token, **kwargs)

    def tree(self) -> list[Any]:
        return [shape(run) for run in self.roots]


def shape(run: Run) -> Any:
    """(type, name, 'error' or '', children)."""
    return (run.run_type, run.name, "error" if run.error else "", [shape(child) for child in run.child_runs])


def metadata(run: Run) -> dict[str, Any]:
    return dict((run.extra or {}).get("metadata") or {})
