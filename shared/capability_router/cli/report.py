"""`capability-router report LOG -o report.html`: a decision log as a page to read, or its trials compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from capability_router.telemetry.decision_log import DecisionLog

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("log", type=_FILE)
@click.option("-o", "--output", type=_FILE, default=Path("report.html"), show_default=True)
@click.option("--title", default="Routing report", show_default=True)
@click.option(
    "--against", "others", multiple=True, type=_FILE,
    help="A further log to compare the totals with; may be given several times.",
)  # fmt: skip
@click.option(
    "--trials", is_flag=True, help="Print how the canary and the shadow in LOG compare, with intervals; no page."
)
@click.option("--json", "as_json", is_flag=True, help="With --trials: as JSON.")
def report(log: Path, output: Path, title: str, others: tuple[Path, ...], trials: bool, as_json: bool) -> None:
    """Write the decisions in LOG (JSONL) as one self-contained HTML page: cost, latency, attempts, totals."""
    from capability_router.telemetry.decision_log import read_log

    if as_json and not trials:
        raise click.UsageError("--json goes with --trials; the page is HTML")
    read = read_log(log)
    if trials:
        _compare(read, as_json)
    else:
        _write(read, output, title, others)
    if read.unreadable:
        click.echo(f"{log}: {read.unreadable} lines could not be read and were left out", err=True)


def _write(read: DecisionLog, output: Path, title: str, others: tuple[Path, ...]) -> None:
    from capability_router.errors import ConfigError
    from capability_router.telemetry.decision_log import read_log
    from capability_router.telemetry.page import page

    against = {other.stem: read_log(other).decisions for other in others}
    text = page(read.decisions, title=title, against=against)
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {str(output)!r}: {error.strerror or error}; choose another -o") from error
    click.echo(f"{output}: {len(read.decisions)} requests")


def _compare(read: DecisionLog, as_json: bool) -> None:
    from capability_router.cli import screen
    from capability_router.telemetry.comparison import compared

    found = compared(read)
    if as_json:
        click.echo(json.dumps([each.to_dict() for each in found], indent=2))
        return
    if not found:
        screen.tell(
            "No request in this log had a canary or a shadow: router.yaml sets them as `canary:` and `shadow:`."
        )
    for each in found:
        screen.tell(f"{each.kind} {each.other} beside {each.now} ({each.method})")
        for told in each.told:
            screen.tell(told)
        if each.lines:
            screen.show(each.table())
