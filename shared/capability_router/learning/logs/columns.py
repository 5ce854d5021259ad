"""CSV, of any usual separator, and Parquet: a line per answer, with the columns that docs/training.md names."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import Any

from capability_router.decision_log.tail import LONGEST
from capability_router.errors import ConfigError
from capability_router.json_text import parsed
from capability_router.learning.logs.json_item_reader import JsonItemReader
from capability_router.learning.logs.logged_features import texts_of
from capability_router.learning.logs.table_rows import NEEDED
from capability_router.nearest import nearest

COLUMNS = (
    "id", "prompt", "messages", "model", "score", "input_tokens", "output_tokens", "cost_usd", "tenant", "task", "tags",
    "chain", "dataset",
)  # fmt: skip
_BATCH = 1_000
_COMMA = re.compile(r"\s*\d*,\d+\s*")  # as spreadsheets of many languages write a fraction


def csv_lines(source: JsonItemReader) -> Iterator[dict[str, Any]]:
    """The lines of a CSV file as far as it goes. Raises ConfigError where a needed column is missing."""
    csv.field_size_limit(LONGEST)
    with source.open() as file:
        texts = (_text(line, source) for line in source.lines(file))
        head = next((text for text in texts if text.strip()), "")
        reader = csv.DictReader(chain((head,), texts), delimiter=_delimiter(head))
        try:
            reader.fieldnames = [_plain(name) for name in reader.fieldnames or ()]
            _check(source, reader.fieldnames)
            for line in reader:
                found = {name: line[name] for name in COLUMNS if line.get(name) or name in NEEDED}
                yield _opened(found if reader.reader.dialect.delimiter == "," else _pointed(found))
        except csv.Error:
            source.omissions.note("the rest of a file that breaks off or is damaged")


def _text(line: bytes, source: JsonItemReader) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        source.omissions.note("letters that are not UTF-8, in lines")
        return line.decode("utf-8", "replace")


def _pointed(line: dict[str, Any]) -> dict[str, Any]:
    """With a point in the fractions, where a comma can't stand between columns."""
    for name in ("score", "cost_usd"):
        value = line.get(name)
        if isinstance(value, str) and _COMMA.fullmatch(value):
            line[name] = value.replace(",", ".")
    return line


def _opened(line: dict[str, Any]) -> dict[str, Any]:
    """With the messages of a cell that holds them as JSON: a live request has neither its signs nor its keys."""
    told = line.get("messages")
    if isinstance(told, str) and told.lstrip()[:1] in ("[", "{"):
        with suppress(ValueError):  # a text that only begins so
            found = parsed(told)
            if texts_of(found):  # else the JSON is the prompt
                line["messages"] = found
    return line


def _plain(name: str) -> str:
    return name.strip().lower()


def _delimiter(head: str) -> str:
    """What the names of the columns stand between."""
    return next((d for d in ",;\t|" if set(NEEDED) <= {_plain(name.strip('" \r\n')) for name in head.split(d)}), ",")


def parquet_lines(source: JsonItemReader) -> Iterator[dict[str, Any]]:
    """The lines of a Parquet file. Raises ConfigError without pyarrow or a needed column."""
    try:
        import pyarrow  # type: ignore[import-untyped, import-not-found, unused-ignore]  # optional, without types
        import pyarrow.parquet  # type: ignore[import-untyped, import-not-found, unused-ignore]  # as above
    except ModuleNotFoundError as missing:
        raise ConfigError('Parquet needs pyarrow: pip install "capability-router[parquet]"') from missing
    with source.open() as file:
        try:  # a Parquet file is read from its end, so gzip around it is taken off first
            whole = pyarrow.parquet.ParquetFile(io.BytesIO(file.read()))
            _check(source, whole.schema_arrow.names)
            known = [name for name in COLUMNS if name in whole.schema_arrow.names]
            for batch in whole.iter_batches(_BATCH, columns=known):
                yield from map(_opened, batch.to_pylist())
        except (pyarrow.ArrowException, OSError, EOFError, UnicodeDecodeError):
            source.omissions.note("the rest of a file that breaks off or is damaged")
        source.told()


def _check(source: JsonItemReader, names: Any) -> None:
    missing = [name for name in NEEDED if name not in names]
    if names and missing:
        near = nearest(missing[0], [str(name) for name in names])
        raise ConfigError(f"{str(source.path)!r} has no column {missing[0]!r}{near}; columns: {', '.join(COLUMNS)}")
