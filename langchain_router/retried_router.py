"""A router that is asked anew after errors: what `with_retry` gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs
from langchain_core.runnables.retry import RunnableRetry

from capability_router.plan import Plan
from capability_router.routing import check_keywords
from langchain_router.bound_router import BoundRouter, Planned
from langchain_router.call import IN_CONFIG, check_terms


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
