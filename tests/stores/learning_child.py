"""A process of its own that asks and scores: python learning_child.py URL WHO COUNT END [STATE]

It prints "ready", waits for a line, scores COUNT answers as tenant WHO and prints the id of each; the answer of "coder"
is worth 1, that of "lawyer" 0. END: "close" writes what waits, "exit" leaves that to the end of the process, "hang"
prints "holding" and waits to be killed, "fork" has a child of the fork score as many again. "asks": the answers are
given and scored by nobody.
"""

from __future__ import annotations

import os
import sys
import time

from capability_router import Price, Request, Router, routing
from capability_router.clock import Clock, SystemClock
from capability_router.testing import ask, scripted_router

MODELS = ("lawyer", "coder")


def made(url: str, state: str = "store", clock: Clock | None = None) -> Router:
    cards = {name: {"price": Price(1, 2), "quality": {"default": 0.7}} for name in MODELS}
    policy = {"name": "adaptive", "state": state}
    scripts = {name: ["an answer"] * 2_000 for name in MODELS}
    return scripted_router(scripts, clock=clock or SystemClock(), cards=cards, policy=policy, store=url)


def score(router: Router, who: str, count: int, *, scores: bool = True) -> None:
    for number in range(count):
        model = MODELS[number % 2]
        with routing(tenant=who, pin=model):
            request = Request((f"mend the loop of {who}, number {number}",))
        ask(router, request)
        if scores:
            router.feedback(request.id, float(model == "coder"))
        print(f"{request.id}\n", end="", flush=True)  # in one piece: a forked child writes there too


def main(url: str, who: str, count: str, end: str, state: str = "store") -> None:
    router = made(url, state)
    print("ready", flush=True)
    sys.stdin.readline()
    score(router, who, int(count), scores=end != "asks")
    if end == "fork":
        child = os.fork()
        score(router, who, int(count))
        if child:
            os.waitpid(child, 0)
        router.close()
        if not child:
            os._exit(0)
    if end == "close":
        router.close()
    if end == "hang":
        print("holding", flush=True)
        time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])
