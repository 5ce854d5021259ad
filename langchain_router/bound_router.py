"""A router with something bound to it: what `bind`, `bind_tools`, `with_structured_output`, ... give.

It is LangChain's own wrapper, and it can be explained, with what it adds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableBinding, RunnableConfig
from langchain_core.runnables.config import merge_configs

from capability_router.plan import Plan
from langchain_router.call import check_terms


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
