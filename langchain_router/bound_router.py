"""A router with something around it: what `bind`, `bind_tools`, `with_structured_output`, `with_retry`, ... give.

Each is LangChain's own wrapper, and it can be explained, with what it adds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableBinding, RunnableConfig
from langchain_core.runnables.config import merge_configs
from langchain_core.runnables.retry import RunnableRetry

from capability_router.plan import Plan
from capability_router.routing import check_keywords
from langchain_router.call import IN_CONFIG, check_terms


class Planned(Protocol):
    """A router, or a wrapper of one."""

    def _plan(self, prompt: LanguageModelInput, config: RunnableConfig | None, keywords: Mapping[str, Any]) -> Plan: ...


class BoundRouter(RunnableBinding[LanguageModelInput, AIMessage]):
    """As any binding, and it can be explained."""

    @classmethod
    def lc_id(cls) -> list[str]:
        """As any binding's."""
        return [*cls.get_lc_namespace(), "RunnableBinding"]

    def explain(self, prompt: LanguageModelInput, *, config: RunnableConfig | None = None, **terms: Any) -> Plan:
        """As `ChatRouter.explain`, with what is bound."""
        check_terms(terms)
        return self._plan(prompt, config, terms)

    def _plan(self, prompt: LanguageModelInput, config: RunnableConfig | None, keywords: Mapping[str, Any]) -> Plan:
        within = cast("Planned", self.bound)
        return within._plan(prompt, merge_configs(self.config, config), {**self.kwargs, **keywords})


class RetriedRouter(RunnableRetry[LanguageModelInput, AIMessage]):
    """As any retry, and it can be explained."""

    @classmethod
    def lc_id(cls) -> list[str]:
        """As any retry's."""
        return [*cls.get_lc_namespace(), "RunnableRetry"]

    def explain(self, prompt: LanguageModelInput, *, config: RunnableConfig | None = None, **terms: Any) -> Plan:
        """As `ChatRouter.explain`: what the first try would do."""
        check_terms(terms)
        return self._plan(prompt, config, terms)

    def _plan(self, prompt: LanguageModelInput, config: RunnableConfig | None, keywords: Mapping[str, Any]) -> Plan:
        within = cast("Planned", self.bound)
        return within._plan(prompt, merge_configs(self.config, config), {**self.kwargs, **keywords})

    def bind(self, **kwargs: Any) -> BoundRouter:
        """Bind call keywords. Raises ConfigError for routing terms."""
        check_keywords(kwargs, IN_CONFIG)
        return BoundRouter(bound=self, kwargs=kwargs, config={})

    def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> BoundRouter:
        """Bind a config."""
        return BoundRouter(bound=self, kwargs={}, config=merge_configs(config, cast("RunnableConfig", kwargs)))
