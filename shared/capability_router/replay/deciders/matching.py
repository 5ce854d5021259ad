"""Which model of another configuration is the same as one in the log: by id, else by provider and model."""

from __future__ import annotations

from collections.abc import Iterable

from capability_router.catalog.registry import Registry
from capability_router.replay.log.logged_request import LoggedCandidate


class Matching:
    """The pairs that were found so far."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._own: dict[str, str] = {}
        self._logged: dict[str, str] = {}

    def match_models(self, candidates: Iterable[LoggedCandidate]) -> None:
        """Find the counterparts of these models of the log."""
        for each in candidates:
            if each.id not in self._own or (not self._own[each.id] and each.model):
                own = self._found(each)
                self._own[each.id] = own
                if own:
                    self._logged.setdefault(own, each.id)

    def own(self, logged: str) -> str:
        """The configuration's id of a model in the log; "" = it has no such model."""
        if logged not in self._own:
            self.match_models([LoggedCandidate(logged, "", "", None, None, None, 0.0, "")])
        return self._own[logged]

    def logged(self, own: str) -> str:
        """The log's id of a model of the configuration; "" = it was not seen in the log."""
        return self._logged.get(own, "")

    def _found(self, each: LoggedCandidate) -> str:
        if each.id in self._registry.entries:
            return each.id
        named = f"{each.provider}:{each.model}" if each.provider and each.model else each.id
        return next(iter(self._registry.matches(named)), "")
