"""Calls as JSON lines, CSV or Parquet, one after the other: an export needs no more memory for more calls."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import IO, Any

from capability_router.atomic_file import replaced
from capability_router.errors import ConfigError
from capability_router.money.ledger.call import ANSWERED, Call
from capability_router.nearest import nearest
from capability_router.request import Usage
from capability_router.stores.surrogates import sound

_USAGE = {f.name: f.default for f in fields(Usage) if f.name != "estimated"}
COLUMNS = (
    "at", "request_id", "attempt", "tenant", "tags", "task", "chain", "framework", "session", "model", "provider",
    "credential", "outcome", "fault", *_USAGE, "estimated", "cost_usd", "cost_pico",
)  # fmt: skip
"""Of an export, in this order."""
_ENDINGS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet", ".pq": "parquet"}
_OWNERS = 0o600
"""Of a new file, because it shows who spends how much."""
_CHUNK = 10_000  # rows of a Parquet row group
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "'")


def row_of(call: Call) -> dict[str, Any]:
    """A call by columns: `at` ISO 8601 in UTC, `cost_usd` an exact decimal text, `cost_pico` whole picodollars."""
    usage, cost = call.usage, call.cost_usd
    counts = {name: getattr(usage, name) for name in _USAGE}
    return {
        "at": datetime.fromtimestamp(call.at, UTC).isoformat(timespec="microseconds"), "request_id": call.request_id,
        "attempt": call.attempt, "tenant": call.tenant, "tags": list(call.tags), "task": call.task,
        "chain": call.chain, "framework": call.framework, "session": call.session, "model": call.model,
        "provider": call.provider, "credential": call.credential, "outcome": call.outcome,
        "fault": call.fault or ANSWERED, **counts, "estimated": usage.estimated,
        "cost_usd": None if cost is None else f"{cost:f}", "cost_pico": call.cost_pico,
    }  # fmt: skip


def export(calls: Iterable[Call], target: str | PathLike[str] | IO[Any], format: str | None) -> int:
    """Write the calls; how many. Raises ConfigError for an unknown format or a path that can't be written."""
    path = Path(target) if isinstance(target, (str, PathLike)) else None
    chosen = format or (_by_ending(path) if path is not None else "jsonl")
    if chosen not in _WRITERS:
        raise ConfigError(f"format={chosen!r} is no format of an export{nearest(chosen, _WRITERS)}")
    write, binary = _WRITERS[chosen]
    if path is None:
        return write(calls, target)
    try:
        return replaced(path, lambda file: write(calls, file), binary=binary, errors="replace", mode=_OWNERS)
    except OSError as error:
        raise ConfigError(f"cannot write {str(path)!r}: {error.strerror or error}; choose another path") from error


def _by_ending(path: Path) -> str:
    known = _ENDINGS.get(path.suffix.lower())
    if known is None:
        raise ConfigError(f"{str(path)!r} names no format; end it in .jsonl, .csv or .parquet, or give format=")
    return known


def _jsonl(calls: Iterable[Call], file: IO[str]) -> int:
    count = 0
    for count, call in enumerate(calls, 1):  # noqa: B007 - the count is what is given back
        file.write(json.dumps(row_of(call), separators=(",", ":")) + "\n")
    return count


def _csv(calls: Iterable[Call], file: IO[str]) -> int:
    out = csv.writer(file, lineterminator="\r\n")
    out.writerow(COLUMNS)
    count = 0
    for count, call in enumerate(calls, 1):  # noqa: B007 - the count is what is given back
        row = row_of(call)
        row["tags"] = json.dumps(row["tags"], separators=(",", ":"))
        out.writerow([_cell(value) for value in row.values()])
    return count


def _cell(value: object) -> object:
    """Texts come from callers: one that a spreadsheet would take for a formula gets an apostrophe before it.

    So does one with an apostrophe, so that taking one away gives every text back.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _parquet(calls: Iterable[Call], file: IO[bytes]) -> int:
    try:
        import pyarrow  # type: ignore[import-untyped, import-not-found, unused-ignore]  # optional, without types
        import pyarrow.parquet  # type: ignore[import-untyped, import-not-found, unused-ignore]  # as above
    except ModuleNotFoundError as missing:
        raise ConfigError('Parquet needs pyarrow: pip install "capability-router[parquet]"') from missing

    schema = _schema(pyarrow)
    count = 0
    with pyarrow.parquet.ParquetWriter(file, schema) as out:
        for rows in _chunks(calls):
            out.write_table(pyarrow.Table.from_pylist(rows, schema=schema))
            count += len(rows)
    return count


def _chunks(calls: Iterable[Call]) -> Iterator[list[Mapping[str, Any]]]:
    coming = iter(calls)
    while rows := [_typed(call) for call in islice(coming, _CHUNK)]:
        yield rows


def _typed(call: Call) -> Mapping[str, Any]:
    row = {name: sound(v) if isinstance(v, str) else v for name, v in row_of(call).items()}
    tags = [sound(tag) for tag in call.tags]
    return {**row, "tags": tags, "at": datetime.fromtimestamp(call.at, UTC), "cost_usd": call.cost_usd}


def _schema(pyarrow: Any) -> Any:
    """Counts and picodollars are int64, `cost_usd` is an exact decimal(38, 12), `at` microseconds in UTC."""
    special = {
        "at": pyarrow.timestamp("us", tz="UTC"), "tags": pyarrow.list_(pyarrow.string()),
        "estimated": pyarrow.bool_(), "cost_usd": pyarrow.decimal128(38, 12),
        **dict.fromkeys(("attempt", *(n for n, zero in _USAGE.items() if zero == 0), "cost_pico"), pyarrow.int64()),
    }  # fmt: skip
    return pyarrow.schema([(name, special.get(name, pyarrow.string())) for name in COLUMNS])


_WRITERS: Mapping[str, tuple[Callable[[Iterable[Call], Any], int], bool]] = {
    "jsonl": (_jsonl, False), "csv": (_csv, False), "parquet": (_parquet, True),
}  # fmt: skip
