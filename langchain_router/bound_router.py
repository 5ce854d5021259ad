"""A router with something bound to it: what `bind`, `bind_tools` and `with_structured_output` give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableBinding, RunnableConfig
from langchain_core.runnables.config import merge_configs

from capability_router.plan import Plan
from langchain_router.call import check_terms

if TYPE_CHECKING:
    from langchain_router.chat_model import ChatRouter


class BoundRouter(RunnableBinding[LanguageModelInput, AIMessage]):
    """As any binding, and it can be explained."""

    @classmethod
    def lc_id(cls) -> list[str]:
        """As any binding's."""
        return [*cls.get_lc_namespace(), "RunnableBinding"]

    def explain(self, prompt: LanguageModelInput, *, config: RunnableConfig | None = None, **terms: Any) -> Plan:
        """As `ChatRouter.explain`, with what is bound."""
        check_terms(terms)
        router = cast("ChatRouter", self.bound)
        return router._plan(prompt, merge_configs(self.config, config), {**self.kwargs, **terms})
