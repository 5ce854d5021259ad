"""The inputs and results of `generate` and `agenerate`: many prompts with one set of callbacks, and an LLMResult."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from langchain_core.callbacks import Callbacks
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult, LLMResult, RunInfo
from langchain_core.runnables import RunnableConfig

_INFO = ("finish_reason", "stop_reason", "logprobs")
_ANNOTATION = ("router",)
_kept: ContextVar[dict[str, ChatResult] | None] = ContextVar("langchain_router_kept_results", default=None)


def configs_of(
    count: int, callbacks: Callbacks, tags: list[str] | None, metadata: Mapping[str, Any] | None,
    run_name: str | None, run_id: uuid.UUID | None,
) -> list[RunnableConfig]:  # fmt: skip
    """A config for each prompt; the given run id is the first one's."""
    shared = RunnableConfig(callbacks=callbacks, tags=list(tags or ()), metadata=dict(metadata or {}))
    named: RunnableConfig = {**shared, "run_name": run_name} if run_name else shared
    ids = [run_id or uuid.uuid4(), *(uuid.uuid4() for _ in range(count - 1))]
    return [{**named, "run_id": id} for id in ids[:count]]


@contextmanager
def kept_results() -> Iterator[dict[str, ChatResult]]:
    """Within, results with several answers to one call (`n`), by the id of the first, which is all `invoke` returns."""
    kept: dict[str, ChatResult] = {}
    before = _kept.set(kept)
    try:
        yield kept
    finally:
        _kept.reset(before)


def keep(result: ChatResult) -> None:
    """Keep an attempt's result, if it has several answers and the caller takes them all."""
    kept = _kept.get()
    if kept is not None and len(result.generations) > 1 and (id := result.generations[0].message.id):
        kept[id] = result


def result_of(
    messages: Sequence[AIMessage], configs: Sequence[RunnableConfig], kept: Mapping[str, ChatResult]
) -> LLMResult:
    """The generations for each prompt, with the `llm_output` that models add."""
    generations = [_generations(message, kept) for message in messages]
    runs = [RunInfo(run_id=run_id) for config in configs if (run_id := config.get("run_id")) is not None]
    return LLMResult(generations=generations, llm_output=_output(messages, kept), run=runs)  # type: ignore[arg-type]  # list is invariant


def chat_result(message: AIMessage, kept: Mapping[str, ChatResult]) -> ChatResult:
    """The result of `_generate`: the answers to one prompt, with the `llm_output` that models add."""
    return ChatResult(generations=_generations(message, kept), llm_output=_output([message], kept))


def _generations(message: AIMessage, kept: Mapping[str, ChatResult]) -> list[ChatGeneration]:
    """The answer, and those beside it with the same annotation."""
    whole = kept.get(message.id or "")
    others = whole.generations[1:] if whole is not None else ()
    own = {name: message.response_metadata[name] for name in _ANNOTATION if name in message.response_metadata}
    beside = [
        other.message.model_copy(update={"response_metadata": {**other.message.response_metadata, **own}})
        for other in others
    ]
    return [_generation(each) for each in (message, *beside)]


def _generation(message: BaseMessage) -> ChatGeneration:
    info = {key: message.response_metadata[key] for key in _INFO if key in message.response_metadata}
    return ChatGeneration(message=message, generation_info=info or None)


def _output(messages: Sequence[AIMessage], kept: Mapping[str, ChatResult]) -> dict[str, Any]:
    """The sum of the tokens, the model if there is only one, and the first fingerprint, as ChatOpenAI returns them."""
    told = [message.usage_metadata for message in messages if message.usage_metadata]
    facts = [_facts(message, kept) for message in messages]
    names = {each.get("model_name") for each in facts}
    output: dict[str, Any] = {}
    if told:
        kinds = (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"), ("total_tokens",) * 2)
        sums = {name: sum(usage[key] for usage in told) for name, key in kinds}  # type: ignore[literal-required]  # keys of a TypedDict, from a list
        details = _sum(usage for each in facts if isinstance(usage := each.get("token_usage"), Mapping))
        output["token_usage"] = {**details, **sums}
    if len(names) == 1 and None not in names:
        output["model_name"] = names.pop()
    told_print = next(filter(None, (each.get("system_fingerprint") for each in facts)), None)
    return {**output, "system_fingerprint": told_print} if told_print else output


def _facts(message: AIMessage, kept: Mapping[str, ChatResult]) -> Mapping[str, Any]:
    """What the model's package says of the call. It stands beside the answers if there are several, else in the one."""
    whole = kept.get(message.id or "")
    beside = whole.llm_output if whole is not None else None
    return {**message.response_metadata, **beside} if beside else message.response_metadata


def _sum(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Numbers added, in mappings within too; what is no number is the first one's."""
    total: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            before = total.get(name)
            if isinstance(before, Mapping) and isinstance(value, Mapping):
                total[name] = _sum((before, value))
            elif isinstance(before, int | float) and isinstance(value, int | float):
                total[name] = before + value
            elif before is None and value is not None:
                total[name] = value
    return total
