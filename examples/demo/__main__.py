"""python -m examples.demo [--out FOLDER] [--quick] [--corpus auto|own]"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console

_DURATION_S, _QUICK_S = 40.0, 5.0
_TIME_SCALE, _QUICK_SCALE = 1.0, 0.2
_LEAST_WIDTH, _PLAIN_WIDTH = 120, 200


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("demo-output"), show_default=True)
@click.option("--quick", is_flag=True, help="A quarter of the requests at five times the speed.")
@click.option("--corpus", type=click.Choice(["auto", "own"]), default="auto", help="own: this project's pages alone.")
def main(out: Path, quick: bool, corpus: str) -> None:
    """An existing chain, agent and query engine on one router, against two baselines, on simulated providers."""
    console = Console()
    if not console.is_terminal or console.width < _LEAST_WIDTH:
        console = Console(width=_LEAST_WIDTH if console.is_terminal else _PLAIN_WIDTH)
    out.mkdir(parents=True, exist_ok=True)
    console.print("Loading LangChain and LlamaIndex ...")
    from examples.demo.show import Show  # here, because it loads both frameworks

    with ExitStack() as stack:
        show = Show(console, out, time_scale=_QUICK_SCALE if quick else _TIME_SCALE)
        show.prepare(corpus)
        show.swap()
        show.compete(stack, quick=quick, duration_s=_QUICK_S if quick else _DURATION_S)
        show.tell()


if __name__ == "__main__":
    main()
