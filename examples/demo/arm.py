"""One way of choosing models, on a fleet of its own: the providers, the router, both adapters, the applications."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from capability_router import Router, routing
from capability_router.simulator import Fleet
from examples.demo.workload import Apps, Item
from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

CONFIG = Path(__file__).resolve().parents[1] / "router.yaml"
_WORKERS = 32


@dataclass(frozen=True)
class Result:
    """What came of one request; `elapsed_s` is what its caller waited."""

    item: Item
    answer: Any
    error: Exception | None
    elapsed_s: float


class Arm:
    """Use it as a context manager: the fleet runs inside."""

    def __init__(
        self, name: str, log: Path, *, time_scale: float, seed: int, only: str = "",
        policy: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.name, self.log = name, log
        self.fleet = Fleet.from_config(time_scale=time_scale, seed=seed)
        self._only, self._policy = only, policy
        self.results: list[Result] = []

    def __enter__(self) -> Arm:
        self.fleet.start()
        os.environ.update({f"{p.upper()}_URL": self.fleet.base_url(p) for p in self.fleet.providers})
        self.router = Router.from_config(self._written(), telemetry={"jsonl": self.log})
        self.chat = ChatRouter(router=self.router)
        self.llm = RouterLLM(router=self.router)
        return self

    def __exit__(self, *exc: object) -> None:
        self.router.close()
        self.fleet.stop()

    def _written(self) -> dict[str, Any]:
        """The file's settings with this way's own policy, whole: laid over the file's it would keep its weights."""
        written = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
        models = [entry for entry in written["models"] if self._only in ("", entry["id"])]
        return {**written, "models": models, "policy": self._policy or written["policy"]}

    def serve(self, found: Any) -> None:
        """Build the applications on this arm's models."""
        self.apps = Apps.on(self.chat, self.llm, found)

    def run(self, items: Sequence[Item], duration_s: float, faults: Sequence[str], told: Callable[[], None]) -> None:
        """Send each request at its time, however long the others take; `told` is called after each."""
        self.unix_at_start = time.time() - self.fleet.script.now_s
        self.fleet.fault(*faults)
        began = time.monotonic()
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix=self.name) as pool:
            for item in items:
                time.sleep(max(0.0, began + item.at * duration_s - time.monotonic()))
                pool.submit(self._perform, item).add_done_callback(lambda _: told())
        self.results.sort(key=lambda result: result.item.id)

    def _perform(self, item: Item) -> None:
        began, answer, failure = time.monotonic(), None, None
        try:
            with routing(session=item.id, chain=item.kind, **item.terms):
                answer = item.call(self.apps)
        except Exception as error:  # noqa: BLE001 - whatever a request raises is its result
            failure = error
        self.results.append(Result(item, answer, failure, time.monotonic() - began))
