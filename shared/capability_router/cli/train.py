"""`capability-router train LOG... -o state.json`: what logs teach of models, and whether it pays to route by it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from capability_router.cli.files import FILE, LogFile, spare
from capability_router.cli.progress import progress
from capability_router.errors import ConfigError

if TYPE_CHECKING:
    from capability_router.cli.train_view import SavedState, TrainingResult
    from capability_router.learning.logs.scored_request import ScoredRequest
    from capability_router.learning.logs.training_log import TrainingLog

NO_ROUTING = 3
"""Exit status where the logs don't support routing."""
_STRAY, _STRAY_SHARE = 2, 0.01  # scores outside of the scale, without which means move by a hundredth at most
_OWNERS = 0o600  # a state holds hashed words
_IS_STATE, _IS_SVG = b'"state": "capability-router quality"', b"<svg"


@click.command()
@click.argument("logs", nargs=-1, required=True, type=LogFile(exists=True))
@click.option("-o", "--output", type=FILE, help="The state to write, for `policy: {state: ...}`; left out: only look.")
@click.option("--plot", type=FILE, help="Also draw cost and quality into this SVG file.")
@click.option("--key", help="The LangSmith feedback that counts, if the runs have several kinds.")
@click.option("--folds", type=click.IntRange(2, 20), default=5, show_default=True, help="Parts of a cross-validation.")
@click.option(
    "--sample",
    type=click.IntRange(1_000, 100_000),
    default=30_000,
    show_default=True,
    help="Use at most so many scored requests; of more, a sample is drawn by their ids.",
)
@click.option("--each", is_flag=True, help="Learn from each group of rows by itself; the states are STATE.GROUP.json.")
@click.option("--anyway", is_flag=True, help="Write the state even if the logs don't support routing.")
@click.option(
    "--embedder",
    metavar="MODULE:OBJECT",
    help="A LangChain or LlamaIndex embedding, or a function from texts to vectors.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def train(
    logs: tuple[Path, ...], output: Path | None, plot: Path | None, key: str | None, folds: int, sample: int,
    each: bool, anyway: bool, embedder: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Learn from logs which model is good enough for which request.

    Tells whether routing by it pays. A log is a decision log with feedback, a LangSmith export (runs and feedback),
    a table of outcomes as JSONL, CSV, TSV or Parquet; gzip or not. Exit status: 0 = routing pays and the state is
    written, 3 = it does not ("use X always"), 1 = an error.
    """
    spare(output, _IS_STATE, "no learned state")
    spare(plot, _IS_SVG, "no SVG file")
    if plot is not None and output is not None and os.path.realpath(plot) == os.path.realpath(output):
        raise ConfigError(f"-o and --plot are both {str(plot)!r}: the drawing would take the place of the state")
    try:
        import numpy  # noqa: F401 - told before the logs are read
    except ModuleNotFoundError as missing:
        raise ConfigError('train needs numpy: pip install "capability-router[learn]"') from missing
    from capability_router.cli import train_view

    log = _read(logs, key, embedder, sample)
    lots = _lots(log.rows, output, each)
    for lot in lots:
        spare(lot.output, _IS_STATE, "no learned state")
    findings = [(lot, _compared(lot.rows, folds)) for lot in lots]
    states = [_kept(lot.output, lot.rows, log, found, anyway) for lot, found in findings if lot.output is not None]
    every = [finding for _, found in findings for finding in found]
    if plot is not None:
        _draw(plot, every)
    train_view.tell(log, every, states, together=len(every) > len(lots), as_json=as_json)
    click.get_current_context().exit(0 if any(finding.verdict.routes for finding in every) else NO_ROUTING)


def _draw(plot: Path, found: list[TrainingResult]) -> None:
    from capability_router.cli import train_view

    if drawing := train_view.drawn(found):
        _write(plot, drawing)
    else:
        from capability_router.learning.comparison.recommendation import without_costs

        whys = (without_costs(finding.panel) for finding in found if finding.contest is not None)
        why = next(filter(None, whys), "no group has two models with enough outcomes and costs")
        click.echo(f"{plot} is not drawn: {why}", err=True)


class _TrainingSet(NamedTuple):
    """Rows that are learned from together, and where to write what they teach."""

    rows: list[ScoredRequest]
    output: Path | None


def _lots(rows: list[ScoredRequest], output: Path | None, each: bool) -> list[_TrainingSet]:
    groups = list(dict.fromkeys(row.group for row in rows))
    if not each or len(groups) < 2:
        return [_TrainingSet(rows, output)]
    names = [re.sub(r"[^A-Za-z0-9_-]+", "-", group) or "rest" for group in groups]
    if output is not None and len(set(names)) < len(names):
        raise ConfigError("two groups would be written to one file: train on their logs one after the other")
    return [
        _TrainingSet(
            [row for row in rows if row.group == group], output and output.with_suffix(f".{name}{output.suffix}")
        )
        for group, name in zip(groups, names, strict=True)
    ]


def _kept(
    output: Path, rows: list[ScoredRequest], log: TrainingLog, found: list[TrainingResult], anyway: bool
) -> SavedState:
    from capability_router.cli.train_view import SavedState

    writes = bool(rows) and (anyway or any(finding.verdict.routes for finding in found))
    if writes:
        _write(output, _state(rows, log), _OWNERS)
    return SavedState(output, len(rows), writes)


def _read(logs: tuple[Path, ...], key: str | None, embedder: str | None, sample: int) -> TrainingLog:
    from capability_router.decision_log.file_order import files_of, size_of
    from capability_router.learning.embedder import embedder_of
    from capability_router.learning.logs.training_log import read

    if embedder is not None and "" not in sys.path:
        sys.path.insert(0, "")  # a module of the working directory, as `python -m` would find it
    named = None if embedder is None else embedder_of(embedder)
    files = files_of(logs)
    with progress(size_of(files), "reading   ") as tick:
        log = read(files, key=key, tick=tick, embedder=named, most=sample)
    _check_scale(log)
    return log


def _check_scale(log: TrainingLog) -> None:
    """What is left of another scale, such as the +1 of thumbs up and down, would say something else than all of it."""
    from capability_router.learning.logs.values import NO_SCORE, OUTSIDE, SCALES

    outside, texts = (dict(log.omissions).get(reason, 0) for reason in (OUTSIDE, NO_SCORE))
    kept = sum(len(row.answers) for row in log.rows) * (1 + log.beyond / max(len(log.rows), 1))
    stray = min(kept, max(_STRAY, _STRAY_SHARE * (kept + outside)))
    for wrong, most, what in ((outside, stray, "are outside 0 to 1"), (texts, kept, "are no numbers")):
        if wrong > most:
            raise ConfigError(
                f"{wrong:,} scores in the logs {what}, {kept:,.0f} are from 0 to 1: nothing is learned from these "
                f"alone. {SCALES}"
            )


def _compared(rows: list[ScoredRequest], folds: int) -> list[TrainingResult]:
    """A finding per group of the rows."""
    from capability_router.cli.train_view import TrainingResult
    from capability_router.learning.comparison.held_out import STUDYING, foresight
    from capability_router.learning.comparison.panel import panels
    from capability_router.learning.comparison.recommendation import small_panel_recommendation, verdict
    from capability_router.learning.comparison.router_comparison import DRAWS, contest

    settled = [(panel, small_panel_recommendation(panel)) for panel in panels(rows)]
    found = [TrainingResult(panel, None, told) for panel, told in settled if told is not None]
    unsettled = [panel for panel, told in settled if told is None]
    if unsettled:
        asked, drawing = sum(len(panel.rows) for panel in unsettled), DRAWS * len(unsettled)
        with progress(folds * STUDYING + (folds - 1) * len(rows) + asked, "validating") as tick:
            foreseen = foresight(unsettled, rows, folds, tick)
        with progress(drawing, "comparing ") as tick:
            contests = [contest(panel, seen, tick=tick) for panel, seen in zip(unsettled, foreseen, strict=True)]
        found = [*(TrainingResult(each.panel, each, verdict(each)) for each in contests), *found]
    return found


def _state(rows: list[ScoredRequest], log: TrainingLog) -> str:
    from capability_router.learning.comparison.held_out import STUDYING, trained_model
    from capability_router.learning.quality.state import dumped

    with progress(len(rows) + STUDYING, "learning  ") as tick:
        quality = trained_model(rows, log.origin, tick)
        quality.signs = log.signs
        text = dumped(quality)
        tick(STUDYING)
    return text


def _write(path: Path, text: str, mode: int = 0o666) -> None:
    from capability_router.atomic_file import write_text_atomically

    try:
        write_text_atomically(path, text, mode)
    except OSError as error:
        raise ConfigError(f"cannot write {str(path)!r}: {error.strerror or error}; choose another path") from error
