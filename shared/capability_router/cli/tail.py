"""`capability-router tail LOG`: decisions as they are made, a line each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from capability_router.cli import terminal
from capability_router.cli.files import FILE
from capability_router.drawing.table import folded, printable, wide

_LOOK_S = 0.25


@click.command()
@click.argument("log", type=FILE)
@click.option(
    "-n", "--lines", "last", type=click.IntRange(0), default=10, show_default=True, help="Begin with the last so many."
)
@click.option("--follow/--no-follow", default=True, show_default=True, help="Wait for more, until Ctrl-C.")
@click.option("--model", help="Only what this model answered or failed at.")
@click.option("--tenant", help="Only this tenant's.")
@click.option("--troubled", is_flag=True, help="Only requests with a failed attempt, and those that none answered.")
@click.option("--json", "as_json", is_flag=True, help="The records themselves, a line each.")
def tail(
    log: Path, last: int, follow: bool, model: str | None, tenant: str | None, troubled: bool, as_json: bool
) -> None:  # fmt: skip
    """Print decisions as they are made.

    Of each request in LOG (JSONL): who answered, at what cost, after how long, and why. Goes on with the new file
    when the log is rotated, and waits for one that is not there yet. What can't be read is counted.
    """
    from capability_router.decision_log.reading import DecisionLogReader, omissions_text

    def shown(record: Mapping[str, Any] | None) -> bool:
        return record is not None and record["kind"] == "decision" and _asked_for(record, model, tenant, troubled)

    reading = DecisionLogReader()
    lines = _lines(log, last, follow, reading.omitted, lambda line: shown(DecisionLogReader().line(line)))
    for record in filter(shown, reading.records(lines)):
        _show(record, as_json)
    if told := omissions_text(reading.omitted):
        click.echo(f"{log}: {told}", err=True)


def _lines(
    log: Path, last: int, follows: bool, omitted: Counter[str], counts: Callable[[bytes], bool]
) -> Iterator[bytes]:  # fmt: skip
    from capability_router.clock import SystemClock
    from capability_router.decision_log.lines import GZIP
    from capability_router.decision_log.reading import unreadable
    from capability_router.decision_log.tail import follow
    from capability_router.errors import ConfigError

    def wait() -> bool:
        if follows:
            SystemClock().sleep(_LOOK_S)
        return follows

    try:
        if follows and not log.exists() and log.absolute().parent.is_dir():
            click.echo(f"{log} is not there yet; waiting for it", err=True)
            while not log.exists():
                wait()
        with log.open("rb") as file:
            packed = file.read(len(GZIP)) == GZIP
        if packed:
            raise ConfigError(f"{str(log)!r} is compressed, so nothing comes to its end; `report` reads it")
        yield from follow(log, last, wait, omitted, counts)
    except OSError as error:
        raise unreadable(log, error.strerror or str(error)) from error
    except KeyboardInterrupt:
        return


def _asked_for(record: Mapping[str, Any], model: str | None, tenant: str | None, troubled: bool) -> bool:
    attempts = record["attempts"]
    if model is not None and model not in {record.get("model"), *(attempt["model"] for attempt in attempts)}:
        return False
    if tenant is not None and record.get("tenant") != tenant:
        return False
    return not troubled or record.get("model") is None or any(attempt.get("fault") for attempt in attempts)


def _show(record: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        text = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
        click.echo(text.encode("utf-8", "replace"))  # a name may hold half of a character
        return
    line, room = printable(_told(record)), terminal.width()
    click.echo(line if room is None or wide(line) <= room else next(iter(folded(line, room - 1))) + "…")


def _told(record: Mapping[str, Any]) -> str:
    """One line of columns that stay where they are from request to request."""
    from capability_router.amounts import money, seconds, stamp

    cost, took = record.get("cost_pico"), record["elapsed_s"]
    when = stamp(record["at"])[11:19]
    whose = " ".join(str(record[name]) for name in ("tenant", "task") if record.get(name))
    paid = money(cost) if isinstance(cost, int) and cost >= 0 else "?"
    return (
        f"{when}  {record.get('model') or 'nobody'!s:<28} {paid:>11} {seconds(took):>8}  "
        f"{whose + ': ' if whose else ''}{_why(record)}"
    )


def _why(record: Mapping[str, Any]) -> str:
    """The faults on the way, else why no model could take it, else why this model."""
    faults = [f"{attempt['model']} {attempt['fault']}" for attempt in record["attempts"] if attempt.get("fault")]
    if faults:
        return f"after {', '.join(faults)}" if record.get("model") else ", ".join(faults)
    plan = record.get("plan")
    refusals = plan.get("refusals") if isinstance(plan, Mapping) and not record.get("model") else None
    if isinstance(refusals, list) and refusals:
        told = (f"{each.get('model')} {each.get('rule')}" for each in refusals if isinstance(each, Mapping))
        return f"not eligible: {', '.join(told)}"
    return str(record.get("reason") or "")
