"""A router with something bound to it: what `bind`, `bind_tools`, `with_structured_output`, ... give.

It is LangChain's own wrapper, and it can be explained, with what it adds.
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
    """For LangChain's wrappers: what one adds counts when the router in it is explained."""

    def explain(self, prompt: LanguageModelInput, *, config: RunnableConfig | None = None, **terms: Any) -> Plan:
        """As `ChatRouter.explain`, with what is bound; of a retry what its first try would do."""
        check_terms(terms)
        return self._plan(prompt, config, terms)

    def _plan(self, prompt: LanguageModelInput, config: RunnableConfig | None, keywords: Mapping[str, Any]) -> Plan:
        own = cast("RunnableBindingBase[LanguageModelInput, AIMessage]", self)
        within = cast("Planned", own.bound)
        return within._plan(prompt, merge_configs(own.config, config), {**own.kwargs, **keywords})


class BoundRouter(Explainable, RunnableBinding[LanguageModelInput, AIMessage]):
    """As any binding, and it can be explained. Its streams are begun as the router's own."""

    @classmethod
    def lc_id(cls) -> list[str]:
        """As any binding's."""
        return [*cls.get_lc_namespace(), "RunnableBinding"]

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[AIMessage]:
        """As `ChatRouter.stream`: the terms in force at this call hold wherever its chunks are read."""
        return self.bound.stream(input, self._together(config), **{**self.kwargs, **kwargs})

    def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[AIMessage]:
        """As `ChatRouter.astream`: the terms in force at this call hold wherever its chunks are read."""
        return self.bound.astream(input, self._together(config), **{**self.kwargs, **kwargs})

    def _together(self, config: RunnableConfig | None) -> RunnableConfig:
        whole = merge_configs(self.config, config)
        return merge_configs(whole, *(made(whole) for made in self.config_factories))
