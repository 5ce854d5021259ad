"""A router with bound arguments, as `bind`, `bind_tools`, `with_structured_output`, ... return it.

It is LangChain's own wrapper with an additional `explain` that includes the bound arguments.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Protocol, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableBinding, RunnableConfig
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.config import merge_configs

from capability_router.plan import Plan
from capability_router.routing import check_terms


class Planned(Protocol):
    """A router, or a wrapper of one."""

    def _plan(self, prompt: LanguageModelInput, config: RunnableConfig | None, keywords: Mapping[str, Any]) -> Plan: ...


class Explainable:
    """Adds `explain` to LangChain's wrappers. What the wrapper adds is included."""

    def explain(self, prompt: LanguageModelInput, *, config: RunnableConfig | None = None, **terms: Any) -> Plan:
        """As `ChatRouter.explain`, with what is bound; for a retry, the plan of its first try."""
        check_terms(terms)
        return self._plan(prompt, config, terms)

    def _plan(self, prompt: LanguageModelInput, config: RunnableConfig | None, keywords: Mapping[str, Any]) -> Plan:
        own = cast("RunnableBindingBase[LanguageModelInput, AIMessage]", self)
        within = cast("Planned", own.bound)
        return within._plan(prompt, merge_configs(own.config, config), {**own.kwargs, **keywords})


class BoundRouter(Explainable, RunnableBinding[LanguageModelInput, AIMessage]):
    """A binding with `explain`, whose streams begin as the router's own do."""

    @classmethod
    def lc_id(cls) -> list[str]:
        """As for any binding."""
        return [*cls.get_lc_namespace(), "RunnableBinding"]

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[AIMessage]:
        """As `ChatRouter.stream`: the terms in force now apply wherever the chunks are read."""
        return self.bound.stream(input, self._together(config), **{**self.kwargs, **kwargs})

    def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[AIMessage]:
        """As `ChatRouter.astream`: the terms in force now apply wherever the chunks are read."""
        return self.bound.astream(input, self._together(config), **{**self.kwargs, **kwargs})

    def _together(self, config: RunnableConfig | None) -> RunnableConfig:
        whole = merge_configs(self.config, config)
        return merge_configs(whole, *(made(whole) for made in self.config_factories))
