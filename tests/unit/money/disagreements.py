"""Where our catalog's prices differ from genai-prices', and why: disagreements.jsonl.

A row: `reason`; `provider`; `models`, patterns as of a shell; `what` differs; `lacks`, who states nothing of it
("ours", "theirs"), if that is the reason. A row of provider "*" is about all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from unit.money.second_opinion import KINDS, Pair, catalog_pairs

from capability_router import Price
from capability_router.request import SERVICE_TIERS

_TABLE = Path(__file__).with_name("disagreements.jsonl")


class Difference(NamedTuple):
    """What two tables say of one thing; None = nothing."""

    provider: str
    model: str
    what: str
    ours: Any
    theirs: Any


def differences(pair: Pair) -> list[Difference]:
    """All of them: what one of the two states of a kind of token, below every tier; then tiers and service tiers."""
    return [Difference(pair.provider, pair.model, *found) for found in _found(pair.ours, pair.theirs)]


def _found(ours: Price, theirs: Price) -> Iterator[tuple[str, Any, Any]]:
    for kind, key in KINDS.items():
        stated = getattr(ours, key), getattr(theirs, key)
        if kind == "audio_read" and stated == (None, None):  # follows from the price of audio, if one is stated
            stated = ours.input_audio_mtok, theirs.input_audio_mtok
        if stated != (None, None) and getattr(ours.rates, kind) != getattr(theirs.rates, kind):
            yield kind, *stated
    if (ours.per_request or 0) != (theirs.per_request or 0):
        yield "request", ours.per_request, theirs.per_request
    if not _same_tiers(ours, theirs):
        yield "tiers", _told(ours), _told(theirs)
    for service in SERVICE_TIERS:
        mine, other = ours.services.get(service), theirs.services.get(service)
        if (mine is None) != (other is None) or (mine and other and not _same(mine, other)):
            yield service, mine and _told(mine), other and _told(other)


def _same(ours: Price, theirs: Price) -> bool:
    return ours.rates == theirs.rates and _same_tiers(ours, theirs)


def _same_tiers(ours: Price, theirs: Price) -> bool:
    """Whether a tier begins where the other's does, and changes what the other's changes."""
    if [t.above for t in ours.tiers] != [t.above for t in theirs.tiers]:
        return False
    same_base = [a == b for a, b in zip(ours.rates, theirs.rates, strict=True)]
    steps = zip(ours.tiers, theirs.tiers, strict=True)
    return all(
        a == b
        for mine, other in steps
        for a, b, known in zip(mine.price.rates, other.price.rates, same_base, strict=True)
        if known
    )


def _told(price: Price) -> str | None:
    steps = [(0, price), *((t.above, t.price) for t in price.tiers)]
    return " ".join(f">{above}: {p.input_mtok}/{p.output_mtok}/{p.cache_read_mtok}" for above, p in steps)


def rows() -> list[dict[str, Any]]:
    """The table."""
    return [json.loads(line) for line in _TABLE.read_text("utf-8").splitlines() if line.strip()]


def explanation(difference: Difference, table: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The first row that explains it; None = none does."""
    return next((row for row in table if _explains(row, difference)), None)


def _explains(row: dict[str, Any], d: Difference) -> bool:
    lacking = {"ours": d.ours, "theirs": d.theirs}
    return (
        row["provider"] in ("*", d.provider)
        and d.what in row["what"]
        and any(fnmatchcase(d.model, pattern) for pattern in row.get("models", ["*"]))
        and ("lacks" not in row or not lacking[row["lacks"]])
    )


def main() -> None:
    """What is left to explain, and rows without use."""
    table, useful = rows(), set()
    for difference in (d for pair in catalog_pairs() for d in differences(pair)):
        row = explanation(difference, table)
        if row is None:
            print("unexplained:", *difference)
        else:
            useful.add(json.dumps(row))
    for row in table:
        if json.dumps(row) not in useful:
            print("explains nothing:", json.dumps(row))


if __name__ == "__main__":
    main()
