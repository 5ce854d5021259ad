"""The command `capability-router`. Each subcommand is loaded when it is called."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from capability_router.errors import RouterError
from capability_router.nearest import nearest

try:
    import click
except ModuleNotFoundError as missing:
    raise ImportError('the command line needs click: pip install "capability-router[cli]"') from missing

COMMANDS = {
    "budgets": "capability_router.cli.budgets:budgets",
    "catalog": "capability_router.cli.catalogs.catalog:catalog",
    "check": "capability_router.cli.check:check",
    "explain": "capability_router.cli.whatif.explain:explain",
    "import": "capability_router.cli.imports:imports",
    "ledger": "capability_router.cli.ledger:ledger",
    "rehearse": "capability_router.cli.rehearse:rehearse",
    "replay": "capability_router.cli.whatif.replay:replay",
    "report": "capability_router.cli.report:report",
    "simulate": "capability_router.cli.simulate:simulate",
    "status": "capability_router.cli.status:status",
    "tail": "capability_router.cli.tail:tail",
    "train": "capability_router.cli.train:train",
}
"""Subcommand -> module:attribute of its click command."""
FULL = frozenset((errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)))
"""What a standard output says that takes no more. (A pipe that was closed early is click's own.)"""


class LazyGroup(click.Group):
    """A group that imports a subcommand at its first use; the router's errors become short messages."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, without importing anything."""
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; click itself would suggest only those that are loaded."""
        name = args[0]
        if not name.startswith("-") and not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            ctx.fail(f"No such command {name!r}{nearest(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        """Reads the options, of which `--help` and `--version` write already."""
        with _told_of_full_output():
            return super().make_context(*args, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the subcommand; a wrong setting or a missing extra is told in one line, without a traceback."""
        try:
            with _told_of_full_output():
                return super().invoke(ctx)
        except (RouterError, ImportError) as error:
            raise click.ClickException(str(error)) from error


@contextmanager
def _told_of_full_output() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in FULL or error.filename is not None:
            raise
        raise click.ClickException(f"cannot write all of the output: {error.strerror}") from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="capability-router")
def main() -> None:
    """Routes LLM calls to the cheapest model that can and will do the work."""
