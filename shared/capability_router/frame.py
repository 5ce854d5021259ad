"""Rows as a DataFrame, for whoever has pandas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def frame(rows: Sequence[dict[str, Any]]) -> Any:
    """A pandas.DataFrame, a row per dict. Raises ImportError, saying what to install, where pandas is missing."""
    try:
        import pandas  # type: ignore[import-untyped, import-not-found, unused-ignore]  # optional, not a dependency
    except ModuleNotFoundError as error:
        raise ImportError(f"to_pandas() needs pandas ({error}): pip install pandas") from error
    return pandas.DataFrame(rows)
