"""What a router adds to a chat model that answers at once: python -m benchmarks.overhead [--peers [only|grow]]

A fake chat model asked directly, behind `with_fallbacks`, and behind `ChatRouter(models=[it])`, with the child run
that the router opens for it; once with a handler that is told of all runs. The ways take turns, round after round;
each figure is the median of the rounds' means, each ratio the median of the rounds' own ratios, so that a busy machine
weighs on all alike. "added" is the 50th or 95th percentile of all calls through the router less that of the bare ones;
of calls that are made at once, a call's is its wave's share. CPU of this process; "calls a second" are what one core
does.

`--peers`: then the same of each peer, beside what it stands before, in its own process and environment, which are
installed where they are missing; ours in that of LangChain's own, in the same way (peer.py). `--peers only` leaves the
first table out; `--peers grow` measures each peer with more models and larger prompts instead (growing_peer.py).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from benchmarks.option import at_least_one
from benchmarks.overhead import beside_a_model, beside_peers
from benchmarks.peers.environment import NotInstalled

MOST_RATIO, MOST_CHUNK_US = 2.5, 20.0


def _lines(rounds: int, peers: str | None) -> Iterator[str]:
    if peers == "grow":
        yield from beside_peers.growth_table(rounds)
        return
    if peers != "only":
        yield f"Targets: ChatRouter <= {MOST_RATIO} x, <= {MOST_CHUNK_US:g} us added a chunk\n"
        yield from beside_a_model.table(rounds)
    if peers == "too":
        yield ""
    if peers:
        yield from beside_peers.table(rounds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.add_argument("--rounds", type=at_least_one, default=15)
    parser.add_argument(
        "--peers",
        nargs="?",
        const="too",
        choices=["too", "only", "grow"],
        help="the peers' table too, or only it, or that of more models and larger prompts",
    )
    given = parser.parse_args()
    try:
        for line in _lines(given.rounds, given.peers):
            print(line, flush=True)
    except (NotInstalled, beside_peers.NotMeasured) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
