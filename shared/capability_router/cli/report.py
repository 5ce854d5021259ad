"""`capability-router report LOG -o report.html`: a decision log as a page to read."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("log", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("report.html"), show_default=True
)
@click.option("--title", default="Routing report", show_default=True)
@click.option(
    "--against", "others", multiple=True, type=click.Path(dir_okay=False, path_type=Path),
    help="A further log to compare the totals with; may be given several times.",
)  # fmt: skip
def report(log: Path, output: Path, title: str, others: tuple[Path, ...]) -> None:
    """Write the decisions in LOG (JSONL) as one self-contained HTML page: cost, latency, attempts, totals."""
    from capability_router.errors import ConfigError
    from capability_router.telemetry.decision_log import read_log
    from capability_router.telemetry.page import page

    read = read_log(log)
    against = {other.stem: read_log(other).decisions for other in others}
    text = page(read.decisions, title=title, against=against)
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {str(output)!r}: {error.strerror or error}; choose another -o") from error
    click.echo(f"{output}: {len(read.decisions)} requests")
    if read.unreadable:
        click.echo(f"{log}: {read.unreadable} lines could not be read and were left out", err=True)
