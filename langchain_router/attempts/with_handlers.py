"""A fast call of a model with callback handlers: what langchain-core's `generate` does for one list of messages.

Core collects the handlers of the model's run again: it reads the environment, LangSmith's state and the hooks, as was
done a moment before for the router's run. It also checks by a protocol whether each handler wants a stream, which in
Python 3.11 takes longer than all its callbacks, and reads the signature of the model's method (plain_call.py). This
module skips that. The handlers get the same calls in the same order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any, NamedTuple, TypeVar

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForLLMRun,
    BaseCallbackHandler,
    CallbackManager,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel, chat_models
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult, LLMResult
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import _merge_metadata_dicts, ensure_config

from langchain_router.attempts.listeners import shown_live
from langchain_router.attempts.parameters import invocation, langsmith_params
from langchain_router.attempts.plain_call import acall, call, can_call_plainly, is_text

ManagerT = TypeVar("ManagerT", CallbackManager, AsyncCallbackManager)

_TAP = "tap_output_iter"
"""A method by which core recognises handlers that want a stream, whatever their class."""

_VERSIONS = "lc_versions"
_NO_VERSIONS: dict[str, Any] = {}

_core: Any = chat_models  # of whose functions these are some; `fast_path.py` has read where core uses them


class CallWithHandlers(NamedTuple):
    """A call without core's `generate` (`fast_path.py`).

    `heirs`: whether all handlers of the router's run are also handlers of this one.
    """

    model: BaseChatModel
    config: RunnableConfig
    messages: Sequence[BaseMessage]
    stop: list[str] | None
    kwargs: Mapping[str, Any]
    heirs: bool

    def ask(self) -> ChatResult:
        """Make the call in this thread, and call the handlers."""
        manager, told = self._beginning(CallbackManager)
        (run,) = manager.on_chat_model_start(self.model._serialized, **told)
        try:
            result = self._answer(run)
        except BaseException as error:
            run.on_llm_error(error, response=_of_failed(error))
            raise
        run.on_llm_end(_of_ended(result))
        return result

    async def aask(self) -> ChatResult:
        """The same, async. As in core, the model is called in a task, so handlers get no error for a cancellation."""
        manager, told = self._beginning(AsyncCallbackManager)
        (run,) = await manager.on_chat_model_start(self.model._serialized, **told)
        result: Any
        (result,) = await asyncio.gather(self._awaited(run), return_exceptions=True)
        if isinstance(result, BaseException):
            await run.on_llm_error(result, response=_of_failed(result))
            try:
                raise result
            finally:
                del result  # else it and this frame would be a reference cycle
        await run.on_llm_end(_of_ended(result))
        return result  # type: ignore[no-any-return]  # a ChatResult, being no exception

    def _beginning(self, kind: type[ManagerT]) -> tuple[ManagerT, dict[str, Any]]:
        """The handlers for the start of the model's run, and their arguments."""
        model, stop, messages = self.model, self.stop, self.messages
        params = invocation(model, stop, self.kwargs)
        facts = {**self._metadata, **langsmith_params(model, stop, self.kwargs)}
        told = {
            "messages": [_core._format_for_tracing(messages)], "invocation_params": params, "options": {"stop": stop},
            "name": None, "run_id": None, "batch_size": 1,
        }  # fmt: skip
        return self._manager(kind, facts, params), told

    @property
    def _metadata(self) -> dict[str, Any]:
        """The config's metadata, with the configurable values that core's `invoke` adds."""
        config = self.config
        return (ensure_config(config) if config["configurable"] else config)["metadata"]

    def _manager(self, kind: type[ManagerT], facts: dict[str, Any], params: dict[str, Any]) -> ManagerT:
        """The model's callback manager: the router's child, as core would make it if no handler was added."""
        model = self.model
        above: Any = self.config["callbacks"]  # a child manager; of a shadow's call, it is of the kind of the caller's
        own = model.callbacks or model.verbose or model.tags
        if own or not self.heirs or not isinstance(above, kind) or _marked(above.handlers):
            shown = _core._filter_invocation_params_for_tracing(params)
            return kind.configure(
                above, model.callbacks, model.verbose, [], model.tags, facts, model.metadata,
                langsmith_inheritable_metadata=shown,
            )  # fmt: skip
        manager: ManagerT = above.copy()
        manager.metadata = _with(_with(manager.metadata, facts), model.metadata or {})
        manager.inheritable_metadata = _with(manager.inheritable_metadata, facts)
        return manager

    def _answer(self, run: CallbackManagerForLLMRun) -> ChatResult:
        messages = _ready(self.messages)
        if _is_plain(self.model, run.handlers, self.kwargs):
            return call(self.model, messages, run, {"stop": self.stop, **self.kwargs})
        return self.model._generate_with_cache(messages, stop=self.stop, run_manager=run, **self.kwargs)

    def _awaited(self, run: AsyncCallbackManagerForLLMRun) -> Coroutine[Any, Any, ChatResult]:
        messages = _ready(self.messages)
        if _is_plain(self.model, run.handlers, self.kwargs):
            return acall(self.model, messages, run, {"stop": self.stop, **self.kwargs})
        return self.model._agenerate_with_cache(messages, stop=self.stop, run_manager=run, **self.kwargs)


def _ready(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """The messages in the form for the model, in a new list."""
    return [*messages] if is_text(messages) else _core._normalize_messages(messages)


def _with(metadata: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Merge metadata as core does, but faster: packages' versions are merged, other values are replaced."""
    before, versions = metadata.get(_VERSIONS, _NO_VERSIONS), more.get(_VERSIONS, _NO_VERSIONS)
    if before is _NO_VERSIONS and versions is _NO_VERSIONS:
        return {**metadata, **more}
    if type(before) is dict and type(versions) is dict:
        return {**metadata, **more, _VERSIONS: {**before, **versions}}
    merged: dict[str, Any] = _merge_metadata_dicts(metadata, more)
    return merged


def _of_ended(result: ChatResult) -> LLMResult:
    return LLMResult(generations=[result.generations], llm_output=result.llm_output)  # type: ignore[list-item]  # list is invariant


def _of_failed(error: BaseException) -> LLMResult:
    return LLMResult(generations=[_core._generate_response_from_error(error)])


def _is_plain(model: BaseChatModel, handlers: Sequence[BaseCallbackHandler], kwargs: Mapping[str, Any]) -> bool:
    """Whether no handler wants a stream, and nothing but the model's own method is to be called."""
    streams = shown_live(handlers) or any(map(hasattr, handlers, repeat(_TAP)))
    return not streams and can_call_plainly(model, kwargs)


def _marked(handlers: Sequence[BaseCallbackHandler]) -> bool:
    """Whether core copies one of them to add the call's parameters, as it does with LangSmith's tracer."""
    return any(map(_is_langsmiths, map(type, handlers)))


@lru_cache(maxsize=256)
def _is_langsmiths(kind: type) -> bool:
    from langchain_core.tracers.langchain import LangChainTracer  # here, because it loads LangSmith's client

    return issubclass(kind, LangChainTracer)
