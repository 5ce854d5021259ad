"""A process of its own whose router reports to a store: python reporting_child.py URL PLAN END

PLAN: "well" asks six times, "fails" makes one model fail until its breaker opens. It prints "told" once its
first report is written.
END: "close" ends well, "exit" leaves that to the end of the process, "hang" waits to be killed, "fork" has a child of a
fork ask and then waits to be killed, "gone" lets go of the router and prints "gone" when the report is taken back.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from contextlib import suppress

from capability_router import AllCandidatesFailed, Price, Router
from capability_router.clock import SystemClock
from capability_router.faults.kinds import Fault
from capability_router.health import reporter
from capability_router.testing import ask, scripted_router

CARDS = {
    "good": {"price": Price(1, 2), "max_output_tokens": 100},
    "bad": {"price": Price(3, 6), "max_output_tokens": 100},
}


def made(url: str, plan: str) -> Router:
    fails = [Fault("server_error")] * 12 if plan == "fails" else ["an answer"] * 20
    budgets = [{"scope": "global", "limit_usd": 1.0}, {"scope": "model:bad", "limit_usd": 0.25}]
    return scripted_router(
        {"bad": fails, "good": ["an answer"] * 20}, clock=SystemClock(), cards=CARDS, store=url, name="front",
        budgets=budgets, retry={"per_target": 0}, health={"open_s": 60, "consecutive": 2},
    )  # fmt: skip


def told(router: Router) -> None:
    """Wait until the report has the calls that were made."""
    room = router.store.reports
    assert room is not None
    calls = sum(row["calls"] for row in router.health())
    while all(_calls(report.text) != calls for report in room.reports()):
        time.sleep(0.05)


def _calls(text: str) -> int:
    said = json.loads(text)
    return sum(row["calls"] for row in said["models"]) if said["pid"] == os.getpid() else -1


def asked(router: Router, count: int = 6) -> None:
    for _ in range(count):
        with suppress(AllCandidatesFailed):
            ask(router)


def main(url: str, plan: str, end: str) -> None:
    reporter.EVERY_S = 1.0  # twice as often as usual, so that nobody waits long for it
    router = made(url, plan)
    asked(router)
    told(router)
    print("told", flush=True)
    if end == "fork":
        child = os.fork()
        if not child:
            asked(router, 1)
            told(router)
            print("child", flush=True)
            time.sleep(600)
        time.sleep(600)
    if end == "gone":
        room = router.store.reports
        del router
        gc.collect()
        while room is not None and any(str(os.getpid()) in report.text for report in room.reports()):
            time.sleep(0.05)
        print("gone", flush=True)
    if end == "hang":
        time.sleep(600)
    if end == "close":
        router.close()
        print("closed", flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main(*sys.argv[1:])
