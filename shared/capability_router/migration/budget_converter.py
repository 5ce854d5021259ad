"""LiteLLM's budgets as caps of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from capability_router.catalog.aliases import canonical
from capability_router.migration.amount import number, span, tidy, window
from capability_router.migration.deployment import Deployment
from capability_router.migration.note import ImportNotes
from capability_router.migration.source import Place
from capability_router.migration.variables import put

Cap = dict[str, Any]


class BudgetConverter:
    """Collects caps. A window that we do not have is reported."""

    def __init__(self, notes: ImportNotes) -> None:
        self._notes = notes

    def whole(self, block: Mapping[str, Any], place: Place) -> Iterator[Cap]:
        """`max_budget` and `budget_duration` of litellm_settings: for all spending."""
        if block.get("max_budget") is not None:
            yield from self._cap("global", block["max_budget"], block.get("budget_duration"), place)

    def named(self, kind: str, block: Any, place: Place) -> Iterator[Cap]:
        """`provider_budget_config` and `tag_budget_config`."""
        if block is None:
            return
        if not isinstance(block, Mapping):
            self._notes.left_out(place, "it is no mapping of names to budgets", "write budgets by hand")
            return
        for name, said in block.items():
            at = (*place, str(name))
            if not isinstance(said, Mapping):
                self._notes.left_out(at, "it is no budget", "write {budget_limit: USD, time_period: 1d}")
                continue
            limit = said.get("budget_limit", said.get("max_budget"))
            scope = put(canonical(str(name)) if kind == "provider" else str(name))
            yield from self._cap(f"{kind}:{scope}", limit, said.get("time_period", said.get("budget_duration")), at)

    def deployments(self, all_of: Sequence[Deployment]) -> Iterator[Cap]:
        """`max_budget` of a deployment."""
        for each in all_of:
            if each.budget is not None:
                limit, duration = each.budget
                yield from self._cap(f"model:{each.id}", limit, duration, (*each.place, "litellm_params"))

    def _cap(self, scope: str, limit: Any, duration: Any, place: Place) -> Iterator[Cap]:
        amount = number(limit)
        if amount is None:
            self._notes.left_out((*place, "max_budget"), "it is not an amount of USD", "write budgets by hand")
            return
        found = "total" if duration is None else window(duration)
        if found is None:
            why = "it is no span such as 30s, 12h, 7d or 1mo"
            self._notes.left_out((*place, "budget_duration"), why, "set the cap's window by hand")
            return
        cap: Cap = {"scope": scope, "limit_usd": tidy(amount), "window": found}
        if duration is not None:
            self._told((*place, "budget_duration"), found, duration)
        yield cap

    def _told(self, place: Place, found: str, duration: Any) -> None:
        if found.startswith("rolling"):
            count, unit = span(duration) or (0, "")
            told = f"the last {count} {_UNITS[unit]}{'s' if count > 1 else ''} count at any moment"
        else:
            told = f"the window is the calendar's {found} (UTC)"
        self._notes.differs(place, f"{told}; LiteLLM's begins with the first call")


_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month of 30 days"}
