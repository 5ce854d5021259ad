"""How well the token estimate meets o200k, on texts found on this machine: python -m benchmarks.tokens

The texts are sources, documents, manual pages and translations of what is installed, generated ones (base64, logs,
...), and prose where Debian's packages of it are: `--root DIR` looks below DIR too (`dpkg -x PACKAGE DIR`). What the
machine lacks is said first. `python -m benchmarks.tokens.fetch DIR` unpacks the rest there: languages, scripts and
formats of which the machine has none. Each package is wholly on one side: the costs were fitted on one half of them,
the table is of the other. `--fit` fits anew and prints the costs for `tokens/estimate.py` and `scripts.py`; `--seed N`
draws other pieces. The tokenizer is the copy that llama-index-core brings; `--vocabulary` takes another one from DIR.
Speed is processor time on texts read once, as a router reads them. Of how many texts a budget would hold too little,
and how much it holds on average, is told last. Exit code 1: the mean error is above 8 %, or the speed above 35 µs/kB.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from benchmarks.tokens import found
from benchmarks.tokens.everyday import everyday
from benchmarks.tokens.fit import fitted
from benchmarks.tokens.formats import formats
from benchmarks.tokens.generated import generated
from benchmarks.tokens.odd import odd, shortened, spread
from benchmarks.tokens.packages import packages
from benchmarks.tokens.prose import prose
from benchmarks.tokens.sample import Sample, drawn
from benchmarks.tokens.table import EVERYDAYS, errors, group, lines, mean
from benchmarks.tokens.vocabularies import NAMES, counter
from capability_router.tokens.estimate import estimate_tokens, measure, most_tokens

MOST_ERROR, MOST_US = 0.08, 35.0


def corpus(seed: int, roots: tuple[Path, ...] = (Path("/"),)) -> list[Sample]:
    """Both sides."""
    dice = random.Random(seed)
    texts = [sample for kind in found.FILES for sample in found.from_files(kind, dice)]
    texts += [*found.manuals(dice), *found.translations(dice), *prose(dice, roots), *generated(seed)]
    natural = list(drawn(texts, seed))
    others = [*formats(seed), *(sample for root in roots[1:] for sample in packages(random.Random(seed), root))]
    others += [sample for root in roots[1:] for sample in everyday(random.Random(seed), root)]
    return [*natural, *drawn([*shortened(natural, seed), *spread(natural), *odd(seed)], seed), *drawn(others, seed)]


def speed(texts: Sequence[str]) -> float:
    """Microseconds per kB of UTF-8; the best of some rounds over all texts, so that none is read twice in a row."""
    size = sum(len(text.encode()) for text in texts) / 1_000
    best = float("inf")
    for _ in range(7):
        before = time.thread_time()
        for text in texts:
            estimate_tokens(text)
        best = min(best, time.thread_time() - before)
    return 1e6 * best / size


def missing(samples: Sequence[Sample]) -> list[str]:
    """What the machine holds no text of, or on one side only."""
    sides: dict[str, set[bool]] = {}
    for sample in samples:
        sides.setdefault(sample.kind, set()).add(sample.fits)
    none = [kind for kind in (*found.FILES, *found.LANGUAGES) if kind not in sides]
    none += [] if any(kind.startswith("prose") for kind in sides) else ["prose (Debian's debian-handbook, fortunes-*)"]
    half = [kind for kind, known in sides.items() if len(known) == 1]
    told = [f"MISSING on this machine: {', '.join(none)}"] if none else []
    return told + ([f"ON ONE SIDE ONLY: {', '.join(half)}"] if half else [])


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tokens", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--vocabulary", choices=NAMES, default=NAMES[0])
    parser.add_argument("--root", type=Path, action="append", default=[Path("/")])
    asked = parser.parse_args(arguments)
    samples, count = corpus(asked.seed, tuple(asked.root)), counter(asked.vocabulary, asked.root[-1])
    print(*missing(samples), sep="\n")
    fits, tests = ([s for s in samples if s.fits is side] for side in (True, False))
    if asked.fit:
        costs = fitted(fits, [count(s.text) for s in fits])
        print(*(f'    "{name}": {cost:.3f},' for name, cost in costs.items()), sep="\n")
    true = [count(s.text) for s in tests]
    by_kind = errors(tests, [estimate_tokens(s.text) for s in tests], true)
    print(*lines(by_kind), sep="\n")
    us = speed([s.text for s in tests if group(s.kind) not in EVERYDAYS])
    if prose_texts := [s.text for s in tests if group(s.kind) in EVERYDAYS]:
        print(f"everyday prose, in all its scripts: {speed(prose_texts):.1f} µs/kB")
    error, limits = mean(by_kind), f"at most {MOST_ERROR:.0%} and {MOST_US:.0f}"
    held = [1.25 * max(measure(s.text).tokens, most_tokens([s.text])) / n for s, n in zip(tests, true, strict=True)]
    short = [share for share in held if share < 1]
    print(f"budgets hold {fmean(held):.2f} of what a text takes; too little for {len(short)}, at least {min(held):.2f}")
    print(f"seed {asked.seed}: mean error {error:.2%}, {us:.1f} µs/kB ({limits})")
    return int(error > MOST_ERROR or us > MOST_US)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
