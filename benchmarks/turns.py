"""What one awaited call costs its event loop, counted: python -m benchmarks.turns

ChatOpenAI over loopback, asked directly, behind `with_fallbacks`, and behind `ChatRouter`: turns of the loop, tasks,
timers, and calls of Python functions, each per call, one call at a time. Counts do not depend on the machine.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from langchain_router import ChatRouter

QUESTION, CALLS = "What is a capability?", 20
SERVER = Path(__file__).with_name("endpoint.py")


class Counting(asyncio.SelectorEventLoop):
    """A loop that counts."""

    turns = tasks = timers = 0

    def _run_once(self) -> None:
        self.turns += 1
        super()._run_once()  # type: ignore[misc]  # asyncio's own, which its stubs leave out

    def create_task(self, *given: Any, **options: Any) -> asyncio.Task[Any]:
        self.tasks += 1
        return super().create_task(*given, **options)

    def call_at(self, *given: Any, **options: Any) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_at(*given, **options)


def ways(url: str) -> dict[str, Callable[[], Any]]:
    def model() -> ChatOpenAI:
        return ChatOpenAI(model="gpt-5-mini", api_key=SecretStr("k"), base_url=url, max_retries=0, timeout=20)

    return {
        "bare": model,
        "with_fallbacks": lambda: model().with_fallbacks([model()]),
        "ChatRouter": lambda: ChatRouter([model(), model()], policy="single"),
        "ChatRouter, a clock": lambda: ChatRouter([model(), model()], policy="single", timeouts={"total": 20}),
    }


def functions(loop: Counting, model: Any) -> int:
    """Calls of Python functions in one awaited call."""
    seen = 0

    def note(_: Any, event: str, __: Any) -> None:
        nonlocal seen
        seen += event == "call"

    sys.setprofile(note)
    loop.run_until_complete(model.ainvoke(QUESTION))
    sys.setprofile(None)
    return seen


def row(loop: Counting, name: str, model: Any) -> str:
    for _ in range(3):
        loop.run_until_complete(model.ainvoke(QUESTION))
    loop.turns = loop.tasks = loop.timers = 0
    for _ in range(CALLS):
        loop.run_until_complete(model.ainvoke(QUESTION))
    counts = "".join(f"{count / CALLS:9.1f}" for count in (loop.turns, loop.tasks, loop.timers))
    return f"{name:20}{counts}{min(functions(loop, model) for _ in range(5)):11,}"


def main() -> None:
    loop = Counting()
    asyncio.set_event_loop(loop)
    with subprocess.Popen([sys.executable, SERVER, "--serve"], stdout=subprocess.PIPE, text=True) as server:  # noqa: S603 - a file of ours
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
            print(f"{'':20}{'turns':>9}{'tasks':>9}{'timers':>9}{'functions':>11}")
            for name, make in ways(url).items():
                print(row(loop, name, make()), flush=True)
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
