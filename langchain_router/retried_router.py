"""A router whose calls are repeated after errors, as `with_retry` returns it."""

from __future__ import annotations

from typing import Any, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs
from langchain_core.runnables.retry import RunnableRetry

from capability_router.routing import check_keywords
from langchain_router.bound_router import BoundRouter, ExplainMixin
from langchain_router.call import IN_CONFIG, with_all_terms


class RetriedRouter(ExplainMixin, RunnableRetry[LanguageModelInput, AIMessage]):
    """LangChain's retry wrapper, with `explain`."""

    @classmethod
    def lc_id(cls) -> list[str]:
        """As any retry's."""
        return [*cls.get_lc_namespace(), "RunnableRetry"]

    def bind(self, **kwargs: Any) -> BoundRouter:
        """Bind call keywords. Raises ConfigError for routing terms."""
        check_keywords(kwargs, IN_CONFIG)
        return BoundRouter(bound=self, kwargs=kwargs, config={})

    def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> BoundRouter:
        """Bind a config."""
        further = cast("RunnableConfig", kwargs)
        whole = with_all_terms(merge_configs(config, further), config, further)
        return BoundRouter(bound=self, kwargs={}, config=whole)
