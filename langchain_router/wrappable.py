"""The methods of a chat model that return a wrapper of it; for a router these wrappers have `explain`, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableBinding, RunnableConfig

from capability_router.routing import check_keywords
from langchain_router.bound_router import BoundRouter
from langchain_router.call import IN_CONFIG

if TYPE_CHECKING:
    from langchain_router.retried_router import RetriedRouter


class Wrappable(BaseChatModel):
    """A chat model with LangChain's wrappers around it, which know `explain`."""

    def bind(self, **kwargs: Any) -> BoundRouter:  # type: ignore[override]  # the base's class only adds overloads
        """Bind call keywords. Raises ConfigError for routing terms, which are bound by `with_config`."""
        check_keywords(kwargs, IN_CONFIG)
        return BoundRouter(bound=self, kwargs=kwargs, config={})

    def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> BoundRouter:
        """Bind a config, such as `configurable={"router": {"tenant": "acme"}}`."""
        return _explained(super().with_config(config, **kwargs))

    def with_listeners(self, **listeners: Any) -> BoundRouter:
        """Hear the router's own run start, end and fail."""
        return _explained(super().with_listeners(**listeners))

    def with_types(self, **types: Any) -> BoundRouter:
        """Bind the types of input and output."""
        return _explained(super().with_types(**types))

    def with_retry(self, **options: Any) -> RetriedRouter:
        """Start the whole request anew after errors; the router has tried other models by then."""
        from langchain_router.retried_router import RetriedRouter

        return RetriedRouter(**dict(super().with_retry(**options)))  # type: ignore[call-overload]  # a pydantic object


def _explained(binding: Any) -> BoundRouter:
    return BoundRouter(**dict(binding)) if isinstance(binding, RunnableBinding) else binding
