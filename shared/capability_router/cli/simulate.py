"""`capability-router simulate`: a fleet of simulated providers until Ctrl-C."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capability_router.cli.files import FILE, spare

if TYPE_CHECKING:
    from capability_router.simulator.fleet import Fleet

_IS_OURS = b"# The models of `capability-router simulate`"


@click.command()
@click.option("--config", type=click.Path(dir_okay=False), help="The fleet as YAML; built-in providers if left out.")
@click.option("--port-base", type=int, help="Port of the first provider; the others follow. Free ports if left out.")
@click.option("--time-scale", type=float, help="Multiplies all latencies; 0 answers at once.")
@click.option("--seed", type=int, help="Decides latencies and which answers are right.")
@click.option("--fault", "faults", multiple=True, help="Such as outage:cedar@30s+60s; may be given several times.")
@click.option("--write", type=FILE, help="Also write the router.yaml here.")
def simulate(
    config: str | None,
    port_base: int | None,
    time_scale: float | None,
    seed: int | None,
    faults: tuple[str, ...],
    write: Path | None,
) -> None:
    """Run simulated providers on 127.0.0.1; print a router.yaml."""
    from capability_router.simulator import Fleet

    spare(write, _IS_OURS, "not of this command")
    fleet = Fleet.from_config(config, port_base=port_base, time_scale=time_scale, seed=seed)
    for fault in faults:
        fleet.script.start(fault)
    over = _until_signal()
    try:
        fleet.start()
    except OSError as error:
        raise click.ClickException(f"cannot open the ports: {error.strerror}; choose another --port-base") from error
    with fleet:
        _tell(fleet, write)
        over.wait()
    click.echo(f"\nstopped after {len(fleet.log())} requests", err=True)


def _until_signal() -> threading.Event:
    """An event that is set by Ctrl-C or a polite kill."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    return over


def _tell(fleet: Fleet, write: Path | None) -> None:
    import yaml  # loaded only by this command

    text = yaml.safe_dump(fleet.router_config(), sort_keys=False, allow_unicode=True, width=110)
    for profile in fleet.settings.providers:
        click.echo(f"# {profile.name:<12} {fleet.base_url(profile.name)}   {', '.join(m.name for m in profile.models)}")
    for variable, key in fleet.environment().items():
        click.echo(f"# export {variable}={key}")
    click.echo("# router.yaml (Ctrl-C stops the fleet)")
    click.echo(text)
    if write:
        with click.open_file(str(write), "w", encoding="utf-8") as file:
            file.write(f"{_IS_OURS.decode()}\n{text}")
