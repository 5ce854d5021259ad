"""One peer in one row, as measured."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.peers.row import Row
from benchmarks.peers.verdict import judged


@dataclass(frozen=True)
class Cell:
    """Shares 0 to 1; `wasted` failed calls of the primary per 100 requests; times in seconds.

    `p95_s` counts a request that failed as one that never ended. `back_s`: from the end of an outage to
    the primary's next answer; None = not within the time watched. `note`: hung, broken, cut short.
    """

    success: float
    silent: float
    wasted: float | None
    p95_s: float
    asked: int
    back_s: float | None = None
    note: str = ""
    errors: tuple[tuple[str, int], ...] = ()

    @classmethod
    def measured(cls, row: Row, results: list[dict[str, Any]], end: dict[str, Any], seen: dict[str, Any]) -> Cell:
        """From a driver's results and the server's counts."""
        verdicts = [judged(result, tool=row.tool) for result in results]
        asked = len(verdicts) + (row.at_once if "hung" in end else 0)
        if not asked:
            return cls(0.0, 0.0, None, math.inf, 0, note=str(end.get("broken", "hung")))
        times = [result["took"] for result, verdict in zip(results, verdicts, strict=True) if verdict == "good"]
        wasted = _wasted(row, end, seen)
        kinds = Counter(result["error"] for result in results if "error" in result)
        return cls(
            success=len(times) / asked,
            silent=sum(verdict in ("mixed", "cut") for verdict in verdicts) / asked,
            wasted=None if wasted is None else 100 * wasted / asked,
            p95_s=_p95(times, asked),
            asked=asked,
            back_s=_back(row, seen),
            note="hung" if "hung" in end else str(end.get("broken", "")),
            errors=tuple(kinds.most_common(2)),
        )

    @classmethod
    def of_rounds(cls, cells: Sequence[Cell]) -> Cell:
        """One of several, of one peer and row: the middle one's times, and shares of all that was asked."""
        asked = sum(cell.asked for cell in cells)
        counted = [cell for cell in cells if cell.wasted is not None]
        back = median(math.inf if cell.back_s is None else cell.back_s for cell in cells)
        kinds = sum((Counter(dict(cell.errors)) for cell in cells), Counter[str]())
        return cls(
            success=_mean([(cell.success, cell.asked) for cell in cells]),
            silent=_mean([(cell.silent, cell.asked) for cell in cells]),
            wasted=_mean([(cell.wasted or 0.0, cell.asked) for cell in counted]) if counted else None,
            p95_s=median(cell.p95_s for cell in cells),
            asked=asked,
            back_s=back if math.isfinite(back) else None,
            note=next((cell.note for cell in cells if cell.note), ""),
            errors=tuple(kinds.most_common(2)),
        )


def _mean(weighted: Sequence[tuple[float, int]]) -> float:
    return sum(share * count for share, count in weighted) / max(1, sum(count for _, count in weighted))


def _wasted(row: Row, end: dict[str, Any], seen: dict[str, Any]) -> int | None:
    """Nobody but the client sees a refused connection; those it makes after an outage are not wasted."""
    if row.fault != "refused":
        return int(seen["primary"]["wasted"])
    if "connects" not in end:
        return None
    return int(end["connects"]) if row.lasts_s is None else None


def _p95(times: list[float], asked: int) -> float:
    rank = math.ceil(0.95 * asked)
    return sorted(times)[rank - 1] if len(times) >= rank else math.inf


def _back(row: Row, seen: dict[str, Any]) -> float | None:
    if row.lasts_s is None:
        return None
    later = [at - row.lasts_s for at in seen["primary"]["good_at"] if at >= row.lasts_s]
    return min(later, default=None)
