"""`capability-router train LOG... -o state.json`: what logs teach of models, and whether it pays to route by it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capability_router.cli.progress import progress
from capability_router.errors import ConfigError

if TYPE_CHECKING:
    from capability_router.cli.train_view import Finding
    from capability_router.learning.logs.reading import Log
    from capability_router.learning.logs.row import Row

NO_ROUTING = 3
"""Exit status where the logs don't support routing."""
_FILE = click.Path(dir_okay=False, path_type=Path)
_IS_STATE, _IS_SVG = b'"state": "capability-router quality"', b"<svg"


@click.command()
@click.argument("logs", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=_FILE, help="The state to write, for `policy: {state: ...}`; left out: only look.")
@click.option("--plot", type=_FILE, help="Also draw cost and quality into this SVG file.")
@click.option("--key", help="The LangSmith feedback that counts, if the runs have several kinds.")
@click.option(
    "--folds", type=click.IntRange(2, 20), default=5, show_default=True, help="Parts of the cross-validation."
)
@click.option("--anyway", is_flag=True, help="Write the state even if the logs don't support routing.")
@click.option("--json", "as_json", is_flag=True, help="For a program.")
def train(
    logs: tuple[Path, ...], output: Path | None, plot: Path | None, key: str | None, folds: int, anyway: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Learn from LOGS which model is good enough for which request, and tell whether routing by it pays.

    A log is a decision log with feedback, a LangSmith export (runs and feedback), a table of outcomes as JSONL, CSV or
    Parquet; gzip or not. Exit status: 0 = routing pays and the state is written, 3 = it does not ("use X always"),
    1 = an error.
    """
    _check(output, _IS_STATE, "no learned state")
    _check(plot, _IS_SVG, "no SVG file")
    try:
        import numpy  # noqa: F401 - told before the logs are read
    except ModuleNotFoundError as missing:
        raise ConfigError('train needs numpy: pip install "capability-router[learn]"') from missing
    from capability_router.cli import train_view

    log = _read(logs, key)
    found = _compared(log, folds)
    routes = any(each.verdict.routes for each in found)
    written = output if output is not None and log.rows and (routes or anyway) else None
    if written is not None:
        _write(written, _state(log.rows))
    if plot is not None:
        _write(plot, train_view.drawn(found))
    train_view.tell(log, found, output, written, as_json)
    click.get_current_context().exit(0 if routes else NO_ROUTING)


def _check(path: Path | None, mark: bytes, what: str) -> None:
    """A file that is something else is not written over, and what can't be written is told before the work begins."""
    if path is None:
        return
    if not path.parent.is_dir():
        raise ConfigError(f"cannot write {str(path)!r}: there is no folder {str(path.parent)!r}")
    if path.exists():
        with path.open("rb") as file:
            head = file.read(200)
        if head and mark not in head:
            raise ConfigError(f"{str(path)!r} is {what} and is left as it is; choose another path, or remove it")


def _read(logs: tuple[Path, ...], key: str | None) -> Log:
    from capability_router.learning.logs.reading import read

    with progress(sum(path.stat().st_size for path in logs), "reading   ") as tick:
        return read(logs, key=key, tick=tick)


def _compared(log: Log, folds: int) -> list[Finding]:
    """A finding per group of the log's rows."""
    from capability_router.cli.train_view import Finding
    from capability_router.learning.comparison.contest import contest
    from capability_router.learning.comparison.foresight import STUDYING, foresight
    from capability_router.learning.comparison.panel import panels
    from capability_router.learning.comparison.verdict import verdict, without_contest

    settled = [(panel, without_contest(panel)) for panel in panels(log.rows)]
    found = [Finding(panel, None, told) for panel, told in settled if told is not None]
    unsettled = [panel for panel, told in settled if told is None]
    if unsettled:
        with progress(folds * STUDYING + sum(len(panel.rows) for panel in unsettled), "validating") as tick:
            foreseen = foresight(unsettled, log.rows, folds, tick)
        contests = [contest(panel, seen) for panel, seen in zip(unsettled, foreseen, strict=True)]
        found = [*(Finding(each.panel, each, verdict(each)) for each in contests), *found]
    return found


def _state(rows: list[Row]) -> str:
    from capability_router.learning.comparison.foresight import studied
    from capability_router.learning.quality.state import dumped

    with progress(1, "learning  ") as tick:
        text = dumped(studied(rows))
        tick(1)
    return text


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ConfigError(f"cannot write {str(path)!r}: {error.strerror or error}; choose another path") from error
