"""One routed call: its chain run, its attempts, the chunks for its caller and the recorded result.

Every public method of ChatRouter uses `chunks` or `achunks`. A call that isn't a stream is a stream of one chunk.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import AsyncCallbackManager, BaseCallbackManager, CallbackManager
from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import RunnableConfig

from capability_router.concurrency.async_generators import END, first_step
from capability_router.errors import NoEligibleModel
from capability_router.execution.run import Run
from capability_router.request import Outcome, Request
from capability_router.routing import Routing, current_routing
from langchain_router.annotation import annotated, ending, is_last, not_last
from langchain_router.attempts.endpoint import LangChainEndpoint
from langchain_router.attempts.listeners import shown_live
from langchain_router.attempts.structured import ParseFailure
from langchain_router.bindings import StructuredBinding
from langchain_router.call import ChatCall, carrying, stated_terms
from langchain_router.callback import RouterCallbackHandler, without_routers
from langchain_router.errors import as_model_error
from langchain_router.messages.chunk_merger import ChunkMerger
from langchain_router.messages.event_merger import EventMerger
from langchain_router.partners.dialects import dialect_of
from langchain_router.tracing import (
    ChainRun,
    LocalCallbacks,
    afail_run,
    astart_run,
    begun,
    caller_tags,
    chain_name,
    configured,
    note,
)
from langchain_router.translate import to_request

if TYPE_CHECKING:
    from langchain_router.chat_model import ChatRouter

_NOTHING: Any = object()
_NOBODY = Routing()
_SESSIONS = ("thread_id", "session_id", "conversation_id")


class RoutedCall:
    """Iterate once, sync or async.

    `asked_under`: the routing terms at the time when a stream was requested, because it may be read elsewhere.
    """

    def __init__(
        self, model: ChatRouter, call: ChatCall, config: RunnableConfig, asked_under: Routing | None = None
    ) -> None:  # fmt: skip
        self._model, self._call, self._config, self._asked_under = model, call, config, asked_under
        self._local = LocalCallbacks(model.callbacks, model.tags, model.metadata, bool(model.verbose))
        self._routing = _NOBODY
        self._run: Run[Any] | None = None
        self._attempts: LangChainEndpoint | None = None
        self._held: Any = _NOTHING
        self._open: AIMessageChunk | None = None  # the last chunk, while none has ended the stream
        self._traced: list[Any] | None = None
        self._seam = _seam(call.mode) if model.router.settings.resume else None

    @property
    def outcome(self) -> Outcome | None:
        """The result of the request; None before it is over, or if nothing was sent."""
        return self._run.outcome if self._run is not None else None

    def chunks(self) -> Generator[Any, None, None]:
        """Make the call in this thread; yields the chosen model's chunks."""
        manager = configured(CallbackManager, self._config, self._local)
        traced = begun(manager, self._inputs(), self._config, self._model)
        try:
            if self._model.rate_limiter:
                self._model.rate_limiter.acquire(blocking=True)
            chunks, handed = iter(self._begin(self._asked(manager, traced), traced)), self._handed
            try:
                for chunk in chunks:
                    yield from handed(chunk)
            finally:
                chunks.close()
        except BaseException as error:
            traced.on_chain_error(self._end_failed(traced, error))
            raise
        try:
            yield from self._end_well(traced)
        finally:  # also for a caller who stops at the last chunk: the call was over
            if traced.handlers:
                traced.on_chain_end(self._outputs())

    async def achunks(self) -> AsyncGenerator[Any, None]:
        """Make the call in this task; yields the chosen model's chunks."""
        manager = configured(AsyncCallbackManager, self._config, self._local)
        traced = await astart_run(manager, self._inputs(), self._config, self._model)
        try:
            if self._model.rate_limiter:
                await self._model.rate_limiter.aacquire(blocking=True)
            request = self._asked(manager, traced)
            if self._model.router.prepares:
                request = await self._model.router.prepare(request)
            chunks, handed = aiter(self._begin(request, traced)), self._handed
            step = first_step(chunks)
            try:
                while (chunk := await step) is not END:
                    for ready in handed(chunk):
                        yield ready
                    step = anext(chunks, END)
            finally:
                await chunks.aclose()
        except BaseException as error:
            await afail_run(traced, self._end_failed(traced, error))
            raise
        try:
            for chunk in self._end_well(traced):
                yield chunk
        finally:  # also for a caller who stops at the last chunk: the call was over
            if traced.handlers:  # without handlers core would still create a task
                await traced.on_chain_end(self._outputs())

    # -- the run ----------------------------------------------------------------------------------

    def _inputs(self) -> dict[str, Any]:
        return {"messages": self._call.messages}

    def _asked(self, manager: BaseCallbackManager, traced: ChainRun) -> Request:
        self._traced = [] if traced.handlers else None
        self._routing = self._terms(manager)
        live = self._call.mode == "invoke" and self._traced is not None and shown_live(traced.handlers)
        router = self._model.router
        return to_request(self._call, self._routing, router.registry.cards, shown_live=live, screens=router.screens)

    def _begin(self, request: Request, traced: ChainRun) -> Run[Any]:
        router = self._model.router
        attempts = LangChainEndpoint(
            self._model.children, self._call, traced, self._config, on_partial=router.settings.on_partial,
            unheard=not traced.handlers,
        )  # fmt: skip
        self._attempts = attempts
        self._run = router.start(request, attempts, again=partial(self._unheard, type(traced)))
        if self._run.caller is not None:
            self._run.caller.asks(self._model.children, traced.handlers, traced.run_id)
        return self._run

    def _unheard(self, kind: type[ChainRun]) -> LangChainEndpoint:
        """The attempts of the same call for a shadow, without the caller's handlers and tracers."""
        config = RunnableConfig(callbacks=None, recursion_limit=self._config["recursion_limit"])
        config["configurable"] = self._config["configurable"]
        return LangChainEndpoint(self._model.children, self._call, kind.get_noop_manager(), config)

    def _terms(self, manager: BaseCallbackManager) -> Routing:
        """The current routing terms, overridden by those in the config, with attribution filled in."""
        here = current_routing()
        if self._asked_under is not None and self._asked_under is not here and self._asked_under != _NOBODY:
            self._config = carrying(self._config, self._asked_under)
        config, configurable = self._config, self._config.get("configurable") or {}
        terms, stated = self._call.terms_within(here), stated_terms(config)
        routing = here.merged({**terms, **stated} if stated else terms)
        session = ""
        if configurable:
            session = next((str(configurable[key]) for key in _SESSIONS if configurable.get(key)), "")
        tags = routing.tags
        if config.get("tags") or self._local.tags:
            tags = tuple(dict.fromkeys((*tags, *caller_tags(config), *(self._local.tags or ()))))
        return routing.attributed(
            framework=routing.framework or "langchain", chain=routing.chain or chain_name(manager, config),
            session=routing.session or session, tags=tags,
        )  # fmt: skip

    # -- what the caller gets ---------------------------------------------------------------------

    @property
    def _handed(self) -> Callable[[Any], Sequence[Any]]:
        """A function from each chunk to the chunks that may be yielded now."""
        return self._ready if self._seam is None else partial(self._fitted, self._seam)

    def _fitted(self, seam: EventMerger | ChunkMerger, chunk: Any) -> Sequence[Any]:
        """The chunks or v3 events, changed so that a resumed answer is still one message."""
        begun = self._run.begun[0] if self._run is not None else 0
        return [ready for part in seam.take(chunk, begun) for ready in self._ready(part)]

    def _ready(self, chunk: Any) -> Sequence[Any]:
        """The chunks that may be yielded now: all but the last one, which is kept to be annotated."""
        if isinstance(chunk, ParseFailure):
            raise chunk.error  # no model gave a better answer: raise as without a router
        if self._traced is not None:
            self._traced.append(chunk)
        before: Sequence[Any] = () if self._held is _NOTHING else (self._held,)
        if before and self._model.router.settings.resume:  # else some packages tell of the usage behind the last chunk
            before = not_last(self._held)
        self._held = _NOTHING
        if self._call.mode == "invoke" or is_last(chunk):
            self._held, self._open = chunk, None
            return before
        self._open = chunk if isinstance(chunk, AIMessageChunk) else None
        return (*before, chunk)

    def _end_well(self, traced: ChainRun) -> Sequence[Any]:
        """Record the call; returns the kept chunk with its annotation."""
        outcome = self._record(traced)
        if self._open is not None:  # it broke off after its terminal reason, before its last chunk
            self._held = ending(self._open)
        if self._held is _NOTHING:
            return ()
        if outcome is None or not self._model.annotates:
            return (self._held,)
        return (annotated(self._held, outcome.annotation()),)

    def _end_failed(self, traced: ChainRun, error: BaseException) -> BaseException:
        """Record the call; returns the error as one of langchain-core's classes."""
        error = as_model_error(error)
        self._record(traced, error.refusals if isinstance(error, NoEligibleModel) else ())
        return error

    def _record(self, traced: ChainRun, refusals: Sequence[Any] = ()) -> Outcome | None:
        """Write the decision and its cost on the router's run, and give them to the handlers that add up costs."""
        outcome = self.outcome
        if traced.handlers:
            note(traced, outcome, self._run.plan if self._run is not None else None, refusals, self._routing)
        if self._attempts is not None and outcome is not None:
            self._attempts.end(outcome)
        if outcome is not None and traced.handlers:
            own = [each for each in traced.handlers if isinstance(each, RouterCallbackHandler)]
            if own:
                self._tell(outcome, own)
        return outcome

    def _tell(self, outcome: Outcome, handlers: Sequence[RouterCallbackHandler]) -> None:
        own = without_routers(outcome, {id for id, model in self._model.fleet if dialect_of(model).routes})
        if own is not None:
            for handler in handlers:
                handler.on_routed(own, self._routing)

    def _outputs(self) -> dict[str, Any]:
        """The outputs of the chain run. A list of messages, because tracers count a single one as a model's usage."""
        seen = self._traced or []
        if isinstance(self._call.bound, StructuredBinding) or not seen:
            return {"output": seen[-1] if seen else None}
        if self._call.mode == "events":
            return {"messages": []}  # the model's own run has the assembled message
        first, *others = seen
        whole = first + others if others and isinstance(first, AIMessageChunk) else seen[-1]
        return {"messages": [whole]}


def _seam(mode: str) -> EventMerger | ChunkMerger | None:
    """What makes one message of an answer's parts; None: it has no parts."""
    if mode == "events":
        return EventMerger()
    return ChunkMerger() if mode == "stream" else None
