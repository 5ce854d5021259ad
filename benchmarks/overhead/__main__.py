"""What a router adds to a chat model that answers at once: python -m benchmarks.overhead [--rounds 15] [--peers]

A fake chat model asked directly, behind `with_fallbacks`, and behind `ChatRouter(models=[it])`, with the child run
that the router opens for it; once with a handler that is told of all runs. The ways take turns, round after round;
each figure is the median of the rounds' means, each ratio the median of the rounds' own ratios, so that a busy machine
weighs on all alike. "added" is the 50th or 95th percentile of all calls through the router less that of the bare ones;
of calls that are made at once, a call's is its wave's share. CPU of this process; "calls a second" are what one core
does.

`--peers`: then the same of each peer, beside what it stands before, in its own process and environment, which are
installed where they are missing; ours in that of LangChain's own, in the same way (peer.py).
"""

from __future__ import annotations

import argparse
import sys
from itertools import chain

from benchmarks.overhead import beside_a_model, beside_peers
from benchmarks.peers.environment import NotInstalled

MOST_RATIO, MOST_CHUNK_US = 2.5, 20.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--peers", action="store_true")
    given = parser.parse_args()
    print(f"Targets: ChatRouter <= {MOST_RATIO} x, <= {MOST_CHUNK_US:g} us added a chunk\n", flush=True)
    lines = beside_a_model.table(given.rounds)
    if given.peers:
        lines = chain(lines, [""], beside_peers.table(given.rounds))
    try:
        for line in lines:
            print(line, flush=True)
    except NotInstalled as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
