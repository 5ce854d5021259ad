"""Files that a command is given by name, and "-" for what comes through a pipe."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from capability_router.errors import ConfigError

FILE = click.Path(dir_okay=False, path_type=Path)
ROUTER_YAML = Path("router.yaml")
"""The configuration of commands that are given none."""
STANDARD_INPUT = Path("/dev/stdin")
STANDARD_OUTPUT = Path("-")


IS_PAGE = b"<!DOCTYPE html>"
"""What a page begins with."""


def spare(path: Path | None, mark: bytes, what: str) -> None:
    """A file that is something else is not written over, and what can't be written is told before the work begins.

    `mark` stands near the beginning of a file that may be replaced, `what` says what one without it is: "no page".
    None and "-" are no file. Raises ConfigError.
    """
    if path is None or path == STANDARD_OUTPUT:
        return
    if not path.parent.is_dir():
        raise ConfigError(f"cannot write {str(path)!r}: there is no folder {str(path.parent)!r}; choose another -o")
    if path.is_file():  # a pipe or a device holds no earlier work
        try:
            with path.open("rb") as file:
                head = file.read(200)
        except OSError as error:
            raise ConfigError(f"cannot read {str(path)!r}, which is there: {error.strerror or error}") from error
        if head and mark not in head:
            raise ConfigError(f"{str(path)!r} is {what} and is left as it is; choose another path, or remove it")


def write_page(output: Path, page: str) -> bool:
    """Write the page to its file, or to standard output (False: nothing is to be printed beside it).

    Raises ConfigError where it can't be written.
    """
    from capability_router.atomic_file import write_text_atomically

    if output == STANDARD_OUTPUT:
        click.echo(page.encode("utf-8"), nl=False)
        return False
    try:
        write_text_atomically(output, page)
    except OSError as error:
        raise ConfigError(f"cannot write {str(output)!r}: {error.strerror or error}; choose another -o") from error
    return True


def takes_config(command: Callable[..., None]) -> Callable[..., None]:
    """A configuration by either spelling, CONFIG or --config; `config` is None where the command is given none."""

    @click.argument("config", required=False, type=FILE)
    @click.option("--config", "named", type=FILE, help="The same as CONFIG; ./router.yaml if left out.")
    @wraps(command)
    def either(config: Path | None, named: Path | None, **options: Any) -> None:
        if config and named and config != named:
            raise click.UsageError(f"CONFIG is {str(config)!r} and --config is {str(named)!r}; give one of them")
        command(config=config or named, **options)

    return either


class LogFile(click.Path):
    """A log to be read once, from its beginning to its end; "-" is standard input."""

    def __init__(self, *, exists: bool = False) -> None:
        super().__init__(exists=exists, dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        return STANDARD_INPUT if str(value) == "-" else super().convert(value, param, ctx)
