"""Running sums, one per combination of who asked, who answered and how it ended.

A cell is a plain tuple and list, because one is brought up to date for every launch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from capability_router.money.ledger.call import ANSWERED, Call
from capability_router.stores.calls import DAY_S, HOUR_S, KEY, SUMS

Key = tuple[str, tuple[str, ...], str, str, str, str, str, str, str]
Cells = dict[Key, list[int]]


def book(cells: Cells, call: Call) -> None:
    """Add a call to its cell."""
    (_, _, model, provider, tenant, task, tags, chain, framework, fault, usage, cost, _, credential, _) = (
        call  # taken apart at once: name by name it takes half as long again
    )
    key = (tenant, tags, task, chain, framework, model, provider, credential, fault or ANSWERED)
    sums = cells.get(key)
    if sums is None:
        sums = cells[key] = [0] * len(SUMS)
    if cost is None:
        sums[5] += 1
    else:
        sums[0] += cost
        if usage.estimated:
            sums[4] += cost
    sums[1] += usage.input_tokens
    sums[2] += usage.output_tokens
    sums[3] += 1
    if usage.cache_read_tokens or usage.reasoning_tokens:
        sums[6] += usage.cache_read_tokens
        sums[7] += usage.reasoning_tokens


def merge_cells(cells: Cells, more: Mapping[Key, Sequence[int]]) -> None:
    """Add whole cells to those of the same keys."""
    for key, add in more.items():
        sums = cells.get(key)
        cells[key] = list(add) if sums is None else [a + b for a, b in zip(sums, add, strict=True)]


def hour_of(unix: float) -> int:
    """When the hour of this moment began."""
    return int(unix // HOUR_S) * HOUR_S


def day_of(unix: float) -> int:
    """When the day of this moment began, UTC."""
    return int(unix // DAY_S) * DAY_S


__all__ = ["DAY_S", "HOUR_S", "KEY", "SUMS", "Cells", "Key", "book", "day_of", "hour_of", "merge_cells"]
