"""`capability-router report LOG... -o report.html`: decision logs as a page to read, or their trials compared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from capability_router.cli.files import FILE, IS_PAGE, LogFile, spare, write_page

if TYPE_CHECKING:
    from capability_router.decision_log.reading import DecisionLogReader
    from capability_router.report.data import ReportData


@click.command()
@click.argument("logs", metavar="LOG...", nargs=-1, required=True, type=LogFile())
@click.option(
    "-o", "--output", type=FILE, default=Path("report.html"), show_default=True, help='"-" is standard output.'
)
@click.option("--title", default="Routing report", show_default=True)
@click.option(
    "--against", "others", multiple=True, type=FILE,
    help="A further log to compare the totals with; may be given several times.",
)  # fmt: skip
@click.option(
    "--strongest", metavar="MODEL", help="Tell savings against this model, not the one of the best predicted quality."
)
@click.option(
    "--trials", is_flag=True, help="Print how the canary and the shadow in LOG compare, with intervals; no page."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures, or the trials, as JSON; no page.")
def report(
    logs: tuple[Path, ...], output: Path, title: str, others: tuple[Path, ...], strongest: str | None, trials: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Write the decisions of a log as an HTML page.

    A LOG is JSONL, also compressed with gzip. The page needs no other file and shows cost over time, savings,
    latency, success, breakers, cost against quality, which model suits which task, refusals. Several files count as
    one log; those that rotation has made of it are read with it. "-" is standard input.
    """
    if trials:
        omitted = _compare(logs, as_json)
    elif as_json:
        omitted = _figures(logs, strongest)
    else:
        omitted = _write(logs, output, title, others, strongest)
    _tell_omitted(", ".join(map(str, logs)), omitted)


def _tell_omitted(name: str, omitted: Counter[str]) -> None:
    from capability_router.decision_log.reading import omissions_text

    if told := omissions_text(omitted):
        click.echo(f"{name}: {told}", err=True)


def _records(logs: Sequence[Path], reading: DecisionLogReader) -> Iterator[dict[str, Any]]:
    """Of all files, the oldest first, with a bar where a person looks."""
    from capability_router.cli.progress import progress
    from capability_router.decision_log.file_order import files_of, size_of

    files = files_of(logs)
    with progress(size_of(files), "reading") as advanced:
        yield from reading.files(files, advanced)


def _gathered(logs: Sequence[Path], strongest: str | None = None) -> ReportData:
    """ConfigError where nothing is known of the model that savings shall be told against."""
    from capability_router.decision_log.reading import DecisionLogReader
    from capability_router.errors import ConfigError
    from capability_router.nearest import nearest
    from capability_router.report.data import ReportData

    reading = DecisionLogReader()
    traffic = ReportData(reading.omitted)
    for record in _records(logs, reading):
        traffic.take(record)
    known = traffic.sorted().alone.models
    if strongest is not None and strongest not in known:
        raise ConfigError(f"--strongest: no plan in the log has {strongest!r}{nearest(strongest, known)}")
    return traffic


def _figures(logs: Sequence[Path], strongest: str | None) -> Counter[str]:
    from capability_router.report.summary import summary

    traffic = _gathered(logs, strongest)
    click.echo(json.dumps(summary(traffic, strongest), indent=2))
    return traffic.omitted


def _write(
    logs: Sequence[Path], output: Path, title: str, others: Sequence[Path], strongest: str | None
) -> Counter[str]:  # fmt: skip
    from capability_router.errors import ConfigError
    from capability_router.report.figures import total
    from capability_router.report.page import page_of

    if output.exists() and any(log.exists() and log.samefile(output) for log in (*logs, *others)):
        raise ConfigError(f"-o {str(output)!r} is one of the logs, which the page would take the place of")
    spare(output, IS_PAGE, "no page")
    traffic = _gathered(logs, strongest)
    against = {name: total(_gathered([other]).requests) for name, other in _named(others)}
    if write_page(output, page_of(traffic, title=title, against=against, strongest=strongest)):
        click.echo(f"{output}: {len(traffic.requests):,} requests")
    return traffic.omitted


def _named(logs: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Each under a name of its own: behind one that is taken stands the folder, else a number."""
    taken = {"this log"}
    for log in logs:
        marks = chain((log.absolute().parent.name,), count(2))
        names = chain((log.stem,), (f"{log.stem} ({mark})" for mark in marks))
        name = next(name for name in names if name not in taken)
        taken.add(name)
        yield name, log


def _compare(logs: Sequence[Path], as_json: bool) -> Counter[str]:
    from capability_router.cli import terminal
    from capability_router.decision_log.reading import DecisionLogReader
    from capability_router.report.trial_records import TrialRecords
    from capability_router.report.trials import compared

    reading = DecisionLogReader()
    kept = TrialRecords(reading.omitted)
    for record in _records(logs, reading):
        kept.take(record)
    found = compared(kept.log())
    if as_json:
        click.echo(json.dumps([each.to_dict() for each in found], indent=2))
        return reading.omitted
    if not found:
        terminal.tell(
            "No request in this log had a canary or a shadow: router.yaml sets them as `canary:` and `shadow:`."
        )
    for each in found:
        terminal.tell(f"{each.kind} {each.other} beside {each.now} ({each.method})")
        for told in each.told:
            terminal.tell(told)
        if each.lines:
            terminal.show(each.table())
    return reading.omitted
