"""Rows as a DataFrame, for whoever has pandas."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any


def frame(rows: Sequence[dict[str, Any]], columns: Sequence[str] = ()) -> Any:
    """A pandas.DataFrame, a row per dict; `columns` are there without rows too.

    A Decimal, which pandas neither plots nor multiplies, becomes a float. Raises ImportError, saying what to install,
    where pandas is missing.
    """
    try:
        import pandas  # type: ignore[import-untyped, import-not-found, unused-ignore]  # optional, not a dependency
    except ModuleNotFoundError as error:
        raise ImportError(f"to_pandas() needs pandas ({error}): pip install pandas") from error
    told = [{name: float(v) if isinstance(v, Decimal) else v for name, v in row.items()} for row in rows]
    return pandas.DataFrame(told, columns=None if told else list(columns))
