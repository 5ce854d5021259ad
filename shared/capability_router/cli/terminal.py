"""Where a command's words go: a terminal of some width, with rich where it is installed, or a pipe."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

import click

from capability_router.drawing.table import Table, folded, printable, wide


def at_terminal() -> bool:
    """Whether a person looks. There may be no output at all: a shell's `>&-`, a service."""
    return sys.stdout is not None and sys.stdout.isatty()


def width() -> int | None:
    """The terminal's; of a pipe or a file COLUMNS if that is set, else None: nothing is shortened."""
    if at_terminal():
        return shutil.get_terminal_size().columns
    stated = os.environ.get("COLUMNS", "")
    return int(stated) if stated.isdigit() and int(stated) else None


def fits(table: Table) -> bool:
    """Whether all of it can be shown, each row in one line."""
    room = width()
    return room is None or max(map(wide, table.lines())) <= room


def show(table: Table) -> None:
    """Print a table, its head in bold where a person looks and rich is there."""
    head, body = table.parts(width())
    rich = _console() if at_terminal() else None
    for line in head:
        click.echo(line) if rich is None else rich.print(line, style="bold")
    for line in body:
        click.echo(line)


def tell(text: str) -> None:
    """Print a sentence, in as many lines as it needs."""
    for line in folded(printable(text), width()):
        click.echo(line)


def _console() -> Any:
    try:
        from rich.console import Console
    except ModuleNotFoundError:
        return None
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
