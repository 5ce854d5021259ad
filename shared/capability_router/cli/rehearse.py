"""`capability-router rehearse router.yaml --faults outage:openai@30s+60s`: a game day before production has it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from capability_router.cli import terminal
from capability_router.cli.files import FILE, IS_PAGE, ROUTER_YAML, STANDARD_OUTPUT, spare, takes_config, write_page
from capability_router.cli.progress import progress

if TYPE_CHECKING:
    from capability_router.rehearsal.rehearsal import Rehearsal, RehearsalOptions
    from capability_router.rehearsal.script.fault_line import FaultLine

_LONG, _LARGE = 2_000, 1 << 24  # requests, and bytes of a log, from which on a bar is shown
_SHARE = click.FloatRange(0, 1)


def _listed(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """`--list`: what can go wrong, the presets and the metrics."""
    if not wanted or ctx.resilient_parsing:
        return
    from capability_router.drawing.table import Table
    from capability_router.rehearsal.expectation import METRICS
    from capability_router.rehearsal.script.kinds import KINDS
    from capability_router.rehearsal.script.presets import PRESETS

    kinds = [(f"{name}={kind.value.upper()}" if kind.value else name, kind.words) for name, kind in KINDS.items()]
    presets = [(name, preset.words) for name, preset in PRESETS.items()]
    metrics = [(name, metric.words) for name, metric in METRICS.items()]
    for head, rows in (("--faults", kinds), ("--preset", presets), ("--expect", metrics)):
        terminal.show(Table(head, "", rows=rows, fold=(1,)))
        click.echo()
    terminal.tell(
        "A fault is KIND[:TARGET][@START][+DURATION][,share=0.5]; TARGET is a provider, a model, key:NAME or tag:NAME."
    )
    terminal.tell("A preset is aimed at the model that most of the traffic goes to, unless NAME:TARGET says otherwise.")
    ctx.exit()


@click.command()
@takes_config
@click.option("--faults", "-f", multiple=True, metavar="LINE", help="Such as outage:openai@30s+60s; several times.")
@click.option("--faults-file", "scripts", multiple=True, type=FILE, help="A file of them, one a line.")
@click.option("--preset", "presets", multiple=True, metavar="NAME[:TARGET]", help="A usual game day; see --list.")
@click.option(
    "--list", is_flag=True, is_eager=True, expose_value=False, callback=_listed, help="All faults, presets, metrics."
)
@click.option("--traffic", "log", type=FILE, help="A decision log: its requests, sizes and times.")
@click.option("--speed", type=float, default=1.0, help="With --traffic: play it so many times as fast.")
@click.option("--seconds", type=float, help="How long; of a log its busiest stretch.")
@click.option("--rate", type=float, help="Made-up requests a second; 5 if left out.")
@click.option("--input-tokens", type=int, help="Their usual size; 800 if left out.")
@click.option("--output-tokens", type=int, help="Of their answers; 220 if left out.")
@click.option("--max-tokens", type=int, help="The limit that each asks for.")
@click.option("--streams", type=_SHARE, help="Share that is streamed; 0.5 if left out.")
@click.option("--tools", type=_SHARE, help="Share with tools; 0.2 if any model has them.")
@click.option("--structured", type=_SHARE, help="Share whose answer must fit a schema; 0.1 if any model can.")
@click.option("--vision", type=_SHARE, help="Share with an image; 0 if left out.")
@click.option("--tenants", metavar="N|NAMES", help="How many, or who: acme,umbrella:2.")
@click.option("--latency", "latencies", multiple=True, metavar="MODEL=TTFT,TPS", help="Seconds and tokens a second.")
@click.option("--alone", help="What the router is compared with; the first model if left out.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option("--expect", default="", metavar="TERMS", help="Such as success>=99.5%,p95<=3s; exit code 1 if missed.")
@click.option("--no-advice", is_flag=True, help="Do not look for what would help.")
@click.option(
    "-o", "--output", type=FILE, help='Also write an HTML page here; "-" is standard output, then of nothing else.'
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rehearse(config: Path | None, as_json: bool, output: Path | None, **stated: Any) -> None:
    """Rehearse a configuration under scripted faults.

    Models are simulated and time is virtual: who answers, and what fails. Nothing is sent and no key is needed;
    store, ledger and log of the configuration are not touched. Exit code 1 if --expect is missed, 2 if it can't be
    rehearsed.
    """
    from capability_router.errors import ConfigError
    from capability_router.rehearsal import rehearsal as day

    try:
        spare(output, IS_PAGE, "no page")
        asked = _asked(**stated)
        with _ProgressBars() as bars:
            found = day.rehearse(config or ROUTER_YAML, asked, bars.of("rehearsing", _LONG), bars.of("reading", _LARGE))
        if output is not None:
            _write(found, output)
    except ConfigError as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(2) from error
    if output != STANDARD_OUTPUT:
        _show(found, as_json)
    raise SystemExit(0 if found.ok else 1)


def _asked(
    log: Path | None, faults: tuple[str, ...], scripts: tuple[Path, ...], presets: tuple[str, ...], speed: float,
    seconds: float | None, latencies: tuple[str, ...], alone: str | None, seed: int, expect: str, no_advice: bool,
    **made_up: Any,
) -> RehearsalOptions:  # fmt: skip
    from capability_router.errors import ConfigError
    from capability_router.rehearsal.rehearsal import RehearsalOptions
    from capability_router.rehearsal.script.fault_line import read_lines
    from capability_router.rehearsal.traffic.synthetic import SyntheticTraffic, parse_tenants

    stated = {name: value for name, value in made_up.items() if value is not None}
    if log is not None and stated:
        raise ConfigError(
            f"--{next(iter(stated)).replace('_', '-')} makes traffic up, --traffic takes a log's; give one"
        )
    if log is None and speed != 1.0:
        raise ConfigError("--speed goes with --traffic; made-up traffic has a --rate")
    if "tenants" in stated:
        stated["tenants"] = parse_tenants(stated["tenants"])
    lines: list[str | FaultLine] = [*faults, *(line for path in scripts for line in read_lines(path))]
    traffic = log or SyntheticTraffic(**stated)
    return RehearsalOptions(
        lines, presets, traffic, seconds, speed, seed, dict(map(_latency, latencies)), alone, expect, not no_advice
    )


def _latency(written: str) -> tuple[str, tuple[float, float]]:
    """'mini=0.4,90' -> ('mini', (0.4, 90.0))."""
    from capability_router.errors import ConfigError

    model, _, pace = written.rpartition("=")
    try:
        wait, speed = (float(number) for number in pace.split(","))
    except ValueError:
        wait, speed = -1.0, 0.0
    if not (model and 0 <= wait < 1e6 and 0 < speed < 1e6):
        raise ConfigError(f"--latency: cannot read {written!r}; write MODEL=TTFT,TPS, such as mini=0.4,90")
    return model, (wait, speed)


class _ProgressBars:
    """One after the other, each once it is known that it takes long."""

    def __init__(self) -> None:
        self._shown, self._stack = "", ExitStack()
        self._told: Callable[[int], None] = _nothing

    def __enter__(self) -> _ProgressBars:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def of(self, label: str, long: int) -> Callable[[int, int], None]:
        """What is told how much more is done, and of how much; from `long` on there is a bar."""

        def done(count: int, of: int) -> None:
            if self._shown != label:
                self._stack.close()
                bar = progress(of, label) if of >= long else nullcontext(_nothing)
                self._shown, self._told = label, self._stack.enter_context(bar)
            self._told(count)

        return done


def _nothing(_: int) -> None:
    """No bar."""


def _write(found: Rehearsal, output: Path) -> None:
    from capability_router.rehearsal.views.page import page

    if write_page(output, page(found)):
        click.echo(f"{output}: {len(found.traffic.shapes)} requests", err=True)


def _show(found: Rehearsal, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
        return
    from capability_router.rehearsal.views.text import lines

    for line in lines(found, terminal.width()):
        click.echo(line)
