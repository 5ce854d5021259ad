"""The fleet: the LangChain models that make a router's calls, by candidate id."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage

from capability_router.catalog.registry import Registry
from capability_router.request import Request
from capability_router.sdks.closed_loops import LoopTracker
from langchain_router.fleet.copies import as_keywords, retries_left, with_defaults, without_retries
from langchain_router.fleet.sources import model_of

log = logging.getLogger("langchain_router")

Defaults = tuple[tuple[str, Any], ...]
_MOST = 128
"""Sets of defaults of which copies are kept; an application may set another one for each request."""


class ModelFleet:
    """The children of a router by candidate id. Shared by every copy of the ChatRouter that made it."""

    def __init__(self, registry: Registry, *, api_key: str | None = None) -> None:
        self._sources = {entry.card.id: model_of(entry, api_key) for entry in registry}  # some end the copies' client
        self._models = {id: without_retries(model) for id, model in self._sources.items()}
        self._under: dict[Defaults, ModelFleet] = {}
        self._said: dict[str, Mapping[str, Any]] = {}
        self.loops = LoopTracker(self._models.values())
        for id, model in self:
            if left := retries_left(model):
                log.warning("%s retries up to %d times by itself, beside the router; set its max_retries=0", id, left)

    def under(self, defaults: Defaults) -> ModelFleet:
        """The same children with these values in their fields, made once while the values are among the last ones."""
        if not defaults:
            return self
        known = self._under.get(defaults)
        if known is None:
            known = ModelFleet.__new__(ModelFleet)
            known._models = {id: with_defaults(model, dict(defaults)) for id, model in self._models.items()}
            known._sources, known._under = self._sources, {}
            said = ((id, as_keywords(model, dict(defaults))) for id, model in self._models.items())
            known._said = {id: keywords for id, keywords in said if keywords}
            known.loops = LoopTracker(known._models.values())
            if len(self._under) >= _MOST:  # what other threads write meanwhile may be lost, and is then made again
                self._under = dict(list(self._under.items())[_MOST // 2 :])
            self._under[defaults] = known
        return known

    def tokens(self, request: Request) -> int | None:
        """A LangChain call's messages as the first model counts them; None for another framework's call."""
        messages = getattr(request.payload, "messages", None)
        if not isinstance(messages, list) or not all(isinstance(message, BaseMessage) for message in messages):
            return None
        return next(iter(self._models.values())).get_num_tokens_from_messages(messages)

    def said(self, id: str) -> Mapping[str, Any] | None:
        """The defaults that go with this child's calls, because it has no fields for them; None = there are none."""
        return self._said.get(id)

    def __getitem__(self, id: str) -> BaseChatModel:
        return self._models[id]

    @property
    def provider(self) -> str:
        """By what name all of the children's messages go; '' if they differ. LangChain's summarization compares it."""
        names = {str(model._get_ls_params().get("ls_provider") or "") for model in self._models.values()}
        return names.pop() if len(names) == 1 else ""

    def __iter__(self) -> Iterator[tuple[str, BaseChatModel]]:
        return iter(self._models.items())

    def __deepcopy__(self, _: dict[int, Any]) -> ModelFleet:
        return self

    def __repr__(self) -> str:
        return f"<ModelFleet {', '.join(self._models)}>"
