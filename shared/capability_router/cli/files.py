"""Files that a command is given by name, and "-" for what comes through a pipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

FILE = click.Path(dir_okay=False, path_type=Path)
STANDARD_INPUT = Path("/dev/stdin")
STANDARD_OUTPUT = Path("-")


class LogFile(click.Path):
    """A log to be read once, from its beginning to its end; "-" is standard input."""

    def __init__(self, *, exists: bool = False) -> None:
        super().__init__(exists=exists, dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        return STANDARD_INPUT if str(value) == "-" else super().convert(value, param, ctx)
