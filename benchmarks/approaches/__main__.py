"""The command: see the package."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is loaded: there is a process for each core

from benchmarks.approaches import anatomy, fitting, frontier, pretraining, reach, sensitivity, verdict
from benchmarks.approaches.approach import NAMES, RULES, SINGLE, approaches
from benchmarks.approaches.bounds import Bounds
from benchmarks.approaches.estimate import estimate
from benchmarks.approaches.pool import DataPaths, RunBound, Task, bounded, carried_out, foreseen_by_all, ground
from benchmarks.approaches.questions import DataMissing
from benchmarks.approaches.sheet import RunSheet
from benchmarks.approaches.table import choices, lines
from benchmarks.approaches.workload import MIXES
from benchmarks.option import above_nothing, at_least_one

LENGTH_S = 600.0
_ALONE = {
    "only": ("frontier",), "sensitivity": ("workload", "seconds", "only", "calm", "frontier"),
    "anatomy": ("only", "frontier"), "reach": ("only", "frontier"),
    "http": ("seeds", "seconds", "only", "calm", "frontier"),
}  # fmt: skip
"""Options that what stands before them would pass over."""


def main() -> int:
    """Print what was measured; the status is 1 when a target is missed, 2 when there is no data."""
    logging.getLogger("capability_router").setLevel(logging.ERROR)  # of each breaker that opens in a run
    given = _given()
    with TemporaryDirectory() as folder:
        try:
            return _measure(given, DataPaths(given.shared, Path(folder)))
        except DataMissing as missing:
            print(f"NOTHING WAS MEASURED: {missing}; say --shared PATH", file=sys.stderr)
            return 2


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.approaches",
        description="One workload under several policies, in virtual time; docs/approaches.md explains the tables.",
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="where data/routing/ is")
    parser.add_argument("--workload", choices=[*MIXES], default="mixed")
    parser.add_argument("--seeds", type=at_least_one, default=20, help="runs of each approach")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--seconds", type=above_nothing, default=LENGTH_S, help="of virtual time, in each run")
    only = f"these approaches, and no targets; of: {'; '.join(NAMES)}"
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=only)
    parser.add_argument("--calm", action="store_true", help="nobody is away, and nobody has limits")
    parser.add_argument("--frontier", type=Path, metavar="FILE", help="draw cost and success at other targets (SVG)")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--sensitivity", type=Path, metavar="FILE", help="other workloads and prices instead (SVG)")
    other.add_argument("--anatomy", action="store_true", help="what the slowest are, and what was paid for, instead")
    other.add_argument("--reach", action="store_true", help="what prices chosen afterwards could come to, instead")
    other.add_argument("--http", action="store_true", help="a short run over loopback HTTP instead, compared")
    parser.add_argument("--page", type=Path, metavar="FILE", help="with --http: write its table into this page, too")
    given = parser.parse_args()
    if given.page is not None and not given.http:
        parser.error("argument --page: say --http, whose table it is for")
    for mode, beside in _ALONE.items():
        said = [name for name in beside if getattr(given, name) != parser.get_default(name)]
        if getattr(given, mode) and said:
            parser.error(f"argument --{mode}: has no use for --{said[0]}")
    return given


def _measure(given: argparse.Namespace, place: DataPaths) -> int:
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    if given.http:
        from benchmarks.approaches import http  # here, because it loads LangChain

        return http.compared(ground(place, given.workload, "list"), given.first_seed, given.page)
    if given.sensitivity is not None:
        return sensitivity.measured(place, seeds, given.sensitivity)
    if given.anatomy:
        stands = ground(place, given.workload, "list")
        print("\n".join(anatomy.looked_at(stands, seeds, given.seconds, calm=given.calm)))
        return 0
    if given.reach:
        return _reach(given, place, seeds)
    return _table(given, place, seeds)


def _reach(given: argparse.Namespace, place: DataPaths, seeds: range) -> int:
    stands = ground(place, given.workload, "list")
    tasks = [
        Task(given.workload, "list", name, s, given.seconds, given.calm) for name in (SINGLE, RULES) for s in seeds
    ]
    sheets = [sheet for _, sheet in carried_out(place, tasks)]
    with pretraining.read_once():
        print("\n".join(reach.told(stands, seeds, given.seconds, sheets[: len(seeds)], sheets[len(seeds) :])))
    return 0


def _table(given: argparse.Namespace, place: DataPaths, seeds: range) -> int:
    stands = ground(place, given.workload, "list")
    settings = fitting.prepared(stands)
    every = [each for each in approaches(stands) if given.only is None or each.name in given.only]
    tasks = [Task(given.workload, "list", a.name, s, given.seconds, given.calm) for s in seeds for a in every]
    found: dict[str, list[RunSheet]] = {approach.name: [] for approach in every}
    for task, sheet in carried_out(place, tasks):
        found[task.approach].append(sheet)
    requests = sum(sheet.requests for sheet in next(iter(found.values())))
    print(
        f"workload {given.workload}, seeds {seeds.start}-{seeds.stop - 1}, {requests:,} requests per approach", end=""
    )
    print(", nobody away and no limits\n" if given.calm else "\n")
    print(f"adaptive: quality_share {settings.share:g}, latency_weight {settings.second:g}\n")
    print("\n".join(lines(found)), end="\n\n")
    print("\n".join(choices(found)), end="\n\n")
    if given.only is not None:
        print("\n".join(verdict.beside(found)))
        return 0
    print("\n".join(verdict.HEAD))
    limits = _limits(given, found[SINGLE], seeds)
    least = bounded(place, limits)
    findings = [f for f in verdict.findings(found, least) if f.found.value == f.found.value]  # without outages: none
    print("\n".join(finding.line() for finding in findings))
    print(f"\nNone below: a P95 of {estimate([each.p95_s for each in least]).told('.2f')} s; where speeds are not")
    print(f"known before they are drawn, {estimate([each.unseen_s for each in least]).told('.2f')} s.")
    print("\n".join(_documents(least, found[RULES])))
    some = foreseen_by_all(place, limits[: frontier.FEWER])
    share = estimate([p95 / sheet.p95_s for p95, sheet in zip(some, found[RULES], strict=False)])
    print(f"Scores known only as `adaptive` foresees them, all else beforehand: {share.told('.3f')} of the rules' P95")
    print(f"(the first {len(some)} seeds).")
    if given.frontier is not None:
        given.frontier.write_text(frontier.drawn(place, stands, seeds, given.seconds, found), encoding="utf-8")
    return min(sum(not finding.met for finding in findings), 1)


def _documents(least: Sequence[Bounds], rules: Sequence[RunSheet]) -> Iterator[str]:
    """What is left where all else costs nothing, takes no time, and needs no quality."""
    usd = estimate([bound.long_usd / sheet.usd_per_request for bound, sheet in zip(least, rules, strict=True)])
    late = estimate([bound.long_s / sheet.p95_s for bound, sheet in zip(least, rules, strict=True)])
    yield f"Documents alone, where all else is free and takes no time: {usd.told('.3f')} of the rules' cost,"
    yield f"{late.told('.3f')} of their P95."


def _limits(given: argparse.Namespace, single: Sequence[RunSheet], seeds: range) -> list[RunBound]:
    """The success that is asked of `adaptive`, in each run."""
    tasks = [Task(given.workload, "list", "", seed, given.seconds, given.calm) for seed in seeds]
    return [RunBound(t, verdict.SUCCESS * s.success) for t, s in zip(tasks, single, strict=True)]


if __name__ == "__main__":
    sys.exit(main())
