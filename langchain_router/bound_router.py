"""A router with bound arguments, as `bind`, `bind_tools`, `with_structured_output`, ... return it.

It is LangChain's own wrapper with an additional `explain` that includes the bound arguments.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import wraps
from typing import Any, Protocol, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableBinding, RunnableConfig
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.config import merge_configs
from pydantic import field_validator

from capability_router.endpoints.key_masking import mask_keys
from capability_router.plan import Plan
from capability_router.routing import check_terms
from langchain_router.call import with_all_terms

_BINDS = ("bind_tools", "with_structured_output")


class SupportsPlan(Protocol):
    """A router, or a wrapper of one."""

    def _plan(self, prompt: LanguageModelInput, config: RunnableConfig | None, keywords: Mapping[str, Any]) -> Plan: ...


class ExplainMixin:
    """Adds `explain` to LangChain's wrappers, with what they add; their routing terms stay when a call adds its own."""

    def explain(self, prompt: LanguageModelInput, *, config: RunnableConfig | None = None, **terms: Any) -> Plan:
        """As `ChatRouter.explain`, with what is bound; for a retry, the plan of its first try."""
        check_terms(terms)
        return self._plan(prompt, config, terms)

    def _plan(self, prompt: LanguageModelInput, config: RunnableConfig | None, keywords: Mapping[str, Any]) -> Plan:
        own = cast("RunnableBindingBase[LanguageModelInput, AIMessage]", self)
        within = cast("SupportsPlan", own.bound)
        return within._plan(prompt, self._merge_configs(config), {**own.kwargs, **keywords})

    def _merge_configs(self, *configs: RunnableConfig | None) -> RunnableConfig:
        """The wrapper's config and these, as LangChain's wrappers merge them, with the routing terms of all."""
        own = cast("RunnableBindingBase[LanguageModelInput, AIMessage]", self)
        whole = merge_configs(own.config, *configs)
        made = [make(whole) for make in own.config_factories]
        return with_all_terms(merge_configs(whole, *made), own.config, *configs, *made)


class BoundRouter(ExplainMixin, RunnableBinding[LanguageModelInput, AIMessage]):
    """A binding with `explain`, whose streams begin as the router's own do."""

    @classmethod
    def lc_id(cls) -> list[str]:
        """As for any binding."""
        return [*cls.get_lc_namespace(), "RunnableBinding"]

    @field_validator("kwargs")
    @classmethod
    def _without_keys(cls, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        return mask_keys(kwargs)

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[AIMessage]:
        """As `ChatRouter.stream`: the terms in force now apply wherever the chunks are read."""
        return self.bound.stream(input, self._merge_configs(config), **{**self.kwargs, **kwargs})

    def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[AIMessage]:
        """As `ChatRouter.astream`: the terms in force now apply wherever the chunks are read."""
        return self.bound.astream(input, self._merge_configs(config), **{**self.kwargs, **kwargs})

    def __getattr__(self, name: str) -> Any:
        """What the router has. LangChain's binding forgets its config, and with it data rules, when tools are bound."""
        found = super().__getattr__(name)
        return self._keeping_config(found) if name in _BINDS else found

    def _keeping_config(self, bind: Callable[..., Any]) -> Callable[..., BoundRouter]:
        @wraps(bind)  # others look at its signature
        def bound(*args: Any, **kwargs: Any) -> BoundRouter:
            made = bind(*args, **kwargs)
            return BoundRouter(bound=made, kwargs={}, config=self.config, config_factories=self.config_factories)

        return bound

    def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> BoundRouter:
        """Bind a further config; routing terms that are bound already stay, unless it has the same ones."""
        further = cast("RunnableConfig", {**(config or {}), **kwargs})
        whole = cast("RunnableConfig", {**self.config, **further})
        return BoundRouter(**{**dict(self), "config": with_all_terms(whole, self.config, further)})
