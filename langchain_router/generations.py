"""The inputs and results of `generate` and `agenerate`: many prompts with one set of callbacks, and an LLMResult."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.callbacks import Callbacks
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult, LLMResult, RunInfo
from langchain_core.runnables import RunnableConfig

_INFO = ("finish_reason", "stop_reason", "logprobs")


def configs_of(
    count: int, callbacks: Callbacks, tags: list[str] | None, metadata: Mapping[str, Any] | None,
    run_name: str | None, run_id: uuid.UUID | None,
) -> list[RunnableConfig]:  # fmt: skip
    """A config for each prompt; the given run id is the first one's."""
    shared = RunnableConfig(callbacks=callbacks, tags=list(tags or ()), metadata=dict(metadata or {}))
    named: RunnableConfig = {**shared, "run_name": run_name} if run_name else shared
    ids = [run_id or uuid.uuid4(), *(uuid.uuid4() for _ in range(count - 1))]
    return [{**named, "run_id": id} for id in ids[:count]]


def result_of(messages: Sequence[AIMessage], configs: Sequence[RunnableConfig]) -> LLMResult:
    """One generation for each prompt, with the `llm_output` that models add."""
    generations = [[_generation(message)] for message in messages]
    runs = [RunInfo(run_id=run_id) for config in configs if (run_id := config.get("run_id")) is not None]
    return LLMResult(generations=generations, llm_output=_output(messages), run=runs)  # type: ignore[arg-type]  # list is invariant


def chat_result(message: AIMessage) -> ChatResult:
    """The result of `_generate`: one generation, with the `llm_output` that models add."""
    return ChatResult(generations=[_generation(message)], llm_output=_output([message]))


def _generation(message: AIMessage) -> ChatGeneration:
    info = {key: message.response_metadata[key] for key in _INFO if key in message.response_metadata}
    return ChatGeneration(message=message, generation_info=info or None)


def _output(messages: Sequence[AIMessage]) -> dict[str, Any]:
    """The sum of the tokens, the model if there is only one, and the first fingerprint, as ChatOpenAI returns them."""
    told = [message.usage_metadata for message in messages if message.usage_metadata]
    names = {message.response_metadata.get("model_name") for message in messages}
    output: dict[str, Any] = {}
    if told:
        kinds = (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"), ("total_tokens",) * 2)
        output["token_usage"] = {name: sum(usage[key] for usage in told) for name, key in kinds}  # type: ignore[literal-required]  # keys of a TypedDict, from a list
    if len(names) == 1 and None not in names:
        output["model_name"] = names.pop()
    prints = (message.response_metadata.get("system_fingerprint") for message in messages)
    told_print = next(filter(None, prints), None)
    return {**output, "system_fingerprint": told_print} if told_print else output
