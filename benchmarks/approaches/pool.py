"""Many runs, as many at a time as there are cores; each process reads the questions and the states once."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from benchmarks.approaches import fitting, pretraining
from benchmarks.approaches.approach import Approach, RunSetup, adaptive, approaches, measured
from benchmarks.approaches.bounds import Bounds, bounds
from benchmarks.approaches.foreseen import foreseen
from benchmarks.approaches.sheet import RunSheet
from benchmarks.approaches.workload import Workload


class Task(NamedTuple):
    """One run. `share`: the `quality_share` of `adaptive`, in the fitted one's place."""

    workload: str
    ladder: str
    approach: str
    seed: int
    length_s: float
    calm: bool = False
    share: float | None = None


class RunBound(NamedTuple):
    """What no policy could do better than in such a run, at this mean score."""

    task: Task
    wanted: float


class DataPaths(NamedTuple):
    """Where the data are, and where the learned states."""

    shared: Path
    states: Path


@cache
def opened(place: DataPaths, name: str) -> Workload:
    """The questions of a workload; raises Missing."""
    return Workload.open(place.shared, name)


def ground(place: DataPaths, workload: str, ladder: str) -> RunSetup:
    """What runs of this workload stand on, once it was learned from."""
    return RunSetup(opened(place, workload), ladder, place.states / f"{workload}.state.json")


def carried_out(place: DataPaths, tasks: Sequence[Task]) -> Iterator[tuple[Task, RunSheet]]:
    """Each task with its accounts, in their order."""
    with get_context("spawn").Pool(os.cpu_count() or 1) as pool:
        pool.map(_prepared, [(place, name) for name in dict.fromkeys(task.workload for task in tasks)], 1)
        yield from pool.imap(_one, [(place, task) for task in tasks])


def bounded(place: DataPaths, limits: Sequence[RunBound]) -> list[Bounds]:
    """Each, in their order."""
    with get_context("spawn").Pool(os.cpu_count() or 1) as pool:
        return pool.map(_bound, [(place, limit) for limit in limits])


def foreseen_by_all(place: DataPaths, limits: Sequence[RunBound]) -> list[float]:
    """The least P95 at the scores that `adaptive` foresees, each, in their order."""
    with get_context("spawn").Pool(os.cpu_count() or 1) as pool:
        return pool.map(_foreseen, [(place, limit) for limit in limits])


def _prepared(job: tuple[DataPaths, str]) -> None:
    place, name = job
    logging.getLogger("capability_router").setLevel(logging.ERROR)
    fitting.prepared(ground(place, name, "list"))


def _foreseen(job: tuple[DataPaths, RunBound]) -> float:
    place, (task, wanted) = job
    logging.getLogger("capability_router").setLevel(logging.ERROR)
    stands = ground(place, task.workload, task.ladder)
    return foreseen(stands, task.seed, task.length_s, wanted, calm=task.calm)


def _bound(job: tuple[DataPaths, RunBound]) -> Bounds:
    place, (task, wanted) = job
    stands = ground(place, task.workload, task.ladder)
    return bounds(stands, task.seed, task.length_s, wanted, calm=task.calm)


def _one(job: tuple[DataPaths, Task]) -> tuple[Task, RunSheet]:
    place, task = job
    logging.getLogger("capability_router").setLevel(logging.ERROR)
    stands = ground(place, task.workload, task.ladder)
    with pretraining.read_once():
        return task, measured(stands, _approach(stands, task), task.seed, task.length_s, calm=task.calm)


def _approach(stands: RunSetup, task: Task) -> Approach:
    if task.share is not None:
        return adaptive(stands, task.share, fitting.prepared(stands).second)
    return next(each for each in approaches(stands) if each.name == task.approach)
