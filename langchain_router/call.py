"""One call of the router as its user made it, and the routing terms in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.messages import BaseMessage
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import RunnableConfig

from capability_router.errors import ConfigError
from capability_router.faults.offered_tools import Offered
from capability_router.frozen_value import fast_frozen
from capability_router.routing import Routing
from langchain_router.bindings import BOUND, Binding, StructuredBinding, ToolBinding, offered_names

if TYPE_CHECKING:
    from langchain_router.chat_model import ChatRouter

Mode = Literal["invoke", "stream", "events"]


@fast_frozen
@dataclass(frozen=True, slots=True)
class ChatCall:
    """One call of the router as its user made it. `kwargs` go to the chosen model unchanged.

    `prompt`: the prompt value with the messages, if the user gave one; else it is made when a model needs it.
    `max_tokens` is the router's own default, `terms` the routing terms that the call itself states.
    """

    prompt: PromptValue | None = field(repr=False)
    messages: list[BaseMessage] = field(repr=False)
    mode: Mode
    kwargs: Mapping[str, Any] = field(default_factory=dict, repr=False)
    bound: Binding | None = None
    max_tokens: int | None = None
    terms: Mapping[str, Any] = field(default_factory=dict)

    def terms_within(self, here: Routing) -> Mapping[str, Any]:
        """Its terms in these surroundings, whose deadline holds instead of the router's own time limit."""
        if here.deadline_s is None or "deadline_s" not in self.terms:
            return self.terms
        return {name: term for name, term in self.terms.items() if name != "deadline_s"}

    @property
    def tools(self) -> Sequence[Any]:
        """The tools of the call, as its user gave them."""
        if self.bound is None and not self.kwargs:  # as most calls are
            return ()
        given = self.kwargs.get("tools") if self.bound is None else self.bound.offered
        return given if isinstance(given, (list, tuple)) else ()

    @property
    def offered(self) -> Offered:
        """The names of the tools that its answer may call; None where not all of them are known.

        A structured answer is judged by its parser instead. Some messages bring tools with them.
        """
        bound = self.bound
        keywords = {**bound.kwargs, **self.kwargs} if bound is not None else self.kwargs
        beside = bound is not None and "tools" in keywords
        if not self.tools or isinstance(bound, StructuredBinding) or beside or adds_tools(keywords, "functions"):
            return None
        if any(map(_brings_tools, self.messages)):
            return None
        return offered_names(self.tools) if bound is None else bound.names

    @property
    def keywords(self) -> frozenset[str]:
        """The names of all keywords, bound or given with the call."""
        bound = self.bound.kwargs if self.bound else ()
        return frozenset((*self.kwargs, *bound, *(("tools",) if isinstance(self.bound, ToolBinding) else ())))

    @property
    def wants_schema(self) -> bool:
        """Whether the answer has to fit a schema."""
        options = {**self.bound.kwargs, **self.kwargs} if self.bound else self.kwargs
        return isinstance(self.bound, StructuredBinding) or options.get("response_format") is not None

    @property
    def include_raw(self) -> bool:
        """Whether the caller wants parse failures returned instead of raised."""
        return isinstance(self.bound, StructuredBinding) and bool(self.bound.kwargs.get("include_raw"))


def adds_tools(options: Mapping[str, Any], *names: str) -> bool:
    """Whether these keywords hold tools, also in what is added to a call's body."""
    added = options.get("extra_body")
    return any(options.get(name) for name in names) or (isinstance(added, Mapping) and "tools" in added)


def _brings_tools(message: BaseMessage) -> bool:
    content = message.content
    return isinstance(content, list) and any(isinstance(b, dict) and b.get("type") in _BRINGING for b in content)


_BRINGING = ("tool_addition", "tool_search_output", "tool_reference", "tool_search_tool_result", "mcp_list_tools")


def stream_mode(model: ChatRouter, kwargs: Mapping[str, Any]) -> Mode:
    """How a stream is made: if streaming is switched off, it is one message from `invoke`."""
    tools = bool(kwargs.get("tools")) or isinstance(kwargs.get(BOUND), ToolBinding)
    off = model.disable_streaming is True or (model.disable_streaming == "tool_calling" and tools)
    return "invoke" if off or model.streaming is False or kwargs.get("stream") is False else "stream"


IN_CONFIG = 'config={{"configurable": {{"router": {{"{}": ...}}}}}}'
"""How a routing term is set in a config."""


def stated_terms(config: RunnableConfig) -> Mapping[str, Any]:
    """The routing terms in a config, under configurable.router. Raises ConfigError."""
    configurable = config.get("configurable")
    stated = (configurable.get("router") if configurable else None) or {}
    if stated and not isinstance(stated, Mapping):
        raise ConfigError(f"configurable.router must be a mapping of routing terms, got {type(stated).__name__}")
    return stated


def with_all_terms(whole: RunnableConfig, *parts: RunnableConfig | None) -> RunnableConfig:
    """The merged config, with the routing terms of all its parts. Raises ConfigError.

    A later part overrides an earlier one term by term, and data rules rule by rule. LangChain's own merge keeps the
    last part's terms alone, so a call that adds a tag would be freed of the regions that were set before.
    """
    stated = [terms for part in parts if part and (terms := stated_terms(part))]
    configurable = whole.get("configurable") or {}
    if not stated or (len(stated) == 1 and configurable.get("router") is stated[0]):
        return whole
    all_terms: dict[str, Any] = {}
    for terms in stated:
        rules = [each["data"] for each in (all_terms, terms) if isinstance(each.get("data"), Mapping)]
        all_terms.update(terms)
        if len(rules) > 1:
            all_terms["data"] = {**rules[0], **rules[1]}
    return {**whole, "configurable": {**configurable, "router": all_terms}}


def carrying(config: RunnableConfig, terms: Routing) -> RunnableConfig:
    """The config with these terms as defaults for its own, so that they reach a nested router too."""
    configurable = config.get("configurable") or {}
    return {**config, "configurable": {**configurable, "router": {**terms.stated, **stated_terms(config)}}}
