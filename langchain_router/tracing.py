"""The chain run of each routed call in LangChain's traces, and the data on it.

It is a chain run, not a model run: tracers would count and price a model run inside a model run twice, and show the
router's name for the models that answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import Context, copy_context
from functools import partial
from typing import Any, TypeVar

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForChainRun,
    BaseCallbackHandler,
    BaseCallbackManager,
    BaseRunManager,
    CallbackManager,
    CallbackManagerForChainRun,
)
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import set_config_context, var_child_runnable_config
from langchain_core.tracers.base import BaseTracer
from langchain_core.utils.uuid import uuid7

from capability_router.execution.effects import Launch
from capability_router.plan import Plan
from capability_router.request import Outcome
from capability_router.routing import Routing
from langchain_router.attempts.fault_notes import add_metadata, tracers_of
from langchain_router.runs import RUNS, given, without_runs
from langchain_router.span_annotation import observe, observed

ManagerT = TypeVar("ManagerT", CallbackManager, AsyncCallbackManager)
ChainRun = CallbackManagerForChainRun | AsyncCallbackManagerForChainRun
RunT = TypeVar("RunT", CallbackManagerForChainRun, AsyncCallbackManagerForChainRun)

_ROOM, _ITEM = 2_000, 200
"""The most characters of one fact, and of one item of a list: trace viewers load and search metadata whole."""
_STEP_TAGS = ("seq:step:", "map:key:", "graph:step:", "router:", "langsmith:")


class LocalCallbacks:
    """Callbacks, tags and metadata of the router's own constructor; unlike a model's, the attempts inherit them."""

    __slots__ = ("handlers", "metadata", "tags", "verbose")

    def __init__(
        self, callbacks: Any, tags: Sequence[str] | None, metadata: Mapping[str, Any] | None, verbose: bool
    ) -> None:
        self.handlers: list[BaseCallbackHandler] = (
            list(callbacks.handlers) if isinstance(callbacks, BaseCallbackManager) else list(callbacks or ())
        )
        self.tags, self.metadata, self.verbose = tags, metadata, verbose


def configured(kind: type[ManagerT], config: RunnableConfig, local: LocalCallbacks) -> ManagerT:
    """The callback manager of one routed call. All of it is inherited by the models' runs."""
    tags = [*(config.get("tags") or ()), *(local.tags or ())]
    metadata = {**(local.metadata or {}), **(config.get("metadata") or {})}
    above = config.get("callbacks")
    configure = partial(kind.configure, above, None, verbose=local.verbose, inheritable_tags=tags)
    manager = without_runs(configure, inherits=above is not None)
    for handler in local.handlers:
        manager.add_handler(handler, inherit=True)
    if manager.metadata or manager.inheritable_metadata:
        manager.add_metadata(metadata)
    else:  # nothing to merge with: core's merge takes as long as all the rest
        manager.metadata, manager.inheritable_metadata = metadata, metadata.copy()
    return manager


def begun(
    manager: CallbackManager, inputs: Any, config: RunnableConfig, model: BaseChatModel
) -> CallbackManagerForChainRun:
    """The chain run, begun."""
    if manager.handlers:
        return manager.on_chain_start(None, inputs, **_named(config, model))
    return _unheard(CallbackManagerForChainRun, manager, config)


async def astart_run(
    manager: AsyncCallbackManager, inputs: Any, config: RunnableConfig, model: BaseChatModel
) -> AsyncCallbackManagerForChainRun:
    """Start the chain run. Without handlers, core would still wait two turns of the event loop."""
    if manager.handlers:
        return await manager.on_chain_start(None, inputs, **_named(config, model))
    return _unheard(AsyncCallbackManagerForChainRun, manager, config)


def _named(config: RunnableConfig, model: BaseChatModel) -> dict[str, Any]:
    return {"name": config.get("run_name") or model.get_name(), "run_id": config.get("run_id")}


def _unheard(kind: type[RunT], manager: BaseCallbackManager, config: RunnableConfig) -> RunT:
    """A run without handlers, in the same form as one with."""
    return kind(
        run_id=config.get("run_id") or uuid7(), handlers=manager.handlers,
        inheritable_handlers=manager.inheritable_handlers, parent_run_id=manager.parent_run_id, tags=manager.tags,
        inheritable_tags=manager.inheritable_tags, metadata=manager.metadata,
        inheritable_metadata=manager.inheritable_metadata,
    )  # fmt: skip


async def afail_run(run: AsyncCallbackManagerForChainRun, error: BaseException) -> None:
    """End the chain run with an error. Without handlers, core would still make a task."""
    if run.handlers:
        await run.on_chain_error(error)


def attempt_config(run: ChainRun, config: RunnableConfig, launch: Launch) -> RunnableConfig:
    """The config of one attempt: a child of the router's run, with the facts known before it is made."""
    facts: dict[str, Any] = {"router_attempt": launch.attempt, "router_candidate": launch.candidate.id}
    if launch.after:
        facts["router_after"] = launch.after
    # No run name and no run id: those were the router's own. Tags and the caller's metadata are in the manager.
    child = RunnableConfig(
        callbacks=_child_of(run), metadata=facts, configurable=config["configurable"],
        recursion_limit=config["recursion_limit"],
    )  # fmt: skip
    if "max_concurrency" in config:
        child["max_concurrency"] = config["max_concurrency"]
    return child


