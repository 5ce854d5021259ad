"""Every peer against every scripted fault on loopback: `python -m benchmarks.peers [--only 500] [--scale 0.2]`.

Prints the table, the sums, and where a peer did better than we did; each cell as it is measured, as JSON, on
stderr. Nothing leaves 127.0.0.1 but the installation of the pinned peers, which `--install` does alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.option import above_nothing, at_least_one
from benchmarks.peers.comparison import sums, where_worse
from benchmarks.peers.environment import NotInstalled, install, versions
from benchmarks.peers.measurement import Measurement
from benchmarks.peers.peer import Peer, peers
from benchmarks.peers.row import rows
from benchmarks.peers.table import Table


def main() -> None:
    """Install, measure, print."""
    asked = _arguments()
    wanted = [row for row in rows() if not asked.only or any(part in row.title for part in asked.only)]
    if not wanted:
        sys.exit(f"NOTHING WAS MEASURED: no row has {' or '.join(map(repr, asked.only))} in its title")
    chosen = [peer for peer in peers() if not asked.peer or any(part in peer.name for part in asked.peer)]
    if not chosen:
        known = "; ".join(peer.name for peer in peers())
        sys.exit(
            f"NOTHING WAS MEASURED: no peer has {' or '.join(map(repr, asked.peer))} in its name; there are: {known}"
        )
    try:
        install(chosen)
    except NotInstalled as error:
        sys.exit(str(error))
    if asked.install:
        return
    print(_told(chosen))
    table = Table()
    with Path(asked.log).open("w", encoding="utf-8") as log:
        measurement = Measurement(
            chosen, seed=asked.seed, seconds=asked.seconds, scale=asked.scale, log=log, rounds=asked.rounds
        )
        try:
            for row, peer, cell in measurement.run(wanted):
                table.add(row, peer, cell)
                print(json.dumps({"row": row.title, "peer": peer.name, **asdict(cell)}), file=sys.stderr, flush=True)
        finally:
            measurement.stop()
    print("\n\n".join([table.render(), sums(table), where_worse(table)]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--install", action="store_true", help="install the peers and stop")
    parser.add_argument("--only", action="append", default=[], help="rows whose title has this in it; may be repeated")
    parser.add_argument("--peer", action="append", default=[], help="peers whose name has this in it; may be repeated")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=above_nothing, default=1.0, help="share of each row's 100 requests")
    parser.add_argument(
        "--rounds", type=at_least_one, default=1, help="turns of each peer in a row; P95: the middle one"
    )
    parser.add_argument(
        "--seconds", type=above_nothing, default=9.0, help="no peer begins a request of a row after so long"
    )
    parser.add_argument("--log", default="/dev/null", help="a file for what the peers print")
    return parser.parse_args()


def _told(chosen: list[Peer]) -> str:
    found = {line for peer in chosen for line in versions(peer.environment, peer.dependencies)}
    return f"Versions: {', '.join(sorted(found))}\n"


if __name__ == "__main__":
    main()
