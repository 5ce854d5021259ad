"""`capability-router import`: another router's configuration becomes a router.yaml."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capability_router.amounts import counted
from capability_router.cli import terminal
from capability_router.cli.files import FILE

if TYPE_CHECKING:
    from capability_router.migration.litellm import ImportResult


@click.group()
def imports() -> None:
    """Make a router.yaml of another router's configuration."""


@imports.command()
@click.argument("config", type=FILE)
@click.option("-o", "--output", type=FILE, help="Default: standard output.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--group", help="Only this name (a model group or an alias), as a router for nothing else.")
@click.option("--model", "models", multiple=True, help="A name that a wildcard is to stand for, once for each.")
@click.option("--strict", is_flag=True, help="Exit code 1 if anything was left out.")
@click.option("--json", "as_json", is_flag=True, help="Settings, names and notes for a program.")
def litellm(
    config: Path, output: Path | None, force: bool, group: str | None, models: tuple[str, ...], strict: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Make a router.yaml of a LiteLLM configuration.

    CONFIG is a proxy's config.yaml, or a Router's keywords (YAML or JSON). What can't be carried over is listed:
    what, why, and what to do; in the file's comments too. Secrets that stand in CONFIG in plain are not copied, and
    become environment variables.
    """
    from capability_router.errors import ConfigError
    from capability_router.migration.litellm import imported
    from capability_router.migration.page import as_json as told
    from capability_router.migration.page import page

    if output is not None and output.exists() and not force:
        raise ConfigError(f"{output} is there already; --force writes over it")
    found = imported(config, models=models, group=group)
    if output is not None:
        _write(output, page(found))
    if as_json:
        click.echo(json.dumps(told(found), indent=2))
    elif output is None:
        click.echo(page(found).encode("utf-8"), nl=False)
        click.echo(_summary(found, None), err=True)
    else:
        _show(found, output)
    if strict and any(note.kind == "left out" for note in found.notes):
        sys.exit(1)


def _write(output: Path, text: str) -> None:
    from capability_router.atomic_file import write_text_atomically
    from capability_router.errors import ConfigError

    try:
        write_text_atomically(output, text)
    except OSError as error:
        raise ConfigError(f"{output} can't be written: {error.strerror or error}") from error


def _show(found: ImportResult, output: Path) -> None:
    from capability_router.migration.page import sections, variables

    for head, told in sections(found.notes, terminal.width()):
        for line in (head, *told, ""):
            click.echo(line)
    needed = variables(found.settings)
    if needed:
        terminal.tell(f"It reads these environment variables: {', '.join(needed)}")
    terminal.tell(_summary(found, output))


def _summary(found: ImportResult, output: Path | None) -> str:
    counts = {kind: sum(note.kind == kind for note in found.notes) for kind in ("left out", "differs", "secret")}
    models = len(found.settings["models"])
    where = f"{output}: " if output else ""
    return (
        f"{where}{counted(models, 'model')} under {counted(len(found.names), 'name')}; "
        f"left out: {counts['left out']}, differ: {counts['differs']}, "
        f"{counted(counts['secret'], 'secret')} not copied"
    )