def _child_of(run: ChainRun) -> BaseCallbackManager:
    """`run.get_child()`, made faster if there are not two handlers that may be duplicates."""
    if len(run.inheritable_handlers) > 1:
        return run.get_child()
    if isinstance(run, CallbackManagerForChainRun):
        return _inheriting(CallbackManager, run)
    return _inheriting(AsyncCallbackManager, run)


def beneath(run: BaseRunManager | None) -> RunnableConfig | None:
    """The config of a call made under any run: its handlers, tags and metadata are inherited."""
    return None if run is None else {"callbacks": _inheriting(CallbackManager, run)}


def _inheriting(kind: type[ManagerT], run: BaseRunManager) -> ManagerT:
    handlers, tags, metadata = run.inheritable_handlers, run.inheritable_tags, run.inheritable_metadata
    return kind(
        handlers=handlers.copy(), inheritable_handlers=handlers.copy(), parent_run_id=run.run_id,
        tags=tags.copy(), inheritable_tags=tags.copy(),
        metadata=metadata.copy(), inheritable_metadata=metadata.copy(),
    )  # fmt: skip


def attempt_context(config: RunnableConfig) -> AbstractContextManager[Context]:
    """The context for an attempt's steps, in which the calls of its model are children of its run.

    Without a tracer it is only a copy of the context, with nothing to clean up.
    """
    if tracers_of(config["callbacks"].handlers):  # type: ignore[union-attr]  # a child manager
        return set_config_context(config)
    context = copy_context()
    context.run(var_child_runnable_config.set, config)
    return nullcontext(context)


def facts_of(outcome: Outcome | None, plan: Plan | None, refusals: Sequence[Any] = ()) -> dict[str, Any]:
    """The decision and its cost, flat. No `ls_*` key and no `usage_metadata`: those are the models' own.

    However many models there are, each fact stays below `_ROOM` characters.
    """
    facts: dict[str, Any] = {}
    if outcome is not None:
        facts.update({f"router_{key}": value for key, value in outcome.annotation().items() if value not in (None, "")})
        facts["router_reason"] = _cut(outcome.reason, _ROOM)
        facts["router_input_tokens"] = outcome.usage.input_tokens
        facts["router_output_tokens"] = outcome.usage.output_tokens
        facts["router_faults"] = _listed([f"{a.index} {a.model}: {a.fault}" for a in outcome.attempts if a.fault])
    refused = plan.refusals if plan is not None else refusals
    if refused:
        facts["router_refused"] = len(refused)
        facts["router_refusals"] = _listed([f"{r.model}: {r.rule}: {r.detail}" for r in refused])
    if plan is not None:
        facts["router_notes"] = _listed(plan.notes)
    return {name: fact for name, fact in facts.items() if fact != ""}


def _listed(items: Sequence[str], between: str = "; ") -> str:
    """As many complete items as fit, and the number of the others."""
    room, shown = _ROOM - 20, list[str]()
    for item in items:
        item = _cut(item, _ITEM)
        room -= len(item) + 2
        if room < 0:
            return between.join([*shown, f"and {len(items) - len(shown):,} more"])
        shown.append(item)
    return between.join(shown)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def terms_of(routing: Routing) -> dict[str, str]:
    """For whom and for what the request was, as far as it is known. Its chain is seen in the tree."""
    terms = {
        "tenant": _cut(routing.tenant, _ITEM),
        "task": _cut(routing.task, _ITEM),
        "tags": _listed(routing.tags, ", "),
    }
    return {f"router_{name}": term for name, term in terms.items() if term}


def note(
    run: ChainRun, outcome: Outcome | None, plan: Plan | None, refusals: Sequence[Any], routing: Routing
) -> None:  # fmt: skip
    """Write the facts on the router's own run in all attached tracers, before it ends."""
    tracers = tracers_of(run.handlers)
    if not tracers and not observed(run.handlers):
        return
    facts = {**terms_of(routing), **facts_of(outcome, plan, refusals)}
    for tracer in tracers:
        traced = tracer.run_map.get(str(run.run_id))
        if traced is not None:
            add_metadata(traced, facts)
    observe(run.handlers, run.run_id, facts)


def chain_name(parent: BaseCallbackManager, config: RunnableConfig) -> str:
    """Under which chain a call is booked: its own run name, else that of the outermost named run above it.

    Below a model's own run (a router within a router) only tracers know what is above.
    """
    if config.get("run_name"):
        return str(config["run_name"])
    if name := RUNS.outermost(parent.parent_run_id):
        return name
    for handler in parent.handlers:
        if isinstance(handler, BaseTracer):
            name = _outermost(handler, parent.parent_run_id)
            if name:
                return name
    metadata = config.get("metadata") or {}
    return str(metadata.get("lc_agent_name") or metadata.get("langgraph_node") or "")


def _outermost(tracer: BaseTracer, run_id: Any) -> str:
    name = ""
    while run_id is not None and (run := tracer.run_map.get(str(run_id))) is not None:
        name, run_id = given(run.name) or name, run.parent_run_id
    return name


def caller_tags(config: RunnableConfig) -> list[str]:
    """The caller's own tags, without those that LangChain adds to the steps of a chain."""
    return [tag for tag in config.get("tags") or () if not tag.startswith(_STEP_TAGS)]
