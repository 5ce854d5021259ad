"""What a request of the core costs as things grow, and what it leaves: python -m benchmarks.scale [--scale 0.02]

Ten scripted models that answer at once; routing, machine, health and books are the core's own. Each row has a process
of its own, and is told against the same requests of one caller, one tenant, no budget ("plain"). `--scale`: a share of
the full counts; `--rows`: some of the rows. Microseconds of processor time; memory is the process's resident memory
from the end of the first tenth of its requests to the end, and of that what came in the last half: what the tables that
are bounded do not hold by then grows on.
"""

from __future__ import annotations

import argparse
import logging
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from typing import Any, NamedTuple

from benchmarks.core import PROMPT, cards, timed
from benchmarks.option import above_nothing
from benchmarks.overhead.memory import resident_mib
from capability_router import Request, Router
from capability_router.routing import Routing
from capability_router.testing import ask, scripted_router

REQUESTS, CALLERS, MODELS = 1_000_000, (1, 4, 16, 64), (2, 10, 50, 200)
TENANTS, TAGS, SESSIONS, BUDGETS = 100_000, 10_000, 100_000, 10_000
Terms = Callable[[int], Routing]


class Row(NamedTuple):
    """`us`: processor time of a request; `p99_ms`: of the time from its caller's asking to the answer.

    `grown_mib`, `late_mib`: from the end of the first tenth to the end, and in the last half.
    """

    name: str
    requests: int
    us: float
    per_s: float
    p99_ms: float
    grown_mib: float
    late_mib: float


class Part(NamedTuple):
    """Requests in turn: the seconds that each took, of processor time in all, and by the clock in all."""

    took: array[float]
    work_s: float
    wall_s: float

    @property
    def mib(self) -> float:
        """What the times take, which is this benchmark's own memory."""
        return self.took.itemsize * len(self.took) / 2**20


def plain(_: int) -> Routing:
    return Routing()


def of_tenants(n: int) -> Routing:
    return Routing(tenant=f"tenant-{n % TENANTS}")


def of_tags(n: int) -> Routing:
    return Routing(tags=(f"tag-{n % TAGS}",))


def of_sessions(n: int) -> Routing:
    return Routing(session=f"session-{n % SESSIONS}")


def capped(n: int) -> Routing:
    return Routing(tenant=f"tenant-{n % BUDGETS}")


GROWN: tuple[tuple[str, Terms, dict[str, Any]], ...] = (
    ("plain", plain, {}),
    (f"{TENANTS:,} tenants", of_tenants, {}),
    (f"{TAGS:,} tags", of_tags, {}),
    (f"{SESSIONS:,} sessions", of_sessions, {}),
    (
        f"{BUDGETS:,} budgets", capped,
        {"budgets": [{"scope": f"tenant:tenant-{n}", "limit_usd": 1_000, "window": "day"} for n in range(BUDGETS)]},
    ),
)  # fmt: skip


def made(**settings: Any) -> Router:
    return scripted_router({name: ["ok"] for name in cards(10)}, cards=cards(10), policy="adaptive", **settings)


def asked(router: Router, numbers: range, terms: Terms) -> array[float]:
    """Ask for each number in turn; the seconds that each took, in memory that is there before the first."""
    took = array("d", bytes(8 * len(numbers)))
    for at, n in enumerate(numbers):
        began = time.perf_counter()
        ask(router, Request((PROMPT,), routing=terms(n)))
        took[at] = time.perf_counter() - began
    return took


def spread(router: Router, numbers: range, terms: Terms, callers: int) -> Part:
    """The same by so many threads at once, each with its share."""
    took = [array("d")] * callers

    def work(place: int) -> None:
        took[place] = asked(router, numbers[place::callers], terms)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(callers)]
    began, worked = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work_s, wall_s = time.process_time() - worked, time.perf_counter() - began
    return Part(sum(took[1:], took[0]), work_s, wall_s)


def row(name: str, requests: int, callers: int, terms: Terms, settings: dict[str, Any]) -> Row:
    """Measured in this process."""
    router, warm, middle = made(**settings), max(requests // 10, 100), requests // 2
    spread(router, range(warm), terms, callers)
    before = resident_mib()
    first = spread(router, range(warm, middle), terms, callers)
    halfway = resident_mib()
    last = spread(router, range(middle, requests), terms, callers)
    after = resident_mib()
    took, work_s, wall_s = sorted([*first.took, *last.took]), first.work_s + last.work_s, first.wall_s + last.wall_s
    count, p99_ms = len(took), took[int(len(took) * 0.99)] * 1e3
    grown, late = after - first.mib - last.mib - before, after - last.mib - halfway
    return Row(name, count, work_s / count * 1e6, count / wall_s, p99_ms, grown, late)


def apart(*given: Any) -> Row:
    """In a process of its own."""
    with get_context("spawn").Pool(1, initializer=_quiet) as pool:
        return pool.apply(row, given)


def _quiet() -> None:
    logging.getLogger("capability_router").setLevel(logging.ERROR)


def table(rows: list[Row]) -> list[str]:
    """As Markdown; ratios first."""
    plainly = next((each.us for each in rows if each.name == GROWN[0][0]), None)
    told = [
        "| | / plain | us of work | a second per core | by the clock | p99, ms | MiB grown | in last half | requests |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for each in rows:
        cells = (
            f"{each.us / plainly:.2f} x" if plainly else "", f"{each.us:.0f}", f"{1e6 / each.us:,.0f}",
            f"{each.per_s:,.0f}", f"{each.p99_ms:.2f}",
            f"{each.grown_mib:+.1f}", f"{each.late_mib:+.1f}", f"{each.requests:,}",
        )  # fmt: skip
        told.append(f"| {each.name} | {' | '.join(cells)} |")
    return told


def growth_with_models() -> list[str]:
    """What a decision takes among so many, and per further model, as Markdown."""
    told, before = ["| models | decide, p50 / p99, us | us per further model |", "|---|---|---|"], (0, 0.0)
    for count in MODELS:
        router = scripted_router({name: ["ok"] for name in cards(count)}, cards=cards(count), policy="adaptive")
        request = Request((PROMPT,))
        p50, p99 = timed(lambda router=router, request=request: router.explain(request))  # type: ignore[misc]  # defaults
        slope = f"{(p50 - before[1]) / (count - before[0]):.2f}" if before[0] else ""
        told.append(f"| {count} | {p50:.0f} / {p99:.0f} | {slope} |")
        before = (count, p50)
    return told


def rows_of(scale: float, names: Sequence[str]) -> list[Row]:
    """Those of these names, or all; one caller is the plain row again."""
    requests = max(int(REQUESTS * scale), 2_000)
    every = [(name, requests, 1, terms, settings) for name, terms, settings in GROWN]
    threads = [(f"{count} callers", requests, count, plain, {}) for count in CALLERS[1:]]
    found = [apart(*each) for each in (*every, *threads) if not names or each[0] in names]
    one = [each._replace(name="1 caller") for each in found[:1] if each.name == GROWN[0][0] and not names]
    return [*found[: len(GROWN)], *one, *found[len(GROWN) :]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--scale", type=above_nothing, default=1.0)
    names = [name for name, *_ in GROWN] + [f"{count} callers" for count in CALLERS[1:]]
    parser.add_argument(
        "--rows", nargs="+", metavar="NAME", default=(), choices=names, help="these rows, and not what models cost"
    )
    given = parser.parse_args()
    print("\n".join(table(rows_of(given.scale, given.rows))))
    if not given.rows:
        print("\n".join(["", *growth_with_models()]))


if __name__ == "__main__":
    main()
